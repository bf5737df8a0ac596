"""Pressure across channels: each contact weighs by its channel and decays; one more may not lift the sum past a limit.

Source: Godfrey, Seiders and Voss, Journal of Marketing 2011 (the defaults of `Pressure`).
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import log2

from serving.decisions.fate import Trip
from serving.decisions.guard.standing import Standing
from serving.decisions.policy import LONGEST, Pressure


class Weighing:
    """What stands, weighed. A reservation weighs in full until it expires; after 400 days a contact is forgotten."""

    __slots__ = ("half", "held", "made", "now", "stands")

    def __init__(self, rule: Pressure, contacts: Sequence[Standing], now: int) -> None:
        self.half, self.now = rule.half, now
        self.made = [(each.at, rule.weight(each.channel)) for each in contacts if each.held is None]
        self.held = [(each.held, rule.weight(each.channel)) for each in contacts if each.held is not None]
        self.stands = self.at(now)

    def at(self, t: int) -> float:
        """The pressure at an instant; it only falls while nothing else happens."""
        total, half = 0.0, self.half
        for at, weight in self.made:
            if t - at <= LONGEST:
                total += weight * 0.5 ** ((t - at) / half)
        for held, weight in self.held:
            if held > t:
                total += weight
        return total

    def falls_to(self, most: float) -> int | None:
        """The first instant from now on at which no more than `most` stands, where more does now."""
        if most < 0:
            return None
        ends = [at + LONGEST + 1 for at, _ in self.made] + [held for held, _ in self.held]
        ends = sorted(end for end in ends if end > self.now)  # at the last of them nothing stands any more
        reached = bisect_left(ends, True, key=lambda end: self.at(end) <= most)
        low, high = ends[reached - 1] if reached else self.now, ends[reached]  # in between it only decays
        middle, step = low + self._takes(most, low, high), 1
        while high - low > 1:  # shut at low, open at high; what was solved for is off by rounding at most
            if not low < middle < high:
                middle = (low + high) // 2
            if self.at(middle) <= most:
                high, middle = middle, middle - step
            else:
                low, middle = middle, middle + step
            step *= 2
        return high

    def _takes(self, most: float, low: int, high: int) -> int:
        """About how long from `low` on, and not beyond `high`, decay alone takes to `most`."""
        held = sum(weight for until, weight in self.held if until > low)
        made, room = self.at(low) - held, most - held
        return int(min(high - low, self.half * log2(made / room))) if made > room > 0 else high - low


def pressed(rule: Pressure, channel: str, weighing: Weighing, factor: float) -> Trip | None:
    """Refuses one more contact on a channel until the pressure has fallen to what may stand already.

    `factor` scales the limit as it scales caps; a channel that the limit allows at all stays possible.
    """
    weight, limit = rule.weight(channel), rule.limit * factor
    if weight <= rule.limit:
        limit = max(limit, weight)
    most = limit - weight
    if weighing.stands <= most:
        return None
    text = f"pressure is {weighing.stands:.2f}; one more on {channel} adds {weight:g}, at most {limit:g}"
    return Trip("pressure", text, weighing.falls_to(most))
