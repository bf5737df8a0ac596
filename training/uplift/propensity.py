"""How probable each arm was for each customer: known, the arms' shares, or estimated, and where they overlap.

Assignment counts as random where a model cannot tell the arms apart better than their shares can. Where it can, the
model's probabilities take their place, and every effect then rests on the table holding all that the choice saw.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

#: A false alarm of "not random" costs little (estimated probabilities are near the shares then), but must be rare.
ALARM = 0.001
#: Customers less probable than this in some arm have no one to be compared with (Crump, Hotz, Imbens, Mitnik, 2009,
#: suggest .1 for two arms; fewer are left out here because clipping nothing keeps the estimate's meaning).
FEWEST = 0.05


@dataclass(frozen=True)
class Assignment:
    """Propensities float64[n, a], whether they are the shares alone, and what told so."""

    propensity: np.ndarray
    randomised: bool
    p: float

    @property
    def overlapping(self) -> np.ndarray:
        """bool[n]: customers who could have been in every arm; all of them where the shares alone decided."""
        if self.randomised:
            return np.ones(len(self.propensity), bool)
        return self.propensity.min(1) >= FEWEST / max(1, self.propensity.shape[1] / 2)


def shares(arm: np.ndarray) -> np.ndarray:
    """float64[n, a]: the arms' shares, for everyone."""
    share = np.bincount(arm) / len(arm)
    return np.tile(share, (len(arm), 1))


def assignment(inputs: np.ndarray, arm: np.ndarray, fold: np.ndarray, always: bool = False) -> Assignment:
    """The shares where out-of-fold predictions of the arm are no better than they; else those predictions.

    The test is one-sided, on the mean gain in log likelihood a customer against the shares. `always` takes the
    predictions whatever it says.
    """
    flat = shares(arm)
    estimated = np.zeros_like(flat)
    gained = np.zeros(len(arm))
    for k in np.unique(fold):
        own = fold == k
        scaler = StandardScaler().fit(inputs[~own])
        model = LogisticRegression(C=0.1, max_iter=300).fit(scaler.transform(inputs[~own]), arm[~own])
        estimated[own] = np.clip(model.predict_proba(scaler.transform(inputs[own])), 1e-3, 1)
        estimated[own] /= estimated[own].sum(1, keepdims=True)
        learned = np.bincount(arm[~own], minlength=flat.shape[1]) / np.sum(~own)
        gained[own] = np.log(estimated[own, arm[own]] / learned[arm[own]])
    error = gained.std(ddof=1) / np.sqrt(len(arm))
    p = float(norm.sf(gained.mean() / error)) if error > 0 else 1.0
    randomised = p >= ALARM and not always
    return Assignment(flat if randomised else estimated, randomised, p)
