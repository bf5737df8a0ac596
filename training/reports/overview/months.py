"""A month of the whole programme: customers as assigned, held out or not, and what they did in it.

Everybody counts who entered the comparison before the month was over, from then on, or from the month's first day where
they entered earlier. Customers kept are those who, when the month ends, have not left by the rule in tactful.yaml.
"""

import calendar
from dataclasses import dataclass, replace

import numpy as np

from features import clock
from features.clock import DAY
from training.reports import always_valid, experiment, statistics
from training.reports.effects import Estimate, Found, Measure
from training.reports.overview import words
from training.reports.overview.artefact import Total, What
from training.reports.uplift import holdout, returns
from training.reports.uplift.drawn import BEFORE
from training.reports.uplift.holdout import Entries
from training.reports.uplift.log import Log
from training.reports.wording import Words

#: A month that began fewer days ago says too little: then the one before is shown.
FEWEST_DAYS = 7

METHOD = [
    "Each total of the month is the difference between customers not held out and customers held out, for each "
    "customer and as assigned, times the number of customers not held out. Everybody counts who was in the comparison "
    "before the month was over, contacted or not.",
    "A customer is kept who, at the end of the month (or now), has not left by the workspace's rule; that adds up "
    "since they entered the comparison, and counts who entered before the rule's horizon.",
    "An effect is called shown where its p-value, one that holds however often one looks, stays below 5% after Holm's "
    "correction over the month's totals. Intervals hold however often one looks within the month.",
]


@dataclass(frozen=True)
class Span:
    """A calendar month in UTC: from its first instant to its end, or to `until`, until when the log is known."""

    name: str
    since: int
    end: int
    until: int

    @classmethod
    def of(cls, instant: int, known_until: int) -> "Span":
        """The month that holds an instant."""
        name = clock.isoformat(instant)[:7]
        year, month = (int(part) for part in name.split("-"))
        since = clock.parse_instant(f"{name}-01")
        end = since + calendar.monthrange(year, month)[1] * DAY
        return cls(name, since, end, min(end, known_until))

    @property
    def complete(self) -> bool:
        return self.until >= self.end

    @property
    def progress(self) -> float:
        """The share of the month that is over."""
        return max(self.until - self.since, DAY) / (self.end - self.since)

    @property
    def spoken(self) -> str:
        """December 2025."""
        year, month = self.name.split("-")
        return f"{calendar.month_name[int(month)]} {year}"


def spans(entered: Entries, known_until: int, most: int = 13) -> list[Span]:
    """The months since customers entered, oldest first, the newest `most`; what has hardly begun is left out."""
    found = [Span.of(known_until - 1, known_until)]
    first = int(entered.at.min())
    while found[0].since > first and len(found) <= most:
        found.insert(0, Span.of(found[0].since - 1, known_until))
    if len(found) > 1 and found[-1].until - found[-1].since < FEWEST_DAYS * DAY:
        found.pop()
    return found[-most:]


@dataclass(frozen=True)
class _Measured:
    """One of the month's outcomes, [n] customers: the values, and what was known before they entered."""

    what: What
    words: Words
    values: np.ndarray
    before: np.ndarray | None
    who: Entries

    @property
    def held(self) -> np.ndarray:
        return self.who.held_out


def totals(log: Log, entered: Entries, span: Span) -> list[Total]:
    """Orders, money, customers kept and opt-outs, with verdicts after Holm's correction over them."""
    measured = [*_done(log, entered, span), _kept(log, entered, span)]
    looked = [(one, _compared(one, span.progress)) for one in measured]
    raw = [found.effect.always.p for _, found in looked if found.effect is not None and found.effect.always]
    adjusted = iter(statistics.holm(raw))
    made = []
    for one, found in looked:
        p = next(adjusted) if found.effect is not None else None
        judged = found.model_copy(update={"p_adjusted": p, "verdict": experiment.verdict(found.effect, p)})
        made.append(_total(one, judged))
    order: list[What] = ["orders", "money", "kept", "opt_outs"]
    return sorted(made, key=lambda total: order.index(total.what))


def estimates(log: Log, entered: Entries, span: Span) -> tuple[Estimate | None, Estimate | None]:
    """Extra orders and money of a month, for the chart; None where there are too few to tell."""
    orders, money = (_total(one, _compared(one, span.progress)).total for one in _done(log, entered, span)[:2])
    return orders, money


def counted(entered: Entries, span: Span) -> tuple[int, int]:
    """(customers not held out, customers held out) in the month's comparison."""
    there = entered.at < span.until
    held = int(entered.held_out[there].sum())
    return int(there.sum()) - held, held


def _done(log: Log, entered: Entries, span: Span) -> list[_Measured]:
    """What was done within the month."""
    who = entered.rows(entered.at < span.until)
    since, until = np.maximum(who.at, span.since), np.full(len(who), span.until)
    number, money = log.goals.within(who.person, since, until)
    left, _ = log.opt_outs.within(who.person, since, until)
    earlier, spent = log.goals.within(who.person, who.at - BEFORE * DAY, who.at)
    orders, currency = words.orders(log.settings), log.settings.currency
    return [
        _Measured("orders", Words(orders, "amount"), number, earlier, who),
        _Measured("money", Words(f"money from {orders}", "amount", currency), money, spent, who),
        _Measured("opt_outs", Words("opt-outs", "rate"), (left > 0).astype(np.float64), None, who),
    ]


def _kept(log: Log, entered: Entries, span: Span) -> _Measured:
    """Who has not left by the end, of those who entered before the rule's horizon."""
    rule = log.settings.churn
    since = span.until - rule.horizon_days * DAY
    who = entered.rows(entered.at < since)
    start, until = np.full(len(who), since), np.full(len(who), span.until)
    alive = np.ones(len(who), bool)
    if rule.silence:
        signs, _ = log.events(rule.qualifying).within(who.person, start, until)
        alive &= signs > 0
    if rule.event:
        gone, _ = log.events([rule.event]).within(who.person, who.at, until)
        alive &= gone == 0
    earlier, _ = log.goals.within(who.person, who.at - BEFORE * DAY, who.at)
    return _Measured("kept", Words("customers who stay", "rate"), alive.astype(np.float64), earlier, who)


def _compared(one: _Measured, progress: float) -> Found:
    control, treated = holdout.groups(one.values, one.who).values()
    explained = None
    if one.before is not None and min(control.n, treated.n) > 1 and np.ptp(one.before) > 0:
        known = holdout.known_groups(one.before, one.values, one.who)
        noise = treated.variance
        if known is not None:
            control, treated = statistics.adjusted(control, treated, (known[holdout.CONTROL], known[holdout.TREATED]))
        explained = 1 - treated.variance / noise if noise > 0 else None
    reason = statistics.too_few(control, treated, one.words.kind == "rate")
    effect = None
    if reason is None:
        effect = statistics.compare(control, treated)
        effect = replace(effect, always=always_valid.beside(effect, progress))
    measures: dict[What, Measure] = {"orders": "goal", "money": "money", "kept": "goal", "opt_outs": "opt_out"}
    return Found(
        measure=measures[one.what],
        name=one.words.name,
        kind=one.words.kind,
        unit=one.words.unit,
        better="less" if one.what == "opt_outs" else "more",
        control=control,
        treated=treated,
        effect=effect,
        p_adjusted=None,
        verdict="undecided" if effect is not None else "too_few",
        reason=reason,
        explained=explained,
        sentence="",
    )


def _total(one: _Measured, found: Found) -> Total:
    customers = int((~one.held).sum())
    total = None if found.effect is None else returns.times(found.effect, customers)
    made = Total(
        what=one.what,
        title=words.title(one.what, one.words.name),
        unit=one.words.unit,
        better=found.better,
        customers=customers,
        found=found,
        total=total,
        sentence="",
    )
    sentence = words.total(made)
    return made.model_copy(update={"sentence": sentence, "found": found.model_copy(update={"sentence": sentence})})
