"""Logged decisions and what another policy would have drawn, as arrays for the estimators."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from training.offpolicy import outcomes
from training.offpolicy.estimators import Estimate, by_cluster, estimate, played, support_by_cluster
from training.offpolicy.feedback import Feedback
from training.offpolicy.logbook import Logbook
from training.offpolicy.moments import ranked
from training.offpolicy.rejudging import Treatment

#: Features that say next to nothing are left out: below this many different rows.
_LEAST_VARIED = 20


@dataclass(frozen=True)
class Change:
    """An outcome a row: as played, under the other policy, and the difference, each with an interval's terms."""

    before: Estimate
    after: Estimate
    difference: Estimate


@dataclass(frozen=True)
class Path:
    """What led to each of n rows: the person's earlier draws in (at - memory, at), slots of the same decision included.

    `weight` float[n]: how much likelier the other policy was to have led here. `square` float[n]: the square to be
    expected of the weight up to and with the row's own draw, from the probabilities at the states that were met: it
    counts heavy paths that happened not to be drawn, which the weights themselves cannot. `begin` int[n]: of
    the same rows the one at whose decision the path begins, where both policies are yet the same. `opening`
    float[n, k]: what the other policy would draw the path's first slot from.
    """

    weight: np.ndarray
    square: np.ndarray
    begin: np.ndarray
    opening: np.ndarray

    @property
    def effective(self) -> float:
        """How many rows drawn by the other policy itself would tell as much, as the probabilities have it."""
        return len(self.square) / float(self.square.mean()) if len(self.square) else 0.0


@dataclass(frozen=True)
class Weighed:
    """Rows [n] of a log that both policies can be told of, choices [k]: silence first, then `treatments`.

    `follows` float[n]: how much likelier the very cell drawn is under the other policy. A ghost is silence to the
    customer, but not to what may be decided later. `square` float[n]: the mean of the square of `follows` over all
    cells that could have been drawn.
    """

    log: Logbook
    rows: np.ndarray
    treatments: Sequence[Treatment]
    logging: np.ndarray
    target: np.ndarray
    action: np.ndarray
    follows: np.ndarray
    square: np.ndarray

    def at_rows(self, chosen: np.ndarray) -> "Weighed":
        """Some of the rows."""
        told = (self.logging, self.target, self.action, self.follows, self.square)
        tables = (each[chosen] for each in told)
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
        widths = np.unique(self.log.widths[self.rows])
        table = self.log.features[:, : int(widths[0])] if len(widths) == 1 else self.log.features[:, :0]
        varied = [n for n in range(table.shape[1]) if _counts(table[self.rows, n])]
        return table[np.ix_(self.rows, np.array(varied))] if varied else np.zeros((len(self.rows), 1))

    def feedback(self, reward: np.ndarray, path: np.ndarray | None = None) -> Feedback:
        return Feedback(self.logging, self.target, self.action, reward, path=path, cluster=self.who)

    def paths(self, memory: int) -> np.ndarray:
        """float[n]: how much likelier the other policy was to have led here, as far as the last `memory` counts.

        The product of the weights of the person's earlier decisions in (at - memory, at).
        """
        return self._product(self.follows, self._reach(memory))

    def _product(self, each: np.ndarray, first: np.ndarray) -> np.ndarray:
        """float[n]: of [n] values >= 0 the product over rows from `first` on, without the row itself."""
        never = each <= 0
        logs = np.concatenate([[0.0], np.cumsum(np.log(np.where(never, 1.0, each)))])
        zeros = np.concatenate([[0], np.cumsum(never)])
        here = np.arange(len(each))
        return np.where(zeros[here] > zeros[first], 0.0, np.exp(logs[here] - logs[first]))

    def _reach(self, memory: int) -> np.ndarray:
        """int[n]: the first row of the same person in (at - memory, at]."""
        if not len(self.who):
            return np.zeros(0, np.int64)
        keys, before = ranked((self.who, self.at), (self.who, self.at - memory))
        return np.searchsorted(keys, before, side="right")

    def ends(self, memory: int) -> tuple["Weighed", Path]:
        """The last slots of decisions, and what led to them."""
        last = self.log.last[self.rows]
        first = self._reach(memory)[last]
        square = (self._product(self.square, self._reach(memory)) * self.square)[last]
        begin = np.searchsorted(np.flatnonzero(last), first)
        return self.at_rows(last), Path(self.paths(memory)[last], square, begin, self.target[first])

    def change(self, reward: np.ndarray, path: Path | None = None, one: float = np.inf) -> Change:
        """Doubly robust, and of what differs alone: where both policies draw alike, the log itself is the answer.

        With a `path`, states count by how much likelier the other policy was to lead to them: per-decision importance
        sampling (Precup, Sutton and Singh, ICML 2000) with a finite memory, the paths' weights made to average 1. What
        is predicted where a path begins needs no weighing, as nothing was drawn yet: only what is left is weighed, else
        whose paths happen to be heavy would count as an effect (a control variate; Jiang and Li, ICML 2016).

        `one`: what a single event brings (inf: not known), which is all that bounds what never happened.
        """
        if not reward.any():
            return self._unseen(path, one)
        whole, same = self._both(reward)
        assert whole.predicted is not None
        after, plain = (estimate(each, "doubly_robust").terms for each in (whole, same))
        share, base = np.ones(len(reward)), np.zeros(len(reward))
        if path is not None:
            share = path.weight / path.weight.mean()
            base = (path.opening * whole.predicted[path.begin]).sum(1)
            base = base + float((share * (after - base)).mean())
        gap = base + share * (after - base) - plain
        before, clustered = played(replace(same, cluster=self.who)), by_cluster(gap, self.who)
        usual = np.minimum(share, 1.0)
        ends = [self._ends(whole, usual, base, end) for end in (float(reward.min()), float(reward.max()))]
        apart, level = (
            (np.minimum(*(each[n][0] for each in ends)), np.maximum(*(each[n][1] for each in ends))) for n in range(2)
        )
        difference = Estimate("doubly_robust", clustered, support_by_cluster(gap, *apart, self.who))
        reach = support_by_cluster(gap + reward, *level, self.who)
        return Change(before, Estimate("doubly_robust", before.terms + clustered, reach), difference)

    def _unseen(self, path: Path | None, one: float) -> Change:
        """Where nothing happened: terms of 0, which may be as far from it as `one` in any row of a customer, at the
        lightest and the heaviest weight that an answer could have had."""
        share = np.ones(len(self.rows)) if path is None else path.weight / path.weight.mean()
        tried = self.logging > 0
        weight = (share[:, None] * self.target)[tried] / self.logging[tried]
        customers = len(np.unique(self.who))
        scale, lightest, heaviest = one * customers / len(self.rows), float(weight.min()), float(weight.max())

        def nothing(low: float, high: float) -> Estimate:
            ends = [scale * end if end else 0.0 for end in (min(low, 0.0), max(high, 0.0))]
            return Estimate("doubly_robust", np.zeros(customers), (ends[0], ends[1]))

        return Change(nothing(0.0, 1.0), nothing(0.0, heaviest), nothing(lightest - 1.0, heaviest - 1.0))

    def _ends(
        self, whole: Feedback, share: np.ndarray, base: np.ndarray, reward: float
    ) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """(least, most) float[n] of each row's term had any answer brought this reward: of the difference, and of the
        level under the other policy. `share` is the path's, no more than usual: an answer of the heaviest weight at the
        end of the heaviest path would bound nothing. `base` float[n]: what is not weighed."""
        assert whole.predicted is not None
        tried = whole.logging > 0
        weight = np.where(tried, whole.target, 0.0) / np.where(tried, whole.logging, 1.0)
        surprise = reward - whole.predicted
        drawn = [(each * whole.predicted).sum(1)[:, None] for each in (whole.target, whole.logging)]
        after = base[:, None] + share[:, None] * (drawn[0] + weight * surprise - base[:, None])
        gap = after - drawn[1] - surprise
        return tuple(
            (np.where(tried, terms, np.inf).min(1), np.where(tried, terms, -np.inf).max(1))
            for terms in (gap, gap + reward)
        )

    def _both(self, reward: np.ndarray) -> tuple[Feedback, Feedback]:
        """For the other policy, and for the one that was played, with the same predictions."""
        found = np.zeros_like(self.logging)
        if reward.any():
            found = outcomes.predicted(self.inputs, self.action, reward, len(self.treatments) + 1, cluster=self.who)
        whole = Feedback(self.logging, self.target, self.action, reward, found)
        return whole, replace(whole, target=self.logging)


def _counts(column: np.ndarray) -> bool:
    known = column[np.isfinite(column)]
    return len(known) > 0 and int((known != known[0]).sum()) >= _LEAST_VARIED
