"""The universal holdout: a policy some of whose customers are sold nothing, so that the total can be told."""

from dataclasses import replace

import numpy as np

from features.hashing import position
from features.simulate.actions import ACTION_OF, ACTIONS, RECOVERY
from features.simulate.log import customer_ids
from features.simulate.policy import SILENCE, Choice, Policy, View
from features.workspace import WorkspaceError

#: Of each treatment, whether it sells: all but making good what went wrong, which nobody is kept from.
SELLS = np.array([ACTIONS[action].fit != RECOVERY for action in ACTION_OF])


class Holding:
    """Another policy, with this share of customers kept from being sold to: sticky, by the salted hash that the service
    draws its holdout by. The policy must say its distributions. Put it outside of `Withholding`.
    """

    def __init__(self, policy: Policy, share: float, salt: str = "tactful") -> None:
        if not 0.0 <= share < 1.0:
            raise WorkspaceError(f"the share {share!r} of customers that are held out is not in 0 to 1, 1 excluded")
        self.policy, self.share, self.salt = policy, share, salt
        self.name = policy.name
        self._held = np.zeros(0, bool)

    def held(self, customers: int) -> np.ndarray:
        """bool[n]: who is held out."""
        if len(self._held) != customers:
            ids = customer_ids(np.arange(customers)).to_pylist()
            self._held = np.array([position(one, self.salt) < self.share for one in ids])
        return self._held

    def decide(self, view: View) -> Choice:
        meant = self.policy.decide(view)
        if meant.distribution is None:
            raise WorkspaceError(f"the policy {self.name!r} does not say its distributions; nobody can be held out")
        held = self.held(view.customers)
        return replace(unsold(meant, held), held=held, intended=meant)


def unsold(meant: Choice, held: np.ndarray) -> Choice:
    """The same without anything that sells for customers `held` bool[n]; it says its distributions."""
    assert meant.distribution is not None
    kept = held[:, None] & SELLS
    distribution = meant.distribution.copy()
    distribution[:, :-1][kept] = 0.0
    distribution[:, -1] += np.where(kept, meant.distribution[:, :-1], 0.0).sum(axis=1)
    treatment, ghost = (_unless(drawn, held) for drawn in (meant.treatment, meant.ghost))
    assert treatment is not None
    return replace(
        meant,
        treatment=treatment,
        probability=np.where(held, distribution[np.arange(len(held)), treatment], meant.probability).astype(np.float32),
        distribution=distribution,
        ghost=ghost,
        ghosts=None if meant.ghosts is None else np.where(kept, np.float32(0.0), meant.ghosts),
    )


def _unless(drawn: np.ndarray | None, held: np.ndarray) -> np.ndarray | None:
    """What was drawn, or silence where it would have sold something to somebody held out."""
    if drawn is None:
        return None
    return np.where(held & (drawn != SILENCE) & SELLS[drawn], SILENCE, drawn).astype(np.int16)
