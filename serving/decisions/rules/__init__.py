"""Rules in CEL: asked about one customer (`Facts.refusal`) or about many in arrays (`refusals_many`)."""

from serving.decisions.rules.arrays import FALSE, HOLDS, UNANSWERED, facts_of, refusals_many
from serving.decisions.rules.columns import MISSING, Column
from serving.decisions.rules.names import EVERYTHING, VARIABLES, Needs
from serving.decisions.rules.plain import Plain
from serving.decisions.rules.scalar import Compiled, Facts, compiled, together

__all__ = [
    "EVERYTHING",
    "FALSE",
    "HOLDS",
    "MISSING",
    "UNANSWERED",
    "VARIABLES",
    "Column",
    "Compiled",
    "Facts",
    "Needs",
    "Plain",
    "compiled",
    "facts_of",
    "refusals_many",
    "together",
]
