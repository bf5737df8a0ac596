"""Customer attributes: history, the packed state and a naive oracle agree on what was known of a customer when."""

import math

import numpy as np
import oracle
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingesting import shop
from interactions_for_tests import DAY, START, interactions, table

from features import attributes, batch, online
from features.catalogue import PURCHASE, Catalogue
from features.definitions import ANY
from features.history import History
from features.kernel.facts import KEPT
from features.kinds import AttributeLabel, AttributeNumber, Count, LifetimeSum
from features.past import Past
from features.sensitive import sensitive_topics
from features.vocabulary import Vocabulary
from features.workspace import Settings

SETTINGS = Settings()
CATALOGUE = Catalogue(
    (
        Count(ANY, 30),
        AttributeNumber("age"),
        AttributeLabel("segment", ("gold", "silver", "5", "true")),
        AttributeNumber("unheard"),
        LifetimeSum(PURCHASE),
    )
)
NAMES = CATALOGUE.attributes
DAYS = st.integers(0, 12).map(lambda day: START + day * DAY)
VALUES = st.sampled_from(
    ["gold", "silver", "bronze", " gold ", "5", "5.5", "-1e3", "", 5, 5.0, 0, -2.5, True, None, [1]]
)


@st.composite
def records(draw, customers=("ann",), most=25):
    """Records that change their mind, come late, repeat each other, and mention some keys only."""
    found = []
    for _ in range(draw(st.integers(0, most))):
        valid = draw(DAYS)
        stated = draw(st.dictionaries(st.sampled_from(["age", "segment", "shoe"]), VALUES, min_size=1))
        found.append(
            {
                "customer_id": draw(st.sampled_from(customers)),
                "valid_from": valid,
                "received_at": draw(st.just(valid) | DAYS),
                "attributes": stated,
            }
        )
    return found


def as_read(records):
    """Values as the oracle takes them: text trimmed, what is no plain value gone; of equal statements the first."""
    kept: dict = {}
    for record in records:
        for key, value in record["attributes"].items():
            plain = value.strip() or None if isinstance(value, str) else None if isinstance(value, list) else value
            plain = int(plain) if isinstance(plain, float) and plain.is_integer() else plain
            told = (record["customer_id"], key, record["valid_from"], str(plain), isinstance(plain, bool))
            one = {**record, "attributes": {key: plain}}
            if told not in kept or record["received_at"] < kept[told]["received_at"]:
                kept[told] = one
    return list(kept.values())


def unambiguous(records):
    """Whether no two records with different values of a key hold from the same instant and arrived at the same one."""
    seen: dict = {}
    for record in as_read(records):
        for key, value in record["attributes"].items():
            told = (record["customer_id"], key, record["valid_from"], record["received_at"])
            if seen.setdefault(told, (str(value), type(value))) != (str(value), type(value)):
                return False
    return True


def now(rows, stated, t, size=3):
    """Folded in pieces, interactions and facts by turns, packed and unpacked in between."""
    words, state = Vocabulary(), online.State()
    for first in range(0, max(len(rows), len(stated), 1), size):
        items = online.items_from_table(table(rows[first : first + size]), words)
        state, _ = online.update(state, items)
        for record in stated[first : first + size]:
            told = record["attributes"]
            facts = attributes.facts_of_record(told, record["valid_from"], record["received_at"], NAMES)
            state = online.State.from_bytes(online.learn(state, facts).to_bytes())
    return online.compute(state, t, CATALOGUE.compile(words, SETTINGS))


@settings(max_examples=50)
@given(
    rows=interactions(customers=("ann", "bob"), most=6),
    stated=records(("ann", "bob", "cy")).filter(unambiguous),
    t=DAYS,
)
def test_history_agrees_with_the_oracle_at_any_instant(rows, stated, t):
    past = Past(table(rows), attributes.records(stated))
    who = ["ann", "bob", "cy", "nobody"]
    found = batch.compute_at(past, who, np.array([t] * 4), CATALOGUE, SETTINGS)
    for name, values in zip(who, found.values, strict=True):
        mine = [row for row in rows if row["customer_id"] == name]
        told = [record for record in as_read(stated) if record["customer_id"] == name]
        wanted = oracle.compute(mine, t, CATALOGUE, SETTINGS.channels, sensitive_topics(SETTINGS), told)
        assert values.tolist() == pytest.approx(wanted, nan_ok=True)
    every = batch.compute(past, [t, t + DAY], CATALOGUE, SETTINGS)
    again = batch.compute_at(past, every.customer_id, every.as_of, CATALOGUE, SETTINGS)
    np.testing.assert_array_equal(every.values, again.values)


@settings(max_examples=50)
@given(rows=interactions(most=6), stated=records(), later=st.integers(0, 3), data=st.data())
def test_now_agrees_with_history_whatever_the_order_of_arrival(rows, stated, later, data):
    """From the newest of everything known on, though some records may hold from a later instant."""
    known = [row["occurred_at"] + 1 for row in rows] + [row["received_at"] for row in [*rows, *stated]]
    t = max(known, default=START) + later * DAY
    past = batch.compute_at(Past(table(rows), attributes.records(stated)), ["ann"], np.array([t]), CATALOGUE, SETTINGS)
    shuffled = data.draw(st.permutations(stated + stated[:5]))
    np.testing.assert_array_equal(now(rows, shuffled, t, data.draw(st.integers(1, 9))), past.values[0])


@settings(max_examples=100)
@given(stated=records(most=60), data=st.data())
def test_a_fold_is_order_free_and_keeps_the_newest_of_each_name(stated, data):
    def folded(some):
        facts = online.State().facts
        for record in some:
            told = record["attributes"], record["valid_from"], record["received_at"]
            facts = attributes.fold(facts, attributes.facts_of_record(*told, NAMES))
        return facts

    facts = folded(stated)
    np.testing.assert_array_equal(folded(data.draw(st.permutations(stated + stated[:9]))), facts)
    _, counts = np.unique(facts[:, 0], return_counts=True)
    assert (counts <= KEPT).all()
    parts = [folded(stated[::2]), folded(stated[1::2])]
    np.testing.assert_array_equal(attributes.fold(*parts), facts)


def test_more_than_the_newest_sixteen_agree_in_history_and_now():
    """A long plan of future changes pushes out what holds today, alike on both sides."""
    stated = [record(day, age=day) for day in range(40)]
    for day in (15, 16, 39, 20):
        t = START + day * DAY
        later = [{**each, "received_at": START} for each in stated]
        past = batch.compute_at(Past(table([]), attributes.records(later)), ["ann"], np.array([t]), CATALOGUE, SETTINGS)
        np.testing.assert_array_equal(now([], later[::-1], t), past.values[0])
        assert math.isnan(past.values[0, 1]) == (day < 40 - KEPT)


def record(day, received=None, customer="ann", **stated):
    at = START + day * DAY
    known = at if received is None else START + received * DAY
    return {"customer_id": customer, "valid_from": at, "received_at": known, "attributes": stated}


def ages(stated, *days):
    """What is known of ann's age, segment on those days."""
    who, when = ["ann"] * len(days), START + np.array(days) * DAY
    past = Past(table([]), attributes.records(stated))
    frame = batch.compute_at(past, who, when, CATALOGUE, SETTINGS).to_pandas()
    return [None if value != value else value for value in frame["attribute_age"]], frame["attribute_segment"].tolist()


def test_a_change_is_seen_from_its_instant_on_and_never_before():
    stated = [record(1, age=40, segment="silver"), record(5, segment="gold"), record(7, age=None), record(9, age=42)]
    found = ages(stated, 0, 1, 4, 5, 7, 8, 9)
    assert found[0] == [None, 40, 40, 40, None, None, 42]
    assert found[1][1:] == ["silver", "silver", "gold", "gold", "gold", "gold"]
    assert math.isnan(found[1][0])


def test_what_was_learned_late_is_unknown_to_earlier_cutoffs():
    stated = [record(1, age=40), record(2, received=6, age=41), record(0, received=8, age=39)]
    assert ages(stated, 1, 2, 5, 6, 8)[0] == [40, 40, 40, 41, 41], "a late correction of the distant past is no news"


def test_of_two_words_from_one_instant_the_later_one_holds():
    assert ages([record(1, received=3, age=41), record(1, received=2, age=40)], 1, 2, 3)[0] == [None, 40, 41]


def test_attributes_do_not_age_out():
    assert ages([record(0, age=40)], 4000)[0] == [40]


def test_labels_that_are_not_declared_are_null():
    frame = ages([record(0, segment="bronze"), record(1, segment=5), record(2, segment=True)], 0, 1, 2)[1]
    assert math.isnan(frame[0])
    assert frame[1:] == ["5", "true"]


def test_without_records_attributes_are_null_and_the_rest_is_as_ever():
    bare = batch.compute_at(table([]), ["ann"], np.array([START]), CATALOGUE, SETTINGS)
    assert np.isnan(bare.values[0, 1:4]).all()
    assert bare.values[0, [0, 4]].tolist() == [0, 0]


def test_history_keeps_each_record_once_and_gives_what_was_received_by_then(tmp_path):
    history = History(shop(tmp_path))
    stated = attributes.records([record(1, age=40), record(2, received=6, age=41), record(1, age=40)])
    receipt = history.append_attributes(stated, "crm")
    assert (receipt.accepted, receipt.duplicates) == (2, 1)
    assert history.append_attributes(stated, "crm").accepted == 0
    assert history.attributes().schema == attributes.ATTRIBUTES
    assert history.attributes(START + 6 * DAY - 1).num_rows == 1
    assert history.attributes(START + 6 * DAY).num_rows == 2
    assert history.past(START + 9 * DAY).attributes.num_rows == 2


def test_the_order_of_keys_and_blanks_do_not_make_another_record():
    one, other = (
        {"customer_id": "a", "valid_from": 5, "attributes": text} for text in ('{"a":1, "b":2}', '{"b":2,"a":1}')
    )
    assert attributes.records([one]) == attributes.records([other])
    assert attributes.records([{**one, "record_id": "x"}])["record_id"].to_pylist() == ["x"]


@pytest.mark.parametrize(
    ("value", "told"),
    [("{", "not valid JSON"), ("[1]", "not an object"), ({}, "is empty"), ({"a": "x" * 17_000}, "at most 16,384"),
     ({"a": {1}}, "cannot be kept")],
)  # fmt: skip
def test_a_document_that_cannot_be_kept_is_told(value, told):
    with pytest.raises(ValueError, match=told):
        attributes.document(value)


def test_a_table_needs_its_columns():
    with pytest.raises(ValueError, match="valid_from, attributes"):
        attributes.conform(pa.table({"customer_id": ["a"]}))
