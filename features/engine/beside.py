"""What stands beside interactions: the workspace's customer attributes and identifiers, split like the interactions.

Both are held in memory: they change rarely, where interactions come by the million.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.buckets import Keys
from features.history import History
from features.identity.links import ERASE, erased
from features.identity.resolution import representatives
from features.past import Past
from features.workspace import Settings


class Beside:
    """Attributes received by `until` and all links of a workspace; `keys` follow the links."""

    def __init__(self, history: History, settings: Settings, until: int) -> None:
        self._history, self._settings, self._until = history, settings, until
        logs = {"attributes": history.records, "identifiers": history.identifiers}
        self.units = {name: [batch.id for batch in log.batches()] for name, log in logs.items()}
        self._attributes, self._links = history.attributes(until), history.links()
        self._representatives = representatives(self._links, settings)
        self.keys = Keys(self._representatives)
        self._split: tuple[int, _Sorted, _Sorted] | None = None

    def past(self, interactions: pa.Table, bucket: int, n: int) -> Past:
        """The past of the customers of one of `n` buckets."""
        if self._split is None or self._split[0] != n:
            self._split = (n, *self._sorted(n))
        return Past(interactions, self._split[1].of(bucket), self._split[2].of(bucket))

    def touched(self, before: Mapping[str, Sequence[str]]) -> np.ndarray:
        """Keys of the customers that batches which were not there `before` say something of."""
        fresh = {name: [unit for unit in units if unit not in set(before.get(name, ()))]
                 for name, units in self.units.items()}  # fmt: skip
        keys = [np.zeros(0, np.uint64)]
        if fresh["attributes"]:
            records = self._history.attributes(self._until, fresh["attributes"])
            keys.append(self.keys.of(records.column("customer_id")))
        if fresh["identifiers"]:
            keys.append(self._relinked(before.get("identifiers", ()), fresh["identifiers"]))
        return np.unique(np.concatenate(keys))

    def _relinked(self, old: Sequence[str], new: Sequence[str]) -> np.ndarray:
        """Of everyone who was, or is, one person with somebody whom the new links name."""
        links = self._history.links(batches=new)
        named = {*links.column("identifier").to_pylist(), *links.column("customer_id").to_pylist()} - {None}
        everyone = set(named)
        for of in (representatives(self._history.links(batches=old), self._settings), self._representatives):
            chosen = {of.get(text, text) for text in named}
            everyone |= chosen | {text for text, one in of.items() if one in chosen}
        return self.keys.of(pa.array(sorted(everyone), pa.string()))

    def _sorted(self, n: int) -> tuple["_Sorted", "_Sorted"]:
        attributes = _Sorted(self._attributes, self.keys.of(self._attributes.column("customer_id")), n)
        links = self._links
        if gone := erased(links):
            # what was erased joins nobody, in whichever bucket the other end of its link lies
            names = pa.array(sorted(gone))
            of_gone = pc.or_(pc.is_in(links["identifier"], names), pc.is_in(links["customer_id"], names))
            links = links.filter(pc.or_(pc.equal(links["op"], ERASE), pc.invert(of_gone)))
        one, other = self.keys.of(links.column("identifier")), self.keys.of(links.column("customer_id"))
        second = np.flatnonzero(
            (one % np.uint64(n) != other % np.uint64(n)) & links["customer_id"].is_valid().to_numpy()
        )
        both = pa.concat_tables([links, links.take(pa.array(second))])
        return attributes, _Sorted(both, np.concatenate([one, other[second]]), n)


class _Sorted:
    """A table in order of bucket."""

    def __init__(self, table: pa.Table, keys: np.ndarray, n: int) -> None:
        bucket = (keys % np.uint64(n)).astype(np.int64)
        order = np.argsort(bucket, kind="stable")
        self._edges = np.searchsorted(bucket[order], np.arange(n + 1))
        self._table = table.take(pa.array(order))

    def of(self, bucket: int) -> pa.Table | None:
        """The rows of one bucket; None where there are none at all."""
        first, end = self._edges[bucket], self._edges[bucket + 1]
        return self._table.slice(first, end - first) if end > first else None
