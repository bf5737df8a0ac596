"""Stages of a journey by type, channel and topic: one place says which stage an interaction belongs to."""

import math
from itertools import pairwise

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interactions_for_tests import DAY, START, interactions, table
from pydantic import ValidationError

from features import batch, online
from features.catalogue import Catalogue
from features.kinds import DaysInStage, JourneyStage, StageBefore, StageChanges
from features.sensitive import sensitive_topics
from features.stages import Journey, StageOf
from features.vocabulary import Vocabulary
from features.workspace import Settings
from serving.decisions.triggers import Lexicon

CHANNELS, TYPES, TOPICS = ("web", "phone", "store"), ("call", "visit", "purchase"), (None, "billing", "quotes")
ENTRIES = [(channel, type_, topic) for channel in CHANNELS for type_ in TYPES for topic in TOPICS]
listed = st.sets(st.sampled_from(CHANNELS), max_size=2), st.sets(st.sampled_from(TYPES), max_size=2), st.sets(
    st.sampled_from(TOPICS[1:]), max_size=2
)  # fmt: skip
described = st.builds(
    lambda channel, type_, topic: {
        key: sorted(names) for key, names in (("channel", channel), ("type", type_), ("topic", topic)) if names
    },
    *listed,
).filter(bool)
stages_of = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.lists(st.sampled_from(TYPES) | described, min_size=1, max_size=3), min_size=1
)


def fitting(stages, entry):
    """Every (keys named, stage) that an interaction could belong to, by a plain reading."""
    channel, type_, topic = entry
    of = {"channel": channel, "type": type_, "topic": topic}
    found = []
    for stage, members in stages.items():
        for member in members:
            asked = {"type": [member]} if isinstance(member, str) else member
            if all(of[key] in names for key, names in asked.items()):
                found.append((len(asked), stage))
    return found


@settings(max_examples=100, deadline=None)
@given(stages_of)
def test_an_interaction_belongs_to_the_stage_that_describes_it_most_strictly(stages):
    try:
        journey = Journey(stages=stages)
    except ValidationError:
        assert any(
            len({stage for keys, stage in fitting(stages, entry) if keys == level}) > 1
            for entry in ENTRIES
            for level in (1, 2, 3)
        )
        return
    stage_of, names = StageOf(journey.stages), list(stages)
    for channel, type_, topic in ENTRIES:
        found = fitting(stages, (channel, type_, topic))
        expected = names.index(max(found)[1]) if found else -1
        assert stage_of(channel, type_, topic) == expected


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ({"a": ["call"], "b": ["call"]}, "type call is in a and b"),
        ({"a": ["call"], "b": [{"topic": "billing"}]}, "type call is in a and topic billing in b"),
        ({"a": []}, "stage a lists no type"),
        ({"a": [{"type": ["call", "visit"]}], "b": ["visit"]}, "type call or visit is in a and type visit in b"),
    ],
)
def test_what_could_be_two_stages_is_refused(stages, told):
    with pytest.raises(ValidationError, match=told):
        Journey(stages=stages)


def test_a_description_names_something():
    with pytest.raises(ValidationError, match="names none of type, channel, topic"):
        Journey(stages={"a": [{}]})


STRICT = Settings(
    journey={
        "stages": {
            "near": ["page_view", {"channel": "store", "type": ["contact", "survey"]}],
            "billing": [{"topic": "billing", "type": ["purchase", "complaint"]}],
            "bought": [{"type": "purchase", "channel": ["web", "phone"], "topic": ["delivery", "quotes"]}, "accepted"],
        }
    }
)
STAGED = Catalogue((JourneyStage(), StageBefore(), DaysInStage(), StageChanges(30)))


def naive_stage(row):
    """STRICT, by hand; of what fits, the description that names more."""
    if row["type"] == "purchase" and row["channel"] in ("web", "phone") and row["topic"] in ("delivery", "quotes"):
        return 2
    if row["topic"] == "billing" and row["type"] in ("purchase", "complaint"):
        return 1
    if row["type"] == "accepted":
        return 2
    met = row["channel"] == "store" and row["type"] in ("contact", "survey")
    return 0 if row["type"] == "page_view" or met else None


def by_hand(rows, t):
    """The four features of STAGED."""
    known = [row for row in oracle.known_at(rows, t, sensitive_topics(STRICT)) if row["occurred_at"] >= t - 400 * DAY]
    told = [(naive_stage(row), row["occurred_at"]) for row in known if naive_stage(row) is not None]
    changes = [(one[0], other[1]) for one, other in pairwise(told) if one[0] != other[0]]
    since = changes[-1][1] if changes else told[0][1] if told else 0
    recent = sum(at >= t - 30 * DAY for _, at in changes)
    if not told:
        return [math.nan, math.nan, math.nan, recent]
    return [told[-1][0], changes[-1][0] if changes else math.nan, (t - since) / DAY, recent]


@settings(max_examples=15, deadline=None)
@given(rows=interactions(), later=st.sampled_from((1, DAY, 30 * DAY)))
def test_strict_stages_agree_in_history_now_and_by_hand(rows, later):
    t = max((row["received_at"] for row in rows), default=START) + later
    expected = by_hand(rows, t)
    past = batch.compute_at(table(rows), ["ann"], np.array([t]), STAGED, STRICT, workers=1).values[0]
    np.testing.assert_allclose(past, expected)
    words = Vocabulary()
    items = online.items_from_table(table(rows), words, sensitive_topics(STRICT))
    state, _ = online.update(online.State(), items)
    np.testing.assert_array_equal(online.compute(state, t, STAGED.compile(words, STRICT)), past)


def test_triggers_and_features_mean_the_same_stage():
    entries = [(channel, "inbound", type_, topic) for channel, type_, topic in ENTRIES]
    stages = STRICT.journey.stages
    lexicon, stage_of = Lexicon(entries, stages), StageOf(stages)
    assert lexicon.stages == list(stages)
    assert lexicon.stage.tolist() == [stage_of(channel, type_, topic) for channel, type_, topic in ENTRIES]
