"""The overview's sentences: each total of the month, how an action stands, and the headline."""

from collections.abc import Sequence

from features.workspace import Settings
from training.reports import wording
from training.reports.effects import Cell, Estimate, Found
from training.reports.overview.artefact import Standing, Total, What
from training.reports.uplift.words import standings
from training.reports.wording import luck, until_known


def orders(settings: Settings) -> str:
    """What reaching the goal is called."""
    return "orders" if settings.goal == ["purchase"] else " or ".join(settings.goal).replace("_", " ")


def title(what: What, name: str) -> str:
    """The heading of a total."""
    titles = {"money": "Extra money", "kept": "Customers kept", "opt_outs": "Opt-outs caused"}
    return titles.get(what, f"Extra {name}")


def ends(one: Estimate) -> tuple[float, float]:
    """What "likely between" means: the interval that holds however often one looks, where there is one."""
    if one.always_low is None or one.always_high is None:
        return one.low, one.high
    return one.always_low, one.always_high


def figures(one: Estimate, unit: str | None) -> tuple[str, str, str]:
    """(value, lower end, upper end) without signs, with the digits that mean something."""
    low, high = ends(one)
    precision = max((high - low) / 20, 0.01 if unit else 1)
    least, most = (end.lstrip("−") for end in wording.ends(low, high, precision, money=bool(unit)))
    return wording.number(abs(one.value), precision, money=bool(unit)), least, most


_SHOWN: dict[What, tuple[str, str]] = {
    "orders": ("Contacts brought {value} extra {name}", "Contacts cost {value} {name}"),
    "money": ("Customers spent {value} more because of contacts", "Customers spent {value} less because of contacts"),
    "kept": ("Contacts kept {value} customers who would have left", "Contacts drove away {value} customers"),
    "opt_outs": ("Contacts caused {value} opt-outs", "Contacts avoided {value} opt-outs"),
}
_OPEN: dict[What, str] = {
    "orders": "Whether contacts bring extra {name} is not shown yet",
    "money": "Whether customers spend more because of contacts is not shown yet",
    "kept": "Whether contacts keep customers is not shown yet",
    "opt_outs": "Whether contacts cause opt-outs is not shown yet",
}


def total(one: Total) -> str:
    """One total of the month."""
    if one.total is None:
        return f"Too few to tell what contacts did to {one.found.name}: {one.found.reason}."
    unit = f" {one.unit}" if one.unit else ""
    value, low, high = figures(one.total, one.unit)
    if one.found.verdict in ("raised", "lowered"):
        least, most = (low, high) if one.found.verdict == "raised" else (high, low)
        said = _SHOWN[one.what][one.found.verdict == "lowered"].format(value=value + unit, name=one.found.name)
        return f"{said}, likely between {least} and {most}{unit}."
    chance = luck(*ends(one.total), "looked at")
    return f"{_OPEN[one.what].format(name=one.found.name)}: likely {between(one.total, one.unit)}{chance}."


def between(one: Estimate, unit: str | None) -> str:
    """An open interval in words: "between 75 fewer and 310 more"."""
    low, high = ends(one)
    _, least, most = figures(one, unit)
    less, gap = ("less", f" {unit}") if unit else ("fewer", "")
    sides = [f"{text}{gap} {'more' if x > 0 else less}" for text, x in ((least, low), (most, high))]
    return f"between {sides[0]} and {sides[1]}"


def headline(month: str, totals: Sequence[Total], cells: Sequence[Cell]) -> str:
    """What this month's contacts brought, what earned most, and what is not known yet."""
    first = totals[0]
    more = " ".join(part for part in (driven_away(totals), standings(cells)) if part)
    worked = any(one.found.verdict == "raised" and one.better == "more" for one in totals)
    if worked:
        said = next(one for one in totals if one.found.verdict == "raised" and one.better == "more").sentence
        return " ".join(part for part in (f"In {month}: {said}", more) if part)
    if first.found.verdict == "lowered":
        return f"Contacts did harm in {month}: {first.sentence} {more}".strip()
    if first.total is None:
        return f"Too few to tell what contacts did in {month}: {first.found.reason}. {more}".strip()
    if any(cell.found[1].verdict == "raised" for cell in cells):
        return f"The total is not shown yet in {month}: extra {first.found.name} are likely {_open(first)}. {more}"
    said = f"Nothing is shown to have worked in {month}: extra {first.found.name} are likely {_open(first)}."
    return f"{said} {more}".strip()


def driven_away(totals: Sequence[Total]) -> str:
    """That contacts cause opt-outs, where that is shown; else empty."""
    return next((one.sentence for one in totals if one.what == "opt_outs" and one.found.verdict == "raised"), "")


def _open(one: Total) -> str:
    assert one.total is not None
    low, high = ends(one.total)
    precision = max((high - low) / 20, 1)
    return "between " + " and ".join(wording.ends(low, high, precision, signed=True))


def standing(cell: Cell, found: Found, extra: Estimate | None) -> str:
    """How one action on a channel stands on money."""
    if extra is None or found.effect is None:
        return f"Too few to tell what {cell.name} earns: {found.reason}."
    value, low, high = figures(extra, found.unit)
    unit = f" {found.unit}" if found.unit else ""
    if found.verdict == "raised":
        said = f"{cell.name} earned {value}{unit} more sales from {cell.contacts:,} contacts"
        return f"{said}, likely between {low} and {high}."
    if found.verdict == "lowered":
        return (
            f"{cell.name} cost {value}{unit} of sales with {cell.contacts:,} contacts, likely between {high} and {low}."
        )
    wait = f"; {known}" if (known := until_known(found.weeks)) else ""
    span, chance = between(extra, found.unit), luck(*ends(extra), "compared")
    return f"{cell.name} shows no effect on money yet, likely {span} from {cell.contacts:,} contacts{chance}{wait}."


def harmful(standing: Standing) -> str:
    """An action that makes people opt out."""
    assert standing.extra is not None
    value, low, high = figures(standing.extra, None)
    return (
        f"{standing.name} caused {value} opt-outs with {standing.contacts:,} contacts, likely between {low} and {high}."
    )
