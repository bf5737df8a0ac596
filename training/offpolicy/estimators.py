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

    `balance` float[m]: a term of mean 0 whatever the policy (weight - 1), None where weights play no part. `bias`: the
    most that clipping may have moved the estimate by.
    """

    method: Method
    terms: np.ndarray
    balance: np.ndarray | None = None
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
    weight = _bounded(feedback.weight, clip, switch)
    whole = path * weight
    bias = 0.0 if clip is None or method == "direct" else _bias(feedback, path, clip, switch, method)
    if method == "ips":
        return Estimate(method, *_by_cluster(feedback, whole * feedback.reward, whole - 1.0), bias)
    if method == "self_normalised":
        mean = whole.mean()
        value = float((whole * feedback.reward).mean() / mean) if mean > 0 else np.nan
        terms, _ = _by_cluster(feedback, value + whole * (feedback.reward - value) / mean)
        return Estimate(method, terms, None, bias)
    assert feedback.predicted is not None
    expected = path * (feedback.target * feedback.predicted).sum(1)
    if method == "direct":
        return Estimate(method, _by_cluster(feedback, expected)[0])
    residual = whole * (feedback.reward - feedback.taken(feedback.predicted))
    return Estimate(method, *_by_cluster(feedback, expected + residual, whole - 1.0), bias)


def difference(one: Estimate, other: Estimate) -> Estimate:
    """`one` minus `other`, of the same rows: what both share drops out of the interval."""
    return Estimate(one.method, one.terms - other.terms, None, one.bias + other.bias)


def played(feedback: Feedback) -> Estimate:
    """What the policy that was played earned: the plain mean, no weights."""
    return Estimate("ips", _by_cluster(feedback, feedback.reward)[0])


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


def _by_cluster(
    feedback: Feedback, terms: np.ndarray, balance: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """One term a customer, with the same mean and the variance that customers, not rows, give it (a ratio's)."""
    if feedback.cluster is None:
        return terms, balance
    _, place = np.unique(feedback.cluster, return_inverse=True)
    size = np.bincount(place)
    number, per = len(size), len(terms) / len(size)
    value = terms.mean()
    whole = value + (np.bincount(place, terms, number) - value * size) / per
    if balance is None:
        return whole, None
    return whole, np.bincount(place, balance, number) / per
