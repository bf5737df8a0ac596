"""Features of history: every customer at every cutoff, or chosen customers each at their own instant."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from features.arrange import Log, arrange
from features.attributes import facts_of
from features.catalogue import Catalogue
from features.definitions import Feature
from features.identity.personas import at_cutoffs, at_instants
from features.interactions import INSTANT
from features.kernel.records import RECEIVED, known_from
from features.past import Past
from features.sensitive import sensitive_topics
from features.vocabulary import Vocabulary
from features.workspace import Settings

_BLOCKS = 8  # a worker: enough that one heavy customer does not keep the others waiting


@dataclass(frozen=True)
class FeatureMatrix:
    """Row i is customer_id[i] as of as_of[i] (microseconds); column j is catalogue.names[j], float64, NaN is null.

    `levels` names the labels of the categorical columns, whose values are positions among them.
    """

    customer_id: np.ndarray
    as_of: np.ndarray
    values: np.ndarray
    catalogue: Catalogue
    levels: dict[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.as_of)

    def to_pandas(self) -> pd.DataFrame:
        """One column a feature, without keys; categorical columns carry labels."""
        frame = pd.DataFrame(self.values, columns=list(self.catalogue.names), copy=False)
        for name, labels in self.levels.items():
            frame[name] = pd.Categorical.from_codes(_positions(frame[name].to_numpy()), pd.Index(labels))
        return frame

    def to_arrow(self) -> pa.Table:
        """customer_id, as_of, then one column a feature; categorical columns are dictionaries of labels."""
        columns: dict[str, pa.Array] = {
            "customer_id": pa.array(self.customer_id, pa.string()),
            "as_of": pa.array(self.as_of, pa.int64()).cast(INSTANT),
        }
        for j, (name, feature) in enumerate(zip(self.catalogue.names, self.catalogue, strict=True)):
            values = np.ascontiguousarray(self.values[:, j])
            if name in self.levels:
                positions = _positions(values)
                indices = pa.array(positions, pa.int32(), mask=positions < 0)
                columns[name] = pa.DictionaryArray.from_arrays(indices, pa.array(self.levels[name], pa.string()))
            else:
                columns[name] = pa.array(values, pa.float64(), from_pandas=feature.null != Feature.null)
        return pa.table(columns)


def compute(
    past: Past | pa.Table,
    cutoffs: Sequence[int],
    catalogue: Catalogue,
    settings: Settings,
    workers: int | None = None,
) -> FeatureMatrix:
    """All customers of whom some interaction was known before the cutoff, at every cutoff (microseconds).

    Rows are in order of cutoff as given, then customer_id. `workers` threads; default one a processor.
    """
    past, personas = at_cutoffs(Past.of(past), cutoffs, settings)
    vocabulary = Vocabulary()
    log = arrange(past.interactions, vocabulary, sensitive_topics(settings))
    facts = facts_of(past.attributes, catalogue.attributes)
    instants = np.array(cutoffs, np.int64)
    known, customers = _known_from(log)[:, None] <= instants[None, :], log.customers
    if personas is not None:
        customers, was = personas.read(customers)
        known &= was
    target = np.cumsum(known.T.ravel()).reshape(known.T.shape).T - 1
    customer, cutoff = np.nonzero(known)  # by customer, so that a customer's rows stay in the cache
    where = target[customer, cutoff]
    first, end = facts.ranges(log.customers)
    rows = np.column_stack(
        [log.start[customer], log.end[customer], instants[cutoff], where, first[customer], end[customer]]
    )
    position, who = np.nonzero(known.T)
    return _fill(log, facts.facts, rows, customers[who], instants[position], catalogue, vocabulary, settings, workers)


def compute_at(
    past: Past | pa.Table,
    customers: Sequence[str],
    as_of: np.ndarray,
    catalogue: Catalogue,
    settings: Settings,
    workers: int | None = None,
) -> FeatureMatrix:
    """Row i is customers[i] as of as_of[i] (microseconds); a customer without interactions gets the cold profile.

    Any id of a person will do: it stands for the person it was one of as of then.
    """
    wanted = np.array(list(customers), object)
    instants = np.asarray(as_of, np.int64)
    if len(wanted) != len(instants):
        raise ValueError(f"{len(wanted)} customers but {len(instants)} instants: give one for each")
    past, persons = at_instants(Past.of(past), wanted, instants, settings)
    vocabulary = Vocabulary()
    log = arrange(past.interactions, vocabulary, sensitive_topics(settings))
    facts = facts_of(past.attributes, catalogue.attributes)
    place = pd.Index(log.customers).get_indexer(pd.Index(persons))
    lo, hi = np.append(log.start, 0)[place], np.append(log.end, 0)[place]  # a stranger, -1, has no rows
    rows = np.column_stack([lo, hi, instants, np.arange(len(wanted)), *facts.ranges(persons)])
    rows = rows[np.lexsort((instants, place))]
    return _fill(log, facts.facts, rows, wanted, instants, catalogue, vocabulary, settings, workers)


def _known_from(log: Log) -> np.ndarray:
    """int64[customers]: the first instant at which something is known of each."""
    known = np.empty(len(log.names), np.int64)
    known_from(log.records, log.extras, bool(log.present[RECEIVED]), log.start, log.end, known)
    return known


def _fill(
    log: Log,
    facts: np.ndarray,
    rows: np.ndarray,
    customers: np.ndarray,
    as_of: np.ndarray,
    catalogue: Catalogue,
    vocabulary: Vocabulary,
    settings: Settings,
    workers: int | None,
) -> FeatureMatrix:
    compiled = catalogue.compile(vocabulary, settings)
    values = np.empty((len(catalogue), len(rows)))  # as C orders it: one type for the kernel, also of a single row
    packed = compiled.packed
    threads = workers or len(os.sched_getaffinity(0))
    blocks = np.array_split(np.ascontiguousarray(rows, np.int64), max(1, min(len(rows), threads * _BLOCKS)))

    def fill(block: np.ndarray) -> None:
        compiled.kernel.run_log(log.records, log.extras, log.present, facts, packed, block, values)

    if threads == 1 or len(blocks) == 1:
        for block in blocks:
            fill(block)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, blocks))
    return FeatureMatrix(customers, as_of, values.T, catalogue, compiled.levels)


def _positions(values: np.ndarray) -> np.ndarray:
    """int32, -1 for null."""
    return np.nan_to_num(values, nan=-1.0).astype(np.int32)
