"""What an interaction is, as one small integer: an append-only list of (channel, direction, type, topic).

Codes never change meaning, so packed states, features and models that were made at different times agree.
"""

import math
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from features.kernel.records import bits, blend, mark, view

Entry = tuple[str, str, str, str | None]

_COLUMNS = ("channel", "direction", "type", "topic")
_DENSE = 1 << 22  # up to this many possible combinations a look-up array beats sorting


class Vocabulary:
    """Distinct (channel, direction, type, topic) in order of appearance; the position is the code.

    >>> words = Vocabulary()
    >>> words.code("web", "inbound", "purchase", None), words.code("email", "outbound", "contact", "sale")
    (0, 1)
    >>> Vocabulary(words.entries).code("web", "inbound", "purchase", None)
    0
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: list[Entry] = [(e[0], e[1], e[2], e[3]) for e in entries]
        self._codes = {entry: code for code, entry in enumerate(self._entries)}
        if len(self._codes) != len(self._entries):
            raise ValueError("a vocabulary names each (channel, direction, type, topic) once; this one repeats some")

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> list[Entry]:
        """A copy, in code order: what to persist."""
        return list(self._entries)

    def code(self, channel: str, direction: str, type: str, topic: str | None = None) -> int:
        """The code of a combination, appended where it is new."""
        entry = (channel, direction, type, topic)
        code = self._codes.get(entry)
        if code is None:
            code = self._codes[entry] = len(self._entries)
            self._entries.append(entry)
        return code

    def encode(self, table: pa.Table) -> np.ndarray:
        """int32[n], the code of every row; new combinations are appended in the order of their labels."""
        combination, codes = self.combine(table)
        return codes[combination]

    def combine(self, table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """int32[n] of what each row combines, and int32[combinations] the code of each, -1 where no row has it."""
        if table.num_rows == 0:
            return np.zeros(0, np.int32), np.zeros(0, np.int32)
        columns = [_dictionaries(table.column(name)) for name in _COLUMNS]
        labels = [words for _, words in columns]
        possible = math.prod(len(words) for words in labels)
        if possible > _DENSE:
            return self._combine_many(columns)
        found = np.zeros(table.num_rows, np.int32)
        for chunks, words in columns:
            place, done = {word: position for position, word in enumerate(words)}, 0
            for chunk in chunks:
                here = np.array([place[word] for word in chunk.dictionary.to_pylist()] or [0], np.int32)
                index, rows = chunk.indices.cast(pa.int32()), slice(done, done + len(chunk))
                done = rows.stop
                blend(found[rows], view(index.buffers()[1], np.int32, index.offset, len(index)),
                      bits(index), index.offset, here, len(words))  # fmt: skip
        present = np.zeros(possible, bool)
        mark(present, found)
        codes = np.full(possible, -1, np.int32)
        codes[present] = self._codes_of(np.flatnonzero(present), labels)
        return found, codes

    def _combine_many(self, columns: "Columns") -> tuple[np.ndarray, np.ndarray]:
        """Where so many combinations are possible that a table of them would be larger than the rows."""
        key = np.zeros(sum(len(chunk) for chunk in columns[0][0]), np.int64)
        for chunks, words in columns:
            place = {word: position for position, word in enumerate(words)}
            parts = []
            for chunk in chunks:
                here = np.array([*(place[word] for word in chunk.dictionary.to_pylist()), len(words) - 1], np.int64)
                index = chunk.indices.cast(pa.int64()).fill_null(len(here) - 1)
                parts.append(here[index.to_numpy(zero_copy_only=False)])
            key = key * len(words) + np.concatenate(parts)
        found, inverse = np.unique(key, return_inverse=True)
        return inverse.astype(np.int32), self._codes_of(found, [words for _, words in columns])

    def _codes_of(self, keys: np.ndarray, labels: list[list[str | None]]) -> np.ndarray:
        combinations = []
        for key in keys.tolist():
            entry: list[str | None] = []
            for words in reversed(labels):
                key, position = divmod(key, len(words))
                entry.append(words[position])
            topic, kind, direction, channel = entry
            combinations.append((channel, direction, kind, topic))
        # the order of labels, not of this table's dictionaries: the same data give the same codes
        for combination in sorted(combinations, key=lambda c: tuple(word or "" for word in c)):
            self.code(*combination)  # type: ignore[arg-type]
        return np.array([self._codes[c] for c in combinations], np.int32)  # type: ignore[index]


Columns = list[tuple[list[pa.DictionaryArray], list[str | None]]]


def _dictionaries(column: pa.ChunkedArray) -> tuple[list[pa.DictionaryArray], list[str | None]]:
    """The column in pieces with a dictionary each, and the words of all of them; null is the last word."""
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words: dict[str | None, None] = {}
    for chunk in column.chunks:
        words.update(dict.fromkeys(chunk.dictionary.to_pylist()))
    words.pop(None, None)
    return column.chunks, [*words, None]


def factorise(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str | None]]:
    """Positions int64[n] into a list of distinct labels; null is the last label."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.unify_dictionaries().chunks)
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int64), [None]
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    words: list[str | None] = encoded.dictionary.to_pylist()
    index = encoded.indices.cast(pa.int64())
    if index.null_count:
        index = index.fill_null(len(words))
        words = [*words, None]
    return index.to_numpy(zero_copy_only=False), words
