"""Customers followed along a written journey, against a naive reading: on random rows and on real logs."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import shop
from interactions_for_tests import table
from passages_oracle import passages

from features import clock
from features.arrange import arrange
from features.durations import micros
from features.hashing import hash_string
from features.history import History, conform
from features.ingest import ingest_dataset
from features.journeys_declared.file import Journeys, Written
from features.journeys_declared.follow import follow_all, follow_one
from features.journeys_declared.passages import AFTER, AGAIN, BACK, GIVEN_UP, LATE, OPEN, REACHED
from features.stages import StageOf
from features.trail.kept import Trail
from features.trail.rows import of_log
from features.vocabulary import Vocabulary

START = clock.parse_instant("2024-03-01")
MINUTE, DAY = clock.MINUTE, clock.DAY
JOURNEY = Written.model_validate(
    {
        "name": "purchase",
        "stages": {
            "aware": ["visit"],
            "near": {"any": ["look", {"type": "call", "topic": "quotes"}], "within": "2d"},
            "basket": {"any": ["add"], "optional": True},
            "bought": {"any": ["purchase"], "within": "5d"},
            "help": ["call"],
        },
        "goal": "bought",
        "pause": "7d",
    }
)
ENDS = {OPEN: "open", GIVEN_UP: "given up", REACHED: "reached"}
WORDS = {BACK: "back", AGAIN: "again", AFTER: "after", LATE: "late"}


def found_of(followed):
    """What the kernel found, in the oracle's words, by customer."""
    told, way = followed.passages, followed.journey.way
    by_customer = {}
    for p in range(len(told.ended)):
        one = {
            "begin": int(told.begin[p]),
            "end": int(told.end[p]),
            "ended": ENDS[int(told.ended[p])],
            "entered": {name: int(at) for name, at in zip(way, told.entered[p], strict=True) if at >= 0},
            "marks": {
                name: {word for bit, word in WORDS.items() if mark & bit}
                for name, mark in zip(way, told.marks[p].tolist(), strict=True)
                if mark
            },
            "beside": int(told.beside[p]),
        }
        by_customer.setdefault(followed.names[told.customer[p]], []).append(one)
    return by_customer


def naive(rows, journey, known_until):
    """The oracle's passages by customer, of rows (customer, id, at, channel, type, topic)."""
    stage_of, names = StageOf(journey.members), list(journey.stages)
    within = {name: micros(stage.within) for name, stage in journey.stages.items() if stage.within}
    by_customer = {}
    for customer, id_, at, channel, type_, topic in rows:
        place = stage_of(channel, type_, topic)
        by_customer.setdefault(customer, []).append((at, hash_string(id_), names[place] if place >= 0 else None))
    told = {}
    for customer, theirs in by_customer.items():
        seen = [(at, stage) for at, _, stage in sorted(theirs, key=lambda row: row[:2])]
        walked = passages(seen, journey.way, micros(journey.pause), within, known_until)
        kept = [{k: v for k, v in one.items() if k != "here"} for one in walked]
        if kept:
            told[customer] = [one | {"marks": {k: v for k, v in one["marks"].items() if v}} for one in kept]
    return told


def log(folder, rows, journeys=(JOURNEY,)):
    """A workspace whose history holds these rows, and each journey followed through it."""
    workspace = shop(folder)
    columns = list(zip(*rows, strict=True)) or [()] * 6
    names = ("customer_id", "interaction_id", "occurred_at", "channel", "type", "topic")
    table = pa.table(dict(zip(names, map(list, columns), strict=True)))
    for name, kind in (("occurred_at", pa.timestamp("us", tz="UTC")), ("topic", pa.string())):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    History(workspace).append(conform(table), "test")
    return follow_all(workspace, list(journeys))


moments = st.tuples(st.integers(0, 30), st.sampled_from((0, 1, 10, 29, 30, 31, 600))).map(
    lambda at: START + at[0] * DAY + at[1] * MINUTE
)
many_rows = st.lists(
    st.tuples(
        st.sampled_from(("ann", "bob")),
        moments,
        st.sampled_from(("visit", "look", "add", "purchase", "call", "nothing")),
        st.sampled_from((None, "quotes", "billing")),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(many_rows)
def test_random_rows_agree_with_a_naive_reading(drawn):
    rows = [(who, f"i{n}", at, "web", type_, topic) for n, (who, at, type_, topic) in enumerate(drawn)]
    known_until = max(row[2] for row in rows) + 1
    names = ("customer_id", "interaction_id", "occurred_at", "channel", "type", "topic")
    words = Vocabulary()
    arranged = arrange(table([dict(zip(names, row, strict=True)) | {"received_at": row[2], "direction": "inbound"}
                              for row in rows]), words)  # fmt: skip
    trail = Trail(arranged.customers, of_log(arranged), tuple(words.entries), known_until)
    followed = follow_one(trail, JOURNEY)
    assert found_of(followed) == naive(rows, JOURNEY, known_until)


def test_a_way_with_every_kind_of_deviation(tmp_path):
    steps = [(0, "look"), (1, "visit"), (2, "look"), (3, "visit"), (9.5, "purchase"), (9.51, "look"), (60, "visit")]
    rows = [("ann", f"i{n}", START + int(days * DAY), "web", type_, None) for n, (days, type_) in enumerate(steps)]
    rows.append(("ann", "last", START + 61 * DAY, "web", "nothing", None))
    (followed,), _ = log(tmp_path, rows)
    first, second = found_of(followed)["ann"]
    assert first["ended"] == "reached"
    assert first["marks"] == {"aware": {"after", "back"}, "near": {"again"}, "bought": {"late"}}
    assert second["ended"] == "open"  # what came quarter of an hour after the goal belongs to it


def test_what_is_on_sensitive_topics_and_after_the_clock_is_not_followed(tmp_path):
    rows = [
        ("ann", "a", START, "web", "visit", "health"),
        ("ann", "b", clock.Clock().now() + DAY, "web", "visit", None),
    ]
    (followed,), _ = log(tmp_path, rows)
    assert found_of(followed) == {}


def test_an_empty_history_has_no_passages(tmp_path):
    assert follow_all(shop(tmp_path), [JOURNEY]) == ([], None)


def test_satisfaction_is_added_up_by_stage(tmp_path):
    workspace = shop(tmp_path)
    table = pa.table(
        {
            "customer_id": ["ann"] * 4,
            "interaction_id": list("abcd"),
            "occurred_at": pa.array([START + n * DAY for n in range(4)], pa.timestamp("us", tz="UTC")),
            "channel": ["web"] * 4,
            "type": ["visit", "visit", "call", "look"],
            "satisfaction": [0.5, 1.0, 0.1, None],
        }
    )
    History(workspace).append(conform(table), "test")
    (followed,), _ = follow_all(workspace, [JOURNEY])
    assert followed.satisfaction.tolist() == [1.5, 0.0, 0.0, 0.0]
    assert followed.rated.tolist() == [2, 0, 0, 0]


CHANNELS = "channels: [web, store, social, phone, mobile_app, email, chat, advertising, mail]"
REAL = Journeys.model_validate(
    {
        "journeys": [
            {
                "name": "coupon",
                "stages": {
                    "offered": ["contact", "received"],
                    "viewed": {"any": ["impression", "viewed"], "within": "3d"},
                    "used": ["accepted", "completed"],
                    "bought": ["purchase"],
                },
                "goal": "used",
                "pause": "14d",
            },
            {
                "name": "loyal",
                "stages": {
                    "first": ["contact", "impression"],
                    "bought": [{"type": "purchase", "channel": ["store", "mobile_app"]}],
                },
                "goal": "bought",
            },
        ]
    }
).journeys  # fmt: skip


def agrees_on(workspace):
    """Every passage of every tenth customer on both journeys is the oracle's, to the microsecond."""
    wanted = ("customer_id", "interaction_id", "occurred_at", "channel", "type", "topic")
    everyone = History(workspace).interactions(["customer_id"])["customer_id"].unique().to_pylist()
    some = sorted(everyone)[::10]
    read = History(workspace).interactions(wanted, customers=some)
    columns = [read[name].to_pylist() for name in wanted if name != "occurred_at"]
    columns.insert(2, read["occurred_at"].cast(pa.int64()).to_pylist())
    rows = list(zip(*columns, strict=True))
    followed, known_until = follow_all(workspace, REAL)
    for one in followed:
        found = found_of(one)
        assert {who: found[who] for who in some if who in found} == naive(rows, one.journey, known_until)
    assert sum(len(one.passages.ended) for one in followed) > 1_000
    assert any((one.passages.ended == REACHED).any() for one in followed)


@pytest.mark.slow
def test_complete_journey_agrees_with_a_naive_reading(tmp_path):
    workspace = shop(tmp_path, CHANNELS)
    ingest_dataset(workspace, "complete_journey")
    agrees_on(workspace)


@pytest.mark.slow
def test_starbucks_agrees_with_a_naive_reading(tmp_path, real_data):
    folder = tmp_path / "starbucks"
    folder.mkdir()
    for part in ("transcript.json.gz", "portfolio.json", "profile.json"):
        (folder / part).symlink_to(real_data(f"starbucks_{part}"))
    workspace = shop(tmp_path, CHANNELS)
    ingest_dataset(workspace, "starbucks", [folder])
    agrees_on(workspace)
