"""What-ifs over customer-days: paths, how much they tell, and intervals, in a world whose truth is exact."""

import numpy as np
import pytest
from scipy.stats import binomtest

from features.clock import DAY
from training.offpolicy import intervals, whatif
from training.offpolicy.diagnostics import overlap
from training.offpolicy.logbook import Logbook
from training.offpolicy.weighing import Weighed

DAYS, HISTORIES = 10, np.array([[0, 0], [1, 0], [0, 1], [1, 1]])  # contacts of yesterday and of the day before


def chances(question, kind, held):
    """float[4]: of a contact under a policy, by what was done on the two days before."""
    recent = HISTORIES.sum(1)
    usual = np.where(recent == 2, 0.4, 0.6)
    if question == "tighter cap":
        return np.where(recent > 0, 0.0, usual)
    if question == "lever" and kind:
        return np.where(recent == 2, 0.5, 0.9)
    return np.zeros(4) if question == "holdout" and held else usual


def worth(kind, recent, contact):
    return 0.1 + 0.3 * kind + contact * (0.1 + 0.15 * kind - 0.06 * recent)


def step(state, chance):
    """The distribution over histories a day later."""
    found = np.zeros(4)
    for now, (yesterday, _) in enumerate(HISTORIES):
        found[yesterday * 2] += state[now] * (1 - chance[now])
        found[yesterday * 2 + 1] += state[now] * chance[now]
    return found


def truth(question, memory):
    """By how much a customer-day brings more where the last `memory` days are the other policy's, itself included."""
    total = 0.0
    for kind, held, share in ((k, h, 0.5 * (0.2 if h else 0.8)) for k in (0, 1) for h in (0, 1)):
        before, after = chances("as played", kind, held), chances(question, kind, held)
        lived = [np.array([1.0, 0, 0, 0])]
        for _ in range(DAYS):
            lived.append(step(lived[-1], before))
        for day in range(DAYS):
            start = max(0, day - memory + 1)
            state = lived[start]
            for _ in range(start, day):
                state = step(state, after)
            total += share * (brought(state, after, kind) - brought(lived[day], before, kind)) / DAYS
    return total


def brought(state, chance, kind):
    recent = HISTORIES.sum(1)
    return state @ ((1 - chance) * worth(kind, recent, 0) + chance * worth(kind, recent, 1))


def lived(random, question, customers=300):
    """A log of the usual policy as arrays against the other, and the rewards."""
    kind, held = random.random(customers) < 0.5, random.random(customers) < 0.2
    tables = [
        np.array([[chances(which, k, h) for h in (0, 1)] for k in (0, 1)])[kind.astype(int), held.astype(int)]
        for which in ("as played", question)
    ]
    state, made, chance, reward = np.zeros(customers, int), [], [], []
    for _ in range(DAYS):
        both = [table[np.arange(customers), state] for table in tables]
        contact = (random.random(customers) < both[0]).astype(int)
        made.append(contact)
        chance.append(both)
        reward.append((random.random(customers) < worth(kind, HISTORIES[state].sum(1), contact)).astype(float))
        state = np.searchsorted([0, 1, 2, 3], HISTORIES[state][:, 0] * 2 + contact)
    action, (before, after) = np.array(made).T.ravel(), np.array(chance).transpose(1, 2, 0).reshape(2, -1)
    features = np.repeat(kind, DAYS)[:, None].astype(float)
    return weighed(np.repeat(np.arange(customers), DAYS), features, before, after, action), np.array(reward).T.ravel()


def weighed(who, features, before, after, action):
    """Rows of every day from 0 on, contacted with these probabilities as played and under the other policy."""
    n = len(who)
    at, nothing = (np.arange(n) - np.searchsorted(who, who)) * DAY, np.zeros(n, int)
    logging, target = (np.column_stack([1 - each, each]) for each in (before, after))
    log = Logbook(who, at, nothing, nothing == 0, features, nothing + features.shape[1], nothing, (None,), None)
    taken = [np.take_along_axis(table, action[:, None], 1)[:, 0] for table in (target, logging)]
    square = (target**2 / logging).sum(1)
    return Weighed(log, np.arange(n), [("a", "email")], logging, target, action, taken[0] / taken[1], square)


def test_what_paths_tell_is_asked_of_the_probabilities_not_of_what_was_drawn():
    """Nobody drew the answer that the other policy mostly would: the weights drawn are all alike, and say nothing."""
    n, follows = 300, 0.81 / 0.1 + 0.01 / 0.9
    who = np.repeat(np.arange(n // 3), 3)
    whole = weighed(who, np.zeros((n, 1)), np.full(n, 0.1), np.full(n, 0.9), np.zeros(n, int))
    last = whole.at == 2 * DAY
    ends, path = whole.ends(3 * DAY)
    assert path.square[last] == pytest.approx(follows**3)
    assert path.square[whole.at == 0] == pytest.approx(follows)
    assert path.effective == pytest.approx(3 * len(path.square) / 3 / np.mean([follows, follows**2, follows**3]))
    assert (path.begin == np.repeat(np.arange(0, n, 3), 3)).all()
    seen = overlap(ends.feedback(np.zeros(n), path.weight))
    assert seen.effective > 20 * path.effective


def test_paths_of_very_many_persons_over_a_year_are_their_own():
    """A person times a year in microseconds would overflow from about 290,000 persons on."""
    n = 600_000
    what, at = np.zeros(n, int), np.tile([0, 399 * DAY], n // 2)
    log = Logbook(np.repeat(np.arange(n // 2), 2), at, what, what == 0, np.zeros((n, 0)), what, what, (None,), None)
    whole = Weighed(log, np.arange(n), [], np.ones((n, 1)), np.ones((n, 1)), what, np.full(n, 0.5), np.ones(n))
    assert (whole.paths(DAY) == 1.0).all()
    assert np.allclose(whole.paths(400 * DAY), np.tile([1.0, 0.5], n // 2))


@pytest.mark.parametrize("memory", [1, 2, 3])
def test_the_expected_square_is_what_squares_of_weights_average_to(memory):
    random = np.random.default_rng(memory)
    whole, _ = lived(random, "holdout", customers=20_000)
    ends, path = whole.ends(memory * DAY)
    drawn = (path.weight * ends.follows) ** 2
    error = drawn.reshape(-1, DAYS).mean(1).std() / np.sqrt(20_000)
    # the states that heavy paths meet are not quite those that were met
    assert path.square.mean() == pytest.approx(drawn.mean(), abs=4 * error, rel=0.15)


def test_whose_paths_happen_to_be_heavy_is_no_effect():
    """Nothing that is done has any effect here; customers differ anyway, which where their paths began tells."""
    random, gaps = np.random.default_rng(0), []
    for _ in range(30):
        whole, _ = lived(random, "lever", customers=150)
        kind = whole.inputs[:, 0]
        reward = (random.random(len(kind)) < 0.05 + 0.9 * kind).astype(float)
        ends, path = whole.ends(3 * DAY)
        found = intervals.interval(ends.change(reward, path).difference, "cautious")
        share = path.weight * whole.follows
        gaps.append((found.value, (share * reward).sum() / share.sum() - reward.mean(), 0.0 in found))
    weighed_, plain, hits = np.array(gaps).T
    assert np.sqrt((weighed_**2).mean()) < 0.5 * np.sqrt((plain**2).mean())
    assert binomtest(int(hits.sum()), len(hits), 0.95, alternative="less").pvalue > 0.01


def test_the_fewer_terms_make_the_spread_the_wider_the_interval():
    random = np.random.default_rng(0)
    light, heavy = random.normal(size=400), np.zeros(400)
    heavy[:3] = 20.0, -20.0, 15.0
    assert intervals.degrees(light) > 300
    assert 2.0 <= intervals.degrees(heavy) < 10
    assert intervals.degrees(np.ones(5)) == 4
    for terms, least in ((light, 1.0), (heavy, 1.1)):
        usual, wide = (intervals.interval(intervals.Estimate("ips", terms), kind) for kind in ("normal", "cautious"))
        assert wide.high - wide.low >= least * (usual.high - usual.low)
        assert wide.low <= usual.low < usual.high <= wide.high


def test_days_are_followed_back_as_far_as_the_probabilities_carry():
    whole, _ = lived(np.random.default_rng(0), "holdout")
    told = [whole.ends(number * DAY)[1].effective for number in range(1, DAYS + 1)]
    assert (np.diff(told) <= 1e-9).all()
    carried = whatif._carried(whole, DAYS)
    assert carried == sum(each >= whatif.THINNEST * len(whole.rows) for each in told)
    assert 1 < carried < DAYS


@pytest.mark.slow
def test_intervals_over_customer_days_cover_as_often_as_they_say():
    """Neither less nor far more often than 95 %: 3 questions of 50 logs, for as many days as each log carries."""
    random = np.random.default_rng(2026)
    for question in ("tighter cap", "lever", "holdout"):
        hits, widths = [], []
        for _ in range(50):
            whole, reward = lived(random, question)
            memory = whatif._carried(whole, DAYS)
            ends, path = whole.ends(memory * DAY)
            found = intervals.interval(ends.change(reward, path).difference, "cautious")
            hits.append(truth(question, memory) in found)
            widths.append(found.high - found.low)
        print(f"{question}: {np.mean(hits):.2f} of 50, width {1e3 * np.mean(widths):.0f} per 1,000")
        assert binomtest(sum(hits), 50, 0.95, alternative="less").pvalue > 0.01
        assert np.mean(widths) < 0.12
