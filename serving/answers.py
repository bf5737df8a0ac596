"""What comes back over the wire, for the API page and its OpenAPI document; the engine writes the JSON itself."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from serving.problems import KINDS, MEDIA_TYPE

_AT = "2026-05-04T18:30:00Z"
_ID = "c1f0a6f2f3c94d55a7c0a3c1b2d4e5f6"


class Answer(BaseModel):
    model_config = ConfigDict(extra="allow")


class ProblemField(BaseModel):
    field: str
    what: str
    fix: str


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ProblemField]


class Suppression(BaseModel):
    """A rule that refused a candidate, and the moment it would pass; null: not by itself."""

    rule: str
    text: str
    passes_at: str | None


class FactorsShown(BaseModel):
    """Expected value = C x V x U x L - cost - harm; U = P x share of responses that would not come by themselves."""

    p: float
    share: float
    u: float
    c: float
    v: float
    lever: float
    cost: float
    harm: float
    expected_value: float


class CandidateFate(BaseModel):
    """What became of one candidate: chosen, or the first stage that refused it and every rule that tripped."""

    action: str
    channel: str
    stage: str
    reason: str
    probability: float
    suppressed_by: list[Suppression] = []
    passes_at: str | None = None
    factors: FactorsShown | None = None


class Cell(BaseModel):
    """One cell of the distribution that the answer was drawn from; silence has no action."""

    action: str | None
    channel: str | None
    ghost: bool
    probability: float


class ModelVersion(BaseModel):
    version: str
    run_id: str
    horizon_days: int
    trained_at: str


class Versions(BaseModel):
    policy: str
    catalogue: str
    models: dict[str, ModelVersion]


class Decided(Answer):
    """One decision. `action` null is a proper answer: silence, with its reasons."""

    decision_id: str
    request_id: str | None
    customer_id: str
    channel: str | None
    direction: Literal["outbound", "inbound"]
    at: str
    action: str | None
    action_channel: str | None
    reasons: list[str]
    contact_id: str | None
    expires_at: str | None
    arm: Literal["treated", "holdout"]
    churn: float | None
    candidates: list[CandidateFate]
    distribution: list[Cell]
    versions: Versions

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "decision_id": "d-" + _ID,
                    "request_id": "job-7-C1042",
                    "customer_id": "C1042",
                    "channel": "email",
                    "direction": "outbound",
                    "at": _AT,
                    "action": "winback_voucher",
                    "action_channel": "email",
                    "reasons": ["winback_voucher has the highest expected value"],
                    "contact_id": "d-" + _ID + ".1",
                    "expires_at": "2026-05-05T18:30:00Z",
                    "arm": "treated",
                    "churn": 0.31,
                    "candidates": [
                        {
                            "action": "winback_voucher",
                            "channel": "email",
                            "stage": "chosen",
                            "reason": "highest expected value",
                            "probability": 0.97,
                            "factors": {
                                "p": 0.12,
                                "share": 0.2,
                                "u": 0.024,
                                "c": 1.0,
                                "v": 40.0,
                                "lever": 1.0,
                                "cost": 0.01,
                                "harm": 0.02,
                                "expected_value": 0.93,
                            },
                        },
                        {
                            "action": "newsletter",
                            "channel": "email",
                            "stage": "guard",
                            "reason": "cap group news: 1 per 7d",
                            "probability": 0.0,
                            "suppressed_by": [
                                {
                                    "rule": "cap group news: 1 per 7d",
                                    "text": "1 contact in the last 7 days, at most 1",
                                    "passes_at": "2026-05-08T09:00:00Z",
                                }
                            ],
                            "passes_at": "2026-05-08T09:00:00Z",
                        },
                    ],
                    "distribution": [
                        {"action": "winback_voucher", "channel": "email", "ghost": False, "probability": 0.97},
                        {"action": None, "channel": None, "ghost": False, "probability": 0.03},
                    ],
                    "versions": {
                        "policy": "4be1c7a90d55",
                        "catalogue": "9f86d081884c",
                        "models": {
                            "churn": {
                                "version": "3",
                                "run_id": _ID,
                                "horizon_days": 28,
                                "trained_at": "2026-05-01T04:00:00Z",
                            }
                        },
                    },
                }
            ]
        },
    )


class TreatmentScore(BaseModel):
    action: str
    channel: str
    propensity: float | None


class Scored(Answer):
    """The champions' probabilities for one customer; `known` is false for a customer nobody has seen."""

    customer_id: str
    as_of: str
    known: bool
    churn: float
    treatments: list[TreatmentScore]
    versions: Versions
    features: dict[str, float | str | None] | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C1042",
                    "as_of": _AT,
                    "known": True,
                    "churn": 0.31,
                    "treatments": [{"action": "winback_voucher", "channel": "email", "propensity": 0.12}],
                    "versions": {"policy": "4be1c7a90d55", "catalogue": "9f86d081884c", "models": {}},
                }
            ]
        }
    )


class Quarantined(BaseModel):
    """A row that was not taken: its position in the batch, from 0, and why."""

    position: int
    interaction_id: str | None
    errors: list[ProblemField]


class Recorded(Answer):
    """received = accepted + duplicates + quarantined, always. What is accepted is on disk."""

    received: int
    accepted: int
    duplicates: int
    quarantined: int
    quarantine: list[Quarantined]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "received": 3,
                    "accepted": 1,
                    "duplicates": 1,
                    "quarantined": 1,
                    "quarantine": [
                        {
                            "position": 2,
                            "interaction_id": "web-81725",
                            "errors": [
                                {
                                    "field": "interactions.2.value",
                                    "what": "should be a valid number (found 'ten')",
                                    "fix": "send a finite number, or null where it is unknown",
                                }
                            ],
                        }
                    ],
                }
            ]
        }
    )


class RefusedRecord(BaseModel):
    """A record that was not taken: its position in the batch, from 0, and why."""

    position: int
    customer_id: str | None
    errors: list[ProblemField]


class AttributesRecorded(Answer):
    """received = accepted + duplicates + quarantined, always. What is accepted is on disk."""

    received: int
    accepted: int
    duplicates: int
    quarantined: int
    quarantine: list[RefusedRecord]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "received": 2,
                    "accepted": 1,
                    "duplicates": 0,
                    "quarantined": 1,
                    "quarantine": [
                        {
                            "position": 1,
                            "customer_id": "C1042",
                            "errors": [
                                {
                                    "field": "records.1.attributes",
                                    "what": "should be a valid dictionary (found 'gold')",
                                    "fix": "send an object with string keys",
                                }
                            ],
                        }
                    ],
                }
            ]
        }
    )


class RefusedLink(BaseModel):
    """A link that was not taken: its position in the batch, from 0, and why."""

    position: int
    identifier: str | None
    errors: list[ProblemField]


class LinksRecorded(Answer):
    """received = accepted + duplicates + quarantined, always. What is accepted is on disk, and counts from now on."""

    received: int
    accepted: int
    duplicates: int
    quarantined: int
    quarantine: list[RefusedLink]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "received": 2,
                    "accepted": 1,
                    "duplicates": 0,
                    "quarantined": 1,
                    "quarantine": [
                        {
                            "position": 1,
                            "identifier": "unknown",
                            "errors": [
                                {
                                    "field": "identifiers.1.identifier",
                                    "what": "'unknown' stands for an unknown one",
                                    "fix": "leave it out: linking by it would merge strangers",
                                }
                            ],
                        }
                    ],
                }
            ]
        }
    )


class OutcomeRecorded(Answer):
    """`accepted` is false where this outcome was known already."""

    outcome_id: str
    decision_id: str
    customer_id: str
    outcome: str
    accepted: bool

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "outcome_id": "outcome:d-" + _ID + ":accepted",
                    "decision_id": "d-" + _ID,
                    "customer_id": "C1042",
                    "outcome": "accepted",
                    "accepted": True,
                }
            ]
        }
    )


class Contact(Answer):
    """Where a contact stands: reserved, claimed, sent, failed or expired."""

    contact_id: str
    decision_id: str
    customer_id: str
    action: str
    channel: str
    state: Literal["reserved", "claimed", "sent", "failed", "expired"]
    reserved_at: str
    expires_at: str
    claimed_at: str | None
    closed_at: str | None
    breach: bool

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "contact_id": "d-" + _ID + ".1",
                    "decision_id": "d-" + _ID,
                    "customer_id": "C1042",
                    "action": "winback_voucher",
                    "channel": "email",
                    "state": "claimed",
                    "reserved_at": _AT,
                    "expires_at": "2026-05-05T18:30:00Z",
                    "claimed_at": "2026-05-04T18:31:00Z",
                    "closed_at": None,
                    "breach": False,
                }
            ]
        }
    )


_ALWAYS = (400, 401, 413, 415, 422, 500, 503, 504)


def documented(model: type[BaseModel], *statuses: int) -> dict[str, Any]:
    """FastAPI's keywords for a call that answers with `model`, or with a problem of one of the statuses."""
    titles = dict(KINDS.values())
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    responses: dict[int, dict[str, Any]] = {200: {"model": model, "description": "done"}}
    for status in sorted({*_ALWAYS, *statuses}):
        # the model makes FastAPI list the schema; the content says under which media type it is sent
        responses[status] = {"description": titles[status], "content": {MEDIA_TYPE: {"schema": schema}}}
    return {"responses": responses}
