"""The guard against the future: features must be the same when everything after the cutoff is taken away."""

import numpy as np
import pyarrow as pa

from features.clock import isoformat
from features.identity.resolution import representatives
from features.past import Past
from features.workspace import Settings, WorkspaceError
from training.dataset import Compute, Dataset, before, plain
from training.persons import customers

ROWS = 200


def check(dataset: Dataset, past: Past | pa.Table, settings: Settings, compute: Compute, seed: int = 0) -> None:
    """Recomputes a sample of rows at the first training cutoff and at the latest one of each window.

    Raises WorkspaceError naming the features that changed: they had seen what was not yet known.
    """
    past = Past.of(past)
    place, names = customers(past.interactions)
    one = representatives(past.links, settings)
    persons = np.array([one.get(name, name) for name in names], object)
    training, calibration = dataset.training, dataset.calibration
    for part, cutoff in (
        (training, training.as_of.min()),
        (training, training.as_of.max()),
        (calibration, calibration.as_of.max()),
        (dataset.test, dataset.test.as_of.max()),
    ):
        rows = np.flatnonzero(part.as_of == cutoff)
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:ROWS])
        whom = {one.get(name, name) for name in part.customer[rows]}  # with every id that was ever theirs
        theirs = np.array([person in whom for person in persons], bool)[place]
        sample = Past(past.interactions.filter(pa.array(theirs)), past.attributes, past.links)
        known = before(sample, int(cutoff))
        honest = plain(compute(known, part.customer[rows], part.as_of[rows], dataset.catalogue, settings).to_pandas())
        used = part.frame.iloc[rows].reset_index(drop=True)
        peeking = [name for name in honest.columns if not _equal(honest[name].to_numpy(), used[name].to_numpy())]
        if peeking:
            raise WorkspaceError(
                f"these features see the future: {', '.join(peeking)}; as of {isoformat(int(cutoff))} they change when"
                " later interactions are removed; correct or remove them, a model trained on them would fail live"
            )


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype == object:
        return all(x == y or (x != x and y != y) for x, y in zip(a, b, strict=True))
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True))
