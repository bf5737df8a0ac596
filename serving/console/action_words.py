"""actions.yaml in plain sentences: what an action offers, to whom, when by itself, and what it is worth."""

import re
from collections.abc import Iterator, Mapping

from serving.console.policy_words import counted, duration, human, listed, plain
from serving.decisions.policy import Action, ContactPolicy, Trigger

#: One comparison of a rule; longer rules are these, joined by &&. What does not fit is shown as it was written.
COMPARISON = re.compile(
    r"\s*(features|scores|attributes|context|journey|request)\.([A-Za-z_][A-Za-z0-9_]*)\s*(==|!=|>=|<=|>|<)\s*"
    r"(-?[0-9]+(?:\.[0-9]+)?|\"[^\"]*\"|'[^']*'|true|false|null)\s*"
)
MEANT = {
    "==": "is",
    "!=": "is not",
    ">": "is more than",
    ">=": "is at least",
    "<": "is less than",
    "<=": "is at most",
}
KNOWN = {
    ("scores", "churn"): "the probability that the customer leaves",
    ("journey", "stage"): "their stage in the journey",
    ("request", "channel"): "the channel that asks",
    ("request", "direction"): "the direction of the contact",
}
RULES = {"eligible": "Only where", "applicable": "Fits only where", "suitable": "In the customer's interest only where"}


def title(action: Action) -> str:
    """What people read."""
    return action.title or human(action.name)


def action(stated: Action, policy: ContactPolicy, currency: str, texts: Mapping[str, str] | None = None) -> list[str]:
    """Everything that is stated of an action; `texts` are the catalogue's, by feature name, for its rules."""
    return list(_sentences(stated, policy, currency, texts or {}))


def _sentences(stated: Action, policy: ContactPolicy, currency: str, texts: Mapping[str, str]) -> Iterator[str]:
    kind = "sells" if policy.sells(stated) else "helps"
    yield f"It {kind}: issue {human(stated.issue)}, group {human(stated.group)}."
    yield f"It asks for consent to {human(policy.purpose(stated))}."
    for name, treatment in stated.channels.items():
        told = f"Offered on {human(name)} for {plain(treatment.cost)} {currency} a contact"
        if treatment.weight != 1:
            told += f", where it counts {plain(treatment.weight)} times"
        yield f"{told}{_others(treatment.attributes)}."
    yield f"An accepted offer is worth {plain(stated.value)} {currency}."
    if stated.lever != 1:
        yield (
            f"A business lever counts it {plain(stated.lever)} times."
            if stated.lever
            else "Its lever is 0: never made."
        )
    if stated.objective is not None:
        yield f"It serves the goal {human(stated.objective)}."
    if stated.tags:
        yield f"Tagged {listed([human(tag) for tag in stated.tags])}."
    if stated.exempt is not None:
        yield f"It passes caps as {human(stated.exempt)}."
    if stated.valid.start is not None or stated.valid.end is not None:
        begin = f" from {stated.valid.start}" if stated.valid.start is not None else ""
        end = f" until {stated.valid.end}, that day not included" if stated.valid.end is not None else ""
        yield f"Offered{begin}{end}."
    if stated.volume is not None:
        yield f"At most {counted(stated.volume, 'contact')} a day, over all customers."
    yield f"Silence for {duration(stated.response_window)} after a contact is no response."
    if stated.stages:
        yield f"Only in the journey's stage {listed([human(stage) for stage in stated.stages], 'or')}."
    for name, begins in RULES.items():
        if (text := getattr(stated, name)) is not None:
            yield f"{begins} {rule(text, texts)}."
    if stated.trigger is not None:
        yield _trigger(stated.trigger)
    for signal in stated.reveals:
        of = [human(part) for part in (signal.type, signal.topic, signal.channel) if part is not None]
        put = f", put as “{signal.text}”" if signal.text is not None else ""
        yield f"It shows the customer that we know of: {' / '.join(of)}{put}."
    if stated.says is not None:
        yield f"Why, in the customer's words: “{stated.says}”"
    if stated.attributes:
        yield f"Told to the model{_others(stated.attributes)}."


def rule(text: str, texts: Mapping[str, str]) -> str:
    """A rule in words where it is comparisons joined by &&; else as it was written.

    >>> rule("scores.churn != null && scores.churn > 0.5", {})
    'the probability that the customer leaves is more than 0.5'
    """
    parts = text.split("&&")
    found = [COMPARISON.fullmatch(part) for part in parts]
    if not all(found):
        return f"the rule `{text.strip()}` holds"
    said = []
    for match in found:
        assert match is not None
        of, name, compared, value = match.groups()
        if value == "null" and compared == "!=":  # a rule that cannot be answered is a no in any case
            continue
        what = KNOWN.get((of, name))
        if what is None:
            what = f"“{texts[name]}”" if of == "features" and name in texts else f"{of} {human(name)}"
        said.append(f"{what} {MEANT[compared]} {_value(value)}")
    return listed(said) or f"the rule `{text.strip()}` holds"


def _value(text: str) -> str:
    return {"true": "yes", "false": "no", "null": "not known"}.get(text, text.strip("\"'"))


def _others(attributes: Mapping[str, bool | float | str]) -> str:
    if not attributes:
        return ""
    said = [f"{human(name)} {_stated(value)}" for name, value in attributes.items()]
    return f": {listed(said)}"


def _stated(value: bool | float | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else plain(value)


def _trigger(trigger: Trigger) -> str:
    never = ", and never otherwise" if trigger.only else ""
    again = f"{never}; at most once in {duration(trigger.again)} for one customer"
    if trigger.stage is not None:
        return f"It comes up by itself when a customer reaches the stage {human(trigger.stage)}{again}."
    if trigger.stalled is not None:
        stalled = trigger.stalled
        return f"It comes up by itself after {duration(stalled.length)} in the stage {human(stalled.stage)}{again}."
    if trigger.abandoned is not None:
        left = trigger.abandoned
        without = listed([human(name) for name in left.without], "or")
        return f"It comes up by itself {duration(left.after)} after {human(left.type)} without {without}{again}."
    if trigger.date is not None:
        date = trigger.date
        when = f"{duration(date.before)} before the customer's {human(date.attribute)}"
        return f"It comes up by itself {when}{', every year' if date.yearly else ''}{again}."
    about = "" if trigger.case_closed is True else f" about {human(str(trigger.case_closed))}"
    return f"It comes up by itself when a service case{about} is closed{again}."
