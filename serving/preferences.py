"""What customers wish, told and shown. Wishes are interactions: idempotent, in history, and back after a lost store."""

from typing import TYPE_CHECKING, Any

import orjson

from features import clock
from features.interactions import AS_USUAL, CONSENT_GIVEN, LESS_OFTEN, OPTED_OUT, PAUSED
from serving import intake
from serving.decisions.profile import Profile
from serving.engine.waiting import Answer, done
from serving.problems import FieldError, invalid
from serving.schemas_people import Consent, PreferencesRequest
from serving.store.protocol import Read

if TYPE_CHECKING:
    from serving.engine import Engine

_DEFAULT = "web"


async def tell(engine: "Engine", asked: PreferencesRequest) -> Answer:
    """Records what was asked, on disk on return, and answers with what binds now."""
    settings = engine.workspace.settings
    customer = (await engine.fetch(asked.customer_id)).customer
    now = customer.now(engine.clock.now())  # a wish is not older than what we know already, least of all a wish
    at = max(now, _last_wish(customer.profile) + 1) if asked.occurred_at is None else asked.occurred_at
    channel = asked.channel or (_DEFAULT if _DEFAULT in settings.channels else settings.channels[0])
    problems = intake.misfits(channel, at, settings.channels, now)
    for i, each in enumerate(asked.consent):
        for name in each.channels if each.channels != "all" else ():
            if name not in settings.channels:
                problems.append(_named(intake.unknown_channel(name, settings.channels), f"consent.{i}.channels"))
    if await engine.aside(engine.store.erased, [asked.customer_id]):
        problems.append(FieldError("customer_id", "was erased", "send nothing more about this customer"))
    if problems:
        raise invalid(problems)
    first = asked.preference_id or f"preference-{engine.random.getrandbits(96):024x}"
    rows = [
        {
            "interaction_id": f"{first}:{i}",
            "customer_id": asked.customer_id,
            "occurred_at": said_at,
            "channel": channel,
            "direction": "inbound",
            "type": type_,
            "identified": True,
            "provenance": "declared",
            "received_at": max(now, said_at),
            "attributes": None if attributes is None else orjson.dumps(attributes).decode(),
        }
        for i, (type_, said_at, attributes) in enumerate(_wishes(asked, at))
    ]
    receipt = await done(engine.store.record(rows))
    binds = await engine.aside(shown, engine, asked.customer_id)
    return binds | {"accepted": receipt.accepted, "duplicates": receipt.duplicates}


def shown(engine: "Engine", customer_id: str) -> Answer:
    """What binds now, of the person that an id belongs to."""
    return _shown(engine.read(customer_id), customer_id, engine.clock.now())


def _shown(read: Read, customer_id: str, clock_now: int) -> Answer:
    customer = read.customer
    now, profile = customer.now(clock_now), customer.profile
    consent = []
    for key in sorted(profile.consent):
        channel, _, purpose = key.partition("/")
        said = profile.said(channel, purpose or None)
        if said is not None:
            since = clock.isoformat(said.at)
            consent.append(
                {"channel": _all(channel), "purpose": _all(purpose), "granted": said.granted, "since": since}
            )
    less = profile.less_often is not None and not profile.less_often.granted
    until = profile.paused.until if profile.paused is not None and profile.paused.until > now else None
    return {
        "customer_id": customer_id,
        "consent": consent,
        "contact": "less_often" if less else "as_usual",
        "paused_until": None if until is None else clock.isoformat(until),
        "restricted": customer.restricted,
    }


def _last_wish(profile: Profile) -> int:
    told = [*profile.consent.values(), profile.less_often, profile.paused]
    return max((each.at for each in told if each is not None), default=0)


def _wishes(asked: PreferencesRequest, at: int) -> list[tuple[str, int, dict[str, Any] | None]]:
    """(type, when, attributes) of each; a yes a microsecond later, so that the narrower one outlasts a wider no."""
    found: list[tuple[str, int, dict[str, Any] | None]] = [
        (CONSENT_GIVEN if each.granted else OPTED_OUT, at + each.granted, _scope(each))
        for each in sorted(asked.consent, key=lambda consent: consent.granted)
    ]
    if asked.contact is not None:
        found.append((LESS_OFTEN if asked.contact == "less_often" else AS_USUAL, at, None))
    if asked.pause_until is not None:
        found.append((PAUSED, at, {"until": clock.isoformat(asked.pause_until)}))
    return found


def _scope(each: Consent) -> dict[str, Any]:
    found: dict[str, Any] = {"channels": each.channels}
    return found if each.purposes == "all" else found | {"purposes": each.purposes}


def _all(name: str) -> str:
    return "all" if name in ("", "*") else name


def _named(error: FieldError, field: str) -> FieldError:
    return FieldError(field, error.what, error.fix)
