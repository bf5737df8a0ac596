"""The interaction contract: one thing that happened between a customer and the company on a channel."""

import pyarrow as pa

INSTANT = pa.timestamp("us", tz="UTC")

#: Every interaction, in history and on the wire, has exactly these columns.
SCHEMA = pa.schema(
    [
        pa.field("interaction_id", pa.string(), nullable=False),
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("occurred_at", INSTANT, nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("direction", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("topic", pa.string()),
        pa.field("case_id", pa.string()),
        pa.field("decision_id", pa.string()),
        pa.field("action", pa.string()),
        pa.field("satisfaction", pa.float64()),
        pa.field("identified", pa.bool_(), nullable=False),
        pa.field("provenance", pa.string(), nullable=False),
        pa.field("received_at", INSTANT, nullable=False),
        pa.field("attributes", pa.string()),
    ]
)

CHANNELS = ("web", "store", "social", "phone", "mobile_app", "email", "chat", "advertising")
DIRECTIONS = ("inbound", "outbound")
PROVENANCES = ("declared", "observed", "inferred")

#: Interaction types that the product itself gives a meaning to. Any other type is welcome.
#: A case is open from `complaint` or `case_opened` until `case_closed` with the same `case_id`.
CASE_OPENING = ("complaint", "case_opened")
CASE_CLOSING = ("case_closed",)
CONSENT_GIVEN = "consent_given"
OPTED_OUT = "opted_out"
#: What became of an action, reported as an interaction of this type that carries `decision_id` or `action`.
OUTCOMES = (
    "pending",
    "sent",
    "failed",
    "impression",
    "clicked",
    "accepted",
    "rejected",
    "no_response",
    "opted_out",
    "complained",
)
