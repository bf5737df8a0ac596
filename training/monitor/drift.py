"""The newest rows against a training run's reference: which features moved, and whether that is news.

A feature has drifted where its PSI is above `monitor.psi` in tactful.yaml, above what the feature itself wandered in as
much time in the model's own past, and above what chance makes of so many rows (one look in a thousand, over all
features together). The alarm rings where what drifted holds `monitor.gain` of what the model goes by, or the score
drifted. Trees go by a feature by its gain, effects by how far they move where it is held (reference.py, effects.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.workspace import Monitor, Workspace
from training import pipeline
from training.monitor.psi import chance, excess
from training.monitor.reference import SCORE, WEEK, Reference
from training.monitor.rows import Rows, Source

if TYPE_CHECKING:
    from features.past import Past
    from training.tracking import Fitted

#: How often stable data may ring one check by chance.
LEVEL = 0.001
#: Fewer rows are not compared.
LEAST = 100


@dataclass(frozen=True)
class Moved:
    """One column against the reference: PSI beyond chance, and the limit that it had to pass to have drifted."""

    name: str
    psi: float
    limit: float
    gain: float

    @property
    def drifted(self) -> bool:
        return self.psi > self.limit


@dataclass(frozen=True)
class Drift:
    """Rows as of one cutoff against the reference; `features` from the furthest moved on."""

    cutoff: int
    rows: int
    features: tuple[Moved, ...]
    score: Moved
    alarm: bool

    @property
    def drifted(self) -> tuple[Moved, ...]:
        return tuple(moved for moved in self.features if moved.drifted)

    @property
    def gain(self) -> float:
        """The share of what the model goes by that drifted features hold."""
        return sum((moved.gain for moved in self.drifted), 0.0)

    @property
    def sentence(self) -> str:
        """What moved, in words."""
        if not self.drifted and not self.score.drifted:
            first = self.features[0] if self.features else self.score
            return f"nothing drifted; furthest is {first.name} (PSI {first.psi:.3f}, its limit {first.limit:.3f})"
        told = [f"{moved.name} (PSI {moved.psi:.2f}, limit {moved.limit:.2f})" for moved in self.drifted[:5]]
        more = f" and {len(self.drifted) - 5} more" if len(self.drifted) > 5 else ""
        parts = [f"{', '.join(told)}{more}, {self.gain:.1%} of what the model goes by"] if told else []
        if self.score.drifted:
            parts.append(f"scores (PSI {self.score.psi:.2f}, limit {self.score.limit:.2f})")
        return f"drifted: {'; '.join(parts)}"


def compare(
    reference: Reference,
    frame: pd.DataFrame,
    score: np.ndarray | Mapping[str, np.ndarray],
    cutoff: int,
    thresholds: Monitor,
) -> Drift | None:
    """Rows [n] of the model's inputs and their scores (of effects by the column's name); None where they are too few to
    compare. Of several scores the one that moved furthest stands for all."""
    scores = score if isinstance(score, Mapping) else {SCORE: score}
    if len(frame) < LEAST:
        return None
    weeks = (cutoff - reference.until) / WEEK
    level = LEVEL / 2 / max(len(reference.columns) - len(scores), 1)
    found = {}
    for name, column in reference.columns.items():
        values = scores[name] if name in scores else frame[name].to_numpy()
        counts = column.bins.count(values)
        by_chance = chance(counts, column.counts, LEVEL / 2 / len(scores) if name in scores else level)
        limit = max(thresholds.psi, column.wandered(weeks)) + by_chance
        found[name] = Moved(name, excess(counts, column.counts), limit, column.gain)
    own, *_ = _furthest([found.pop(name) for name in scores])
    features = _furthest(found.values())
    drifted = [moved.gain for moved in features if moved.drifted]
    alarm = own.drifted or (bool(drifted) and sum(drifted) >= thresholds.gain)
    return Drift(cutoff, len(frame), features, own, alarm)


def _furthest(moved: Iterable[Moved]) -> tuple[Moved, ...]:
    """What drifted first."""
    return tuple(sorted(moved, key=lambda each: (not each.drifted, -each.psi)))


def drift_alarm(workspace: Workspace, fitted: "Fitted", past: "Past | None" = None) -> str | None:
    """Why a freshly fitted model should not decide yet: its newest customers differ from those it was judged on.

    None where all is well, or too few rows are newer than its test window to say. `past` spares reading history.
    """
    dataset = fitted.dataset
    source = Source.of(workspace, dataset.kind, past, catalogue=dataset.catalogue)
    reference = Reference.of(fitted)
    newest = source.newest
    if newest <= reference.until:
        return None
    rows = source.rows(source.pairs(newest))
    found = compare(reference, *_scored(rows, fitted), newest, workspace.settings.monitor)
    return found.sentence if found is not None and found.alarm else None


def _scored(rows: Rows, fitted: "Fitted") -> tuple[pd.DataFrame, np.ndarray]:
    if not len(rows.label):
        return rows.frame, np.empty(0)
    return rows.frame, pipeline.probability(fitted.pipeline, pipeline.inputs(rows.frame, fitted.pipeline))
