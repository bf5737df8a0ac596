"""A feature that sees the future is caught before any model learns from it."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
import simulated

from features import batch
from features.clock import DAY
from features.interactions import INSTANT
from features.workspace import Settings, WorkspaceError
from training import leakage
from training.dataset import before
from training.labels import micros
from training.train import build

SETTINGS = Settings.model_validate({"churn": {"horizon_days": 30}})


@pytest.fixture(scope="module")
def log():
    return simulated.table(*simulated.habitual(300))


def peeking(replaced, ahead):
    """A compute function whose column `replaced` counts purchases in the `ahead` microseconds after the cutoff."""

    def compute(interactions, customers, as_of, catalogue, settings):
        honest = batch.compute_at(interactions, customers, as_of, catalogue, settings)
        at = micros(interactions["occurred_at"])
        ids = np.array(interactions["customer_id"].to_pylist(), object)
        seen = [((ids == who) & (at >= t) & (at < t + ahead)).sum() for who, t in zip(customers, as_of, strict=True)]
        values = honest.values.copy()
        values[:, honest.catalogue.names.index(replaced)] = seen
        return dataclasses.replace(honest, values=values)

    return compute


def test_the_shipped_catalogue_does_not_peek(log):
    dataset = build("churn", log, SETTINGS, {})
    leakage.check(dataset, log, SETTINGS, batch.compute_at)


@pytest.mark.parametrize("ahead", [30 * DAY, DAY])
def test_a_planted_future_is_caught(log, ahead, monkeypatch):
    monkeypatch.setattr("training.churn.TRAINING_ROWS", 600)
    monkeypatch.setattr("training.churn.CALIBRATION_ROWS", 200)
    compute = peeking("count_purchase_30d", ahead)
    dataset = build("churn", log, SETTINGS, {}, compute=compute)
    with pytest.raises(WorkspaceError, match="see the future: count_purchase_30d;"):
        leakage.check(dataset, log, SETTINGS, compute)


def test_what_arrived_late_is_the_future_too(log):
    at = micros(log["occurred_at"])
    late = at + np.arange(len(at)) % 2 * 5 * DAY
    log = log.set_column(log.schema.get_field_index("received_at"), "received_at", pa.array(late).cast(INSTANT))
    cutoff = simulated.START + 200 * DAY
    known = before(log, cutoff)
    assert known.num_rows == ((at < cutoff) & (late <= cutoff)).sum() < (at < cutoff).sum()
    leakage.check(build("churn", log, SETTINGS, {}), log, SETTINGS, batch.compute_at)
