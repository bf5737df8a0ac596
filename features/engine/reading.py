"""Reads a source once, into as many buckets as the memory demands."""

from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.buckets import Keys
from features.engine.compact import Compactor, Fingerprint, Words
from features.engine.result import Staging
from features.engine.source import Source
from features.engine.spill import Spill
from features.tables import Unit

#: Told of progress: what is being done, how many are done, out of how many (rows or buckets).
Tick = Callable[[str, int, int], object]

#: What the process holds besides rows, and what a row costs while it is read, sorted and computed (bytes).
BASE, ROW = 500 << 20, 320
#: Copies of a number of the result that are alive at once: the matrix, its columns, the writer's pages.
COPIES = 3
#: Of the memory that is left, what one bucket's rows, or one step's results, may take.
SHARE = 0.4
#: Files open at once while the source is read; a bucket that is still too large splits afterwards.
FIRST_BUCKETS, MOST_BUCKETS = 128, 4096


class Reading:
    """What was read so far is in `words`; `fingerprint` is that of the last complete reading."""

    def __init__(self, source: Source, keys: Keys, until: int, features: int, memory: int, tick: Tick) -> None:
        self.source, self.keys, self.until, self.tick = source, keys, until, tick
        self.room, self.line = memory - BASE, COPIES * 8 * features
        self.words, self.fingerprint = Words(), Fingerprint()

    def needed(self, rows: int, customers: int) -> int:
        """How many buckets keep each within the memory that there is."""
        whole = rows * ROW + customers * self.line
        return 1 if whole <= self.room else min(MOST_BUCKETS, int(whole / (self.room * SHARE)) + 1)

    def guess(self) -> int:
        """The same before anything is read."""
        rows = self.source.rows()
        return min(FIRST_BUCKETS, self.needed(rows, rows // 4))

    def step(self, spill: Spill) -> int:
        """How many cutoffs of a bucket may be computed at a time."""
        customers = int(spill.customers) // spill.n + 100
        return max(1, int(self.room * SHARE / (self.line * customers)))

    def into(self, n: int, staging: Staging, skip: Collection[int] = (), only: np.ndarray | None = None) -> Spill:
        """All rows before `until` in `n` buckets, more where one bucket turns out too large for memory.

        `skip`: buckets that need not be kept. `only`: the keys of the customers wanted; n is kept then.
        """
        spill = Spill(n, self.words, staging.spill if n > 1 else None, skip)
        chosen, found = None if only is None else pa.array(only, pa.uint64()), Fingerprint()
        for rows in self.rows():
            found.add(rows.column("_mark").to_numpy())
            rows = rows.drop_columns("_mark")
            spill.add(rows if chosen is None else rows.filter(pc.is_in(rows.column("_key"), chosen)))
            if spill.folder is None and chosen is None and spill.rows * ROW > self.room:
                spill = spill.split(FIRST_BUCKETS, staging.spill)
        spill.close()
        self.fingerprint = found
        return spill

    def refined(self, spill: Spill, staging: Staging) -> Spill:
        """The same rows in more buckets, now that the numbers of rows and customers are known."""
        factor = -(-self.needed(spill.rows, int(spill.customers)) // spill.n)
        if factor > 1:
            spill = spill.split(factor, staging.spill / "finer")
            spill.close()
        return spill

    def rows(self, units: Sequence[Unit] | None = None) -> Iterator[pa.Table]:
        """Compact rows of the source, or of some of its pieces."""
        compactor = Compactor(self.source.name, self.words, self.keys, self.until)
        total = self.source.rows()
        for table in self.source.tables(self.until, units):
            yield compactor.compact(table)
            self.tick("reading", compactor.read, max(total, compactor.read))
