"""How many decimals a figure deserves: sentences and tables ask here, so that they show the same digits."""

import math


def decimals(value: float, precision: float, nonzero: bool = False, money: bool = False) -> int:
    """The digits after the point that `precision` (say, an interval's half-width) leaves meaning to.

    `nonzero` adds digits until a value that is not zero does not look like zero; `money` has cents or none.

    >>> decimals(4.52331, 0.634), decimals(-1234.5, 20), decimals(0.004, 0.7, nonzero=True)
    (1, 0, 3)
    """
    found = 0 if precision <= 0 else min(12, max(0, math.ceil(-math.log10(precision / 2))))
    if money and found in (1, 3) and abs(value) >= 0.1:
        found = 2
    return _until_seen(value, found) if nonzero else found


def span_decimals(low: float, high: float, precision: float, money: bool = False) -> int:
    """The digits after the point that both ends of an interval are shown with; `precision` and `money` as above.

    More only where the interval leaves out zero and its nearer end would read as zero.

    >>> span_decimals(-2.3, 0.001, 1.15), span_decimals(0.004, 1.4, 0.7), span_decimals(0.04, 1.4, 0.7, money=True)
    (1, 3, 2)
    """
    found = decimals(max(abs(low), abs(high)), precision, money=money)
    one_side = (low > 0 and high > 0) or (low < 0 and high < 0)
    return _until_seen(min(abs(low), abs(high)), found) if one_side else found


def _until_seen(value: float, digits: int) -> int:
    """So many digits that a value that is not zero does not look like zero."""
    while value and digits < 12 and float(f"{abs(value):.{digits}f}") == 0:
        digits += 1
    return digits
