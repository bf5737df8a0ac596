"""What a trouble costs: how much less is bought in the year after something went wrong, from the whole log.

A contact's harm is too small to be seen in purchases; trouble's is not. Of each PERIOD of days, those who went into
trouble are compared with those who did not, both having come by themselves in it (so that both were still there), by
what they bought in each period since against what their rate as of that period's begin foretold:

    share kept at a lag = (bought / expected of the troubled) / (bought / expected of the others)

Who leaves because of it buys nothing any more, and counts. Trouble is taken as chance, as it befalls whoever it does.
"""

import numpy as np

from features.simulate import events as ev
from features.simulate.events import Events

#: Days of a period, and periods in which an aftermath is followed: a year.
PERIOD, LAGS = 15, 24
_TROUBLE = (ev.COMPLAINT, ev.CASE_OPENED)


class Aftermath:
    """Columns of n customers by period: purchases, whether they came by themselves, whether trouble was told."""

    def __init__(self, customers: int) -> None:
        self.customers, self.days = customers, 0
        self._bought, self._came, self._told = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()

    def add(self, news: Events) -> None:
        """The next day's."""
        n = self.customers
        if self.days % PERIOD == 0:
            self._bought.append(np.zeros(n, np.uint8))
            self._came.append(np.zeros(n, np.bool_))
            self._told.append(np.zeros(n, np.bool_))
        self.days += 1
        bought = news.customer[news.kind == ev.PURCHASE]
        self._bought[-1] += np.bincount(bought, minlength=n).astype(np.uint8)
        self._came[-1][news.customer[news.kind <= ev.PURCHASE]] = (
            True  # what comes first among kinds is looking and buying
        )
        self._told[-1][news.customer[np.isin(news.kind, _TROUBLE)]] = True

    def sums(self, shape: float, days: float) -> np.ndarray:
        """float64[untroubled and troubled, bought and expected, LAGS]; sums of several markets add up.

        Rates of buying are gamma(shape, days) among customers.
        """
        whole = self.days // PERIOD
        found = np.zeros((2, 2, LAGS))
        count, first = np.zeros(self.customers), np.full(self.customers, whole)
        for period in range(whole):
            came = self._came[period]
            for troubled in (0, 1):
                rows = np.flatnonzero((first < period) & came & (self._told[period] == bool(troubled)))
                expected = ((shape + count[rows]) / (days + (period - first[rows]) * PERIOD)).sum() * PERIOD
                for lag, later in enumerate(self._bought[period + 1 : min(whole, period + 1 + LAGS)]):
                    found[troubled, 0, lag] += later[rows].sum()
                    found[troubled, 1, lag] += expected
            count += self._bought[period]
            first = np.minimum(first, np.where(came, period, whole))
        return found


def cost(sums: np.ndarray) -> float:
    """Days of buying at one's own rate that a trouble costs, over LAGS periods; 0 where the log has none."""
    bought, expected = sums[:, 0], sums[:, 1]
    there = (bought[0] > 0) & (expected > 0).all(axis=0)
    lost = 1.0 - bought[1, there] / expected[1, there] * expected[0, there] / bought[0, there]
    if not len(lost):
        return 0.0
    begins = 0.5 * lost[0]  # trouble comes half a period before the first that is counted, on average
    return float(max(0.0, (lost.sum() + begins) * PERIOD))
