"""Hook: customer attributes as of the instant."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit


class Facts(NamedTuple):
    """Records of customer attributes, each customer's together."""

    name: Any  # uint64: hash of the attribute's name
    since: Any  # int64: valid from, and known from, this instant (microseconds)
    number: Any  # float64, NaN without
    label: Any  # uint64: hash of the label, 0 without


NO_FACTS = Facts(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint64))


@njit(forceinline=True)
def read_facts(acc: Any, facts: Any, tables: Any, lo: int, hi: int, t: int) -> None:  # noqa: ARG001
    """Fills acc.facts, one for each of tables.attributes, from records lo..hi; NaN without."""
    acc.facts[:] = np.nan
