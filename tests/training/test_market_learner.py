"""What the market's learner makes of a log: rates from all signs, spreads that the log tells, who can be calmed."""

from dataclasses import replace

import numpy as np
import pytest

from features.simulate.actions import ACTION_OF, ACTIONS, TREATMENTS
from features.simulate.traits import PROFILE
from training.market import judged, moved, satisfaction
from training.market.learner import Learner, _anyway, _bought
from training.market.logbook import SOON, Logbook, logged
from training.market.moved import columns, due_slice, own_slice, priors, shared_slice
from training.market.observed import COLUMN, KNOTS, RECENT, Habit, Known
from training.market.regressions import lifts
from training.market.spreads import spread_out


@pytest.fixture(scope="module")
def played():
    return logged(1_500, "usual", 4)


def test_visits_tell_the_rate_of_buying_beside_purchases(played):
    market, _, _, book, _ = played
    habit = Habit.fit(book.features)
    told = habit.told(book.features, book.treatment, book.bought, SOON)
    here = market.state.gone[book.customer] > market.day
    true = np.log(market.traits.rate[book.customer[here]] + 1e-3)
    by_all, by_purchases = (np.corrcoef(np.log(h.rate(book.features[here]) + 1e-3), true)[0, 1] for h in (told, habit))
    assert by_all > by_purchases + 0.02
    assert told.signs[2] > 0.3  # who comes often buys often
    one = told.rate(book.features[:1])
    assert one == pytest.approx(told.rate(book.features)[:1])  # the same whoever else is asked about


def test_who_bought_too_long_ago_to_be_told_did_not_buy_just_now(played):
    features, profile = played[3].features[:400].copy(), played[3].profile[:400]
    features[:, COLUMN["tenure_inbound"]], features[:, COLUMN["lifetime_count_purchase"]] = 450.0, 3.0
    features[:, COLUMN["recency_inbound"]] = features[:, COLUMN["recency_purchase"]] = np.nan
    known = Known.of(features, profile, Habit(0.9, 45.0, 35.0, 0.4))
    assert np.exp(known.due) / known.rate == pytest.approx(np.full(400, RECENT + 0.5))
    features[:, COLUMN["tenure_inbound"]] = 300.0
    assert np.isfinite(Known.of(features, profile, Habit(0.9, 45.0, 35.0, 0.4)).due).all()


def test_a_customer_is_known_alike_whoever_else_is_asked_about(played):
    features, profile = played[3].features[:400], played[3].profile[:400]
    habit = Habit.fit(played[3].features)
    quiet = np.flatnonzero(np.nan_to_num(features[:, COLUMN["recency_inbound"]], nan=1e4) > 365.0)
    together = Known.of(features, profile, habit)
    for rows in ([0], [7, 3], quiet[:2]):  # of the quiet nobody came by any channel
        alone = Known.of(features[rows], profile[rows], habit)
        for name, column in together.__dict__.items():
            np.testing.assert_array_equal(getattr(alone, name), column[rows], err_msg=name)
    assert np.isfinite(together.share).all()
    assert sum(habit.usual) == pytest.approx(1.0)
    assert np.ptp(habit.usual) > 0.1  # the log tells which channels are theirs


def _customers(random: np.random.Generator, n: int) -> Known:
    return Known(
        rate=random.gamma(0.9, 1 / 45.0, n) + 0.001,
        basket=np.full(n, 35.0),
        due=random.normal(-0.5, 1.2, n),
        load=random.uniform(0.0, 0.8, n),
        trouble=np.zeros(n),
        said=random.uniform(-1, 1, (n, len(PROFILE))).astype(np.float32),
        share=random.normal(0, 0.5, (n, 8)),
        raw=np.zeros((n, 1)),
    )


def test_effects_that_are_noise_are_drawn_in_and_those_that_stand_out_stay():
    random, n = np.random.default_rng(0), 40_000
    known = _customers(random, n)
    alive = -random.exponential(0.5, n)
    treatment = random.integers(0, len(TREATMENTS), n)
    true = np.zeros(due_slice().stop)
    true[: len(ACTIONS)] = np.log(0.05)
    true[shared_slice()][moved.BY_CHANNEL + moved.ALIVE] = 1.0
    true[shared_slice()][moved.BY_CHANNEL + moved.LOAD] = -1.2
    true[own_slice()].reshape(len(ACTIONS), -1)[1, 0] = 1.5
    true[due_slice()].reshape(len(ACTIONS), -1)[4] = 1.0 - np.abs(KNOTS + 0.5)
    x = columns(known, alive, treatment)
    weight = np.full(n, 1 / 0.15)
    start = np.zeros(len(true))
    start[: len(ACTIONS)] = np.log(0.05)
    start[shared_slice()][moved.BY_CHANNEL + moved.ALIVE] = 1.0
    off, narrow = [], []
    for seed in range(2):
        y = np.exp(x @ true) + np.random.default_rng(seed).normal(size=n) * np.sqrt(0.15)
        free = lifts(x, y, weight, priors(len(true)), start)
        told, _ = spread_out(x, y, weight, start)
        off.append([((np.exp(x @ b) - np.exp(x @ true)) ** 2).mean() for b in (free, told)])
        narrow.append(told[own_slice()].reshape(len(ACTIONS), -1)[1, 0])
    free, told = np.mean(off, axis=0)
    assert told < 0.7 * free
    assert np.mean(narrow) > 0.9  # of 1.5


def test_effects_stay_near_the_difference_to_silence_where_what_happens_anyway_is_foretold_wrongly():
    random, n = np.random.default_rng(3), 12_000
    known = _customers(random, n)
    treatment = np.where(random.uniform(size=n) < 0.5, random.integers(0, len(TREATMENTS), n), -1)
    hit, rate = np.flatnonzero(treatment >= 0), SOON * known.rate
    effect = np.where(treatment >= 0, 0.015 * np.exp(1.5 * known.said[:, 0]), 0.0)
    nobody = np.full(n, np.nan)
    book = Logbook(
        nobody, np.arange(n), treatment, known.raw, known.said, random.poisson(rate + effect), nobody, nobody, nobody,
        nobody, nobody, np.zeros((2, 2, 1)),
    )  # fmt: skip
    overran = np.where(np.arange(n) % 40 == 0, 40.0, 1e-4) * rate  # trees that ran away, scaled back to what all bought
    for expected, right in ((rate, True), (overran * rate.sum() / overran.sum(), False)):
        assert judged.foretells(expected[treatment < 0], book.bought[treatment < 0]) == right
        alive = np.clip(np.log(expected[hit] / rate[hit]), -5.0, 0.3)
        x = columns(Known(**{k: v[hit] for k, v in known.__dict__.items()}), alive, treatment[hit])
        start = np.zeros(x.shape[1])
        start[: len(ACTIONS)] = np.log(0.05)
        start[shared_slice()][moved.BY_CHANNEL + moved.ALIVE] = 1.0
        b = _bought(book, known, expected, x, 1 / (expected[hit] + 0.05), start)
        assert (np.ptp(b[own_slice()]) > 0) == right
        assert np.exp(x @ b).mean() == pytest.approx(effect[hit].mean(), abs=0.012)


def test_what_happens_anyway_is_the_mean_where_nothing_foretells_it(played):
    book = played[3]
    known = Known.of(book.features, book.profile, Habit.fit(book.features))
    silent = book.treatment < 0
    assert np.ptp(_anyway(book, known, 0)[1]) > 0.1
    boosters, expected = _anyway(replace(book, bought=np.random.default_rng(0).permutation(book.bought)), known, 0)
    assert expected == pytest.approx(book.bought[silent].mean(), rel=0.2)
    assert np.ptp(expected) == 0.0
    assert len(boosters) == 1


def test_a_matrix_is_a_prior_as_well():
    random = np.random.default_rng(1)
    x = np.column_stack([np.ones(5_000), random.normal(size=(5_000, 2))])
    y = np.exp(x @ [-1.0, 0.5, 0.0]) + random.normal(size=len(x)) * 0.5
    weight, start, spread = np.full(len(x), 4.0), np.zeros(3), np.array([1.0, 0.05, 0.05])
    found = lifts(x, y, weight, spread, start)
    assert lifts(x, y, weight, np.diag(1 / spread**2), start) == pytest.approx(found, abs=1e-5)
    together = np.diag(1 / spread**2) + 1e6 * np.outer([0, 1, -1], [0, 1, -1])
    tied = lifts(x, y, weight, together, start)
    assert tied[1] == pytest.approx(tied[2], abs=1e-3)


def test_nobody_who_is_content_is_calmed(played):
    book = played[3]
    learner = Learner.fit(book.rows(np.flatnonzero(book.customer % 2 == 0)))
    known = learner.known(book.features[:200], book.profile[:200])
    content = replace(known, trouble=np.zeros(200))
    feels = learner.feels(content)
    by = {name: t for t, name in enumerate(TREATMENTS)}
    for channel in ("chat", "phone"):
        plain, care = by["winback_voucher" if channel == "phone" else "voucher", channel], by["loyalty_call", channel]
        np.testing.assert_allclose(feels[:, care], feels[:, plain])
    assert (feels <= 0).all()
    troubled = satisfaction.feels(np.r_[np.zeros(8), 0.2, 0.0, 0.3, 0.0], replace(known, trouble=np.ones(200)))
    assert (troubled[:, ACTION_OF[by["loyalty_call", "chat"]] == ACTION_OF] > 0.19).all()
