"""When a model trains, is calibrated and is tested: three windows of cutoffs, an embargo of one horizon between them.

    |- history -|- training cutoffs -|- horizon -|- calibration cutoffs -|- horizon -| test cutoff |- horizon -| end

A label looks one horizon past its cutoff, so the last label of one window ends where the next window begins.
"""

from dataclasses import dataclass

from features.clock import DAY, isoformat
from features.workspace import WorkspaceError

STEP = 7 * DAY
CALIBRATION_CUTOFFS = 2
TRAINING_CUTOFFS = 52
#: History before the first training cutoff: less than this, and a window feature has nothing to look at.
LEAST_HISTORY = 7 * DAY
WARM_UP = 28 * DAY
LEAST_TRAINING = 4


@dataclass(frozen=True)
class Windows:
    """Cutoffs, ascending, in microseconds; `horizon` in microseconds.

    `embargo` are the cutoffs between training and calibration whose labels reach into calibration: no part of judging
    the link, but the final refit may use them, for their labels end before the test cutoff.
    """

    training: tuple[int, ...]
    embargo: tuple[int, ...]
    calibration: tuple[int, ...]
    test: int
    horizon: int


def plan(first: int, last: int, horizon: int, test: int | None = None, option: str = "churn.horizon_days") -> Windows:
    """Windows for a log that runs from instant `first` to `last`.

    The test cutoff defaults to the latest midnight whose horizon the log covers; a log that ends on a midnight holds
    dates, and its last day is over. Where the log is short, calibration shrinks to fewer cutoffs, then training to
    fewer and denser ones. Raises WorkspaceError, naming the longest horizon that would fit, where that fails too.
    """
    covered = last + DAY if last % DAY == 0 else last
    latest = (covered - horizon) // DAY * DAY
    test = latest if test is None else test
    if test + horizon > (last // DAY + 1) * DAY:
        raise WorkspaceError(
            f"the test cutoff {_date(test)} is too late: the log ends on {_date(last)}, before the"
            f" {horizon // DAY} days after that cutoff are over; use {_date(latest)} or earlier"
        )
    for warm in (first + max(LEAST_HISTORY, min(horizon, WARM_UP)), first + LEAST_HISTORY):
        for count in range(CALIBRATION_CUTOFFS, 0, -1):
            windows = _fit(warm, horizon, test, count)
            if len(windows.training) >= LEAST_TRAINING:
                return windows
    dense = _fit(first + LEAST_HISTORY, horizon, test, 1, DAY)
    if dense.training:
        return dense
    longest = (test + horizon - first - LEAST_HISTORY) // (3 * DAY)
    remedy = f"set `{option}` in tactful.yaml to at most {longest}, or " if longest > 0 else ""
    raise WorkspaceError(
        f"the log is too short: with {_date(first)} as its first day and {_date(test)} as test cutoff, training,"
        f" calibration and test need three horizons of {horizon // DAY} days and {LEAST_HISTORY // DAY} days before"
        f" them; {remedy}ingest older interactions"
    )


def _fit(warm: int, horizon: int, test: int, count: int, step: int = STEP) -> Windows:
    calibration = tuple(test - horizon - step * k for k in reversed(range(count)))
    last = calibration[0] - horizon
    cutoffs = range(last, max(warm, last - TRAINING_CUTOFFS * STEP) - 1, -step)
    embargo = range(last + step, calibration[0], step)
    return Windows(tuple(reversed(cutoffs)), tuple(embargo), calibration, test, horizon)


def _date(at: int) -> str:
    return isoformat(at)[:10]
