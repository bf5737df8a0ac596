"""The question that a decision answers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from features.frozen import quickly_made

Direction = Literal["inbound", "outbound"]


@dataclass(frozen=True)
class Placement:
    """A slot with a name, such as a banner: filled from one channel (None: the request's), and by tags if it has any.

    An action fits where it carries at least one of the tags.
    """

    name: str
    channel: str | None = None
    tags: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "channel": self.channel, "tags": list(self.tags)}


@quickly_made
@dataclass(frozen=True)
class Request:
    """One question: what now for this customer? `channel` None asks about every channel.

    `limit` asks for up to so many different actions, `placements` for one each. `only` considers one action (a nudge).
    A dry run reserves nothing. `decision_id` is given by the caller, so that deciding stays a pure function.
    `fingerprint` tells a retry of the same `request_id` from another question under the same id.
    """

    customer_id: str
    decision_id: str
    channel: str | None = None
    direction: Direction = "outbound"
    request_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    limit: int = 1
    placements: tuple[Placement, ...] = ()
    dry_run: bool = False
    only: str | None = None

    @property
    def slots(self) -> tuple[Placement | None, ...]:
        """What is to be filled, in order: each placement, or `limit` nameless ones."""
        return self.placements or (None,) * max(self.limit, 1)

    @property
    def fingerprint(self) -> str:
        content: list[Any] = [self.customer_id, self.channel, self.direction, dict(self.context)]
        if more := self._more():
            content.append(more)
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]

    def as_dict(self) -> dict[str, Any]:
        return {
            "request_id": self.request_id,
            "customer_id": self.customer_id,
            "channel": self.channel,
            "direction": self.direction,
            "context": dict(self.context),
            **self._more(),
        }

    def _more(self) -> dict[str, Any]:
        """What most requests do not ask for."""
        found: dict[str, Any] = {}
        if self.limit != 1:
            found["limit"] = self.limit
        if self.placements:
            found["placements"] = [placement.as_dict() for placement in self.placements]
        if self.dry_run:
            found["dry_run"] = True
        if self.only is not None:
            found["only"] = self.only
        return found

    @classmethod
    def of(cls, logged: Mapping[str, Any]) -> "Request":
        """The request of a decision as logged."""
        return cls(
            customer_id=logged["customer_id"],
            decision_id=logged["decision_id"],
            channel=logged["channel"],
            direction=logged["direction"],
            request_id=logged["request_id"],
            context=logged["context"],
            limit=logged.get("limit", 1),
            placements=tuple(
                Placement(given["name"], given["channel"], tuple(given["tags"]))
                for given in logged.get("placements", ())
            ),
            dry_run=logged.get("dry_run", False),
            only=logged.get("only"),
        )
