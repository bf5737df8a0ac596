"""An impact experiment: some customers live under plainer plays than next best action, so that each can be compared.

Arms are drawn as the service draws them (serving/decisions/arms.py): by the salted hash of the customer, shares side by
side, from those who are not held out.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from features.hashing import position
from features.simulate.actions import TREATMENTS
from features.simulate.holding import unsold
from features.simulate.liking import clicks
from features.simulate.log import customer_ids
from features.simulate.market import Market
from features.simulate.policy import PLAYS, QUIET, SILENCE, Choice, Policy, Scored, View, drawn
from features.simulate.withholding import Withholding
from features.workspace import WorkspaceError

#: Caps of next best action: so many contacts in so many days; `looser_caps` has this many times as many.
MOST, WINDOW, LOOSER = 2, 14, 4.0
SALT = "experiment"


class Rested:
    """Another policy, under a cap on contacts in any `window` days, and with days between decisions.

    It remembers its own contacts: play it from its first day on, once. The policy must say its distributions.
    """

    def __init__(self, policy: Policy, every: int, most: float = MOST, window: int = WINDOW) -> None:
        if every < 1:
            raise WorkspaceError(f"customers are considered every 1, 2 ... days, not every {every}")
        self.policy, self.every, self.most, self.window = policy, every, most, window
        self.name = policy.name
        self._made: list[np.ndarray] = []

    def decide(self, view: View) -> Choice:
        choice = self.policy.decide(view)
        assert choice.distribution is not None
        n = view.customers
        considered = view.known & ((np.arange(n) + view.day) % self.every == 0)
        recent = np.sum(self._made, axis=0) if self._made else np.zeros(n)
        rests = ~considered | (recent >= self.most)
        distribution = choice.distribution.copy()
        distribution[rests] = 0.0
        distribution[rests, -1] = 1.0
        treatment = np.where(rests, SILENCE, choice.treatment).astype(np.int16)
        self._made = [*self._made, (treatment != SILENCE).astype(np.int8)][-(self.window - 1) :]
        return Choice(treatment, distribution[np.arange(n), treatment], distribution, considered)


class Anything:
    """Any treatment that reaches the customer, alike."""

    name = "random_eligible"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def decide(self, view: View) -> Choice:
        reachable = view.reachable
        number = reachable.sum(axis=1)
        distribution = np.zeros((view.customers, len(TREATMENTS) + 1), np.float32)
        np.divide(1.0, number[:, None], out=distribution[:, :-1], where=reachable)
        distribution[number == 0, -1] = 1.0
        return drawn(distribution, np.random.default_rng((self.seed, view.day)).random(view.customers))


class Experiment:
    """Next best action for most customers, another play for `share` of them each; `ours` may hold some out."""

    def __init__(self, ours: Policy, plays: Mapping[str, Policy], share: float) -> None:
        if not 0.0 < share * len(PLAYS) < 1.0:
            raise WorkspaceError(
                f"{len(PLAYS)} arms with a share of {share!r} each: give more than 0, and less than {1 / len(PLAYS):g}"
            )
        self.ours, self.plays, self.share, self.name = ours, plays, share, ours.name
        self._arm = np.zeros(0, np.int64)

    def arm(self, customers: int) -> np.ndarray:
        """int64[n]: each customer's play as a position in PLAYS, -1 for next best action."""
        if len(self._arm) != customers:
            ids = customer_ids(np.arange(customers)).to_pylist()
            place = np.array([position(one, SALT) for one in ids])
            drawn_arm = np.searchsorted(self.share * np.arange(1, len(PLAYS) + 1), place, side="right")
            self._arm = np.where(drawn_arm < len(PLAYS), drawn_arm, -1)
        return self._arm

    def decide(self, view: View) -> Choice:
        choice = self.ours.decide(view)
        meant, arm = choice.intended or choice, self.arm(view.customers)
        if choice.held is not None:
            arm = np.where(choice.held, -1, arm)
        for k, name in enumerate(PLAYS):
            if name in self.plays:
                choice = _mixed(choice, self.plays[name].decide(view), arm == k)
        kept = unsold(choice, arm == QUIET)
        return replace(kept, intended=meant, experiment=arm)


def _mixed(choice: Choice, other: Choice, rows: np.ndarray) -> Choice:
    """The one, and of some customers bool[n] the other."""

    def of(ours: np.ndarray | None, theirs: np.ndarray | None) -> Any:
        if ours is None or theirs is None:
            return ours
        return np.where(rows[:, None] if ours.ndim > 1 else rows, theirs, ours)

    return replace(
        choice,
        treatment=of(choice.treatment, other.treatment),
        probability=of(choice.probability, other.probability),
        distribution=of(choice.distribution, other.distribution),
        considered=of(choice.considered, other.considered),
        ghost=of(choice.ghost, other.ghost),
        ghosts=of(choice.ghosts, other.ghosts),
    )


def plays(market: Market, every: int, withhold: float, seed: int) -> tuple[Policy, dict[str, Policy]]:
    """(next best action, the other plays that differ from it and contact at all), by who knows every effect.

    The market has no levers: an arm without them plays next best action, and no difference is the truth.
    """

    def worth(_: View) -> np.ndarray:
        return market.truth().net

    def liked(_: View) -> np.ndarray:
        return clicks(market)

    def of(policy: Policy, most: float = MOST) -> Policy:
        rested = Rested(policy, every, most)
        return Withholding(rested, withhold, seed) if withhold else rested

    return of(Scored("best", worth)), {
        "random_eligible": of(Anything(seed)),
        "propensity_only": of(Scored("propensity_only", liked)),
        "looser_caps": of(Scored("looser_caps", worth), MOST * LOOSER),
    }


def block(share: float) -> str:
    """What to write into contact_policy.yaml, so that a workspace knows the arms."""
    more = {"looser_caps": f", factor: {LOOSER:g}"}
    arms = [f"    - {{name: {play}, share: {share:g}, play: {play}{more.get(play, '')}}}\n" for play in PLAYS]
    return f"experiment:\n  salt: {SALT}\n  arms:\n{''.join(arms)}"
