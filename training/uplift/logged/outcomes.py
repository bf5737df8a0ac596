"""What came of decisions: goals and money in the response window, read alike whether something was made or nothing.

Outcomes are goal interactions of the person, never clicks and never what carries a decision's id: those exist only
where something was made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.clock import DAY
from features.history import History
from features.sensitive import on_sensitive, sensitive_topics
from features.workspace import Settings
from serving.decisions.policy import Action
from training.labels import micros
from training.uplift.logged.decisions import FOREVER, Decisions

#: Of an action that is not in actions.yaml any more.
WINDOW = 7 * DAY


class Goal(NamedTuple):
    """What counts for an action: interactions of these types within `window` microseconds."""

    types: tuple[str, ...]
    window: int


def goal(action: Action | None, settings: Settings) -> Goal:
    """The action's objective where it names one of the workspace's goals, else all of these; its response window."""
    if action is None:
        return Goal(tuple(settings.goal), WINDOW)
    types = (action.objective,) if action.objective in settings.goal else tuple(settings.goal)
    return Goal(tuple(str(each) for each in types), action.response)


@dataclass(frozen=True)
class Outcome:
    """float64[n]: whether the person reached the goal (0 or 1), and the money that came in, in [at, at + window).

    `known` bool[n]: the window was over when history ends.
    """

    reached: np.ndarray
    money: np.ndarray
    known: np.ndarray


class Events:
    """Goal interactions of persons, in order of person and time."""

    def __init__(self, history: History, decisions: Decisions, settings: Settings) -> None:
        table = history.interactions(["customer_id", "occurred_at", "type", "value", "topic"])
        table = table.filter(pc.is_in(table["type"], pa.array(settings.goal, pa.string())))
        table = table.filter(pa.array(~on_sensitive(table["topic"], sensitive_topics(settings))))
        place = pd.Index(decisions.persons.ids).get_indexer(pd.Index(table["customer_id"].to_pylist()))
        person, at = decisions.persons.at(FOREVER)[place], micros(table["occurred_at"])
        order = np.lexsort((at, person))
        self._person, self._at = person[order], at[order]
        self._type = np.array(table["type"].to_pylist(), object)[order]
        self._value = np.nan_to_num(table["value"].to_numpy())[order]

    def outcome(self, decisions: Decisions, of: Goal) -> Outcome:
        """Of every decision, by one goal."""
        mine = np.isin(self._type, of.types)
        person, at, value = self._person[mine], self._at[mine], self._value[mine]
        end = decisions.at + of.window
        ranks = np.unique(np.concatenate([at, decisions.at, end]))
        keys = person * (len(ranks) + 1) + np.searchsorted(ranks, at)
        own = decisions.person * (len(ranks) + 1)
        low, high = (np.searchsorted(keys, own + np.searchsorted(ranks, each)) for each in (decisions.at, end))
        sums = np.concatenate([[0.0], np.cumsum(value)])
        return Outcome((high > low).astype(np.float64), sums[high] - sums[low], end <= decisions.known_until)


def outcomes(events: Events, decisions: Decisions, goals: Mapping[str, Goal]) -> dict[Goal, Outcome]:
    """By goal, each worked out once for all actions that share it."""
    return {one: events.outcome(decisions, one) for one in dict.fromkeys(goals.values())}
