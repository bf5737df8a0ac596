"""Starbucks Rewards: offers received, viewed and completed, and purchases, of 17,000 customers over 30 days.

Three files of JSON Lines in one folder: transcript (events by the hour), portfolio (ten offers), profile (customers).
The data were simulated by their publisher. Nearly everybody got offers, so effects of offers cannot be measured here.

The files count hours from an unknown start. Here it is 2018-07-27, the day after the newest membership.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa

from features import clock
from features.interactions import INSTANT
from features.sources.form import Format
from features.sources.jsonlines import JsonLines
from features.sources.named import Dataset
from features.sources.people import PROFILES
from features.workspace import WorkspaceError

START = clock.parse_instant("2018-07-27")
#: What the publisher wrote where the age is unknown.
NO_AGE = 118
_TYPES = {
    "offer received": "contact",
    "offer viewed": "impression",
    "offer completed": "accepted",
    "transaction": "purchase",
}


def tables(folder: Path | None) -> Iterator[pa.Table]:
    """Every event; views and completions carry the decision of the offer that they answer, the newest one before."""
    events = _events(_file(folder, "transcript"))
    offers = _offers(_file(folder, "portfolio"))
    unknown = sorted(set(events["offer"].dropna()) - set(offers.index))
    if unknown:
        raise WorkspaceError(f"{_file(folder, 'portfolio')} lacks the offer {unknown[0]!r}, which the transcript names")
    decision = _decisions(events)
    sold = events["type"] == "purchase"
    number = events.groupby(["type", "person", "offer", "time"], dropna=False).cumcount()
    ids = "sb-" + events["type"] + "-" + events["person"] + "-" + events["offer"].fillna("") + "-"
    channel = events["offer"].map(offers["channel"]).where(events["type"] != "accepted").fillna("store")
    saved = [orjson.dumps({"discount": float(r)}).decode() if r == r else None for r in events["reward"]]
    yield pa.table(
        {
            "interaction_id": pa.array(ids + events["time"].astype(str) + "-" + number.astype(str), pa.string()),
            "customer_id": pa.array(events["person"], pa.string()),
            "occurred_at": _instants(events["time"].to_numpy(np.int64) * clock.HOUR + START),
            "channel": pa.array(channel, pa.string()),
            "direction": pa.array(np.where(events["type"] == "contact", "outbound", "inbound"), pa.string()),
            "type": pa.array(events["type"], pa.string()),
            "value": pa.array(events["amount"].where(sold), pa.float64(), from_pandas=True),
            "decision_id": pa.array(decision, pa.string(), from_pandas=True),
            "action": pa.array(events["offer"].map(offers["action"]), pa.string(), from_pandas=True),
            "attributes": pa.array(saved, pa.string()),
        }
    )


def attributes(folder: Path | None) -> pa.Table:
    """Age, gender and income of each customer, true from the day they joined; what is unknown is left out."""
    people = _rows(_file(folder, "profile"), ("id", "became_member_on"))
    joined = pd.to_datetime([str(one["became_member_on"]) for one in people], format="%Y%m%d")
    told = [
        {"age": one.get("age") if one.get("age") != NO_AGE else None, "gender": one.get("gender"),
         "income": one.get("income")}
        for one in people
    ]  # fmt: skip
    known = [{name: value for name, value in one.items() if value is not None} for one in told]
    at = _instants(joined.to_numpy().astype("datetime64[us]").astype(np.int64))
    table = pa.table(
        [
            pa.array([one["id"] for one in people], pa.string()),
            at,
            pa.array([orjson.dumps(one).decode() if one else None for one in known], pa.string()),
            at,
        ],
        schema=PROFILES,
    )
    return table.filter(table["attributes"].is_valid())


def _events(path: Path) -> pd.DataFrame:
    rows = _rows(path, ("person", "event", "time"))
    values = [row.get("value") or {} for row in rows]
    events = pd.DataFrame(
        {
            "person": [row["person"] for row in rows],
            "type": pd.Series([_TYPES.get(row["event"]) for row in rows], dtype="str"),
            "time": np.array([row["time"] for row in rows], np.int64),
            # the key is written in two ways
            "offer": pd.Series([value.get("offer id") or value.get("offer_id") for value in values], dtype="str"),
            "amount": pd.Series([value.get("amount") for value in values], dtype=float),
            "reward": pd.Series([value.get("reward") for value in values], dtype=float),
        }
    )
    if events["type"].isna().any():
        at = int(np.flatnonzero(events["type"].isna())[0])
        raise WorkspaceError(f"{path}: row {at + 1} has the event {rows[at]['event']!r}; known: {', '.join(_TYPES)}")
    return events


def _offers(path: Path) -> pd.DataFrame:
    """By offer: what it is called, as type, difficulty and days; and the channel that counts as its own."""
    rows = _rows(path, ("id", "offer_type", "difficulty", "duration", "channels"))
    names = [f"{row['offer_type']}_{row['difficulty']:g}_{row['duration']:g}d" for row in rows]
    channels = ["mobile_app" if "mobile" in row["channels"] else "email" for row in rows]
    return pd.DataFrame({"action": names, "channel": channels}, index=[row["id"] for row in rows])


def _decisions(events: pd.DataFrame) -> pd.Series:
    """An offer received is a decision of its own; an answer belongs to the newest one of that person and offer."""
    told = events[events["offer"].notna()].reset_index(names="row").sort_values("time", kind="stable")
    received = told[told["type"] == "contact"]
    ids = "sb-offer-" + received["person"] + "-" + received["offer"] + "-" + received["time"].astype(str)
    received = received.assign(decision=ids)[["person", "offer", "time", "decision"]]
    tied = pd.merge_asof(told, received, on="time", by=["person", "offer"])
    return tied.set_index("row")["decision"].reindex(events.index)


def _rows(path: Path, needed: tuple[str, ...]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    reader = JsonLines(path, Format())
    missing = [
        name for name in needed if name not in reader.columns and not any(c.startswith(name) for c in reader.columns)
    ]
    if missing:
        raise WorkspaceError(f"{path} has no key {missing[0]!r}; is it the file it is called?")
    for chunk in reader.chunks([]):
        if chunk.damaged:
            position, reason, _ = chunk.damaged[0]
            raise WorkspaceError(f"{path}: row {position} {reason}")
        rows += [chunk.raw(row) for row in range(chunk.rows)]
    return rows


def _file(folder: Path | None, part: str) -> Path:
    assert folder is not None
    if not folder.is_dir():
        raise WorkspaceError(f"{folder} is no folder; the data set starbucks is {DATASET.takes}")
    found = sorted(path for path in folder.iterdir() if part in path.name and ".json" in path.name)
    if len(found) != 1:
        many = f"has {len(found)} files called *{part}*.json*: keep one" if found else f"has no file {part}.json"
        raise WorkspaceError(f"{folder} {many}; the data set starbucks is {DATASET.takes}")
    return found[0]


def _instants(us: np.ndarray) -> pa.Array:
    return pa.array(us, pa.int64()).cast(INSTANT)


DATASET = Dataset(
    "starbucks",
    "Starbucks Rewards offers",
    takes="a folder with transcript.json, portfolio.json and profile.json",
    tables=tables,
    channels=("store", "mobile_app", "email"),
    attributes=attributes,
)
