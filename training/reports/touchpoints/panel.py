"""Rows to compare: customers at instants, what they had in the weeks before, and what came of it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.clock import DAY
from features.hashing import hash_strings
from features.interactions import SURVEY
from features.workspace import Settings
from training.reports.touchpoints.artefact import Outcome
from training.reports.touchpoints.trail import Touchpoint, Trail

#: A touchpoint counts for what comes within these weeks of it.
EXPOSURE = 28 * DAY
CUTOFFS = 12
#: More rows than these are thinned by drawing customers.
MOST_ROWS = 40_000
FEWEST_RATINGS = 100


@dataclass(frozen=True)
class Came:
    """What came of each row of a panel: y float64[n], and in words what that is."""

    outcome: Outcome
    y: np.ndarray
    words: str


@dataclass(frozen=True)
class Panel:
    """Row i is customer[i] at at[i] (microseconds); exposure is the time before.

    `until` int64[n] is when outcomes were known: what comes after it cannot have caused them.
    """

    customer: np.ndarray
    at: np.ndarray
    until: np.ndarray
    outcomes: tuple[Came, ...]

    def __len__(self) -> int:
        return len(self.at)

    @property
    def name(self) -> str:
        """By its outcomes."""
        return "_".join(came.outcome for came in self.outcomes)

    def exposed(self, trail: Trail, touchpoint: Touchpoint) -> np.ndarray:
        """bool[n]: had the touchpoint in the weeks before."""
        return trail.within(trail.rows(touchpoint.codes), self.customer, self.at - EXPOSURE, self.at)

    def after(self, trail: Trail, touchpoint: Touchpoint) -> np.ndarray:
        """bool[n]: has the touchpoint in the weeks after the outcome."""
        return trail.within(trail.rows(touchpoint.codes), self.customer, self.until, self.until + EXPOSURE)

    def looked_past(self, trail: Trail) -> np.ndarray:
        """bool[n]: the weeks after the outcome are known."""
        return self.until + EXPOSURE <= trail.known_until


def satisfaction(trail: Trail) -> Panel | None:
    """What customers said: of the relationship in surveys, or where nobody is asked, of anything they rated."""
    rated = ~np.isnan(trail.satisfaction)
    asked = rated & trail.of_types({SURVEY})
    surveys = int(asked.sum()) >= FEWEST_RATINGS
    rows = np.flatnonzero((asked if surveys else rated) & (trail.at >= trail.base + 2 * EXPOSURE))
    if len(rows) < FEWEST_RATINGS:
        return None
    words = "satisfaction that customers state in surveys" if surveys else "satisfaction with anything that is rated"
    rows = _thinned(trail, rows, trail.customer[rows])
    at = trail.at[rows]
    said = Came("satisfaction", trail.satisfaction[rows], words)
    return Panel(trail.customer[rows], at, at + 1_000, (said,))


def later(trail: Trail, settings: Settings) -> Panel | None:
    """Churn and value after cut-offs, of customers who were active when the weeks before began."""
    churn = settings.churn
    horizon = churn.horizon_days * DAY
    instants = cutoffs(trail.base + 2 * EXPOSURE, trail.known_until - horizon)
    if not instants:
        return None
    alive, everyone = trail.of_types(churn.qualifying), np.arange(len(trail.names))
    customer, at = np.tile(everyone, len(instants)), np.repeat(instants, len(everyone))
    begin = at - EXPOSURE
    active = np.flatnonzero(trail.within(alive, customer, begin - churn.active_days * DAY, begin))
    rows = _thinned(trail, active, customer[active])
    if not len(rows):
        return None
    customer, at = customer[rows], at[rows]
    left = np.zeros(len(at), bool)
    if churn.silence:
        left |= ~trail.within(alive, customer, at, at + horizon)
    if churn.event is not None:
        left |= trail.within(trail.of_types({churn.event}), customer, at, at + horizon)
    goal = trail.of_types(settings.goal)
    first, end = trail.span(goal, customer, at, at + horizon)
    money = np.append(np.nan_to_num(trail.value[goal]), 0.0)
    said = f"within {churn.horizon_days} days"
    # each by itself: as differences of one long sum, the last bits would hang on what others bought since
    spent = np.where(end > first, np.add.reduceat(money, np.column_stack([first, end]).ravel())[::2], 0.0)
    return Panel(
        customer,
        at,
        at + horizon,
        (
            Came("churn", left.astype(float), f"share of customers who leave {said}"),
            Came("value", spent, f"{settings.currency} that a customer spends {said}"),
        ),
    )


def cutoffs(first: int, last: int) -> list[int]:
    """The newest instants between two, four weeks apart, which stay where they are as days go by.

    They count from the first; in a log so long that this does not matter, whose first days may be deleted, from 1970.
    """
    if last - first >= CUTOFFS * EXPOSURE:
        first += -first % EXPOSURE
    return list(range(first, last + 1, EXPOSURE))[-CUTOFFS:]


def _thinned(trail: Trail, rows: np.ndarray, customer: np.ndarray) -> np.ndarray:
    """All rows of as many customers as there is room for: of the first by the hash of their ids, whoever else comes."""
    if len(rows) <= MOST_ROWS:
        return rows
    who, count = np.unique(customer, return_counts=True)
    order = np.argsort(hash_strings(pa.chunked_array([pa.array(trail.names[who], pa.string())])))
    kept = who[order[np.cumsum(count[order]) <= MOST_ROWS]]
    return np.asarray(rows[np.isin(customer, kept)])
