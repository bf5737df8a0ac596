"""What the market's learner makes of a log: rates from all signs, spreads that the log tells, who can be calmed."""

from dataclasses import replace

import numpy as np
import pytest

from features.simulate.actions import ACTION_OF, ACTIONS, TREATMENTS
from features.simulate.traits import PROFILE
from training.market import moved, satisfaction
from training.market.learner import Learner
from training.market.logbook import SOON, logged
from training.market.moved import columns, due_slice, own_slice, priors, shared_slice
from training.market.observed import COLUMN, KNOTS, RECENT, Habit, Known
from training.market.regressions import lifts
from training.market.spreads import spread_out
from training.market.staying import Staying


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


def test_who_is_still_there_is_as_by_counting_them():
    random, n, days = np.random.default_rng(2), 300_000, 200.0
    true = Staying(shape=2.0, days=20.0, ends=1.5, lives=300.0)
    rate, life = random.gamma(true.shape, 1 / true.days, n), random.exponential(1.0, n)
    life /= random.gamma(true.ends, 1 / true.lives, n)
    until = np.minimum(life, days)
    came = random.poisson(rate * until)
    last = np.where(came > 0, until * random.beta(np.maximum(came, 1), 1.0), 0.0)  # the latest of so many
    signs = np.column_stack([came, last, days - last])
    there = np.exp(true.there(signs))
    for low in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9):
        of = (there >= low) & (there < low + 0.2)
        assert of.sum() > 1_000
        assert (life[of] > days).mean() == pytest.approx(there[of].mean(), abs=0.03)
    often, seldom = true.there(np.array([[40.0, 170.0, 30.0], [4.0, 170.0, 30.0]]))
    assert often < seldom - 0.5  # the same silence
    pick = random.choice(n, 20_000, replace=False)
    bought = random.poisson(0.3 * (life[pick] > days))
    found = Staying.fit(signs[pick], bought, np.full(len(pick), 0.3), true.shape / true.days)
    off = np.exp(found.there(signs[pick])) - there[pick]
    assert np.sqrt((off**2).mean()) < 0.06


def test_a_log_tells_who_is_still_there(played):
    market, _, _, book, _ = played
    habit = Habit.fit(book.features).told(book.features, book.treatment, book.bought, SOON)
    told = np.exp(Known.of(book.features, book.profile, habit).there)
    true = market.state.gone[book.customer] > book.day
    assert ((told - true) ** 2).mean() < 0.07  # of 0.22 if all were told alike
    assert told.mean() == pytest.approx(true.mean(), abs=0.08)


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


def test_effects_that_are_noise_are_drawn_in_and_those_that_stand_out_stay():
    random, n = np.random.default_rng(0), 40_000
    known = Known(
        rate=random.gamma(0.9, 1 / 45.0, n) + 0.001,
        basket=np.full(n, 35.0),
        due=random.normal(-0.5, 1.2, n),
        load=random.uniform(0.0, 0.8, n),
        trouble=np.zeros(n),
        said=random.uniform(-1, 1, (n, len(PROFILE))).astype(np.float32),
        share=random.normal(0, 0.5, (n, 8)),
        there=np.zeros(n),
        raw=np.zeros((n, 1)),
    )
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
    for seed in range(3):
        y = np.exp(x @ true) + np.random.default_rng(seed).normal(size=n) * np.sqrt(0.15)
        free = lifts(x, y, weight, priors(len(true)), start)
        told = spread_out(x, y, weight, start)
        off.append([((np.exp(x @ b) - np.exp(x @ true)) ** 2).mean() for b in (free, told)])
        narrow.append(told[own_slice()].reshape(len(ACTIONS), -1)[1, 0])
    free, told = np.mean(off, axis=0)
    assert told < 0.7 * free
    assert np.mean(narrow) > 0.9  # of 1.5


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
