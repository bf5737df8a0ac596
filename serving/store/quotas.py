"""Volume a day that customers share, leased in small pieces."""

from serving.store.tx import Reader, Tx


def lease(tx: Tx, action: str, day: str, want: int, most: int) -> int:
    """How many were given: at most `want`, and at most `most` a day in all."""
    tx.execute("INSERT INTO leases (action, day, granted) VALUES (?, ?, 0) ON CONFLICT DO NOTHING", (action, day))
    tx.execute("UPDATE leases SET granted = granted WHERE action = ? AND day = ?", (action, day))  # nobody else now
    (before,) = tx.execute("SELECT granted FROM leases WHERE action = ? AND day = ?", (action, day)).fetchone()
    given = max(0, min(want, most - int(before)))
    if given:
        tx.execute("UPDATE leases SET granted = granted + ? WHERE action = ? AND day = ?", (given, action, day))
    return given


def leased(reader: Reader, action: str, day: str) -> int:
    """How much of it is given out, used or not."""
    row = reader.execute("SELECT granted FROM leases WHERE action = ? AND day = ?", (action, day)).fetchone()
    return 0 if row is None else int(row[0])


def unlease(tx: Tx, action: str, day: str, number: int) -> None:
    tx.execute(
        "UPDATE leases SET granted = greatest(granted - ?, 0) WHERE action = ? AND day = ?", (number, action, day)
    )
