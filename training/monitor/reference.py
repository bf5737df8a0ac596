"""What a training run keeps of its data: the artefact `reference.json` that `tactful monitor` compares later rows with.

Keys: `format` 1 · `kind` · `until` the latest instant of the rows (the test window; microseconds) · `rate` their share
of label 1 (of effects: 0) · `rows` · `columns`: of every input of the model, and of its score under SCORE (of effects:
one for each arm, see effects.py), the bins (`edges` or `labels`, null comes last), `counts` by bin, `gain` the share of
the trees' total gain, and `wander`: pairs of (weeks before `until`, PSI against it beyond chance) of the run's own
earlier rows. Some features move by themselves, tenure in a young log or money by the season; only what moves further
than it did in the model's own past is news.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from features.clock import DAY
from features.workspace import WorkspaceError
from training import pipeline
from training.monitor.psi import Bins, excess

if TYPE_CHECKING:
    from training.dataset import Part
    from training.tracking import Fitted

FILE, FORMAT = "reference.json", 1
SCORE = "(score)"
#: Rows of the test window, and of everything before it, that are looked at.
ROWS, EARLIER_ROWS = 20_000, 40_000
#: A week of fewer rows says nothing of how far a feature wanders.
LEAST_ROWS = 200
WEEK = 7 * DAY


@dataclass(frozen=True)
class Column:
    """One input, or the score."""

    bins: Bins
    counts: tuple[int, ...]
    gain: float = 0.0
    wander: tuple[tuple[int, float], ...] = ()

    def wandered(self, weeks: float) -> float:
        """The furthest that the column was, at most so many weeks before the reference; 0 where that is not known."""
        reach = max(weeks, min((before for before, _ in self.wander), default=0))
        return max((psi for before, psi in self.wander if before <= reach), default=0.0)


@dataclass(frozen=True)
class Reference:
    """The content of the artefact."""

    kind: str
    until: int
    rate: float
    rows: int
    columns: Mapping[str, Column]

    @classmethod
    def of(cls, fitted: "Fitted") -> "Reference":
        """Of the test window, with how far the windows before it were from it."""
        dataset, model = fitted.dataset, fitted.pipeline[-1]
        test, until = dataset.test, int(dataset.test.as_of.max())
        rows = sample(len(test), ROWS)
        now = test.frame.iloc[rows]
        before, weeks = _earlier([dataset.training, dataset.embargo, dataset.calibration], int(test.as_of.min()))
        gain = model.booster.feature_importance("gain")
        gains = dict(zip(model.booster.feature_name(), (gain / max(float(gain.sum()), 1e-12)).tolist(), strict=True))
        columns = {}
        for name in map(str, model.feature_names_in_):
            if name in dataset.action_features or moves_by_design(name):
                continue
            columns[name] = column(now[name].to_numpy(), before[name].to_numpy(), weeks, gains.get(name, 0.0))
        scores = pipeline.probability(fitted.pipeline, before) if len(before) else np.empty(0)
        columns[SCORE] = column(fitted.probability[rows], scores, weeks, 0.0)
        return cls(dataset.kind, until, float(np.mean(test.label)), len(test), columns)

    def text(self) -> str:
        """As JSON."""
        said = {
            "format": FORMAT,
            **{name: getattr(self, name) for name in ("kind", "until", "rate", "rows")},
            "columns": {
                name: column.bins.to_json()
                | {key: value for key, value in asdict(column).items() if key in ("counts", "gain", "wander")}
                for name, column in self.columns.items()
            },
        }
        return json.dumps(said, allow_nan=False)

    @classmethod
    def read(cls, text: str, source: str) -> "Reference":
        """Raises WorkspaceError where the text is none of ours."""
        try:
            said: dict[str, Any] = json.loads(text)
            if said["format"] != FORMAT:
                raise WorkspaceError(
                    f"{source}: its format is {said['format']}, this version reads {FORMAT}; train again"
                )
            columns = {
                name: Column(
                    Bins.from_json(column),
                    tuple(map(int, column["counts"])),
                    float(column["gain"]),
                    tuple((int(weeks), float(psi)) for weeks, psi in column["wander"]),
                )
                for name, column in said["columns"].items()
            }
            return cls(str(said["kind"]), int(said["until"]), float(said["rate"]), int(said["rows"]), columns)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WorkspaceError(f"{source}: is damaged ({error}); train the model again") from None


def moves_by_design(name: str) -> bool:
    """Whether a feature is the date itself."""
    return name.startswith(pipeline.TIME_ITSELF)


def sample(count: int, most: int) -> np.ndarray:
    """Positions, ascending; the same for the same counts."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, most, replace=False))


def _earlier(parts: "list[Part]", begin: int) -> tuple[pd.DataFrame, np.ndarray]:
    """A sample of the rows before the reference, and how many weeks before its begin each of them is, int64[n]."""
    frame = pd.concat([part.frame for part in parts if len(part)], ignore_index=True)
    as_of = np.concatenate([part.as_of for part in parts])
    rows = sample(len(frame), EARLIER_ROWS)
    return frame.iloc[rows], -((as_of[rows] - begin) // WEEK)


def column(now: np.ndarray, before: np.ndarray, weeks: np.ndarray, gain: float) -> Column:
    """One column of the reference's rows [n], and of earlier ones [m], so many `weeks` before its begin each."""
    bins = Bins.of(now)
    counts = bins.count(now)
    steps, week = np.unique(weeks, return_inverse=True)
    table = np.bincount(week * len(bins) + bins.place(before), minlength=len(steps) * len(bins))
    wander = tuple(
        (int(step), round(excess(row, counts), 5))
        for step, row in zip(steps, table.reshape(len(steps), len(bins)), strict=True)
        if row.sum() >= LEAST_ROWS
    )
    return Column(bins, tuple(counts.tolist()), round(gain, 6), wander)
