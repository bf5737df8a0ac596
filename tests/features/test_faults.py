"""What the machine refuses is one line and exit code 2; what is nobody's fault but ours stays a traceback."""

import errno
import os
import sqlite3

import pytest
import typer

from features import faults
from features.console import command


def full_database() -> sqlite3.Error:
    """A real error of SQLite's: a database that may not grow."""
    base = sqlite3.connect(":memory:")
    base.execute("pragma max_page_count = 2")
    with pytest.raises(sqlite3.Error) as raised:
        base.execute("create table t as select zeroblob(100000)")
    base.close()
    return raised.value


def wrapped(cause: Exception) -> Exception:
    try:
        raise ValueError("of a library that says nothing of it") from cause
    except ValueError as error:
        return error


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/there/file")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (full_disk, "/there/file: No space left on device; see to it"),
        (lambda: wrapped(full_disk()), "/there/file: No space left on device; see to it"),
        (lambda: wrapped(full_database()), "a database of the workspace cannot be written: database or disk is full"),
    ],
    ids=["disk", "wrapped", "database"],
)
def test_what_the_machine_refuses_is_one_line(capsys, error, words):
    @command
    def broken() -> None:
        raise error()

    with pytest.raises(typer.Exit) as left:
        broken()
    assert left.value.exit_code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "error", [ValueError("ours"), sqlite3.OperationalError("no such table"), FileNotFoundError(2, "x")]
)
def test_what_is_ours_stays_an_error(error):
    @command
    def broken() -> None:
        raise error

    assert faults.told(error) is None
    with pytest.raises(type(error)):
        broken()


def test_our_own_mistake_while_a_refusal_is_handled_is_not_told_as_the_refusal():
    def mistaken() -> None:
        try:
            raise full_disk()
        except OSError as error:
            {}[error.errno]

    def another() -> None:
        try:
            raise full_disk()
        except OSError:
            raise ValueError("ours") from None

    for work, kind in ((mistaken, KeyError), (another, ValueError)):
        with pytest.raises(kind) as raised:
            work()
        assert faults.told(raised.value) is None


def test_what_the_front_door_adds_is_told_too(monkeypatch):
    class Away(Exception):
        pass

    assert faults.told(Away("the store is away")) is None
    monkeypatch.setattr(faults, "more", [Away])
    assert faults.told(wrapped(Away("the store is away"))).startswith("the store is away; see to it")
