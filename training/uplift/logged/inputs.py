"""Which inputs effects are learned from: a catalogue's feature vector as bounded numbers, gaps and labels told apart.

Declared in the service's own form (`serving/decisions/effects/inputs.py`), and computed by its code: what was learned
from is what is asked about.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from features import catalogue as catalogues
from features.workspace import Workspace
from serving.decisions.effects import Input, Label, Missing, Value

#: Beyond these quantiles values are cut: a heavy tail says little more and costs much.
TAIL = 0.005
#: A gap or label that fewer decisions than this share have says nothing that can be learned.
SHARE, FEWEST = 0.005, 50
#: A feature whose upper half spreads so many times wider than its lower is read in logarithms.
SKEWED = 4.0


def declared(values: np.ndarray, names: Sequence[str], levels: Mapping[str, Sequence[str] | None]) -> list[Input]:
    """Of feature vectors [n, F]; what never varies is left out."""
    found: list[Input] = []
    least = max(FEWEST, SHARE * len(values))
    for j, name in enumerate(names):
        column = values[:, j]
        known = column[np.isfinite(column)]
        gaps = len(column) - len(known)
        labels = levels.get(name)
        if labels is not None:
            counts = np.bincount(known.astype(np.int64), minlength=len(labels))
            frequent = [k for k in np.argsort(-counts, kind="stable").tolist() if counts[k] >= least]
            # the commonest is what the others are compared with
            found += [Label(name, labels[k]) for k in sorted(frequent[1:])]
            continue
        if len(known) >= least and (one := _number(name, known)) is not None:
            found.append(one)
        if least <= gaps <= len(column) - least:
            found.append(Missing(name))
    return found


def _number(name: str, known: np.ndarray) -> Value | None:
    low, middle, high = np.quantile(known, [TAIL, 0.5, 1 - TAIL])
    if low == high:
        low, high = known.min(), known.max()
    if low == high:
        return None
    skewed = low >= 0 and high - middle > SKEWED * max(middle - low, 1e-9)
    fill = np.log1p(middle) if skewed else middle  # stands for a null as it is, no transform follows
    return Value(name, float(fill), float(low), float(high), "log1p" if skewed else "identity")


def levels_of(workspace: Workspace) -> dict[str, tuple[str, ...] | None]:
    """The labels of each categorical feature, None for a number."""
    settings = workspace.settings
    return {each.name: each.labels_in(settings) if each.categorical else None for each in catalogues.of(workspace)}
