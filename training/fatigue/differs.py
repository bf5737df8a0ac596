"""Whom contacts harm more: a line in what is known of the customer, kept only where other customers bear it out.

With r what the curve leaves of the outcome and T = sum over channels of (A - p) x the channel's mean harm, the part of
each row's harm that chance decided, theta minimises sum (r - T exposure theta . z)^2 + ridge (the R-learner; Nie and
Wager, Biometrika 2021). z is standardised. Harm then is curve + channel's mean x theta . z. Customers are split in
folds; what the folds' lines say of customers that they did not see decides how strong the ridge is and by how much the
line is drawn back. Whether a difference counts as shown is tested by lines that the folds before each one taught: where
folds teach each other, the same chance in two of them is counted from both sides, and where there are no differences
they are found three times as often as stated (training/uplift/heterogeneity.py).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from training.fatigue.curve import Smooth
from training.fatigue.trials import SILENCE, Trials
from training.uplift.heterogeneity import proxy

FOLDS, LEVEL = 5, 0.01
#: Strengths of the ridge, in shares of the mean diagonal.
RIDGES = (0.3, 3.0, 30.0, 300.0)


@dataclass(frozen=True)
class Differs:
    """theta [k] (0 where nothing is shown), p of the test, how much of the line was kept."""

    theta: np.ndarray
    p: float
    kept: float

    @property
    def shown(self) -> bool:
        return self.p < LEVEL


@dataclass(frozen=True)
class Rest:
    """What curves leave of one outcome, [n] each: the rest of it; and what a unit of harm would have shown."""

    rest: np.ndarray
    exposure: np.ndarray


def differs(trials: Trials, left: Rest, means: np.ndarray, z: np.ndarray, seed: int = 0) -> Differs:
    """Of one outcome. `means` [C] is each channel's mean harm, `z` float64[n, k] the standardised inputs."""
    rest, exposure = left.rest, left.exposure
    contacted = np.where(trials.made != SILENCE, means[np.maximum(trials.made, 0)], 0.0)
    decided = contacted - trials.chance @ means
    if not np.any(decided):
        return Differs(np.zeros(z.shape[1]), 1.0, 0.0)
    design = z * (decided * exposure)[:, None]
    people, unit = np.unique(trials.who, return_inverse=True)
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(people))[unit]
    grams = np.stack([design[fold == f].T @ design[fold == f] for f in range(FOLDS)])
    moments = np.stack([design[fold == f].T @ rest[fold == f] for f in range(FOLDS)])
    unit_ridge = np.trace(grams.sum(0)) / z.shape[1]
    best = (-np.inf, 0.0, np.zeros(len(rest)))
    for ridge in RIDGES:
        foretold = np.zeros(len(rest))
        for f in range(FOLDS):
            others = np.arange(FOLDS) != f
            line = _solved(grams[others].sum(0), moments[others].sum(0), ridge * unit_ridge)
            foretold[fold == f] = design[fold == f] @ line
        gain = float((2 * rest * foretold - foretold**2).sum())
        if gain > best[0]:
            best = gain, ridge, foretold
    gain, ridge, foretold = best
    kept = float(np.clip((rest * foretold).sum() / max((foretold**2).sum(), 1e-30), 0.0, 1.0))
    agreed = np.bincount(unit, rest * in_turn(fold, design, grams, moments))
    spread = float(np.sqrt((agreed**2).sum()))
    p = float(norm.sf(agreed.sum() / spread)) if spread > 0 else 1.0
    theta = kept * _solved(grams.sum(0), moments.sum(0), ridge * unit_ridge)
    return Differs(theta if p < LEVEL else np.zeros(len(theta)), p, kept)


def in_turn(fold: np.ndarray, design: np.ndarray, grams: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """float64[n]: what lines from the folds before say of each fold's rows of `design` [n, k], 0 in the first; `grams`
    [FOLDS, k, k] and `moments` [FOLDS, k] are the folds'. No ridge is picked for it: it is the mean of all, each in
    units of what it says within the fold."""
    said = np.zeros((len(RIDGES), len(fold)))
    for f in range(1, FOLDS):
        gram, moment, own = grams[:f].sum(0), moments[:f].sum(0), fold == f
        for k, ridge in enumerate(RIDGES):
            said[k, own] = design[own] @ _solved(gram, moment, ridge * np.trace(gram) / len(gram))
    return proxy(dict(enumerate(said)), fold)


def rest(trials: Trials, outcome: np.ndarray, exposure: np.ndarray, smooth: Smooth) -> Rest:
    """Of an outcome float64[n], less what its curve says of the contacts made."""
    made = np.maximum(trials.made, 0)
    harm = np.where(trials.made != SILENCE, smooth.at(made, trials.pressure), 0.0)
    return Rest(outcome - exposure * harm, exposure)


def _solved(gram: np.ndarray, moment: np.ndarray, ridge: float) -> np.ndarray:
    gram = gram + ridge * np.eye(len(gram))
    return np.asarray(np.linalg.solve(gram, moment))
