"""How far apart effects lie, told by the log itself: few slopes matter and most do not, bends are smooth.

Slopes, shared and each action's own, have Student's t as their prior (DOF degrees of freedom, of a small SCALE): what
is noise is drawn to where it is thought to be, what stands out stays. The bends of an action by when the next purchase
is due are a random walk along the knots, its step's spread the action's own. Both by expectation and maximisation, the
posterior taken as normal (MacKay, "Bayesian interpolation", 1992; Tipping, "Sparse Bayesian learning", 2001).
"""

import numpy as np
from scipy.sparse import csr_array, dia_array

from features.simulate.actions import ACTIONS
from training.market.moved import LEVEL, due_slice, own_slice, priors, shared_slice
from training.market.observed import KNOTS
from training.market.regressions import lifts

#: Contacts that spreads are told by: more tell them no better, and of ten million decisions each round takes minutes.
MOST = 500_000
#: Of slopes' prior; the step of a walk as if it had been seen in two steps before any was.
DOF, SCALE, STEP = 2.0, 0.15, 0.3
_ROUNDS, _PIECE = 4, 200_000
_STEPS = np.diff(np.eye(len(KNOTS)), axis=0)


def spread_out(x: csr_array, y: np.ndarray, weight: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The coefficients of `columns` in y = exp(x b) + noise of variance 1 / weight, with spreads that the log tells;
    and the precision of the prior that these make."""
    slopes = np.r_[shared_slice(), own_slice()]
    spread, steps = priors(len(start)), np.full(len(ACTIONS), 0.5)
    b, part = start, slice(None, None, 1 + (len(y) - 1) // MOST)
    some = x[part], y[part], weight[part]
    for _ in range(_ROUNDS):
        precision = _precision(spread, steps)
        b = lifts(*some, precision, start, b)
        doubt = np.linalg.inv(_information(some[0], some[2], b) + precision)
        away = (b - start)[slopes] ** 2 + doubt.diagonal()[slopes]
        spread[slopes] = np.sqrt((away + DOF * SCALE**2) / (1.0 + DOF))
        for action, own in enumerate(_bends()):
            walked = (_STEPS @ (b - start)[own]) ** 2 + (_STEPS @ doubt[own, own] @ _STEPS.T).diagonal()
            steps[action] = np.sqrt((walked.sum() + 2.0 * STEP**2) / (len(walked) + 2.0))
    precision = _precision(spread, steps)
    return lifts(x, y, weight, precision, start, b), precision


def _bends() -> list[slice]:
    first, wide = due_slice().start, len(KNOTS)
    return [slice(first + action * wide, first + (action + 1) * wide) for action in range(len(ACTIONS))]


def _precision(spread: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Of the prior: independent but for the bends of an action."""
    found = np.diag(1.0 / spread**2)
    for own, step in zip(_bends(), steps, strict=True):
        found[own, own] = _STEPS.T @ _STEPS / step**2 + np.eye(len(KNOTS)) / LEVEL**2
    return found


def _information(x: csr_array, weight: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Gauss and Newton's, of the log, a piece after the other."""
    found = np.zeros((len(b), len(b)))
    for first in range(0, x.shape[0], _PIECE):
        some = x[first : first + _PIECE]
        slope = np.sqrt(weight[first : first + _PIECE]) * np.exp(np.clip(some @ b, -12.0, 3.0))
        moved = dia_array((slope[None], [0]), shape=(len(slope), len(slope))) @ some
        found += (moved.T @ moved).toarray()
    return found
