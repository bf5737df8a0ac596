"""Labels that have matured since a model was trained: does it still rank, and are its probabilities still right?

Every check asks twice: is it worse than the threshold in tactful.yaml, and is that more than chance would bring about
in one look of a thousand (Z standard errors; for the calibration error, of labels drawn from the probabilities)?
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.clock import DAY, isoformat
from features.workspace import Monitor
from training.calibration import by_chance, one_each
from training.evaluate import Interval, auc, calibration_slope, ece, evaluate
from training.monitor.report import Check, Status, answered, unknown

#: One-sided, once in a thousand.
Z = 3.09
#: Half the width of an interval (95 %) in standard errors.
WIDTH = 1.96
#: Fewer of either label are not judged; so many rows that none was expected to be seen are.
LEAST, EXPECTED = 20, 7.0
JUDGED = ("auc", "calibration_slope", "ece")


@dataclass(frozen=True)
class Judged:
    """Probabilities against labels; `ece_by_chance` is what right ones stay below."""

    auc: Interval
    slope: Interval
    ece: float
    ece_by_chance: float


@dataclass(frozen=True)
class Quality:
    """Of rows of one cutoff: shares of label 1 as it came and as foretold, how many of the rarer label were expected,
    and how good the probabilities are, where neither label is too rare to tell."""

    rows: int
    positives: int
    rate: float
    predicted: float
    expected: float
    judged: Judged | None

    @classmethod
    def of(cls, label: np.ndarray, probability: np.ndarray, customer: np.ndarray) -> "Quality":
        """Arrays [n], n > 0."""
        label = np.asarray(label, float)
        count, ones = len(label), int(label.sum())
        expected = min(float(probability.sum()), float((1 - probability).sum()))
        enough = min(ones, count - ones) >= LEAST
        judged = _judge(label, probability, customer) if enough else None
        return cls(count, ones, float(label.mean()), float(probability.mean()), expected, judged)


def _judge(label: np.ndarray, probability: np.ndarray, customer: np.ndarray) -> Judged:
    found = evaluate(label, probability, customer, metrics={"auc": auc, "slope": calibration_slope})
    # rows of one customer go together: all of them are off by chance as far as one of each at the most
    drawn = by_chance(probability[one_each(customer, seed=1)])
    highest = float(drawn.mean() + Z * drawn.std())
    return Judged(found["auc"], found["slope"], ece(label, probability, np.ones(len(label))), highest)


def which(known: Sequence[int], found: Quality | None, until: int, horizon: int) -> str:
    """Which labels are meant, or why there are none. `known` are the cutoffs (microseconds) that have labels, `until`
    the newest row of training."""
    if not known:
        days = f"{horizon // DAY} days after {isoformat(until)[:10]}"
        return f"no label is newer than its training yet, the first mature {days}"
    when = f"as of {isoformat(known[-1])[:10]}"
    return when if found is not None else f"no row has a label and is newer than its training, {when}"


def checks(model: str, found: Quality | None, run: Mapping[str, float], when: str, thresholds: Monitor) -> list[Check]:
    """Four questions about a model. `run` are the figures of its training run, `when` says which labels are meant."""
    if found is None:
        return [unknown(name, model, f"{model}: {when}") for name in ("one_class", *JUDGED)]
    if found.judged is None:
        few = f"{model}: {found.positives} of {found.rows:,} labels are 1, {when}; {LEAST} of each are needed"
        return [_one_class(model, found, when), *(unknown(name, model, few) for name in JUDGED)]
    return [
        _one_class(model, found, when),
        _auc(model, found.judged.auc, run, when, thresholds),
        _slope(model, found.judged.slope, when, thresholds),
        _ece(model, found, found.judged, when, thresholds),
    ]


def _one_class(model: str, found: Quality, when: str) -> Check:
    empty = found.positives in (0, found.rows)
    sentence = f"{model}: {found.positives:,} of {found.rows:,} labels are 1, {when}"
    if not empty:
        return Check(check="one_class", subject=model, status="well", value=found.rate, sentence=sentence)
    expected = f"; the model expected {found.expected:.1f} of the rarer one"
    status: Status = "alarm" if found.expected >= EXPECTED else "unknown"
    return Check(check="one_class", subject=model, status=status, value=found.rate, sentence=sentence + expected)


def error(interval: Interval) -> float:
    """Its standard error."""
    return (interval.high - interval.low) / 2 / WIDTH


def _auc(model: str, now: Interval, run: Mapping[str, float], when: str, thresholds: Monitor) -> Check:
    if not {"auc", "auc_low", "auc_high"} <= set(run):
        return unknown("auc", model, f"{model}: its training run logged no AUC with an interval; train it again")
    then = Interval(run["auc"], run["auc_low"], run["auc_high"])
    by_chance = Z * float(np.hypot(error(now), error(then)))
    limit = then.value - max(thresholds.auc_drop, by_chance)
    sentence = f"{model}: AUC {now} {when}, {then} when it was trained (rings below {limit:.3f})"
    return answered(now.value < limit, "auc", model, now.value, limit, sentence)


def _slope(model: str, now: Interval, when: str, thresholds: Monitor) -> Check:
    low, high = (edge + sign * Z * error(now) for edge, sign in zip(thresholds.slope, (-1, 1), strict=True))
    limit = low if now.value < 1 else high
    sentence = f"{model}: calibration slope {now:.2f} {when} (rings below {low:.2f} and above {high:.2f})"
    ringing = not low <= now.value <= high
    return answered(ringing, "calibration_slope", model, now.value, limit, sentence)


def _ece(model: str, found: Quality, judged: Judged, when: str, thresholds: Monitor) -> Check:
    limit = max(thresholds.ece, judged.ece_by_chance)
    sentence = (
        f"{model}: expected calibration error {judged.ece:.3f}, {found.rate:.1%} came true where {found.predicted:.1%}"
        f" were foretold, {when} (rings above {limit:.3f})"
    )
    return answered(judged.ece > limit, "ece", model, judged.ece, limit, sentence)
