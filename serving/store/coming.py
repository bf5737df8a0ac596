"""What the protocol promises and no store does yet: each of these says so when it is called."""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from serving.store.protocol import Log, Outgoing


class Coming:
    """Taken apart as the methods come."""

    def lease(self, action: str, day: str, want: int, most: int) -> "Future[int]":
        raise NotImplementedError

    def unlease(self, action: str, day: str, number: int) -> "Future[None]":
        raise NotImplementedError

    def outbox_add(self, entries: Sequence[Outgoing]) -> "Future[int]":
        raise NotImplementedError

    def outbox(self, after: int = 0, limit: int = 100, channel: str | None = None) -> list[Outgoing]:
        raise NotImplementedError

    def outbox_due(self, now: int, limit: int = 100) -> list[Outgoing]:
        raise NotImplementedError

    def outbox_done(self, ids: Collection[str], now: int) -> "Future[int]":
        raise NotImplementedError

    def outbox_retry(self, outbox_id: str, next_at: int, error: str) -> "Future[None]":
        raise NotImplementedError

    def nudged(self, customer_id: str, trigger: str) -> int | None:
        raise NotImplementedError

    def candidates_for_nudge(self, after_customer_id: str = "", limit: int = 1_000) -> list[str]:
        raise NotImplementedError

    def changed_customers(self, after_position: int, limit: int = 10_000) -> tuple[int, list[str]]:
        raise NotImplementedError

    def erase(self, customer_ids: Collection[str], salt: str, now: int) -> "Future[dict[str, int]]":
        raise NotImplementedError

    def tombstoned(self, ids: Collection[str]) -> set[str]:
        raise NotImplementedError

    def export_customer(self, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        raise NotImplementedError

    def restrict(self, customer_id: str, on: bool, now: int) -> "Future[None]":
        raise NotImplementedError

    def expire_logs(self, before: Mapping[Log, int]) -> "Future[dict[str, int]]":
        raise NotImplementedError

    def backup(self, target: Path) -> None:
        raise NotImplementedError
