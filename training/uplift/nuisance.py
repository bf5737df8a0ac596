"""The outcome expected of each customer in each arm, by models that did not see the customer.

Half the answer is a linear model's, half that of small trees: the errors of one are rarely those of the other, and
where propensities are right the choice costs only precision.
"""

from dataclasses import replace

import numpy as np

from serving.decisions.effects.forms import Trees
from training.artefact import sigmoid
from training.uplift import regress
from training.uplift.sample import Sample

FOLDS = 5


def complete(sample: Sample, fold: np.ndarray) -> Sample:
    """The sample with its `means` filled, each customer's from the other folds."""
    means = np.zeros_like(sample.propensity)
    for k in np.unique(fold):
        own = fold == k
        for arm in range(sample.arms):
            learn = ~own & (sample.arm == arm)
            means[own, arm] = expected(sample.inputs[learn], sample.outcome[learn], sample.binary, sample.inputs[own])
    return replace(sample, means=means)


def for_all(sample: Sample, fold: np.ndarray, taught: np.ndarray, known: Sample) -> Sample:
    """The whole sample with its `means` filled: those of its part `taught` bool[n] are `known`, the others' come from
    the part's customers of other folds."""
    means = np.zeros_like(sample.propensity)
    means[taught] = known.means
    for k in np.unique(fold):
        own = (fold == k) & ~taught
        for arm in range(sample.arms):
            learn = (fold[taught] != k) & (known.arm == arm)
            means[own, arm] = expected(known.inputs[learn], known.outcome[learn], known.binary, sample.inputs[own])
    return replace(sample, means=means)


def expected(inputs: np.ndarray, outcome: np.ndarray, binary: bool, of: np.ndarray) -> np.ndarray:
    """float64[len(of)]: the mean of a linear model and of small trees, within the range of outcomes seen."""
    weights = regress.linear(inputs, outcome, binary)
    plain = weights[0] + of @ weights[1:]
    plain = sigmoid(plain) if binary else np.clip(plain, outcome.min(), outcome.max())
    if outcome.min() == outcome.max():
        return plain
    return (plain + Trees(regress.trees(inputs, outcome, binary)).effect(of)) / 2
