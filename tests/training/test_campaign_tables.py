"""Campaign tables of strangers: what is read of them is what is in them."""

import numpy as np
import pandas as pd

from training.reports import table
from training.uplift import propensity
from training.uplift.sample import folds


def test_rows_of_a_long_table_stay_together_and_in_order(tmp_path):
    """Several threads read it: an arm or an outcome must not end up in another customer's row."""
    rows, path = np.arange(200_000), tmp_path / "long.parquet"
    written = pd.DataFrame({"arm": (rows % 7 % 2).astype(str), "value": rows, "bought": rows % 11, "place": rows})
    written.to_parquet(path, row_group_size=5_000)
    found = table.customers(path, "arm", "bought")
    assert found.columns.columns.tolist() == ["value", "place"]
    for read, wanted in (
        (found.place, rows),
        (found.columns["place"], rows),
        (found.arm, written["arm"]),
        (found.value, written["bought"]),
        (table.frame(path)["place"], rows),
    ):
        assert np.array_equal(read, wanted)


def test_customers_chosen_from_both_ends_are_no_random_sample():
    """Somebody wrote to the youngest and the oldest: a line through age sees nothing of it."""
    dice = np.random.default_rng(5)
    inputs = dice.uniform(-1, 1, (4_000, 3))
    chance = np.clip(inputs[:, 0] ** 2, 0.1, 0.9)
    chosen = (dice.random(4_000) < chance).astype(int)
    found = propensity.assignment(inputs, chosen, folds(chosen, 5))
    assert not found.randomised
    assert np.corrcoef(found.propensity[:, 1], chance)[0, 1] > 0.9
    drawn = dice.permutation(chosen)
    assert propensity.assignment(inputs, drawn, folds(drawn, 5)).randomised
