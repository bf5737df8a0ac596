"""Campaigns with known effects: strong, weak or none, several arms, chosen customers, heavy-tailed money."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.artefact import sigmoid
from training.uplift import regress


@dataclass(frozen=True)
class Table:
    """The table, and the true effect of every arm but control float64[n, arms - 1]."""

    frame: pd.DataFrame
    effect: np.ndarray

    def write(self, path):
        self.frame.to_csv(path, index=False)
        return path


def lines(inputs, outcome, binary, of):
    """In place of `nuisance.expected`: its linear half alone, in a fraction of the time."""
    weights = regress.linear(inputs, outcome, binary)
    plain = weights[0] + of @ weights[1:]
    return sigmoid(plain) if binary else plain


def table(rows=3000, effect="strong", seed=0, arms=1, chosen=False, money=False):
    """Columns age, city, joined, visits with gaps, customer_id, a treatment `arm` and an outcome `bought`."""
    rng = np.random.default_rng(seed)
    age, visits = rng.uniform(18, 80, rows), rng.poisson(3, rows).astype(float)
    city = rng.choice(["Lyon", "Turin", "Graz"], rows, p=[0.5, 0.3, 0.2])
    size = {"strong": 0.24, "weak": 0.02, "none": 0.0}[effect]
    tilt = (age - 49) / 31
    true = np.column_stack([0.08 + 0.03 * k + size * tilt * (-1) ** k for k in range(arms)])
    base = 0.3 + 0.1 * (city == "Lyon") + 0.02 * (visits - 3)
    lift = np.column_stack([np.zeros(rows), true])
    chance = np.full((rows, arms + 1), 1 / (arms + 1))
    if chosen:
        treated = 1 / (1 + np.exp(-1.2 * (visits - 3) / 1.7))
        chance = np.column_stack([1 - treated, treated])
    arm = (rng.random(rows)[:, None] > np.cumsum(chance, 1)).sum(1)
    picked = lift[np.arange(rows), arm]
    if money:
        value = 10 * rng.pareto(3, rows) * (1 + base) + 20 * picked
        true = 20 * true
    else:
        value = (rng.random(rows) < np.clip(base + picked, 0, 1)).astype(float)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{k:06d}" for k in rng.permutation(rows)],
            "age": age.round(2),
            "city": city,
            "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D"),
            "visits": np.where(rng.random(rows) < 0.1, np.nan, visits),
            "arm": np.array(["none", "mail", "call"])[arm],
            "bought": value,
        }
    )
    return Table(frame, true)
