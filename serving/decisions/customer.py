"""What the guard knows of one customer: contacts, what other tools sent, and what the customer told us."""

from dataclasses import dataclass, field
from typing import Literal

from serving.decisions.profile import Profile

ContactState = Literal["reserved", "claimed", "sent", "failed", "expired"]


@dataclass(frozen=True, slots=True)
class Contact:
    """One outbound touch of ours: reserved -> claimed -> sent or failed. Instants in microseconds UTC.

    `touched_at` is when it was claimed (or sent, where a channel forgot to claim); None before.
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

    def holds(self, now: int) -> bool:
        """Whether it takes a slot: a reservation until it expires, a claim whether or not it was ever reported."""
        if self.state == "reserved":
            return now < self.expires_at
        return self.state in ("claimed", "sent")


@dataclass(frozen=True, slots=True)
class Touch:
    """An outbound interaction that another tool made; whether its type is a contact is the policy's to say."""

    at: int
    channel: str
    type: str
    action: str | None = None


@dataclass(frozen=True)
class Customer:
    """One customer as read from the store at `version`; what `decide` and `judge` are given.

    Who is several ids is one customer, whichever of them was asked for: `customer_id` is the one they go by, and the
    rest is everything that is known of all of them.

    `seen_to` is the newest instant anything was accepted or decided at: `now` never lies before it.
    """

    customer_id: str
    version: int = 0
    profile: Profile = field(default_factory=Profile)
    contacts: tuple[Contact, ...] = ()
    touches: tuple[Touch, ...] = ()
    seen_to: int = 0

    def now(self, clock: int) -> int:
        """The instant to decide at: the workspace's clock, or the customer's newest interaction if that is later."""
        return max(clock, self.seen_to)
