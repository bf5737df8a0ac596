"""A play's decisions in the columns that history keeps of them (features/decision_log.py)."""

import numpy as np
import pyarrow as pa

from features.decision_log import CELL, DECISIONS
from features.interactions import CHANNELS, INSTANT
from features.simulate.actions import ACTION_OF, ACTIONS, CHANNEL_OF
from features.simulate.log import customer_ids, decision_ids
from features.simulate.outcome import Day
from features.simulate.policy import SILENCE

#: Decisions are made in the morning, an hour before the first contact.
_HOUR = 9 * 3600 * 1_000_000
_ACTIONS = pa.array([action.name for action in ACTIONS])
_CHANNELS = pa.array(CHANNELS)


def decisions(day: Day, policy: str) -> pa.Table:
    """One day's, with the whole distribution where the policy says it.

    Columns that the market knows nothing of are null. No ghosts, no arms: what was drawn was done.
    """
    rows = day.considered
    n, made = len(rows), day.made[rows]
    silent = made == SILENCE
    at = day.view.at + _HOUR
    columns = {
        "decision_id": decision_ids(rows, np.full(n, day.view.day)),
        "decided_at": pa.array(np.full(n, at)).cast(INSTANT),
        "customer_id": customer_ids(rows),
        "judged_customer": customer_ids(rows),
        "direction": pa.array(["outbound"]).take(pa.array(np.zeros(n, np.int64))),
        "action": _ACTIONS.take(pa.array(ACTION_OF[made], mask=silent)),
        "treatment_channel": _CHANNELS.take(pa.array(CHANNEL_OF[made], mask=silent)),
        "arm": pa.array(["treated"]).take(pa.array(np.zeros(n, np.int64))),
        "policy_version": pa.array([policy]).take(pa.array(np.zeros(n, np.int64))),
        "slots": pa.array(np.ones(n, np.int32)),
        "probability": pa.array(day.choice.probability[rows].astype(np.float64)),
        "distribution": _cells(day.choice.distribution[rows]) if day.choice.distribution is not None else None,
    }
    filled = [columns.get(field.name) for field in DECISIONS]
    return pa.table(
        [
            pa.nulls(n, field.type) if column is None else column
            for field, column in zip(DECISIONS, filled, strict=True)
        ],
        schema=DECISIONS,
    )


def _cells(distribution: np.ndarray) -> pa.Array:
    """Lists of the cells with any probability."""
    row, cell = np.nonzero(distribution)
    silent = cell == distribution.shape[1] - 1
    treatment = np.where(silent, 0, cell)
    told = pa.StructArray.from_arrays(
        [
            _ACTIONS.take(pa.array(ACTION_OF[treatment], mask=silent)),
            _CHANNELS.take(pa.array(CHANNEL_OF[treatment], mask=silent)),
            pa.array(np.zeros(len(cell), bool)),
            pa.array(distribution[row, cell].astype(np.float64)),
        ],
        fields=list(CELL),
    )
    edges = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(distribution)))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(edges), told)
