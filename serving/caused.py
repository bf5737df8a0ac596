"""A champion of effects as the service asks it: U of `uplift`, harm of `fatigue`; see serving/decisions/effects."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from serving.decisions.candidate import Candidate
from serving.decisions.effects import Model
from serving.decisions.effects import Standing as Counted
from serving.decisions.effects.file import MONEY, UPLIFT
from serving.decisions.guard.standing import Standing


class Caused:
    """One model of effects. `names` and `levels` describe the catalogue's feature vector that it will be given.

    WorkspaceError where it needs what the catalogue lacks, or cannot be evaluated.
    """

    def __init__(self, model: Model, names: Sequence[str], levels: Mapping[str, Sequence[str] | None]) -> None:
        self.kind = model.kind
        self.horizon_days = model.horizon_days
        self.catalogue_version = model.catalogue_version
        self.settings: Mapping[str, Any] = model.settings
        self.run_id, self.trained_at = model.mlflow_run_id, model.trained_at
        self.bound = model.bind(names, levels)
        self.actions = tuple(dict.fromkeys(arm.action for arm in model.arms if arm.action is not None))
        #: Whether U is learned money over the action's value.
        self.over_value = model.kind == UPLIFT and model.unit == MONEY
        self._places: dict[tuple[str, str], int] = {}
        self._channels = {channel: k for k, channel in enumerate(self.bound.channels)}
        # asked once where it is loaded: what numba has to compile is no decision's wait
        counts = self.bound.counted(self.counted((), 0), np.zeros(1, np.int64))
        self._effects(np.zeros((1, len(names))), np.zeros(0, np.int64), counts, threads=1)

    @classmethod
    def load(cls, folder: Path, names: Sequence[str], levels: Mapping[str, Sequence[str] | None]) -> "Caused":
        """Reads `effects.json`; WorkspaceError where it cannot be read."""
        return cls(Model.read(folder), names, levels)

    def unlisted(self, names: Collection[str]) -> list[str]:
        """Actions that it was learned for and that are none of these."""
        return [action for action in self.actions if action not in names]

    def uplift(self, values: np.ndarray, candidates: Sequence[Candidate], threads: int = 1) -> np.ndarray:
        """U float64[n, m] for feature vectors [n, F]; NaN where the model does not know the treatment."""
        found = self._effects(values, self._which(candidates), None, threads)
        if self.over_value:
            value = np.array([each.action.value for each in candidates])
            found /= np.where(value > 0.0, value, np.nan)
        return found

    def harm(
        self,
        values: np.ndarray,
        candidates: Sequence[Candidate],
        standing: Counted,
        now: np.ndarray,
        threads: int = 1,
    ) -> np.ndarray:
        """Harm float64[n, m] of one more contact at `now` int64[n] beside those that stand; NaN where it is not known.

        `standing.channel` are positions in `bound.channels`.
        """
        counts = self.bound.counted(standing, now)
        return self._effects(values, self._which(candidates), counts, threads)

    def counted(self, contacts: Sequence[Standing], now: int) -> Counted:
        """One customer's contacts as the model counts them; a reservation is as of now."""
        place, n = self._channels, len(contacts)
        at = [now if each.held is not None else each.at for each in contacts]
        both = np.array([0, n, *at, *(place.get(each.channel, -1) for each in contacts)], np.int64)
        return Counted(both[:2], both[2 : n + 2], both[n + 2 :])

    def _which(self, candidates: Sequence[Candidate]) -> np.ndarray:
        places = self._places
        found = []
        for candidate in candidates:
            which = places.get(candidate.key)
            if which is None:
                which = places[candidate.key] = self.bound.place(*candidate.key)
            found.append(which)
        return np.array(found, np.int64)

    def _effects(self, values: np.ndarray, which: np.ndarray, counts: np.ndarray | None, threads: int) -> np.ndarray:
        n = len(values)
        if threads == 1 or n < 2 * threads:
            return self.bound.effects(values, which, counts)
        cuts = [slice(n * k // threads, n * (k + 1) // threads) for k in range(threads)]
        with ThreadPoolExecutor(threads) as pool:  # compiled code holds no lock
            parts = pool.map(
                lambda cut: self.bound.effects(values[cut], which, None if counts is None else counts[cut]), cuts
            )
            return np.concatenate(list(parts))
