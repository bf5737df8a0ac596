"""The tables of a model's trees say what LightGBM says, to the last bit, whatever the trees are made of."""

import lightgbm as lgb
import numpy as np
import pytest

from serving import trees
from serving.decisions.effects import nodes

COLUMNS = 6
OWN = {4: 0, 2: 1}  # two columns come from the action: a number and a category


def learned(seed=0, rounds=30, missing="nan", **parameters):
    """A booster over four numbers (zeros and nulls among them) and two categories, one with many codes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(3_000, COLUMNS)).round(1)
    x[:, 2] = random.integers(0, 5, len(x))
    x[:, 3] = random.integers(0, 90, len(x))
    if missing != "none":
        x[random.random(x.shape) < 0.15] = np.nan if missing == "nan" else 0.0
    y = np.nansum(x, axis=1) + 3 * (np.nan_to_num(x[:, 3]) % 7) + random.normal(size=len(x)) > 10
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "max_cat_to_onehot": 4, "num_leaves": 9}
    settings |= {"zero_as_missing": missing == "zero"} | parameters
    return lgb.train(settings, lgb.Dataset(x, y.astype(int), categorical_feature=[2, 3]), rounds)


def strange(n, seed=1):
    """Rows with everything a vector can hold: nulls, zeros, halves of codes, codes never seen, the largest numbers."""
    random = np.random.default_rng(seed)
    x = random.normal(scale=2, size=(n, COLUMNS)).round(1)
    x[:, 2:4] = random.integers(-2, 100, (n, 2))
    pool = np.array([np.nan, 0.0, -0.0, 0.5, -0.5, 1e300, -1e300, 1e-40, -nodes.ZERO, 4e9, np.inf, -np.inf])
    return np.where(random.random(x.shape) < 0.4, random.choice(pool, x.shape), x)


def ours(table, rows):
    found = np.empty(len(rows))
    for i in range(len(rows)):
        out = np.zeros((1, 1))
        table.add(rows[i : i + 1], rows[i : i + 1, [4, 2]].copy(), out)
        found[i] = out[0, 0]
    return found


@pytest.mark.parametrize("missing", ["nan", "zero", "none"])
def test_every_kind_of_split_to_the_last_bit(missing):
    booster = learned(missing=missing)
    table = trees.read(booster, OWN)
    assert table is not None
    assert nodes.SET in table.node[:, nodes.KIND]
    assert len(set(table.node[:, nodes.KIND].tolist())) > 1
    asks = np.flatnonzero(table.node[:, nodes.COLUMN] < 0)
    assert 0 < len(set(np.searchsorted(table.root, asks, "right"))) < len(table.root), (
        "not every tree asks about the action"
    )
    rows = strange(2_000)
    np.testing.assert_array_equal(ours(table, rows), booster.predict(rows, raw_score=True))


@pytest.mark.parametrize("number", [0, 1, 7, nodes.SET_SIZE, 2 * nodes.SET_SIZE + 5])
def test_a_grid_is_its_cells(number):
    booster = learned(seed=3)
    table = trees.read(booster, OWN)
    rows, actions = strange(40), strange(number, seed=2)[:, [4, 2]].copy()
    out = np.zeros((40, number))
    table.add(rows, actions, out)
    for j, action in enumerate(actions):
        whole = rows.copy()
        whole[:, [4, 2]] = action
        np.testing.assert_array_equal(out[:, j], booster.predict(whole, raw_score=True))


def test_a_tree_that_never_split_is_its_only_leaf():
    booster = learned(rounds=3, min_data_in_leaf=10_000)
    table = trees.read(booster, {})
    out = np.zeros((1, 2))
    table.add(np.zeros((1, COLUMNS)), np.zeros((2, 0)), out)
    assert out.tolist() == [[booster.predict(np.zeros((1, COLUMNS)), raw_score=True)[0]] * 2]


def test_what_it_cannot_read_is_left_to_lightgbm():
    assert trees.read(learned(boosting="rf", bagging_freq=1, bagging_fraction=0.5), OWN) is None
    x = np.random.default_rng(0).normal(size=(500, COLUMNS))
    linear = lgb.train(
        {"objective": "regression", "linear_tree": True, "verbose": -1}, lgb.Dataset(x, x[:, 0] * x[:, 1]), 5
    )
    assert trees.read(linear, OWN) is None


def test_a_table_that_differs_from_lightgbm_is_not_used(monkeypatch):
    honest = trees.parse

    def wrong(text, of_action):
        found = honest(text, of_action)
        found.leaf[:] = np.nextafter(found.leaf, np.inf)
        return found

    monkeypatch.setattr(trees, "parse", wrong)
    assert trees.read(learned(), OWN) is None
