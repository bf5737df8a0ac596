"""The level of probabilities when training ends: that of the newest labels, moved by what the weeks since then say.

Levels drift with the season, and the newest cutoff whose whole horizon is known lies one horizon back. Of a cutoff
between it and the end of training only the first weeks of the horizon are known. How far those are from the same weeks
of calibration, for customers who score alike, tells where the level went; it is believed as far as it is told surely.
"""

import numpy as np
from scipy.optimize import brentq, minimize

from training.artefact import sigmoid

#: Logits that a level is expected to move between calibration and the end of training, before its rows are seen.
DEVIATION = 0.2
#: What seems to have moved further was not moved by a season, as on no log that it was tried on, but may have been by a
#: feed that lost a part: it is not believed.
FURTHEST = 3 * DEVIATION


def matched(score: np.ndarray, label: np.ndarray) -> float:
    """The intercept with which the mean probability of these scores is the rate of these labels, both 0 and 1 there."""
    rate = float(np.mean(label))
    low, high = -float(score.max()) - 40.0, -float(score.min()) + 40.0
    return float(brentq(lambda move: float(sigmoid(score + move).mean()) - rate, low, high))


def since(
    score: np.ndarray,
    early: np.ndarray,
    of: np.ndarray,
    newest_score: np.ndarray,
    newest_early: np.ndarray,
    newest_of: np.ndarray,
) -> float:
    """Logits to move the level by: score, early label and customer of calibration's rows, then of the newest cutoff's.

    The newest rows' level less calibration's, both of the early label, drawn to 0 by its variance: the posterior mean
    where moves have standard deviation DEVIATION. A customer's rows count as one in the variance (sandwich estimator;
    Liang and Zeger, 1986). Over three quarters of the horizon the early label's logit rises with the score about as the
    full one's does (slopes of .90 to 1.11), so a move of the one is a move of the other. 0 where the early labels of
    either are all alike, and where it would be further than FURTHEST.
    """
    if not (0 < early.sum() < len(early) and 0 < newest_early.sum() < len(newest_early)):
        return 0.0
    intercept, slope = _line(score, early)
    before, now = intercept + slope * score, slope * newest_score
    gap = matched(now, newest_early) - intercept
    variance = _variance(before, early, of, intercept + gap + now, newest_early, newest_of)
    moved = gap * DEVIATION**2 / (DEVIATION**2 + variance)
    return moved if abs(moved) <= FURTHEST else 0.0


def _line(score: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the label's logit."""

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        logit = line[0] + line[1] * score
        slack = sigmoid(logit) - label
        return float(np.mean(np.logaddexp(0, logit) - label * logit)), np.array([slack.mean(), (slack * score).mean()])

    intercept, slope = minimize(loss, np.array([0.0, 1.0]), jac=True, method="L-BFGS-B", bounds=[(-40, 40), (0, 3)]).x
    return float(intercept), float(slope)


def _variance(
    before: np.ndarray,
    early: np.ndarray,
    of: np.ndarray,
    now: np.ndarray,
    newest_early: np.ndarray,
    newest_of: np.ndarray,
) -> float:
    """Of the difference between two levels: one sum of what each customer does to it."""
    pushes = []
    for logit, label, sign in ((now, newest_early, 1.0), (before, early, -1.0)):
        chance = sigmoid(logit)
        pushes.append(sign * (label - chance) / (chance * (1 - chance)).sum())
    customer = np.unique(np.concatenate([newest_of, of]), return_inverse=True)[1]
    return float(np.square(np.bincount(customer, np.concatenate(pushes))).sum())
