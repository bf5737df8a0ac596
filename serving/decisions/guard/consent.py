"""Consent by channel and purpose. What is not known is what the policy says silence means; a no stands."""

from serving.decisions.customer import Customer
from serving.decisions.fate import Trip
from serving.decisions.guard.gates import day
from serving.decisions.policy import Consent
from serving.decisions.profile import ERASED, EVERYWHERE, Said
from serving.decisions.request import Direction


def refusal(
    customer: Customer, rule: Consent, channel: str, purpose: str, now: int, direction: Direction
) -> Trip | None:
    """Why nothing may be said on a channel for a purpose; None where it may."""
    said = customer.profile.said(channel, purpose)
    if not rule.purposes and said is not None and said.granted:  # a no to the purpose is a no in any case
        said = customer.profile.said(channel)
    stated = _stated(customer, channel, purpose, now)
    if stated is not None and not stated.granted and (said is None or not said.granted or stated.at > said.at):
        said = said if said is not None and not said.granted else stated
    elif said is None:
        said = stated
    if said is not None:
        if said.granted:
            return None
        why = "was erased, and is left alone" if said == ERASED else f"opted out of {channel} on {day(said.at)}"
        return Trip("opt-out", why, None)
    granted = rule.unknown == "granted" or channel in rule.assumed
    if granted or (direction == "inbound" and rule.inbound_unknown == "granted"):
        return None
    return Trip("consent", f"consent for {channel} is unknown", None)


def _stated(customer: Customer, channel: str, purpose: str, now: int) -> Said | None:
    """What the company's records say: attribute `consent`, {"email": {"marketing": true}} or {"email": true}.

    It never lifts what the customer told us not to do: a record may be older than it looks.
    """
    fact = customer.profile.fact("consent", now)
    if fact is None or not isinstance(fact.value, dict):
        return None
    for key in (channel, EVERYWHERE):
        stated = fact.value.get(key)
        if isinstance(stated, dict):
            stated = stated.get(purpose, stated.get(EVERYWHERE))
        if isinstance(stated, bool):
            return Said(fact.valid_from, 0, stated)
    return None
