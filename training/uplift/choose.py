"""Which learner: the simplest whose cross-validated doubly robust loss is within one standard error of the best.

The loss of effects is the mean squared distance to the effect scores of customers that neither the learner nor the
models behind the scores saw; up to a constant it is the mean squared error of the effects themselves. Source: the
DR-loss of Kennedy (2023) and of Schuler et al., arXiv 1804.05146 (2018); the one-standard-error rule of Breiman et al.,
Classification and Regression Trees (1984).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from serving.decisions.effects.forms import Blend, Constant, Effects
from training.uplift import errors, nuisance
from training.uplift.learners import LEARNERS, Learner
from training.uplift.sample import Sample

BLEND, CONSTANT = "blend", "constant"
#: Folds of the models behind the scores that a learner is given, within the rows that it learns from.
INNER = 3


@dataclass(frozen=True)
class CrossFit:
    """The sample with means, and each learner's effects float64[n, arms - 1], of customers it did not see."""

    sample: Sample
    fold: np.ndarray
    effects: Mapping[str, np.ndarray]

    def of(self, name: str, arm: int) -> np.ndarray:
        return self.effects[name][:, arm - 1]


@dataclass(frozen=True)
class Loss:
    """How much a learner's loss is below that of one effect for all, with its standard error."""

    name: str
    gain: float
    error: float


@dataclass(frozen=True)
class Choice:
    """The learner taken for an arm, the one of least loss, and every learner's figures from the simplest on."""

    name: str
    best: str
    losses: tuple[Loss, ...]

    def loss(self, name: str) -> Loss:
        return next(one for one in self.losses if one.name == name)


def cross_fit(
    sample: Sample,
    fold: np.ndarray,
    learners: Mapping[str, Learner] = LEARNERS,
    tell: Callable[[str], None] = lambda _: None,
) -> CrossFit:
    """Fits every learner without each fold in turn, and predicts that fold; the means likewise.

    A learner's own scores come from models fitted within its rows, so that nothing of the fold is in them either.
    """
    means = np.zeros_like(sample.propensity)
    effects = {name: np.zeros((len(sample), sample.arms - 1)) for name in learners}
    for k in np.unique(fold):
        own = fold == k
        learn, inputs = sample.rows(~own), sample.inputs[own]
        for arm in range(sample.arms):
            there = learn.arm == arm
            means[own, arm] = nuisance.expected(learn.inputs[there], learn.outcome[there], sample.binary, inputs)
        learn = nuisance.complete(learn, learn.folds(INNER, seed=1))
        for name, learner in learners.items():
            for arm in range(1, sample.arms):
                effects[name][own, arm - 1] = learner(learn, arm).effect(inputs)
            tell(name)
    fitted = CrossFit(replace(sample, means=means), fold, effects)
    blended = np.column_stack([_blended(fitted, arm) for arm in range(1, sample.arms)])
    return replace(fitted, effects={**effects, BLEND: blended})


def choose(fitted: CrossFit, arm: int) -> Choice:
    """One learner for an arm."""
    score = fitted.sample.effect_score(arm)
    squares = {name: (score - fitted.of(name, arm)) ** 2 for name in fitted.effects}
    best = min(squares, key=lambda name: squares[name].mean())
    customer = fitted.sample.customer
    losses = tuple(Loss(name, *_mean(squares[CONSTANT] - one, customer)) for name, one in squares.items())
    for name, one in squares.items():
        behind, error = _mean(one - squares[best], customer)
        if behind <= error:
            return Choice(name, best, losses)
    return Choice(best, best, losses)


def fit(fitted: CrossFit, name: str, arm: int, learners: Mapping[str, Learner] = LEARNERS) -> Effects:
    """The learner's effects from all customers; its scores use the cross-fitted means."""
    return _fit(fitted, name, arm, learners, {})


def _fit(fitted: CrossFit, name: str, arm: int, learners: Mapping[str, Learner], grown: dict[str, Effects]) -> Effects:
    """The same; what is in `grown` was fitted before, and what is fitted comes into it."""
    if name != BLEND:
        if name not in grown:
            grown[name] = learners[name](fitted.sample, arm)
        return grown[name]
    weights = _weights(fitted, arm, np.ones(len(fitted.sample), bool))
    parts = [_fit(fitted, one, arm, learners, grown) for one in weights]
    level = float(fitted.sample.effect_score(arm).mean())
    for weight, part in zip(weights.values(), parts, strict=True):
        level -= weight * float(part.effect(fitted.sample.inputs).mean())
    return Blend([Constant(level, 0.0), *parts], [1.0, *weights.values()])


#: bool[n]: whom later folds hold, and their effects by each learner.
InTurn = tuple[np.ndarray, dict[str, np.ndarray]]


def in_turn(fitted: CrossFit, names: Iterable[str], arm: int, learners: Mapping[str, Learner] = LEARNERS) -> InTurn:
    """Effects of the later three fifths of the customers, each fold's learned from the folds before it alone.

    Returns bool[n], who they are, and their effects by each named learner. Where every fold is grouped by effects that
    all others taught, chance in one fold picks the groups of another and the errors add up: intervals of extreme groups
    then hold the truth in 91 % of samples, not 95. Learned in turn, the errors are uncorrelated.
    Source: Luedtke and van der Laan, Annals of Statistics 44 (2016).
    """
    later = np.unique(fitted.fold)[-(-2 * len(np.unique(fitted.fold)) // 5) :]
    judged = np.isin(fitted.fold, later)
    effects = {name: fitted.of(name, arm).copy() for name in names}  # the last fold's came from all before it already
    for k in later[:-1]:
        before, own = fitted.fold < k, fitted.fold == k
        learn = fitted.sample.rows(before)
        learn = nuisance.complete(learn, learn.folds(INNER, seed=1))
        known = CrossFit(learn, fitted.fold[before], {one: found[before] for one, found in fitted.effects.items()})
        grown: dict[str, Effects] = {}
        for name, found in effects.items():
            found[own] = _fit(known, name, arm, learners, grown).effect(fitted.sample.inputs[own])
    return judged, {name: found[judged] for name, found in effects.items()}


def _blended(fitted: CrossFit, arm: int) -> np.ndarray:
    """The blend's effects of each fold, by weights that the other folds chose."""
    found = fitted.of(CONSTANT, arm).copy()
    for k in np.unique(fitted.fold):
        own = fitted.fold == k
        for name, weight in _weights(fitted, arm, ~own).items():
            effects = fitted.of(name, arm)[own]
            found[own] += weight * (effects - effects.mean())
    return found


def _weights(fitted: CrossFit, arm: int, rows: np.ndarray) -> dict[str, float]:
    """Non-negative weights, at most 1 in all, of learners' deviations from their mean that fit the scores best.

    What is left of 1 is the constant's: noise shrinks the blend towards one effect for all.
    Source: stacking, Breiman, Machine Learning 24 (1996).
    """
    names = [name for name in fitted.effects if name not in (CONSTANT, BLEND)]
    fold = fitted.fold[rows]
    columns = [within(fitted.of(name, arm)[rows], fold) for name in names]
    weights, _ = nnls(np.column_stack(columns), within(fitted.sample.effect_score(arm)[rows], fold))
    weights /= max(1.0, weights.sum())
    return {name: float(weight) for name, weight in zip(names, weights, strict=True) if weight > 0}


def within(values: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Less the mean of each fold, whose predictions come from another model each."""
    _, place = np.unique(fold, return_inverse=True)
    return values - (np.bincount(place, values) / np.bincount(place))[place]


def _mean(values: np.ndarray, customer: np.ndarray | None) -> tuple[float, float]:
    return float(values.mean()), errors.of_mean(values, customer)
