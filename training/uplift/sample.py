"""What every learner is given: customers, the arm each was in, what came of it, and the scores made of both.

Arms are numbered; 0 is the control. Shapes: n customers, p inputs, a arms.
"""

from dataclasses import dataclass, replace

import numpy as np

from training.uplift.customers import among, apart


@dataclass(frozen=True)
class Sample:
    """Customers of one campaign.

    `inputs` float64[n, p] without nulls; `arm` int[n]; `outcome` float64[n]; `propensity` float64[n, a]: how probable
    each arm was for each customer, known or estimated; `means` float64[n, a]: the outcome expected in each arm, by
    models that did not see the customer (zeros until `nuisance.complete` has filled them). Where customers have several
    rows, `customer` int[n] numbers them, and what is said of customers holds of rows.
    """

    inputs: np.ndarray
    arm: np.ndarray
    outcome: np.ndarray
    propensity: np.ndarray
    means: np.ndarray
    binary: bool
    customer: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def arms(self) -> int:
        return self.propensity.shape[1]

    def rows(self, chosen: np.ndarray) -> "Sample":
        """The same of some customers: a mask or places."""
        return replace(
            self,
            inputs=self.inputs[chosen],
            arm=self.arm[chosen],
            outcome=self.outcome[chosen],
            propensity=self.propensity[chosen],
            means=self.means[chosen],
            customer=among(self.customer, chosen),
        )

    def folds(self, count: int, seed: int) -> np.ndarray:
        """int[n]: the fold of each row; no customer is in two."""
        return folds(self.arm, count, seed, self.customer)

    def score(self, arm: int) -> np.ndarray:
        """float64[n]: what each customer says about the mean outcome had all been in `arm`.

        The augmented inverse propensity score: the modelled mean, and where the customer was in the arm, the model's
        error / propensity. Its mean is unbiased where either the propensities or the means are right.
        Source: Robins, Rotnitzky, Zhao, JASA 89 (1994); Chernozhukov et al., Econometrics Journal 21 (2018).
        """
        there = self.arm == arm
        means = self.means[:, arm]
        return means + np.where(there, (self.outcome - means) / self.propensity[:, arm], 0.0)

    def effect_score(self, arm: int) -> np.ndarray:
        """float64[n]: score of `arm` minus that of the control; its mean over any group estimates the effect there."""
        return self.score(arm) - self.score(0)


def folds(arm: np.ndarray, count: int, seed: int = 0, customer: np.ndarray | None = None) -> np.ndarray:
    """int[n]: the fold of each row, equally many of each arm in each fold; no `customer` is in two."""
    if customer is not None:
        return apart(customer, count, seed)
    rng = np.random.default_rng(seed)
    fold = np.empty(len(arm), np.int64)
    for one in np.unique(arm):
        places = rng.permutation(np.flatnonzero(arm == one))
        fold[places] = (np.arange(len(places)) + rng.integers(count)) % count
    return fold
