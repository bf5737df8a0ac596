"""Possible contacts whose effects are known: what a model expects of each, and what chance showed."""

from dataclasses import dataclass

import numpy as np

from training.reports.uplift_targeting.measure import Contacts, Expected


@dataclass(frozen=True)
class Known:
    """Contacts, and the true effect of each float64[n]."""

    contacts: Contacts
    effect: np.ndarray


def known(persons=1500, seed=0, spread=0.2, mean=0.02, noise=0.05, chance=0.4, ties=None, base=0.3):
    """Persons who could be contacted once to four times; the model expects the truth and some noise of its own.

    `spread`: standard deviation of true effects on buying; `ties` rounds what is expected to so many decimals.
    """
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), rng.integers(1, 5, persons))
    n = len(person)
    taste = rng.normal(0, 1, persons)[person]
    effect = np.clip(mean + spread * taste, -base, 1 - base)
    habit = 0.1 * np.tanh(rng.normal(0, 1, persons))[person]  # what a person does at one contact, they do at the next
    made = rng.random(n) < chance
    came = rng.random(n) < np.clip(base + habit + effect * made, 0, 1)
    predicted = mean + spread * taste + rng.normal(0, noise, n)
    if ties is not None:
        predicted = predicted.round(ties)
    weight = np.full(n, chance * (1 - chance))
    score = (made - chance) * (came - base) / weight
    expected = Expected(predicted, np.full(n, 0.01), person)
    chances = np.tile([1 - chance, chance], (n, 1))
    return Known(
        Contacts(expected, score, weight, made, ~made, chances), np.clip(base + habit + effect, 0, 1) - base - habit
    )
