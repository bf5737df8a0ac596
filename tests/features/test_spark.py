"""Spark gives what one machine gives, to the last bit."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from interactions_for_tests import CHANNELS, DAY, START, TOPICS, table

from features import batch
from features.attributes import records
from features.catalogue import DEFAULT, Catalogue
from features.definitions import ANY
from features.engine.build import build
from features.history import History
from features.identity.links import links_from
from features.kinds import Count, LastChannel
from features.scaffold import init_workspace
from features.spark import compute_spark, tables
from features.spark_session import java, session
from features.workspace import Settings, WorkspaceError

pytestmark = pytest.mark.timeout(600)  # a JVM, and Python workers that may have to compile

SETTINGS = Settings()
SMALL = Catalogue((Count(ANY, 30), LastChannel(ANY)))
CUTOFFS = [START + 400 * DAY, START + 100 * DAY]


def rows(number=3000, customers=90, seed=5):
    """Nulls, ties, late arrivals, repeats, sensitive topics, channels that no workspace knows, one busy customer."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(number):
        at = START + int(rng.integers(0, 420 * 4)) * DAY // 4
        who = 0 if rng.random() < 0.2 else int(rng.integers(0, customers))
        made.append(
            {
                "customer_id": f"c{who}",
                "interaction_id": f"i{i}",
                "occurred_at": at,
                "received_at": at + int(rng.choice([0, 0, 0, 1, 50 * DAY])),
                "channel": str(rng.choice(CHANNELS)),
                "direction": str(rng.choice(["inbound", "outbound"])),
                "type": str(rng.choice(["purchase", "contact", "complaint", "case_closed", "accepted"])),
                "topic": TOPICS[rng.integers(0, len(TOPICS))],
                "value": None if rng.random() < 0.3 else float(rng.normal(10, 30)),
                "satisfaction": None if rng.random() < 0.8 else float(rng.random()),
                "case_id": None if rng.random() < 0.8 else f"case {who} {rng.integers(0, 3)}",
                "decision_id": None if rng.random() < 0.7 else f"d{i}",
                "attributes": None if rng.random() < 0.8 else json.dumps({"discount": rng.random()}),
            }
        )
    return made + made[:50]


@pytest.fixture(scope="module", autouse=True)
def spark():
    """One local Spark for this file."""
    if not java():
        if os.environ.get("CI"):
            pytest.fail("there is no Java to test the Spark engine with: install openjdk-17-jre-headless")
        pytest.skip("no Java on this machine: the Spark engine is not tested")
    started = session("local[2]", memory="1g")
    started.conf.set("spark.sql.shuffle.partitions", "4")
    yield started
    started.stop()


@pytest.fixture
def log(tmp_path) -> str:
    path = tmp_path / "log.parquet"
    pq.write_table(table(rows()), path)
    return str(path)


def collected(frame, catalogue, folder: Path) -> pa.Table:
    return in_order(pa.concat_tables(tables(frame, catalogue, SETTINGS, folder)))


def in_order(found: pa.Table) -> pa.Table:
    return found.sort_by([("as_of", "ascending"), ("customer_id", "ascending")]).combine_chunks()


@pytest.mark.slow
def test_the_whole_catalogue_to_the_last_bit(log, tmp_path):
    frame = compute_spark([log], CUTOFFS, DEFAULT, SETTINGS, buckets=5)
    wanted = in_order(batch.compute(table(rows()), CUTOFFS, DEFAULT, SETTINGS).to_arrow())
    found = collected(frame, DEFAULT, tmp_path / "out")
    assert found.schema == wanted.schema
    for name in wanted.column_names:
        assert found[name].equals(wanted[name]), name
    assert found.num_rows > 150


def test_a_frame_of_the_cluster_with_few_columns_and_instants_without_zone(spark, tmp_path):
    few = table(rows(200)).select(["customer_id", "interaction_id", "occurred_at", "channel", "type"])
    naive = few.set_column(2, "occurred_at", few["occurred_at"].cast(pa.timestamp("us")))
    pq.write_table(naive, tmp_path / "few.parquet")
    frame = spark.read.parquet(str(tmp_path / "few.parquet")).repartition(3)
    found = collected(compute_spark(frame, CUTOFFS, SMALL, SETTINGS), SMALL, tmp_path / "out")
    full = [row | {"received_at": row["occurred_at"], "topic": None} for row in rows(200)]
    wanted = in_order(batch.compute(table(full), CUTOFFS, SMALL, SETTINGS).to_arrow())
    assert found.equals(wanted)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A workspace with interactions in two batches, attributes that change, and a cookie that is somebody's."""
    declared = "name: $name\nattributes: {age: number, segment: [gold, silver]}\n"
    workspace = init_workspace(tmp_path_factory.mktemp("shops") / "shop", {"tactful.yaml": declared})
    history, made = History(workspace), [row for row in rows() if row["topic"] not in SETTINGS.sensitive_topics]
    for half in (made[:2000], made[2000:]):
        history.append(table(half), "test")
    stated = [
        {"customer_id": f"c{who}", "valid_from": START + who * DAY, "attributes": {"age": who, "segment": segment}}
        for who in range(0, 90, 3)
        for segment in ("gold", "silver")
    ]
    history.append_attributes(records(stated), "test")
    links = links_from(
        ["mail", "mail", "c7"], ["email", "email", "cookie"], ["c1", "c2", "c5"], [START + 150 * DAY] * 3
    )
    history.append_links(links, "test")
    return workspace


@pytest.mark.slow
def test_the_engine_builds_the_same_table_from_history_attributes_and_links(shop, tmp_path):
    ticks = []
    local = build(shop, CUTOFFS, tmp_path / "local.parquet")
    built = build(shop, CUTOFFS, tmp_path / "spark", engine="spark", tick=lambda *told: ticks.append(told))
    one = pa.concat_tables(pq.read_table(part) for part in sorted((tmp_path / "spark").glob("*.parquet")))
    assert in_order(one).equals(in_order(pq.read_table(tmp_path / "local.parquet")))
    assert one.num_rows == built.rows == local.rows
    assert (built.manifest.data, built.manifest.words) == (local.manifest.data, local.manifest.words)
    assert {"attribute_age", "attribute_segment"} <= set(one.column_names)
    assert ticks[-1] == ("computing", built.manifest.buckets, built.manifest.buckets)


OWN = """
from dataclasses import dataclass
from typing import Any

from numba import njit

from features.catalogue import Catalogue
from features.definitions import ANY, Feature, Operation
from features.kernel.accumulators import COUNT
from features.kinds import Count


@dataclass(frozen=True)
class Squared(Feature):
    days: int

    unit = "squares"
    name = property(lambda self: f"squared_{self.days}d")
    text = property(lambda self: f"the square of the number of interactions in {self.days} days")

    def operation(self):
        return Operation(ANY, self.days)

    @staticmethod
    @njit
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.windows[s, a, COUNT] ** 2.0


CATALOGUE = Catalogue((Count(ANY, 30), Squared(30)))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kind_of_the_workspace_s_own_travels_to_the_executors(log, tmp_path):
    workspace = init_workspace(tmp_path / "shop", {"tactful.yaml": "name: $name", "catalogue.py": OWN})
    local = build(workspace, CUTOFFS, tmp_path / "local.parquet", source=log)
    built = build(workspace, CUTOFFS, tmp_path / "spark.parquet", source=log, engine="spark")
    one, other = (in_order(pq.read_table(tmp_path / f"{name}.parquet")) for name in ("spark", "local"))
    assert one.equals(other)
    assert built.rows == local.rows
    assert (one["squared_30d"].to_numpy() == one["count_any_30d"].to_numpy() ** 2).all()


def test_the_engine_refuses_what_spark_does_not_read_and_a_past_without_anybody(shop, tmp_path):
    (tmp_path / "log.csv").write_text("interaction_id,customer_id,occurred_at,channel,type\n")
    with pytest.raises(WorkspaceError, match="Spark reads Parquet"):
        build(shop, CUTOFFS, tmp_path / "out", source=str(tmp_path / "log.csv"), engine="spark")
    with pytest.raises(WorkspaceError, match="no interaction is known before"):
        build(shop, [START - DAY], tmp_path / "out", engine="spark")
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_what_is_wrong_is_one_line(log, tmp_path):
    pq.write_table(table(rows(9)).drop_columns("type"), tmp_path / "typeless.parquet")
    with pytest.raises(WorkspaceError, match="lack the column type"):
        compute_spark([str(tmp_path / "typeless.parquet")], CUTOFFS, SMALL, SETTINGS)
    with pytest.raises(WorkspaceError, match=r"cannot read.*absent\.parquet") as caught:
        compute_spark([str(tmp_path / "absent.parquet")], CUTOFFS, SMALL, SETTINGS)
    assert "\n" not in str(caught.value)
    nobody = table([row | {"customer_id": None} for row in rows(9)])
    pq.write_table(nobody, tmp_path / "nobody.parquet")
    frame = compute_spark([str(tmp_path / "nobody.parquet")], CUTOFFS, SMALL, SETTINGS)
    with pytest.raises(WorkspaceError, match="no customer_id") as caught:
        collected(frame, SMALL, tmp_path / "out")
    assert "\n" not in str(caught.value)
