"""Selections, the fitted model, and its translation for the service: equal on thousands of odd rows."""

import numpy as np
import pandas as pd
import pytest
import simulated
from few_trees import few_trees

from features.catalogue import DEFAULT
from features.clock import DAY
from features.vocabulary import Vocabulary
from features.workspace import Settings
from serving.scorer import Scorer
from training import artefact, level, pipeline
from training.artefact import sigmoid
from training.dataset import Dataset, Part, plain
from training.model import HabitTrees
from training.train import fit
from training.windows import Windows

SETTINGS = Settings.model_validate({"churn": {"horizon_days": 30}})
LABELS = DEFAULT.compile(Vocabulary(), SETTINGS).levels


@pytest.fixture(scope="module")
def churn():
    with few_trees():
        return fit("churn", simulated.table(*simulated.habitual(700)), SETTINGS)


@pytest.fixture(scope="module")
def propensity():
    with few_trees():
        return fit("propensity", simulated.coupons(), SETTINGS, {})


def reload(fitted, folder):
    """The artefact as the service reads it."""
    scorer = pipeline.scorer(fitted.pipeline, fitted.dataset, "run", "2026-01-01T00:00:00Z")
    artefact.write(folder, scorer, fitted.pipeline[-1].booster)
    levels = {name: LABELS.get(name) for name in DEFAULT.names}
    return Scorer.load(folder, DEFAULT.names, levels), levels


def odd_rows(frame, count, seed):
    """Rows of the frame with values exchanged between rows, nulls, extremes and unseen labels put in."""
    random = np.random.default_rng(seed)
    frame = frame.iloc[random.integers(0, len(frame), count)].reset_index(drop=True)
    for name in frame.columns:
        column = frame[name].to_numpy(copy=True)
        swapped = random.random(count) < 0.3
        column[swapped] = random.permutation(column)[swapped]
        column[random.random(count) < 0.1] = np.nan
        strange = random.random(count) < 0.05
        if column.dtype == object:
            column[strange] = random.choice(np.array(LABELS.get(name, ("never seen",)), object), strange.sum())
        else:
            column[strange] = random.choice([-1.0, 0.0, 1e9], count)[strange]
        frame[name] = column
    return plain(frame)


def vectors(frame, levels):
    """float64[n, catalogue]: what the kernel would have said."""
    columns = []
    for name in DEFAULT.names:
        column = frame[name]
        if levels[name] is not None:
            column = column.map(lambda label, known=levels[name]: known.index(label) if label == label else np.nan)
        columns.append(column.to_numpy(np.float64))
    return np.column_stack(columns)


def test_the_service_scores_churn_as_the_pipeline_does(churn, tmp_path):
    compiled, levels = reload(churn, tmp_path)
    assert churn.pipeline[-1].habits_
    frame = odd_rows(churn.dataset.test.frame, 5000, seed=1)
    expected = churn.pipeline.predict_proba(frame)[:, 1]
    np.testing.assert_allclose(compiled.customers(vectors(frame, levels)), expected, rtol=1e-9, atol=1e-12)


def test_the_service_scores_propensity_as_the_pipeline_does(propensity, tmp_path):
    compiled, levels = reload(propensity, tmp_path)
    frame = odd_rows(propensity.dataset.test.frame, 2000, seed=2)
    expected = propensity.pipeline.predict_proba(frame)[:, 1]
    action_columns = list(propensity.dataset.action_features)
    rows = vectors(frame, levels)
    found = []
    for vector, action in zip(rows, frame[action_columns].to_dict("records"), strict=True):
        known = {name: None if value != value else value for name, value in action.items()}
        found.append(compiled.actions(vector, [known])[0])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    generous = compiled.actions(rows[0], [{"action_name": "generous"}, {"action_name": "plain"}])
    assert generous[0] != generous[1]


def handmade():
    """A data set in which every selection has something to do."""
    random = np.random.default_rng(0)
    count = 4000
    as_of = np.sort(random.integers(0, 20, count)) * 7 * DAY
    signal = random.normal(size=count)
    label = (random.random(count) < 1 / (1 + np.exp(-2 * signal))).astype(float)
    frame = pd.DataFrame(
        {
            "signal": signal,
            "copy": signal,
            "constant": np.where(random.random(count) < 0.0005, 1.0, 0.0),
            "never": np.full(count, np.nan),
            "drifting": as_of / DAY + random.normal(size=count),
            "season_sine": np.sin(as_of / DAY / 58),
            "sparse": np.where(random.random(count) < 0.5, np.nan, random.normal(size=count)),
            "label": random.choice(np.array(["web", "store", "fax"], object), count, p=[0.6, 0.395, 0.005]),
        }
    )
    frame.loc[random.random(count) < 0.1, "label"] = np.nan
    part = Part(np.array([f"c{i % 500}" for i in range(count)], object), as_of, label, plain(frame))
    windows = Windows((0,), (), (1,), 2, DAY)
    return Dataset("churn", part, part, part, part, windows, 1, DEFAULT, ("label",), (), "none")


@pytest.fixture(scope="module")
def made():
    """That data set, and a model of it."""
    dataset = handmade()
    with few_trees():
        return dataset, pipeline.fit(pipeline.make(dataset, None), dataset)


def test_what_each_selection_drops_and_what_becomes_of_rare_labels(made):
    dataset, fitted = made
    assert pipeline.dropped(fitted) == {
        "empty": ["never"],
        "drifting": ["drifting"],
        "constant": ["constant"],
        "duplicate": ["copy"],
    }
    codes = pipeline.scorer(fitted, dataset, "", "").categories["label"]
    assert set(codes["codes"]) == {"web", "store"}
    frame = dataset.test.frame.iloc[[0, 0, 0]].assign(label=["fax", "rare", "telepathy"])
    assert len(set(fitted.predict_proba(plain(frame))[:, 1])) == 1


def test_columns_may_come_in_any_order_and_predictions_are_calibrated_where_it_learned(made):
    dataset, fitted = made
    frame = dataset.test.frame
    backwards = frame[list(frame.columns)[::-1]]
    assert (fitted.predict_proba(backwards) == fitted.predict_proba(frame)).all()
    assert fitted.predict_proba(frame)[:, 1].mean() == pytest.approx(dataset.test.label.mean(), abs=1e-3)


def test_the_same_data_give_the_same_model(made, hasty):
    _, first = made
    dataset = handmade()
    second = pipeline.fit(pipeline.make(dataset, None), dataset)
    assert (first.predict_proba(dataset.test.frame) == second.predict_proba(dataset.test.frame)).all()


def test_early_stopping_holds_out_customers_not_rows():
    """A label that only depends on who the customer is cannot be learned for others: no tree should help."""
    random = np.random.default_rng(0)
    who = np.repeat(np.arange(100), 40)
    nature = random.random(100) < 0.5
    X = pd.DataFrame({"fingerprint": random.random(100)[who]})
    y = nature[who].astype(float)
    grouped = HabitTrees(parameters={"feature_fraction": 1.0}).fit(X, y, customers=who)
    by_row = HabitTrees(parameters={"feature_fraction": 1.0}).fit(X, y)
    assert grouped.trees_ < 0.2 * by_row.trees_


def test_the_habit_is_left_out_where_the_catalogue_or_the_rule_does_not_fit():
    assert pipeline.habit_of(DEFAULT, ["purchase"], 28)["recency"] == "recency_purchase"
    assert pipeline.habit_of(DEFAULT, ["purchase", "visit"], 28) is None
    assert pipeline.habit_of(DEFAULT, ["login"], 28) is None


def test_a_refit_that_only_remembers_its_customers_loses_its_weight():
    """Trees sharpened on whom they know say nothing of others: the link's scale must follow what others show."""
    random = np.random.default_rng(0)
    who = np.repeat(np.arange(100), 40)
    nature, useful = random.random(100) < 0.5, random.normal(size=100)
    X = pd.DataFrame({"useful": useful[who] + random.normal(size=4000), "fingerprint": random.random(100)[who]})
    y = np.where(nature, 1.0, random.random(100) < 0.5)[who]
    model = HabitTrees(parameters={"feature_fraction": 1.0, "min_child_samples": 10}).fit(X, y, customers=who)
    model.trees_ = 200
    later = slice(3000, None)
    score = model.refit(X, y, who, X[later], y[later], who[later])
    assert 0 <= model.link_["booster"] < 0.5
    model.level(level.matched(score, y[later]))
    assert sigmoid(model.link_["intercept"] + score).mean() == pytest.approx(y[later].mean(), abs=1e-6)
