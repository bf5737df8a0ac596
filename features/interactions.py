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
#: What customers ask of us beyond yes and no. A pause is until the instant in its attributes: {"until": "2026-08-01"}.
LESS_OFTEN, AS_USUAL, PAUSED = "contact_less_often", "contact_as_usual", "contact_paused"
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

#: What the customer did with a contact: a wanted response, and any sign that it was not ignored.
RESPONSES = ("accepted", "clicked", "email_click")
REACTIONS = (*RESPONSES, "rejected", "opted_out", "complained")
#: Outbound types that are no contact: they report the fate of one, or the work on a case.
NOT_CONTACTS = (
    *OUTCOMES,
    "delivered",
    "bounced",
    "receipt",
    "email_open",
    "email_click",
    *CASE_OPENING,
    *CASE_CLOSING,
    CONSENT_GIVEN,
)
#: How the customer feels about the company, not about one interaction.
SURVEY = "survey"

#: The customer asks for help.
HELP_REQUESTS = ("call", "message", "chat", "ticket", *CASE_OPENING)

#: Where customers help themselves, and where a person helps them.
DIGITAL = ("web", "mobile_app", "social", "email", "advertising")
ASSISTED = ("phone", "chat")

#: Types that a categorical feature can name; every other type is `other` to it. Append, never reorder.
NAMED_TYPES = (
    "other",
    "purchase",
    "refund",
    "page_view",
    "search",
    "add_to_cart",
    "login",
    "visit",
    "call",
    "message",
    "complaint",
    "case_opened",
    "survey",
    "email_open",
    "clicked",
    "accepted",
    "rejected",
    "opted_out",
)

#: How much of a quarter's tolerable load one contact is, by channel. Godfrey, Seiders and Voss (Journal of Marketing
#: 75(4), 2011) found about 3 calls, 4 e-mails or 10 letters a quarter; the other channels are our assumption.
PRESSURE = {
    "phone": 1 / 3,
    "email": 1 / 4,
    "mail": 1 / 10,
    "chat": 1 / 4,
    "mobile_app": 1 / 6,
    "social": 1 / 10,
    "store": 1 / 4,
    "web": 1 / 20,
    "advertising": 1 / 30,
}
#: Of a channel that is not listed.
OTHER_PRESSURE = 1 / 4
