"""Decisions into the log with their contacts, as many at once as wait: each wins or loses by compare-and-swap.

Runs inside the writer's transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from serving.decisions.customer import Contact
from serving.store import contacts, identity, logged, outbox
from serving.store.protocol import Commit, Loggable, Outgoing
from serving.store.tx import Tx

_COLUMNS = ("decision_id", "request_id", "fingerprint", "customer_id", "at", "action", "body")
_NAMED = f"INSERT INTO decisions ({', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_ASSIGN = (
    "INSERT INTO customers (customer_id, version, seen_to, assigned_at) VALUES (?, 0, 0, ?) ON CONFLICT (customer_id) "
    "DO UPDATE SET assigned_at = coalesce(customers.assigned_at, excluded.assigned_at)"
)


class Asked(NamedTuple):
    """A decision as it is to be written; made outside the writer's thread."""

    row: tuple[Any, ...]  # of _COLUMNS
    request_id: str | None
    fingerprint: str
    judged: tuple[str, int, int]  # customer, version, now
    arm: tuple[str, int]  # the id that their arms are drawn by, now
    contacts: tuple[Contact, ...]
    outgoing: tuple[Outgoing, ...]
    nudge: tuple[str, str, int] | None  # customer, trigger, now

    @classmethod
    def of(cls, decision: Loggable) -> "Asked":
        request, at = decision.request, decision.at
        action, fingerprint = decision.chosen.action.name if decision.chosen else None, request.fingerprint
        row = (decision.decision_id, request.request_id, fingerprint, request.customer_id, at, action,
               decision.to_bytes())  # fmt: skip
        body, outgoing, nudge = decision.outbox, tuple[Outgoing, ...](), None
        if body is not None:
            outgoing = tuple(outbox.of_contact(each, body) for each in decision.contacts if each.state == "reserved")
            if (trigger := body.get("trigger")) is not None:
                nudge = (decision.judged_customer, str(trigger), at)
        return cls(row, request.request_id, fingerprint,
                   (decision.judged_customer, decision.judged_version, at), (decision.arm_id, at),
                   decision.contacts, outgoing, nudge)  # fmt: skip

    @property
    def customer_id(self) -> str:
        """The id that was asked about."""
        return str(self.row[3])

    @property
    def about(self) -> tuple[str, ...]:
        """Whom it changes."""
        return (self.judged[0],) if self.contacts else ()


def commit(tx: Tx, asked: Sequence[Asked]) -> list[Commit]:
    """One answer each. Of two that would reserve for one customer the later is lost: it was judged before the first."""
    named = [each.request_id for each in asked if each.request_id is not None]
    tx.beside({logged.matter(name) for name in named if "/" in name})  # a batch may be answering it just now
    found = logged.first_answers(tx, named)
    answers: list[Commit | None] = []
    reserving: dict[str, int] = {}
    new_ids: set[str] = set()
    for i, each in enumerate(asked):
        if each.request_id is not None and (first := found.get(each.request_id)) is not None:
            answers.append(Commit("repeated" if first[0] == each.fingerprint else "conflict", first[1]))
        elif each.request_id in new_ids or (each.contacts and each.judged[0] in reserving):
            answers.append(Commit("lost"))
        else:
            if each.request_id is not None:
                new_ids.add(each.request_id)
            if each.contacts:
                reserving[each.judged[0]] = i
            answers.append(None)
    order = sorted(reserving)
    if unseen := [customer for customer in order if not asked[reserving[customer]].judged[1]]:
        for customer in identity.locked(tx, unseen):  # erased since: whoever has no row has no version that tells
            answers[reserving.pop(customer)] = Commit("lost")
        order = sorted(reserving)
    won = contacts.bump(tx, [asked[reserving[customer]].judged for customer in order])
    for customer, swapped in zip(order, won, strict=True):
        if not swapped:
            answers[reserving[customer]] = Commit("lost")
    told = [each for each, answer in zip(asked, answers, strict=True) if answer is None]
    fresh, gone = strangers(tx, {each.arm[0] for each in told} | {each.customer_id for each in told})
    for i, each in enumerate(asked):
        if answers[i] is None and each.customer_id in gone:  # silence, of which nothing is kept
            answers[i] = Commit("committed") if not each.contacts else Commit("lost")
    open_ = [i for i, answer in enumerate(answers) if answer is None]
    for i, is_new in zip(open_, _log(tx, [asked[i] for i in open_]), strict=True):
        if not is_new:
            answers[i] = Commit("lost")
    _write(tx, [each for each, answer in zip(asked, answers, strict=True) if answer is None], fresh)
    return [Commit("committed") if answer is None else answer for answer in answers]


def _log(tx: Tx, asked: Sequence[Asked]) -> list[bool]:
    """Into the log; False where another instance has just answered the same request_id."""
    tx.load("decisions", _COLUMNS, [each.row for each in asked if each.request_id is None])
    named = sorted((each.row for each in asked if each.request_id is not None), key=lambda row: str(row[1]))
    new = dict(zip((row[1] for row in named), tx.each(_NAMED, named), strict=True))
    return [each.request_id is None or new[each.request_id] for each in asked]


def _write(tx: Tx, asked: Sequence[Asked], strangers: set[str]) -> None:
    """What comes with decisions that are in the log."""
    if not asked:
        return
    if fresh := [contact for each in asked for contact in each.contacts]:
        contacts.insert(tx, fresh)
    assign(tx, strangers, dict(reversed([each.arm for each in asked])))
    outbox.add(tx, [entry for each in asked for entry in each.outgoing])
    for nudge in (each.nudge for each in asked if each.nudge is not None):
        outbox.fired(tx, *nudge)


def assign(tx: Tx, strangers: Collection[str], arms: Mapping[str, int]) -> None:
    """Who is decided about for the first time counts as decided about since (`arms`: when, by the id of their arm)."""
    tx.executemany(_ASSIGN, [(customer, arms[customer]) for customer in sorted(set(strangers) & arms.keys())])


def strangers(tx: Tx, ids: Collection[str]) -> tuple[set[str], set[str]]:
    """Those of some ids that are decided about for the first time, and so keep the arm that they were given; and those
    who were erased."""
    if not ids:
        return set(), set()
    unknown = tx.execute(  # who is known is most, and each row of an answer takes its time
        "SELECT value FROM texts(?) WHERE NOT EXISTS "
        "(SELECT 1 FROM customers WHERE customer_id = value AND assigned_at IS NOT NULL)",
        (sorted(ids),),
    )
    fresh = {row[0] for row in unknown.fetchall()}
    gone = identity.erased(tx, fresh) if fresh else set()
    return fresh - gone, gone
