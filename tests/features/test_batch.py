"""The batch engine's rows, columns and edges."""

import numpy as np
import oracle
import pandas as pd
import pyarrow as pa
import pytest
from interactions_for_tests import DAY, START, table

from features import batch, online
from features.catalogue import DEFAULT, Catalogue
from features.definitions import ANY
from features.interactions import INSTANT
from features.kinds import ActiveDays, Count, LastChannel, LifetimeCount, LifetimeSum, Recency
from features.physical import discount, discounts
from features.sensitive import sensitive_topics
from features.vocabulary import Vocabulary
from features.workspace import Settings

SETTINGS = Settings()
SMALL = Catalogue((Count(ANY, 7), Count(ANY, 30), Recency(ANY), LastChannel(ANY), LifetimeCount(ANY)))


def row(customer, day, number, **other):
    at = START + round(day * DAY)
    return {
        "customer_id": customer,
        "interaction_id": f"i{number}",
        "occurred_at": at,
        "received_at": at,
        "channel": "web",
        "direction": "inbound",
        "type": "purchase",
        "topic": None,
        "value": 1.0,
        "satisfaction": None,
        "case_id": None,
    } | other


def values(rows, day, catalogue=SMALL):
    """Of customer ann."""
    t = np.array([START + round(day * DAY)])
    return batch.compute_at(table(rows), ["ann"], t, catalogue, SETTINGS).values[0].tolist()


def test_windows_are_exact_at_both_ends():
    rows = [row("ann", 0, 1)]
    edge = 1 / DAY  # a microsecond, in days
    assert values(rows, 0)[0] == 0, "what happens at the cutoff is not before it"
    assert values(rows, edge)[0] == 1
    assert values(rows, 7)[0] == 1, "[t - 7 days, t) holds its first instant"
    assert values(rows, 7 + edge)[:2] == [0, 1]
    assert values(rows, 400)[2] == 400
    assert np.isnan(values(rows, 400 + edge)[2])
    assert values(rows, 400 + edge)[4] == 1, "a lifetime is longer"


def test_what_is_received_later_is_unknown_before():
    rows = [row("ann", 0, 1, received_at=START + 3 * DAY)]
    assert values(rows, 3 - 1e-9)[4] == 0
    assert values(rows, 3)[4] == 1
    matrix = batch.compute(table(rows), [START + 2 * DAY, START + 3 * DAY], SMALL, SETTINGS)
    assert matrix.as_of.tolist() == [START + 3 * DAY]


def test_rows_are_by_cutoff_then_customer_and_only_of_the_known():
    rows = [row("zoe", 0, 1), row("ann", 5, 2), row("bob", 9, 3)]
    cutoffs = [START + 10 * DAY, START + 6 * DAY, START]
    matrix = batch.compute(table(rows), cutoffs, SMALL, SETTINGS)
    assert list(zip(matrix.as_of.tolist(), matrix.customer_id.tolist(), strict=True)) == [
        (cutoffs[0], "ann"),
        (cutoffs[0], "bob"),
        (cutoffs[0], "zoe"),
        (cutoffs[1], "ann"),
        (cutoffs[1], "zoe"),
    ]
    assert matrix.values[:, 2].tolist() == [5, 1, 10, 1, 6]


def test_chosen_customers_each_at_their_own_instant_and_strangers_are_cold():
    rows = [row("ann", 0, 1), row("bob", 1, 2)]
    who, when = ["bob", "nobody", "ann", "bob"], START + np.array([2, 2, 3, 1]) * DAY
    matrix = batch.compute_at(table(rows), who, when, SMALL, SETTINGS)
    assert matrix.customer_id.tolist() == who
    assert matrix.as_of.tolist() == when.tolist()
    np.testing.assert_array_equal(matrix.values[:, 2], [1, np.nan, 3, np.nan])
    np.testing.assert_array_equal(matrix.values[:, 4], [1, 0, 1, 0])
    with pytest.raises(ValueError, match="one for each"):
        batch.compute_at(table(rows), who, when[:2], SMALL, SETTINGS)


def test_no_interactions_at_all():
    assert len(batch.compute(table([]), [START], SMALL, SETTINGS)) == 0
    cold = batch.compute_at(table([]), ["ann"], np.array([START]), DEFAULT, SETTINGS)
    known = online.compute(online.State(), START, DEFAULT.compile(Vocabulary(), SETTINGS))
    np.testing.assert_array_equal(cold.values[0], known)


def test_tables_carry_labels_nulls_and_keys():
    rows = [row("ann", 0, 1, channel="email"), row("bob", 0, 2, channel="fax")]
    matrix = batch.compute(table(rows), [START + DAY], SMALL, SETTINGS)
    frame = matrix.to_pandas()
    assert list(frame.columns) == list(SMALL.names)
    assert frame["last_channel_any"].tolist()[0] == "email"
    assert pd.isna(frame["last_channel_any"].tolist()[1])
    arrow = matrix.to_arrow()
    assert arrow.schema.field("as_of").type == INSTANT
    assert arrow.column("last_channel_any").to_pylist() == ["email", None]
    cold = batch.compute_at(table(rows), ["nobody"], np.array([START]), SMALL, SETTINGS).to_arrow()
    assert cold.column("recency_any").to_pylist() == [None]


def test_a_bot_costs_no_more_than_its_newest_4096():
    days = Catalogue((Count(ANY, 365), ActiveDays(ANY, 365), LifetimeCount(ANY), LifetimeSum(ANY)))
    rows = [row("ann", number / 100, number) for number in range(6000)]
    assert values(rows, 61, days) == [4096, 41, 6000, 6000.0]
    words = Vocabulary()
    state, _ = online.update(online.State(), online.items_from_table(table(rows), words))
    assert online.compute(state, START + 61 * DAY, days.compile(words, SETTINGS)).tolist() == [4096, 41, 6000, 6000.0]


def test_more_than_4096_with_late_arrivals_and_ties_agrees_with_the_oracle():
    rng = np.random.default_rng(4)
    rows = []
    for number in range(5000):
        day = int(rng.integers(0, 60)) + float(rng.choice([0, 0.25]))  # dozens share each instant
        late = int(rng.choice([0, 0, 5])) * DAY
        channel, score = str(rng.choice(["web", "phone"])), float(rng.random())
        rows.append(
            row("ann", day, number, channel=channel, satisfaction=score, received_at=START + round(day * DAY) + late)
        )
    for day in (58, 60, 66):
        t = START + day * DAY
        wanted = oracle.compute(rows, t, DEFAULT, SETTINGS.channels)
        np.testing.assert_allclose(values(rows, day, DEFAULT), wanted, rtol=1e-9)


def test_sensitive_rows_leave_no_trace():
    rows = [row("ann", day, day) for day in range(5)]
    hidden = [
        row("ann", 4.5, 90 + i, topic=topic, case_id="c", type="complaint", satisfaction=0.0)
        for i, topic in enumerate(SETTINGS.sensitive_topics)
    ]
    assert values(rows + hidden, 6, DEFAULT) == pytest.approx(values(rows, 6, DEFAULT), nan_ok=True)
    alone = batch.compute(table(hidden), [START + 9 * DAY], DEFAULT, SETTINGS)
    assert len(alone) == 0, "not even that the customer exists"
    words = Vocabulary()
    state, _ = online.update(online.State(), online.items_from_table(table(rows + hidden), words))
    found = online.compute(state, START + 6 * DAY, DEFAULT.compile(words, SETTINGS))
    assert found.tolist() == pytest.approx(values(rows, 6, DEFAULT), nan_ok=True)
    filtered = online.items_from_table(table(rows + hidden), words, sensitive_topics(SETTINGS))
    assert len(filtered) == len(rows)


def test_threads_and_blocks_change_nothing():
    rows = [row(f"c{number % 97}", number % 31 + number / 1000, number) for number in range(1000)]
    cutoffs = [START + day * DAY for day in (3, 20, 33)]
    one = batch.compute(table(rows), cutoffs, DEFAULT, SETTINGS, workers=1)
    four = batch.compute(table(rows), cutoffs, DEFAULT, SETTINGS, workers=4)
    np.testing.assert_array_equal(one.values, four.values)


def test_dictionary_columns_and_extra_columns_are_welcome():
    rows = [row(f"c{number % 3}", number, number, topic=[None, "a"][number % 2]) for number in range(9)]
    plain = table(rows)
    coded = plain.append_column("extra", pa.nulls(9))
    for position, field in enumerate(plain.schema):
        if pa.types.is_string(field.type):
            coded = coded.set_column(position, field.name, plain.column(field.name).dictionary_encode())
    t = [START + 10 * DAY]
    np.testing.assert_array_equal(
        batch.compute(coded, t, DEFAULT, SETTINGS).values, batch.compute(plain, t, DEFAULT, SETTINGS).values
    )


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="received_at"):
        batch.compute(table([row("ann", 0, 1)]).drop_columns("received_at"), [START], SMALL, SETTINGS)


def test_a_state_of_another_vocabulary_is_refused():
    words = Vocabulary()
    state, _ = online.update(online.State(), online.items_from_table(table([row("ann", 0, 1)]), words))
    with pytest.raises(ValueError, match="vocabulary"):
        online.compute(state, START + DAY, SMALL.compile(Vocabulary(), SETTINGS))


def test_fold_table_gives_every_customer():
    rows = [row("bob", 2, 1), row("ann", 1, 2), row("bob", 0, 3)]
    words = Vocabulary()
    folded = {customer: items.at.tolist() for customer, items in online.fold_table(table(rows), words)}
    assert folded == {"ann": [START + DAY], "bob": [START, START + 2 * DAY]}
    with pytest.raises(ValueError, match="one customer"):
        online.items_from_table(table(rows), words)


def test_a_dictionary_that_names_absent_customers_and_repeats_labels():
    rows = [row("ann", 0, 1), row("bob", 1, 2), row("cid", 2, 3)]
    plain = table([rows[0], rows[2]])
    indices, labels = pa.array([1, 3], pa.int32()), pa.array(["zoe", "ann", "ann", "cid", "bob"])
    coded = plain.set_column(0, "customer_id", pa.DictionaryArray.from_arrays(indices, labels))
    matrix = batch.compute(coded, [START + 9 * DAY], SMALL, SETTINGS)
    assert matrix.customer_id.tolist() == ["ann", "cid"]
    assert matrix.values[:, 2].tolist() == [9, 7]


def test_any_number_of_rows_is_one_compilation():
    """Numba tells an array by its layout, and one of no or one row can have two."""
    from features.kernel.run import run_log

    for number in (0, 1, 3):
        batch.compute(table([row(f"c{i}", i, i) for i in range(number)]), [START + 9 * DAY], SMALL, SETTINGS)
    assert len(run_log.signatures) == 1


@pytest.mark.parametrize(
    ("attributes", "saved"),
    [
        ('{"discount": 5}', 5.0),
        (r'{"disc\u006funt": 5}', 5.0),
        (r'{"name": "\u00e9lodie"}', np.nan),
        ('{"more": {"discount": 5}}', np.nan),
        (None, np.nan),
    ],
)
def test_a_discount_is_the_same_in_a_column_as_alone(attributes, saved):
    column = pa.table({"attributes": pa.array([attributes], pa.string())})
    np.testing.assert_array_equal([discount(attributes), discounts(column)[0]], [saved, saved])
