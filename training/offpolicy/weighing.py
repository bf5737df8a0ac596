"""Logged decisions and what another policy would have drawn, as arrays for the estimators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from training.offpolicy import outcomes
from training.offpolicy.estimators import Estimate, by_cluster, estimate, played
from training.offpolicy.feedback import Feedback
from training.offpolicy.logbook import Logbook
from training.offpolicy.rejudging import Cell, Rejudged, Treatment, cells, made

#: Features that say next to nothing are left out: below this many different rows.
_LEAST_VARIED = 20


@dataclass(frozen=True)
class Change:
    """An outcome a row: as played, under the other policy, and the difference, each with an interval's terms."""

    before: Estimate
    after: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Weighed:
    """Rows [n] of a log that both policies can be told of, choices [k]: silence first, then `treatments`.

    `follows` float[n]: how much likelier the very cell drawn is under the other policy. A ghost is silence to the
    customer, but not to what may be decided later.
    """

    log: Logbook
    rows: np.ndarray
    treatments: Sequence[Treatment]
    logging: np.ndarray
    target: np.ndarray
    action: np.ndarray
    follows: np.ndarray

    def at_rows(self, chosen: np.ndarray) -> "Weighed":
        """Some of the rows."""
        tables = (each[chosen] for each in (self.logging, self.target, self.action, self.follows))
        return Weighed(self.log, self.rows[chosen], self.treatments, *tables)

    @cached_property
    def who(self) -> np.ndarray:
        return self.log.who[self.rows]

    @cached_property
    def at(self) -> np.ndarray:
        return self.log.at[self.rows]

    @cached_property
    def inputs(self) -> np.ndarray:
        """float[n, d]: what outcomes are predicted from: the features, as logged, that vary at all."""
        told = [self.log.documents[row].get("features") or [] for row in self.rows.tolist()]
        widths = {len(each) for each in told}
        if len(widths) != 1:
            return np.zeros((len(told), 1))
        table = np.array([[np.nan if value is None else value for value in each] for each in told], float)
        varied = [n for n in range(table.shape[1]) if _counts(table[:, n])]
        return table[:, varied] if varied else np.zeros((len(told), 1))

    def feedback(self, reward: np.ndarray, path: np.ndarray | None = None) -> Feedback:
        return Feedback(self.logging, self.target, self.action, reward, path=path, cluster=self.who)

    def paths(self, memory: int) -> np.ndarray:
        """float[n]: how much likelier the other policy was to have led here, as far as the last `memory` counts.

        The product of the weights of the person's earlier decisions in (at - memory, at).
        """
        weight = self.follows
        never = weight <= 0
        logs = np.concatenate([[0.0], np.cumsum(np.log(np.where(never, 1.0, weight)))])
        zeros = np.concatenate([[0], np.cumsum(never)])
        here, first = np.arange(len(weight)), self._reach(memory)
        return np.where(zeros[here] > zeros[first], 0.0, np.exp(logs[here] - logs[first]))

    def _reach(self, memory: int) -> np.ndarray:
        """int[n]: the first row of the same person in (at - memory, at]."""
        if not len(self.who):
            return np.zeros(0, np.int64)
        _, number = np.unique(self.who, return_inverse=True)
        keys = number * (int(np.ptp(self.at)) + memory + 2) + (self.at - self.at.min())
        return np.maximum(np.searchsorted(keys, keys - memory, side="right"), np.searchsorted(number, number))

    def ends(self, memory: int) -> tuple["Weighed", np.ndarray]:
        """The last slots of decisions, and how much likelier the other policy was to get there (see `paths`)."""
        last = self.log.last[self.rows]
        return self.at_rows(last), self.paths(memory)[last]

    def change(self, reward: np.ndarray, path: np.ndarray | None = None) -> Change:
        """Doubly robust, and of what differs alone: where both policies draw alike, the log itself is the answer.

        With a `path`, states count by how much likelier the other policy was to lead to them: per-decision importance
        sampling (Precup, Sutton and Singh, ICML 2000) with a finite memory, the paths' weights made to average 1.
        """
        whole, same = self._both(reward)
        after, plain = (estimate(each, "doubly_robust").terms for each in (whole, same))
        if path is not None:
            share = path / path.mean()
            value = float((share * after).mean())
            after = value + share * (after - value)
        before, gap = played(replace(same, cluster=self.who)), by_cluster(after - plain, self.who)
        return Change(before, Estimate("doubly_robust", before.terms + gap), Estimate("doubly_robust", gap))

    def _both(self, reward: np.ndarray) -> tuple[Feedback, Feedback]:
        """For the other policy, and for the one that was played, with the same predictions."""
        found = np.zeros_like(self.logging)
        if reward.any():
            found = outcomes.predicted(self.inputs, self.action, reward, len(self.treatments) + 1, cluster=self.who)
        whole = Feedback(self.logging, self.target, self.action, reward, found)
        return whole, replace(whole, target=self.logging)


def weighed(log: Logbook, judged: Sequence[Rejudged]) -> Weighed:
    """Decisions that could be judged again."""
    rows = np.array([row for row, each in enumerate(judged) if each.unknown is None], np.int64)
    then = {row: cells(log.documents[row]["distribution"]) for row in rows.tolist()}
    both = [(made(then[row]), made(judged[row].cells)) for row in rows.tolist()]
    treatments = sorted({key for pair in both for each in pair for key in each})
    place = {key: n for n, key in enumerate(treatments, start=1)}
    logging, target = (np.zeros((len(rows), len(treatments) + 1)) for _ in range(2))
    action, follows = np.zeros(len(rows), np.int64), np.zeros(len(rows))
    for n, row in enumerate(rows.tolist()):
        for table, chances in zip((logging, target), both[n], strict=True):
            for key, chance in chances.items():
                table[n, place[key]] = chance
        drawn = _drawn(log.documents[row])
        if drawn[0] is not None and not drawn[2]:
            action[n] = place[drawn[0], str(drawn[1])]
        follows[n] = judged[row].cells.get(drawn, 0.0) / then[row][drawn]
    for table in (logging, target):
        rest = 1.0 - table[:, 1:].sum(1)
        table[:, 0] = np.where(rest < 1e-9, 0.0, rest)  # what rounding leaves is no chance of silence
        table /= table.sum(1, keepdims=True)
    return Weighed(log, rows, treatments, logging, target, action, follows)


def _drawn(document: Mapping[str, Any]) -> Cell:
    if document["ghost"] is not None:
        return document["ghost"], document["ghost_channel"], True
    return document["action"], document["treatment_channel"], False


def _counts(column: np.ndarray) -> bool:
    known = column[np.isfinite(column)]
    return len(known) > 0 and int((known != known[0]).sum()) >= _LEAST_VARIED
