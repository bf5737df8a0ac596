"""Not creepy: what an action shows that we know must be something the customer knowingly told or showed us.

Sensitive topics never enter a customer's state, so no action can rest on them.
"""

from serving.decisions.customer import Customer, Evidence
from serving.decisions.policy import Signal, Signals


def evidence(customer: Customer, signal: Signal, rule: Signals, now: int) -> Evidence:
    """The newest interaction that the signal may rest on, or why there is none and from when on there would be."""
    sightings = customer.sightings
    found = [] if sightings is None else sightings.of(signal.type, signal.topic, signal.channel)
    found = [each for each in found if each.at <= now]
    if not found:
        return Evidence(None, "nothing of the kind is known")
    knowing = [
        each for each in found if each.provenance in rule.provenance and (each.identified or not rule.identified)
    ]
    if not knowing:
        return Evidence(None, "the customer did not knowingly tell us")
    old = [each.at for each in knowing if each.at <= now - rule.age]
    if old:
        return Evidence(max(old))
    return Evidence(None, f"it is younger than {rule.minimum_age}", min(each.at for each in knowing) + rule.age)


def described(signal: Signal) -> str:
    """A signal in a few words."""
    return " ".join(part for part in (signal.type, signal.topic, signal.channel and f"on {signal.channel}") if part)
