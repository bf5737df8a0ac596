"""How the figures of an effect are shown, alike on every page: chip, interval in a chart, cells of a table.

Artefacts come as JSON: an effect has `difference`, `low`, `high` and, where it is looked at again and again, `always`;
an estimate has `value`, `low`, `high`, `always_low`, `always_high`. Anything of them may be None: then it is not known.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from serving.console import figures
from serving.console.blocks import Cell, Chart, Column, Estimate, Interval, Kind, Table, Verdict, href
from serving.console.figures import Line, Span

Found = Mapping[str, Any]

TOO_FEW = Verdict("too few to tell")
ALWAYS = (
    "The wide, pale line is the interval that stays valid however often somebody looks; the dark one is the usual 95%."
)


#: What "weeks until known" goes by.
PACE = "at the recent pace"


def verdict(token: str, better: str = "more") -> Verdict:
    """The chip of a verdict; of opt-outs fewer are better."""
    if token in ("raised", "lowered"):
        return Verdict(token, "good" if (token == "raised") == (better == "more") else "bad")
    return TOO_FEW if token == "too_few" else Verdict("no effect shown")


def role(token: str, better: str = "more") -> str:
    """The colour that goes with the chip."""
    tone = verdict(token, better).tone
    return tone if tone in ("good", "bad") else "muted"


def kind(found: Found, change: bool = True) -> Kind:
    """Of a rate or an amount: the kind of its change, or of its level."""
    if found["kind"] == "rate":
        return "points" if change else "percent"
    if found.get("unit"):
        return "signed_money" if change else "money"
    return "number"


def column(name: str, found: Found, change: bool = True, help: str | None = None) -> Column:
    """A column of changes (or levels) of one measure."""
    said = f"{name}, percentage points" if change and found["kind"] == "rate" else name
    return Column(said, kind(found, change), help, found.get("unit") if found["kind"] == "amount" else None)


def change(effect: Found | None) -> Cell:
    """An effect with its usual interval, or why there is no figure."""
    return TOO_FEW if effect is None else Estimate(effect["difference"], effect["low"], effect["high"])


def always(effect: Found | None) -> Cell:
    """The interval that holds at every look."""
    if effect is None or not effect.get("always"):
        return None
    return Interval(effect["always"]["low"], effect["always"]["high"])


def lift(effect: Found | None) -> Cell:
    """The relative change, where the control's mean allows one."""
    if effect is None or effect.get("relative") is None:
        return None
    return Estimate(effect["relative"], effect["relative_low"], effect["relative_high"])


def ends(found: Found) -> tuple[float, float]:
    """The interval that sentences call likely: the one valid at every look where there is one."""
    if found.get("always_low") is None or found.get("always_high") is None:
        return found["low"], found["high"]
    return found["always_low"], found["always_high"]


def estimate(found: Found | None) -> Cell:
    """A total or a gain with its likely interval."""
    return TOO_FEW if found is None else Estimate(found["value"], *ends(found))


def action_page(found: Found) -> str | None:
    """Where the page of the action is that something is about; None where it is about several."""
    return href("actions", found["action"]) if found.get("action") else None


def span(name: str, found: Found, leads: str | None = None) -> Span:
    """One row of a chart of intervals: `found` has an `effect`, a `verdict` and perhaps what is `better`."""
    effect = found["effect"]
    if effect is None:
        return Span(name, None, None, None)
    held = effect.get("always")
    return Span(
        name,
        effect["difference"],
        effect["low"],
        effect["high"],
        role(found["verdict"], found.get("better", "more")),
        (held["low"], held["high"]) if held else None,
        leads,
    )


def chart(id: str, title: str, spans: Sequence[Span], like: Found, table: Table, summary: str, against: str) -> Chart:
    """Intervals of one measure under each other; `like` says its kind, `against` what the zero line stands for."""
    unit = "percentage points" if like["kind"] == "rate" else like.get("unit") or ""
    axis = f"Difference from {against}" + (f", {unit}" if unit else "")
    said = f"{summary} {ALWAYS}" if any(one.outer for one in spans) else summary
    return Chart(id, title, figures.intervals(spans, kind(like), axis), table, said)


def weeks(value: float | None) -> Cell:
    """How long until known: whole weeks; nothing where it is known."""
    return math.ceil(value) if value else None


def months(
    id: str, title: str, names: Sequence[str], points: Sequence[tuple[float | None, ...]], like: Kind, unit: str,
    table: Table, summary: str,
) -> Chart:  # fmt: skip
    """A line over months with its band; points are (value, low, high)."""
    value, low, high = ([point[k] for point in points] for k in range(3))
    line = Line(title, names, value, low, high, role="accent")
    figure = figures.lines([line], like, "text", unit, reference=0.0, from_zero=False)
    figure["layout"]["xaxis"]["type"] = "category"  # or "2025-08" is read as a date
    return Chart(id, title, figure, table, summary)


def paid(token: str) -> Verdict:
    """Whether contacts paid for themselves."""
    return {
        "paid": Verdict("paid for itself", "good"),
        "lost": Verdict("lost money", "bad"),
    }.get(token, Verdict("open"))
