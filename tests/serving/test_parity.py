"""The service's scorer is the pipeline's predict_proba: thousands of rows, nulls and unseen levels included."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from features import clock
from features.catalogue import DEFAULT
from features.interactions import INSTANT
from features.workspace import Settings
from serving.champions import levels
from serving.decisions.attributes import action_inputs
from serving.decisions.policy import Actions
from serving.scorer import Scorer
from training import artefact, pipeline, train

START = clock.parse_instant("2025-01-01")
SETTINGS = Settings(channels=["web", "store", "phone", "email", "mail", "fax"], churn={"horizon_days": 28})
ACTIONS = Actions.model_validate(
    yaml.safe_load("""
actions:
  - {name: voucher, issue: sales, group: coupons, channels: [mail, email], value: 40, attributes: {tier: gold}}
  - {name: catalogue, issue: sales, group: print, channels: {mail: {cost: 1.5}}, value: 8, attributes: {tier: plain}}
""")
)


def log(customers=120, days=330, seed=1):
    """Purchases at each customer's own rhythm, mailings at random, and answers to some of them."""
    random = np.random.default_rng(seed)
    rows = []
    for c in range(customers):
        at, stop = random.uniform(0, 60), random.uniform(60, 600)
        rhythm = random.gamma(2, 12)
        while at < min(days, stop):
            channel = random.choice(["web", "store"], p=[0.3, 0.7])
            rows.append((c, at, channel, "inbound", "purchase", float(random.gamma(2, 10)), None, None))
            at += random.exponential(rhythm)
        for k, day in enumerate(random.uniform(30, days - 30, 4)):
            action = ["voucher", "catalogue"][int(random.integers(0, 2))]
            rows.append((c, day, "mail", "outbound", "contact", None, action, f"d-{c}-{k}"))
            if random.random() < (0.5 if action == "voucher" else 0.2):
                rows.append((c, day + 3, "store", "inbound", "accepted", None, action, f"d-{c}-{k}"))
    names = ("customer_id", "at", "channel", "direction", "type", "value", "action", "decision_id")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    at = pa.array([START + int(day * clock.DAY) for day in columns.pop("at")], pa.int64()).cast(INSTANT)
    none = pa.nulls(len(rows), pa.string())
    return pa.table(
        {
            **{name: pa.array(values) for name, values in columns.items() if name != "customer_id"},
            "customer_id": [f"C{c}" for c in columns["customer_id"]],
            "interaction_id": [f"i{i}" for i in range(len(rows))],
            "occurred_at": at,
            "received_at": at,
            "topic": none,
            "case_id": none,
            "satisfaction": pa.nulls(len(rows), pa.float64()),
        }
    )


@pytest.fixture(scope="module")
def interactions():
    return log()


def values(dataset, n=3000, seed=2):
    """Feature vectors around the test rows: nulls anywhere, every channel, numbers far outside."""
    random = np.random.default_rng(seed)
    seen = dataset.test.frame
    labels = levels(DEFAULT, SETTINGS)
    matrix = np.empty((n, len(DEFAULT.names)))
    picked = random.integers(0, len(seen), n)
    for column, name in enumerate(DEFAULT.names):
        known = labels[name]
        if known is not None:
            matrix[:, column] = random.integers(0, len(known), n)
        else:
            matrix[:, column] = seen[name].to_numpy(float)[picked] * random.choice([1, 1, 1, 0, 50], n)
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    matrix[0] = np.nan
    habit = pipeline.habit_of(DEFAULT, SETTINGS.churn.qualifying, 28)
    together = [DEFAULT.names.index(habit[name]) for name in ("active_days", "recency", "tenure")]
    # who never bought has neither recency nor tenure: the three are known or unknown together
    matrix[np.ix_(np.isnan(matrix[:, together]).any(axis=1), together)] = np.nan
    return matrix


def frame_of(matrix):
    """The same vectors as the pipeline sees them: labels for categories, NaN for null."""
    columns = {}
    for column, (name, known) in enumerate(levels(DEFAULT, SETTINGS).items()):
        numbers = matrix[:, column]
        if known is None:
            columns[name] = numbers
        else:
            columns[name] = np.array([np.nan if np.isnan(v) else known[int(v)] for v in numbers], object)
    return pd.DataFrame(columns)


def fit(kind, interactions):
    """(data set, fitted pipeline), as `tactful train` makes them."""
    dataset = train.build(kind, interactions, SETTINGS, ACTIONS.by_name)
    habit = pipeline.habit_of(DEFAULT, SETTINGS.churn.qualifying, dataset.horizon_days) if kind == "churn" else None
    return dataset, pipeline.fit(pipeline.make(dataset, habit), dataset)


def served(dataset, fitted, folder):
    """What the service loads for a fitted model."""
    artefact.write(folder, pipeline.scorer(fitted, dataset, "run", "2026-01-01T00:00:00Z"), fitted[-1].booster)
    return Scorer.load(folder, DEFAULT.names, levels(DEFAULT, SETTINGS))


def expected(fitted, frame):
    with np.errstate(invalid="ignore"):  # logaddexp of a null warns
        return pipeline.probability(fitted, frame[list(fitted.feature_names_in_)])


def test_churn(interactions, tmp_path):
    dataset, fitted = fit("churn", interactions)
    scorer = served(dataset, fitted, tmp_path)
    matrix = values(dataset)
    wanted = expected(fitted, frame_of(matrix))
    assert np.ptp(wanted) > 0.1
    np.testing.assert_allclose(scorer.customers(matrix), wanted, rtol=1e-9, atol=1e-12)


def test_propensity_for_known_unseen_and_unknown_actions(interactions, tmp_path):
    dataset, fitted = fit("propensity", interactions)
    scorer = served(dataset, fitted, tmp_path)
    matrix = values(dataset, 600)
    for name, channel in (("voucher", "mail"), ("voucher", "email"), ("catalogue", "mail"), ("brand_new", "web")):
        inputs = action_inputs(name, channel, ACTIONS.by_name.get(name))
        frame = frame_of(matrix)
        for column in dataset.action_features:
            value = inputs.get(column)
            text = column in dataset.categories
            frame[column] = pd.Series(
                [np.nan if value is None else value] * len(frame), dtype=object if text else float
            )
        wanted = expected(fitted, frame)
        np.testing.assert_allclose(scorer.customers(matrix, inputs), wanted, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(scorer.actions(matrix[7], [inputs]), scorer.customers(matrix, inputs)[7:8])
