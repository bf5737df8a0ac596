"""Whether what was learned foretells the log better than means do: where it does not, means are taken.

What happens anyway may be foretold wrongly for some customers; what a contact adds then seems large, or below nothing,
just for them, and held-out contacts agree. Silence tells the two apart: with r = bought - expected, a share p of
decisions contacts, and for who was left silent a treatment drawn as for who was not,

    sum over contacts of (r - (1 - p) f)^2 + sum over silence of (r + p f)^2

is least at the true effects f, whatever `expected` misses (the loss of the R-learner: Nie and Wager, "Quasi-oracle
estimation of heterogeneous treatment effects", Biometrika 2021).
"""

import numpy as np

from features.simulate.actions import ACTION_OF, ACTIONS
from training.market.moved import columns
from training.market.observed import Known

#: Standard errors by which effects have to be worse than means until they are given up.
BEYOND = 2.0
_LEAST = 1e-4


def foretells(expected: np.ndarray, bought: np.ndarray) -> bool:
    """Whether `expected`, of customers held out, is likelier than the mean of all, as Poisson numbers."""
    mean = bought.mean()
    told = bought * np.log(np.maximum(expected, 1e-9) / max(mean, 1e-9)) - (expected - mean)
    return bool(told.sum() >= 0.0)


def means(bought: np.ndarray, treatment: np.ndarray) -> np.ndarray:
    """ln of what a contact of each action adds: the difference to silence (-1), [actions]."""
    silent = bought[treatment < 0].mean() if (treatment < 0).any() else 0.0
    action = np.where(treatment < 0, len(ACTIONS), ACTION_OF[treatment])
    made, more = (np.bincount(action, of, len(ACTIONS) + 1)[:-1] for of in (None, bought.astype(float)))
    return np.log(np.maximum(np.where(made > 0, more / np.maximum(made, 1) - silent, 0.0), _LEAST))


def worse(
    b: np.ndarray, levels: np.ndarray, known: Known, log_alive: np.ndarray, treatment: np.ndarray, off: np.ndarray
) -> float:
    """By how many standard errors effects exp(x b) foretell decisions held out worse than the `levels` of actions.

    `off`: bought less expected; treatment: -1 is silence.
    """
    made = treatment >= 0
    share = made.mean()
    if share in (0.0, 1.0):
        return 0.0
    as_if = np.where(made, treatment, np.random.default_rng(0).choice(treatment[made], len(off))).astype(np.int64)
    x = columns(known, log_alive, as_if)
    part = np.where(made, 1.0 - share, -share)
    by_model, by_mean = part * np.exp(x @ b), part * np.exp(levels[ACTION_OF[as_if]])
    more = (off - by_model) ** 2 - (off - by_mean) ** 2
    return float(more.sum() / max(np.sqrt((more**2).sum()), 1e-12))
