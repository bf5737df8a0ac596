"""What features of history are computed from."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Past:
    """Interactions as in features/interactions.py (at least the columns that features read), attributes and links.

    `attributes`: customer_id, valid_from, JSON, received_at where later. `links`: see features/identity/resolution.py.
    """

    interactions: pa.Table
    attributes: pa.Table | None = None
    links: pa.Table | None = None

    @classmethod
    def of(cls, past: "Past | pa.Table") -> "Past":
        """A bare table is a past without attributes and links."""
        return past if isinstance(past, cls) else cls(past)
