"""What goes over the wire: the requests, strict, with examples that feed the API page."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic.json_schema import WithJsonSchema

from features import clock
from features.interactions import DIRECTIONS, OUTCOMES, PROVENANCES

MAX_ROWS = 1_000
#: A JSON object with more fields than this breaks every contract of ours.
MAX_FIELDS = 100
_TEXT = r"^[^\x00-\x1f\x7f]+$"

#: An identifier or a word: no control characters (a null byte would cut it short in other tools).
Word = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=200, pattern=_TEXT)]
Number = Annotated[float, Strict()]


def _instant(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("should be a date and time in quotes, e.g. 2026-05-04T18:30:00Z")  # noqa: TRY004
    return clock.parse_instant(value)


def _small(value: dict[str, Any]) -> dict[str, Any]:
    try:
        length = len(orjson.dumps(value))
    except orjson.JSONEncodeError:
        raise ValueError("is nested too deeply") from None
    if length > 16_384:
        raise ValueError("should be at most 16,384 bytes of JSON")
    return value


#: Microseconds UTC inside, ISO 8601 on the wire; without a zone it is UTC.
Instant = Annotated[
    int,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2017-12-30T18:30:00Z"]}),
]
Attributes = Annotated[dict[str, Any], AfterValidator(_small)]


class Request(BaseModel):
    """Unknown fields, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Placement(Request):
    """A slot with a name, filled with an action that fits it."""

    name: Word = Field(examples=["hero"])
    channel: Word | None = Field(None, description="where it is; default: the request's channel")
    tags: list[Word] = Field([], max_length=20, description="an action fits with any of these tags; none: all fit")


class DecideRequest(Request):
    """Asks for the next best action for one customer on one channel, or for several."""

    customer_id: Word = Field(examples=["C1042"])
    channel: Word | None = Field(
        None, examples=["email"], description="a channel of the workspace; left out: any of them"
    )
    direction: Literal["outbound", "inbound"] = Field(
        "outbound",
        description="outbound: we would reach out, so caps bind; inbound: the customer is here, only consent and "
        "topic rules bind",
    )
    request_id: Word | None = Field(
        None,
        description="your idempotency key: asking again with it returns the first answer",
        examples=["job-7-C1042"],
    )
    context: Attributes = Field({}, description="values that rules may use", examples=[{"page": "basket"}])
    limit: Annotated[int, Strict(), Field(ge=1, le=20)] = Field(1, description="at most this many different actions")
    placements: list[Placement] = Field([], max_length=20, description="named slots to fill, the most important first")
    dry_run: Annotated[bool, Strict()] = Field(False, description="only say what it would be; leaves no trace")
    claim: Annotated[bool, Strict()] = Field(False, description="a live channel sends at once: claim what is reserved")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"customer_id": "C1042", "channel": "email", "request_id": "job-7-C1042"}]}
    )

    @field_validator("placements")
    @classmethod
    def _distinct(cls, placements: list[Placement]) -> list[Placement]:
        names = [placement.name for placement in placements]
        if len(set(names)) != len(names):
            raise ValueError("two have the same name; give each a name of its own")
        return placements

    @model_validator(mode="after")
    def _either(self) -> "DecideRequest":
        if self.placements and self.limit != 1:
            raise ValueError("takes either `limit` or `placements`, not both; send one of them")
        return self


class ExplainRequest(DecideRequest):
    """Asks what a decision would be, and why; changes nothing."""

    at: Instant | None = Field(None, description="default: now; as of a later instant, if nothing else happens")

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer_id": "C1042", "channel": "email"}]})


class ScoreRequest(Request):
    """Asks for the models' probabilities, without any decision."""

    customer_id: Word = Field(examples=["C1042"])
    features: Annotated[bool, Strict()] = Field(False, description="also return the feature vector")

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer_id": "C1042"}]})


class Interaction(Request):
    """One thing that happened between a customer and the company on a channel."""

    interaction_id: Word = Field(examples=["web-81723"], description="unique: the idempotency key")
    customer_id: Word = Field(examples=["C1042"])
    occurred_at: Instant
    channel: Word = Field(examples=["web"], description="a channel of the workspace")
    direction: Literal[DIRECTIONS] = Field(  # type: ignore[valid-type]
        "inbound", description="inbound: the customer came; outbound: we reached out"
    )
    type: Word = Field(examples=["purchase"], description="purchase, page_view, complaint, consent_given ...")
    value: Number | None = Field(None, description="money, in the workspace's currency", examples=[24.9])
    topic: Word | None = Field(None, examples=["delivery"])
    case_id: Word | None = Field(None, description="opens and closes a service case")
    decision_id: Word | None = Field(None, description="the decision that caused this")
    action: Word | None = None
    satisfaction: Annotated[float, Strict(), Field(ge=0, le=1)] | None = Field(None, examples=[0.8])
    identified: Annotated[bool, Strict()] = Field(True, description="signed in, or recognised with consent")
    provenance: Literal[PROVENANCES] = "observed"  # type: ignore[valid-type]
    attributes: Attributes | None = None


def _any_row(schema: dict[str, Any]) -> None:
    schema["items"] = {"anyOf": [{"$ref": "#/components/schemas/Interaction"}, {}]}


class InteractionBatch(Request):
    """Up to 1,000 interactions. A row that breaks the contract is quarantined with its reason, the others are taken."""

    interactions: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS, json_schema_extra=_any_row)]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "interactions": [
                        {
                            "interaction_id": "web-81723",
                            "customer_id": "C1042",
                            "occurred_at": "2017-12-30T18:30:00Z",
                            "channel": "web",
                            "type": "purchase",
                            "value": 24.9,
                            "topic": "books",
                        }
                    ]
                }
            ]
        }
    )


class AttributeRecord(Request):
    """What is true of a customer from an instant on, until a later record says otherwise, key by key."""

    customer_id: Word = Field(examples=["C1042"])
    valid_from: Instant | None = Field(None, description="default: now; say it where the call may be repeated")
    attributes: Attributes = Field(
        min_length=1,
        description="null takes a key back; `attributes` in tactful.yaml declares which keys are features",
        examples=[{"segment": "gold", "age": 41}],
    )
    record_id: Word | None = Field(None, description="your idempotency key; default: the content itself")


def _any_record(schema: dict[str, Any]) -> None:
    schema["items"] = {"anyOf": [{"$ref": "#/components/schemas/AttributeRecord"}, {}]}


class AttributeBatch(Request):
    """Up to 1,000 records. One that cannot be taken is quarantined with its reason, the others are taken."""

    records: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS, json_schema_extra=_any_record)]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "records": [
                        {
                            "customer_id": "C1042",
                            "valid_from": "2017-12-30T18:30:00Z",
                            "attributes": {"segment": "gold", "age": 41},
                        }
                    ]
                }
            ]
        }
    )


class Identification(Request):
    """An identifier belongs to a customer from an instant on (link), no longer does (unlink), or is erased for good."""

    identifier: Word = Field(examples=["ann@example.com"])
    kind: Word | None = Field(
        None,
        examples=["email"],
        description="`customer`, or one of `identity.kinds` in tactful.yaml; strong ones merge customers, weak ones "
        "follow one; not needed to erase",
    )
    customer_id: Word | None = Field(None, examples=["C1042"], description="whose it is; not needed to erase")
    valid_from: Instant | None = Field(
        None, description="default: now, and then a link that stands already is a duplicate"
    )
    op: Literal["link", "unlink", "erase"] = "link"
    link_id: Word | None = Field(None, description="your idempotency key; default: the content itself")


def _any_link(schema: dict[str, Any]) -> None:
    schema["items"] = {"anyOf": [{"$ref": "#/components/schemas/Identification"}, {}]}


class IdentifierBatch(Request):
    """Up to 1,000 links. One that cannot be taken is quarantined with its reason, the others are taken."""

    identifiers: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS, json_schema_extra=_any_link)]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "identifiers": [
                        {"identifier": "ann@example.com", "kind": "email", "customer_id": "C1042"},
                        {"identifier": "cookie-7f3a", "kind": "cookie", "customer_id": "C1042"},
                    ]
                }
            ]
        }
    )


class OutcomeRequest(Request):
    """What became of a decision."""

    decision_id: Word = Field(examples=["d-01JF3V8QYB"])
    outcome: Literal[OUTCOMES] = Field(examples=["accepted"])  # type: ignore[valid-type]
    outcome_id: Word | None = Field(
        None, description="your idempotency key; without it the same outcome of a decision counts once"
    )
    action: Word | None = Field(None, description="which of the decision's actions; default: that of its first slot")
    occurred_at: Instant | None = Field(None, description="default: now")
    channel: Word | None = Field(None, description="where it happened; default: the channel it was decided for")
    value: Number | None = Field(None, description="money, e.g. of the purchase made")

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"decision_id": "d-c1f0a6f2f3c94d55a7c0a3c1b2d4e5f6", "outcome": "accepted", "value": 40.0}]
        }
    )


class ClaimRequest(Request):
    """An optional body of `claim`."""

    claim_id: Word | None = Field(
        None,
        description="an id of this claim: asked again with it, where the answer got lost, the answer is the same",
        examples=["mailer-7-batch-31-2"],
    )

    model_config = ConfigDict(json_schema_extra={"examples": [{"claim_id": "mailer-7-batch-31-2"}]})


class ReportRequest(Request):
    """An optional body of `failed`."""

    detail: Word | None = Field(
        None, description="what the channel says, e.g. a provider's message", examples=["bounced"]
    )

    model_config = ConfigDict(json_schema_extra={"examples": [{"detail": "bounced"}]})
