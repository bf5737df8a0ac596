"""Interactions in the contract's columns, made small: what features read of them, and a fingerprint of each row."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import physical
from features.arrange import COLUMNS
from features.buckets import Keys
from features.hashing import hash_strings
from features.interactions import DIRECTIONS, INSTANT
from features.workspace import WorkspaceError

REQUIRED = ("interaction_id", "customer_id", "occurred_at", "channel", "type")
WORDS = ("channel", "direction", "type", "topic")
_NUMBERS = ("value", "satisfaction")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


class Words:
    """Distinct labels of the columns `WORDS` as they appear; their positions stand for them in spilled rows."""

    def __init__(self) -> None:
        self._places: dict[str, dict[str, int]] = {name: {} for name in WORDS}

    def encode(self, name: str, column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
        """int32 positions (-1 for null), and the hash of each row's label."""
        places = self._places[name]
        parts, hashes = [], []
        for chunk in column.chunks:
            coded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
            labels = coded.dictionary.cast(pa.string())
            here = [places.setdefault(word, len(places)) if word is not None else -1 for word in labels.to_pylist()]
            index = pc.fill_null(coded.indices.cast(pa.int32()), len(here)).to_numpy(zero_copy_only=False)
            parts.append(np.array([*here, -1], np.int32)[index])
            hashes.append(np.append(hash_strings(labels), np.uint64(0))[index])
        if not parts:
            return np.zeros(0, np.int32), np.zeros(0, np.uint64)
        return np.concatenate(parts), np.concatenate(hashes)

    def of(self, name: str) -> list[str]:
        return list(self._places[name])

    def common(self) -> dict[str, list[str]]:
        """Channels, directions and types; not topics, which may be many, and sensitive."""
        return {name: sorted(self.of(name)) for name in WORDS if name != "topic"}

    def decoded(self, table: pa.Table) -> pa.Table:
        """Positions become dictionaries of labels again."""
        for name in WORDS:
            labels = pa.array(self.of(name), pa.string())
            place = table.column_names.index(name)
            chunks = [pa.DictionaryArray.from_arrays(chunk, labels) for chunk in table.column(place).chunks]
            column = pa.chunked_array(chunks, pa.dictionary(pa.int32(), pa.string()))
            table = table.set_column(place, name, column)
        return table


class Fingerprint:
    """What rows are in a set of rows, in whatever order they came: their number, and their marks' sum and xor."""

    def __init__(self) -> None:
        self.rows = self.total = self.odd = 0

    def add(self, marks: np.ndarray) -> None:
        self.rows += len(marks)
        self.total = (self.total + int(np.add.reduce(marks, dtype=np.uint64))) % (1 << 64)
        self.odd ^= int(np.bitwise_xor.reduce(marks)) if len(marks) else 0

    def __str__(self) -> str:
        return f"{self.rows}-{self.total:016x}-{self.odd:016x}"


def readable(columns: Sequence[str], name: str) -> list[str]:
    """Of a source's columns those that features read, cheap physical ones in place of what they stand for.

    Raises WorkspaceError naming what is missing.
    """
    have = set(columns)
    spared = {of for cheap, of in physical.STANDS_FOR.items() if cheap in have}
    missing = [column for column in REQUIRED if column not in have and column not in spared]
    if missing:
        raise WorkspaceError(
            f"{name} lacks the column(s) {', '.join(missing)} of the contract;"
            " `tactful ingest FILE --map MAP.yaml` reads tables of any shape"
        )
    wanted = [column for column in COLUMNS if column in have and column not in spared]
    return wanted + [cheap for cheap in physical.STANDS_FOR if cheap in have]


class Compactor:
    """Turns batches of one source into compact rows; words and keys are the same throughout."""

    def __init__(self, name: str, words: Words, keys: Keys, until: int) -> None:
        self.name, self.words, self.keys, self.until = name, words, keys, until
        self.read = 0

    def compact(self, table: pa.Table) -> pa.Table:
        """The rows that occurred before `until`, with `_key` (see Keys) and `_mark`, a fingerprint of the row.

        Raises WorkspaceError for a row that breaks the contract.
        """
        for name in REQUIRED:
            if name in table.column_names and table.column(name).null_count:
                row = self.read + 1 + int(np.flatnonzero(table.column(name).is_null().to_numpy())[0])
                raise WorkspaceError(
                    f"{self.name}: row {row:,} has no {name}; `tactful ingest` sets such rows aside, with the reason"
                )
        self.read += table.num_rows
        at = self._instants(table, "occurred_at")
        before = at < self.until
        if not before.all():
            table, at = table.filter(pa.array(before)), at[before]
        return self._compact(table, at)

    def _compact(self, table: pa.Table, at: np.ndarray) -> pa.Table:
        rows, have = table.num_rows, set(table.column_names)
        customer = self._text(table, "customer_id")
        person = hash_strings(customer)
        ids = physical.ids(
            table if "_id" in have else pa.table({"interaction_id": self._text(table, "interaction_id")})
        )
        received = self._instants(table, "received_at") if "received_at" in have else at
        columns: dict[str, pa.Array] = {
            "customer_id": customer,
            "_id": pa.array(ids),
            "occurred_at": pa.array(at).cast(INSTANT),
            "received_at": pa.array(received).cast(INSTANT),
        }
        told = [person, ids, at.view(np.uint64), received.view(np.uint64)]
        for name in WORDS:
            column = (
                self._text(table, name) if name in have else _repeated("inbound" if name == "direction" else None, rows)
            )
            place, hashes = self.words.encode(name, column)
            columns[name] = pa.array(place, mask=place < 0)
            told.append(hashes)
        self._check_directions()
        for name in _NUMBERS:
            number = self._floats(table, name) if name in have else np.full(rows, np.nan)
            columns[name] = pa.array(number, from_pandas=True)
            told.append(_bits(number))
        columns["case_id"] = self._text(table, "case_id") if "case_id" in have else _repeated(None, rows)
        told.append(hash_strings(columns["case_id"]))
        own, saved = physical.own(table), physical.discounts(table)
        columns["_own"], columns["_discount"] = pa.array(own), pa.array(saved, from_pandas=True)
        told += [own.astype(np.uint64), _bits(saved)]
        columns["_key"], columns["_mark"] = pa.array(self.keys.map(person)), pa.array(_mixed(told, rows))
        return pa.table(columns)

    def _text(self, table: pa.Table, name: str) -> pa.ChunkedArray:
        """Whole numbers are ids as well; fractions are somebody's mistake."""
        column = table.column(name)
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_string(kind):
            return column
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
            return column.cast(pa.string())
        if pa.types.is_integer(kind):
            return column.cast(kind).cast(pa.string())
        raise WorkspaceError(f"{self.name}: {name} is {kind}; make it text")

    def _instants(self, table: pa.Table, name: str) -> np.ndarray:
        """int64 microseconds; an instant without a zone is UTC."""
        column = table.column(name)
        if not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type)):
            raise WorkspaceError(
                f"{self.name}: {name} is {column.type}; make it a timestamp (`tactful ingest` reads dates from text)"
            )
        micros = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        if micros.null_count:  # received_at may be unknown: then it was received when it occurred
            micros = pc.coalesce(
                micros, table.column("occurred_at").cast(pa.timestamp("us"), safe=False).cast(pa.int64())
            )
        return micros.to_numpy()

    def _floats(self, table: pa.Table, name: str) -> np.ndarray:
        column = table.column(name)
        if pa.types.is_dictionary(column.type) or not _is_number(column.type):
            raise WorkspaceError(f"{self.name}: {name} is {column.type}; make it a number")
        return column.cast(pa.float64()).to_numpy()

    def _check_directions(self) -> None:
        for word in self.words.of("direction"):
            if word not in DIRECTIONS:
                raise WorkspaceError(
                    f"{self.name}: direction is {word!r} in some row; it may be {', '.join(DIRECTIONS)}"
                )


def _is_number(kind: pa.DataType) -> bool:
    return (
        pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    )


def _repeated(word: str | None, rows: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.repeat(pa.scalar(word, pa.string()), rows)])


def _bits(numbers: np.ndarray) -> np.ndarray:
    """The numbers' bits; every NaN and both zeros alike."""
    return np.where(np.isnan(numbers), np.nan, numbers + 0.0).view(np.uint64)


def _mixed(columns: Sequence[np.ndarray], rows: int) -> np.ndarray:
    mark = np.full(rows, _MULTIPLIER)
    for column in columns:
        mark ^= column
        mark *= _MULTIPLIER
        mark ^= mark >> _SHIFT
    return mark
