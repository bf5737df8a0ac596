"""The policy in words: every key of both files is spoken of, and what changed between two versions is told."""

import re
from copy import deepcopy

import full_policy
import pytest
import yaml

from serving.console import action_words, policy_changes, policy_words
from serving.decisions.policy import Actions, Cap, ContactPolicy, Playbook

FULL_POLICY = ContactPolicy.model_validate(yaml.safe_load(full_policy.POLICY))
FULL_ACTIONS = Actions.model_validate(yaml.safe_load(full_policy.ACTIONS))


def said(policy):
    return [sentence for topic in policy_words.policy(policy, "EUR") for sentence in topic.sentences]


def leaves(full, default, path=()):
    """(path, the default's value) of everything that is stated otherwise in `full`; lists and free maps are leaves."""
    for key, value in full.items():
        other = default.get(key) if isinstance(default, dict) else None
        if isinstance(value, dict) and isinstance(other, dict) and other:
            yield from leaves(value, other, (*path, key))
        elif value != other:
            yield (*path, key), other


DUMPED = FULL_POLICY.model_dump(mode="json")
CHANGED = list(leaves(DUMPED, ContactPolicy().model_dump(mode="json")))


@pytest.mark.parametrize(("path", "other"), CHANGED, ids=[".".join(path) for path, _ in CHANGED])
def test_every_key_of_the_policy_is_spoken_of(path, other):
    full = deepcopy(DUMPED)
    if path[0] == "consent" and path[1] != "unknown":  # where silence is a yes, no more is to be said
        full["consent"]["unknown"] = "denied"
    changed = deepcopy(full)
    section = changed
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = other
    assert said(ContactPolicy.model_validate(changed)) != said(ContactPolicy.model_validate(full))


def test_the_keys_above_are_all_that_there_are():
    covered = {path[0] for path, _ in CHANGED}
    assert covered == set(ContactPolicy.model_fields), "full_policy states every key otherwise than its default"


INSIDE = [
    ("pressure", "limit", 2.0), ("pressure", "half_life", "9d"), ("pressure", "other", 0.3), ("quiet", "hours", None),
    ("quiet", "weekdays", []), ("quiet", "holidays", False), ("quiet", "country", None), ("quiet", "channels", None),
    ("maturity", "positives", 7), ("maturity", "least", 0.5), ("cap_levels", "salt", "other"),
    ("challenger", "share", 0.3), ("challenger", "salt", "other"), ("experiment", "salt", "other"),
]  # fmt: skip


@pytest.mark.parametrize(("section", "key", "value"), INSIDE, ids=[f"{s}.{k}" for s, k, _ in INSIDE])
def test_so_is_every_key_of_sections_that_may_be_left_out(section, key, value):
    changed = deepcopy(DUMPED)
    changed[section][key] = value
    assert said(ContactPolicy.model_validate(changed)) != said(FULL_POLICY)


@pytest.mark.parametrize("key", sorted(set(FULL_ACTIONS.actions[0].model_fields_set) - {"name"}))
def test_every_key_of_an_action_is_spoken_of(key):
    full = FULL_ACTIONS.actions[0]
    default = type(full).model_fields[key].get_default(call_default_factory=True)
    other = {"channels": {"web": {}}, "issue": "other", "group": "other"}.get(key, default)
    changed = type(full).model_validate(full.model_dump(by_alias=True) | {key: other})

    def words(action):
        return [action_words.title(action), *action_words.action(action, FULL_POLICY, "EUR")]

    assert words(changed) != words(full)


@pytest.mark.parametrize("action", FULL_ACTIONS.actions, ids=lambda action: action.name)
def test_sentences_are_sentences(action):
    sentences = action_words.action(action, FULL_POLICY, "EUR")
    for sentence in [*sentences, *said(FULL_POLICY), *said(ContactPolicy())]:
        assert sentence[0].isupper() or sentence[0].isdigit(), sentence
        assert sentence[-1] in ".”", sentence
        assert "_" not in re.sub("`[^`]*`", "", sentence), f"names are said as people say them: {sentence}"
        assert "None" not in sentence


def test_an_action_left_to_its_trigger_says_so():
    action = FULL_ACTIONS.by_name["basket"]
    left = action.model_copy(update={"trigger": action.trigger.model_copy(update={"only": True})})
    told, alone = (" ".join(action_words.action(each, FULL_POLICY, "EUR")) for each in (action, left))
    assert "never otherwise" not in told
    assert alone == told.replace("; at most once", ", and never otherwise; at most once")


def test_caps_are_told_as_they_bind():
    told = [policy_words.cap(cap) for cap in FULL_POLICY.caps]
    assert told == [
        "At most 3 contacts in all in any 7 days.",
        "At most 1 contact on email on any one day of the customer's own calendar.",
        "At most 2 contacts tagged reminder in any one month of the customer's own calendar.",
        "At most 9 contacts about grow in any one week, Monday to Sunday, of the customer's own calendar.",
        "At most 2 contacts from any one group in any 2 weeks.",
        "At most 1 contact with the action basket in any 90 minutes.",
    ]
    assert policy_words.cap(Cap(scope="total", max=0, window="1d")) == "Nobody is contacted in all, in any 1 day."
    assert policy_words.cap(Cap(scope="channel", name="phone", max=0, window="1d")) == "No contacts on phone."


def test_pressure_says_how_many_of_each_channel_it_allows():
    told = " ".join(said(ContactPolicy.model_validate({"pressure": {}})))
    assert "3 by phone, 4 by email or 10 by mail" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scores.churn > 0.5", "the probability that the customer leaves is more than 0.5"),
        (
            "features.open_cases >= 1 && attributes.country == 'DE'",
            "“cases that are open” is at least 1 and attributes country is DE",
        ),
        ("journey.stage == null", "their stage in the journey is not known"),
        ("size(features.x) > 1", "the rule `size(features.x) > 1` holds"),
        ("scores.churn != null", "the rule `scores.churn != null` holds"),
    ],
)
def test_rules_that_are_plain_comparisons_are_put_into_words(text, words):
    assert action_words.rule(text, {"open_cases": "cases that are open"}) == words


def test_changes_are_told_in_words_and_line_by_line():
    before = Playbook(FULL_ACTIONS, FULL_POLICY)
    stated = deepcopy(DUMPED) | {"holdout": {"share": 0.2, "salt": "spring"}}
    dearer = [
        action.model_copy(update={"value": 2.0}) if action.name == "stuck" else action
        for action in FULL_ACTIONS.actions
    ]
    after = Playbook(Actions(actions=dearer), ContactPolicy.model_validate(stated))
    found = policy_changes.changes(before, after, "EUR")
    assert [change.topic for change in found] == ["Left to chance, to measure", "Action stuck"]
    assert found[0].gone[0].startswith("10% of customers are never sold to")
    assert found[0].new[0].startswith("20% of customers are never sold to")
    assert (found[1].gone, found[1].new) == (
        ("An accepted offer is worth 1 EUR.",),
        ("An accepted offer is worth 2 EUR.",),
    )
    assert policy_changes.changes(before, before, "EUR") == []
    lines = policy_changes.lines({"a": "x: 1\ny: 2\n", "b": "same"}, {"a": "x: 1\ny: 3\n", "b": "same"})
    assert list(lines) == ["a"]
    assert "-y: 2" in lines["a"].splitlines()
    assert "+y: 3" in lines["a"].splitlines()
