"""The ceiling of information: guesses hold what customers are like as far as their log tells, and no further."""

from copy import deepcopy

import numpy as np
import pytest

from features.simulate.actions import TREATMENTS
from features.simulate.policy import Silent
from training.market.compare import _play
from training.market.evidence import Evidence
from training.market.guesses import Guesses, K
from training.market.logbook import logged
from training.market.players import Informed

PEOPLE = 1_200


@pytest.fixture(scope="module")
def seen():
    """A small market after its log, what was noted, the guesses; read only."""
    notes: list[Evidence] = []

    def note(market):
        notes.append(Evidence(market))
        return notes[0]

    market, ledger, contacts, _, _ = logged(PEOPLE, "usual", 4, note)
    return market, ledger, contacts, notes[0], Guesses(market.parameters, notes[0], market.day)


def mean(column):
    return column.reshape(PEOPLE, K).mean(axis=1)


def test_guesses_are_about_what_is_true(seen):
    market, _, _, evidence, guesses = seen
    here = market.traits.joins < market.day - 60
    for name, least in (
        ("rate", 0.9),
        ("basket", 0.6),
        ("price", 0.9),
        ("service", 0.9),
        ("tolerance", 0.9),
        ("dog", 0.7),
    ):
        guessed, true = mean(getattr(guesses.traits, name))[here], getattr(market.traits, name)[here]
        assert np.corrcoef(guessed, true)[0, 1] > least, name
        assert guessed.mean() == pytest.approx(true.mean(), rel=0.12), name
    _, alive = guesses._likelihood(market.day)
    there = market.state.gone[here] >= market.day
    assert alive.mean(axis=1)[here].mean() == pytest.approx(there.mean(), abs=0.03)
    assert np.mean((alive.mean(axis=1)[here] > 0.5) == there) > 0.9
    assert (alive[evidence.goodbye] == 0.0).all()


def test_loads_of_guesses_are_those_of_the_market(seen):
    market, _, _, _, guesses = seen
    here = market.state.gone >= market.day  # contacts reach those who left, too, on both sides
    now = np.exp(-(market.day - market.state.loaded) / market.parameters.memory)[:, None]
    load = (market.state.load * now)[here]
    mine = guesses.state.load.reshape(PEOPLE, K, -1)[:, 0] * now
    np.testing.assert_allclose(mine[here], load, atol=1e-4)
    felt = np.corrcoef(mean(guesses.state.dissatisfaction)[here], market.state.dissatisfaction[here])[0, 1]
    assert felt > 0.4  # a third of what goes wrong is told to nobody


def test_what_is_expected_is_the_mean_of_the_truth(seen):
    market, _, _, _, guesses = seen
    rows = np.flatnonzero(market.traits.joins < market.day)
    expected, true = guesses.expected(market.day, rows, market.state.closed), market.truth().net[rows]
    open_ = ~np.isnan(true)
    assert expected.shape == (len(rows), len(TREATMENTS))
    assert (np.isnan(expected) == ~open_).all()
    error = true[open_].std() / np.sqrt(len(rows))
    assert expected[open_].mean() == pytest.approx(true[open_].mean(), abs=4 * error)
    assert np.corrcoef(expected[open_], true[open_])[0, 1] > 0.7


def test_who_is_informed_earns_under_the_guard(seen):
    market, ledger, contacts, _, guesses = seen
    nothing = _play(market, lambda _: Silent())
    own = deepcopy(guesses)  # who plays goes on guessing
    informed = _play(market, lambda _: Informed(None, ledger, contacts, own))
    assert informed.above(nothing)[0] > 0.0
    assert 0 < informed.contacts.sum() < 5 * PEOPLE
