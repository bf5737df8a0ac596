"""Whether probabilities are out of calibration beyond chance: slope .9 to 1.1, expected calibration error at most .02.

An observed error is never 0: ten bins of a few hundred rows are off by chance alone. So it counts as above its limit
only where two things hold: the bootstrap's interval over customers lies above it (the basic interval, twice the value
less the upper quantile: resampling inflates a sum of absolute gaps as sampling did), and so large an error is rare
(one in forty) where labels are drawn from the probabilities moved by just the limit.
"""

from collections.abc import Mapping

import numpy as np

from training.evaluate import Interval, ece

SLOPE = (0.9, 1.1)
ECE = 0.02
DRAWS, LEVEL = 200, 0.025


def faults(label: np.ndarray, probability: np.ndarray, metrics: Mapping[str, Interval]) -> list[str]:
    """What is significantly outside, each in words; `metrics` are `evaluate`'s of the same rows."""
    slope, error = metrics["calibration_slope"], metrics["ece"]
    found = []
    if slope.high < SLOPE[0] or slope.low > SLOPE[1]:
        found.append(f"calibration slope {slope:.2f}, outside {SLOPE[0]} to {SLOPE[1]}")
    if 2 * error.value - error.high > ECE and error.value > by_chance(label, probability, ECE):
        found.append(f"expected calibration error {error.value:.3f}, above {ECE}")
    return found


def by_chance(label: np.ndarray, probability: np.ndarray, limit: float) -> float:
    """The error that labels of probabilities which are all off by `limit`, the way these are, stay below."""
    lean = np.sign(np.mean(np.asarray(label, float) - probability)) or 1.0
    moved = np.clip(probability + lean * limit, 0.0, 1.0)
    random, weights = np.random.default_rng(0), np.ones(len(moved))
    drawn = [ece((random.random(len(moved)) < moved).astype(float), probability, weights) for _ in range(DRAWS)]
    return float(np.quantile(drawn, 1 - LEVEL))


def further_out(metrics: Mapping[str, Interval], rival: Mapping[str, Interval]) -> bool:
    """Whether the rival is out of calibration at least as far, in slope and in error."""

    def away(of: Mapping[str, Interval]) -> tuple[float, float]:
        slope = of["calibration_slope"].value
        return max(SLOPE[0] - slope, slope - SLOPE[1], 0.0), max(of["ece"].value - ECE, 0.0)

    return all(own <= other for own, other in zip(away(metrics), away(rival), strict=True))
