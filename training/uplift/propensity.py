"""How probable each arm was for each customer: known, the arms' shares, or estimated, and where they overlap.

Assignment counts as random where no model can tell the arms apart better than their shares can: neither lines, nor
small trees, which see who was chosen from the middle or from both ends. Where one can, its probabilities take the
shares' place, and every effect then rests on the table holding all that the choice saw.
"""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training.uplift import errors, regress

#: A false alarm of "not random" costs little (estimated probabilities are near the shares then), but must be rare.
ALARM = 0.001
#: Customers less probable in some arm than so much of its share have no one to be compared with: none counts for more
#: than ten of the arm. Of two equal arms it is 5 % (Crump, Hotz, Imbens, Mitnik, 2009, suggest .1; fewer are left out
#: here because clipping nothing keeps the estimate's meaning); of a small arm everybody is less probable.
FEWEST = 0.1


@dataclass(frozen=True)
class Assignment:
    """Propensities float64[n, a], whether they are the shares alone, what told so, and the arms' shares float64[a]."""

    propensity: np.ndarray
    randomised: bool
    p: float
    share: np.ndarray

    @property
    def possible(self) -> np.ndarray:
        """bool[n, a]: the arms that a customer could have been in; all of them where the shares alone decided."""
        return np.asarray(self.randomised | (self.propensity >= FEWEST * self.share))

    @property
    def overlapping(self) -> np.ndarray:
        """bool[n]: customers who could have been in every arm."""
        return np.asarray(self.possible.all(1))


def shares(arm: np.ndarray) -> np.ndarray:
    """float64[a]."""
    return np.asarray(np.bincount(arm) / len(arm))


def alike(arm: np.ndarray, p: float) -> Assignment:
    """The arms' shares for everyone."""
    share = shares(arm)
    return Assignment(np.tile(share, (len(arm), 1)), True, p, share)


def assignment(
    inputs: np.ndarray, arm: np.ndarray, fold: np.ndarray, always: bool = False, customer: np.ndarray | None = None
) -> Assignment:
    """The shares where out-of-fold predictions of the arm are no better than they; else the best of those predictions.

    The test is one-sided, on the mean gain in log likelihood a customer against the shares, Bonferroni over the models.
    `always` takes the predictions whatever it says; `customer` int[n] whose each row is, None where each is one.
    """
    share, learned = shares(arm), np.zeros(len(arm))
    lines, trees = (np.zeros((len(arm), len(share))) for _ in range(2))
    for k in np.unique(fold):
        own = fold == k
        learned[own] = (np.bincount(arm[~own], minlength=len(share)) / np.sum(~own))[arm[own]]
        lines[own] = _lines(inputs[~own], arm[~own], inputs[own])
        trees[own] = _trees(inputs[~own], arm[~own], inputs[own])
    everyone = np.arange(len(arm))
    gained = [np.log(each[everyone, arm] / learned) for each in (lines, trees, (lines + trees) / 2)]
    p = min(1.0, 2 * min(_above_zero(each, customer) for each in gained[:2]))
    if p >= ALARM and not always:
        return alike(arm, p)
    best = max(range(3), key=lambda k: gained[k].mean())
    return Assignment((lines, trees, (lines + trees) / 2)[best], False, p, share)


def _lines(inputs: np.ndarray, arm: np.ndarray, of: np.ndarray) -> np.ndarray:
    """float64[len(of), a]: a logistic regression's probabilities."""
    scaler = StandardScaler().fit(inputs)
    model = LogisticRegression(C=0.1, max_iter=300).fit(scaler.transform(inputs), arm)
    return _possible(model.predict_proba(scaler.transform(of)))


def _trees(inputs: np.ndarray, arm: np.ndarray, of: np.ndarray) -> np.ndarray:
    """float64[len(of), a]: those of small trees."""
    settings = regress.settings(len(arm)) | {"objective": "multiclass", "num_class": int(arm.max()) + 1}
    grown = lgb.train(settings, lgb.Dataset(inputs, arm, params=settings), regress.ROUNDS)
    return _possible(np.asarray(grown.predict(of)))


def _possible(chance: np.ndarray) -> np.ndarray:
    """No arm is impossible for anybody as far as a model can tell."""
    clipped = np.clip(chance, 1e-3, 1)
    return np.asarray(clipped / clipped.sum(1, keepdims=True))


def _above_zero(gained: np.ndarray, customer: np.ndarray | None) -> float:
    """The one-sided p-value of a mean of zero."""
    error = errors.of_mean(gained, customer)
    return float(norm.sf(gained.mean() / error)) if error > 0 else 1.0
