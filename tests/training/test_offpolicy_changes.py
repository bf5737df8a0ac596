"""Of which differences between two versions of the policy files a log can say what they would do."""

import pytest

from serving.decisions.policy import Actions, ContactPolicy, Playbook
from training.offpolicy.changes import changes

CLOSED = {"case_closed": True}


def playbook(trigger):
    action = {"name": "sorry", "issue": "service", "group": "service", "channels": ["email"], "trigger": trigger}
    return Playbook(Actions.model_validate({"actions": [action]}), ContactPolicy())


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        (CLOSED, {"stage": "leaving"}, True),  # who is nudged when changes no answer that was logged
        (CLOSED, CLOSED | {"only": True}, False),  # decisions would not have considered it any more
        (CLOSED | {"only": True}, None, False),
        (CLOSED | {"only": True}, {"stage": "leaving", "only": True}, True),
    ],
)
def test_a_trigger_changes_answers_where_the_action_is_left_to_it(before, after, known):
    (change,) = changes(playbook(before), playbook(after))
    assert change.key == "actions.sorry.trigger"
    assert (change.why_not is None) == known
