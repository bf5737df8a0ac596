"""The guard as a reader would write it who never heard of speed: one candidate, one rule, one sentence at a time.

It shares no code with serving.decisions.guard, and reads the raw list of what the customer told us.
"""

from collections.abc import Sequence

from serving.decisions.customer import Contact, Touch
from serving.decisions.decision import Candidate
from serving.decisions.policy import Actions, ContactPolicy
from serving.decisions.profile import Told

SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def length(text: str) -> int:
    return int(text[:-1]) * SECONDS[text[-1]] * 1_000_000


def consent_denied(channel: str, told: Sequence[Told], policy: ContactPolicy, inbound: bool) -> bool:
    """The newest word about the channel, else about everything; and any newer no about everything."""

    def newest(about: str) -> Told | None:
        words = [
            row
            for row in told
            if row.type in ("consent_given", "opted_out", "complained") and about in (row.scope or (row.channel,))
        ]
        return max(words, key=lambda row: (row.at, row.type != "consent_given"), default=None)

    narrow, wide = newest(channel), newest("*")
    if narrow is not None and wide is not None:
        refused_since = wide.type != "consent_given" and wide.at >= narrow.at
        return narrow.type != "consent_given" or refused_since
    word = narrow or wide
    if word is not None:
        return word.type != "consent_given"
    if policy.consent.unknown == "granted" or channel in policy.consent.assumed:
        return False
    return not (inbound and policy.consent.inbound_unknown == "granted")


def has_open_case(told: Sequence[Told], policy: ContactPolicy, now: int) -> bool:
    for opened in told:
        if opened.type not in policy.open_case.suppresses:
            continue
        if opened.case_id is None:
            if now < opened.at + length(policy.open_case.without_case):
                return True
            continue
        closings = [row for row in told if row.type == "case_closed" and row.case_id == opened.case_id]
        if not any((row.at, row.order) > (opened.at, opened.order) for row in closings):
            return True
    return False


def rests_after_complaint(told: Sequence[Told], policy: ContactPolicy, now: int) -> bool:
    rest = length(policy.cool_down.after_complaint)
    return any(row.type == "complained" and now < row.at + rest for row in told)


def rests_after_rejection(
    candidate: Candidate, told: Sequence[Told], actions: Actions, policy: ContactPolicy, now: int
) -> bool:
    mine, rule = candidate.action, policy.cool_down
    for row in told:
        if row.type != "rejected" or row.action is None:
            continue
        if row.action == mine.name:
            rest = rule.after_rejection.action
            if mine.group in rule.groups:
                rest = rule.groups[mine.group]
            if mine.name in rule.actions:
                rest = rule.actions[mine.name]
        elif row.action in actions.by_name and actions.by_name[row.action].group == mine.group:
            rest = rule.groups.get(mine.group, rule.after_rejection.group)
        else:
            continue
        if now < row.at + length(rest):
            return True
    return False


def stands(contact: Contact, since: int, now: int) -> bool:
    if not contact.counts:
        return False
    if contact.state == "reserved":
        return contact.expires_at > now
    if contact.state in ("claimed", "sent"):
        assert contact.touched_at is not None
        return contact.touched_at >= since
    return False


def caps_tripped(
    candidate: Candidate,
    contacts: Sequence[Contact],
    touches: Sequence[Touch],
    actions: Actions,
    policy: ContactPolicy,
    now: int,
) -> list[int]:
    """Positions of the caps that another contact would break."""
    tripped = []
    for i, cap in enumerate(policy.caps):
        mine = {
            "total": None,
            "channel": candidate.channel,
            "issue": candidate.action.issue,
            "group": candidate.action.group,
            "action": candidate.action.name,
        }[cap.scope]
        if cap.name is not None and cap.name != mine:
            continue
        since, number = now - length(cap.window), 0
        for contact in contacts:
            theirs = {
                "total": None,
                "channel": contact.channel,
                "issue": contact.issue,
                "group": contact.group,
                "action": contact.action,
            }[cap.scope]
            number += stands(contact, since, now) and theirs == mine
        for touch in touches:
            if touch.type in policy.not_contacts or touch.at < since:
                continue
            action = actions.by_name.get(touch.action or "")
            if action is not None and action.exempt and not policy.exempt[action.exempt].counts:
                continue
            theirs = {
                "total": None,
                "channel": touch.channel,
                "issue": action.issue if action else "",
                "group": action.group if action else "",
                "action": touch.action or "",
            }[cap.scope]
            number += theirs == mine
        if number >= cap.max:
            tripped.append(i)
    return tripped
