"""Who is who as of an instant: against a naive oracle, and the cases that people get wrong."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from identity_oracle import KINDS, Link, erased, person

from features.identity.links import LINKS, conform, links_from, misfit, without_erased
from features.identity.links import erased as erased_in
from features.identity.resolution import graph, representatives, resolve, resolved
from features.interactions import INSTANT
from features.workspace import Settings

SETTINGS = Settings()
IDS = ["C1", "C2", "C3", "c4", "a@b", "x@y", "dev", "dev2"]


def table(links):
    """The log of some links, with ids of their own: making them of the content costs a test its patience."""
    received = [link.valid_from if link.received_at is None else link.received_at for link in links]
    columns = {
        "link_id": [str(i) for i in range(len(links))],
        "identifier": [link.identifier for link in links],
        "kind": [link.kind for link in links],
        "customer_id": [link.customer for link in links],
        "valid_from": [link.valid_from for link in links],
        "op": [link.op for link in links],
        "received_at": received,
    }
    return pa.table(columns, schema=LINKS)


@st.composite
def link_logs(draw, most=14, ids=IDS, instants=8):
    """Logs with few ids and instants, so that everything collides."""
    link = st.builds(
        Link,
        identifier=st.sampled_from(ids),
        kind=st.sampled_from(["customer", *KINDS]),
        customer=st.sampled_from(ids),
        valid_from=st.integers(1, instants),
        op=st.sampled_from(["link", "link", "link", "link", "unlink", "unlink"]),
        received_at=st.one_of(st.none(), st.integers(1, instants)),
    )
    erase = st.builds(Link, st.sampled_from(ids), st.just("customer"), st.none(), st.integers(1, instants),
                      st.just("erase"), st.none())  # fmt: skip
    found = draw(st.lists(link, max_size=most))
    return found + draw(st.lists(erase, max_size=1))


@given(link_logs(), st.integers(0, 9))
def test_as_the_oracle_says(links, as_of):
    mapping = resolve(table(links), as_of, SETTINGS)
    for raw in IDS:
        assert mapping.get(raw, raw) == person(raw, links, as_of), raw
    assert erased_in(table(links)) == erased(links)


@given(link_logs(), st.integers(0, 9), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(links, as_of, random):
    shuffled = links + links[: len(links) // 2]
    random.shuffle(shuffled)
    assert resolve(table(shuffled), as_of, SETTINGS) == resolve(table(links), as_of, SETTINGS)


@given(link_logs(), link_logs(), st.integers(0, 4))
def test_what_is_learned_later_changes_nothing_earlier(links, later, as_of):
    links = [link for link in links if link.op != "erase"]
    later = [link._replace(received_at=as_of + 1) for link in later if link.op != "erase"]
    assert resolve(table(links + later), as_of, SETTINGS) == resolve(table(links), as_of, SETTINGS)


@given(link_logs())
def test_representatives_keep_together_whoever_is_one_at_any_instant(links):
    of, found = representatives(table(links), SETTINGS), graph(table(links), SETTINGS)
    for as_of in range(9):
        for raw, customer in zip(found.texts, found.texts[found.persons(as_of)], strict=True):
            assert of.get(raw, raw) == of.get(customer, customer)


def test_a_shared_device_merges_nobody_and_keeps_strangers_apart():
    links = [Link("kiosk", "device", "C1", 1), Link("kiosk", "device", "C2", 5), Link("kiosk", "device", "C3", 6)]
    log = table(links)
    assert resolve(log, 4, SETTINGS) == {"kiosk": "C1"}, "one person's, with all it ever did"
    assert resolve(log, 5, SETTINGS) == {}, "two people's: nobody's"
    assert representatives(log, SETTINGS) == {"kiosk": "C1"}, "and C2, C3 need not lie where C1 does"


def test_a_device_of_two_ids_that_turn_out_to_be_one_person_is_theirs():
    log = table([Link("phone", "device", "C1", 1), Link("phone", "device", "C2", 2), Link("a@b", "email", "C1", 3),
                 Link("a@b", "email", "C2", 4)])  # fmt: skip
    assert resolve(log, 3, SETTINGS) == {"a@b": "C1"}
    assert resolve(log, 4, SETTINGS) == {"a@b": "C1", "C2": "C1", "phone": "C1"}


def test_merge_and_split_by_the_oldest_id():
    links = [Link("a@b", "email", "C2", 3), Link("a@b", "email", "C1", 4), Link("a@b", "email", "C1", 6, "unlink")]
    log = table(links)
    assert resolve(log, 3, SETTINGS) == {"a@b": "C2"}
    assert resolve(log, 5, SETTINGS) == {"a@b": "C2", "C1": "C2"}
    assert resolve(log, 6, SETTINGS) == {"a@b": "C2"}


def test_the_weightiest_kind_of_a_text_counts():
    log = table([Link("0123", "phone", "C1", 1), Link("0123", "login", "C2", 1)])
    assert resolve(log, 1, SETTINGS) == {"0123": "C2"}, "a login before a phone number, and they merge nobody"


def test_kinds_are_the_workspaces():
    weak = Settings.model_validate({"identity": {"kinds": {"email": "weak"}}})
    log = table([Link("a@b", "email", "C1", 1), Link("a@b", "email", "C2", 2), Link("dev", "device", "C1", 1)])
    assert resolve(log, 1, weak) == {"a@b": "C1"}, "device is no kind there"
    assert resolve(log, 2, weak) == {}
    with pytest.raises(ValueError, match="always strong"):
        Settings.model_validate({"identity": {"kinds": {"customer": "weak"}}})


def test_erased_for_good():
    links = [Link("C2", "customer", None, 9, "erase"), Link("a@b", "email", "C1", 1), Link("a@b", "email", "C2", 2),
             Link("x@y", "email", "C2", 20)]  # fmt: skip
    assert resolve(table(links), 30, SETTINGS) == {"a@b": "C1"}, "neither before nor by a later link"
    some = pa.table({"customer_id": ["C1", "C2", "a@b"], "n": [1, 2, 3]})
    assert without_erased(some, erased_in(table(links)))["n"].to_pylist() == [1, 3]
    assert resolved(some, table(links), 30, SETTINGS).to_pydict() == {"customer_id": ["C1", "C1"], "n": [1, 3]}


def test_one_row_is_one_link_however_it_is_written():
    short = pa.table({
        "identifier": ["a"], "kind": ["email"], "customer_id": ["C1"], "valid_from": pa.array([7], INSTANT),
    })  # fmt: skip
    whole = links_from(["a"], ["email"], ["C1"], [7], ["link"], [9])
    assert conform(short)["link_id"].to_pylist() == whole["link_id"].to_pylist()
    assert conform(short).schema == LINKS
    assert conform(short)["received_at"].cast(pa.int64()).to_pylist() == [7]
    other = links_from(["a"], ["email"], ["C1"], [8])
    assert other["link_id"].to_pylist() != whole["link_id"].to_pylist()
    with pytest.raises(ValueError, match="valid_from"):
        conform(short.drop_columns("valid_from"))


@pytest.mark.parametrize(
    ("link", "says"),
    [
        (("", "email", "C1", "link"), "identifier: is missing"),
        (("a", "e-mail", "C1", "link"), "kind: 'e-mail' is not known"),
        (("a", "email", None, "link"), "customer_id: is missing"),
        (("a", "email", "C1", "merge"), "op: 'merge' is not known"),
        (("Unknown", "cookie", "C1", "link"), "stands for an unknown one"),
        (("a", "email", "null", "link"), "stands for an unknown one"),
    ],
)
def test_misfits_say_what_to_do(link, says):
    assert says in str(misfit(*link, SETTINGS))


def test_no_misfits():
    assert misfit("a", "email", "C1", "link", SETTINGS) is None
    assert misfit("C1", "customer", "C2", "unlink", SETTINGS) is None
    assert misfit("C1", "customer", None, "erase", SETTINGS) is None


def test_nothing_to_resolve():
    assert resolve(None, 5, SETTINGS) == {}
    assert resolve(LINKS.empty_table(), 5, SETTINGS) == {}
    assert representatives(None, SETTINGS) == {}


def test_a_device_used_by_a_million_costs_no_square():
    n = 50_000
    log = links_from(["kiosk"] * n, ["device"] * n, [f"C{i}" for i in range(n)], list(range(1, n + 1)))
    assert resolve(log, n, SETTINGS) == {}
    assert representatives(log, SETTINGS) == {"kiosk": "C0"}
