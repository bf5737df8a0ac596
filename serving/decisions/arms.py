"""Which arms a customer is in: held out, in an impact experiment, under other caps, the challenger models'. Sticky.

All are drawn by salted hashes of `arm_id`, the id that was decided about first, so that merging identities moves nobody
to another arm.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from serving.decisions import holdout
from serving.decisions.policy import Action, Arm, ContactPolicy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Arms:
    """One customer's. An experiment's arm is for those not held out, another cap level for those in no such arm,
    challenger models for those in neither."""

    holdout: holdout.Arm
    experiment: Arm | None
    cap_level: float | None
    challenger: bool = False

    @property
    def factor(self) -> float:
        """By how much caps are scaled for this customer."""
        if self.experiment is not None and self.experiment.play == "looser_caps":
            return self.experiment.factor
        return 1.0 if self.cap_level is None else self.cap_level

    def may(self, action: Action, policy: ContactPolicy) -> bool:
        """Whether the arm lets this action be made at all: service always is."""
        return not self.silent or not policy.sells(action)

    @property
    def silent(self) -> bool:
        """Whether nothing is sold in this arm."""
        return self.holdout == "holdout" or (self.experiment is not None and self.experiment.play == "nothing")

    def as_dict(self) -> dict[str, Any]:
        experiment = None if self.experiment is None else self.experiment.name
        return {
            "holdout": self.holdout,
            "experiment": experiment,
            "cap_level": self.cap_level,
            "challenger": self.challenger,
        }


def arms(arm_id: str, policy: ContactPolicy) -> Arms:
    """Those of the customer whose arms are drawn by `arm_id`, under this policy."""
    held = holdout.arm(arm_id, policy.holdout.salt, policy.holdout.share)
    if held == "holdout":
        return Arms(held, None, None)
    if policy.experiment is not None:
        shares = ((arm, arm.share) for arm in policy.experiment.arms)
        if (arm := _drawn(arm_id, policy.experiment.salt, shares)) is not None:
            return Arms(held, arm, None)
    if policy.cap_levels is not None:
        levels = ((level.factor, level.share) for level in policy.cap_levels.levels)
        if (factor := _drawn(arm_id, policy.cap_levels.salt, levels)) is not None:
            return Arms(held, None, factor)
    rival = policy.challenger
    return Arms(held, None, None, rival is not None and holdout.position(arm_id, rival.salt) < rival.share)


def _drawn(arm_id: str, salt: str, shares: Iterable[tuple[T, float]]) -> T | None:
    """Shares lie side by side in [0, 1), in the order of the file; the rest is in none."""
    position, reached = holdout.position(arm_id, salt), 0.0
    for which, share in shares:
        reached += share
        if position < reached:
            return which
    return None
