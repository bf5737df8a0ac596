"""A batch of history into the packed states, in pieces, while the service goes on deciding."""

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.hashing import hash_strings
from features.identity.links import without_erased
from features.online import fold_table
from features.sensitive import is_sensitive, on_sensitive
from serving.store import telling
from serving.store.folding import Sheet, fold, tell
from serving.store.identity import locked
from serving.store.protocol import Receipt
from serving.store.tx import Tx
from serving.store.words import Words
from serving.store.writer import Writer

PIECE = 20_000  # rows in one transaction: others wait a tenth of a second
_INSTANTS = ("occurred_at", "received_at")


def bulk_load(
    writer: Writer,
    words: Words,
    batch_id: str,
    tables: Iterable[pa.Table],
    progress: Callable[[int], None] | None = None,
    sensitive: Collection[str] = (),
) -> Receipt:
    """Every piece is one transaction that skips ids seen before, so an interrupted load can simply be run again."""
    received = accepted = 0
    for table in tables:
        for piece in _pieces(table):
            fresh = writer.submit(partial(_load, words=words, piece=piece, sensitive=sensitive)).result()
            received, accepted = received + piece.num_rows, accepted + fresh
            if progress is not None:
                progress(piece.num_rows)

    def mark(tx: Tx) -> None:
        absorbed(tx, batch_id, accepted)

    writer.submit(mark).result()
    return Receipt(received, accepted, received - accepted)


def absorbed(tx: Tx, batch_id: str, rows: int) -> None:
    """The batch is in the states from now on."""
    tx.execute("INSERT INTO absorbed (batch_id, rows) VALUES (?, ?) ON CONFLICT DO NOTHING", (batch_id, rows))


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    """By customer, so that few states are rewritten for a piece."""
    if table.num_rows > PIECE:
        table = table.take(pc.sort_indices(table, [("customer_id", "ascending")]))
    for start in range(0, table.num_rows, PIECE):
        yield table.slice(start, PIECE)


def _load(tx: Tx, words: Words, piece: pa.Table, sensitive: Collection[str]) -> int:
    """Rows that were new."""
    vocabulary = words.growing(tx)
    customers = pc.unique(piece.column("customer_id")).to_pylist()
    piece = without_erased(piece, frozenset(locked(tx, customers)))
    ids = hash_strings(piece.column("interaction_id")).view(np.int64)
    unique, first = np.unique(ids, return_index=True)
    found = tx.execute("SELECT id FROM seen WHERE id IN (SELECT value FROM numbers(?))", (unique,)).fetchall()
    known = np.array([row[0] for row in found], np.int64)
    new = first[~np.isin(unique, known, assume_unique=True)]
    if not len(new):
        return 0
    tx.execute("INSERT INTO seen (id) SELECT value FROM numbers(?)", (np.sort(ids[new]),))
    rows = piece.take(np.sort(new))
    before = len(vocabulary)
    sheets = {customer: Sheet(newest=newest) for customer, newest in _newest(rows)}
    for customer, items in fold_table(rows, vocabulary, sensitive):
        sheets[customer].items = items
    words.append(tx, before)
    for row in _telling(rows, sensitive):
        hidden = is_sensitive(row["topic"], sensitive)
        if (told := tell(tx, row, hidden)) is not None:
            sheets[row["customer_id"]].told.append(told)
    for customer, marks in telling.marks_of(rows, sensitive):
        sheets[customer].marks = marks
    for customer, sheet in sheets.items():
        fold(tx, words, customer, sheet)
    return len(new)


def _newest(rows: pa.Table) -> Iterator[tuple[str, int]]:
    """Each customer's newest instant, sensitive rows included."""
    found = rows.select(["customer_id", "occurred_at"]).group_by("customer_id").aggregate([("occurred_at", "max")])
    micros = found.column("occurred_at_max").cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return zip(found.column("customer_id").to_pylist(), micros.to_pylist(), strict=True)


def _telling(rows: pa.Table, sensitive: Collection[str]) -> Iterator[dict[str, Any]]:
    """The few rows that a profile learns from, as dicts with instants in microseconds."""
    told = pc.is_in(rows.column("type"), pa.array(sorted(telling.TELLING)))
    outbound = pc.equal(rows.column("direction"), "outbound")
    names = rows.column_names
    about = pa.array(on_sensitive(rows.column("topic"), sensitive))
    for name in ("action", "decision_id"):
        if name in names:
            about = pc.or_(about, pc.is_valid(rows.column(name)))
    kept = rows.filter(pc.or_(told, pc.and_(outbound, about)))
    for name in _INSTANTS:
        micros = kept.column(name).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
        kept = kept.set_column(kept.column_names.index(name), name, micros)
    yield from kept.to_pylist()
