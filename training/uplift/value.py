"""What rules for whom to contact are worth, each customer counted by scores; nothing is worth 0.

A rule's value is the mean, over all customers, of score(the rule's arm) - score(control) - the arm's cost: unbiased
where the arms' propensities are right and the rule was learned from other customers.
Source: Athey and Wager, Econometrica 89 (2021).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluate import Interval
from training.uplift.heterogeneity import mean
from training.uplift.sample import Sample

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Rules:
    """Gains of every arm float64[n, arms - 1] (scores against control, costs paid), and what rules look at.

    `effects` are the predicted effects less costs, `responses` the outcome expected in each arm; both [n, arms - 1].
    `customer` is that of the sample.
    """

    gains: np.ndarray
    effects: np.ndarray
    responses: np.ndarray
    customer: np.ndarray | None = None

    @classmethod
    def of(cls, sample: Sample, effects: np.ndarray, cost: float, arms: Sequence[int]) -> "Rules":
        """Among some arms: `effects` [n, k] of these k, which rules number from 1."""
        gains = np.column_stack([sample.effect_score(arm) for arm in arms])
        return cls(gains - cost, effects - cost, sample.means[:, arms], sample.customer)

    @property
    def targeted(self) -> np.ndarray:
        """int[n]: the arm of largest predicted effect where that pays, else 0."""
        return np.where(self.effects.max(1) > 0, 1 + self.effects.argmax(1), 0)

    def first(self, ranking: np.ndarray, share: float) -> np.ndarray:
        """int[n]: the best arm by `ranking` [n, arms - 1] for the share of customers where it is highest, else 0."""
        count = round(share * len(ranking))
        chosen = np.zeros(len(ranking), np.int64)
        top = np.argsort(-ranking.max(1), kind="stable")[:count]
        chosen[top] = 1 + ranking[top].argmax(1)
        return chosen

    def of_each(self, rule: np.ndarray) -> np.ndarray:
        """float64[n]: each customer's gain under a rule int[n]."""
        gained = self.gains[np.arange(len(rule)), np.maximum(rule - 1, 0)]
        return np.where(rule > 0, gained, 0.0)

    def value(self, rule: np.ndarray) -> Interval:
        return mean(self.of_each(rule), self.customer)

    def random(self, rule: np.ndarray) -> Interval:
        """As many customers in each arm as the rule has, drawn at random."""
        share = np.bincount(rule, minlength=self.gains.shape[1] + 1)[1:] / len(rule)
        return mean(self.gains @ share, self.customer)

    def against(self, rule: np.ndarray, other: np.ndarray) -> Interval:
        """How much more one rule is worth than another, on the same customers."""
        return mean(self.of_each(rule) - self.of_each(other), self.customer)
