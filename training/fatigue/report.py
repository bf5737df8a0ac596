"""What a training of fatigue found, as JSON for people and programs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from training.evaluate import Interval
from training.fatigue.curve import BANDS, Curve
from training.fatigue.fit import Fitted

#: A cell with fewer contacts is not told.
TOLD = 20


@dataclass(frozen=True)
class Judged:
    """On later decisions, by a fit on those before: the slope of cost on what was foretold, and by how much loss was
    less than that of the policy's stated harm and of the reigning model."""

    decisions: int
    slope: Interval
    over_stated: Interval
    over_champion: Interval | None = None
    champion: str | None = None


def report(fitted: Fitted, judged: Judged | None, left_out: Mapping[str, int]) -> dict[str, Any]:
    """Per contact: opt-outs and complaints are probabilities, lost money and gain are customers' spending. Of opt-outs
    and complaints soon after a contact, a share counts `for_later_decisions`."""
    channels = {}
    for name in fitted.channels:
        c = fitted.harm.pressure.channels.index(name)
        advice = fitted.advice
        channels[name] = {
            "contacts": int(fitted.contacts[c]),
            "decided_by_chance": int(fitted.by_chance[c]),
            "opt_out_costs": float(fitted.harm.prices.opt_out[c]),
            "harm": [float(fitted.harm.money(np.array([c]), np.array([x]))[0]) for x in (0.0, 0.5, 1.0, 2.0)],
            "recommended_a_week": float(advice.number[c]),
            "recommended_told": bool(advice.told[c]),
            "best_a_week": [float(advice.low[c]), float(advice.high[c])],
            "present_a_week": float(advice.present[c]),
            "tried_a_week": float(advice.most[c]),
            "effects": {one: _told(fitted.curves[one], c) for one in fitted.curves},
        }
    return {
        "decisions": fitted.decisions,
        "left_out": dict(left_out),
        "margin": fitted.harm.prices.margin,
        "complaint_costs": fitted.harm.prices.complaint,
        "channels": channels,
        "for_later_decisions": dict(fitted.for_later),
        "kept": {name: float(one.kept) for name, one in fitted.harm.curves.items()},
        "differs": {name: {"shown": bool(one.shown), "p": one.p} for name, one in fitted.harm.differs.items()},
        "levels": [asdict(one) for one in fitted.levels.levels],
        "steps": [asdict(one) for one in fitted.levels.steps],
        "levels_uneven_p": fitted.levels.uneven_p,
        "judged": None if judged is None else asdict(judged),
    }


def write(told: Mapping[str, Any], path: Path) -> None:
    """As JSON; what is not known is null."""
    path.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")


def _told(curve: Curve, channel: int) -> dict[str, Any]:
    """`all` and one entry a band: value, low, high, contacts."""
    own = curve.channels.at(channel)
    cells = curve.bands.at(channel)
    found = {"all": _interval(own.value, own.low, own.high, own.contacts)}
    for band, name in enumerate(BANDS):
        if cells.contacts[band] >= TOLD:
            found[name] = _interval(cells.value[band], cells.low[band], cells.high[band], cells.contacts[band])
    return found


def _interval(value: Any, low: Any, high: Any, contacts: Any) -> dict[str, float]:
    return {"value": float(value), "low": float(low), "high": float(high), "contacts": float(contacts)}
