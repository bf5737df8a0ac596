"""Who is signed in to the console, and how often somebody tried: rows that every worker and machine sees.

A session is kept as the SHA-256 of its secret and of the key it was given for, so that whoever reads the database can
use neither.
"""

from collections.abc import Sequence

from serving.store.tx import Reader, Tx

#: Minutes for which tries are remembered.
REMEMBERED = 10


def begin(tx: Tx, session: str, key: str, expires_at: int, now: int) -> None:
    """Both by their hashes. Sessions that are over are forgotten."""
    tx.execute("DELETE FROM sessions WHERE expires_at <= ?", (now,))
    tx.execute("INSERT INTO sessions (hash, key_hash, expires_at) VALUES (?, ?, ?)", (session, key, expires_at))


def key_of(reader: Reader, session: str, now: int) -> str | None:
    """The hash of the key that a session was given for; None where it is over or never was."""
    row = reader.execute("SELECT key_hash FROM sessions WHERE hash = ? AND expires_at > ?", (session, now)).fetchone()
    return None if row is None else str(row[0])


def end(tx: Tx, session: str) -> None:
    tx.execute("DELETE FROM sessions WHERE hash = ?", (session,))


def tried(tx: Tx, places: Sequence[str], minute: int) -> list[int]:
    """Counts one try at each place in a minute; how many there were by now, this one included."""
    tx.execute("DELETE FROM sign_ins WHERE minute < ?", (minute - REMEMBERED,))
    for place in sorted(places):  # in one order, lest two wait for each other
        tx.execute(
            "INSERT INTO sign_ins (place, minute, tries) VALUES (?, ?, 1) "
            "ON CONFLICT (place, minute) DO UPDATE SET tries = sign_ins.tries + 1",
            (place, minute),
        )
    counted = "SELECT tries FROM sign_ins WHERE place = ? AND minute = ?"
    return [int(tx.execute(counted, (place, minute)).fetchone()[0]) for place in places]
