"""The compiled scorer against a plain reading of the artefact's definition, and one row against many."""

import json

import lightgbm as lgb
import numpy as np
import pytest

from features.workspace import WorkspaceError
from serving import trees
from serving.scorer import Encoded, Scorer

NAMES = ["unused", "recency", "money", "last_channel"]
LEVELS = {"unused": None, "recency": None, "money": None, "last_channel": ("web", "store", "fax")}
ACTIONS = [
    {"action_name": "coupon", "action_value": 5.0},
    {"action_name": "never_seen", "action_value": None},
    {"action_name": None, "action_value": 0.0},
]


def artefact(**changes):
    content = {
        "format": 1,
        "kind": "propensity",
        "features": ["recency", "money", "last_channel", "action_name", "action_value"],
        "action_features": ["action_name", "action_value"],
        "categories": {
            "last_channel": {"codes": {"web": 0, "store": 1}, "other": 2},
            "action_name": {"codes": {"coupon": 0, "call": 1}, "other": None},
        },
        "linear": {
            "intercept": -0.4,
            "terms": [
                {"feature": "recency", "transform": "log1p", "knots": [0, 1, 4], "values": [0.5, 0.1, -2], "null": 0.7},
                {"feature": "money", "transform": "identity", "knots": [-3, 9], "values": [-1, 2], "null": -0.2},
                {"feature": "last_channel", "levels": {"store": 0.3, "fax": 0.9}, "other": -0.1, "null": 0.05},
                {"feature": "action_name", "levels": {"coupon": 0.2}, "other": -0.6, "null": 0.0},
            ],
        },
        "link": {"intercept": 0.1, "linear": 0.8, "booster": 0.5},
        "horizon_days": 28,
        "catalogue_version": "abc",
        "base_rate": 0.2,
        "mlflow_run_id": "run",
        "trained_at": "2026-01-01T00:00:00Z",
    }
    return content | changes


@pytest.fixture(scope="module")
def booster():
    random = np.random.default_rng(1)
    x = np.column_stack(
        [random.normal(size=(3000, 2)), random.integers(0, 3, (3000, 2)), random.normal(size=3000)]
    ).astype(float)
    x[random.random(x.shape) < 0.1] = np.nan
    y = (np.nansum(x, axis=1) + random.normal(size=3000) > 2).astype(int)
    data = lgb.Dataset(x, y, feature_name=artefact()["features"], categorical_feature=["last_channel", "action_name"])
    return lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 7}, data, 20)


def by_definition(content, booster, row, action):
    """p of one row, read off training/artefact.py word by word."""
    raw = dict(zip(NAMES, row, strict=True)) | action
    level = raw["last_channel"]
    raw["last_channel"] = None if np.isnan(level) else LEVELS["last_channel"][int(level)]
    x = []
    for name in content["features"]:
        value = raw.get(name)
        if name in content["categories"] and value is not None:
            category = content["categories"][name]
            value = category["codes"].get(value, category["other"])
        x.append(np.nan if value is None else float(value))
    linear = content["linear"]["intercept"]
    for term in content["linear"]["terms"]:
        value = raw.get(term["feature"])
        if value is None or (isinstance(value, float) and np.isnan(value)):
            linear += term["null"]
        elif "levels" in term:
            linear += term["levels"].get(value, term["other"])
        else:
            g = np.sign(value) * np.log1p(abs(value)) if term["transform"] == "log1p" else value
            linear += np.interp(g, term["knots"], term["values"])
    link = content["link"]
    score = link["intercept"] + link["linear"] * linear
    score += link["booster"] * booster.predict([x], raw_score=True)[0]
    return 1 / (1 + np.exp(-score))


def rows(n):
    random = np.random.default_rng(7)
    values = random.normal(scale=30, size=(n, 4))
    values[:, 3] = random.integers(0, 3, n)
    values[random.random((n, 4)) < 0.2] = np.nan
    return values


def test_it_is_what_the_artefact_says(booster):
    scorer = Scorer(artefact(), booster, NAMES, LEVELS)
    values = rows(400)
    for action in ACTIONS:
        expected = [by_definition(artefact(), booster, row, action) for row in values]
        np.testing.assert_allclose(scorer.customers(values, action), expected, rtol=1e-12)


def test_one_row_and_many_give_the_same_to_the_last_bit(booster):
    scorer = Scorer(artefact(), booster, NAMES, LEVELS)
    values = rows(300)
    many = np.column_stack([scorer.customers(values, action, threads=2) for action in ACTIONS])
    one = np.array([scorer.actions(row, ACTIONS) for row in values])
    assert (many == one).all()
    assert scorer.actions(values[0], []).shape == (0,)


def test_a_model_that_lightgbm_itself_is_asked_about_gives_the_same_to_the_last_bit(booster, monkeypatch):
    values = rows(50)
    ours = Scorer(artefact(), booster, NAMES, LEVELS)
    monkeypatch.setattr(trees, "read", lambda *_: None)
    theirs = Scorer(artefact(), booster, NAMES, LEVELS)
    for action in ACTIONS:
        assert theirs.customers(values, action).tolist() == ours.customers(values, action).tolist()


def test_a_habit_may_be_the_customers_or_in_part_the_actions():
    """Only so are columns of both in one term."""
    names = ["active_days", "recency", "tenure"]
    habit = {
        "habit": {name: name for name in names} | {"span": 90.0},
        "horizon": 28.0, "r": 0.5, "alpha": 9.0, "a": 0.8, "b": 2.5, "weight": 1.0, "null": 0.3,
    }  # fmt: skip
    content = artefact(
        features=names, categories={}, linear={"intercept": 0.1, "terms": [habit]},
        link={"intercept": 0.0, "linear": 1.0, "booster": 0.0},
    )  # fmt: skip
    of_both = Scorer(content | {"action_features": ["tenure"]}, None, names, dict.fromkeys(names))
    of_customer = Scorer(content | {"action_features": []}, None, names, dict.fromkeys(names))
    values = np.array([[3.0, 12.0, 80.0], [1.0, 0.0, 5.0], [np.nan, 3.0, 9.0], [9.0, 2.0, 300.0]])
    expected = of_customer.customers(values)
    assert len(set(expected.tolist())) == 4
    found = of_both.grid(values, Encoded.stacked([of_both.encode({"tenure": row[2]}) for row in values]))
    assert np.diag(found).tolist() == expected.tolist()


def test_known_actions_are_rows_of_a_table_that_grows(booster):
    scorer = Scorer(artefact(), booster, NAMES, LEVELS)
    values = rows(3)
    for name, action in enumerate(ACTIONS):
        assert name not in scorer.known.rows
        scorer.known.add(name, action, scorer.encode(action))
        assert scorer.known.rows[name] == name
    which = np.array([2, 0, 2])
    found = scorer.picked(values, scorer.known.table, which)
    assert found.tolist() == scorer.grid(values, Encoded.stacked([scorer.encode(ACTIONS[k]) for k in which])).tolist()


def test_it_is_read_from_a_folder_and_a_booster_without_weight_is_not_asked(booster, tmp_path):
    content = artefact(link={"intercept": 0.0, "linear": 1.0, "booster": 0.0})
    (tmp_path / "scorer.json").write_text(json.dumps(content))
    booster.save_model(str(tmp_path / "model.txt"))
    scorer = Scorer.load(tmp_path, NAMES, LEVELS)
    values = rows(20)
    expected = [by_definition(content, booster, row, ACTIONS[0]) for row in values]
    np.testing.assert_allclose(scorer.customers(values, ACTIONS[0]), expected, rtol=1e-12)
    assert scorer.horizon_days == 28


def test_extreme_values_stay_probabilities(booster):
    scorer = Scorer(artefact(), booster, NAMES, LEVELS)
    values = np.array([[0, 1e300, -1e300, 2], [0, -1e300, 1e300, 0], [np.nan] * 4])
    p = scorer.customers(values, ACTIONS[1])
    assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.parametrize(
    ("changes", "names", "text"),
    [
        ({"format": 2}, NAMES, "retrain"),
        ({}, ["recency"], "no longer has.*last_channel|no longer has.*money"),
        ({"features": ["money", "recency", "last_channel", "action_name", "action_value"]}, NAMES, "another order"),
        ({"categories": {}}, NAMES, "as a number and as a category"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(booster, changes, names, text):
    with pytest.raises(WorkspaceError, match=text):
        Scorer(artefact(**changes), booster, names, LEVELS)


def test_a_damaged_folder_is_one_clear_line(tmp_path):
    (tmp_path / "scorer.json").write_text("{")
    with pytest.raises(WorkspaceError, match="cannot be read"):
        Scorer.load(tmp_path, NAMES, LEVELS)
