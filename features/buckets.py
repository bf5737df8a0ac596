"""Which customers belong together: a stable number for each, and buckets of them that can be computed on their own."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from features.hashing import hash_string, hash_strings


def bucket_of(customer_id: pa.Array | pa.ChunkedArray, n: int) -> np.ndarray:
    """int64[rows]: one of `n` buckets for each row, the same on every machine.

    >>> bucket_of(pa.array(["ann", "bob", "ann"]), 8).tolist()
    [2, 1, 2]
    """
    return (hash_strings(customer_id) % np.uint64(n)).astype(np.int64)


class Keys:
    """uint64 keys of customers: the hash of their id, or of the one id that stands for all that are linked with it.

    Rows with the same key are computed together. That two people share a key by chance does no harm.
    """

    def __init__(self, representatives: Mapping[str, str] | None = None) -> None:
        pairs = [(hash_string(raw), hash_string(of)) for raw, of in (representatives or {}).items() if raw != of]
        table = np.array(sorted(pairs), np.uint64).reshape(len(pairs), 2)
        self._raw, self._of = np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])

    def of(self, customer_id: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """uint64[rows]."""
        return self.map(hash_strings(customer_id))

    def map(self, keys: np.ndarray) -> np.ndarray:
        """The same for hashes of ids."""
        if not len(self._raw) or not len(keys):
            return keys
        place = np.minimum(np.searchsorted(self._raw, keys), len(self._raw) - 1)
        return np.where(self._raw[place] == keys, self._of[place], keys)
