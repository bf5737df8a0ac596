"""Whom to leave alone this week: those for whom one more contact costs more than it brings, or who are full already."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from features.clock import DAY
from training.fatigue.harm import Pressure
from training.reports.pressure import words
from training.reports.pressure.artefact import Alone, Reason
from training.reports.pressure.causal import Learned, worth_of_one_more
from training.reports.pressure.log import Log
from training.reports.pressure.response import standing

#: Reasons, the first that holds is said.
COSTS_MORE = "one more contact is expected to cost more than it brings, on every channel"
FULL = "already under as much contact pressure as the policy calls tolerable"
#: The list beside the figures, for the console to look up.
COLUMNS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("reason", pa.string()),
        ("pressure", pa.float64()),
        ("contacts_7_days", pa.int64()),
        ("contacts_28_days", pa.int64()),
        ("worth_of_one_more", pa.float64()),
    ]
)


def alone(log: Log, weighed: Pressure, learned: Learned | None, margin: float) -> tuple[Alone, pa.Table]:
    """The figures, and who they are: those under most pressure first."""
    who = log.active[~_gone(log)]
    pressure = standing(log, weighed, who, np.full(len(who), log.until, np.int64))
    full = pressure >= 1.0
    if learned is None:
        worth, reason = np.full(len(who), np.nan), np.where(full, FULL, "")
    else:
        worth = _best(log, learned, who, pressure, margin)
        reason = np.where(worth < 0, COSTS_MORE, np.where(full, FULL, ""))
    left = reason != ""
    counts = Counter(reason[left].tolist())
    reasons = [Reason(name=name, customers=counts[name]) for name in (COSTS_MORE, FULL) if counts[name]]
    found = Alone(
        by="policy" if learned is None else "learned",
        customers=int(left.sum()),
        of=len(who),
        reasons=reasons,
        sentence="",
    )
    columns = {
        "customer_id": pa.array(log.ids[who[left]], pa.string()),
        "reason": pa.array(reason[left].tolist(), pa.string()),
        "pressure": pa.array(pressure[left]),
        **_recent(log, who[left]),
        "worth_of_one_more": pa.array(worth[left], from_pandas=True),
    }
    table = pa.table(columns, schema=COLUMNS).sort_by([("pressure", "descending"), ("customer_id", "ascending")])
    return found.model_copy(update={"sentence": words.alone(found, bool(len(log.who)))}), table


def _gone(log: Log) -> np.ndarray:
    """bool[active]: who opted out of every channel that anybody was ever contacted on; they are left alone for good."""
    used = {log.channels[c] for c in np.unique(log.channel).tolist()}
    said: dict[int, set[str]] = {}
    for person, channel in log.opted_out:
        said.setdefault(person, set()).add(channel)
    return np.array([bool(used) and used <= said.get(int(person), set()) for person in log.active], bool)


def _best(log: Log, learned: Learned, who: np.ndarray, pressure: np.ndarray, margin: float) -> np.ndarray:
    """float64[n]: what one more contact would earn on the best channel that the customer did not opt out of."""
    worth = worth_of_one_more(learned, who, pressure, margin)
    channels = learned.fitted.harm.pressure.channels
    place = {int(person): row for row, person in enumerate(who)}
    for person, channel in log.opted_out:
        if person in place and channel in channels:
            worth[place[person], channels.index(channel)] = -np.inf
    best = worth.max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(best), best, np.nan)


def _recent(log: Log, who: np.ndarray) -> Mapping[str, pa.Array]:
    found = {}
    for days in (7, 28):
        rows = (log.at >= log.until - days * DAY) & (log.at < log.until)
        found[f"contacts_{days}_days"] = pa.array(np.bincount(log.who[rows], minlength=len(log.ids))[who])
    return found
