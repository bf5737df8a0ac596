"""Group commit: one writer thread a process; whatever waits goes to disk in one transaction.

While one transaction is being flushed the next operations gather, so a flush is shared by as many as came meanwhile.
What an event loop asks for in one turn comes together, too.
"""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from serving.store.gathering import Gathering
from serving.store.protocol import Unavailable
from serving.store.tx import Tx

Result = TypeVar("Result")
Item = TypeVar("Item")
Work = Callable[[Tx], Any]
Many = Callable[[Tx, Sequence[Any]], Sequence[Any]]
_log = logging.getLogger(__name__)

MOST = 512  # operations in one transaction, or as many more as an event loop asked for in one turn
TRIES = 8  # how often a transaction that others got in the way of is tried


class Closed(Unavailable):
    """The store is closed and takes no more writes."""


class Session(Protocol):
    """A database as the writer sees it: one connection, which its thread alone uses."""

    def transaction(self, about: Collection[str]) -> AbstractContextManager[Tx]:
        """Commits at the end, or rolls back and raises. `about` are the customers that it will change."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Undoes what is inside alone where that raises. Raises Gone where the whole transaction is gone with it."""

    def passing(self, error: BaseException) -> bool:
        """Whether others were in the way, so that the same transaction may succeed now."""

    def explained(self, error: BaseException) -> BaseException:
        """What is raised to whoever asked: Unavailable for what the database itself could not do."""

    def close(self) -> None: ...


class Gone(Exception):
    """The database gave the whole transaction up (disk full, connection lost)."""


class _Raised(Exception):
    """One of the operations raised its cause."""


@dataclass
class _Job:
    """An operation; `many` does those that wait together, `work` is one alone."""

    work: Work
    about: Collection[str]
    future: "Future[Any]"
    many: Many | None = None
    item: Any = None


@dataclass(frozen=True)
class _Outcome:
    result: Any = None
    failure: BaseException | None = None


class Writer:
    """`submit` from any thread; the future resolves when the operation is on disk, or with what it raised.

    An operation may be run more than once, each time in a transaction that is as if it had never run before. `forget`
    is called whenever something was rolled back: what was cached from inside a transaction is void.
    """

    def __init__(self, connect: Callable[[], Session], forget: Callable[[], None]) -> None:
        self._connect, self._forget = connect, forget
        self._waiting: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._gathering: Gathering[_Job] = Gathering(self._waiting.put)
        self._closed = False
        #: The last transaction could not be written (disk full, database away): more than a read must show it is over.
        self.failing = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Tx], Result], about: Collection[str] = ()) -> "Future[Result]":
        """`about`: the customers it will change, so that processes lock them in one order. Raises Closed."""
        return self._put(_Job(work, about, self.answer()))

    def submit_one_of_many(
        self, many: Callable[[Tx, Sequence[Item]], Sequence[Result]], item: Item, about: Collection[str] = ()
    ) -> "Future[Result]":
        """The same, for an operation that does several at once: fewer statements where many wait."""
        return self._put(_Job(lambda tx: many(tx, [item])[0], about, self.answer(), many, item))

    def answer(self) -> "Future[Any]":
        """To be resolved by whoever needs several operations for it."""
        return self._gathering.answer()

    def close(self) -> None:
        """Finishes what was submitted, then stops."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
        self._gathering.hand_over()
        self._waiting.put(None)
        self._thread.join()

    def alive(self) -> bool:
        return self._thread.is_alive() and not self._closed

    def _put(self, job: _Job) -> "Future[Any]":
        with self._gate:
            if self._closed:
                raise Closed("the store is closed")
            self._gathering.put(job)
        return job.future

    def _run(self) -> None:
        session = self._connect()
        last = False
        while not last:
            batch: list[_Job] = []
            jobs = self._waiting.get()
            while True:
                if jobs is None:
                    last = True
                    break
                batch.extend(job for job in jobs if job.future.set_running_or_notify_cancel())
                if len(batch) >= MOST:
                    break
                try:
                    jobs = self._waiting.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._commit(session, batch)
            batch.clear()  # an idle thread keeps nobody's rows
            jobs = None
        session.close()

    def _commit(self, session: Session, batch: list[_Job]) -> None:
        """One transaction. An operation that raises undoes itself alone; a failed commit fails them all."""
        together, tries = True, 0
        while True:
            try:
                outcomes = self._transaction(session, batch, together)
                break
            except BaseException as error:
                cause = error.__cause__ if isinstance(error, _Raised) and error.__cause__ is not None else error
                self._forget()
                tries += 1
                if session.passing(cause) and tries < TRIES:
                    time.sleep(random.uniform(0, 0.002 * 2**tries))
                elif isinstance(error, _Raised) and len(batch) > 1:
                    together = False
                elif isinstance(error, _Raised):
                    outcomes = [_Outcome(failure=session.explained(cause))]
                    break
                else:
                    _log.error("a transaction of %d operations failed: %s", len(batch), cause)
                    outcomes = [_Outcome(failure=_unavailable(cause))] * len(batch)
                    break
        self.failing = any(isinstance(outcome.failure, Unavailable) for outcome in outcomes)
        for job, outcome in zip(batch, outcomes, strict=True):
            if outcome.failure is None:
                job.future.set_result(outcome.result)
            else:
                job.future.set_exception(outcome.failure)

    def _transaction(self, session: Session, batch: list[_Job], together: bool) -> list[_Outcome]:
        """Together: the quick way, and the first that raises ends it. Otherwise each is undone alone if it raises."""
        about = {customer for job in batch for customer in job.about}
        with session.transaction(about) as tx:
            if not together:
                return [self._attempt(session, tx, job) for job in batch]
            try:
                return _all(tx, batch)
            except Exception as error:
                raise _Raised from error

    def _attempt(self, session: Session, tx: Tx, job: _Job) -> _Outcome:
        try:
            with session.savepoint():
                return _Outcome(job.work(tx))
        except Gone:
            raise
        except Exception as error:
            if session.passing(error):
                raise
            self._forget()
            return _Outcome(failure=session.explained(error))


def _all(tx: Tx, batch: list[_Job]) -> list[_Outcome]:
    found: dict[int, Any] = {}
    groups: dict[Many, list[int]] = {}
    for i, job in enumerate(batch):
        if job.many is None:
            found[i] = job.work(tx)
        else:
            groups.setdefault(job.many, []).append(i)
    for many, places in groups.items():
        found.update(zip(places, many(tx, [batch[i].item for i in places]), strict=True))
    return [_Outcome(found[i]) for i in range(len(batch))]


def _unavailable(error: BaseException) -> Unavailable:
    if isinstance(error, Unavailable):
        return error
    failure = Unavailable(f"the store could not write: {error}")
    failure.__cause__ = error
    return failure
