"""Features of persons: history under links equals history rewritten by the naive oracle, cutoff by cutoff."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_oracle import Link, erased, person
from interactions_for_tests import DAY, START, interactions, table
from test_identity import table as links_table

from features import batch
from features.catalogue import Catalogue
from features.definitions import ANY
from features.history import History
from features.kinds import ActiveDays, Count, LastChannel, LifetimeCount, LifetimeSum, Recency
from features.past import Past
from features.scaffold import init_workspace
from features.workspace import Settings

SETTINGS = Settings()
IDS = ["C1", "C2", "C3", "a@b", "dev"]
SMALL = Catalogue(
    (Count(ANY, 30), Recency(ANY), LastChannel(ANY), LifetimeCount(ANY), LifetimeSum(ANY), ActiveDays(ANY, 365))
)
DAYS = st.integers(-5, 460).map(lambda day: START + day * DAY)


@st.composite
def logs(draw):
    """Links among a few ids, most of them strong, over the time of the interactions."""
    links = st.builds(
        Link,
        identifier=st.sampled_from(IDS),
        kind=st.sampled_from(["customer", "email", "email", "device", "device"]),
        customer=st.sampled_from(IDS),
        valid_from=DAYS,
        op=st.sampled_from(["link", "link", "link", "unlink"]),
        received_at=st.one_of(st.none(), DAYS),
    )
    erase = st.builds(Link, st.sampled_from(IDS), st.just("customer"), st.none(), DAYS, st.just("erase"), st.none())
    return draw(st.lists(links, max_size=8)) + draw(st.lists(erase, max_size=1))


def rewritten(rows, links, as_of):
    """What was known as of an instant, by person."""
    gone = erased(links)
    return table([
        row | {"customer_id": person(row["customer_id"], links, as_of)}
        for row in rows
        if row["customer_id"] not in gone
    ])  # fmt: skip


@settings(max_examples=60)
@given(interactions(customers=tuple(IDS)), logs(), st.lists(DAYS, min_size=1, max_size=4, unique=True))
def test_every_cutoff_sees_the_persons_of_its_time(rows, links, cutoffs):
    found = batch.compute(Past(table(rows), links=links_table(links)), cutoffs, SMALL, SETTINGS, workers=1)
    expected = [batch.compute(rewritten(rows, links, t), [t], SMALL, SETTINGS, workers=1) for t in cutoffs]
    assert found.customer_id.tolist() == [name for matrix in expected for name in matrix.customer_id]
    assert found.as_of.tolist() == [t for matrix in expected for t in matrix.as_of]
    same(found, np.concatenate([labelled(matrix) for matrix in expected]))


@settings(max_examples=60)
@given(
    interactions(customers=tuple(IDS)),
    logs(),
    st.lists(st.tuples(st.sampled_from([*IDS, "stranger"]), DAYS), min_size=1, max_size=6),
)
def test_any_id_of_a_person_stands_for_them_at_its_own_instant(rows, links, asked):
    customers, instants = [raw for raw, _ in asked], np.array([t for _, t in asked])
    past = Past(table(rows), links=links_table(links))
    found = batch.compute_at(past, customers, instants, SMALL, SETTINGS, workers=1)
    assert found.customer_id.tolist() == customers
    expected = []
    for raw, t in asked:
        known = rewritten(rows, links, t)
        at = np.array([t])
        expected.append(labelled(batch.compute_at(known, [person(raw, links, t)], at, SMALL, SETTINGS, workers=1)))
    same(found, np.concatenate(expected))


def labelled(matrix):
    """Values with labels in place of their positions, which depend on what else is in the log."""
    return matrix.to_pandas().astype(object).to_numpy()


def same(found, expected):
    actual = labelled(found)
    assert actual.shape == expected.shape
    for mine, theirs in zip(actual.ravel(), expected.ravel(), strict=True):
        assert mine == theirs or (mine != mine and theirs != theirs)


def test_a_merge_moves_nothing_in_earlier_features(tmp_path):
    """Through a workspace's own history: what was known then is what is known then, after the merge too."""
    workspace = init_workspace(tmp_path / "shop", {"tactful.yaml": "name: $name"})
    history = History(workspace)
    rows = [
        {"interaction_id": f"i{n}", "customer_id": ("C1", "C2", "cookie")[n % 3], "occurred_at": START + n * DAY,
         "received_at": START + n * DAY, "channel": "web", "direction": "inbound", "type": "purchase", "value": 1.0}
        for n in range(30)
    ]  # fmt: skip
    history.append(whole(rows), "test")
    early, late = START + 20 * DAY, START + 40 * DAY
    before = batch.compute(history.past(until=late), [early, late], SMALL, SETTINGS).to_arrow().to_pylist()
    merge = [Link("a@b", "email", "C1", early + 1), Link("a@b", "email", "C2", early + 2),
             Link("cookie", "cookie", "C2", early + 3)]  # fmt: skip
    receipt = history.append_links(links_table(merge).drop_columns("link_id"), "test")
    assert receipt.accepted == 3
    again = history.append_links(links_table(merge).drop_columns("link_id"), "test")
    assert again.duplicates == 3, "the same links are the same rows"
    after = batch.compute(history.past(until=late), [early, late], SMALL, SETTINGS).to_arrow().to_pylist()
    assert after[:3] == before[:3]
    (merged,) = after[3:]
    assert merged["customer_id"] == "C1"
    assert merged[LifetimeCount(ANY).name] == 30
    erase = [Link("C2", "customer", None, late, "erase")]
    history.append_links(links_table(erase).drop_columns("link_id"), "test")
    rest = batch.compute(history.past(until=late), [early, late], SMALL, SETTINGS)
    assert "C2" not in rest.customer_id
    assert rest.values[-2:, SMALL.names.index(LifetimeCount(ANY).name)].tolist() == [10, 10]


def whole(rows):
    from features.history import conform as complete
    from features.interactions import INSTANT

    columns = {name: pa.array([row[name] for row in rows]) for name in rows[0]}
    for name in ("occurred_at", "received_at"):
        columns[name] = columns[name].cast(INSTANT)
    return complete(pa.table(columns))
