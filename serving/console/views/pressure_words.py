"""How the page on contact pressure writes what the artefact holds."""

from collections.abc import Mapping
from typing import Any

from serving.console.blocks import Estimate

Found = Mapping[str, Any]


def known(known: Found) -> Estimate:
    return Estimate(known["value"], known["low"], known["high"])


def thousand(known: Found | None) -> Estimate | None:
    return None if known is None else Estimate(*(1000 * known[end] for end in ("value", "low", "high")))


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def said(name: str) -> str:
    """A name from the log as it is read: mobile_app is "Mobile app"."""
    return capital(name.replace("_", " "))


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
