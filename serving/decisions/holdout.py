"""The universal holdout: who is kept uncontacted, decided once by a salted hash of the customer."""

from typing import Literal

from features.hashing import position as position

Arm = Literal["treated", "holdout"]


def arm(customer_id: str, salt: str, share: float) -> Arm:
    """A larger share keeps everyone who was held out before."""
    return "holdout" if position(customer_id, salt) < share else "treated"
