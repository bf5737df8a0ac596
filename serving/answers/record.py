"""What recording answers: a receipt for a batch, in which every row is accounted for, or for one outcome."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from serving.answers.common import ID, Answer, ProblemField


class Receipt(Answer):
    """received = accepted + duplicates + quarantined, always. What is accepted is on disk."""

    received: int
    accepted: int
    duplicates: int
    quarantined: int


class Refused(BaseModel):
    """A row that was not taken: its position in the batch, from 0, and why."""

    position: int
    errors: list[ProblemField]


def _example(accepted: int, duplicates: int, refused: dict[str, Any], field: str, what: str, fix: str) -> ConfigDict:
    """A receipt in which the last row was refused, for one reason."""
    row = {"position": accepted + duplicates, **refused, "errors": [{"field": field, "what": what, "fix": fix}]}
    count = {"received": accepted + duplicates + 1, "accepted": accepted, "duplicates": duplicates, "quarantined": 1}
    return ConfigDict(json_schema_extra={"examples": [{**count, "quarantine": [row]}]})


class Quarantined(Refused):
    interaction_id: str | None


class Recorded(Receipt):
    quarantine: list[Quarantined]

    model_config = _example(
        1,
        1,
        {"interaction_id": "web-81725"},
        "interactions.2.value",
        "should be a valid number (found 'ten')",
        "send a finite number, or null where it is unknown",
    )


class RefusedRecord(Refused):
    customer_id: str | None


class AttributesRecorded(Receipt):
    quarantine: list[RefusedRecord]

    model_config = _example(
        1,
        0,
        {"customer_id": "C1042"},
        "records.1.attributes",
        "should be a valid dictionary (found 'gold')",
        "send an object with string keys",
    )


class RefusedLink(Refused):
    identifier: str | None


class LinksRecorded(Receipt):
    """received = accepted + duplicates + quarantined, always. What is accepted is on disk, and counts from now on."""

    quarantine: list[RefusedLink]

    model_config = _example(
        1,
        0,
        {"identifier": "unknown"},
        "identifiers.1.identifier",
        "'unknown' stands for an unknown one",
        "leave it out: linking by it would merge strangers",
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
                    "outcome_id": "outcome:d-" + ID + ":accepted",
                    "decision_id": "d-" + ID,
                    "customer_id": "C1042",
                    "outcome": "accepted",
                    "accepted": True,
                }
            ]
        }
    )
