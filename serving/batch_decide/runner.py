"""Judge block after block, give volumes to the most valuable, commit by compare-and-swap; who lost is judged again."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from serving.batch_decide.allocation import Allocation
from serving.batch_decide.block import Block, Frame
from serving.decisions.decide import decide
from serving.decisions.decision import Decision
from serving.decisions.request import Request
from serving.engine.volumes import day_of, limited
from serving.engine.waiting import RACES
from serving.store.protocol import Commit, Unavailable

if TYPE_CHECKING:
    from serving.engine import Engine

#: Customers in one block: arrays of a few megabytes.
BLOCK = 1_000
Answer = Mapping[str, Any]


@dataclass
class Tally:
    """What became of an audience."""

    customers: int = 0
    contacts: int = 0
    repeated: int = 0
    judged_again: int = 0
    actions: Counter[str] = field(default_factory=Counter)


class Runner:
    """One run over an audience. `job` names it: the same job asks the same questions, and gets the first answers."""

    def __init__(
        self,
        engine: "Engine",
        job: str,
        channel: str | None = None,
        context: Mapping[str, Any] | None = None,
        dry_run: bool = False,
        threads: int = 1,
    ) -> None:
        self.frame, self.job, self.dry_run, self.threads = Frame(engine, channel, context or {}), job, dry_run, threads
        self.store, self.playbook = engine.store, engine.playbook
        self.day = day_of(self.playbook, engine.clock.now())
        self.tally = Tally()
        self._spent: dict[str, frozenset[str]] = defaultdict(frozenset)
        self._leased: Counter[str] = Counter()
        self._used: Counter[str] = Counter()

    def run(
        self, pieces: Iterable[Sequence[str]], progress: Callable[[Tally], None] | None = None
    ) -> Iterator[list[Answer]]:
        """The answers (decisions as logged), a block at a time; what has a volume comes last, and is then on disk."""
        allocation = Allocation(self._room)
        displaced: list[str] = []
        for piece in pieces:
            yield self._free(piece, allocation, displaced)
            if progress is not None:
                progress(self.tally)
        while displaced:
            piece, displaced[:BLOCK] = displaced[:BLOCK], []
            yield self._free(piece, allocation, displaced)
        for action, customers in allocation.winners().items():
            for start in range(0, len(customers), BLOCK):
                yield self._settled(action, customers[start : start + BLOCK])
        for action, leased in self._leased.items():
            if (left := leased - self._used[action]) > 0:
                self.store.unlease(action, self.day, left)
        if progress is not None:
            progress(self.tally)

    def request(self, customer_id: str) -> Request:
        digest = hashlib.sha256(f"{self.job}\x1f{customer_id}".encode()).hexdigest()
        return Request(
            customer_id=customer_id,
            decision_id=f"d-{digest[:32]}",
            channel=self.frame.channel,
            request_id=None if self.dry_run else f"{self.job}/{customer_id}",
            context=self.frame.context,
            dry_run=self.dry_run,
        )

    def uniform(self, customer_id: str) -> float:
        """The random number of a customer's decision: the job's and theirs alone, so that a repeat draws the same."""
        digest = hashlib.sha256(f"{self.job}\x1funiform\x1f{customer_id}".encode()).digest()
        return (int.from_bytes(digest[:8], "big") >> 11) / 2**53

    # judging

    def _judge(self, block: Block, i: int, customer_id: str) -> Decision:
        read = block.reads[i]
        return decide(
            self.request(customer_id),
            read.customer,
            block.scores(i),
            self.playbook,
            block.now[i],
            self.uniform(customer_id),
            self._spent.get(customer_id, frozenset()),
            block.ruled(i),
        )

    def _free(self, customers: Sequence[str], allocation: Allocation, displaced: list[str]) -> list[Answer]:
        """Decides about a piece; commits what needs no volume, and lets the rest propose."""
        block = self.frame.block(customers, self.threads)
        free = []
        for i, customer_id in enumerate(customers):
            decision = self._judge(block, i, customer_id)
            action, worth = _wanted(decision)
            if action is None:
                free.append(decision)
            elif (loser := allocation.propose(action, customer_id, worth)) is not None:
                self._spent[loser] |= {action}
                displaced.append(loser)
        return self._committed(free)

    def _settled(self, action: str, customers: Sequence[str]) -> list[Answer]:
        """Those who have a place of an action: decided about again, as things are by now, and committed."""
        block = self.frame.block(customers, self.threads)
        return self._committed([self._placed(block, i, each, action) for i, each in enumerate(customers)], action)

    def _placed(self, block: Block, i: int, customer_id: str, held: str | None) -> Decision:
        """A customer who changed meanwhile may be drawn something else than what they have a place of: only where one
        more of it can be had."""
        while True:
            decision = self._judge(block, i, customer_id)
            action = _wanted(decision)[0]
            if action is None or action == held or self._has_place(action):
                return decision
            self._spent[customer_id] |= {action}

    def _room(self, action: str) -> int:
        volume = self.playbook.actions.by_name[action].volume or 0
        return volume if self.dry_run else self._lease(action, volume)

    def _has_place(self, action: str) -> bool:
        return not self.dry_run and self._lease(action, 1) == 1

    def _lease(self, action: str, number: int) -> int:
        volume = self.playbook.actions.by_name[action].volume or 0
        given = int(self.store.lease(action, self.day, number, volume).result())
        self._leased[action] += given
        return given

    # committing

    def _committed(self, decisions: Sequence[Decision], held: str | None = None) -> list[Answer]:
        """Logged together, so that they share their flushes; a lost race is judged again with the same number. `held`
        is the action that each of these customers has a place of."""
        if self.dry_run:
            return [self._told(decision.as_dict()) for decision in decisions]
        waiting: list[tuple[Decision, Future[Commit]]] = [
            (decision, self.store.commit_decision(decision)) for decision in decisions
        ]
        return [self._told(self._answer(decision, future, held)) for decision, future in waiting]

    def _answer(self, decision: Decision, future: "Future[Commit]", held: str | None) -> Answer:
        customer_id = decision.request.customer_id
        for _ in range(RACES):
            commit = future.result()
            if commit.status == "committed":
                self._used.update(action.name for action in limited(decision))
                return decision.as_dict()
            if commit.first is not None:
                self.tally.repeated += 1
                first: Answer = orjson.loads(commit.first)
                return first
            self.tally.judged_again += 1
            decision = self._placed(self.frame.block([customer_id]), 0, customer_id, held)
            future = self.store.commit_decision(decision)
        raise Unavailable(f"{RACES} races in a row were lost about one customer; run the same job again")

    def _told(self, answer: Answer) -> Answer:
        self.tally.customers += 1
        self.tally.contacts += answer["contact_id"] is not None
        self.tally.actions[answer["action"] or "silence"] += 1
        return answer


def _wanted(decision: Decision) -> tuple[str | None, float]:
    """The action with a volume that a decision would use one of, and what that is worth."""
    for slot in decision.slots:
        if slot.chosen is None or slot.chosen.action.volume is None:
            continue
        for fate in slot.fates:
            if fate.stage == "chosen" and fate.factors is not None:
                return slot.chosen.action.name, fate.factors.expected_value
    return None, 0.0
