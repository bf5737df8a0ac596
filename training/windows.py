"""When a model trains, is calibrated and is tested: three windows of cutoffs, an embargo of one horizon between them.

    |- history -|- training cutoffs -|- horizon -|- calibration cutoffs -|- horizon -| test cutoff |- horizon -| end

A label looks one horizon past its cutoff, so the last label of one window ends where the next window begins. One more
cutoff lies between calibration and test: the newest of which something is known when training ends.
"""

from collections.abc import Collection
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
#: How much of a horizon must be over for its cutoff to tell something of the newest weeks.
EARLY = 0.75
#: Of longer horizons the newest weeks tell too little: over 90 days the level they gave was the worse one on CDNOW, at
#: three cutoffs of three; over 28 to 60 it was the better one on most logs.
LONGEST = 60 * DAY


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

    @property
    def early_days(self) -> int:
        """Whole weeks, so that every weekday counts alike, of three quarters of a horizon; 0 where it is too short for
        one, or too long."""
        return int(EARLY * self.horizon) // STEP * STEP // DAY if self.horizon <= LONGEST else 0

    @property
    def newest(self) -> tuple[int, ...]:
        """The cutoff whose first `early_days` end with the test cutoff; none where there are no such days."""
        return (self.test - self.early_days * DAY,) if self.early_days else ()

    @property
    def cutoffs(self) -> tuple[int, ...]:
        """All of them, ascending."""
        return tuple(sorted({*self.training, *self.embargo, *self.calibration, *self.newest, self.test}))


class LackingCutoffs(WorkspaceError):
    """Features were not built for all cutoffs; `builds` are the (first, last, step) that would."""

    def __init__(self, lacking: int, windows: Windows) -> None:
        self.builds = grids(windows.cutoffs)
        super().__init__(
            f"lack {lacking} of the {len(windows.cutoffs)} cutoffs from {_date(windows.cutoffs[0])} to"
            f" {_date(windows.test)} that training with test cutoff {_date(windows.test)} needs"
        )


def latest(last: int, horizon: int) -> int:
    """The latest midnight whose horizon a log covers that ends at instant `last`.

    A log that ends on a midnight holds dates, and its last day is over.
    """
    covered = last + DAY if last % DAY == 0 else last
    return (covered - horizon) // DAY * DAY


def require(windows: Windows, built: Collection[int]) -> None:
    """Raises LackingCutoffs where a cutoff was not built."""
    lacking = len(set(windows.cutoffs) - set(built))
    if lacking:
        raise LackingCutoffs(lacking, windows)


def grids(cutoffs: Collection[int]) -> list[tuple[int, int, int]]:
    """(first, last, step): few evenly spaced rows of instants that hold all cutoffs, and some more in their gaps."""
    by_phase: dict[int, list[int]] = {}
    for cutoff in sorted(cutoffs):
        by_phase.setdefault(cutoff % STEP, []).append(cutoff)
    if len(by_phase) > 3:
        return [(min(cutoffs), max(cutoffs), DAY)]
    return [(row[0], row[-1], STEP) for row in by_phase.values()]


def plan(first: int, last: int, horizon: int, test: int | None = None, option: str = "churn.horizon_days") -> Windows:
    """Windows for a log that runs from instant `first` to `last`.

    The test cutoff defaults to the latest midnight whose horizon the log covers. Where the log is short, calibration
    shrinks to fewer cutoffs, then training to fewer and denser ones. Raises WorkspaceError, naming the longest horizon
    that would fit, where that fails too.
    """
    newest = latest(last, horizon)
    test = newest if test is None else test
    if test + horizon > (last // DAY + 1) * DAY:
        raise WorkspaceError(
            f"the test cutoff {_date(test)} is too late: the log ends on {_date(last)}, before the"
            f" {horizon // DAY} days after that cutoff are over; use {_date(newest)} or earlier"
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
