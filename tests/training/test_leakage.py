"""A feature that sees the future is caught before any model learns from it."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
import simulated

from features import batch
from features.catalogue import DEFAULT, Catalogue
from features.clock import DAY
from features.interactions import INSTANT
from features.own_catalogue import attribute_features
from features.past import Past
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

    def compute(past, customers, as_of, catalogue, settings):
        honest = batch.compute_at(past, customers, as_of, catalogue, settings)
        at = micros(past.interactions["occurred_at"])
        ids = np.array(past.interactions["customer_id"].to_pylist(), object)
        seen = [((ids == who) & (at >= t) & (at < t + ahead)).sum() for who, t in zip(customers, as_of, strict=True)]
        values = honest.values.copy()
        values[:, honest.catalogue.names.index(replaced)] = seen
        return dataclasses.replace(honest, values=values)

    return compute


def test_the_shipped_catalogue_does_not_peek(log):
    dataset = build("churn", log, SETTINGS, {})
    leakage.check(dataset, log, SETTINGS, batch.compute_at)


def test_nor_does_it_where_a_log_holds_everything():
    """Every feature at once: late rows, cases, answers, sessions, attributes that change, customers who merge."""
    past = simulated.busy()
    settings = Settings.model_validate(
        {"churn": {"horizon_days": 30}, "attributes": {"age": "number", "segment": ["gold", "silver"]}}
    )
    catalogue = Catalogue((*DEFAULT, *attribute_features(settings.attributes)))
    dataset = build("churn", past, settings, {}, catalogue=catalogue)
    leakage.check(dataset, past, settings, batch.compute_at)
    told = dataset.training.frame.nunique()
    assert not {name for name in catalogue.names if told[name] < 2}


def test_a_merge_that_comes_later_is_the_future_too():
    past = simulated.busy()

    def hindsight(known, customers, as_of, catalogue, settings):
        """As if everyone had always known who is one person."""
        at = past.links.schema.get_field_index("valid_from")
        always = pa.nulls(past.links.num_rows, INSTANT).fill_null(pa.scalar(0, pa.int64()).cast(INSTANT))
        links = past.links.set_column(at, "valid_from", always)
        links = links.set_column(links.schema.get_field_index("received_at"), "received_at", always)
        whole = known.interactions.num_rows == past.interactions.num_rows
        return batch.compute_at(
            Past(known.interactions, links=links if whole else known.links), customers, as_of, catalogue, settings
        )

    dataset = build("churn", past, SETTINGS, {}, compute=hindsight)
    with pytest.raises(WorkspaceError, match=r"see the future: .*lifetime_count_purchase"):
        leakage.check(dataset, past, SETTINGS, hindsight)


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
    known = before(Past(log), cutoff).interactions
    assert known.num_rows == ((at < cutoff) & (late <= cutoff)).sum() < (at < cutoff).sum()
    leakage.check(build("churn", log, SETTINGS, {}), log, SETTINGS, batch.compute_at)
