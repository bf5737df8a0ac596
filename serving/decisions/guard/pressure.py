"""Pressure across channels: each contact weighs by its channel and decays; one more may not lift the sum past a limit.

Source: Godfrey, Seiders and Voss, Journal of Marketing 2011 (the defaults of `Pressure`).
"""

from collections.abc import Sequence

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


class PressureGate:
    """Shut until the pressure has fallen to `most`: what may stand already where one more contact is to pass."""

    __slots__ = ("channel", "limit", "most", "weighing", "weight")

    def __init__(self, channel: str, weighing: Weighing, weight: float, limit: float) -> None:
        self.channel, self.weighing, self.weight, self.limit = channel, weighing, weight, limit
        self.most = limit - weight

    def after(self, t: int) -> int | None:
        weighing = self.weighing
        if self.most < 0:
            return None
        if weighing.at(t) <= self.most:
            return t
        ends = [at + LONGEST + 1 for at, _ in weighing.made] + [held for held, _ in weighing.held]
        low, high = t, max(ends)  # shut at low; at high nothing stands any more
        while high - low > 1:
            middle = (low + high) // 2
            if weighing.at(middle) <= self.most:
                high = middle
            else:
                low = middle
        return high

    def trip(self, now: int) -> Trip | None:
        stands = self.weighing.at(now)
        if stands <= self.most:
            return None
        text = f"pressure is {stands:.2f}; one more on {self.channel} adds {self.weight:g}, at most {self.limit:g}"
        return Trip("pressure", text, self.after(now))


def pressed(rule: Pressure, channel: str, weighing: Weighing, factor: float) -> PressureGate | None:
    """The gate of a channel; None where it is open, for pressure only falls by itself.

    `factor` scales the limit as it scales caps; a channel that the limit allows at all stays possible.
    """
    weight, limit = rule.weight(channel), rule.limit * factor
    if weight <= rule.limit:
        limit = max(limit, weight)
    return PressureGate(channel, weighing, weight, limit) if weighing.stands > limit - weight else None
