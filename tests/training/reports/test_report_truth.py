"""Intervals against known truths, 2,000 replications each: how often they hold it, and how often they cry wolf.

Money is as customers spend it: most spend nothing, some spend much, and who spent before spends again. Replications run
side by side in arrays; that the arrays' sums are those of the code under test is asserted on some of them.
"""

import numpy as np
import pytest
import scipy.stats

from training.reports import always_valid, statistics
from training.reports.always_valid import reach
from training.reports.statistics import Known, Sample
from training.reports.uplift.clustered import Design

REPLICATIONS, LOOKS = 2000, 40
pytestmark = pytest.mark.slow


def honest(covered):
    """A binomial test does not reject 95 %."""
    return scipy.stats.binomtest(int(covered), REPLICATIONS, 0.95).pvalue > 0.01


def surely(covered):
    """At least 95 % less two standard errors of that share."""
    return covered / REPLICATIONS >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / REPLICATIONS)


def spending(rng, shape):
    """(before, after): money in two months by customers of lasting habits."""
    habit, basket = rng.beta(0.4, 0.9, shape), rng.lognormal(3, 0.6, shape)
    return (rng.random(shape) < habit) * basket, (rng.random(shape) < habit) * basket * rng.uniform(0.7, 1.3, shape)


def test_with_what_was_known_before_usual_intervals_hold_the_truth_and_are_narrower():
    rng = np.random.default_rng(1)
    sizes, more = (400, 1600), 5.0
    covered, plainly, narrower = 0, 0, []
    for _ in range(REPLICATIONS):
        groups = [spending(rng, size) for size in sizes]
        samples = [Sample.of(after + more * k) for k, (_, after) in enumerate(groups)]
        known = tuple(Known.of(before, after) for before, after in groups)
        found = statistics.compare(*statistics.adjusted(*samples, known))
        covered += found.low <= more <= found.high
        plain = statistics.compare(*samples)
        plainly += plain.low <= more <= plain.high
        narrower.append((found.high - found.low) / (plain.high - plain.low))
    assert honest(covered)
    assert honest(plainly)
    assert np.median(narrower) < 0.9


def ghosts(rng, customers=300, each=5, effects=(3.0, 6.0), cells=REPLICATIONS):
    """Drawn contacts in as many cells as replications: two times with another share withheld, and other customers.

    In the second time more is withheld and customers spend more, so that unweighted means would be wrong. Returns the
    columns, what was known before, and the effect for each contact made.
    """
    shape = (cells, customers, each)
    person = np.broadcast_to(np.arange(customers)[None, :, None], shape)
    late = np.broadcast_to(np.arange(each) >= each // 2, shape)
    chance = np.where(late, 0.7, 0.9)
    made = rng.random(shape) < chance
    habit = rng.gamma(2.0, 5.0, (cells, customers, 1))
    outcome = rng.poisson(habit * np.where(late, 1.5, 1.0)) + np.where(made, np.where(late, effects[1], effects[0]), 0)
    before = np.broadcast_to(rng.poisson(habit), shape)
    cell = np.broadcast_to(np.arange(cells)[:, None, None], shape)
    counts = np.array([(~late[0] * 0.9).sum(), (late[0] * 0.7).sum()])
    flat = [np.ascontiguousarray(column).ravel() for column in (cell, person, made, chance)]
    truth = float(counts @ np.array(effects) / counts.sum())
    return Design.of(*flat, cells), outcome.ravel().astype(float), before.ravel().astype(float), truth


def test_ghosts_weighted_by_logged_probability_hold_the_truth_with_and_without_history():
    design, outcome, before, truth = ghosts(np.random.default_rng(2))
    plain, known = design.compare(outcome), design.compare(outcome, before)
    for found in (plain, known):
        assert honest(sum(one.effect.low <= truth <= one.effect.high for one in found))
    widths = [np.median([one.effect.high - one.effect.low for one in found]) for found in (plain, known)]
    assert widths[1] < 0.9 * widths[0]
    unweighted = design.compare(outcome)[0].treated.mean - outcome[(design.cell == 0) & ~design.treated].mean()
    bias = np.mean([one.effect.difference for one in plain]) - truth
    assert abs(bias) < 0.1 < abs(unweighted - truth)


def looked_at_daily(values, held, known=None):
    """(difference, error) [replications, looks] of customers who came day by day: values [r, looks, a day]."""
    sums = [
        {
            name: np.cumsum(np.where(mine, each, 0.0).sum(axis=2), axis=1)
            for name, each in (("n", 1.0), ("y", values), ("yy", values**2), *_moments(values, known))
        }
        for mine in (held, ~held)
    ]
    theta = _theta(sums) if known is not None else 0.0
    means, errors = [], []
    for group in sums:
        n = np.maximum(group["n"], 2)  # before that nobody looks
        y = group["y"] / n
        x = group["x"] / n if known is not None else 0.0
        variance = group["yy"] / n - y**2
        if known is not None:
            variance = variance - 2 * theta * (group["xy"] / n - x * y) + theta**2 * (group["xx"] / n - x**2)
        means.append(y - theta * x)
        errors.append(variance / (n - 1))
    return means[1] - means[0], np.sqrt(errors[0] + errors[1]), sums[0]["n"]


def _moments(values, known):
    return [] if known is None else [("x", known), ("xx", known**2), ("xy", known * values)]


def _theta(sums):
    n, x, y, xx, xy = (sums[0][name] + sums[1][name] for name in ("n", "x", "y", "xx", "xy"))
    return (xy / n - x * y / n**2) / (xx / n - x**2 / n**2)


@pytest.mark.parametrize("history", [False, True])
@pytest.mark.parametrize("effect", [0.0, 1.5])
def test_intervals_looked_at_daily_hold_the_truth_and_alarm_seldom(history, effect):
    """A tenth is held out; from the first day on which groups are no longer too small, a look each day."""
    rng = np.random.default_rng(3)
    shape = (REPLICATIONS, LOOKS, 60)
    before, after = spending(rng, shape)
    held = rng.random(shape) < 0.1
    values = after + np.where(held, 0.0, effect)
    difference, error, smaller = looked_at_daily(values, held, before if history else None)
    plain = (values[0][held[0]], values[0][~held[0]])
    samples = [Sample.of(group) for group in plain]
    if history:
        known = tuple(Known.of(before[0][mine], values[0][mine]) for mine in (held[0], ~held[0]))
        samples = statistics.adjusted(*samples, known)
    assert difference[0, -1] == pytest.approx(statistics.compare(*samples).difference, rel=1e-9)

    progress = np.arange(1, LOOKS + 1) / LOOKS
    half = reach(progress) * error
    looked = smaller >= statistics.SMALLEST_ARM
    holds = (np.abs(difference - effect) <= half) | ~looked
    assert surely(holds.all(axis=1).sum())
    # stopped at the first day that seems to show something, else at the end
    shown = (np.abs(difference) > half) & looked
    stop = np.where(shown.any(axis=1), shown.argmax(axis=1), LOOKS - 1)
    assert surely(holds[np.arange(REPLICATIONS), stop].sum())
    usual = np.abs(difference) > 1.96 * error
    if effect == 0.0:
        assert shown.any(axis=1).mean() <= 0.05
        assert (usual & looked).any(axis=1).mean() > 0.15  # what looking daily does to the usual interval
    else:
        assert shown.any(axis=1).mean() > 0.05


@pytest.mark.parametrize("history", [False, True])
def test_ghosts_looked_at_daily_hold_the_truth_and_alarm_seldom(history):
    """Customers are drawn again and again, the share withheld changes half way: clustered, weighted, every day."""
    rng = np.random.default_rng(5)
    customers, effect = 250, 0.0
    habit = rng.gamma(2.0, 5.0, (REPLICATIONS, customers))
    before = rng.poisson(habit).astype(float) if history else np.zeros((REPLICATIONS, customers))
    sums = {name: np.zeros((REPLICATIONS, customers)) for name in ("w1", "y1", "w0", "y0", "n", "y")}
    count, held, shown, rows = np.zeros(REPLICATIONS), np.ones(REPLICATIONS, bool), np.zeros(REPLICATIONS, bool), []
    for day in range(1, LOOKS + 1):
        chance = 0.9 if day <= LOOKS // 2 else 0.7
        drawn, made = rng.random(habit.shape) < 0.2, rng.random(habit.shape) < chance
        outcome = rng.poisson(habit).astype(float)
        weight = np.where(made, 1.0, chance / (1 - chance)) * drawn
        for one, mine in (("1", made), ("0", ~made)):
            sums[f"w{one}"] += weight * mine
            sums[f"y{one}"] += weight * mine * outcome
        sums["n"] += drawn
        sums["y"] += drawn * outcome
        count += (drawn & ~made).sum(axis=1)
        who = np.flatnonzero(drawn[0])
        rows += [(k, made[0, k], chance, outcome[0, k], before[0, k]) for k in who]
        difference, error = _clustered(sums, before, history)
        looked = count >= statistics.SMALLEST_ARM
        half = reach(day / LOOKS) * error
        held &= (np.abs(difference - effect) <= half) | ~looked
        shown |= (np.abs(difference) > half) & looked
    person, made, chance, outcome, known = (np.array(column) for column in zip(*rows, strict=True))
    design = Design.of(np.zeros(len(person), int), person.astype(int), made.astype(bool), chance, 1)
    (one,) = design.compare(outcome, known if history else None)
    assert difference[0] == pytest.approx(one.effect.difference, rel=1e-9)
    assert error[0] == pytest.approx(one.error, rel=0.02)
    assert surely(held.sum())
    assert shown.mean() <= 0.05


def _clustered(sums, before, history):
    """The weighted difference and its error by customer, all replications at once."""
    theta = np.zeros(len(before))
    if history:
        n, x, y = sums["n"].sum(1), (sums["n"] * before).sum(1), sums["y"].sum(1)
        xy, xx = (sums["y"] * before).sum(1), (sums["n"] * before**2).sum(1)
        theta = (xy / n - x * y / n**2) / (xx / n - x**2 / n**2)
    scores, means = [], []
    for one in "10":
        weight = sums[f"w{one}"]
        total = np.maximum(weight.sum(axis=1), 1e-9)
        rest = sums[f"y{one}"] - theta[:, None] * before * weight
        mean = rest.sum(axis=1) / total
        means.append(mean)
        scores.append((rest - mean[:, None] * weight) / total[:, None])
    return means[0] - means[1], np.sqrt(((scores[0] - scores[1]) ** 2).sum(axis=1))


def test_a_month_watched_day_by_day_alarms_seldom():
    """The same customers every day, each with lasting habits: what the overview looks at as the month goes on."""
    rng = np.random.default_rng(6)
    customers, days = 500, 30
    rate = rng.gamma(0.7, 0.1, (REPLICATIONS, customers))
    held = rng.random(rate.shape) < 0.15
    bought, shown = np.zeros(rate.shape), np.zeros(REPLICATIONS, bool)
    for day in range(1, days + 1):
        bought += rng.poisson(rate)
        means, errors = [], []
        for mine in (held, ~held):
            n = mine.sum(axis=1)
            mean = (bought * mine).sum(axis=1) / n
            variance = ((bought - mean[:, None]) ** 2 * mine).sum(axis=1) / (n - 1)
            means.append(mean)
            errors.append(variance / n)
        half = reach(day / days) * np.sqrt(errors[0] + errors[1])
        shown |= np.abs(means[1] - means[0]) > half
    assert shown.mean() <= 0.05


def test_the_bound_is_valid_long_after_the_plan_and_p_values_say_the_same():
    """Brownian motion to ten times the plan; a p-value below 5 % is the interval leaving out nothing."""
    rng = np.random.default_rng(7)
    steps, tail = 1000, 10
    progress = np.arange(1, steps * tail + 1) / steps
    alarms = 0
    for _ in range(REPLICATIONS):
        z = np.cumsum(rng.standard_normal(len(progress))) / np.sqrt(np.arange(1, len(progress) + 1))
        outside = np.abs(z) > reach(progress)
        alarms += outside.any()
        k = int(np.argmax(np.abs(z)))
        p = always_valid.p_value(float(z[k]), float(progress[k]))
        assert (p < always_valid.LEVEL) == bool(outside[k])
    assert alarms / REPLICATIONS <= 0.05
