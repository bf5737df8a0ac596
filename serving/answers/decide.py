"""What `decide` and `score` answer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from serving.answers.common import AT, ID, Answer


class Suppression(BaseModel):
    """A rule that refused a candidate, and the moment it would pass; null: not by itself."""

    rule: str
    text: str
    passes_at: str | None


class FactorsShown(BaseModel):
    """Expected value = C x V x U x L - cost - harm.

    U is the increment: learned, else P x the stated share of responses that would not come by themselves. `positives`:
    how many responses to the action the model of P learned from. `harm_learned`: harm is a model's, of this customer;
    else it is the policy's prior.
    """

    p: float
    share: float
    u: float
    learned: bool = False
    c: float
    v: float
    lever: float
    cost: float
    harm: float
    expected_value: float
    positives: int | None = None
    harm_learned: bool = False


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


class FilledSlot(BaseModel):
    """One thing that was asked for. Candidates and distribution of the first stand in the answer itself."""

    placement: str | None
    action: str | None
    action_channel: str | None
    reasons: list[str]
    says: str | None
    contact_id: str | None
    expires_at: str | None
    claimed: bool
    candidates: list[CandidateFate] | None = None
    distribution: list[Cell] | None = None


class OpenMatter(BaseModel):
    kind: str
    case_id: str | None
    since: str
    topic: str | None


class LastTopic(BaseModel):
    topic: str
    at: str


class Likely(BaseModel):
    topic: str | None
    why: str


class AgentView(BaseModel):
    """What someone who talks to the customer should know. `help_first`: actions that help go before those that sell."""

    open: list[OpenMatter]
    complained_about_contact: str | None
    last_topics: dict[str, LastTopic]
    probably_about: Likely | None
    help_first: bool


class ArmsShown(BaseModel):
    """Which arms the customer is in: drawn once, and kept when identities merge."""

    holdout: Literal["treated", "holdout"]
    experiment: str | None
    cap_level: float | None
    challenger: bool


class Decided(Answer):
    """One decision. `action` null is a proper answer: silence, with its reasons.

    `says` is why, in words that the customer may be shown. `deferred_to` is the next allowed moment where only rules
    that pass by themselves stood in the way and the policy defers. `agent` is given for inbound requests.
    """

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
    claimed: bool = False
    says: str | None = None
    slots: list[FilledSlot]
    deferred_to: str | None = None
    agent: AgentView | None = None
    arm: Literal["treated", "holdout"]
    arms: ArmsShown | None = None
    churn: float | None
    dry_run: bool = False
    candidates: list[CandidateFate]
    distribution: list[Cell]
    versions: Versions

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "decision_id": "d-" + ID,
                    "request_id": "job-7-C1042",
                    "customer_id": "C1042",
                    "channel": "email",
                    "direction": "outbound",
                    "at": AT,
                    "action": "winback_voucher",
                    "action_channel": "email",
                    "reasons": ["winback_voucher has the highest expected value"],
                    "contact_id": "d-" + ID + ".1",
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
                                "run_id": ID,
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
    """`uplift` is U, what offering it now adds to the probability of a response; `harm` what one more contact now costs
    in money. Both null where they were not learned: decisions then go by the policy's priors."""

    action: str
    channel: str
    propensity: float | None
    uplift: float | None = None
    harm: float | None = None


class Scored(Answer):
    """What the champions say of one customer, null without one; `known` is false for a customer nobody has seen."""

    customer_id: str
    as_of: str
    known: bool
    churn: float | None
    treatments: list[TreatmentScore]
    versions: Versions
    features: dict[str, float | str | None] | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C1042",
                    "as_of": AT,
                    "known": True,
                    "churn": 0.31,
                    "treatments": [
                        {
                            "action": "winback_voucher",
                            "channel": "email",
                            "propensity": 0.12,
                            "uplift": 0.031,
                            "harm": None,
                        }
                    ],
                    "versions": {"policy": "4be1c7a90d55", "catalogue": "9f86d081884c", "models": {}},
                }
            ]
        }
    )
