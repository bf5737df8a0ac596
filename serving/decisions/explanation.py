"""Why a customer sees something, in words that they may be shown: from the signals that the action reveals, no others.

What the guard refuses as a signal (inferred, sensitive, too fresh, not signed in) is never put into words either.
"""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from serving.decisions import language
from serving.decisions.customer import Customer, Sighting
from serving.decisions.language import Language
from serving.decisions.policy import Action, Playbook, Signal


def says(action: Action, customer: Customer, playbook: Playbook, now: int) -> str:
    """The sentence for the first revealed signal that has one, else the action's own words, else the generic line."""
    words = language.of(playbook.languages, customer.attributes(now).get("language"))
    zone = _zone(customer, playbook, now)
    for signal in action.reveals:
        if (shown := _newest_shown(signal, customer, playbook, now)) is None:
            continue
        if signal.text is not None:
            return signal.text
        if (sentence := _sentence(shown, signal, words, zone)) is not None:
            return sentence
    return action.says or words.generic.format_map({"stop": words.stop, "topic": "", "month": "", "channel": ""})


def _newest_shown(signal: Signal, customer: Customer, playbook: Playbook, now: int) -> Sighting | None:
    """The newest interaction that the guard lets an action show."""
    rule = playbook.policy.signals
    if customer.sightings is None:
        return None
    return next(
        (
            sighting
            for sighting in customer.sightings.of(signal.type, signal.topic, signal.channel)
            if sighting.at <= now - rule.age
            and sighting.provenance in rule.provenance
            and (sighting.identified or not rule.identified)
        ),
        None,
    )


def _sentence(shown: Sighting, signal: Signal, words: Language, zone: ZoneInfo) -> str | None:
    """Says only what the signal names: a topic that the action does not reveal stays out of it."""
    topic = None
    if signal.topic is not None or (signal.type is not None and shown.topic is not None):
        topic = shown.topic
    places = {
        "month": words.months[datetime.fromtimestamp(shown.at // 1_000_000, zone).month - 1],
        "channel": words.channels.get(shown.channel, shown.channel.replace("_", " ")),
        "stop": words.stop,
    }
    if topic is not None:
        places["topic"] = words.topics.get(topic, topic.replace("_", " "))
    told = words.because_told if shown.provenance == "declared" else None
    for text in (told, words.because.get(shown.type), words.because_untold.get(shown.type), words.because_other):
        if text is not None:
            try:
                return text.format_map(places)
            except KeyError:
                continue  # it names a topic, and there is none to name
    return None


def _zone(customer: Customer, playbook: Playbook, now: int) -> ZoneInfo:
    """The customer's, else the company's: a purchase late on the 31st was in that month."""
    name = customer.attributes(now).get("time_zone")
    try:
        return ZoneInfo(name) if isinstance(name, str) else playbook.policy.company_zone
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return playbook.policy.company_zone
