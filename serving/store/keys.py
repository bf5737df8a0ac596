"""API keys: their hashes and what they may do."""

from serving.store.protocol import Conflict, Key
from serving.store.tx import Reader, Tx


def add(tx: Tx, key: Key) -> None:
    """Raises Conflict."""
    tx.alone("keys")
    taken = tx.execute("SELECT 1 FROM keys WHERE name = ? AND revoked_at IS NULL", (key.name,)).fetchone()
    if taken is not None:
        raise Conflict(f"there is a key named {key.name!r} already; revoke it or choose another name")
    tx.execute(
        "INSERT INTO keys (name, hash, scope, created_at) VALUES (?, ?, ?, ?)",
        (key.name, key.hash, key.scope, key.created_at),
    )


def listed(reader: Reader) -> list[Key]:
    rows = reader.execute("SELECT name, hash, scope, created_at, revoked_at FROM keys ORDER BY created_at")
    return [Key(*row) for row in rows]


def revoke(tx: Tx, name: str, now: int) -> bool:
    done = tx.execute("UPDATE keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL", (now, name))
    return done.rowcount > 0
