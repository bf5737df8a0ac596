"""What features of history are computed from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Past:
    """Interactions as in features/interactions.py (at least the columns that features read), attributes and links.

    `attributes`: customer_id, valid_from, JSON, received_at where later. `links`: see features/identity/resolution.py.
    `batches`: the batches that it was read from, by log of history; None where it was not read from there.
    """

    interactions: pa.Table
    attributes: pa.Table | None = None
    links: pa.Table | None = None
    batches: Mapping[str, Sequence[str]] | None = None

    @classmethod
    def of(cls, past: "Past | pa.Table") -> "Past":
        """A bare table is a past without attributes and links."""
        return past if isinstance(past, cls) else cls(past)
