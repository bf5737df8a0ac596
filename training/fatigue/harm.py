"""What one more contact costs, in money: the three harms, priced and added up. It is what arbitration subtracts.

    harm of channel c at pressure x for a customer z
        = opt-out's price [c] x opt-outs (c, x, z) + complaint's price x complaints (c, x, z)
        + margin x lost money (c, x, z)

each a curve in x (curve.py) with a line in z where differences are shown (differs.py). Never below 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from features.clock import DAY
from serving.decisions.effects.file import Arm, Model
from serving.decisions.effects.forms import Linear
from serving.decisions.effects.inputs import Contacts
from training.fatigue.curve import KNOTS, OUTCOMES, Smooth
from training.fatigue.differs import Differs
from training.fatigue.standard import Standard


@dataclass(frozen=True)
class Prices:
    """Stated, in money: `margin`, what is kept of a unit that a customer spends; `opt_out` [C], what the permission to
    contact somebody on a channel is worth; `complaint`, what handling one costs."""

    margin: float
    opt_out: np.ndarray
    complaint: float

    def of(self, name: str) -> np.ndarray:
        """What one unit of an outcome costs; [C], or a single number for all channels."""
        if name == "opt-out":
            return self.opt_out
        return np.array(self.complaint if name == "complaint" else self.margin)


@dataclass(frozen=True)
class Pressure:
    """How pressure is counted: what a contact weighs by channel, in shares of what is tolerable, and its half-life."""

    channels: tuple[str, ...]
    weights: np.ndarray
    other: float
    half_life: int

    def input(self, low: float, high: float) -> Contacts:
        """Pressure within bounds, as the file of effects declares it."""
        named = {name: float(weight) for name, weight in zip(self.channels, self.weights, strict=True)}
        return Contacts(named, half_life_days=self.half_life / DAY, low=low, high=high, other=self.other)


@dataclass(frozen=True)
class Harm:
    """By outcome: its curve, each channel's mean [C], and how it differs."""

    pressure: Pressure
    prices: Prices
    curves: Mapping[str, Smooth]
    means: Mapping[str, np.ndarray]
    differs: Mapping[str, Differs]
    standard: Standard | None

    def money(self, channel: np.ndarray, pressure: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """float64[n]: of one more contact on these channels, at this pressure, for these customers."""
        total = np.zeros(len(channel))
        for name in OUTCOMES:
            one = self.curves[name].at(channel, pressure)
            if z is not None and self.differs[name].shown:
                one = one + self.means[name][channel] * (z @ self.differs[name].theta)
            price = self.prices.of(name)
            total += one * (price[channel] if price.ndim else price)
        return np.maximum(total, 0.0)

    def model(self, channels: Sequence[str], told: Mapping[str, Mapping[str, object]], **stated: object) -> Model:
        """The file of effects: one arm a channel, and one for any other channel, the mean of these."""
        inputs = [self.pressure.input(a, b) for a, b in pairwise(KNOTS)]
        shown = self.standard is not None and any(one.shown for one in self.differs.values())
        features = list(self.standard.inputs) if shown and self.standard is not None else []
        lines = {name: self._line(self.pressure.channels.index(name), len(features)) for name in channels}
        arms = [Arm(None, name, Linear(line), told.get(name, {})) for name, line in lines.items()]
        arms.append(Arm(None, None, Linear(np.mean(list(lines.values()), axis=0)), {"of": "the mean of all channels"}))
        return Model(kind="fatigue", unit="money", inputs=[*inputs, *features], arms=arms, **stated)  # type: ignore[arg-type]

    def _line(self, channel: int, features: int) -> np.ndarray:
        """Weights, intercept first; pressure comes in stretches between knots, features in their own units."""
        line = np.zeros(len(KNOTS) + features)
        for name in OUTCOMES:
            price = self.prices.of(name)
            unit = float(price[channel] if price.ndim else price)
            smooth, factor = self.curves[name], float(self.curves[name].factor[channel])
            line[0] += unit * factor * (smooth.base - float(smooth.slopes @ np.array(KNOTS[:-1])))
            line[1 : len(KNOTS)] += unit * factor * smooth.slopes
            if features and self.differs[name].shown and self.standard is not None:
                slope = unit * float(self.means[name][channel]) * self.differs[name].theta / self.standard.spread
                line[len(KNOTS) :] += slope
                line[0] -= float(slope @ self.standard.mean)
        return line
