"""The value of a policy from another's log: one term a row, whose mean is the estimate.

With w = target / logging of the answer drawn, q the predicted reward and p the target's probabilities:

    ips             w r                                     Horvitz and Thompson, JASA 1952
    self_normalised v + w (r - v) / mean(w), v = sum(w r) / sum(w)     Hajek; Swaminathan and Joachims, NeurIPS 2015
    direct          sum_a p(a) q(a)                         as good as q, and its interval knows nothing of q's bias
    doubly_robust   sum_a p(a) q(a) + w (r - q)             Dudik, Langford and Li, ICML 2011; q is cross-fitted

Heavy weights may be clipped (min(w, clip)) or switched off (0 where w > clip: the model alone speaks there; Wang,
Agarwal and Dudik, ICML 2017). Either trades variance for a bias that is at most `Estimate.bias`.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from training.offpolicy.feedback import Feedback

Method = Literal["ips", "self_normalised", "direct", "doubly_robust"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class Estimate:
    """A mean of `terms` float[m], by customer where rows were clustered.

    `support`: between which a term may lie, heavy weights included that were not drawn; None where that is not known.
    `bias`: the most that clipping may have moved the estimate by.
    """

    method: Method
    terms: np.ndarray
    support: tuple[float, float] | None = None
    bias: float = 0.0

    @property
    def value(self) -> float:
        return float(self.terms.mean())

    @property
    def error(self) -> float:
        """The standard error."""
        return float(self.terms.std(ddof=1) / np.sqrt(len(self.terms)))


def estimate(feedback: Feedback, method: Method, clip: float | None = None, switch: bool = False) -> Estimate:
    """The target policy's mean reward. `clip` bounds the weights, `switch` sets those beyond to 0 instead.

    Raises ValueError on an empty log, or where the method needs predictions and there are none.
    """
    if len(feedback) < 2:
        raise ValueError(f"{len(feedback)} rows tell nothing of a policy")
    if method in ("direct", "doubly_robust") and feedback.predicted is None:
        raise ValueError(f"`{method}` needs predicted rewards; fit them with `outcomes.predicted`")
    path = np.ones(len(feedback)) if feedback.path is None else feedback.path
    weight = path * _bounded(feedback.weight, clip, switch)
    bias = 0.0 if clip is None or method == "direct" else _bias(feedback, path, clip, switch, method)
    base, stands = np.zeros(1), np.zeros((1, 1))  # a term without its answer's reward, and what that is compared with
    if method == "self_normalised":
        mean = weight.mean()
        value = (weight * feedback.reward).mean() / mean if mean > 0 else np.nan
        weight, base, stands = weight / mean, np.full(1, value), np.full((1, 1), value)
    elif method != "ips":
        assert feedback.predicted is not None
        base, stands = path * (feedback.target * feedback.predicted).sum(1), feedback.predicted
        if method == "direct":
            return Estimate(method, _by_cluster(feedback, base))
    surprise = feedback.reward - feedback.taken(np.broadcast_to(stands, feedback.logging.shape))
    terms = _by_cluster(feedback, base + weight * surprise)
    scale = float(weight.max() / max(_bounded(feedback.weight, clip, switch).max(), 1e-300))
    return Estimate(method, terms, _support(feedback, base, stands, clip, scale), bias)


def played(feedback: Feedback) -> Estimate:
    """What the policy that was played earned: the plain mean, no weights."""
    return Estimate("ips", _by_cluster(feedback, feedback.reward))


def _bounded(weight: np.ndarray, clip: float | None, switch: bool) -> np.ndarray:
    if clip is None:
        return weight
    return np.where(weight > clip, 0.0, weight) if switch else np.minimum(weight, clip)


def _bias(feedback: Feedback, path: np.ndarray, clip: float, switch: bool, method: Method) -> float:
    """At most the target's mass that the bound took away, times how far a reward may be from what stands in for it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        over = feedback.target > clip * feedback.logging
    lost = np.where(over, feedback.target - (0.0 if switch else clip) * feedback.logging, 0.0).sum(1)
    reward = feedback.reward
    low, high = min(float(reward.min()), 0.0), max(float(reward.max()), 0.0)
    if method == "doubly_robust" and feedback.predicted is not None:
        low, high = min(low, float(feedback.predicted.min())), max(high, float(feedback.predicted.max()))
    return float((path * lost).mean() * (high - low))


def _support(
    feedback: Feedback, base: np.ndarray, stands: np.ndarray, clip: float | None, scale: float
) -> tuple[float, float] | None:
    """With any answer that could have been drawn, at its weight, and the outermost rewards seen."""
    if feedback.cluster is not None:
        return None
    tried = feedback.logging > 0
    possible = np.where(tried, feedback.target, 0.0) / np.where(tried, feedback.logging, 1.0)
    weight = scale * (possible if clip is None else np.minimum(possible, clip))
    low, high = float(feedback.reward.min()), float(feedback.reward.max())
    ends = [base[:, None] + weight * (end - stands) for end in (low, high)]
    return float(ends[0].min()), float(ends[1].max())


def _by_cluster(feedback: Feedback, terms: np.ndarray) -> np.ndarray:
    return terms if feedback.cluster is None else by_cluster(terms, feedback.cluster)


def by_cluster(terms: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """One term a customer, with the same mean and the variance that customers, not rows, give it (a ratio's)."""
    _, place = np.unique(cluster, return_inverse=True)
    size, value = np.bincount(place), terms.mean()
    per = len(terms) / len(size)
    return value + (np.bincount(place, terms) - value * size) / per


def support_by_cluster(
    terms: np.ndarray, low: np.ndarray, high: np.ndarray, cluster: np.ndarray
) -> tuple[float, float]:
    """Between which a customer's term may lie, where one of their rows had the least or the most that it could."""
    _, place = np.unique(cluster, return_inverse=True)
    clustered, per = by_cluster(terms, cluster), len(terms) / (int(place.max()) + 1)
    return (
        float(min((clustered[place] + (low - terms) / per).min(), clustered.min())),
        float(max((clustered[place] + (high - terms) / per).max(), clustered.max())),
    )
