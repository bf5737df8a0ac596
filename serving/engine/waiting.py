"""Waiting for the store, and what to say when it is not there."""

import logging
import sqlite3
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from serving.champions import one_line
from serving.problems import FieldError, Problem, invalid
from serving.store.landing import landed
from serving.store.protocol import Unavailable

#: How often a decision is judged again after a lost race before the client is asked to come back.
RACES = 50
RETRY: Mapping[str, str] = {"Retry-After": "1"}
Answer = dict[str, Any]
T = TypeVar("T")
log = logging.getLogger("tactful.engine")


async def done(future: "Future[T]") -> T:
    """Waits until the store's thread has it on disk; a client that hangs up does not take the write back."""
    with available():
        return await landed(future)


class available:
    """503 while the store cannot be read or written (a full disk, a lost file): not our mistake, nor the client's."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (Unavailable, sqlite3.Error, OSError)):
            log.error("the store: %s", error)
            detail = f"the store is not available ({one_line(error)}); what was not acknowledged may be asked again"
            raise Problem("not-ready", detail, headers=RETRY) from None


def field(name: str, what: str, fix: str) -> Problem:
    return invalid([FieldError(name, what, fix)])
