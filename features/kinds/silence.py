"""The probability of silence: BG/NBD (Fader, Hardie and Lee, Marketing Science 24(2), 2005)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.clock import DAY
from features.definitions import Feature, Operation, Selector, check_days
from features.kernel.accumulators import DAYS, FIRST, NEVER, NEWEST
from features.kernel.jit import inlined

#: Looks back this far; who has been known for longer is seen as if first met at its start.
SPAN = 365
#: r, alpha in days, a, b of the paper's own example (CDNOW, table 2: alpha 4.414 weeks). `tactful features fit`
#: estimates a workspace's own.
CDNOW = (0.243, 7 * 4.414, 0.793, 2.426)


@dataclass(frozen=True)
class Silence(Feature):
    """P(none in the next `horizon` days), by how often and how recently there were some.

    While alive a customer comes at a rate of their own, gamma(r, alpha) among customers, and leaves after each time
    with a probability of their own, beta(a, b). See features/visits.py.
    """

    who: Selector
    horizon: int
    parameters: tuple[float, float, float, float] = CDNOW

    unit = "probability"
    null = "no such interaction ever"
    sensitivity = "inferred"

    def __post_init__(self) -> None:
        check_days(self.horizon)
        if len(self.parameters) != 4 or not all(0 < number < np.inf for number in self.parameters):
            raise ValueError(f"BG/NBD takes four numbers above 0 (r, alpha, a, b), not {self.parameters}")

    @property
    def name(self) -> str:
        return f"silence_{self.who.name}_{self.horizon}d"

    @property
    def text(self) -> str:
        return f"probability of no {self.who.text} in the next {self.horizon} days (BG/NBD)"

    def operation(self) -> Operation:
        return Operation(self.who, days=SPAN, parameters=(float(self.horizon), *self.parameters))

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        first = acc.moments[s, FIRST]
        if first == NEVER:
            return np.nan
        horizon, r, alpha = acc.parameters[b], acc.parameters[b + 1], acc.parameters[b + 2]
        tenure = (t - first) / DAY
        age = min(tenure, float(SPAN))
        repeats = acc.windows[s, a, DAYS] - (tenure <= SPAN)
        if repeats <= 0:
            return ((alpha + age) / (alpha + age + horizon)) ** r
        shape, recency = r + repeats, (t - acc.moments[s, NEWEST]) / DAY
        quiet = np.exp(shape * np.log((alpha + age) / (alpha + age + horizon)))
        waited = np.log((alpha + age) / (alpha + max(age - recency, 0.0)))
        left = np.exp(min(np.log(acc.parameters[b + 3] / (acc.parameters[b + 4] + repeats - 1)) + shape * waited, 50.0))
        return (left + quiet) / (1 + left)
