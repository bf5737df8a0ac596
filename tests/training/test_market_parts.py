"""The parts of the market table: features, regressions, effects in arrays, the guard under which policies play."""

from itertools import pairwise

import numpy as np
import pytest
from typer.testing import CliRunner

import tactful
from features import batch, clock
from features.simulate import events as ev
from features.simulate.actions import ACTION_OF, ACTIONS, TREATMENTS
from features.simulate.events import together
from features.simulate.log import customer_ids, interactions
from features.simulate.market import Market
from features.simulate.policy import SILENCE, Uniform
from features.workspace import Settings
from training.market import moved
from training.market.catalogue import CATALOGUE
from training.market.compare import Row, told
from training.market.contacts import Made
from training.market.learner import Learner
from training.market.ledger import Ledger
from training.market.logbook import EVERY, FULL, SOON, logged, thinned
from training.market.observed import KNOTS, Habit, Known, hats
from training.market.players import Guarded, board
from training.market.regressions import lifts, line, rates


@pytest.fixture(scope="module")
def played():
    """A small market after its log, and what was noted of it."""
    return logged(1_500, "usual", 3)


def test_features_of_the_ledger_are_those_of_batch():
    market, parts = Market(300, "usual", 1), []
    ledger = Ledger(300, 7, market.start)

    def lived(day):
        ledger.add(day.news, day.view.day)
        parts.append(day.news)

    market.run(40, None, lived)
    ledger.features(3, market.start + market.day * clock.DAY)  # some settle before, the others with what comes
    market.run(40, Uniform(0.9, 7), lived)
    now = market.start + market.day * clock.DAY
    table = interactions(together(parts), market.start)
    for cohort in (0, 3):
        names = customer_ids(ledger.members(cohort)).to_pylist()
        found = batch.compute_at(table, names, np.full(len(names), now), CATALOGUE, Settings(), workers=1)
        np.testing.assert_array_equal(ledger.features(cohort, now), found.values)
    mixed = np.array([299, 3, 0, 7, 10, 150])
    each = [ledger.features(i % 7, now)[i // 7] for i in mixed]
    np.testing.assert_array_equal(ledger.features_of(mixed, now), each)


def test_a_day_is_added_once_and_a_copy_goes_its_own_way():
    market, ledger = Market(200, "usual", 1), Ledger(200, 7, Market(1).start)
    market.run(30, None, lambda day: [ledger.add(day.news, day.view.day) for _ in range(2)])
    now, copy = market.start + market.day * clock.DAY, ledger.copy()
    before = ledger.features(2, now)
    market.run(30, None, lambda day: copy.add(day.news, day.view.day))
    np.testing.assert_array_equal(ledger.features(2, now), before)
    count = CATALOGUE.names.index("count_inbound_90d")
    assert before[:, count].sum() < copy.features(2, now + 30 * clock.DAY)[:, count].sum()


def test_outcomes_of_the_log_are_what_happened():
    market, _, _, book, decisions = logged(400, "usual", 5)
    assert len(book) < decisions  # the last week has no outcomes yet
    again, bought = Market(400, "usual", 5), []
    again.run(365)
    again.play(Uniform(0.5, EVERY, 5), 60, sink=lambda day: bought.append(day.news))
    news = together(bought)
    purchases = news.rows(news.kind == ev.PURCHASE)
    for k in range(0, len(book), 97):
        mine = purchases.day[purchases.customer == book.customer[k]]
        within = [np.sum((mine >= book.day[k]) & (mine < book.day[k] + days)) for days in (SOON, FULL)]
        assert book.bought[k] == within[0]
        assert np.isnan(book.in_full[k]) == (book.day[k] + FULL > market.day)
        assert np.isnan(book.in_full[k]) or book.in_full[k] == within[1]
    assert set(thinned(book).treatment[thinned(book).treatment >= 0]) == set(range(len(TREATMENTS)))


def test_regressions_recover_what_made_the_data():
    random = np.random.default_rng(0)
    x = np.column_stack([np.ones(20_000), random.normal(size=(20_000, 2))])
    b, wide = np.array([-1.0, 0.5, 0.0]), np.full(3, 10.0)
    y = np.exp(x @ b) + random.normal(size=len(x)) * 0.5
    assert lifts(x, y, np.full(len(x), 4.0), wide, np.zeros(3)) == pytest.approx(b, abs=0.05)
    count = random.poisson(2.0 * np.exp(x @ b)).astype(float)
    assert rates(x, count, np.full(len(x), 2.0), wide, np.zeros(3)) == pytest.approx(b, abs=0.05)
    assert line(x, x @ b, np.ones(len(x)), wide) == pytest.approx(b, abs=1e-3)
    tight = lifts(x, y, np.full(len(x), 4.0), np.array([10.0, 1e-4, 1e-4]), np.zeros(3))
    assert abs(tight[1]) < 0.01  # a narrow prior holds


def test_habits_are_those_that_drew_the_customers(played):
    market, _, _, book, _ = played
    habit = Habit.fit(book.features)
    assert 0.5 < habit.shape < 1.6  # .9 in the market, of whom some have left
    known = Known.of(book.features, book.profile, habit)
    assert np.corrcoef(known.rate, market.traits.rate[book.customer])[0, 1] > 0.8
    assert np.corrcoef(known.basket, market.traits.basket[book.customer])[0, 1] > 0.5
    rows = hats(np.linspace(-9, 9, 50), KNOTS)
    assert rows.sum(axis=1) == pytest.approx(np.ones(50))


def test_effects_in_arrays_are_the_columns_that_were_fitted(played):
    book, random = played[3].rows(np.arange(40)), np.random.default_rng(1)
    known = Known.of(book.features, book.profile, Habit(0.9, 45.0, 35.0, 0.4))
    alive = random.normal(size=40) * 0.1
    b = random.normal(size=moved.due_slice().stop) * 0.2
    found = moved.lift(b, known, alive)
    for t in range(len(TREATMENTS)):
        x = moved.columns(known, alive, np.full(40, t, np.int64))
        assert found[:, t] == pytest.approx(np.exp(x @ b), rel=1e-4)
    assert moved.due_slice().stop == x.shape[1]
    assert len(ACTIONS) == len(set(ACTION_OF))


def test_a_learned_policy_keeps_the_guards_rules(played):
    market, ledger, contacts, book, _ = played
    learner = Learner.fit(book)
    worth = learner.worth(learner.known(book.features, book.profile))
    assert np.isfinite(worth.gain).all()
    assert (worth.price >= 0).all()
    assert ((worth.objects > 0) & (worth.objects <= 0.5)).all()

    class Eager(Guarded):
        def worth(self, known):
            return np.full((len(known.rate), len(TREATMENTS)), 9.0), np.zeros((len(known.rate), len(TREATMENTS)))

    noted, copy = contacts.copy(), market.copy()
    days = []
    copy.play(Eager(learner, ledger, contacts), 42, sink=days.append)
    made = sum(int((day.made >= 0).sum()) for day in days)
    assert made > 500
    rule = board(True).playbook.policy.pressure
    weights = np.array([rule.weight(channel) for _, channel in TREATMENTS])
    pressure = np.zeros(len(market))
    noted._settle()
    owner = np.repeat(np.arange(len(market)), np.diff(noted.start))
    decay = 0.5 ** ((market.day - noted.days - 1 / 24) / 54.0)
    np.add.at(pressure, owner, weights[noted.treatments] * decay)
    for day in days:
        chosen = np.flatnonzero(day.choice.treatment != SILENCE)
        assert (pressure[chosen] + weights[day.choice.treatment[chosen]] <= rule.limit + 1e-6).all()
        assert (day.made[chosen] == day.choice.treatment[chosen]).all()  # none on a channel that is closed
        pressure[chosen] += weights[day.made[chosen]]
        pressure *= 0.5 ** (1 / 54.0)


def test_whom_trouble_befell_is_decided_about_the_morning_after(played):
    market, ledger, contacts, _, _ = played
    asked = {}

    class Noting(Guarded):
        def gains(self, view, rows, features):  # noqa: ARG002
            asked[view.day] = rows
            return np.zeros((len(rows), len(TREATMENTS))), np.zeros((len(rows), len(TREATMENTS)))

    class Weekly(Noting):
        prompt = False

    days, everybody, between = [], np.arange(len(market)), 0
    market.copy().play(Noting(None, ledger, contacts), 30, sink=days.append)
    for before, day in pairwise(days):
        kinds = np.isin(before.news.kind, (ev.COMPLAINT, ev.CASE_OPENED))
        troubled = np.isin(everybody, before.news.customer[kinds])
        turn = (everybody + day.view.day) % EVERY == 0
        assert asked[day.view.day].tolist() == np.flatnonzero((turn | troubled) & day.view.known).tolist()
        between += int((troubled & ~turn).sum())
    assert between > 10
    asked.clear()
    market.copy().play(Weekly(None, ledger, contacts), 8, sink=lambda _: None)
    assert all(((rows + day) % EVERY == 0).all() for day, rows in asked.items())


def test_contacts_that_count_are_each_customers_own():
    made = Made(3)
    news = ev.room(4)
    news.customer[:], news.kind[:], news.treatment[:], news.day[:] = [2, 0, 2, 1], ev.CONTACT, [1, 2, 3, 4], 5
    made.add(news, 5)
    made.add(news, 5)
    found = made.of(np.array([0, 2]), board(True), 0)
    assert found.start.tolist() == [0, 1, 3]
    assert found.at.tolist() == [5 * clock.DAY + 10 * clock.HOUR] * 3


def test_the_table_tells_intervals_over_seeds():
    rows = [
        Row("usual", seed, name, above, 0.1, above / 4.0, 100, objected, 0, 5)
        for seed in (1, 2)
        for name, above, objected in (
            ("propensity-first", -1.0, 40), ("uplift with guard", 2.0 + seed, 10), ("best on observables", 4.0, 10),
        )
    ]  # fmt: skip
    text = told(rows)
    assert "3.500 +- 6.353" in text  # Student's t with one degree of freedom
    assert "of the best on observables: 88%" in text
    assert "spared against propensity-first at the same contacts: 75% +- 0%" in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--settings", "usual,odd"], "there is no setting 'odd'"),
        (["--out", "/nowhere/at/all.json"], "there is no folder"),
    ],
)
def test_what_cannot_be_compared_is_one_line(given, said):
    found = CliRunner().invoke(tactful.app, ["market", "compare", *given])
    assert found.exit_code == 2
    assert said in found.output.replace("\n", " ")
