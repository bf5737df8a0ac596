"""Everything that counts toward caps and pressure: our own contacts, and what other tools sent, each once."""

from typing import NamedTuple

from features import clock
from serving.decisions.customer import Customer
from serving.decisions.policy import Playbook

#: How long silence is waited out after a contact of which no window is known.
RESPONSE = 7 * clock.DAY


class Standing(NamedTuple):
    """One contact as the guard sees it.

    It was made at `at`; or it is reserved, and may be claimed at any moment before `held`: then it stands in every
    window until that. `local_day` is as stamped at the claim.
    """

    at: int
    held: int | None
    channel: str
    issue: str | None
    group: str | None
    action: str | None
    tags: tuple[str, ...]
    local_day: str | None
    respond_by: int


def standing(customer: Customer, playbook: Playbook, now: int, without_reserved: bool = False) -> list[Standing]:
    """`without_reserved` for judging a claim: every other reservation is judged when its own moment comes."""
    by_name, policy = playbook.actions.by_name, playbook.policy
    found: list[Standing] = []
    for contact in customer.contacts:
        state, held = contact.state, None
        if state == "reserved":
            held = contact.expires_at
            if without_reserved or held <= now:
                continue
        elif state != "sent" and state != "claimed":
            continue
        if not contact.counts:
            continue
        at = now if held is not None or contact.touched_at is None else contact.touched_at
        respond_by = contact.respond_by
        if respond_by is None:
            action = by_name.get(contact.action)
            respond_by = at + (RESPONSE if action is None else action.response)
        found.append(
            Standing(
                at, held, contact.channel, contact.issue, contact.group, contact.action, contact.tags,
                contact.local_day, respond_by,
            )
        )  # fmt: skip
    for touch in customer.touches:
        if touch.type in policy.not_contacts:
            continue
        action = by_name.get(touch.action) if touch.action is not None else None
        if action is None:
            found.append(
                Standing(touch.at, None, touch.channel, None, None, touch.action, (), None, touch.at + RESPONSE)
            )
        elif policy.counts(action):
            found.append(
                Standing(
                    touch.at, None, touch.channel, action.issue, action.group, action.name, tuple(action.tags),
                    None, touch.at + action.response,
                )
            )  # fmt: skip
    return found
