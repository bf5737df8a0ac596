"""What the guard knows of one customer: contacts, what other tools sent, and what the customer told us."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from features.frozen import quickly_made
from serving.decisions.profile import Profile

#: A ghost was drawn and withheld to measure its effect: it takes no slot of a cap.
ContactState = Literal["reserved", "claimed", "sent", "failed", "expired", "ghost"]


class Contact(NamedTuple):
    """One outbound touch of ours: reserved -> claimed -> sent or failed. Instants in microseconds UTC.

    `touched_at` is when it was claimed (or sent, where a channel forgot to claim); None before. `local_day`
    (2026-05-04) and `zone` are the customer's own at the claim. At `respond_by` silence becomes no response.
    """

    contact_id: str
    customer_id: str
    decision_id: str
    action: str
    issue: str
    group: str
    channel: str
    counts: bool
    state: ContactState
    reserved_at: int
    expires_at: int
    touched_at: int | None = None
    closed_at: int | None = None
    breach: bool = False
    tags: tuple[str, ...] = ()
    purpose: str = "marketing"
    local_day: str | None = None
    zone: str | None = None
    respond_by: int | None = None

    def holds(self, now: int) -> bool:
        """Whether it takes a slot: a reservation until it expires, a claim whether or not it was ever reported."""
        if self.state == "reserved":
            return now < self.expires_at
        return self.state in ("claimed", "sent")


class Touch(NamedTuple):
    """An outbound interaction that another tool made; whether its type is a contact is the policy's to say."""

    at: int
    channel: str
    type: str
    action: str | None = None


class Sighting(NamedTuple):
    """One inbound interaction that an action may show that we know of."""

    at: int
    type: str
    topic: str | None
    channel: str
    identified: bool
    provenance: str


class Evidence(NamedTuple):
    """The newest interaction that may be shown, or why there is none and from when on there would be."""

    newest_usable_at: int | None
    why_not: str | None = None
    passes_at: int | None = None


class Sightings(Protocol):
    """Where a customer's interactions are looked up by (type, topic, channel), None for any; newest first."""

    def of(self, type: str | None, topic: str | None, channel: str | None, /) -> list[Sighting]: ...

    def topics(self) -> list[Sighting]:
        """The newest with a topic on each channel; newest first."""


@quickly_made
@dataclass(frozen=True)
class Customer:
    """One customer as read from the store at `version`; what `decide` and `judge` are given.

    Who is several ids is one customer, whichever of them was asked for: `customer_id` is the one they go by, and the
    rest is everything that is known of all of them.

    `seen_to` is the newest instant anything was accepted or decided at: `now` never lies before it. `arm_id` is the id
    by which holdout, arms and cap levels are drawn: the one that was decided about first. `restricted`: processing is,
    so nothing is sent or sold. `sightings` looks up what they did; without it there is no evidence of anything.
    """

    customer_id: str
    version: int = 0
    profile: Profile = field(default_factory=Profile)
    contacts: tuple[Contact, ...] = ()
    touches: tuple[Touch, ...] = ()
    seen_to: int = 0
    arm_id: str = ""
    restricted: bool = False
    sightings: Sightings | None = None

    def __post_init__(self) -> None:
        if not self.arm_id:
            object.__setattr__(self, "arm_id", self.customer_id)

    def attributes(self, now: int) -> Mapping[str, Any]:
        """The newest value of each attribute that is valid and known by `now`: time_zone, country, consent ..."""
        return self.profile.attributes(now)

    def now(self, clock: int) -> int:
        """The instant to decide at: the workspace's clock, or the customer's newest interaction if that is later."""
        return max(clock, self.seen_to)
