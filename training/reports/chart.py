"""Where things go on a chart: positions in per cent of its width, so that text never shrinks on a phone.

Only geometry; the templates draw it as inline SVG, escape every name, and put a table beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from training.reports.artefact import Campaign, Outcome
from training.reports.statistics import Effect
from training.reports.wording import Words

#: Room at both ends for a tick's label.
_INSET = 7.0


@dataclass(frozen=True)
class Axis:
    """A linear scale over [low, high], drawn from `_INSET` to 100 - `_INSET` per cent."""

    low: float
    high: float
    step: float

    def at(self, value: float) -> float:
        """Per cent of the chart's width, rounded so that files stay small and stable."""
        return round(_INSET + (100 - 2 * _INSET) * (value - self.low) / (self.high - self.low), 2)

    @property
    def ticks(self) -> list[float]:
        first, last = round(self.low / self.step), round(self.high / self.step)
        return [place * self.step for place in range(first, last + 1)]


def axis(values: Sequence[float], most: int = 6) -> Axis:
    """The roundest scale that holds zero and all values with at most `most` intervals.

    >>> axis([0.0389, 0.0832]).ticks
    [0.0, 0.02, 0.04, 0.06, 0.08, 0.1]
    """
    low, high = min([0.0, *values]), max([0.0, *values])
    if low == high:
        high = 1.0
    reach = high - low
    power = 10.0 ** (math.floor(math.log10(reach)) - 1)
    for factor in (1, 2, 5, 10, 20, 50, 100):
        step = power * factor
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= most:
            break
    return Axis(first * step, last * step, step)


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Interval:
    """One arm's row: line from `low` to `high`, a mark at `middle`; None where there is too little to draw."""

    name: str
    verdict: str
    label: str
    low: float | None = None
    middle: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class IntervalChart:
    zero: float
    ticks: list[Tick]
    rows: list[Interval]
    unit: str


def intervals(outcome: Outcome) -> IntervalChart | None:
    """The effect of every arm with its interval; None where no arm has a figure."""
    effects = [one.effect for one in outcome.comparisons if one.effect is not None]
    if not effects:
        return None
    words = Words(outcome.name, outcome.kind, outcome.unit)
    scale = axis([bound for effect in effects for bound in (effect.low, effect.high)])
    rows = [_row(words, scale, one.arm, one.verdict, one.effect) for one in outcome.comparisons]
    ticks = [Tick(scale.at(value), words.tick(value, scale.step)) for value in scale.ticks]
    unit = "percentage points" if outcome.kind == "rate" else f"{outcome.unit or ''} per customer".strip()
    return IntervalChart(scale.at(0.0), ticks, rows, unit)


def _row(words: Words, scale: Axis, arm: str, verdict: str, effect: Effect | None) -> Interval:
    if effect is None:
        return Interval(arm, verdict, "too few to tell")
    span = words.span(effect.low, effect.high, signed=True)
    precision = (effect.high - effect.low) / 2
    label = f"{words.tick(effect.difference, precision, True)} ({span})"
    return Interval(arm, verdict, label, scale.at(effect.low), scale.at(effect.difference), scale.at(effect.high))


@dataclass(frozen=True)
class Bar:
    group: str
    label: str
    end: float


@dataclass(frozen=True)
class Bars:
    """Contacted and others side by side, before and after one campaign's contacts."""

    periods: list[tuple[str, list[Bar]]]


def before_and_after(campaigns: Sequence[Campaign], unit: str | None, days: int) -> list[Bars | None]:
    """Money a customer in the days before and after, on one scale from zero; None where too few were compared."""
    shown = [one for one in campaigns if one.verdict != "too_few"]
    largest = max((value for one in shown for value in (*one.before, *one.after)), default=0.0) or 1.0
    words = Words("", "amount", unit)

    def bar(group: str, value: float) -> Bar:
        return Bar(group, words.level(value, largest / 20), round(100 * max(0.0, value) / largest, 2))

    def pair(values: tuple[float, float]) -> list[Bar]:
        return [bar("Contacted", values[0]), bar("Others", values[1])]

    def bars(one: Campaign) -> Bars:
        return Bars([(f"{days} days before", pair(one.before)), (f"{days} days after", pair(one.after))])

    return [bars(one) if one.verdict != "too_few" else None for one in campaigns]
