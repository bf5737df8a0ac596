"""What the vocabulary's codes are to a decision: tables that say what the entries say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.kernel.notable import OUTBOUND, PLAIN
from features.vocabulary import Vocabulary
from serving.store import codes
from serving.store.codes import Codes
from serving.store.words import Words

NAMES = st.sampled_from(["a", "b", "c"])
ENTRIES = st.tuples(NAMES, st.sampled_from(["inbound", "outbound"]), NAMES, st.none() | NAMES)


@given(st.lists(ENTRIES, unique=True, max_size=20), st.none() | NAMES, st.none() | NAMES, st.none() | NAMES)
def test_tables_say_what_the_entries_say(entries, type, topic, channel):
    found = Codes(entries)
    channels = {}
    for entry, sort, fits in zip(entries, found.sorts, found.inbound(type, topic, channel), strict=True):
        if entry[1] == "outbound":
            assert sort == OUTBOUND
        elif entry[3] is None:
            assert sort == PLAIN
        else:
            assert channels.setdefault(entry[0], sort) == sort >= 0
        asked = zip((channel, "inbound", type, topic), entry, strict=True)
        assert fits == all(wanted is None or wanted == said for wanted, said in asked)
    assert len(set(channels.values())) == len(channels)


def test_a_grown_vocabulary_has_other_tables_and_the_old_ones_stay_as_they_were():
    words = Words()
    words.vocabulary = Vocabulary([("web", "inbound", "visit", "shoes")])
    before = words.codes()
    assert words.codes() is before
    words.vocabulary.code("phone", "outbound", "call", None)
    assert words.codes().sorts.tolist() == [1, OUTBOUND]
    assert before.sorts.tolist() == [0]


def test_answers_of_policies_long_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(codes, "MOST", 2)
    found = Codes([("web", "inbound", "visit", "shoes")])
    first = found.inbound("visit", None, None)
    assert found.inbound("visit", None, None) is first
    found.inbound("call", None, None)
    found.inbound("mail", None, None)
    again = found.inbound("visit", None, None)
    assert again is not first
    assert again.tolist() == [True]
