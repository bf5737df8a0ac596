"""Logged decisions whose effects are known, without a workspace: persons occur several times, chances differ."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from training.persons import Persons
from training.uplift.logged.decisions import NOTHING, Decisions
from training.uplift.logged.learn import World, folds, residual
from training.uplift.logged.outcomes import Goal
from training.uplift.logged.pairs import Pairs

GOAL = Goal(("purchase",), 7)


@dataclass(frozen=True)
class Known:
    """Pairs of one action against nothing, what they are functions of, and the true effect of each."""

    pairs: Pairs
    inputs: np.ndarray
    effect: np.ndarray
    at: np.ndarray


def known(persons=300, seed=0, differs=0.1, mean=0.1):
    """Persons decided about 1 to 9 times; who buys anyway is contacted more, and what is expected of them is misjudged.

    The effect is `mean`, and `differs` more or less where the first input is above or below 0.
    """
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), rng.integers(1, 10, persons))
    n = len(person)
    own = rng.normal(size=(persons, 3))
    inputs = own[person] + 0.3 * rng.normal(size=(n, 3))
    base = 0.4 + 0.15 * np.tanh(own[person, 1]) + 0.15 * np.tanh(rng.normal(size=persons))[person]
    effect = mean + differs * np.sign(inputs[:, 0])
    chance = np.clip(0.35 + 0.25 * np.tanh(inputs[:, 1]), 0.05, 0.9)
    treated = rng.random(n) < chance
    came = (rng.random(n) < np.clip(base + effect * treated, 0, 1)).astype(float)
    expected = 0.4 + 0.1 * np.tanh(inputs[:, 1])
    pairs = Pairs(np.arange(n), person, treated, chance, came - expected)
    return Known(pairs, inputs, effect, rng.random(n))


def world(persons=1500, seed=0, strength=0.15, actions=("letter", "coupon"), channels=("email", "phone")):
    """Weekly decisions among actions on channels, with silence and ghosts; the coupon's effect follows the first input
    (`strength`), the letter's is the same for all. The true effect float64[n, treatments] comes along."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), 6)
    n = len(person)
    treatments = [(action, channel) for action in actions for channel in channels]
    inputs = np.column_stack([rng.normal(size=(persons, 4))[person], rng.normal(size=(n, 2))])
    cells = rng.dirichlet(np.full(len(treatments), 3.0), n) * 0.5
    nothing = 1 - cells.sum(1)
    true = np.zeros((n, len(treatments)))
    for k, (action, channel) in enumerate(treatments):
        level = 0.08 + 0.04 * (channel == "phone")
        true[:, k] = level + (strength * np.tanh(inputs[:, 0]) if action == "coupon" else 0.0)
    edges = np.cumsum(np.column_stack([cells, nothing]), axis=1)
    drawn = (rng.random(n)[:, None] > edges).sum(1).clip(max=len(treatments))
    drawn = np.where(drawn == len(treatments), NOTHING, drawn)
    base = 0.35 + 0.1 * np.tanh(inputs[:, 1])
    lifted = np.where(drawn >= 0, true[np.arange(n), np.maximum(drawn, 0)], 0.0)
    came = (rng.random(n) < np.clip(base + lifted, 0, 1)).astype(float)
    everything = np.column_stack([cells, nothing])
    log = Decisions(
        treatments=treatments,
        customer=np.array([f"c{one}" for one in person], object),
        person=person,
        at=np.tile(np.arange(6), persons) * 10,
        drawn=drawn,
        row=np.repeat(np.arange(n), len(treatments) + 1),
        cell=np.tile([*range(len(treatments)), NOTHING], n),
        chance=everything.ravel(),
        logged=pa.table({"features": [None] * n, "catalogue_version": [None] * n}),
        persons=Persons(np.arange(persons).astype(object)),
        known_until=1000,
    )
    fold = folds(person)
    earlier = log.at + GOAL.window <= 40
    names = list(actions)
    return World(
        log, inputs, dict.fromkeys(names, GOAL), dict.fromkeys(names, "news"), dict.fromkeys(names, 0.2),
        {GOAL: came}, {GOAL: np.ones(n, bool)}, {GOAL: residual(inputs, came, fold, earlier)}, fold,
    ), true, earlier, log.at >= 40  # fmt: skip
