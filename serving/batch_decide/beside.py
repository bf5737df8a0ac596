"""Models beside the champions in a batch: challengers' answers for the rows of their arm, shadows' for the log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from serving.challengers import Rivals
from serving.champions import Champion
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Customer
from serving.decisions.many import Crowd
from serving.panel import Panel

if TYPE_CHECKING:
    from serving.batch_decide.block import Frame, Known


class Said(NamedTuple):
    """What models say of n customers and m treatments: who leaves [n]; P, learned U and learned harm [n, m]; None
    without a model, NaN where it does not know."""

    churn: np.ndarray | None
    chances: np.ndarray | None
    learned: np.ndarray | None
    harms: np.ndarray | None

    def or_stated(self, churn: float | None, n: int) -> "Said":
        """With the policy's fallback for those of whom no model says whether they leave."""
        if churn is None:
            return self
        known = np.full(n, np.nan) if self.churn is None else self.churn
        return self._replace(churn=np.where(np.isnan(known), churn, known))


def said(panel: Panel, values: np.ndarray, earlier: Callable[[], np.ndarray], crowd: Crowd, threads: int = 1) -> Said:
    """`crowd` was packed with the panel's `counted`."""
    return Said(
        panel.churn(values, threads),
        panel.chances(values, earlier, threads),
        panel.learned(values, earlier, threads),
        panel.harms(values, crowd.contacts, crowd.now, threads),
    )


@dataclass(frozen=True)
class Shadowed:
    """One shadow's scores: [n] of churn, [n, treatments] of the others, by whose `candidates` they are told."""

    version: str
    scores: np.ndarray
    candidates: Sequence[Candidate]

    def row(self, i: int, asked: Sequence[int]) -> dict[str, Any]:
        """As serving/shadow.py logs it, of the treatments in `asked`."""
        if self.scores.ndim == 1:
            return {"version": self.version, "score": float(self.scores[i])}
        told: dict[str, dict[str, float | None]] = {}
        for j in asked:
            candidate, score = self.candidates[j], float(self.scores[i, j])
            told.setdefault(candidate.action.name, {})[candidate.channel] = score if score == score else None
        return {"version": self.version, "scores": told}


class Beside:
    """Challengers and shadows as they were when a run began; `models` are those of the challengers' arm, as logged."""

    def __init__(
        self, rivals: Rivals, champions: Mapping[str, Champion], candidates: Sequence[Candidate], dry_run: bool
    ) -> None:
        self._candidates = candidates
        self.models = described(rivals.playing(champions, True)) if rivals.challengers else {}
        self._rival = Panel(rivals.playing(champions, True), candidates) if rivals.challengers else None
        self._shadow = Panel(rivals.shadows, candidates) if rivals.shadows and not dry_run else None

    def challenged(
        self,
        frame: "Frame",
        customers: Sequence[Customer],
        values: np.ndarray,
        earlier: Callable[[], np.ndarray],
        crowd: Crowd,
        told: Said,
        threads: int = 1,
    ) -> Said:
        """`told` by the champions, with the challengers' answers in the rows of their arm."""
        rows = [i for i, arms in enumerate(crowd.arms) if arms.challenger]
        if self._rival is None or not rows:
            return told
        own = _crowd(frame, self._rival, [customers[i] for i in rows], crowd.now[rows].tolist())
        found = said(self._rival, values[rows], lambda: earlier()[rows], own, threads)
        return Said(*(_put(whole, part, rows, len(values)) for whole, part in zip(told, found, strict=True)))

    def shadows(self, frame: "Frame", known: "Known", threads: int = 1) -> dict[str, Shadowed]:
        """What each shadow says, by kind."""
        if self._shadow is None:
            return {}
        crowd = _crowd(frame, self._shadow, known.customers, known.now)
        found = said(self._shadow, known.values, known.earlier, crowd, threads)
        by_kind = {"churn": found.churn, "propensity": found.chances, "uplift": found.learned, "fatigue": found.harms}
        return {
            kind: Shadowed(champion.version, scores, self._candidates)
            for kind, champion in self._shadow.models.items()
            if (scores := by_kind[kind]) is not None
        }


def described(models: Mapping[str, Champion]) -> dict[str, Any]:
    """As a decision logs them."""
    return {kind: champion.describe() for kind, champion in models.items()}


def _crowd(frame: "Frame", panel: Panel, customers: Sequence[Customer], now: Sequence[int]) -> Crowd:
    """Contacts as the panel's model of harm counts them; nobody's where it has none."""
    if "fatigue" not in panel.models:
        return Crowd.packed([], frame.board, [])
    return Crowd.packed(customers, frame.board, now, counted=panel.counted)


def _put(whole: np.ndarray | None, part: np.ndarray | None, rows: Sequence[int], n: int) -> np.ndarray | None:
    """`part` in some rows of `whole`, which is unknown in the others where there is none."""
    if part is None:
        return whole
    found = np.full((n, *part.shape[1:]), np.nan) if whole is None else whole
    found[rows] = part
    return found
