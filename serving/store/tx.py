"""What a transaction is to the code that runs in one, and how one text of SQL serves SQLite and PostgreSQL.

The text is written as both understand it, but for a few words that each has its own for:

    ?                          a parameter, in order
    texts(?), numbers(?)       a table with the column `value`: a list of texts or integers as one parameter
    greatest(a, b), least(a, b)   the larger and the smaller of two values
    json_group_array(json_array(a, b))   rows as one JSON text, NULL or [] where there is none
    INDEXED BY index           for SQLite, which keeps no count of rows: the index of few that it would not take itself
"""

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import orjson


class Rows(Protocol):
    """What a statement returned. `rowcount` is how many rows it changed."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Reader(Protocol):
    """Each statement sees what was committed before it."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows: ...


class Tx(Reader, Protocol):
    """An open transaction."""

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> None: ...

    def load(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], /) -> None:
        """Inserts many rows."""

    def each(self, sql: str, rows: Sequence[Sequence[Any]], /) -> list[bool]:
        """The same statement for every row of parameters: whether each changed a row."""

    def lock(self, customer_ids: Collection[str], /) -> None:
        """Nobody else changes these customers, nor the persons they are, before this transaction ends."""

    def alone(self, matter: str, /) -> None:
        """Nobody else is in this matter before this transaction ends."""

    def beside(self, matters: Collection[str], /) -> None:
        """Nobody is alone in these matters before this transaction ends; others may be beside it in them, too."""


@lru_cache(maxsize=1_000)
def for_sqlite(sql: str) -> str:
    return (
        re.sub(r"\b(texts|numbers)\(\?\)", "json_each(?)", sql).replace("greatest(", "max(").replace("least(", "min(")
    )


@lru_cache(maxsize=1_000)
def for_postgres(sql: str) -> str:
    sql = sql.replace("texts(?)", "unnest(?::text[]) AS list(value)")
    sql = sql.replace("numbers(?)", "unnest(?::bigint[]) AS list(value)")
    sql = sql.replace("json_group_array(", "json_agg(").replace("json_array(", "json_build_array(")
    sql = re.sub(r" INDEXED BY \w+", "", sql)
    return sql.replace("?", "%s")


def listed(value: Any) -> Any:
    """A list as SQLite takes it: as JSON; no Python object for each number of an array."""
    if isinstance(value, np.ndarray):
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    if isinstance(value, (list, tuple, set, frozenset)):
        return orjson.dumps(list(value)).decode()
    return value


def arrayed(value: Any) -> Any:
    """A list as PostgreSQL takes it: as an array. Its texts have no null byte: no id that we accept has one, either."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd") if "\0" in value else value
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [arrayed(each) for each in value] if isinstance(value, (list, tuple, set, frozenset)) else value
