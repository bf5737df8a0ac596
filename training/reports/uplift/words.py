"""What contacts did, in sentences: one for each cell, each breakdown, and for all ghosts together."""

from calendar import month_name
from collections.abc import Sequence

from features.step_words import on_channel
from training.reports import wording
from training.reports.effects import Breakdown, Cell, Found, GhostCheck, Return
from training.reports.wording import Words, bounds, half_width, listed, luck, until_known

#: So many names stand in a sentence, and then how many more there are.
_MOST_NAMES = 5


def some(names: Sequence[str]) -> str:
    """ "a, b, c, d, e and 20 others"."""
    if len(names) <= _MOST_NAMES + 1:
        return listed(names)
    return listed([*names[:_MOST_NAMES], f"{len(names) - _MOST_NAMES} others"])


def spoken(name: str) -> str:
    """`winback_voucher` as people say it: Winback voucher."""
    if name == "email":
        return "E-mail"
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def month(name: str) -> str:
    """ "2025-05" as people say it: May 2025."""
    year, number = name.split("-")
    return f"{month_name[int(number)]} {year}"


def treatment(action: str, channel: str | None) -> str:
    """ "Winback voucher by e-mail"."""
    return f"{spoken(action)} {on_channel(channel)}" if channel else spoken(action)


def found(cell: str, one: Found) -> str:
    """One measure of one cell."""
    words = Words(one.name, one.kind, one.unit)
    if one.effect is None:
        return f"Too few to tell whether {cell} changed {one.name}: {one.reason}."
    width = half_width(one.effect)
    levels = f"{words.level(one.treated.mean, width)} against {words.level(one.control.mean, width)} without it"
    if one.verdict == "undecided":
        span = words.span(*bounds(one.effect), "and", signed=True)
        return f"No effect of {cell} on {one.name} is shown yet: {levels} (likely between {span}){_outlook(one)}."
    more = "more" if one.verdict == "raised" else "less"
    low, high = sorted(abs(end) for end in bounds(one.effect))
    size = words.change(abs(one.effect.difference), width)
    return f"{cell} {one.verdict} {one.name}: {levels}, {size} {more} (likely between {words.span(low, high, 'and')})."


def _outlook(one: Found) -> str:
    """How long it may take, or why it is not shown although it looks so."""
    assert one.effect is not None
    if several := luck(*bounds(one.effect), "compared"):
        return several
    if not one.effect.low <= 0 <= one.effect.high:
        more = "more" if one.effect.difference > 0 else "less"
        return f"; it looks like {more}, but not yet surely enough for figures that are looked at every day"
    wait = until_known(one.weeks)
    if wait:
        return f"; {wait}"
    return "; an effect worth finding would have been seen by now" if one.weeks == 0 else ""


def cell(every: Sequence[Found]) -> str:
    """What tells most of a cell: the goal or its money, whichever is shown, and opt-outs where those are."""
    goal, money, *rest = every
    first = money if money.verdict in ("raised", "lowered") and goal.verdict not in ("raised", "lowered") else goal
    harm = [one.sentence for one in rest if one.verdict == "raised"]
    return " ".join([first.sentence, *harm])


def breakdown(cells: Sequence[Cell]) -> str:
    """All cells on the goal, in one sentence, which stands under its heading."""
    if not cells:
        return "Nothing to compare yet."
    firsts = [(each.name, each.found[0]) for each in cells]
    words, parts = firsts[0][1].name, []
    for verdict in ("raised", "lowered"):
        moved = [(name, one) for name, one in firsts if one.verdict == verdict]
        moved.sort(key=lambda pair: -abs(pair[1].effect.difference) if pair[1].effect else 0.0)
        if moved:
            parts.append(f"{some([name for name, _ in moved])} {verdict} {words}")
    open_ = [(name, one) for name, one in firsts if one.verdict == "undecided"]
    if open_:
        named = [f"{name} ({wait})" if (wait := until_known(one.weeks)) else name for name, one in open_]
        parts.append(f"still open: {some(named)}")
    if few := [name for name, one in firsts if one.verdict == "too_few"]:
        parts.append(f"too few to tell for {some(few)}")
    worked = any(one.verdict == "raised" for _, one in firsts)
    if len(firsts) == len(open_) + len(few) and not worked and open_:
        return f"Nothing is shown to have worked yet; {'; '.join(parts)}."
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}."


def per_contact(total: Found, days: int) -> str:
    """What a contact did on money, all of them together."""
    words = Words(total.name, "amount", total.unit)
    if total.effect is None:
        return f"Too few to tell what a contact brings: {total.reason}."
    span = words.span(*bounds(total.effect), "and", signed=True)
    if total.verdict == "undecided":
        unit = f" {total.unit}" if total.unit else ""
        wait = f"; {known}" if (known := until_known(total.weeks)) else ""
        return f"That contacts bring money is not shown yet: likely between {span}{unit} a contact{wait}."
    low, high = sorted(abs(end) for end in bounds(total.effect))
    size = words.change(abs(total.effect.difference), half_width(total.effect))
    brought = "brought" if total.verdict == "raised" else "cost"
    tail = " more sales" if total.verdict == "raised" else " of sales"
    return f"A contact {brought} {size}{tail} in {days} days (likely between {words.span(low, high, 'and')})."


def headline(total: Cell, treatments: Breakdown | None, days: int) -> str:
    """All contacts together, what earned most, and what is not known yet."""
    said = [per_contact(total.found[1], days)]
    if treatments is not None and (more := standings(treatments.cells)):
        said.append(more)
    return " ".join(said)


def standings(cells: Sequence[Cell]) -> str:
    """ "Winback voucher by e-mail earned most; Newsletter shows no effect yet, about 5 more weeks until we know."."""
    parts = []
    earning = [each for each in cells if each.found[1].verdict == "raised" and each.returns is not None]
    if earning:
        parts.append(f"{max(earning, key=_extra).name} earned most")
    open_ = [each for each in cells if each.found[1].verdict == "undecided"]
    if open_:
        soon = [each for each in open_ if each.found[1].weeks]
        if soon:
            one = min(soon, key=lambda each: each.found[1].weeks or 0.0)
            parts.append(f"{one.name} shows no effect on money yet, {until_known(one.found[1].weeks)}")
        elif not earning:
            parts.append("no action on its own shows an effect on money yet")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _extra(each: Cell) -> float:
    return each.returns.extra.value if each.returns else 0.0


def returns(one: Return) -> str:
    """What contacts cost and brought."""
    unit = f" {one.unit}" if one.unit else ""
    low, high = _ends(one.extra.low, one.extra.high, one.extra.always_low, one.extra.always_high)
    precision = max((high - low) / 10, 0.01)
    extra, lowest, highest = (wording.number(x, precision, money=True) for x in (one.extra.value, low, high))
    cost = wording.number(one.cost, max(one.cost / 20, 0.01), money=True)
    paid = f"{one.contacts:,} contacts cost {cost}{unit}"
    if one.verdict == "open":
        return (
            f"Whether {one.contacts:,} contacts paid for themselves is open: they cost {cost}{unit}, and the extra "
            f"sales are likely between {lowest} and {highest}{unit}{luck(*_profit(one), 'compared')}."
        )
    if high < 0:
        lost, least, most = (wording.number(abs(x), precision, money=True) for x in (one.extra.value, high, low))
        return f"{paid} and took away {lost}{unit} of sales (likely between {least} and {most}): they lost money."
    if one.verdict == "lost":
        return (
            f"{paid}, more than they brought: the extra sales are likely between {lowest} and {highest}{unit}, of "
            f"which {wording.planned_percent(one.margin)} is kept."
        )
    kept = wording.number(one.kept.value, max((high - low) * one.margin / 10, 0.01), money=True)
    said = f"{paid} and brought {extra}{unit} more sales (likely between {lowest} and {highest}), of which {kept}{unit}"
    if one.roi is None:
        return f"{said} are kept."
    low, high = _ends(one.roi.low, one.roi.high, one.roi.always_low, one.roi.always_high)
    gained, least, most = (wording.number(x, (high - low) / 2) for x in (one.roi.value, low, high))
    each = one.unit or "unit of money"
    return f"{said} are kept: {gained} {each} gained for each {each} spent (likely between {least} and {most})."


def _profit(one: Return) -> tuple[float, float]:
    return _ends(one.profit.low, one.profit.high, one.profit.always_low, one.profit.always_high)


def _ends(low: float, high: float, always_low: float | None, always_high: float | None) -> tuple[float, float]:
    return (low, high) if always_low is None or always_high is None else (always_low, always_high)


def check(one: GhostCheck) -> str:
    """Whether the draws withheld what they say they did."""
    seen = f"of {one.drawn:,} contacts drawn, {one.ghosts:,} were withheld ({one.expected:,.0f} expected)"
    if not one.alarm:
        return f"The draws fit their logged probabilities: {seen}."
    return (
        f"The draws do not fit their logged probabilities: {seen}. Chance makes such a gap about once in "
        f"{wording.odds(one.p)} logs, so decisions were lost or chosen on the way. Find out how before believing any "
        "figure here."
    )
