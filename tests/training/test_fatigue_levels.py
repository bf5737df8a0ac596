"""Customers under caps that chance drew, who come all the time: figures a week, their errors, and what steps tell."""

import numpy as np

from features.clock import DAY
from training.fatigue import levels, wording
from training.fatigue.trials import SILENCE, Clock, Decided, Events, Happened, trials

WEEK = 7 * DAY


def drawn(seed, customers=3000, weeks=26):
    """A log: customers come all the time, are contacted once a week, half of one under tight caps, and spend 10 a week
    on average, each their own."""
    rng, n, until = np.random.default_rng(seed), customers, weeks * WEEK
    came = np.sort(rng.uniform(0, until, n)).astype(np.int64)
    own, level = rng.gamma(2, 0.5, n), rng.choice([0.5, 1.0], n)
    number = (until - came + WEEK // 2) // WEEK
    whom = np.repeat(np.arange(n), number)
    nth = np.arange(len(whom)) - np.repeat(np.cumsum(number) - number, number)
    at = came[whom] + WEEK // 2 + WEEK * nth
    made, buys = rng.random(len(at)) < level[whom], rng.random(len(at)) < 0.2
    who = np.append(np.arange(n), whom[buys])
    money = Events.of(who, np.append(came - DAY, at[buys]), amount=np.append(70 * own, 50 * own[whom[buys]]))
    silence = np.full(n, SILENCE, np.int16), np.full((n, 1), 0.5, np.float32), np.full(n, 0.5)
    decided = Decided.of(("email",), np.arange(n), came, *silence, level.astype(np.float32))
    log = Happened(Events.of(whom[made], at[made]), NOBODY, NOBODY, money, until)
    return levels.compare(trials(decided, log, np.ones(1), Clock()), log)


NOBODY = Events.of(np.zeros(0, np.int64), np.zeros(0, np.int64))


def test_who_came_an_hour_ago_is_no_heavily_contacted_customer():
    """Ten logs: as the mean of customers' own ratios, every level gets a third more than it did."""
    found = [drawn(seed) for seed in range(10)]
    for place, truth in enumerate((0.5, 1.0)):
        mine = [one.levels[place] for one in found]
        assert {one.factor for one in mine} == {truth}
        for name, k, right in (("contacts", 0, truth), ("money", 3, 10.0)):
            values = np.array([getattr(one, name) for one in mine])
            errors = np.array([one.errors[k] for one in mine])
            assert abs(values.mean() - right) < 3.5 * errors.mean() / np.sqrt(10)
            assert errors.max() < 0.04 * right
    steps = np.array([one.steps[0].money.value for one in found])
    width = np.mean([one.steps[0].money.high - one.steps[0].money.low for one in found])
    assert abs(steps.mean()) < 0.9 * width / np.sqrt(10), "a further contact sells nothing"


def switched(seed, customers=1500, on=60, off=240, days=300):
    """A log whose caps were drawn on day `on` and given up on day `off`: a fifth of the customers come after `on`, and
    buy more; a contact sells nothing, and every third day another is decided about."""
    rng, day = np.random.default_rng(seed), np.arange(0, days, 3)
    came = np.where(rng.random(customers) < 0.2, 3 * rng.integers(on // 3, days // 3 - 9, customers), 0)
    own = rng.choice([0.5, 1.0, 2.0], customers, p=[0.2, 0.6, 0.2])
    who, at = (column.ravel() for column in np.meshgrid(np.arange(customers), day, indexing="ij"))
    who, at = (column[at >= came[who]] for column in (who, at))
    level = np.where((at >= on) & (at < off), own[who], 1.0)
    made = rng.random(len(who)) < np.choose(np.searchsorted([0.5, 1.0, 2.0], level), [0.15, 0.3, 0.5])
    buys = rng.random(len(who)) < np.where(came[who] > 0, 0.36, 0.15)
    at = at * DAY
    chance = np.full((len(who), 1), 0.3, np.float32)
    columns = (np.where(made, 0, SILENCE).astype(np.int16), chance, 1 - chance[:, 0], level.astype(np.float32))
    money = Events.of(who[buys], at[buys] + DAY, amount=np.full(int(buys.sum()), 10.0))
    log = Happened(Events.of(who[made], at[made] + 1), NOBODY, NOBODY, money, days * DAY)
    return trials(Decided.of(("email",), who, at, *columns), log, np.ones(1), Clock()), log, own, came


def test_caps_that_were_drawn_later_are_compared_from_then_on_among_old_and_new_customers_alike():
    off = []
    for seed in range(12):
        found, log, own, came = switched(seed)
        told = levels.compare(found, log)
        assert [one.factor for one in told.levels] == [0.5, 1.0, 2.0]
        # all but those who came after the caps were given up, about whom chance decided no level
        assert [one.customers for one in told.levels] == [((own == f) & (came < 240)).sum() for f in (0.5, 1.0, 2.0)]
        off += [one.money.value / ((one.money.high - one.money.low) / 3.92) for one in told.steps]
    assert abs(np.mean(off)) < 0.7  # of 24 that spread by 1
    assert np.sum(np.abs(off) > 1.96) <= 5


def test_who_came_after_history_ends_says_nothing():
    found, log, *_ = switched(0)
    until = 30 * WEEK
    cut = Happened(log.contacts, NOBODY, NOBODY, log.purchases, until)
    known = Happened(*(Events(*(column[of.at < until] for column in vars(of).values())) for of in (
        log.contacts, NOBODY, NOBODY, log.purchases)), until)  # fmt: skip
    assert levels.compare(found, cut) == levels.compare(found.rows(found.at < until), known)


def lucky(customers, rate):
    """A step to a level of a ninth of the customers, who get twice as many contacts; half as many of them opt out."""
    rng, n = np.random.default_rng(3), customers
    level = np.where(np.arange(n) % 9 == 0, 2.0, 1.0)
    whom = np.repeat(np.arange(n), rng.poisson(2 * level))
    out = np.flatnonzero((rng.random(n) < rate) & ((level == 1) | (np.arange(n) % 2 == 0)))
    silence = np.full(n, SILENCE, np.int16), np.full((n, 1), 0.5, np.float32), np.full(n, 0.5)
    decided = Decided.of(("email",), np.arange(n), np.zeros(n), *silence, level.astype(np.float32))
    money = Events.of(np.arange(n), np.full(n, 5 * DAY), amount=rng.gamma(2, 5, n))
    of = Events.of(whom, np.full(len(whom), DAY)), Events.of(out, np.full(len(out), 2 * DAY)), NOBODY, money
    log = Happened(*of, 4 * WEEK)
    (step,) = levels.compare(trials(decided, log, np.ones(1), Clock()), log).steps
    return step


def test_a_small_level_without_opt_outs_is_too_few_to_tell():
    few = lucky(900, 0.01)
    assert few.opted_out is None, "hardly one of a hundred opts out: an interval of no width"
    assert few.money is not None
    assert wording.step(few).endswith("; too few customers to tell opt-outs, complaints")
    many = lucky(18_000, 0.02)
    assert many.opted_out.high < 0
    assert "opt-outs; too few customers to tell complaints" in wording.step(many)
