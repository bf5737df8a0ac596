"""Models of effects (`uplift`, `fatigue`) as `tactful monitor` sees them: what they ask about, what they say of whom.

Rows are decisions. What is compared with the training run: the features that the effects ask about, weighed by how far
the effects move where a feature is held at its median; and what each arm was foretold to do (U) or to cost (harm). What
became of decisions since is judged by a slope: with s what chance shows of a decision's effect and e what was foretold,

    slope = sum w s e / sum w e^2

is 1 where effects are as large as foretold, level and differences together, and 0 where nothing of them is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.clock import isoformat
from features.workspace import Monitor, WorkspaceError
from serving.decisions.effects.bound import Bound
from serving.decisions.effects.file import Model
from serving.decisions.effects.inputs import Contacts
from training.evaluate import Interval
from training.monitor.drift import Drift, compare
from training.monitor.found import Found
from training.monitor.quality import Z, error
from training.monitor.reference import EARLIER_ROWS, FILE, ROWS, SCORE, WEEK, Reference, column, moves_by_design, sample
from training.monitor.report import Look, answered, unknown
from training.monitor.rows import OFFERED, weeks_back

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from training.tracking import Registry

#: Decisions whose features are held at their median to see what effects owe to each.
PROBED = 200
#: Cutoffs, a week apart, that are looked at.
CUTOFFS = 6


@dataclass(frozen=True)
class Asked:
    """Decisions [n] in order of time, `at` microseconds: their feature vectors `values` [n, F], what was foretold of
    them `said` [n, m], for each of `arms`; `counts` [n, k], where effects ask about contacts."""

    at: np.ndarray
    values: np.ndarray
    said: np.ndarray
    arms: Sequence[str]
    counts: np.ndarray | None = None

    def rows(self, chosen: np.ndarray) -> "Asked":
        """Some of them."""
        counts = None if self.counts is None else self.counts[chosen]
        return Asked(self.at[chosen], self.values[chosen], self.said[chosen], self.arms, counts)

    @property
    def scores(self) -> dict[str, np.ndarray]:
        """By name of the column: float64[n]."""
        return {score_of(arm): self.said[:, k] for k, arm in enumerate(self.arms)}

    def frame(self, names: Sequence[str], used: Sequence[str]) -> pd.DataFrame:
        """The features that are asked about."""
        return pd.DataFrame({name: self.values[:, list(names).index(name)] for name in used})


def asked(model: Model, bound: Bound, at: np.ndarray, values: np.ndarray, counts: np.ndarray | None = None) -> Asked:
    """What a model says of decisions, in order of time, on each of its arms."""
    said = bound.effects(values, np.arange(len(model.arms)), counts)
    return Asked(at, values, said, [named(arm.action, arm.channel) for arm in model.arms], counts)


def named(action: str | None, channel: str | None) -> str:
    """An arm in words."""
    return " on ".join(part for part in (action, channel) if part) or "any channel"


def score_of(arm: str) -> str:
    """The column of what is said of one arm."""
    return f"{SCORE} {arm}"


def used(model: Model) -> list[str]:
    """The features that effects are functions of; the date itself moves by design."""
    features = (each.feature for each in model.inputs if not isinstance(each, Contacts))
    return [name for name in dict.fromkeys(features) if not moves_by_design(name)]


def reference(model: Model, bound: Bound, said: Asked, names: Sequence[str], begins: int) -> Reference:
    """Of decisions from `begins` (microseconds) on, with how far those before it were from them.

    An arm whose effect is the same for everybody has no column: nothing in it can move.
    """
    late = np.flatnonzero(said.at >= begins)
    early = np.flatnonzero(said.at < begins)
    now = said.rows(late[sample(len(late), ROWS)])
    before = said.rows(early[sample(len(early), EARLIER_ROWS)])
    weeks = -((before.at - begins) // WEEK)
    weights = gains(bound, now.rows(sample(len(now.at), PROBED)), names, used(model))
    columns = {}
    for name, weight in weights.items():
        j = list(names).index(name)
        columns[name] = column(now.values[:, j], before.values[:, j], weeks, weight)
    for name, values in now.scores.items():
        if np.ptp(values) > 0:
            columns[name] = column(values, before.scores[name], weeks, 0.0)
    return Reference(model.kind, int(said.at.max()), 0.0, len(late), columns)


def gains(bound: Bound, probed: Asked, names: Sequence[str], features: Sequence[str]) -> dict[str, float]:
    """Of each feature the share in how far effects move where it is held at its median; those that move nothing are
    left out."""
    which = np.arange(len(probed.arms))
    found = {}
    for name in features:
        j = list(names).index(name)
        held, known = probed.values.copy(), probed.values[:, j]
        if np.isnan(known).all():
            continue
        held[:, j] = np.nanmedian(known)
        moved = float(np.abs(bound.effects(held, which, probed.counts) - probed.said).mean())
        if moved > 0:
            found[name] = moved
    total = sum(found.values())
    return {name: moved / total for name, moved in found.items()}


def drifts(found: Found, reference: Reference, said: Asked, names: Sequence[str], thresholds: Monitor) -> None:
    """The newest decisions, and those of weeks before, against the training run's."""
    if not reference.columns:
        text = f"{found.kind}: it says the same of everybody: nothing that it rests on can move"
        found.checks.append(answered(False, "drift", found.kind, 0.0, thresholds.gain, text))
        return
    inputs = [name for name in reference.columns if not name.startswith(SCORE)]
    last: Drift | None = None
    for cutoff in weeks_back(int(said.at.max()) + 1 if len(said.at) else 0, reference.until, CUTOFFS):
        some = said.rows((said.at >= cutoff - OFFERED) & (said.at < cutoff))
        scores = {name: values for name, values in some.scores.items() if name in reference.columns}
        last = compare(reference, some.frame(names, inputs), scores, cutoff, thresholds) if scores else None
        if len(some.at):
            found.looks.append(_look(found.kind, cutoff, len(some.at), last))
    found.moved(last, thresholds)


def slope(found: Found, of: Interval, decisions: int, when: str, thresholds: Monitor) -> None:
    """Whether effects are as large as foretold, as far as decisions since can tell."""
    low, high = thresholds.effect_slope
    doubt = Z * error(of)
    if not np.isfinite(doubt):
        few = f"{found.kind}: {decisions:,} decisions {when} do not tell how large effects are"
        found.checks.append(unknown("effect_slope", found.kind, few))
        return
    told = f"{found.kind}: on {decisions:,} decisions {when} effects are {of:.2f} times what was foretold"
    if doubt >= low:
        found.checks.append(unknown("effect_slope", found.kind, f"{told}: too few to tell whether any are left"))
        return
    limits = low - doubt, high + doubt
    limit = limits[0] if of.value < 1 else limits[1]
    told += f" (rings below {limits[0]:.2f} and above {limits[1]:.2f})"
    ringing = not limits[0] <= of.value <= limits[1]
    found.checks.append(answered(ringing, "effect_slope", found.kind, of.value, limit, told))


def _look(kind: str, cutoff: int, rows: int, drift: Drift | None) -> Look:
    furthest = drift.features[0] if drift is not None and drift.features else None
    return Look(
        model=kind,
        cutoff=isoformat(cutoff),
        rows=rows,
        score_psi=None if drift is None else drift.score.psi,
        drifted=None if drift is None else len(drift.drifted),
        furthest=None if furthest is None else furthest.name,
        furthest_psi=None if furthest is None else furthest.psi,
    )


def kept(registry: "Registry", champion: "ModelVersion") -> Reference | None:
    """What a champion's run kept of its data; None where it is from before runs did."""
    import mlflow
    from mlflow.exceptions import MlflowException

    _ = registry.client
    uri = f"runs:/{champion.run_id}/{FILE}"
    try:
        text = mlflow.artifacts.load_text(uri)
    except (MlflowException, OSError):
        return None
    return Reference.read(text, uri)


def effects_of(model: Model, names: Sequence[str], levels: Mapping[str, Sequence[str] | None]) -> Bound:
    """The model on this catalogue. Raises WorkspaceError where it can serve no more."""
    if missing := [name for name in used(model) if name not in names]:
        raise WorkspaceError(f"{model.kind}: its champion needs features that are gone: {', '.join(missing[:5])}")
    return model.bind(names, levels)
