"""What a store can do. One protocol, one test suite; SQLite by default, PostgreSQL where several machines decide.

Reads return at once. Writes return a `concurrent.futures.Future` that resolves once they are on disk: call
`.result()` in plain code, `await landed(future)` in asyncio (see landing.py). Instants are int microseconds UTC.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa

from features.frozen import quickly_made
from features.state import State
from features.vocabulary import Vocabulary
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact, Customer
from serving.decisions.request import Request


class Conflict(Exception):
    """What was asked cannot be done any more, and why: the service answers 409."""


class Unavailable(Exception):
    """The store cannot write now (disk full, locked, closed): the service answers 503."""


class Unknown(Exception):
    """No such contact: the service answers 404."""


@quickly_made
@dataclass(frozen=True)
class Read:
    """One customer, with all their ids, in one snapshot: what the guard judges, and the packed state (or none).

    `opened` is the same state as arrays: whoever read it has looked into it already.

    `customer.touches` are the contacts of other tools, already without our own. `customer.arm_id` is the one of the
    person's ids that was decided about first, and stays it whoever is merged with them.
    """

    customer: Customer
    state: bytes
    opened: State

    @property
    def version(self) -> int:
        return self.customer.version


@dataclass(frozen=True)
class Commit:
    """What became of a decision that was to be logged.

    committed: it is on disk, and its contact is reserved. lost: the customer changed since it was judged, so read,
    judge and draw again with the same random number. repeated: this request_id was answered before with `first`.
    conflict: this request_id was answered before, for another question.
    """

    status: Literal["committed", "lost", "repeated", "conflict"]
    first: bytes | None = None


@dataclass(frozen=True)
class Receipt:
    """What became of recorded interactions; `fresh[i]` says whether row i was new."""

    received: int
    accepted: int
    duplicates: int
    fresh: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Key:
    """An API key: its SHA-256 and what it may do."""

    name: str
    hash: str
    scope: str
    created_at: int
    revoked_at: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What judging a claim again says: why the contact may not go out now (None: it may), and what to stamp on it.

    `local_day` ('2026-05-04') and `zone` are the customer's own at this instant.
    """

    why: str | None = None
    local_day: str | None = None
    zone: str | None = None


@dataclass(frozen=True)
class Outgoing:
    """Something in the outbox: a reserved contact for a channel to send, or a nudge to ask about again at `due_at`.

    `outbox_id` is the contact's id where there is one. `body` is what the channel is given (JSON). `tries` counts
    deliveries that failed, `error` says how the last one did. `position` is the order of arrival.
    """

    outbox_id: str
    customer_id: str
    channel: str | None
    body: Mapping[str, Any]
    due_at: int
    contact_id: str | None = None
    decision_id: str | None = None
    tries: int = 0
    error: str | None = None
    position: int = 0


#: Judges a claim again, as of the instant given; just why not, or None, where there is nothing to stamp.
Recheck = Callable[[Customer, Contact, int], Verdict | str | None]
Log = Literal["interactions", "decisions", "contacts", "attributes", "identifiers"]


class Judged(Protocol):
    """A decision as the store commits it: alone (Loggable), or with others of its batch."""

    @property
    def request(self) -> Request: ...
    @property
    def decision_id(self) -> str: ...
    @property
    def at(self) -> int: ...
    @property
    def chosen(self) -> Candidate | None: ...
    @property
    def contacts(self) -> tuple[Contact, ...]: ...
    @property
    def judged_customer(self) -> str: ...
    @property
    def judged_version(self) -> int: ...
    @property
    def arm_id(self) -> str: ...


class Loggable(Judged, Protocol):
    """With what the log is to keep of it, as `serving.decisions.decision.Decision` has it."""

    @property
    def outbox(self) -> Mapping[str, Any] | None: ...
    def to_bytes(self) -> bytes: ...


@dataclass(frozen=True)
class Batched:
    """Decisions of a job that are committed together, each with the request_id JOB/CUSTOMER.

    `pack(places)` is the line of the log that holds some of them (`serving.decisions.many.blocks`).
    """

    job: str
    decisions: Sequence[Judged]
    pack: Callable[[Sequence[int]], bytes]


class Store(Protocol):
    """See the package's docstring for the life of a contact."""

    def read(self, customer_id: str) -> Read:
        """The customer as of the latest commit; a customer nobody has seen reads as version 0 with no state."""

    def read_many(self, customer_ids: Sequence[str]) -> list[Read]:
        """The same of several, in their order; each as of one moment, not all as of the same."""

    def fetch(self, customer_id: str) -> "Future[Read]":
        """The same without making an event loop wait: where the store is on a server, those of one turn go together."""

    def vocabulary(self) -> Vocabulary:
        """Every code that a state returned by `read` so far can contain; the same object grows."""

    def find_decision(self, request_id: str) -> tuple[str, bytes] | None:
        """(fingerprint, logged decision) of the first answer to a request_id."""

    def find_decisions(self, request_ids: Sequence[str]) -> Mapping[str, bytes]:
        """The logged decisions of those that were answered before."""

    def decision(self, decision_id: str) -> bytes | None:
        """A decision as logged, by its own id."""

    def contact(self, contact_id: str) -> Contact | None: ...

    def commit_decision(self, decision: Loggable) -> "Future[Commit]":
        """Logs a decision and inserts its contacts by compare-and-swap on the customer and version it was judged at.

        The contacts are `decision.contacts`, reservations and ghosts alike. In the same transaction the customer's arm
        is settled: `decision.arm_id` counts as decided about from its first decision on (see `Read`). Where
        `decision.outbox` is set (a mapping), every reservation goes to the outbox with it as the body, and its
        `trigger`, if it names one, counts as fired at `decision.at` (see `nudged`).
        """

    def commit_batch(self, batched: Batched) -> "Future[list[Commit]]":
        """The same of many at once, none of which goes to the outbox: one answer each."""

    def record(self, rows: Sequence[Mapping[str, Any]]) -> "Future[Receipt]":
        """Appends validated interactions (contract columns; instants as micros), folds them into states."""

    def claim(self, contact_id: str, now: int, recheck: Recheck, claim_id: str | None = None) -> "Future[Contact]":
        """The channel is about to send. Raises Conflict (expired, refused by `recheck`, not reserved) or Unknown.

        A claim whose answer got lost may be asked again with the same `claim_id`: the same answer, nothing changes.
        """

    def sent(self, contact_id: str, now: int) -> "Future[Contact]":
        """It went out; also recorded as an outbound interaction. Twice is once. Without a claim it is a breach."""

    def failed(self, contact_id: str, now: int, reason: str = "") -> "Future[Contact]":
        """It did not go out; its slot is given back. Twice is once."""

    def unsettled(self, now: int, limit: int = 200) -> list[Contact]:
        """Contacts that were sent, whose response window was over by now and that were not settled, the longest over
        first."""

    def settle(self, contact_ids: Sequence[str], rows: Sequence[Mapping[str, Any]], now: int) -> "Future[int]":
        """Records what became of some of these contacts (interactions, as in `record`); all count as settled then.

        How many rows were new.
        """

    def record_attributes(self, rows: Sequence[Mapping[str, Any]]) -> "Future[Receipt]":
        """Appends records of customer attributes (columns of `features.attributes`; instants as micros), folds them."""

    def attributes_pending(self, batches: Sequence[str]) -> list[str]:
        """Which batches of records the states lack, as far as the attributes go that features read today."""

    def load_attributes(self, table: pa.Table, batch_id: str | None = None) -> None:
        """Folds records into the states, in pieces, known ones without effect; then the batch counts as absorbed."""

    def record_links(self, rows: Sequence[Mapping[str, Any]]) -> "Future[Receipt]":
        """Appends links (columns of `features.identity.links`; instants as micros): who is read together."""

    def load_links(self, batch_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Takes in a batch of links from history, in pieces. The batch is then absorbed."""

    def erased(self, customer_ids: Collection[str]) -> set[str]:
        """Those of some ids that were erased: nothing is recorded of them any more."""

    def load_arms(self, batch_id: str, first: Sequence[tuple[str, int]]) -> None:
        """Takes in by which ids people were decided about first, and when; the batch is then absorbed."""

    def absorbed(self) -> set[str]:
        """Ids of the history batches that are in the states already."""

    def bulk_load(
        self, batch_id: str, tables: Iterable[pa.Table], progress: Callable[[int], None] | None = None
    ) -> Receipt:
        """Folds a batch of history into the states, in pieces; interrupted, it can simply be run again."""

    def export(self, log: Log, after: int, limit: int = 50_000) -> list[dict[str, Any]]:
        """Rows of a log with `position` > after, oldest first."""

    def synced(self, log: Log) -> int:
        """Up to which position a log is in history."""

    def mark_synced(self, log: Log, position: int) -> "Future[None]": ...

    # shared quotas

    def lease(self, action: str, day: str, want: int, most: int) -> "Future[int]":
        """Takes up to `want` of an action's volume on a day; never more than `most` a day in all. How many were given.

        `day` is the company's ('2026-05-04'). What is leased counts as used until it is given back.
        """

    def leased(self, action: str, day: str) -> int:
        """How much of an action's volume on a day is given out, used or not."""

    def unlease(self, action: str, day: str, number: int) -> "Future[None]":
        """Gives back what was leased and not used."""

    # the outbox

    def outbox_add(self, entries: Sequence[Outgoing]) -> "Future[int]":
        """Puts there what no decision brings (nudges put off); an id that is there is left. How many were new."""

    def outbox(self, after: int = 0, limit: int = 100, channel: str | None = None) -> list[Outgoing]:
        """Contacts that wait to be sent, on a channel or on any, in the order of `position`, those > `after`."""

    def outbox_due(self, now: int, limit: int = 100) -> list[Outgoing]:
        """Whatever is not done and due by now, contacts and nudges put off, the longest overdue first."""

    def outbox_done(self, ids: Collection[str], now: int) -> "Future[int]":
        """Acknowledged, delivered or given up: never offered again. How many were not done before."""

    def outbox_expire(self, before: int) -> "Future[int]":
        """Deletes what was done before an instant. How many there were."""

    def outbox_retry(self, outbox_id: str, next_at: int, error: str) -> "Future[None]":
        """A delivery failed: due again at `next_at`."""

    # nudges

    def nudged(self, customer_id: str, trigger: str) -> int | None:
        """When a trigger last fired for a person; None: never."""

    def candidates_for_nudge(self, after_customer_id: str = "", limit: int = 1_000) -> list[str]:
        """A page of customers, one id a person, those > `after_customer_id` in the order of their ids."""

    def changed_customers(self, after_position: int, limit: int = 10_000) -> tuple[int, list[str]]:
        """Whose interactions lie behind a position of that log, each once; and the position reached."""

    # privacy

    def erase(self, customer_ids: Collection[str], salt: bytes, now: int) -> "Future[dict[str, int]]":
        """Deletes all that is kept of some ids, for good, and keeps a tombstone: a hash with `salt`. Rows by table.

        Name every id of the person (`ids_of` lists them). Nothing is recorded of them any more: see `erased`.
        """

    def tombstoned(self, ids: Collection[str]) -> set[str]:
        """Those of some ids that `erase` has deleted."""

    def export_customer(self, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """All that is kept of some ids and of those that are one person with them, as plain rows by table."""

    def ids_of(self, ids: Collection[str]) -> list[str]:
        """Some ids and those that are one person with them."""

    def restrict(self, customer_id: str, on: bool, now: int) -> "Future[None]":
        """Whether processing is restricted, for the person that an id belongs to: `read` says so from the next on."""

    def expire_logs(self, before: Mapping[Log, int]) -> "Future[dict[str, int]]":
        """Deletes log rows older than an instant, by log; only what is in history (`synced`). Rows deleted by log."""

    # keys

    def add_key(self, key: Key) -> "Future[None]":
        """Raises Conflict where the name is taken by a key that is not revoked."""

    def keys(self) -> list[Key]: ...

    def revoke_key(self, name: str, now: int) -> "Future[bool]": ...

    # the console

    def begin_session(self, session: str, key: str, expires_at: int, now: int) -> "Future[None]":
        """Somebody signed in: a session until an instant, for the key. Both are named by their hashes."""

    def session(self, session: str, now: int) -> str | None:
        """The hash of the key that a session was given for; None where it is over or never was."""

    def end_session(self, session: str) -> "Future[None]": ...

    def tried(self, places: Sequence[str], minute: int) -> "Future[list[int]]":
        """Counts a try to sign in at each place (an address, or all of them) in a minute: how many there were by now,
        on all workers and machines."""

    def looked(self, who: str, customer_ids: Sequence[str], page: str, at: int) -> "Future[None]":
        """Somebody looked at customers on a page of the console, at one or at a list of them; `export_customer` tells
        each of them, and an erasure deletes it."""

    # the store itself

    def backup(self, target: Path) -> None:
        """A consistent copy of everything into a new file or folder, while serving. Raises WorkspaceError."""

    def scrub(self) -> None:
        """Makes sure that nothing deleted can be read from the database's own files. Slow. Raises Unavailable."""

    def ready(self) -> str | None:
        """None where the store answers and can write; else what is wrong."""

    def close(self) -> None:
        """Finishes what was asked, then lets go of the file."""

    def __enter__(self) -> "Store":
        """Closed at the end of a `with`."""

    def __exit__(self, *_: object) -> None: ...
