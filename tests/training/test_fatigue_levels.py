"""Customers under caps that chance drew, who come all the time: figures a week, their errors, and what steps tell."""

import numpy as np

from features.clock import DAY
from training.fatigue import levels
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
