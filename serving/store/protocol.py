"""What a store can do. One protocol, one test suite; SQLite by default.

Reads return at once. Writes return a `concurrent.futures.Future` that resolves once they are on disk: call
`.result()` in plain code, `await asyncio.wrap_future(future)` in asyncio. Instants are int microseconds UTC.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pyarrow as pa

from features.vocabulary import Vocabulary
from serving.decisions.customer import Contact, Customer
from serving.decisions.decision import Decision


class Conflict(Exception):
    """What was asked cannot be done any more, and why: the service answers 409."""


class Unavailable(Exception):
    """The store cannot write now (disk full, locked, closed): the service answers 503."""


class Unknown(Exception):
    """No such contact: the service answers 404."""


@dataclass(frozen=True)
class Read:
    """One customer, with all their ids, in one snapshot: what the guard judges, and the packed state (or none).

    `customer.touches` are the contacts of other tools, already without our own.
    """

    customer: Customer
    state: bytes

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


#: Judges a claim again: why not, or None where the contact may go out now.
Recheck = Callable[[Customer, Contact, int], str | None]
Log = Literal["interactions", "decisions", "contacts", "attributes", "identifiers"]


class Store(Protocol):
    """See the package's docstring for the life of a contact."""

    def read(self, customer_id: str) -> Read:
        """The customer as of the latest commit; a customer nobody has seen reads as version 0 with no state."""

    def vocabulary(self) -> Vocabulary:
        """Every code that a state returned by `read` so far can contain; the same object grows."""

    def find_decision(self, request_id: str) -> tuple[str, bytes] | None:
        """(fingerprint, logged decision) of the first answer to a request_id."""

    def decision(self, decision_id: str) -> bytes | None:
        """A decision as logged, by its own id."""

    def contact(self, contact_id: str) -> Contact | None: ...

    def commit_decision(self, decision: Decision) -> "Future[Commit]":
        """Logs a decision and reserves its contact by compare-and-swap on the customer and version it was judged at."""

    def record(self, rows: Sequence[Mapping[str, Any]]) -> "Future[Receipt]":
        """Appends validated interactions (contract columns; instants as micros), folds them into states."""

    def claim(self, contact_id: str, now: int, recheck: Recheck) -> "Future[Contact]":
        """The channel is about to send. Raises Conflict (expired, refused by `recheck`, not reserved) or Unknown."""

    def sent(self, contact_id: str, now: int) -> "Future[Contact]":
        """It went out; also recorded as an outbound interaction. Twice is once. Without a claim it is a breach."""

    def failed(self, contact_id: str, now: int, reason: str = "") -> "Future[Contact]":
        """It did not go out; its slot is given back. Twice is once."""

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

    def add_key(self, key: Key) -> "Future[None]":
        """Raises Conflict where the name is taken by a key that is not revoked."""

    def keys(self) -> list[Key]: ...

    def revoke_key(self, name: str, now: int) -> "Future[bool]": ...

    def ready(self) -> str | None:
        """None where the store answers and can write; else what is wrong."""

    def close(self) -> None:
        """Finishes what was asked, then lets go of the file."""
