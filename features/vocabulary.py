"""What an interaction is, as one small integer: an append-only list of (channel, direction, type, topic).

Codes never change meaning, so packed states, features and models that were made at different times agree.
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

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
        if table.num_rows == 0:
            return np.zeros(0, np.int32)
        key = np.zeros(table.num_rows, np.int64)
        labels: list[list[str | None]] = []
        for name in _COLUMNS:
            index, words = factorise(table.column(name))
            key = key * len(words) + index
            labels.append(words)
        possible = int(np.prod([len(words) for words in labels], dtype=float))
        if possible > _DENSE:
            found, inverse = np.unique(key, return_inverse=True)
            return self._codes_of(found, labels)[inverse]
        present = np.zeros(possible, bool)
        present[key] = True
        found = np.flatnonzero(present)
        lookup = np.zeros(possible, np.int32)
        lookup[found] = self._codes_of(found, labels)
        return lookup[key]

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
