"""What one set of models says of many customers and treatments at once: P, learned U, learned harm, who leaves."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from serving import scoring
from serving.champions import Champion
from serving.decisions.candidate import Candidate
from serving.decisions.effects import Standing
from serving.decisions.many.crowd import Contacts
from serving.scorer import Encoded


class Panel:
    """Models, and the m treatments that they are asked about. Answers are those of single decisions, to the last bit.

    `values` are feature vectors [n, F]; `earlier` gives those of a minimum age ago, by which treatments that reveal
    behaviour are scored, and is asked only where there is one.
    """

    def __init__(self, models: Mapping[str, Champion], candidates: Sequence[Candidate]) -> None:
        self.models, self.candidates = models, candidates
        self._reveals = np.flatnonzero([bool(candidate.action.reveals) for candidate in candidates])
        self._revealing = [candidates[k] for k in self._reveals.tolist()]
        self.encoded: Encoded | None = None
        if "propensity" in models and candidates:
            scorer = models["propensity"].scorer
            self.encoded = Encoded.stacked([scoring.encoded(scorer, candidate) for candidate in candidates])

    @property
    def counted(self) -> Sequence[str]:
        """The channels by which the model of harm counts contacts."""
        return self.models["fatigue"].effects.bound.channels if "fatigue" in self.models else ()

    def churn(self, values: np.ndarray, threads: int = 1) -> np.ndarray | None:
        """float64[n]; None without a model."""
        champion = self.models.get("churn")
        return None if champion is None else champion.scorer.customers(values, threads=threads)

    def chances(self, values: np.ndarray, earlier: Callable[[], np.ndarray], threads: int = 1) -> np.ndarray | None:
        """P float64[n, m]; None without a model."""
        if self.encoded is None:
            return None
        scorer, encoded = self.models["propensity"].scorer, self.encoded
        found = scorer.grid(values, encoded, threads)
        if self._revealing:
            some = Encoded(encoded.booster[self._reveals], encoded.linear[self._reveals])
            found[:, self._reveals] = scorer.grid(earlier(), some, threads)
        return found

    def learned(self, values: np.ndarray, earlier: Callable[[], np.ndarray], threads: int = 1) -> np.ndarray | None:
        """U float64[n, m], NaN where it was not learned; None without a model."""
        if "uplift" not in self.models or not self.candidates:
            return None
        model = self.models["uplift"].effects
        found = model.uplift(values, self.candidates, threads)
        if self._revealing:
            found[:, self._reveals] = model.uplift(earlier(), self._revealing, threads)
        return found

    def harms(self, values: np.ndarray, contacts: Contacts, now: np.ndarray, threads: int = 1) -> np.ndarray | None:
        """Harm float64[n, m] of one more contact beside those of a crowd that was packed with `counted`; NaN where it
        was not learned, None without a model."""
        if "fatigue" not in self.models or not self.candidates:
            return None
        assert contacts.counted is not None
        standing = Standing(contacts.start, contacts.at, contacts.counted)
        return self.models["fatigue"].effects.harm(values, self.candidates, standing, now, threads)
