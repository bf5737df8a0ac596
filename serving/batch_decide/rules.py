"""The rules of all actions asked about a block of customers in arrays, and what their refusals are called."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.decisions.customer import Customer
from serving.decisions.eligibility import STAGES
from serving.decisions.many import Board
from serving.decisions.many.draw import RULE
from serving.decisions.policy import Action
from serving.decisions.rules import HOLDS, MISSING, UNANSWERED, Column, compiled, refusals_many
from serving.scoring import Vectors

#: A rule refuses, and which one and why is to be asked of the customer alone.
ASK = RULE + len(STAGES)


class Rules:
    """`alone` are the positions of actions whose rules look at more than arrays have: whether they refuse is to be
    asked of each customer alone."""

    def __init__(self, board: Board, vectors: Vectors, channel: str | None, context: Mapping[str, Any]) -> None:
        self.board, self.vectors, self.channel, self.context = board, vectors, channel, context
        self.alone = [k for k, action in enumerate(board.actions) if _whole(action)]
        self._place = {name: i for i, name in enumerate(vectors.catalogue.names)}
        #: By stage and action: why, where a rule is simply false.
        self._false = [
            [f"not {stage}: `{getattr(action, stage)}` is false" for action in board.actions] for stage in STAGES
        ]

    def codes(
        self, customers: Sequence[Customer], now: Sequence[int], values: np.ndarray, churn: np.ndarray | None
    ) -> np.ndarray:
        """int8[n, actions]: 0 where no rule refuses, RULE and the position of the stage whose rule is false, or ASK."""
        rows, columns = len(customers), self._columns(customers, now, values, churn)
        found = np.zeros((rows, len(self.board.actions)), np.int8)
        answers: dict[str, np.ndarray] = {}
        for k, action in enumerate(self.board.actions):
            if k in self.alone:
                found[:, k] = ASK
                continue
            self._validity(action, now, found[:, k])
            for number, stage in enumerate(STAGES):
                if stage == "applicable" and action.stages:
                    self._stages(action, values, found[:, k])
                if (text := getattr(action, stage)) is None:
                    continue
                if text not in answers:
                    answers[text] = refusals_many(text, columns, rows)
                first = (found[:, k] == 0) & (answers[text] != HOLDS)
                found[first, k] = np.where(answers[text][first] == UNANSWERED, ASK, RULE + number)
        return found

    def reason(self, code: int, action: int) -> str:
        """Why, where a rule is simply false."""
        return self._false[code - RULE][action]

    def _validity(self, action: Action, now: Sequence[int], found: np.ndarray) -> None:
        start, end = self.board.playbook.spans[action.name]
        if (start, end) != (None, None):
            at = np.array(now, np.int64)
            found[(at < (start or at.min())) | (False if end is None else at >= end)] = ASK

    def _stages(self, action: Action, values: np.ndarray, found: np.ndarray) -> None:
        place, labels = self._place.get("journey_stage"), self.vectors.levels.get("journey_stage")
        fits = np.zeros(len(values), np.bool_)
        if place is not None and labels is not None:
            fits = np.isin(values[:, place], [code for code, label in enumerate(labels) if label in action.stages])
        found[(found == 0) & ~fits] = ASK

    def _columns(
        self, customers: Sequence[Customer], now: Sequence[int], values: np.ndarray, churn: np.ndarray | None
    ) -> dict[str, Column]:
        """What the rules of the playbook ask for, by full name; the same facts as `Live` gives to one customer."""
        levels = self.vectors.levels

        def feature(name: str) -> Column:
            column, labels = values[:, self._place[name]], levels[name]
            if labels is None:
                return np.ascontiguousarray(column)
            return [None if value != value else labels[int(value)] for value in column.tolist()]

        found: dict[str, Column] = {"request.channel": self.channel, "request.direction": "outbound"}
        for owner, name in self.board.playbook.needs.names:
            key = f"{owner}.{name}"
            if owner == "features":
                found[key] = feature(name) if name in self._place else MISSING
            elif key == "scores.churn":
                found[key] = churn
            elif owner == "context":
                found[key] = self.context.get(name, MISSING)
            elif key == "request.customer_id":
                found[key] = [customer.customer_id for customer in customers]
            elif owner == "attributes":
                stated = (customer.attributes(at) for customer, at in zip(customers, now, strict=True))
                found[key] = [attributes.get(name, MISSING) for attributes in stated]
            elif key == "journey.stage":
                found[key] = feature("journey_stage") if "journey_stage" in self._place else None
        return found


def _whole(action: Action) -> bool:
    """Whether a rule may look at any feature, or whatever it is that is known, by a name that is worked out."""
    return any(compiled(text).needs.whole for stage in STAGES if (text := getattr(action, stage)))
