"""Campaign tables of strangers: what is read of them is what is in them."""

import numpy as np
import pandas as pd

from training.reports import campaign as reports
from training.reports import table
from training.uplift import propensity
from training.uplift.prepare import prepare
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
    inputs = dice.uniform(-1, 1, (2_500, 3))
    chance = np.clip(inputs[:, 0] ** 2, 0.1, 0.9)
    chosen = (dice.random(2_500) < chance).astype(int)
    found = propensity.assignment(inputs, chosen, folds(chosen, 5))
    assert not found.randomised
    assert np.corrcoef(found.propensity[:, 1], chance)[0, 1] > 0.9
    drawn = dice.permutation(chosen)
    assert propensity.assignment(inputs, drawn, folds(drawn, 5)).randomised


def campaign(rows, seed=3):
    """A table whose `spent` tells all customers apart, with nothing to find."""
    dice = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "customer_id": [f"C{k}" for k in range(rows)],
            "spent": dice.exponential(50, rows),
            "visits": dice.poisson(3, rows),
            "arm": np.where(np.arange(rows) % 2, "mail", "none"),
            "bought": (dice.random(rows) < 0.3).astype(int),
        }
    )


def prepared(frame, path):
    frame.to_csv(path, index=False)
    return prepare(path, "arm", "bought")


def test_rows_that_are_there_twice_count_once(tmp_path):
    """Else a model is judged on customers whom it learned from, and finds whom to target where there is nothing."""
    frame = campaign(500)
    thrice = pd.concat([frame] * 3).sample(frac=1, random_state=1)
    for told in (thrice, thrice.drop(columns="customer_id")):
        found = prepared(told, tmp_path / "a.csv")
        assert len(found.sample) == 500
        assert "1,000 of 1,500 rows are there before, alike in every column; each counts once." in found.notes
        assert np.array_equal(told["bought"].to_numpy()[found.place], found.sample.outcome)
    alike = frame[["visits", "arm", "bought"]]
    assert len(prepared(alike, tmp_path / "a.csv").sample) == 500, "customers may be alike"


def test_a_customers_rows_are_in_one_fold(tmp_path):
    frame = pd.concat([campaign(600, seed) for seed in (1, 2)])
    found = prepared(frame, tmp_path / "a.csv")
    folds_of = pd.Series(found.fold).groupby(frame["customer_id"].to_numpy()[found.place])
    assert folds_of.nunique().eq(1).all()
    assert np.bincount(found.fold).min() > 150
    assert "customer_id has 600 different values in 1,200 rows" in " ".join(found.notes)


def test_groups_of_planned_unequal_size_are_told_how_to_say_so(tmp_path):
    frame = campaign(2_000).assign(arm=np.where(np.arange(2_000) % 10, "mail", "none"))
    frame.to_csv(tmp_path / "a.csv", index=False)
    unplanned = reports.report(tmp_path / "a.csv", "arm", ["bought"])
    assert unplanned.alarm
    asked = "--expected-shares 'mail=0.9,none=0.1'"
    assert asked in unplanned.notes[0]
    shares = reports.parse_shares(asked.split("'")[1])
    planned = reports.report(tmp_path / "a.csv", "arm", ["bought"], shares=shares)
    assert not planned.alarm
    assert "--expected-shares" not in " ".join(planned.notes)
