"""Off-policy evaluation in the simulated market: half as many contacts, foretold from a randomised month and lived."""

import numpy as np
import pytest

from features.simulate import events
from features.simulate.actions import TREATMENTS
from features.simulate.market import Market
from features.simulate.policy import Uniform
from training.offpolicy import intervals
from training.offpolicy.logbook import Logbook
from training.offpolicy.weighing import Weighed

CUSTOMERS, DAYS, RATE = 12_000, 30, 0.1
OUTCOMES = {
    "purchases": (events.PURCHASE,),
    "opt-outs": (events.OPTED,),
    "reactions": (events.CLICKED, events.EMAIL_OPEN),
}


def happened(day, kinds):
    """float[k]: how often, for the customers that there was a decision about."""
    rows = np.isin(day.news.kind, kinds)
    return np.bincount(day.news.customer[rows], minlength=CUSTOMERS)[day.considered].astype(float)


def lived(market, rate, seed):
    """What happened per customer-day, by outcome, under random contacts of this rate."""
    days = []
    market.copy().play(Uniform(rate, seed=seed), DAYS, sink=days.append)
    rows = sum(len(day.considered) for day in days)
    return np.array([sum(happened(day, kinds).sum() for day in days) / rows for kinds in OUTCOMES.values()])


def weighed(days, ratio):
    """The log as arrays, in order of customer and day, against the same draw with `ratio` times as many contacts."""
    who = np.concatenate([day.considered for day in days])
    at = np.repeat(np.arange(DAYS), [len(day.considered) for day in days])
    order = np.lexsort((at, who))
    drawn = np.concatenate([day.choice.distribution[day.considered] for day in days]).astype(float)[order]
    logging = np.roll(drawn / drawn.sum(1, keepdims=True), 1, axis=1)  # silence first
    target = logging * ratio
    target[:, 0] = 1 - target[:, 1:].sum(1)
    action = np.concatenate([day.made[day.considered] for day in days])[order].astype(np.int64) + 1
    taken = [np.take_along_axis(table, action[:, None], 1)[:, 0] for table in (target, logging)]
    nothing = np.zeros(len(who), int)
    log = Logbook(
        who[order], at[order], nothing, nothing == 0, np.zeros((len(who), 0)), nothing, nothing, (None,), None
    )
    rewards = {name: np.concatenate([happened(day, kinds) for day in days])[order] for name, kinds in OUTCOMES.items()}
    square = (target**2 / np.where(logging > 0, logging, 1.0)).sum(1)
    rows = np.arange(len(who))
    return Weighed(log, rows, TREATMENTS, logging, target, action, taken[0] / taken[1], square), rewards


@pytest.mark.slow
def test_half_as_many_contacts_do_what_the_log_foretold():
    market = Market(CUSTOMERS, "usual", seed=1)
    market.run(60)
    days = []
    market.copy().play(Uniform(RATE, seed=3), DAYS, distributions=True, sink=days.append)
    log, rewards = weighed(days, 0.5)
    ends, path = log.ends(DAYS)
    assert path.weight.mean() == pytest.approx(1.0, abs=0.05)
    assert path.effective > 0.2 * len(path.weight)
    truth = [np.mean([lived(market, rate, seed) for seed in (11, 12, 13)], axis=0) for rate in (RATE, RATE / 2)]
    for n, (name, reward) in enumerate(rewards.items()):
        found = intervals.interval(ends.change(reward, path).difference, "cautious")
        change = truth[1][n] - truth[0][n]
        print(f"{name} per 1,000 customer-days: {1e3 * found.value:.3f}", end=" ")
        print(f"({1e3 * found.low:.3f} to {1e3 * found.high:.3f}); lived: {1e3 * change:.3f}")
        assert change in found
        assert found.high < 0  # and it says that all of them are fewer
    nearby = intervals.interval(log.change(rewards["reactions"]).difference)
    assert truth[1][2] - truth[0][2] not in nearby  # where the log stood, customers are as worn as they were
