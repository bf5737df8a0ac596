"""Rules in CEL: asked about one customer (`Facts.refusal`) or about many in arrays (`refusals_many`)."""

from serving.decisions.rules.names import EVERYTHING, VARIABLES, Needs
from serving.decisions.rules.scalar import Compiled, Facts, compiled

__all__ = ["EVERYTHING", "VARIABLES", "Compiled", "Facts", "Needs", "compiled"]
