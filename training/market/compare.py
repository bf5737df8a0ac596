"""The table: what policies earn in 90 days above doing nothing, from the same morning on, with the same luck."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import t as student

from features.simulate.market import Market
from features.simulate.oracle import Oracle
from features.simulate.outcome import Outcome
from features.simulate.policy import Policy, Silent, Uniform
from training.market.evidence import Evidence
from training.market.guesses import Guesses
from training.market.learner import Learner
from training.market.logbook import EVERY, Logbook, logged, thinned
from training.market.players import Guarded, Informed, PropensityFirst, Unguarded

DAYS = 90
#: The seed of the first market: the learner was thought out on others (1 to 21).
FIRST = 101
#: Customers of each market that the best on observables is learned from, and where their seeds begin.
MANY, ELSEWHERE = 100_000, 1_001
_MONEY = (("above", ".3f"), ("share", ".0%"))
BEST = "best on observables"


@dataclass(frozen=True)
class Row:
    """One policy on one market: value a customer above nothing (in money) and its standard error over customers, the
    same as a share of the oracle's; contacts, opt-outs, complaints, and who left."""

    setting: str
    seed: int
    policy: str
    above: float
    error: float
    share: float
    contacts: int
    opted_out: int
    complained: int
    left: int

    @property
    def objected(self) -> int:
        return self.opted_out + self.complained


def best_learner(setting: str, decisions: int, tick: Callable[[str], object] = print) -> Learner:
    """The same learner, from randomised decisions on other markets of the setting: the best on observables."""
    books, found = list[Logbook](), 0
    while found < decisions:
        _, _, _, book, made = logged(MANY, setting, ELSEWHERE + len(books))
        found += made
        books.append(thinned(book))
        tick(f"{setting}: {found:,} of {decisions:,} decisions for the best on observables")
    return Learner.fit(Logbook.together(books))


def compared(customers: int, setting: str, seed: int, best: Learner | None) -> Iterator[Row]:
    """Every policy on one market, each row as soon as it is known. `best`: fitted on many more decisions."""
    noted = list[Evidence]()

    def note(market: Market) -> Evidence:
        noted.append(Evidence(market))
        return noted[0]

    market, ledger, contacts, book, _ = logged(customers, setting, seed, note)
    learner = Learner.fit(book)
    del book
    nothing = _play(market, lambda _: Silent())
    oracle = _play(market, Oracle)
    reach = oracle.above(nothing)[0]

    def row(name: str, outcome: Outcome) -> Row:
        above, error = outcome.above(nothing)
        counts = (
            int(column.sum()) for column in (outcome.contacts, outcome.opted_out, outcome.complained, outcome.left)
        )
        return Row(setting, seed, name, above, error, above / reach, *counts)

    yield row("nothing", nothing)
    guarded = _play(market, lambda _: Guarded(learner, ledger, contacts))
    number = int(guarded.contacts.sum())
    asked = int((market.traits.joins <= market.day).sum()) * DAYS / EVERY
    yield row("random", _play(market, lambda _: Uniform(min(1.0, number / asked), EVERY, seed + 1)))
    most = round(number / DAYS)
    yield row("propensity-first", _play(market, lambda _: PropensityFirst(learner, ledger, contacts, most)))
    yield row("uplift without guard", _play(market, lambda _: Unguarded(learner, ledger, contacts)))
    yield row("uplift with guard", guarded)
    if best is not None:
        yield row(BEST, _play(market, lambda _: Guarded(best, ledger, contacts)))
    guesses = Guesses(market.parameters, noted[0], market.day, seed)
    yield row(Informed.name, _play(market, lambda _: Informed(learner, ledger, contacts, guesses)))
    yield row("oracle", oracle)


def _play(market: Market, policy: Callable[[Market], Policy]) -> Outcome:
    copy = market.copy()
    return copy.play(policy(copy), DAYS, sink=lambda _: None)


def told(rows: Sequence[Row]) -> str:
    """The table in words, a block a setting; intervals of 95 % over seeds where there are several."""
    lines = []
    for setting in dict.fromkeys(row.setting for row in rows):
        here = [row for row in rows if row.setting == setting]
        seeds = sorted({row.seed for row in here})
        lines += ["", f"{setting}: {len(seeds)} seeds, {DAYS} days; money a customer above doing nothing"]
        lines.append(
            f"{'':26}{'above nothing':>20}{'of the oracle':>20}{'contacts':>11}{'opt-outs':>10}{'complaints':>11}"
        )
        for name in dict.fromkeys(row.policy for row in here):
            of = [row for row in here if row.policy == name]
            columns = ("contacts", "opted_out", "complained")
            mean = [np.mean([getattr(row, column) for row in of]) for column in columns]
            above, share = (_interval([getattr(row, column) for row in of], form) for column, form in _MONEY)
            lines.append(f"{name:26}{above:>20}{share:>20}{mean[0]:>11,.0f}{mean[1]:>10,.0f}{mean[2]:>11,.0f}")
        lines += _verdict(here)
    return "\n".join(lines[1:])


def _verdict(rows: Sequence[Row]) -> list[str]:
    by = {(row.policy, row.seed): row for row in rows}
    seeds = sorted({row.seed for row in rows})
    ours = [by["uplift with guard", seed] for seed in seeds]
    first = [by["propensity-first", seed] for seed in seeds]
    spared = [1 - a.objected / max(b.objected, 1) for a, b in zip(ours, first, strict=True)]
    found = [
        f"opt-outs and complaints spared against propensity-first at the same contacts: {_interval(spared, '.0%')}"
    ]
    if (Informed.name, seeds[0]) in by:
        reached = [row.above / by[Informed.name, row.seed].above for row in ours]
        found.insert(0, f"uplift with guard, of all that behaviour tells: {_interval(reached, '.0%')}")
    if (BEST, seeds[0]) in by:
        shares = [row.above / by[BEST, row.seed].above for row in ours]
        found.insert(0, f"uplift with guard, of the best on observables: {_interval(shares, '.0%')}")
    return found


def _interval(values: Sequence[float], form: str) -> str:
    mean = float(np.mean(values))
    if len(values) < 2:
        return format(mean, form)
    half = float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return f"{mean:{form}} +- {half:{form}}"


def as_json(rows: Sequence[Row]) -> list[dict[str, object]]:
    return [asdict(row) for row in rows]
