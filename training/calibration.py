"""Whether probabilities are out of calibration beyond chance: slope .9 to 1.1, expected calibration error at most .02.

An observed error is never 0: ten bins of a few hundred rows are off by chance alone. So it counts as above its limit
only where two things hold: the bootstrap's interval over customers lies above it (the basic interval, twice the value
less the upper quantile: resampling inflates a sum of absolute gaps as sampling did), and, with one row of each
customer, so large an error is rare (one in forty) where labels are drawn from the probabilities moved by the limit.
"""

from collections.abc import Mapping

import numpy as np

from training.evaluate import Interval, ece

SLOPE = (0.9, 1.1)
ECE = 0.02
DRAWS, LEVEL = 200, 0.025


def faults(
    label: np.ndarray, probability: np.ndarray, customer: np.ndarray, metrics: Mapping[str, Interval]
) -> list[str]:
    """What is significantly outside, each in words; `metrics` are `evaluate`'s of the same rows."""
    slope, error = metrics["calibration_slope"], metrics["ece"]
    found = []
    if slope.high < SLOPE[0] or slope.low > SLOPE[1]:
        found.append(f"calibration slope {slope:.2f}, outside {SLOPE[0]} to {SLOPE[1]}")
    if 2 * error.value - error.high > ECE and _rare(label, probability, customer):
        found.append(f"expected calibration error {error.value:.3f}, above {ECE}")
    return found


def _rare(label: np.ndarray, probability: np.ndarray, customer: np.ndarray) -> bool:
    """Whether probabilities that are all off by the limit, the way these are, would seldom be off as far as this."""
    random = np.random.default_rng(0)
    shuffled = random.permutation(len(label))  # a customer's rows may share much: any one of them stands for all
    one = shuffled[np.unique(np.asarray(customer)[shuffled], return_index=True)[1]]
    happened, said, weights = np.asarray(label, float)[one], probability[one], np.ones(len(one))
    moved = np.clip(said + (np.sign(np.mean(happened - said)) or 1.0) * ECE, 0.0, 1.0)
    drawn = [ece((random.random(len(moved)) < moved).astype(float), said, weights) for _ in range(DRAWS)]
    return bool(ece(happened, said, weights) > np.quantile(drawn, 1 - LEVEL))


def further_out(metrics: Mapping[str, Interval], rival: Mapping[str, Interval]) -> bool:
    """Whether the rival is out of calibration at least as far, in slope and in error."""

    def away(of: Mapping[str, Interval]) -> tuple[float, float]:
        slope = of["calibration_slope"].value
        return max(SLOPE[0] - slope, slope - SLOPE[1], 0.0), max(of["ece"].value - ECE, 0.0)

    return all(own <= other for own, other in zip(away(metrics), away(rival), strict=True))
