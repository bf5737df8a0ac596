"""How a webhook proves that it comes from us, and came just now.

    Tactful-Timestamp: 1777896000                      seconds since 1970 at the time of sending
    Tactful-Signature: v1=HEX                          HMAC-SHA256 with the shared secret over TIMESTAMP.BODY

A receiver computes the same over the bytes it received, compares in constant time, and refuses what is older than five
minutes: a call that was recorded cannot be played again later. Within these five minutes `Tactful-Delivery`, the same
for every try of one contact, tells a repetition.
"""

import hashlib
import hmac
from collections.abc import Mapping

SIGNATURE, TIMESTAMP, DELIVERY = "Tactful-Signature", "Tactful-Timestamp", "Tactful-Delivery"
#: Seconds that a receiver's clock may differ from ours, with the way included.
WINDOW = 300
_VERSION = "v1="


def signature(secret: bytes, timestamp: int, body: bytes) -> str:
    """The value of the header Tactful-Signature."""
    return _VERSION + hmac.digest(secret, b"%d.%b" % (timestamp, body), hashlib.sha256).hex()


def headers(secret: bytes, timestamp: int, delivery: str, body: bytes) -> dict[str, str]:
    """What is sent along with a body."""
    return {
        "Content-Type": "application/json",
        DELIVERY: delivery,
        TIMESTAMP: str(timestamp),
        SIGNATURE: signature(secret, timestamp, body),
    }


def verify(secret: bytes, sent: Mapping[str, str], body: bytes, now: float, window: int = WINDOW) -> str | None:
    """None where the call is ours and fresh; else what is wrong with it. For receivers, who may copy it."""
    found = {name.lower(): value for name, value in sent.items()}
    stamp, given = found.get(TIMESTAMP.lower(), ""), found.get(SIGNATURE.lower(), "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return f"{TIMESTAMP} is missing or no number"
    if not hmac.compare_digest(signature(secret, int(stamp), body).encode(), given.encode("utf-8", "surrogateescape")):
        return f"{SIGNATURE} does not fit the body"
    if abs(now - int(stamp)) > window:
        return f"{TIMESTAMP} is more than {window} s away from now"
    return None
