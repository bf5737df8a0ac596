"""What the propensity model is told about an offer: one function, for training and service alike."""

from serving.decisions.policy import Action

Inputs = dict[str, str | float | None]
#: What the names of inputs begin with that are an action's own attributes.
ATTRIBUTE = "action_attribute_"


def action_inputs(name: str, channel: str, action: Action | None) -> Inputs:
    """The model inputs of an action on a channel: text, a number, or None for unknown.

    `action` is its entry in actions.yaml, or None where the file no longer lists it. Own attributes follow as
    ATTRIBUTE and the key; those of the treatment win over those of the action.
    """
    inputs: Inputs = {
        "action_name": name,
        "action_channel": channel,
        "action_issue": None,
        "action_group": None,
        "action_value": None,
        "action_cost": None,
    }
    if action is None:
        return inputs
    treatment = action.channels.get(channel)
    inputs |= {"action_issue": action.issue, "action_group": action.group, "action_value": action.value}
    own = dict(action.attributes)
    if treatment is not None:
        inputs["action_cost"] = treatment.cost
        own |= treatment.attributes
    return inputs | {f"{ATTRIBUTE}{key}": _plain(value) for key, value in sorted(own.items())}


def _plain(value: bool | float | str) -> str | float:
    return value if isinstance(value, str) else float(value)
