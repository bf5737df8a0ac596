"""Whether probabilities are calibrated: on rows later than all training, slope .9 to 1.1, Brier skill above 0, expected
calibration error (ECE) at most .02. Training's words and promotion go by this; `tactful monitor` by its own wider
thresholds, and by the same chance.

An observed error is never 0: ten bins of a few hundred rows are off by chance alone, and on 2,500 rows probabilities
that are exactly right read .014 to .02 in the mean. So it counts as above its limit only where two things hold: the
bootstrap's interval over customers lies above it (the basic interval, twice the value less the upper quantile:
resampling inflates a sum of absolute gaps as sampling did), and, with one row of each customer, so large an error is
rare (one in forty) where labels are drawn from the probabilities moved by the limit.
"""

from collections.abc import Mapping

import numpy as np

from training.evaluate import LEVEL as INTERVAL
from training.evaluate import Interval, ece, evaluate

SLOPE = (0.9, 1.1)
ECE = 0.02
DRAWS, LEVEL = 200, 0.025


def figures(label: np.ndarray, probability: np.ndarray, customer: np.ndarray) -> dict[str, Interval]:
    """`evaluate`'s metrics, and as `ece_by_chance` the mean and 95 % range of what right probabilities would read.

    Its labels are drawn row by row: where rows of a customer share their luck, chance makes more than this.
    """
    drawn = by_chance(probability)
    low, high = np.quantile(drawn, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    chance = Interval(float(drawn.mean()), float(low), float(high))
    return {**evaluate(label, probability, customer), "ece_by_chance": chance}


def by_chance(probability: np.ndarray, true: np.ndarray | None = None) -> np.ndarray:
    """Expected calibration errors float64[DRAWS] of these probabilities where labels are drawn from the `true` ones;
    without those, from themselves."""
    random, weights = np.random.default_rng(0), np.ones(len(probability))
    chance = probability if true is None else true
    return np.array([ece((random.random(len(chance)) < chance).astype(float), probability, weights)
                     for _ in range(DRAWS)])  # fmt: skip


def one_each(customer: np.ndarray, seed: int = 0) -> np.ndarray:
    """A row of each customer, drawn: a customer's rows may share much, any one of them stands for all."""
    shuffled = np.random.default_rng(seed).permutation(len(customer))
    return shuffled[np.unique(np.asarray(customer)[shuffled], return_index=True)[1]]


def told(label: np.ndarray, probability: np.ndarray, customer: np.ndarray, metrics: Mapping[str, Interval]) -> str:
    """Whether probabilities are on target, in a sentence; `metrics` are `figures` of the same rows."""
    slope, skill, error = (metrics[name] for name in ("calibration_slope", "brier_skill", "ece"))
    if surely := faults(label, probability, customer, metrics):
        return f"off target: {' and '.join(surely)}"
    chance = metrics["ece_by_chance"]
    found = (
        (SLOPE[0] <= slope.value <= SLOPE[1], f"slope {slope:.2f}, outside {SLOPE[0]} to {SLOPE[1]}"),
        (skill.value > 0, f"Brier skill {skill:.3f}, not above 0"),
        (error.value <= ECE, f"expected calibration error {error.value:.3f}, above {ECE}, where right probabilities"
                             f" read {chance.low:.3f} to {chance.high:.3f} on as many rows"),
    )  # fmt: skip
    if doubts := [words for holds, words in found if not holds]:
        return f"not surely off target: {' and '.join(doubts)}"
    return (
        f"on target: slope {slope.value:.2f} ({SLOPE[0]} to {SLOPE[1]}), Brier skill {skill.value:.3f} (above 0),"
        f" expected calibration error {error.value:.3f} (at most {ECE})"
    )


def faults(
    label: np.ndarray, probability: np.ndarray, customer: np.ndarray, metrics: Mapping[str, Interval]
) -> list[str]:
    """What is significantly outside, each in words; `metrics` are `evaluate`'s of the same rows."""
    slope, skill, error = (metrics[name] for name in ("calibration_slope", "brier_skill", "ece"))
    found = []
    if slope.high < SLOPE[0] or slope.low > SLOPE[1]:
        found.append(f"calibration slope {slope:.2f}, outside {SLOPE[0]} to {SLOPE[1]}")
    if skill.high <= 0:
        found.append(f"Brier skill {skill:.3f}, not above 0")
    if 2 * error.value - error.high > ECE and _rare(label, probability, customer):
        found.append(f"expected calibration error {error.value:.3f}, above {ECE}")
    return found


def _rare(label: np.ndarray, probability: np.ndarray, customer: np.ndarray) -> bool:
    """Whether probabilities that are all off by the limit, the way these are, would seldom be off as far as this."""
    one = one_each(customer)
    happened, said = np.asarray(label, float)[one], probability[one]
    moved = np.clip(said + (np.sign(np.mean(happened - said)) or 1.0) * ECE, 0.0, 1.0)
    return bool(ece(happened, said, np.ones(len(one))) > np.quantile(by_chance(said, moved), 1 - LEVEL))


def further_out(metrics: Mapping[str, Interval], rival: Mapping[str, Interval]) -> bool:
    """Whether the rival is out of calibration at least as far, in slope, in skill and in error."""

    def away(of: Mapping[str, Interval]) -> tuple[float, float, float]:
        slope = of["calibration_slope"].value
        skill = max(-of["brier_skill"].value, 0.0)
        return max(SLOPE[0] - slope, slope - SLOPE[1], 0.0), skill, max(of["ece"].value - ECE, 0.0)

    return all(own <= other for own, other in zip(away(metrics), away(rival), strict=True))
