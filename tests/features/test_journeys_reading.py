"""Rows on their way from files to customers: in order, each once, whoever they turn out to be."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from features.hashing import hash_string
from features.interactions import INSTANT
from features.journeys.layout import Step
from features.journeys.reading import Reader

#: (customer, instant, type, topic, rating), by the day that they are read with; instants repeat, also past the run
#: that is put in order one by one.
ROWS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.integers(0, 2),
            st.sampled_from(["view", "buy"]),
            st.sampled_from([None, "garden", " Health"]),
            st.one_of(st.none(), st.sampled_from([0.25, 1.0])),
        ),
        max_size=60,
    ),
    max_size=3,
)
PERSONS, GONE = {"b": "a"}, {"d"}


def table(day: int, rows: list) -> pa.Table:
    return pa.table(
        {
            "interaction_id": [f"{day}-{number}" for number in range(len(rows))],
            "customer_id": pa.array([row[0] for row in rows], pa.string()),
            "occurred_at": pa.array([10 * day + row[1] for row in rows], INSTANT),
            "channel": pa.array(["web"] * len(rows), pa.string()),
            "direction": pa.array(["inbound"] * len(rows), pa.string()),
            "type": pa.array([row[2] for row in rows], pa.string()),
            "topic": pa.array([row[3] for row in rows], pa.string()),
            "satisfaction": pa.array([row[4] for row in rows], pa.float64()),
        }
    )


def naive(days: list, until: int) -> dict:
    """Each person's (instant, type, rating), in order."""
    found = {}
    for day, rows in enumerate(days):
        for number, (who, at, kind, topic, rating) in enumerate(rows):
            when = 10 * day + at
            if topic != " Health" and who not in GONE and when < until:
                order = when, hash_string(f"{day}-{number}")
                found.setdefault(PERSONS.get(who, who), []).append((order, kind, rating))
    return {
        who: [(order[0], kind, rating) for order, kind, rating in sorted(rows, key=lambda row: row[0])]
        for who, rows in sorted(found.items())
    }


@settings(max_examples=40)
@given(days=ROWS, until=st.integers(0, 30))
def test_pieces_are_every_row_of_a_person_in_order(days, until):
    reader = Reader({"health"}, 5)  # most logs outgrow this room
    for day, rows in enumerate(days):
        reader.add(table(day, rows))
    came, wanted = reader.came(PERSONS, GONE, until), naive(days, until)
    code = {"view": 7, "buy": 3}
    pieces = came.pieces(np.array([code[step.type] for step in came.steps], np.int32))
    rating = dict(zip(pieces.rated.tolist(), pieces.satisfaction.tolist(), strict=True))
    names = {number: kind for kind, number in code.items()}
    assert came.names.to_pylist() == list(wanted)
    assert came.first().tolist() == [rows[0][0] for rows in wanted.values()]
    for (start, end), rows in zip(zip(pieces.start, pieces.end, strict=True), wanted.values(), strict=True):
        found = [(int(pieces.at[i]), names[pieces.code[i]], rating.get(i)) for i in range(start, end)]
        assert found == rows
    used = {step.type for step, used in zip(came.steps, came.used, strict=True) if used}
    assert used == {kind for rows in wanted.values() for _, kind, _ in rows}


def test_who_is_forgotten_may_be_read_again_in_full():
    reader = Reader((), 10)
    reader.add(table(1, [("a", 0, "view", None, None), ("b", 0, "view", None, None)]))
    reader.forget({"a", "nobody"})
    assert reader.came({}, set()).names.to_pylist() == ["b"]
    reader.add(table(0, [("a", 2, "buy", None, 0.5)]))
    came = reader.came({}, set())
    pieces = came.pieces(np.arange(2, dtype=np.int32))
    assert came.steps == (Step("web", "inbound", "view"), Step("web", "inbound", "buy"))
    assert (came.names.to_pylist(), came.rows.tolist()) == (["a", "b"], [1, 1])
    assert (pieces.at.tolist(), pieces.code.tolist(), pieces.rated.tolist()) == ([2, 10], [1, 0], [0])
