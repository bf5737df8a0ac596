"""Figures in words: one plain sentence from the numbers, also when the answer is "nothing worked"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from features.digits import decimals, span_decimals
from training.reports.artefact import Comparison, Outcome, Plan
from training.reports.statistics import Effect, Sample


@dataclass(frozen=True)
class Words:
    """How one outcome is spoken of: `name` as the reader knows it, a rate or an amount in `unit`."""

    name: str
    kind: Literal["rate", "amount"]
    unit: str | None = None

    def level(self, value: float, precision: float | None = None) -> str:
        """A mean: "15.1 %" or "1.42 USD"; `precision` is the half-width of what is known about it."""
        return self._number(value, precision) + self.suffix

    def change(self, value: float, precision: float, signed: bool = False) -> str:
        """A difference: "4.5 percentage points" or "0.42 USD"."""
        number = self._number(value, precision, signed)
        if self.kind == "rate":
            return f"{number} percentage point" + ("" if number.lstrip("+−") == "1" else "s")
        return number + self.suffix

    def span(self, low: float, high: float, joint: str = "to", signed: bool = False) -> str:
        """An interval's two ends, without unit: "3.9 to 5.2". A bound near zero keeps the side that it lies on."""
        factor, scale = self._scaled(abs(high - low) / 2)
        return f" {joint} ".join(ends(low * factor, high * factor, scale, signed, bool(self.unit)))

    def _number(self, value: float, precision: float | None, signed: bool = False) -> str:
        factor, scale = self._scaled(abs(value) / 10 if precision is None else precision)
        return number(value * factor, scale, signed, money=bool(self.unit))

    def _scaled(self, precision: float) -> tuple[int, float]:
        """What to multiply by to show, and the precision then; money reads naturally with one more digit: 0.77."""
        return (100, precision * 100) if self.kind == "rate" else (1, precision / 5)

    @property
    def suffix(self) -> str:
        if self.kind == "rate":
            return "%"
        return f" {self.unit}" if self.unit else ""


def number(value: float, precision: float, signed: bool = False, nonzero: bool = False, money: bool = False) -> str:
    """A figure with the digits that `precision` (say, a half-width) leaves meaning to, and a true minus sign.

    `nonzero` adds digits until a value that is not zero does not look like zero; `money` has cents or none.

    >>> number(0.0452331 * 100, 0.634), number(-1234.5, 20), number(0.3, 0.7, signed=True), number(-0.01, 0.7)
    ('4.5', '−1,234', '+0.3', '0.0')
    """
    return _written(value, decimals(value, precision, nonzero, money), signed)


def ends(low: float, high: float, precision: float, signed: bool = False, money: bool = False) -> tuple[str, str]:
    """The two ends of an interval, with the same digits.

    >>> ends(-2.3, 0.001, 1.15), ends(0.001, 2.3, 1.15)
    (('−2.3', '0.0'), ('0.001', '2.300'))
    """
    digits = span_decimals(low, high, precision, money)
    return _written(low, digits, signed), _written(high, digits, signed)


def _written(value: float, digits: int, signed: bool) -> str:
    shown = f"{abs(value):,.{digits}f}"
    zero = not shown.strip("0.,")
    return ("" if zero else "−" if value < 0 else "+" if signed else "") + shown


def percent(share: float, precision: float = 0.01) -> str:
    """A measured share as a percentage."""
    return number(share * 100, precision * 100) + "%"


def planned_percent(share: float) -> str:
    """A share that somebody chose, as they would write it: 5%, 2.5%."""
    return f"{100 * share:.6g}%"


def bounds(effect: Effect) -> tuple[float, float]:
    """What "likely between" means: the interval that holds however often one looks, where there is one."""
    return (effect.low, effect.high) if effect.always is None else (effect.always.low, effect.always.high)


def half_width(effect: Effect) -> float:
    low, high = bounds(effect)
    return (high - low) / 2


def until_known(weeks: float | None) -> str:
    """ "about 5 more weeks until we know"; empty where nobody can say, or it would be known by now."""
    if weeks is None or weeks <= 0:
        return ""
    return "about 1 more week until we know" if weeks <= 1 else f"about {weeks:,.0f} more weeks until we know"


def comparison(words: Words, control: str, base: Sample, found: Comparison) -> str:
    """One arm against control, in one sentence."""
    if found.effect is None:
        return f"Too few to tell whether {_inside(found.arm)} changed {words.name}: {found.reason}."
    effect, width = found.effect, half_width(found.effect)
    levels = f"{words.level(found.sample.mean, width)} against {words.level(base.mean, width)} with {control}"
    if found.verdict == "undecided":
        caveat = _caveat(found)
        return (
            f"No effect of {_inside(found.arm)} on {words.name} is shown: {levels}, a difference that chance "
            f"alone could make (likely between {words.span(*bounds(effect), 'and', signed=True)}){caveat}"
            + (f"; {wait}." if (wait := until_known(found.weeks)) else ".")
        )
    more = "more" if found.verdict == "raised" else "less"
    low, high = sorted(abs(end) for end in bounds(effect))
    return (
        f"{found.arm} {found.verdict} {words.name}: {levels}, {words.change(abs(effect.difference), width)} {more} "
        f"(likely between {words.span(low, high, 'and')})."
    )


def _inside(arm: str) -> str:
    """An arm inside a sentence: names stay as they are; that of all contacts is a word."""
    return "contacts" if arm == "Contacts" else arm


def _caveat(found: Comparison) -> str:
    """Said of an undecided arm."""
    return "" if found.effect is None else luck(*bounds(found.effect), "arms compared")


def luck(low: float, high: float, several: str) -> str:
    """Said of what is undecided where its own interval leaves out zero: then only how many there are holds it back."""
    if low <= 0 <= high:
        return ""
    return f"; its own interval leaves out zero, but with several {several} one such result is no surprise"


def outcome(words: Words, control: str, base: Sample, found: Sequence[Comparison]) -> str:
    """All arms on one outcome, in one sentence."""
    if len(found) == 1:
        return comparison(words, control, base, found[0])
    if all(one.verdict == "too_few" for one in found):
        return f"Too few to tell what any of the {len(found)} arms did to {words.name}, compared with {control}."
    parts = [_moved(words, found, verdict) for verdict in ("raised", "lowered")]
    undecided = [_spanned(words, one) for one in found if one.verdict == "undecided"]
    if undecided:
        parts.append(f"no effect of {listed(undecided)} is shown")
    if few := [one.arm for one in found if one.verdict == "too_few"]:
        parts.append(f"too few customers to tell for {listed(few)}")
    said = "; ".join(part for part in parts if part)
    if not any(one.verdict in ("raised", "lowered") for one in found):
        return f"Nothing worked, as far as these figures can tell: compared with {control} on {words.name}, {said}."
    return f"Compared with {control}, {said}."


def _moved(words: Words, found: Sequence[Comparison], verdict: str) -> str:
    """ "A raised visit by 7.7 percentage points (7.0 to 8.3) and B by 4.5 ..."; empty where no arm did."""
    moved = sorted(
        (one for one in found if one.verdict == verdict and one.effect is not None),
        key=lambda one: -abs(one.effect.difference) if one.effect else 0.0,
    )
    phrases = []
    for place, one in enumerate(moved):
        if one.effect is None:
            continue
        low, high = sorted(abs(end) for end in bounds(one.effect))
        verb = f"{one.arm} {verdict} {words.name}" if place == 0 else one.arm
        size = words.change(abs(one.effect.difference), half_width(one.effect))
        phrases.append(f"{verb} by {size} ({'likely ' if place == 0 else ''}{words.span(low, high)})")
    return listed(phrases)


def _spanned(words: Words, one: Comparison) -> str:
    if one.effect is None:
        return one.arm
    return f"{one.arm} ({words.span(*bounds(one.effect), signed=True)})"


def listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def counted(n: int, noun: str) -> str:
    """ "1 week", "1,200 weeks"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def per_thousand(words: Words, found: Comparison) -> str | None:
    """What a shown effect means for a thousand customers, else None."""
    if found.effect is None or found.verdict not in ("raised", "lowered"):
        return None
    low, high = sorted(abs(end) * 1000 for end in bounds(found.effect))
    precision = (high - low) / 2
    size, span = number(abs(found.effect.difference) * 1000, precision), " to ".join(ends(low, high, precision))
    more = "more" if found.verdict == "raised" else "fewer" if words.kind == "rate" else "less"
    if words.kind == "rate":
        return f"That is about {size} {more} in every 1,000 customers ({span})."
    return f"That is about {size}{words.suffix} {more} for every 1,000 customers ({span})."


def plan(words: Words, base: Sample, found: Plan, have: int) -> str:
    """How large a sample would settle an undecided arm."""
    shown = words.change(found.detectable, found.detectable / 10)
    chance = planned_percent(found.power)
    said = f"With {have:,} customers, {_inside(found.arm)} would reliably ({chance}) show an effect of {shown} or more."
    if found.needed_customers is None:
        return said
    target = abs(base.mean) * found.smallest_lift
    lift = f"a lift of {planned_percent(found.smallest_lift)} ({words.change(target, target / 10)})"
    if found.needed_customers <= have:
        return f"{said} That is enough for {lift}: look for a stronger idea."
    return (
        f"{said} To see {lift}, about {found.needed_customers:,} customers split the same way are needed, "
        f"{found.needed_customers / have:.1f} times as many."
    )


def ratio(alarm: bool, p: float, parts: Sequence[tuple[str, int, float]]) -> str:
    """The sample-ratio check; `parts` are (arm, customers, expected share)."""
    total = sum(count for _, count, _ in parts)
    seen = listed([f"{_inside(name)} {count:,} (expected {share * total:,.0f})" for name, count, share in parts])
    if alarm:
        return (
            f"The groups' sizes do not fit how customers should have been assigned: {seen}. Chance makes such a gap "
            f"about once in {odds(p)} campaigns, so something chose who ended up in which group. Find out what before "
            "believing any figure here."
        )
    return f"The groups' sizes fit the planned shares: {seen}."


def odds(p: float) -> str:
    """How often chance does this: "4,000", "many millions of"."""
    if p < 1e-9:
        return "billions of"
    return f"{float(f'{1 / p:.1g}'):,.0f}"


def headline(outcomes: Sequence[Outcome], alarm: bool) -> str:
    """The first outcome's sentence, unless the groups cannot be trusted."""
    if alarm:
        return "Do not rely on this report yet: the groups' sizes do not fit how customers should have been assigned."
    return outcomes[0].sentence
