"""Random interactions for the feature tests: nulls, ties, late arrivals, repeats, every channel and type."""

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from features.arrange import COLUMNS
from features.clock import DAY, MINUTE, parse_instant
from features.interactions import INSTANT

START = parse_instant("2024-02-28")
CHANNELS = ("web", "store", "email", "phone", "chat", "carrier pigeon")  # the last is not in the default workspace
TYPES = (
    *("purchase", "purchase", "contact", "complaint", "case_closed"),
    *("page_view", "accepted", "rejected", "sent", "survey", "unheard_of"),
)
#: Sums of both signs are exact in binary, in whatever order they are added up.
MONEY = st.integers(-(10**7), 10**9).map(lambda quarters: quarters / 4)
TOPICS = (None, "billing", "delivery", "health", " Pregnancy")

Row = dict[str, Any]


@st.composite
def instants(draw: st.DrawFn, days: int = 450) -> int:
    """Often at the exact edge of a window, and often the same as others."""
    edge = START + draw(st.integers(0, days)) * DAY
    near = (0, 0, -1, 1, DAY // 2, 30 * MINUTE, 30 * MINUTE + 1, 60 * MINUTE)
    return edge + draw(st.sampled_from(near) | st.integers(0, DAY))


@st.composite
def interactions(draw: st.DrawFn, customers: tuple[str, ...] = ("ann",), most: int = 40) -> list[Row]:
    """Rows with ids that are unique but for whole rows that are repeated."""
    rows = []
    for number in range(draw(st.integers(0, most))):
        at = draw(instants())
        late = draw(st.sampled_from((0, 0, 0, 1, DAY, 90 * DAY)))
        rows.append(
            {
                "customer_id": draw(st.sampled_from(customers)),
                "interaction_id": f"i{number}",
                "occurred_at": at,
                "received_at": at + late,
                "channel": draw(st.sampled_from(CHANNELS)),
                "direction": draw(st.sampled_from(("inbound", "outbound"))),
                "type": draw(st.sampled_from(TYPES)),
                "topic": draw(st.sampled_from(TOPICS)),
                "value": draw(st.none() | MONEY),
                "satisfaction": draw(st.none() | st.floats(0, 1)),
                "case_id": draw(st.sampled_from((None, None, "case a", "case b"))),
                "decision_id": draw(st.sampled_from((None, None, "d1"))),
                "attributes": draw(st.none() | MONEY.map(lambda money: f'{{"discount": {abs(money)}}}')),
            }
        )
    return rows


def table(rows: list[Row]) -> pa.Table:
    """Typed as the contract says."""
    types = dict.fromkeys(("occurred_at", "received_at"), pa.int64()) | dict.fromkeys(
        ("value", "satisfaction"), pa.float64()
    )
    columns = {name: pa.array([row.get(name) for row in rows], types.get(name, pa.string())) for name in COLUMNS}
    for name in ("occurred_at", "received_at"):
        columns[name] = columns[name].cast(INSTANT)
    return pa.table(columns)
