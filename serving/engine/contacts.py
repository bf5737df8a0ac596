"""A contact's life as channels tell it: claimed just before sending, then sent or failed."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from serving import metrics, shown
from serving.decisions import guard
from serving.decisions.customer import Contact, Customer
from serving.engine.waiting import Answer, done
from serving.problems import Problem
from serving.store.protocol import Conflict, Unknown, Verdict

if TYPE_CHECKING:
    from serving.engine.engine import Engine


async def claim(engine: "Engine", contact_id: str, claim_id: str | None) -> Answer:
    """The channel is about to send: judged once more, with what is known by now. Once by `claim_id`, if it has one."""
    now, recheck = engine.clock.now(), partial(_recheck, engine)
    return await _moved(engine, contact_id, lambda: engine.store.claim(contact_id, now, recheck, claim_id))


async def sent(engine: "Engine", contact_id: str) -> Answer:
    return await _moved(engine, contact_id, lambda: engine.store.sent(contact_id, engine.clock.now()))


async def failed(engine: "Engine", contact_id: str, detail: str | None) -> Answer:
    return await _moved(engine, contact_id, lambda: engine.store.failed(contact_id, engine.clock.now(), detail or ""))


def _recheck(engine: "Engine", customer: Customer, contact: Contact, now: int) -> Verdict:
    """By the playbook in use; with the customer's local day, which the claim is stamped with."""
    playbook = engine.playbook
    trips = guard.judge_claim(customer, contact, playbook, now)
    return Verdict("; ".join(trip.text for trip in trips) or None, *guard.stamp(customer, playbook, now))


async def _moved(engine: "Engine", contact_id: str, move: Callable[[], "Future[Contact]"]) -> Answer:
    """Counted where it changed something: of a report and its repetition at once, both may have."""
    before = await engine.aside(engine.store.contact, contact_id)
    try:
        contact = await done(move())
    except Unknown as error:
        raise Problem("not-found", str(error)) from None
    except Conflict as error:
        raise Problem("conflict", str(error)) from None
    answer = shown.contact(contact)
    if before is None or before.state != contact.state:
        metrics.moved(answer)
    return answer
