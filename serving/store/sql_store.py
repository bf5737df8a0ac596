"""The store over any database that speaks SQL: the protocol's methods, each a transaction or a read of its noun's file.

What is particular to a database is a `Database`: how it is opened, read, written and copied.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow as pa

from features.vocabulary import Vocabulary
from features.workspace import Identity
from serving.decisions.customer import Contact, Customer
from serving.store import (
    arms,
    batches,
    contacts,
    decisions,
    facts,
    folding,
    identity,
    keys,
    loading,
    logged,
    logs,
    looks,
    outbox,
    privacy,
    quotas,
    reading,
    sessions,
    silences,
)
from serving.store.fetcher import Fetcher
from serving.store.protocol import (
    Batched,
    Commit,
    Conflict,
    Key,
    Log,
    Loggable,
    Outgoing,
    Read,
    Receipt,
    Recheck,
    Unavailable,
    Verdict,
)
from serving.store.tx import Reader, Tx
from serving.store.words import Words
from serving.store.writer import Session, Writer

PROMPT_S = 2  # a store that takes longer to write nothing is not ready


class Database(Protocol):
    """Opened and of the right schema."""

    reader: Reader
    #: Whether each statement is a journey to a server, so that those of several customers had better go together.
    remote: bool

    def session(self) -> Session:
        """What one writer thread writes through."""

    def settled(self, table: str) -> int:
        """The position in a log below which no row will appear any more."""

    def problem(self) -> str | None:
        """Why it cannot be read, or None."""

    def backup(self, target: Path) -> None: ...

    def scrub(self) -> None: ...

    def close(self) -> None: ...


class SqlStore:
    """`serving.store.protocol.Store`. Open one a process; it is safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        sensitive: Collection[str] = (),
        attributes: Callable[[], Collection[str]] = tuple,
        kinds: Mapping[str, str] = Identity().kinds,
    ) -> None:
        """Rows on `sensitive` topics (`features.kernel.compiled.sensitive_topics`) never enter a state. `attributes()`
        names the customer attributes that do; it is asked when the first record comes. `kinds` are those of
        identifiers, as in the settings' section `identity`. Raises Unavailable.
        """
        self._database, self._reader = database, database.reader
        self._kinds = dict(kinds)
        self._sensitive = frozenset(sensitive)
        self._attributes = attributes
        self._read_words = Words()  # committed entries only
        self._written_words = Words()  # the writer's, may run ahead inside a transaction
        self._writer = Writer(database.session, self._written_words.forget)
        self._fetcher: Fetcher[str, Read] | None = Fetcher(self.read_many) if database.remote else None
        try:
            self._write(identity.adopt, self._kinds).result()
        except BaseException:
            self.close()
            raise

    def _write(self, work: Callable[..., Any], *arguments: Any, about: Collection[str] = ()) -> "Future[Any]":
        return self._writer.submit(lambda tx: work(tx, *arguments), about)

    # reading

    def read(self, customer_id: str) -> Read:
        return reading.read(self._reader, self._read_words, customer_id)

    def read_many(self, customer_ids: Sequence[str]) -> list[Read]:
        return reading.read_many(self._reader, self._read_words, customer_ids)

    def fetch(self, customer_id: str) -> "Future[Read]":
        if self._fetcher is not None:
            return self._fetcher.fetch(customer_id)
        read: Future[Read] = Future()
        read.set_result(self.read(customer_id))
        return read

    def vocabulary(self) -> Vocabulary:
        return self._read_words.refresh(self._reader)

    def find_decision(self, request_id: str) -> tuple[str, bytes] | None:
        return logged.first_answers(self._reader, [request_id]).get(request_id)

    def find_decisions(self, request_ids: Sequence[str]) -> dict[str, bytes]:
        return {name: body for name, (_, body) in logged.first_answers(self._reader, request_ids).items()}

    def decision(self, decision_id: str) -> bytes | None:
        return logged.decision(self._reader, decision_id)

    def contact(self, contact_id: str) -> Contact | None:
        asked = f"SELECT {contacts.COLUMNS} FROM contacts WHERE contact_id = ?"
        row = self._reader.execute(asked, (contact_id,)).fetchone()
        return None if row is None else contacts.from_row(row)

    # decisions and contacts

    def commit_decision(self, decision: Loggable) -> "Future[Commit]":
        asked = decisions.Asked.of(decision)
        return self._writer.submit_one_of_many(decisions.commit, asked, asked.about)

    def commit_batch(self, batched: Batched) -> "Future[list[Commit]]":
        about = {each.judged_customer for each in batched.decisions if each.contacts}
        return self._write(batches.commit, batched, about=about)

    def claim(self, contact_id: str, now: int, recheck: Recheck, claim_id: str | None = None) -> "Future[Contact]":
        """Reads, rechecks and commits by compare-and-swap; a lost race starts again."""
        answer: Future[Contact] = self._writer.answer()

        def attempt() -> None:
            try:
                contact = contacts.find(self._reader, contact_id)
                if contacts.claimed_before(self._reader, contact, claim_id):
                    answer.set_result(contact)
                    return
                customer = self.read(contact.customer_id).customer
                contact = next((each for each in customer.contacts if each.contact_id == contact_id), contact)
                at = customer.now(now)
                contacts.claimable(contact, at)
                told = recheck(customer, contact, at)
                verdict = told if isinstance(told, Verdict) else Verdict(told)
                if verdict.why is not None:
                    raise Conflict(verdict.why)
                change = self._write(swap, contact, customer, at, verdict, about=(customer.customer_id,))
                change.add_done_callback(settle)
            except BaseException as error:
                answer.set_exception(error)

        def swap(tx: Tx, contact: Contact, customer: Customer, at: int, verdict: Verdict) -> Contact | None:
            if not contacts.bump(tx, [(customer.customer_id, customer.version, at)])[0]:
                return None
            return contacts.claim(tx, contact, at, verdict, claim_id)

        def settle(done: "Future[Contact | None]") -> None:
            if (error := done.exception()) is not None:
                answer.set_exception(error)
            elif (claimed := done.result()) is not None:
                answer.set_result(claimed)
            else:
                attempt()

        attempt()
        return answer

    def sent(self, contact_id: str, now: int) -> "Future[Contact]":
        def work(tx: Tx) -> Contact:
            contact = contacts.locked(tx, contacts.find(tx, contact_id))
            if contact.state == "sent":
                return contact
            went = contacts.sent(tx, contact, now)
            folding.record(tx, self._written_words, [folding.own_touch(went, now)], self._sensitive)
            return went

        return self._writer.submit(work)

    def failed(self, contact_id: str, now: int, reason: str = "") -> "Future[Contact]":
        def work(tx: Tx) -> Contact:
            contact = contacts.locked(tx, contacts.find(tx, contact_id))
            if contact.state == "failed":
                return contact
            gone = contacts.failed(tx, contact, now, reason)
            tx.execute("UPDATE customers SET version = version + 1 WHERE customer_id = ?", (contact.customer_id,))
            return gone

        return self._writer.submit(work)

    # interactions, attributes, links

    def record(self, rows: Sequence[Mapping[str, Any]]) -> "Future[Receipt]":
        kept = list(rows)
        about = {row.get("customer_id", "") for row in kept}
        return self._write(folding.record, self._written_words, kept, self._sensitive, about=about)

    def unsettled(self, now: int, limit: int = 200) -> list[Contact]:
        return silences.unsettled(self._reader, now, limit)

    def settle(self, contact_ids: Sequence[str], rows: Sequence[Mapping[str, Any]], now: int) -> "Future[int]":
        about = {row["customer_id"] for row in rows}
        return self._write(
            silences.settle, self._written_words, self._sensitive, list(contact_ids), list(rows), now, about=about
        )

    def record_attributes(self, rows: Sequence[Mapping[str, Any]]) -> "Future[Receipt]":
        kept = list(rows)
        return self._write(facts.record, kept, self._attributes(), about={row.get("customer_id", "") for row in kept})

    def attributes_pending(self, batches: Sequence[str]) -> list[str]:
        if not batches:
            return []
        seen, names = self.absorbed(), self._attributes()
        return [batch_id for batch_id in batches if facts.mark(batch_id, names) not in seen]

    def load_attributes(self, table: pa.Table, batch_id: str | None = None) -> None:
        names = self._attributes()
        for piece in facts.pieces(table, names):
            self._write(facts.fold_piece, piece).result()
        if batch_id is not None:
            self._write(loading.absorbed, facts.mark(batch_id, names), table.num_rows).result()

    def record_links(self, rows: Sequence[Mapping[str, Any]]) -> "Future[Receipt]":
        return self._write(identity.record, list(rows), self._kinds)

    def load_links(self, batch_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(rows), identity.PIECE):
            self._write(identity.record, rows[start : start + identity.PIECE], self._kinds, False).result()
        self._write(loading.absorbed, batch_id, len(rows)).result()

    def load_arms(self, batch_id: str, first: Sequence[tuple[str, int]]) -> None:
        for start in range(0, len(first), arms.PIECE):
            self._write(arms.assign, first[start : start + arms.PIECE]).result()
        self._write(loading.absorbed, batch_id, len(first)).result()

    def erased(self, customer_ids: Collection[str]) -> set[str]:
        return identity.erased(self._reader, customer_ids)

    def absorbed(self) -> set[str]:
        return {row[0] for row in self._reader.execute("SELECT batch_id FROM absorbed")}

    def bulk_load(
        self, batch_id: str, tables: Iterable[pa.Table], progress: Callable[[int], None] | None = None
    ) -> Receipt:
        return loading.bulk_load(self._writer, self._written_words, batch_id, tables, progress, self._sensitive)

    # the way into history

    def export(self, log: Log, after: int, limit: int = 50_000) -> list[dict[str, Any]]:
        return logs.export(self._reader, log, after, self._database.settled(logs.TABLES[log]), limit)

    def synced(self, log: Log) -> int:
        return logs.synced(self._reader, log)

    def mark_synced(self, log: Log, position: int) -> "Future[None]":
        return self._write(logs.mark_synced, log, position)

    def expire_logs(self, before: Mapping[Log, int]) -> "Future[dict[str, int]]":
        return self._write(logs.expire, dict(before))

    # quotas, outbox, nudges

    def leased(self, action: str, day: str) -> int:
        return quotas.leased(self._reader, action, day)

    def lease(self, action: str, day: str, want: int, most: int) -> "Future[int]":
        return self._write(quotas.lease, action, day, want, most)

    def unlease(self, action: str, day: str, number: int) -> "Future[None]":
        return self._write(quotas.unlease, action, day, number)

    def outbox_add(self, entries: Sequence[Outgoing]) -> "Future[int]":
        return self._write(outbox.add, list(entries))

    def outbox(self, after: int = 0, limit: int = 100, channel: str | None = None) -> list[Outgoing]:
        return outbox.waiting(self._reader, after, limit, channel, self._database.settled("outbox"))

    def outbox_due(self, now: int, limit: int = 100) -> list[Outgoing]:
        return outbox.due(self._reader, now, limit)

    def outbox_done(self, ids: Collection[str], now: int) -> "Future[int]":
        return self._write(outbox.done, list(ids), now)

    def outbox_expire(self, before: int) -> "Future[int]":
        return self._write(outbox.expire, before)

    def outbox_retry(self, outbox_id: str, next_at: int, error: str) -> "Future[None]":
        return self._write(outbox.retry, outbox_id, next_at, error)

    def nudged(self, customer_id: str, trigger: str) -> int | None:
        return outbox.last_fired(self._reader, customer_id, trigger)

    def candidates_for_nudge(self, after_customer_id: str = "", limit: int = 1_000) -> list[str]:
        rows = self._reader.execute(
            "SELECT customer_id FROM customers WHERE customer_id > ? AND NOT EXISTS "
            "(SELECT 1 FROM persons WHERE raw = customers.customer_id AND persons.customer_id <> raw) "
            "ORDER BY customer_id LIMIT ?",
            (after_customer_id, limit),
        )
        return [row[0] for row in rows]

    def changed_customers(self, after_position: int, limit: int = 10_000) -> tuple[int, list[str]]:
        return logs.changed(self._reader, after_position, self._database.settled("interactions"), limit)

    # privacy

    def erase(self, customer_ids: Collection[str], salt: bytes, now: int) -> "Future[dict[str, int]]":
        return self._write(privacy.erase, sorted(set(customer_ids) - {logged.SEVERAL}), salt, now, self._kinds)

    def tombstoned(self, ids: Collection[str]) -> set[str]:
        return identity.buried(self._reader, list(ids))

    def export_customer(self, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        return privacy.everything(self._reader, ids, self.vocabulary())

    def ids_of(self, ids: Collection[str]) -> list[str]:
        return privacy.persons_ids(self._reader, ids)

    def restrict(self, customer_id: str, on: bool, now: int) -> "Future[None]":  # noqa: ARG002  no log tells when
        return self._write(privacy.restrict, customer_id, on)

    # keys

    def add_key(self, key: Key) -> "Future[None]":
        return self._write(keys.add, key)

    def keys(self) -> list[Key]:
        return keys.listed(self._reader)

    def revoke_key(self, name: str, now: int) -> "Future[bool]":
        return self._write(keys.revoke, name, now)

    # the console

    def begin_session(self, session: str, key: str, expires_at: int, now: int) -> "Future[None]":
        return self._write(sessions.begin, session, key, expires_at, now)

    def session(self, session: str, now: int) -> str | None:
        return sessions.key_of(self._reader, session, now)

    def end_session(self, session: str) -> "Future[None]":
        return self._write(sessions.end, session)

    def tried(self, places: Sequence[str], minute: int) -> "Future[list[int]]":
        return self._write(sessions.tried, list(places), minute)

    def looked(self, who: str, customer_ids: Sequence[str], page: str, at: int) -> "Future[None]":
        return self._write(looks.add, who, list(customer_ids), page, at)

    # the store itself

    def backup(self, target: Path) -> None:
        self._database.backup(target)

    def scrub(self) -> None:
        self._database.scrub()

    def ready(self) -> str | None:
        if not self._writer.alive():
            return "the store's writer has stopped; restart the service"
        if (problem := self._database.problem()) is not None:
            return problem
        try:
            self._writer.submit(logs.proof if self._writer.failing else logs.answer).result(timeout=PROMPT_S)
        except TimeoutError:
            return f"{self._database} took longer than {PROMPT_S} s for a write"
        except Unavailable as error:
            return f"{self._database}: {error}"
        return None

    def close(self) -> None:
        if self._fetcher is not None:
            self._fetcher.close()
        self._writer.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
