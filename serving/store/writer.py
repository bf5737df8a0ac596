"""Group commit: one writer thread a process; whatever waits goes to disk in one transaction.

While one transaction is being flushed the next operations gather, so a flush is shared by as many as came meanwhile.
"""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from serving.store.protocol import Unavailable
from serving.store.turns import Turns

Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Any]
_log = logging.getLogger(__name__)

MOST = 512  # operations in one transaction


class Closed(Unavailable):
    """The store is closed and takes no more writes."""


class Writer:
    """`submit` from any thread; the future resolves when the operation is on disk, or with what it raised.

    `forget` is called whenever something was rolled back: what was cached from inside a transaction is void.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], turns: Turns, forget: Callable[[], None]) -> None:
        self._connect, self._turns, self._forget = connect, turns, forget
        self._waiting: queue.SimpleQueue[tuple[Work, Future[Any]] | None] = queue.SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], Result]) -> "Future[Result]":
        """Raises Closed after `close`."""
        future: Future[Result] = Future()
        with self._gate:
            if self._closed:
                raise Closed("the store is closed")
            self._waiting.put((work, future))
        return future

    def close(self) -> None:
        """Finishes what was submitted, then stops."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._thread.join()
        self._turns.close()

    def alive(self) -> bool:
        return self._thread.is_alive() and not self._closed

    def _run(self) -> None:
        connection = self._connect()
        last = False
        while not last:
            batch: list[tuple[Work, Future[Any]]] = []
            item = self._waiting.get()
            while True:
                if item is None:
                    last = True
                    break
                if item[1].set_running_or_notify_cancel():
                    batch.append(item)
                if len(batch) >= MOST:
                    break
                try:
                    item = self._waiting.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._commit(connection, batch)
        connection.close()

    def _commit(self, connection: sqlite3.Connection, batch: list[tuple[Work, "Future[Any]"]]) -> None:
        """One transaction. An operation that raises undoes itself alone; a failed commit fails them all."""
        outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
        try:
            with self._turns.taken():
                connection.execute("BEGIN IMMEDIATE")
                for work, future in batch:
                    outcomes.append((future, *self._attempt(connection, work)))
                connection.execute("COMMIT")
        except BaseException as error:
            _log.error("a transaction of %d operations failed: %s", len(batch), error)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._forget()
            outcomes = [(future, None, _unavailable(error)) for _, future in batch]
        for future, result, failure in outcomes:
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)

    def _attempt(self, connection: sqlite3.Connection, work: Work) -> tuple[Any, BaseException | None]:
        connection.execute("SAVEPOINT operation")
        try:
            result = work(connection)
        except Exception as error:
            if not connection.in_transaction:  # SQLite gave up the whole transaction (disk full, I/O error)
                raise
            connection.execute("ROLLBACK TO operation")
            connection.execute("RELEASE operation")
            self._forget()
            return None, error
        connection.execute("RELEASE operation")
        return result, None


def _unavailable(error: BaseException) -> Unavailable:
    failure = Unavailable(f"the store could not write: {error}")
    failure.__cause__ = error
    return failure
