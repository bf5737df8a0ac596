"""Codes are small, appended in a stable order, and never change meaning."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import vocabulary
from features.vocabulary import Vocabulary

ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["web", "store"]),
        st.sampled_from(["inbound", "outbound"]),
        st.sampled_from(["purchase", "call", "visit"]),
        st.sampled_from([None, "billing", "delivery", ""]),
    ),
    max_size=30,
)


def table(entries):
    names = ("channel", "direction", "type", "topic")
    return pa.table({name: pa.array([e[i] for e in entries], pa.string()) for i, name in enumerate(names)})


@given(ENTRIES, ENTRIES)
def test_columns_and_single_rows_get_the_same_codes(first, second):
    words = Vocabulary()
    for entries in (first, second):
        before = words.entries
        codes = words.encode(table(entries)).tolist()
        assert words.entries[: len(before)] == before, "codes are only ever appended"
        assert [words.entries[code] for code in codes] == entries
        assert [words.code(*entry) for entry in entries] == codes
    assert Vocabulary(words.entries).encode(table(first)).tolist() == words.encode(table(first)).tolist()


@given(ENTRIES, st.randoms())
def test_the_order_of_rows_and_the_path_through_the_code_do_not_matter(entries, random):
    words, shuffled = Vocabulary(), list(entries)
    words.encode(table(entries))
    random.shuffle(shuffled)
    again = Vocabulary()
    again.encode(table(shuffled))
    assert again.entries == words.entries
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "_DENSE", 0)
        sparse = Vocabulary()
        sparse.encode(table(shuffled))
    assert sparse.entries == words.entries


def test_dictionary_columns_in_several_chunks():
    entries = [("web", "inbound", "purchase", "billing"), ("store", "inbound", "call", None)]
    dictionaries = pa.concat_tables([dictionary(table(entries[:1])), dictionary(table(entries[1:]))])
    words = Vocabulary()
    assert [words.entries[code] for code in words.encode(dictionaries)] == entries


def dictionary(plain):
    return pa.table({name: plain.column(name).dictionary_encode() for name in plain.column_names})


def test_a_vocabulary_that_names_something_twice_is_refused():
    entry = ("web", "inbound", "purchase", None)
    with pytest.raises(ValueError, match="once"):
        Vocabulary([entry, entry])
