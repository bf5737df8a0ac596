"""A block of customers with everything that is worked out for all of them at once.

Features come from the store's states, as the service's do; the model scores the whole grid of customers and treatments;
rules, guard and draw are asked in arrays.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from serving import scoring
from serving.batch_decide.beside import Beside, Shadowed, described, said
from serving.batch_decide.rules import Rules
from serving.champions import Champion
from serving.decisions.bench import Live
from serving.decisions.candidate import Scores
from serving.decisions.customer import Customer
from serving.decisions.eligibility import STAGES
from serving.decisions.many import Board, Crowd, Drawn, decided
from serving.decisions.many.columns import Columns, Rows
from serving.decisions.many.draw import GUARD, RULE, TOO_NEW
from serving.decisions.policy import Playbook
from serving.decisions.request import Request
from serving.panel import Panel
from serving.store.protocol import Read

if TYPE_CHECKING:
    from serving.engine import Engine


class Frame:
    """What all blocks of one run share: policy and models as they were when it began."""

    def __init__(self, engine: "Engine", channel: str | None, context: Mapping[str, Any], dry_run: bool) -> None:
        self.store, self.clock, self.vectors = engine.store, engine.clock, engine.vectors
        self.playbook: Playbook = engine.playbook
        self.champions: Mapping[str, Champion] = engine.champions.current
        self.channel, self.context, self.dry_run = channel, dict(context), dry_run
        self.board = Board.of(self.playbook, channel, scoring.positives(self.champions))
        self.panel = Panel(self.champions, self.board.candidates)
        self.rivals = Beside(engine.rivals, self.champions, self.board.candidates, dry_run)
        self.rules = Rules(self.board, self.vectors, channel, self.context)
        self.said: dict[str, str] = {}  # why, by action, to whoever is told nothing of their own
        models = described(self.champions)
        self.columns = Columns(self.board, {"catalogue_version": self.vectors.catalogue.version, "models": models})

    def block(
        self,
        requests: Sequence[Request],
        uniforms: Sequence[float],
        spent: Sequence[Collection[str]],
        threads: int = 1,
    ) -> "Block":
        """Reads those asked about as of now, and decides. `spent`: for each, the actions whose volume is given out."""
        known = self._known(requests, spent, threads)
        told = known.ask_alone()
        drawn = decided(
            self.board, known.crowd, known.chances, np.array(uniforms), known.codes, known.learned,
            value_all=self.dry_run, harms=known.harms,
        )  # fmt: skip
        said = self.rivals.shadows(self, known, threads)
        return Block(known, uniforms, drawn, self.columns.block(drawn), told, said)

    def _known(self, requests: Sequence[Request], spent: Sequence[Collection[str]], threads: int) -> "Known":
        reads = self.store.read_many([request.customer_id for request in requests])
        at = self.clock.now()
        customers = [read.customer for read in reads]
        now = [customer.now(at) for customer in customers]
        values = self._values(reads, now)
        age = self.playbook.policy.signals.age
        earlier = cache(lambda: self._values(reads, [at - age for at in now]))
        crowd = Crowd.packed(customers, self.board, now, spent, counted=self.panel.counted)
        told = said(self.panel, values, earlier, crowd, threads)
        told = self.rivals.challenged(self, customers, values, earlier, crowd, told, threads)
        told = told.or_stated(self.playbook.policy.fallback.churn, len(reads))
        codes = self.rules.codes(customers, now, values, told.churn)
        return Known(self, requests, customers, now, values, earlier, *told, crowd, codes, spent)

    def _values(self, reads: Sequence[Read], now: Sequence[int]) -> np.ndarray:
        values = np.empty((len(reads), len(self.vectors.catalogue)))
        for i, read in enumerate(reads):
            values[i] = self.vectors.of(read.state, now[i])
        return values


@dataclass(frozen=True)
class Known:
    """What a block is decided from. Row i is a customer: `values` float64[n, features], `chances`, `learned` U and
    `harms` [n, treatments], `codes` int8[n, actions] of their rules (see rules.py)."""

    frame: Frame
    requests: Sequence[Request]
    customers: Sequence[Customer]
    now: Sequence[int]
    values: np.ndarray
    earlier: Callable[[], np.ndarray]
    churn: np.ndarray | None
    chances: np.ndarray | None
    learned: np.ndarray | None
    harms: np.ndarray | None
    crowd: Crowd
    codes: np.ndarray
    spent: Sequence[Collection[str]]

    def live(self, i: int) -> Live:
        """One customer as a single decision sees them: for what arrays do not say."""
        churn = None if self.churn is None else float(self.churn[i])
        scores = Scores(features=self.frame.vectors.named(self.values[i]), churn=churn)
        return Live(
            self.requests[i], self.customers[i], scores, self.frame.playbook, self.now[i], self.crowd.arms[i],
            self.spent[i],
        )  # fmt: skip

    def ask_alone(self) -> dict[tuple[int, int], str]:
        """Asks the rules that arrays cannot say, into `codes`; the reasons of those that refuse, by row and action."""
        board, told = self.frame.board, dict[tuple[int, int], str]()
        if not (alone := self.frame.rules.alone):
            return told
        some = [candidate for candidate in board.candidates if board.actions.index(candidate.action) in alone]
        for i in range(len(self.requests)):
            refusals = self.live(i).refusals(some)
            for k in alone:
                stage, reason = refusals.get(board.actions[k].name, (None, ""))
                self.codes[i, k] = 0 if stage is None else RULE + STAGES.index(stage)
                if stage is not None:
                    told[i, k] = reason
        return told


@dataclass(frozen=True)
class Block:
    """What was decided, with what its documents need."""

    known: Known
    uniforms: Sequence[float]
    drawn: Drawn
    rows: Rows
    told: Mapping[tuple[int, int], str]
    said: Mapping[str, Shadowed]

    def beside(self, i: int) -> dict[str, Any]:
        """What a row's document says of models that are not all champions."""
        rivals = self.known.frame.rivals
        found = {"models": rivals.models} if rivals.models and self.known.crowd.arms[i].challenger else {}
        if not self.said:
            return found
        stage = self.drawn.stage[i]
        asked = np.flatnonzero((stage != GUARD) & (stage < RULE)).tolist()
        return found | {"shadow": {kind: each.row(i, asked) for kind, each in self.said.items()}}

    @cached_property
    def picks(self) -> list[tuple[int, bool, int]]:
        """By row: the treatment (-1: silence), whether it is withheld, why a slot is silent."""
        return list(zip(self.drawn.pick.tolist(), self.drawn.ghost.tolist(), self.drawn.reason.tolist(), strict=True))

    @cached_property
    def guarded(self) -> list[list[int]]:
        """By row: the candidates that the guard refuses."""
        return _by_row(~self.drawn.passed)

    @cached_property
    def worded(self) -> list[list[int]]:
        """By row: the candidates whose reason is not the same for everyone."""
        return _by_row((self.drawn.stage == TOO_NEW) | (self.drawn.stage >= RULE))


def _by_row(which: np.ndarray) -> list[list[int]]:
    """The columns of each row that are marked."""
    rows, columns = np.nonzero(which)
    edges = np.searchsorted(rows, np.arange(len(which) + 1)).tolist()
    listed = columns.tolist()
    return [listed[lo:hi] for lo, hi in pairwise(edges)]
