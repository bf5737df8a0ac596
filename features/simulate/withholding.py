"""Ghosts: a policy some of whose contacts are drawn, logged and not made, so that effects of actions can be told."""

from dataclasses import replace

import numpy as np

from features.simulate.actions import TREATMENTS
from features.simulate.policy import SILENCE, Choice, Policy, View
from features.workspace import WorkspaceError


class Withholding:
    """Another policy, with this share of its contacts withheld at random. It must say its distributions."""

    def __init__(self, policy: Policy, share: float, seed: int = 0) -> None:
        if not 0.0 <= share < 1.0:
            raise WorkspaceError(f"the share {share!r} of contacts that are withheld is not in 0 to 1, 1 excluded")
        self.policy, self.share, self.seed = policy, share, seed
        self.name = policy.name

    def decide(self, view: View) -> Choice:
        choice = self.policy.decide(view)
        if choice.distribution is None:
            raise WorkspaceError(f"the policy {self.name!r} does not say its distributions; nothing can be withheld")
        n = view.customers
        uniform = np.random.default_rng((self.seed, view.day, len(TREATMENTS))).random(n)
        held = (choice.treatment != SILENCE) & (uniform < self.share)
        ghosts = choice.distribution[:, :-1] * np.float32(self.share)
        made = choice.distribution.copy()
        made[:, :-1] -= ghosts
        made[:, -1] += ghosts.sum(axis=1)
        treatment = np.where(held, SILENCE, choice.treatment).astype(np.int16)
        return replace(
            choice,
            treatment=treatment,
            probability=made[np.arange(n), treatment],  # silence is the last column
            distribution=made,
            ghost=np.where(held, choice.treatment, SILENCE).astype(np.int16),
            ghosts=ghosts,
        )
