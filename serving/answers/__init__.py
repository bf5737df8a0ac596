"""What comes back over the wire, for the API page and its OpenAPI document; the engine writes the JSON itself."""

from serving.answers.common import SCOPES_OF_CALL, Answer, ProblemDetails, documented
from serving.answers.contacts import Contact
from serving.answers.decide import Decided, Scored, Versions
from serving.answers.record import AttributesRecorded, LinksRecorded, OutcomeRecorded, Receipt, Recorded

__all__ = [
    "SCOPES_OF_CALL",
    "Answer",
    "AttributesRecorded",
    "Contact",
    "Decided",
    "LinksRecorded",
    "OutcomeRecorded",
    "ProblemDetails",
    "Receipt",
    "Recorded",
    "Scored",
    "Versions",
    "documented",
]
