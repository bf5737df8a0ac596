"""Decisions for an outbound audience: the service's own decisions, with what many customers share done in arrays.

audience (who) -> block (features, scores and rules in arrays) -> runner (judge, allocate, commit) -> report (a file)
"""

from serving.batch_decide import report
from serving.batch_decide.audience import audience
from serving.batch_decide.runner import Runner, Tally

__all__ = ["Runner", "Tally", "audience", "report"]
