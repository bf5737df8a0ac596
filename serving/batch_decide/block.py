"""A block of customers with everything that can be worked out for all of them at once.

Features come from the store's states, as the service's do; the model scores the whole grid of customers and treatments;
rules are asked in arrays. What refuses, or cannot be said in arrays, is asked again one by one, for its reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serving import scoring
from serving.champions import Champion
from serving.decisions.candidate import Propensity, Scores
from serving.decisions.eligibility import considered
from serving.decisions.policy import Playbook
from serving.decisions.policy.playbook import RULES
from serving.decisions.request import Request
from serving.decisions.rules import HOLDS, MISSING, Column, compiled, refusals_many
from serving.scorer import Encoded
from serving.store.protocol import Read

if TYPE_CHECKING:
    from serving.engine import Engine


class Frame:
    """What all blocks of one run share: policy and models as they were when it began."""

    def __init__(self, engine: "Engine", channel: str | None, context: Mapping[str, Any]) -> None:
        self.store, self.clock, self.vectors = engine.store, engine.clock, engine.vectors
        self.playbook: Playbook = engine.playbook
        self.champions: Mapping[str, Champion] = engine.champions.current
        self.channel, self.context = channel, dict(context)
        self.treatments = considered(self.playbook, Request("", "", channel), None)
        self.actions = list({each.action.name: each.action for each in self.treatments}.values())
        self.place = {candidate.key: i for i, candidate in enumerate(self.treatments)}
        self.propensity = self.champions.get("propensity")
        self.encoded: Encoded | None = None
        if self.propensity is not None and self.treatments:
            scorer = self.propensity.scorer
            self.encoded = Encoded.stacked([scoring.encoded(scorer, candidate) for candidate in self.treatments])
        models = {kind: champion.describe() for kind, champion in self.champions.items()}
        self.logged = {"catalogue_version": self.vectors.catalogue.version, "models": models}

    def block(self, customers: Sequence[str], threads: int = 1) -> "Block":
        """Reads them, as of now."""
        reads = [self.store.read(customer) for customer in customers]
        at = self.clock.now()
        now = [read.customer.now(at) for read in reads]
        values = np.empty((len(reads), len(self.vectors.catalogue)))
        for i, read in enumerate(reads):
            values[i] = self.vectors.of(read.state, now[i])
        churn = self.champions.get("churn")
        leaving = None if churn is None else churn.scorer.customers(values, threads=threads)
        chances = None
        if self.propensity is not None and self.encoded is not None:
            chances = self.propensity.scorer.grid(values, self.encoded, threads)
        held = self._held(reads, now, values, leaving)
        return Block(self, reads, now, values, leaving, chances, held)

    def _held(
        self, reads: Sequence[Read], now: Sequence[int], values: np.ndarray, churn: np.ndarray | None
    ) -> np.ndarray:
        """bool[n, actions]: where nothing in the rules stands in the way, as far as arrays can tell."""
        columns, rows = self._columns(reads, now, values, churn), len(reads)
        held = np.ones((rows, len(self.actions)), np.bool_)
        answers: dict[str, np.ndarray] = {}
        for j, action in enumerate(self.actions):
            if action.stages or self.playbook.spans[action.name] != (None, None):
                held[:, j] = False
                continue
            for text in filter(None, (getattr(action, rule) for rule in RULES)):
                if text not in answers:
                    simple = not compiled(text).needs.whole
                    answers[text] = refusals_many(text, columns, rows) == HOLDS if simple else np.zeros(rows, np.bool_)
                held[:, j] &= answers[text]
        return held

    def _columns(
        self, reads: Sequence[Read], now: Sequence[int], values: np.ndarray, churn: np.ndarray | None
    ) -> dict[str, Column]:
        """What the rules of the playbook ask for, by full name; the same facts as `Live` gives to one customer."""
        names, levels = self.vectors.catalogue.names, self.vectors.levels
        place = {name: i for i, name in enumerate(names)}

        def feature(name: str) -> Column:
            column, labels = values[:, place[name]], levels[name]
            if labels is None:
                return np.ascontiguousarray(column)
            return [None if value != value else labels[int(value)] for value in column.tolist()]

        found: dict[str, Column] = {"request.channel": self.channel, "request.direction": "outbound"}
        for owner, name in self.playbook.needs.names:
            key = f"{owner}.{name}"
            if owner == "features":
                found[key] = feature(name) if name in place else MISSING
            elif key == "scores.churn":
                found[key] = churn
            elif owner == "context":
                found[key] = self.context.get(name, MISSING)
            elif key == "request.customer_id":
                found[key] = [read.customer.customer_id for read in reads]
            elif owner == "attributes":
                stated = (read.customer.attributes(at) for read, at in zip(reads, now, strict=True))
                found[key] = [attributes.get(name, MISSING) for attributes in stated]
            elif key == "journey.stage":
                found[key] = feature("journey_stage") if "journey_stage" in place else None
        return found


@dataclass(frozen=True)
class Block:
    """Row i is a customer: `values` float64[n, features], `chances` float64[n, treatments], `held` bool[n, actions]."""

    frame: Frame
    reads: Sequence[Read]
    now: Sequence[int]
    values: np.ndarray
    churn: np.ndarray | None
    chances: np.ndarray | None
    held: np.ndarray

    def scores(self, i: int) -> Scores:
        """What `scoring.scores` would give for this customer."""
        frame, champion = self.frame, self.frame.propensity
        earlier = self.now[i] - frame.playbook.policy.signals.age
        return Scores(
            features=frame.vectors.named(self.values[i]),
            churn=None if self.churn is None else float(self.churn[i]),
            propensity=self._propensity(i),
            logged={"features": self.values[i].tolist(), **frame.logged},
            delayed=scoring.Delayed(champion, frame.vectors, self.reads[i].state, earlier),
            positives=None if champion is None else champion.scorer.positives,
        )

    def ruled(self, i: int) -> list[str]:
        """The actions that no rule refuses; the others are to be asked for the reason."""
        return [action.name for action, held in zip(self.frame.actions, self.held[i].tolist(), strict=True) if held]

    def _propensity(self, i: int) -> Propensity:
        if self.chances is None:
            return lambda candidates: [None] * len(candidates)
        row, place = self.chances[i], self.frame.place
        return lambda candidates: [float(row[place[candidate.key]]) for candidate in candidates]
