"""An earlier result and what was computed anew, row by row in the order of a full build."""

import itertools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def merged(earlier: Iterator[pa.Table], fresh: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Both in order of (as_of, customer_id), which each of them is already; a cutoff at a time is held in memory."""
    left, right = _by_cutoff(earlier), _by_cutoff(fresh)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            yield one[1]
            one = next(left, None)
        elif one is None or other[0] < one[0]:
            yield other[1]
            other = next(right, None)
        else:
            both = pa.concat_tables([one[1], other[1]])
            yield both.take(pc.sort_indices(both, sort_keys=[("customer_id", "ascending")]))
            one, other = next(left, None), next(right, None)


def _by_cutoff(tables: Iterator[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    """(cutoff, its rows) of tables in order of cutoff, which may begin and end anywhere."""
    cutoff, held = 0, list[pa.Table]()
    for table in tables:
        at = table.column("as_of").cast(pa.int64()).to_numpy()
        edges = [0, *(np.flatnonzero(at[1:] != at[:-1]) + 1).tolist(), len(at)]
        for start, end in itertools.pairwise(edges):
            if start == end:
                continue
            if held and int(at[start]) != cutoff:
                yield cutoff, pa.concat_tables(held)
                held = []
            cutoff = int(at[start])
            held.append(table.slice(start, end - start))
    if held:
        yield cutoff, pa.concat_tables(held)
