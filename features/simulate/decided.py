"""A play's decisions in the columns that history keeps of them (features/decision_log.py)."""

import numpy as np
import pyarrow as pa

from features.decision_log import CANDIDATE, CELL, DECISIONS
from features.interactions import CHANNELS, INSTANT
from features.simulate.actions import ACTION_OF, ACTIONS, CHANNEL_OF, TREATMENTS
from features.simulate.log import customer_ids, decision_ids
from features.simulate.outcome import Day
from features.simulate.policy import SILENCE

#: Decisions are made in the morning, an hour before the first contact.
_HOUR = 9 * 3600 * 1_000_000
_ACTIONS = pa.array([action.name for action in ACTIONS])
_CHANNELS = pa.array(CHANNELS)
#: What becomes of a treatment: drawn and made, drawn and withheld, not drawn, or the customer opted out of its channel.
_STAGES = pa.array(["chosen", "withheld", "arbitration", "guard"])
_CHOSEN, _WITHHELD, _OTHER, _GUARD = range(4)
_OPT_OUT = "opt-out"


def decisions(day: Day, policy: str) -> pa.Table:
    """One day's, with the whole distribution where the policy says it, and every treatment as a candidate.

    Columns that the market knows nothing of are null. No arms: what was drawn was done, but for ghosts.
    """
    rows = day.considered
    n, made, ghost = len(rows), day.made[rows], _ghosts(day)
    silent, real = made == SILENCE, ghost == SILENCE
    columns = {
        "decision_id": decision_ids(rows, np.full(n, day.view.day)),
        "decided_at": pa.array(np.full(n, day.view.at + _HOUR)).cast(INSTANT),
        "customer_id": customer_ids(rows),
        "judged_customer": customer_ids(rows),
        "direction": _all(n, "outbound"),
        "action": _ACTIONS.take(pa.array(ACTION_OF[made], mask=silent)),
        "treatment_channel": _CHANNELS.take(pa.array(CHANNEL_OF[made], mask=silent)),
        "ghost": _ACTIONS.take(pa.array(ACTION_OF[ghost], mask=real)),
        "ghost_channel": _CHANNELS.take(pa.array(CHANNEL_OF[ghost], mask=real)),
        "arm": _all(n, "treated"),
        "policy_version": _all(n, policy),
        "cap_level": None if day.choice.level is None else pa.array(day.choice.level[rows].astype(np.float64)),
        "slots": pa.array(np.ones(n, np.int32)),
    }
    if day.choice.distribution is None:
        columns["probability"] = pa.array(day.choice.probability[rows].astype(np.float64))
    else:
        chances = _chances(day)
        drawn = np.where(real, made % chances.shape[1], len(TREATMENTS) + ghost)
        columns["probability"] = pa.array(chances[np.arange(n), drawn])
        columns["distribution"] = _cells(chances)
        columns["candidates"] = _candidates(day, made, ghost, chances)
    filled = [columns.get(field.name) for field in DECISIONS]
    return pa.table(
        [
            pa.nulls(n, field.type) if column is None else column
            for field, column in zip(DECISIONS, filled, strict=True)
        ],
        schema=DECISIONS,
    )


def _ghosts(day: Day) -> np.ndarray:
    """int16[k]: what was drawn for each customer considered, and withheld."""
    rows = day.considered
    return np.full(len(rows), SILENCE, np.int16) if day.choice.ghost is None else day.choice.ghost[rows]


def _chances(day: Day) -> np.ndarray:
    """float64[k, 2 treatments + 1]: of every treatment made, of every one withheld, of silence without any."""
    rows, choice = day.considered, day.choice
    assert choice.distribution is not None
    made = choice.distribution[rows].astype(np.float64)
    held = np.zeros((len(rows), len(TREATMENTS)))
    if choice.ghosts is not None:
        held += choice.ghosts[rows]
    silence = np.maximum(made[:, -1:] - held.sum(axis=1, keepdims=True), 0.0)
    silence[silence < 1e-7] = 0.0  # what float32 leaves of a difference
    chances = np.hstack([made[:, :-1], held, silence])
    return chances / chances.sum(axis=1, keepdims=True)


def _cells(chances: np.ndarray) -> pa.Array:
    """Lists of the cells with any probability."""
    row, cell = np.nonzero(chances)
    silent, treatment = cell == chances.shape[1] - 1, cell % len(TREATMENTS)
    told = pa.StructArray.from_arrays(
        [
            _ACTIONS.take(pa.array(ACTION_OF[treatment], mask=silent)),
            _CHANNELS.take(pa.array(CHANNEL_OF[treatment], mask=silent)),
            pa.array((cell >= len(TREATMENTS)) & ~silent),
            pa.array(chances[row, cell]),
        ],
        fields=list(CELL),
    )
    edges = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(chances)))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(edges), told)


def _candidates(day: Day, made: np.ndarray, ghost: np.ndarray, chances: np.ndarray) -> pa.Array:
    """Every treatment of every customer considered; what it was worth, nobody worked out."""
    n, count = len(made), len(TREATMENTS)
    stage = np.where(day.view.reachable[day.considered], _OTHER, _GUARD)
    for drawn, what in ((made, _CHOSEN), (ghost, _WITHHELD)):
        there = np.flatnonzero(drawn != SILENCE)
        stage[there, drawn[there]] = what
    refused = (stage == _GUARD).ravel()
    edges = np.concatenate([[0], np.cumsum(refused)]).astype(np.int32)
    told = {
        "action": _ACTIONS.take(pa.array(np.tile(ACTION_OF, n))),
        "channel": _CHANNELS.take(pa.array(np.tile(CHANNEL_OF, n))),
        "stage": _STAGES.take(pa.array(stage.ravel())),
        "rules": pa.ListArray.from_arrays(pa.array(edges), _all(int(refused.sum()), _OPT_OUT)),
        "probability": pa.array(chances[:, :count].ravel()),
    }
    fields = [told.get(field.name, pa.nulls(n * count, field.type)) for field in CANDIDATE]
    lists = pa.array(np.arange(0, n * count + 1, count, dtype=np.int32))
    return pa.ListArray.from_arrays(lists, pa.StructArray.from_arrays(fields, fields=list(CANDIDATE)))


def _all(n: int, word: str) -> pa.Array:
    return pa.repeat(pa.scalar(word), n)
