"""The embedded store: one SQLite file, many processes. Acknowledged means on disk (WAL, synchronous=FULL)."""

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from features import clock
from features.identity.merging import merged
from features.state import State
from features.vocabulary import Vocabulary
from features.workspace import Identity
from serving.decisions.customer import Contact, Customer
from serving.decisions.decision import Decision
from serving.decisions.profile import EVERYWHERE, KEPT, Profile, Said
from serving.store import contacts, facts, folding, identity, loading, schema
from serving.store.coming import Coming
from serving.store.protocol import Commit, Conflict, Key, Log, Read, Receipt, Recheck, Verdict
from serving.store.touches import touches
from serving.store.turns import Turns
from serving.store.words import Words
from serving.store.writer import Writer

_READ = f"""
    SELECT version, seen_to, profile, state, (SELECT max(code) FROM vocabulary),
        (SELECT json_group_array(json_array(contact_id, customer_id, decision_id, action, issue, grp, channel, counts,
                state, reserved_at, expires_at, touched_at, closed_at, breach))
            FROM contacts WHERE customer_id = ?1 AND state IN ('reserved', 'claimed', 'sent')
                AND (touched_at IS NULL OR touched_at >= seen_to - {KEPT + clock.DAY})),
        (SELECT persons.customer_id FROM persons WHERE raw = ?1)
    FROM (SELECT 1) LEFT JOIN customers ON customers.customer_id = ?1
"""
#: The same of a person who is more than one id, one row for each of them.
_READ_PERSON = f"""
    SELECT customers.customer_id, version, seen_to, profile, state, (SELECT max(code) FROM vocabulary),
        (SELECT json_group_array(json_array(contact_id, contacts.customer_id, decision_id, action, issue, grp, channel,
                counts, contacts.state, reserved_at, expires_at, touched_at, closed_at, breach))
            FROM contacts WHERE contacts.customer_id = customers.customer_id
                AND contacts.state IN ('reserved', 'claimed', 'sent')
                AND (touched_at IS NULL OR touched_at >= seen_to - {KEPT + clock.DAY})),
        persons.customer_id
    FROM persons JOIN customers ON customers.customer_id = raw
    WHERE persons.customer_id = (SELECT customer_id FROM persons WHERE raw = ?1) AND persons.customer_id <> ''
    ORDER BY raw
"""
_EXPORTS: dict[str, str] = {
    "interactions": "SELECT position, body FROM interactions WHERE position > ? ORDER BY position LIMIT ?",
    "decisions": "SELECT position, body FROM decisions WHERE position > ? ORDER BY position LIMIT ?",
    "contacts": "SELECT position, body FROM contact_log WHERE position > ? ORDER BY position LIMIT ?",
    "attributes": "SELECT position, body FROM attributes WHERE position > ? ORDER BY position LIMIT ?",
    "identifiers": "SELECT position, body FROM links WHERE position > ? ORDER BY position LIMIT ?",
}


class SqliteStore(Coming):
    """`serving.store.protocol.Store` on one file. Open one a process; it is safe to use from many threads."""

    def __init__(
        self,
        path: Path | str,
        sensitive: Collection[str] = (),
        attributes: Callable[[], Collection[str]] = tuple,
        kinds: Mapping[str, str] = Identity().kinds,
    ) -> None:
        """Creates the file where it is missing. Raises schema.WrongFile where it is something else.

        Rows on `sensitive` topics (`features.kernel.compiled.sensitive_topics`) never enter a state. `attributes()`
        names the customer attributes that do; it is asked when the first record comes. `kinds` are those of
        identifiers, as in the settings' section `identity`.
        """
        self._kinds = dict(kinds)
        self._sensitive = frozenset(sensitive)
        self._attributes = attributes
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        turns = Turns(self.path.with_name(self.path.name + "-lock"))
        try:
            with turns.taken(), closing(self._connect()) as first:
                schema.migrate(first, str(self.path))
                identity.adopt(first, self._kinds)
        except sqlite3.DatabaseError as error:
            turns.close()
            raise schema.WrongFile(f"{self.path} cannot be used as a store: {error}") from None
        except schema.WrongFile:
            turns.close()
            raise
        self._read_words = Words()  # committed entries only
        self._written_words = Words()  # the writer's, may run ahead inside a transaction
        self._writer = Writer(self._connect, turns, self._written_words.forget)

    # reading

    def read(self, customer_id: str) -> Read:
        """One statement, so one snapshot; some 15 us."""
        row = self._reader().execute(_READ, (customer_id,)).fetchone()
        version, seen_to, profile, state, newest_code, listed, person = row
        if person is not None:
            return self._read_person(customer_id) if person else _erased(customer_id, version, seen_to)
        if newest_code is not None and newest_code >= len(self._read_words):
            self.vocabulary()
        told = Profile.from_bytes(profile)
        ours = tuple(contacts.from_row(each) for each in orjson.loads(listed)) if listed != "[]" else ()
        others = touches(state, self._read_words, told, ours) if state or told.outbound else ()
        return Read(Customer(customer_id, version or 0, told, ours, others, seen_to or 0), state or b"")

    def _read_person(self, customer_id: str) -> Read:
        """Someone who is more than one id: one statement again."""
        rows = self._reader().execute(_READ_PERSON, (customer_id,)).fetchall()
        if not rows:  # split or erased just now
            return self.read(customer_id)
        if rows[0][5] is not None and rows[0][5] >= len(self._read_words):
            self.vocabulary()
        name = rows[0][7]
        profile = Profile.merged([Profile.from_bytes(row[3]) for row in rows])
        ours = tuple(contacts.from_row(each) for row in rows for each in orjson.loads(row[6]))
        states = [State.from_bytes(row[4]) for row in rows if row[4]]
        state = merged(states).to_bytes() if states else b""
        others = touches(state, self._read_words, profile, ours) if state or profile.outbound else ()
        version = next((row[1] for row in rows if row[0] == name), 0)
        seen_to = max(row[2] for row in rows)
        return Read(Customer(name, version, profile, ours, others, seen_to), state)

    def vocabulary(self) -> Vocabulary:
        return self._read_words.refresh(self._reader())

    def find_decision(self, request_id: str) -> tuple[str, bytes] | None:
        found = self._reader().execute("SELECT fingerprint, body FROM decisions WHERE request_id = ?", (request_id,))
        row = found.fetchone()
        return None if row is None else (row[0], row[1])

    def decision(self, decision_id: str) -> bytes | None:
        found = self._reader().execute("SELECT body FROM decisions WHERE decision_id = ?", (decision_id,)).fetchone()
        return None if found is None else found[0]

    def contact(self, contact_id: str) -> Contact | None:
        found = self._reader().execute(f"SELECT {contacts.COLUMNS} FROM contacts WHERE contact_id = ?", (contact_id,))
        row = found.fetchone()
        return None if row is None else contacts.from_row(row)

    # decisions

    def commit_decision(self, decision: Decision) -> "Future[Commit]":
        request, contact = decision.request, decision.contact
        row = (
            decision.decision_id,
            request.request_id,
            request.fingerprint,
            request.customer_id,
            decision.at,
            decision.chosen.action.name if decision.chosen else None,
            decision.to_bytes(),
        )

        def work(tx: sqlite3.Connection) -> Commit:
            if request.request_id is not None:
                asked = "SELECT fingerprint, body FROM decisions WHERE request_id = ?"
                if (first := tx.execute(asked, (request.request_id,)).fetchone()) is not None:
                    return Commit("repeated" if first[0] == request.fingerprint else "conflict", first[1])
            if contact is not None:
                if not contacts.bump(tx, decision.judged_customer, decision.judged_version, decision.at):
                    return Commit("lost")
                contacts.reserve(tx, contact)
            tx.execute(
                "INSERT INTO decisions (decision_id, request_id, fingerprint, customer_id, at, action, body) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            return Commit("committed")

        return self._writer.submit(work)

    # contacts

    def claim(self, contact_id: str, now: int, recheck: Recheck, claim_id: str | None = None) -> "Future[Contact]":
        """Reads, rechecks and commits by compare-and-swap; a lost race starts again."""
        del claim_id  # not kept yet
        answer: Future[Contact] = Future()

        def attempt() -> None:
            try:
                contact = contacts.find(self._reader(), contact_id)
                customer = self.read(contact.customer_id).customer
                contact = next((each for each in customer.contacts if each.contact_id == contact_id), contact)
                at = customer.now(now)
                contacts.claimable(contact, at)
                told = recheck(customer, contact, at)
                verdict = told if isinstance(told, Verdict) else Verdict(told)
                if verdict.why is not None:
                    raise Conflict(verdict.why)
                self._writer.submit(lambda tx: swap(tx, contact, customer, at)).add_done_callback(settle)
            except BaseException as error:
                answer.set_exception(error)

        def swap(tx: sqlite3.Connection, contact: Contact, customer: Customer, at: int) -> Contact | None:
            if not contacts.bump(tx, customer.customer_id, customer.version, at):
                return None
            return contacts.claim(tx, contact, at)

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
        def work(tx: sqlite3.Connection) -> Contact:
            contact = contacts.find(tx, contact_id)
            if contact.state == "sent":
                return contact
            went = contacts.sent(tx, contact, now)
            folding.record(tx, self._written_words, [folding.own_touch(went, now)], self._sensitive)
            return went

        return self._writer.submit(work)

    def failed(self, contact_id: str, now: int, reason: str = "") -> "Future[Contact]":
        def work(tx: sqlite3.Connection) -> Contact:
            contact = contacts.find(tx, contact_id)
            if contact.state == "failed":
                return contact
            gone = contacts.failed(tx, contact, now, reason)
            tx.execute("UPDATE customers SET version = version + 1 WHERE customer_id = ?", (contact.customer_id,))
            return gone

        return self._writer.submit(work)

    # interactions

    def record(self, rows: Sequence[Mapping[str, Any]]) -> "Future[Receipt]":
        kept = list(rows)
        return self._writer.submit(lambda tx: folding.record(tx, self._written_words, kept, self._sensitive))

    def record_attributes(self, rows: Sequence[Mapping[str, Any]]) -> "Future[Receipt]":
        kept, names = list(rows), self._attributes()
        return self._writer.submit(lambda tx: facts.record(tx, kept, names))

    def attributes_pending(self, batches: Sequence[str]) -> list[str]:
        if not batches or not (names := self._attributes()):
            return []
        seen = self.absorbed()
        return [batch_id for batch_id in batches if facts.mark(batch_id, names) not in seen]

    def load_attributes(self, table: pa.Table, batch_id: str | None = None) -> None:
        names = self._attributes()
        for piece in facts.pieces(table, names):
            self._writer.submit(partial(facts.fold_piece, piece=piece)).result()
        if batch_id is not None:
            seen = (facts.mark(batch_id, names), table.num_rows)
            self._writer.submit(lambda tx: tx.execute("INSERT OR IGNORE INTO absorbed VALUES (?, ?)", seen)).result()

    def record_links(self, rows: Sequence[Mapping[str, Any]]) -> "Future[Receipt]":
        kept = list(rows)
        return self._writer.submit(lambda tx: identity.record(tx, kept, self._kinds))

    def load_links(self, batch_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(rows), identity.PIECE):
            piece = rows[start : start + identity.PIECE]
            self._writer.submit(partial(identity.record, rows=piece, kinds=self._kinds, log=False)).result()
        seen = (batch_id, len(rows))
        self._writer.submit(lambda tx: tx.execute("INSERT OR IGNORE INTO absorbed VALUES (?, ?)", seen)).result()

    def erased(self, customer_ids: Collection[str]) -> set[str]:
        return identity.erased(self._reader(), customer_ids)

    def absorbed(self) -> set[str]:
        return {row[0] for row in self._reader().execute("SELECT batch_id FROM absorbed")}

    def bulk_load(
        self, batch_id: str, tables: Iterable[pa.Table], progress: Callable[[int], None] | None = None
    ) -> Receipt:
        return loading.bulk_load(self._writer, self._written_words, batch_id, tables, progress, self._sensitive)

    # the way into history

    def export(self, log: Log, after: int, limit: int = 50_000) -> list[dict[str, Any]]:
        rows = self._reader().execute(_EXPORTS[log], (after, limit))
        return [{"position": position, **orjson.loads(body)} for position, body in rows]

    def synced(self, log: Log) -> int:
        row = self._reader().execute("SELECT position FROM synced WHERE log = ?", (log,)).fetchone()
        return 0 if row is None else int(row[0])

    def mark_synced(self, log: Log, position: int) -> "Future[None]":
        def work(tx: sqlite3.Connection) -> None:
            tx.execute(
                "INSERT INTO synced VALUES (?, ?) "
                "ON CONFLICT (log) DO UPDATE SET position = max(position, excluded.position)",
                (log, position),
            )

        return self._writer.submit(work)

    # keys

    def add_key(self, key: Key) -> "Future[None]":
        def work(tx: sqlite3.Connection) -> None:
            taken = tx.execute("SELECT 1 FROM keys WHERE name = ? AND revoked_at IS NULL", (key.name,)).fetchone()
            if taken is not None:
                raise Conflict(f"there is a key named {key.name!r} already; revoke it or choose another name")
            tx.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", (key.name, key.hash, key.scope, key.created_at, None))

        return self._writer.submit(work)

    def keys(self) -> list[Key]:
        rows = self._reader().execute("SELECT name, hash, scope, created_at, revoked_at FROM keys ORDER BY created_at")
        return [Key(*row) for row in rows]

    def revoke_key(self, name: str, now: int) -> "Future[bool]":
        def work(tx: sqlite3.Connection) -> bool:
            done = tx.execute("UPDATE keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL", (now, name))
            return done.rowcount > 0

        return self._writer.submit(work)

    # the file

    def ready(self) -> str | None:
        if not self._writer.alive():
            return "the store's writer has stopped; restart the service"
        try:
            self._reader().execute("SELECT 1 FROM synced LIMIT 1").fetchone()
            self._writer.submit(lambda tx: tx.execute("SELECT 1").fetchone()).result(timeout=2)
        except TimeoutError:
            return f"{self.path} took longer than 2 s for a write"
        except (sqlite3.Error, OSError) as error:
            return f"{self.path}: {error}"
        return None

    def close(self) -> None:
        self._writer.close()
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def __enter__(self) -> "SqliteStore":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=30, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA cache_size = -32000")
        return connection


def _erased(customer_id: str, version: int | None, seen_to: int | None) -> Read:
    """Nothing is known, but that nothing may be sent."""
    refused = Profile(consent={EVERYWHERE: Said(seen_to or 0, 0, False)})
    return Read(Customer(customer_id, version or 0, refused, seen_to=seen_to or 0), b"")
