"""Batch scores are the service's scores, to the last bit; and the models' own probabilities."""

import asyncio

import market
import numpy as np
import pyarrow.parquet as pq
import pytest
from pyarrow import csv
from typer.testing import CliRunner

from features import clock
from features.workspace import WorkspaceError
from serving import batch_score, sync
from serving.champions import Champions, Untrained
from serving.commands import app
from serving.schemas import ScoreRequest


class FrozenClock:
    """Shows one instant for ever, so that all answers share it."""

    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


def test_batch_equals_the_service_for_every_customer_and_treatment(shop, engine):
    rows = [market.interaction(f"live-{i}", f"C{i % 7}", occurred_at="2026-05-04T12:00:00Z") for i in range(30)]
    rows += [market.interaction("first", "only-live", channel="store", topic="boats", satisfaction=0.25)]
    assert asyncio.run(engine.record(rows))["accepted"] == 31
    sync.sync(shop, engine.store)
    instant = engine.clock.now()
    engine.clock = FrozenClock(instant)
    table = batch_score.score(shop, instant)
    assert table["customer_id"].to_pylist() == sorted([*market.customers(), "only-live"])
    for row in table.to_pylist():
        answer = engine.score(ScoreRequest(customer_id=row["customer_id"]))
        assert clock.parse_instant(answer["as_of"]) == clock.micros(row["as_of"]) == instant
        assert row["churn"] == answer["churn"]
        for t in answer["treatments"]:
            assert row[f"propensity_{t['action']}_{t['channel']}"] == t["propensity"]


def test_the_command_writes_a_file_that_says_what_made_it(shop, tmp_path):
    target = tmp_path / "scores.parquet"
    words = ["score", "--out", str(target), "--as-of", "2026-03-01", "--workspace", str(shop.folder)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    table = pq.read_table(target)
    assert set(table["as_of"].to_pylist()) == {clock.instant(clock.parse_instant("2026-03-01"))}
    assert np.ptp(table["churn"].to_numpy()) > 0
    assert table.schema.metadata[b"tactful.churn"].startswith(b"version 1")
    assert [file.name for file in tmp_path.glob("*scores*")] == ["scores.parquet"], "nothing half-written stays"
    words[2] = str(tmp_path / "scores.csv")
    assert CliRunner().invoke(app, words).exit_code == 0
    found = csv.read_csv(tmp_path / "scores.csv")
    assert found.column_names == table.column_names
    np.testing.assert_array_equal(found["churn"], table["churn"])


def test_a_log_without_offers_gets_churn_alone_and_a_broken_propensity_model_is_said(shop, tmp_path, monkeypatch):
    words = ["score", "--out", str(tmp_path / "s.parquet"), "--as-of", "2026-03-01", "-w", str(shop.folder)]
    find, problem = Champions._find, Untrained("propensity")

    def without(self, kind, used):
        if kind == "propensity":
            raise problem
        return find(self, kind, used)

    monkeypatch.setattr(Champions, "_find", without)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "churn only" in result.output
    assert pq.read_table(tmp_path / "s.parquet").column_names == ["customer_id", "as_of", "churn"]
    problem = WorkspaceError("the model cannot be read")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "the model cannot be read" in result.output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--as-of", "yesterday"], "--as-of: 'yesterday' is not a date"),
        (["--as-of", "1999-01-01"], "history holds nothing before"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(shop, tmp_path, words, text):
    words = ["score", "--out", str(tmp_path / "s.parquet"), *words, "-w", str(shop.folder)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert text in result.output
    assert not list(tmp_path.glob("*.parquet"))
