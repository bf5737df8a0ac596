"""Champion or challenger: a new model takes over only if it is not worse than the reigning one on the same data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from features.workspace import WorkspaceError
from training import pipeline
from training.evaluate import auc, difference, log_loss
from training.tracking import CHALLENGER, CHAMPION, Fitted, Registry

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

#: An AUC lower by more than this is worse, however wide the interval.
MARGIN = 0.005


@dataclass(frozen=True)
class Verdict:
    """The alias that a new version gets, and the reason in words."""

    alias: str
    reason: str


def judge(fitted: Fitted, reigning: np.ndarray | None, version: str) -> Verdict:
    """Compares on the test window, customers resampled in pairs; `reigning` are the champion's probabilities there.

    Worse means: AUC lower beyond chance or by more than a margin, or log loss higher beyond chance.
    """
    if reigning is None:
        return Verdict(CHAMPION, "the first model of its kind")
    test = fitted.dataset.test
    rank = difference(test.label, fitted.probability, reigning, test.customer, auc)
    loss = difference(test.label, fitted.probability, reigning, test.customer, log_loss)
    against = f"than version {version} on the same {len(test):,} later rows (AUC {rank:+.4f}, log loss {loss:+.4f})"
    if rank.high < 0 or rank.value < -MARGIN:
        return Verdict(CHALLENGER, f"ranks worse {against}")
    if loss.low > 0:
        return Verdict(CHALLENGER, f"its probabilities are worse {against}")
    return Verdict(CHAMPION, f"not worse {against}")


def settle(registry: Registry, fitted: Fitted, new: "ModelVersion") -> Verdict:
    """Judges a freshly logged version against the champion and gives it its alias."""
    kind, version = fitted.dataset.kind, str(new.version)
    champion = registry.holder(kind, CHAMPION)
    verdict = judge(fitted, None, "") if champion is None else _against(registry, fitted, str(champion.version))
    registry.appoint(kind, version, verdict.alias, verdict.reason)
    return verdict


def _against(registry: Registry, fitted: Fitted, version: str) -> Verdict:
    kind, frame = fitted.dataset.kind, fitted.dataset.test.frame
    try:
        champion = registry.load(kind, version)
        lacking = sorted(set(map(str, champion.feature_names_in_)) - set(map(str, frame.columns)))
    except (OSError, ValueError, AttributeError, ImportError) as error:
        return Verdict(CHAMPION, f"version {version} can no longer be loaded: {' '.join(str(error).split())[:200]}")
    if lacking:
        return Verdict(CHAMPION, f"version {version} needs features that are gone: {', '.join(lacking[:5])}")
    return judge(fitted, pipeline.probability(champion, frame[list(champion.feature_names_in_)]), version)


def promote(registry: Registry, kind: str, version: str | None = None) -> str:
    """Makes a version the champion by hand; default the challenger. Returns the version."""
    if version is None:
        challenger = registry.holder(kind, CHALLENGER)
        if challenger is None:
            raise WorkspaceError(
                f"`{kind}` has no challenger to promote; name one with --version (see `tactful models`)"
            )
        version = str(challenger.version)
    registry.appoint(kind, version, CHAMPION, "promoted by hand")
    return version


def roll_back(registry: Registry, kind: str) -> tuple[str, str]:
    """Makes whoever was champion before the present one champion again. Returns (version, the one it replaces).

    WorkspaceError where there is no champion, or it is the first one.
    """
    champion = registry.holder(kind, CHAMPION)
    if champion is None:
        raise WorkspaceError(f"`{kind}` has no champion; run `tactful train {kind}`")
    left = str(champion.version)
    if len(registry.champions(kind)) < 2:
        raise WorkspaceError(
            f"no other version of `{kind}` was champion before {left}; name one with --version (see `tactful models`)"
        )
    return registry.roll_back(kind, f"rolled back from version {left}"), left
