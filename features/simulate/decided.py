"""A play's decisions in the columns that history keeps of them (features/decision_log.py)."""

import numpy as np
import pyarrow as pa

from features.decision_log import CANDIDATE, CELL, DECISIONS
from features.interactions import CHANNELS, INSTANT
from features.simulate.actions import ACTION_OF, ACTIONS, CHANNEL_OF, TREATMENTS
from features.simulate.holding import SELLS
from features.simulate.log import customer_ids, decision_ids
from features.simulate.outcome import Day
from features.simulate.policy import PLAYS, QUIET, SILENCE, Choice

#: Decisions are made in the morning, an hour before the first contact.
_HOUR = 9 * 3600 * 1_000_000
_ACTIONS = pa.array([action.name for action in ACTIONS])
_CHANNELS = pa.array(CHANNELS)
#: What becomes of a treatment: drawn and made, drawn and withheld, not drawn, the customer opted out of its channel, is
#: held out from what sells, or lives in the arm of an experiment in which nothing is sold.
_STAGES = pa.array(["chosen", "withheld", "arbitration", "guard", "holdout", "experiment"])
_CHOSEN, _WITHHELD, _OTHER, _GUARD, _HELD, _QUIET = range(6)
_ARMS = pa.array(PLAYS)
_OPT_OUT = "opt-out"


def decisions(day: Day, policy: str) -> pa.Table:
    """One day's, with the whole distribution where the policy says it, and every treatment as a candidate.

    Columns that the market knows nothing of are null. Arms are the holdout alone: else what was drawn was done, but for
    ghosts.
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
        "arm": pa.array(np.where(_held(day), "holdout", "treated")),
        "policy_version": _all(n, policy),
        "experiment": None if day.choice.experiment is None else _ARMS.take(_arms(day)),
        "cap_level": None if day.choice.level is None else pa.array(day.choice.level[rows].astype(np.float64)),
        "slots": pa.array(np.ones(n, np.int32)),
    }
    if day.choice.distribution is None:
        columns["probability"] = pa.array(day.choice.probability[rows].astype(np.float64))
    else:
        chances = _chances(day.choice, rows)
        drawn = np.where(real, made % chances.shape[1], len(TREATMENTS) + ghost)
        columns["probability"] = pa.array(chances[np.arange(n), drawn])
        columns["distribution"] = _cells(chances)
        if day.choice.intended is not None:
            columns["intended"] = _cells(_chances(day.choice.intended, rows), _held(day) | _quiet(day))
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


def _held(day: Day) -> np.ndarray:
    """bool[k]: which customers considered are held out."""
    rows = day.considered
    return np.zeros(len(rows), bool) if day.choice.held is None else day.choice.held[rows]


def _arms(day: Day) -> pa.Array:
    """The arm of each customer considered, as a position in PLAYS; null for none."""
    assert day.choice.experiment is not None
    arm = day.choice.experiment[day.considered]
    return pa.array(arm, mask=arm < 0)


def _quiet(day: Day) -> np.ndarray:
    """bool[k]: which customers considered are in the arm in which nothing is sold."""
    rows = day.considered
    return np.zeros(len(rows), bool) if day.choice.experiment is None else day.choice.experiment[rows] == QUIET


def _chances(choice: Choice, rows: np.ndarray) -> np.ndarray:
    """float64[k, 2 treatments + 1]: of every treatment made, of every one withheld, of silence without any."""
    assert choice.distribution is not None
    made = choice.distribution[rows].astype(np.float64)
    held = np.zeros((len(rows), len(TREATMENTS)))
    if choice.ghosts is not None:
        held += choice.ghosts[rows]
    silence = np.maximum(made[:, -1:] - held.sum(axis=1, keepdims=True), 0.0)
    silence[silence < 1e-7] = 0.0  # what float32 leaves of a difference
    chances = np.hstack([made[:, :-1], held, silence])
    return chances / chances.sum(axis=1, keepdims=True)


def _cells(chances: np.ndarray, told: np.ndarray | None = None) -> pa.Array:
    """Lists of the cells with any probability; null where `told` bool[k] is False."""
    row, cell = np.nonzero(chances if told is None else chances * told[:, None])
    silent, treatment = cell == chances.shape[1] - 1, cell % len(TREATMENTS)
    cells = pa.StructArray.from_arrays(
        [
            _ACTIONS.take(pa.array(ACTION_OF[treatment], mask=silent)),
            _CHANNELS.take(pa.array(CHANNEL_OF[treatment], mask=silent)),
            pa.array((cell >= len(TREATMENTS)) & ~silent),
            pa.array(chances[row, cell]),
        ],
        fields=list(CELL),
    )
    edges = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(chances)))]).astype(np.int32)
    mask = None if told is None else pa.array(~told)
    return pa.ListArray.from_arrays(pa.array(edges), cells, mask=mask)


def _candidates(day: Day, made: np.ndarray, ghost: np.ndarray, chances: np.ndarray) -> pa.Array:
    """Every treatment of every customer considered; what it was worth, nobody worked out."""
    n, count = len(made), len(TREATMENTS)
    stage = np.where(day.view.reachable[day.considered], _OTHER, _GUARD)
    for kept, what in ((_held(day), _HELD), (_quiet(day), _QUIET)):
        stage[kept[:, None] & SELLS & (stage == _OTHER)] = what
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
