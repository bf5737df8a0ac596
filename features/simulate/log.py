"""The day loop's columns as the interaction contract, and into Parquet, without a Python object for each row."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features import clock
from features.interactions import CHANNELS, INSTANT, PROVENANCES, SCHEMA
from features.kernel.jit import compiled
from features.simulate.actions import ACTION_OF, ACTIONS
from features.simulate.events import KINDS, TOPICS, Events, together

#: Rows that are gathered before they are written.
PIECE = 1 << 20
_TYPES = tuple(dict.fromkeys(kind for kind, _, _ in KINDS))
_TYPE_OF = np.array([_TYPES.index(kind) for kind, _, _ in KINDS], np.int8)
_OUTBOUND = np.array([direction == "outbound" for _, direction, _ in KINDS])
_PROVENANCE_OF = np.array([PROVENANCES.index(provenance) for _, _, provenance in KINDS], np.int8)
_WORDS = pa.dictionary(pa.int8(), pa.string())
#: The contract, with its few words as dictionaries; the file says strings.
_COMPACT = pa.schema(
    [
        field.with_type(
            _WORDS if field.name in ("channel", "direction", "type", "topic", "action", "provenance") else field.type
        )
        for field in SCHEMA
    ]
)


def customer_ids(customer: np.ndarray) -> pa.Array:
    """c0000000, c0000001 ... of these positions."""
    return _texts("c", (7, customer))


def decision_ids(customer: np.ndarray, day: np.ndarray) -> pa.Array:
    """Of the decisions about these customers on these days."""
    return _texts("d", (7, customer), (4, day))


def interactions(events: Events, start: int) -> pa.Table:
    """Rows in the contract's columns; `start` is midnight of day 0, microseconds UTC."""
    return _compact(events, start).cast(SCHEMA)


def _compact(events: Events, start: int) -> pa.Table:
    kind = events.kind
    at = pa.array(start + events.day.astype(np.int64) * clock.DAY + events.second * np.int64(1_000_000)).cast(INSTANT)
    ours = events.decided >= 0
    columns: dict[str, Any] = {
        "interaction_id": _texts("i", (7, events.customer), (4, events.day), (2, events.number)),
        "customer_id": customer_ids(events.customer),
        "occurred_at": at,
        "channel": _words(events.channel, CHANNELS),
        "direction": _words(_OUTBOUND[kind].astype(np.int8), ("inbound", "outbound")),
        "type": _words(_TYPE_OF[kind], _TYPES),
        "value": _numbers(events.value),
        "topic": _words(events.topic - np.uint8(1), TOPICS[1:], events.topic == 0),
        "case_id": _texts("k", (7, events.customer), (3, events.case), missing=events.case == 0),
        "decision_id": _texts("d", (7, events.customer), (4, events.decided), missing=~ours),
        "action": _words(
            ACTION_OF[np.where(ours, events.treatment, 0)].astype(np.int8), [action.name for action in ACTIONS], ~ours
        ),
        "satisfaction": _numbers(events.satisfaction),
        "identified": pa.array(events.identified),
        "provenance": _words(_PROVENANCE_OF[kind], PROVENANCES),
        "received_at": at,
        "attributes": _discounts(events.saved),
    }
    return pa.table(columns, schema=_COMPACT)


class Writer:
    """A folder of Parquet files, part-0000.parquet and so on, in the order of days; memory stays at one piece."""

    def __init__(self, folder: Path, start: int) -> None:
        self.folder, self.start = folder, start
        self.rows = self.parts = 0
        self._held: list[Events] = []

    def add(self, day: Events) -> None:
        """The rows of one day."""
        self._held.append(day)
        if sum(len(part.customer) for part in self._held) >= PIECE:
            self.flush()

    def flush(self) -> None:
        """Writes what is held."""
        events = together(self._held)
        self._held = []
        if not len(events.customer):
            return
        table = _compact(events.rows(np.lexsort((events.second, events.day))), self.start)
        pq.write_table(
            table,
            self.folder / f"part-{self.parts:04}.parquet",
            compression="zstd",
            store_schema=False,
            use_dictionary=[name for name in table.schema.names if table.schema.field(name).type == _WORDS],
        )
        self.rows, self.parts = self.rows + table.num_rows, self.parts + 1


def _words(codes: np.ndarray, words: Any, missing: np.ndarray | None = None) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8), mask=missing), pa.array(words))


def _numbers(column: np.ndarray) -> pa.Array:
    return pa.array(np.round(column.astype(np.float64), 2), from_pandas=True)


def _discounts(saved: np.ndarray) -> pa.Array:
    """{"discount": 1.25} where money was saved."""
    column = pa.array(np.round(saved.astype(np.float64), 2), from_pandas=True).dictionary_encode()
    texts = pa.array([f'{{"discount": {money}}}' for money in column.dictionary.to_pylist()], pa.string())
    return texts.take(column.indices)


def _texts(letter: str, *numbers: tuple[int, np.ndarray], missing: np.ndarray | None = None) -> pa.Array:
    """A letter and numbers of fixed width, with dashes between: their bytes are written at once."""
    n = len(numbers[0][1])
    width = len(letter) + sum(digits for digits, _ in numbers) + len(numbers) - 1
    text = np.full((n, width), ord("-"), np.uint8)
    text[:, 0] = ord(letter)
    place = 1
    for digits, column in numbers:
        _digits(np.ascontiguousarray(column, np.int64), text, place, digits)
        place += digits + 1
    lengths = np.full(n, width, np.int32) if missing is None else np.where(missing, 0, width).astype(np.int32)
    if missing is not None:
        text = text[~missing]
    edges = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
    valid = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.StringArray.from_buffers(n, pa.py_buffer(edges), pa.py_buffer(text), valid, -1)


@compiled
def _digits(numbers: np.ndarray, out: np.ndarray, place: int, digits: int) -> None:
    for i in range(numbers.shape[0]):
        rest = numbers[i]
        for at in range(place + digits - 1, place - 1, -1):
            out[i, at] = 48 + rest % 10
            rest //= 10
