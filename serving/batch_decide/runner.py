"""Decide block after block, give volumes to the most valuable, commit by compare-and-swap; who lost is judged again."""

import gc
import hashlib
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import count, groupby
from typing import TYPE_CHECKING, Any

from features.workspace import WorkspaceError
from serving.batch_decide.allocation import Allocation
from serving.batch_decide.block import Block, Frame
from serving.batch_decide.made import Made, Repeated, Unread, packed
from serving.decisions.request import Request
from serving.engine.volumes import day_of
from serving.engine.waiting import RACES
from serving.store.protocol import Batched, Commit, Unavailable

if TYPE_CHECKING:
    from serving.engine import Engine

#: Customers in one block: arrays of a few megabytes.
BLOCK = 1_000
#: Decisions in one line of the log: looking one up opens its line, which takes half a millisecond.
LINE = 100
#: How many are settled at once who need a volume: the most of it that a batch holds, or loses when it is killed.
LOT = 100
Answer = Made | Repeated | Unread
Quota = tuple[str, str]  # action, the company's day


@dataclass
class Tally:
    """What became of an audience."""

    customers: int = 0
    contacts: int = 0
    repeated: int = 0
    unread: int = 0
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
        self.frame = Frame(engine, channel, context or {}, dry_run)
        self.job, self.dry_run, self.threads = job, dry_run, threads
        self.store, self.playbook, self.clock = engine.store, engine.playbook, engine.clock
        self.tally = Tally()
        self._spent: dict[str, frozenset[str]] = defaultdict(frozenset)
        self._places: Counter[Quota] = Counter()
        self._unread: list[Unread] = []
        self._run, self._numbers = secrets.token_hex(10), count()

    def run(
        self, pieces: Iterable[Sequence[str]], progress: Callable[[Tally], None] | None = None
    ) -> Iterator[list[Answer]]:
        """The answers, a block at a time, all on disk; who wants what has a volume comes last."""
        allocation = Allocation(self._room)
        displaced: list[str] = []
        for piece in pieces:
            yield _uncollected(self._free, piece, allocation, displaced)
            while len(displaced) >= BLOCK:  # so that no more than a block of them waits
                yield _uncollected(self._free, _taken(displaced), allocation, displaced)
            if progress is not None:
                progress(self.tally)
        while displaced:
            yield _uncollected(self._free, _taken(displaced), allocation, displaced)
        for customers in allocation.winners().values():
            for start in range(0, len(customers), LOT):
                yield _uncollected(self._settled, customers[start : start + LOT])
        if progress is not None:
            progress(self.tally)

    def request(self, customer_id: str) -> Request:
        number = next(self._numbers)  # ids that rise go to one end of the store's indexes
        return Request(
            customer_id=customer_id,
            decision_id=f"x-{self._named(customer_id)}" if self.dry_run else f"d-{self._run}{number:012x}",
            channel=self.frame.channel,
            request_id=None if self.dry_run else self._named(customer_id),
            context=self.frame.context,
            dry_run=self.dry_run,
        )

    def _named(self, customer_id: str) -> str:
        return f"{self.job}/{customer_id}"

    def uniform(self, customer_id: str) -> float:
        """The random number of a customer's decision: the job's and theirs alone, so that a repeat draws the same."""
        digest = hashlib.sha256(f"{self.job}\x1funiform\x1f{customer_id}".encode()).digest()
        return (int.from_bytes(digest[:8], "big") >> 11) / 2**53

    # deciding

    def _made(self, customers: Sequence[str]) -> list[Made]:
        """A decision about each, as things are now; who cannot be read spoils nobody else's, and waits in `_unread`."""
        try:
            block = self.block(customers)
        except ValueError:
            unread = [found for each in customers if (found := self._damaged(each)) is not None]
            if not unread:
                raise
            self._unread += unread
            names = {each.customer_id for each in unread}
            customers = [each for each in customers if each not in names]
            if not customers:
                return []
            block = self.block(customers)
        return [Made(block, i) for i in range(len(customers))]

    def _damaged(self, customer_id: str) -> Unread | None:
        """Whether what is kept of a customer cannot be read."""
        try:
            self.frame.vectors.of(self.store.read(customer_id).state, self.clock.now())
        except ValueError as error:
            return Unread(customer_id, " ".join(str(error).split()))
        return None

    def _one(self, customer_id: str) -> Made:
        """Once more about one who could be read before."""
        found = self._made([customer_id])
        if not found:
            raise WorkspaceError(f"{customer_id}: {self._unread[-1].row()['reason']}; run the same job again")
        return found[0]

    def _met(self) -> list[Answer]:
        """Those who could not be read since this was asked."""
        met, self._unread = self._unread, []
        return [self._told(each) for each in met]

    def block(self, customers: Sequence[str]) -> Block:
        spent = [self._spent.get(customer, frozenset()) for customer in customers]
        requests, uniforms = [self.request(each) for each in customers], [self.uniform(each) for each in customers]
        return self.frame.block(requests, uniforms, spent, self.threads)

    def _free(self, customers: Sequence[str], allocation: Allocation, displaced: list[str]) -> list[Answer]:
        """Decides about a piece; commits what needs no volume, and lets the rest propose. Whoever an earlier run of
        the job answered proposes nothing: they would keep others from what is left of a volume, and not use it."""
        before = {} if self.dry_run else self.store.find_decisions([self._named(each) for each in customers])
        known = [self._repeated(each, first) for each in customers if (first := before.get(self._named(each)))]
        fresh = [each for each in customers if self._named(each) not in before] if before else customers
        free = []
        for made in self._made(fresh) if fresh else ():
            if (action := made.limited) is None:
                free.append(made)
            elif (loser := allocation.propose(action.name, made.request.customer_id, made.worth)) is not None:
                self._spent[loser] |= {action.name}
                displaced.append(loser)
        return [*self._met(), *(self._told(each) for each in known), *self._committed(free)]

    def _settled(self, customers: Sequence[str]) -> list[Answer]:
        """Those who were let in by an action, decided about again as things are by now, and committed. Only then is its
        volume leased, of the day that they are decided on, and what is not used of it is given back at once."""
        found = self._made(customers)
        wanted = Counter(quota for made in found if (quota := self._quota(made)) is not None)
        for (action, day), number in wanted.items():
            self._lease(action, day, number)
        try:
            return [*self._met(), *self._committed([self._placed(made) for made in found])]
        finally:
            for (action, day), left in self._places.items():
                if left and not self.dry_run:
                    self.store.unlease(action, day, left)
            if not self.dry_run:
                self._places.clear()

    def _placed(self, made: Made) -> Made:
        """Takes a place of what it wants; a customer for whom there is none is decided about again without it."""
        while (quota := self._quota(made)) is not None:
            if not self._places[quota] and not self.dry_run:
                self._lease(*quota, 1)
            if self._places[quota]:
                self._places[quota] -= 1
                break
            self._spent[made.request.customer_id] |= {quota[0]}
            made = self._one(made.request.customer_id)
        return made

    def _quota(self, made: Made) -> Quota | None:
        if (action := made.limited) is None:
            return None
        return action.name, "" if self.dry_run else day_of(self.playbook, made.at)

    def _room(self, action: str) -> int:
        """What is left of an action's volume today, without holding any of it."""
        volume = self.playbook.actions.by_name[action].volume or 0
        left = max(0, volume - self.store.leased(action, day_of(self.playbook, self.clock.now())))
        if self.dry_run:
            self._places[action, ""] = left
        return left

    def _lease(self, action: str, day: str, number: int) -> None:
        if not self.dry_run:
            volume = self.playbook.actions.by_name[action].volume or 0
            self._places[action, day] += int(self.store.lease(action, day, number, volume).result())

    # committing

    def _committed(self, decisions: Sequence[Made]) -> list[Answer]:
        """Logged by LINE of one block; a lost race is judged again with the same number."""
        if self.dry_run:
            return [self._told(made) for made in decisions]
        waiting: list[tuple[list[Made], Future[list[Commit]]]] = []
        for _, of_block in groupby(decisions, key=lambda made: id(made.block)):
            together = list(of_block)
            lines = [together[start : start + LINE] for start in range(0, len(together), LINE)]
            waiting += [(line, self._commit(line)) for line in lines]
        return [
            self._told(self._answer(made, commit))
            for line, future in waiting
            for made, commit in zip(line, future.result(), strict=True)
        ]

    def _commit(self, made: Sequence[Made]) -> "Future[list[Commit]]":
        whole = packed(made)

        def pack(places: Sequence[int]) -> bytes:
            return whole if len(places) == len(made) else packed([made[i] for i in places])

        return self.store.commit_batch(Batched(self.job, made, pack))

    def _answer(self, made: Made, commit: Commit) -> Answer:
        for _ in range(RACES):
            if commit.status == "committed":
                return made
            if (quota := self._quota(made)) is not None:
                self._places[quota] += 1
            if commit.first is not None:
                return self._repeated(made.request.customer_id, commit.first)
            self.tally.judged_again += 1
            made = self._placed(self._one(made.request.customer_id))
            (commit,) = self._commit([made]).result()
        raise Unavailable(f"{RACES} races in a row were lost about one customer; run the same job again")

    def _repeated(self, customer_id: str, first: bytes) -> Repeated:
        """WorkspaceError where it was the answer to another question, on another channel for example."""
        found = Repeated(first)
        before = Request.of(found.document())
        if before.fingerprint != self.request(customer_id).fingerprint:
            raise WorkspaceError(
                f"--job {self.job}: asked something else about {before.customer_id} before (channel "
                f"{before.channel or 'any'}); give this run a name of its own"
            )
        self.tally.repeated += 1
        return found

    def _told(self, answer: Answer) -> Answer:
        self.tally.customers += 1
        if isinstance(answer, Unread):
            self.tally.unread += 1
            return answer
        action, contact = answer.outcome
        self.tally.contacts += contact is not None
        self.tally.actions[action or "silence"] += 1
        return answer


def _uncollected(work: Callable[..., list[Answer]], *arguments: Any) -> list[Answer]:
    """Does a block's work without Python looking for cycles: it makes thousands of objects and not one cycle, and each
    look at all that models and libraries hold costs more than a hundred customers."""
    before = gc.isenabled()
    gc.disable()
    try:
        return work(*arguments)
    finally:
        if before:
            gc.enable()


def _taken(displaced: list[str]) -> list[str]:
    piece, displaced[:BLOCK] = displaced[:BLOCK], []
    return piece
