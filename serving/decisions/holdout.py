"""The universal holdout: who is kept uncontacted, decided once by a salted hash of the customer."""

import hashlib
from typing import Literal

Arm = Literal["treated", "holdout"]


def position(customer_id: str, salt: str) -> float:
    """Where a customer falls in [0, 1): uniform over customers, the same for ever for one salt."""
    digest = hashlib.sha256(f"{salt}\x1f{customer_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def arm(customer_id: str, salt: str, share: float) -> Arm:
    """A larger share keeps everyone who was held out before."""
    return "holdout" if position(customer_id, salt) < share else "treated"
