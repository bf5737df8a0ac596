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
    while nonzero and value and found < 12 and float(f"{abs(value):.{found}f}") == 0:
        found += 1
    return found
