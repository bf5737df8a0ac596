"""From earlier decisions to what every treatment causes: per action on all its channels, then on each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serving.decisions.effects import Effects, Trees
from training.uplift import regress
from training.uplift.logged.choose import Arm, learn
from training.uplift.logged.decisions import Decisions, Treatment
from training.uplift.logged.learners import Learned
from training.uplift.logged.outcomes import Goal
from training.uplift.logged.pairs import Pairs, pairs
from training.uplift.logged.shrink import Shrunk, shrunk

FOLDS = 4
#: An action with fewer decisions with or without it has no effect of its own; nor has a channel with fewer with it.
FEWEST, FEWEST_ON_CHANNEL = 100, 20
#: Rows that the expectation of an outcome is learned from, at most: more makes it hardly better.
EXPECTED_FROM = 120_000
ALL_CHANNELS = "as on all channels"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class World:
    """Everything that is learned from: decisions, their inputs float64[n, p], and by action its goal, its group, and
    the share of its responses that are stated to be caused. `reward` and `known`, float and bool[n], by goal.

    `residual` float[n] by goal: the reward less what is expected of the customer whatever is done.
    """

    decisions: Decisions
    inputs: np.ndarray
    goals: Mapping[str, Goal]
    groups: Mapping[str, str]
    shares: Mapping[str, float]
    reward: Mapping[Goal, np.ndarray]
    known: Mapping[Goal, np.ndarray]
    residual: Mapping[Goal, np.ndarray]
    fold: np.ndarray

    def treatments(self, action: str) -> list[int]:
        """Positions of an action's treatments."""
        return [k for k, (name, _) in enumerate(self.decisions.treatments) if name == action]

    @property
    def actions(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self.decisions.treatments))

    def pairs(self, action: str, treatments: Sequence[int], rows: np.ndarray) -> Pairs:
        """Of decisions `rows` bool[n] whose outcome is known."""
        goal = self.goals[action]
        return pairs(self.decisions, treatments, self.residual[goal], rows & self.known[goal])


@dataclass(frozen=True)
class Found:
    """What was learned of a treatment, or (channel None) of an action on all its channels: `level` is the mean effect
    after shrinking, `own` the share of it that is its own estimate, `prior` what was stated."""

    action: str
    channel: str | None
    treatments: Sequence[int]
    pairs: Pairs
    arm: Arm
    level: float
    own: float
    prior: float
    effects: Effects

    @property
    def treated(self) -> int:
        return int(self.pairs.treated.sum())


def folds(person: np.ndarray, seed: int = 0, count: int = FOLDS) -> np.ndarray:
    """int[n]: the fold of each decision, a person's all in one."""
    _, place = np.unique(person, return_inverse=True)
    return np.random.default_rng(seed).permutation(int(place.max(initial=-1)) + 1)[place] % count


def residual(inputs: np.ndarray, reward: np.ndarray, fold: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """float64[n]: reward less what is expected: of earlier decisions by models of the other folds, of later ones by a
    model of all earlier ones. `earlier` bool[n] are the decisions that may be learned from."""
    found = reward.astype(np.float64).copy()
    for k in np.unique(fold[earlier]):
        own = earlier & (fold == k)
        found[own] -= _expected(inputs, reward, earlier & (fold != k), own)
    later = ~earlier
    if later.any():
        found[later] -= _expected(inputs, reward, earlier, later)
    return found


def _expected(inputs: np.ndarray, reward: np.ndarray, learn_from: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Half a linear model's answer, half that of small trees, within the rewards seen."""
    rows = np.flatnonzero(learn_from)
    rows = rows[np.random.default_rng(0).permutation(len(rows))[:EXPECTED_FROM]]
    x, y = inputs[rows], reward[rows]
    if y.min() == y.max() or not x.shape[1]:
        return np.full(int(of.sum()), float(y.mean()))
    weights = regress.linear(x, y, False)
    plain = weights[0] + inputs[of] @ weights[1:]
    return np.clip((plain + Trees(regress.trees(x, y, False)).effect(inputs[of])) / 2, y.min(), y.max())


def arms(
    world: World, rows: np.ndarray, tell: Tell = lambda _: None
) -> tuple[list[Found], list[Found], dict[str, str]]:
    """What was learned from decisions `rows` bool[n]: of actions, of their treatments; and why nothing of others."""
    lessons: dict[str, tuple[Pairs, Arm]] = {}
    none: dict[str, str] = {}
    for action in world.actions:
        tell(action)
        of = world.pairs(action, world.treatments(action), rows)
        made, not_made = int(of.treated.sum()), int((~of.treated).sum())
        if min(made, not_made) < FEWEST:
            none[action] = (
                f"{made:,} decisions with it and {not_made:,} in which it could have been made and nothing was; at"
                f" least {FEWEST} of each are needed"
            )
            continue
        lessons[action] = of, learn(world.inputs, of, world.fold)
    names = list(lessons)
    if not names:
        return [], [], none
    levels = _levels(
        [lessons[name][1] for name in names],
        [world.groups.get(name, name) for name in names],
        [_prior(world, name, lessons[name][0]) for name in names],
    )
    actions = [
        _found(world, name, None, world.treatments(name), *lessons[name], levels, k) for k, name in enumerate(names)
    ]
    return actions, _treatments(world, actions, rows, tell), none


def _treatments(world: World, actions: Sequence[Found], rows: np.ndarray, tell: Tell) -> list[Found]:
    """Each channel of each action: around the action's level, and differing by customer as the action does unless data
    say otherwise."""
    lessons: list[tuple[Found, Treatment, int, Pairs, Arm]] = []
    for action in actions:
        overall = Learned(ALL_CHANNELS, action.arm.unseen, action.effects)
        for k in action.treatments:
            of = world.pairs(action.action, [k], rows)
            if of.treated.sum() < FEWEST_ON_CHANNEL or len(of) == of.treated.sum():
                continue
            tell(" on ".join(world.decisions.treatments[k]))
            given = overall if len(action.treatments) > 1 else None
            lessons.append((action, world.decisions.treatments[k], k, of, learn(world.inputs, of, world.fold, given)))
    levels = _levels(
        [arm for *_, arm in lessons],
        [action.action for action, *_ in lessons],
        [action.level for action, *_ in lessons],
        [max(action.arm.mean.error, 1e-12) for action, *_ in lessons],
    )
    return [
        _found(world, action.action, channel, [k], of, arm, levels, place)
        for place, (action, (_, channel), k, of, arm) in enumerate(lessons)
    ]


def _levels(
    arms: Sequence[Arm], group: Sequence[str], prior: Sequence[float], doubt: Sequence[float] | None = None
) -> tuple[Shrunk, Sequence[float]]:
    """A prior is as doubtful as it is large, where nothing else is said; a group's is that of its first member."""
    value, error = (np.array([getattr(arm.mean, name) for arm in arms]) for name in ("value", "error"))
    told = np.array(prior)
    return shrunk(value, error, group, told, np.abs(told) if doubt is None else np.array(doubt)), prior


def _found(
    world: World,
    action: str,
    channel: str | None,
    treatments: Sequence[int],
    of: Pairs,
    arm: Arm,
    levels: tuple[Shrunk, Sequence[float]],
    place: int,
) -> Found:
    level, own = float(levels[0].value[place]), float(levels[0].own[place])
    effects = arm.effects(level, world.inputs, of)
    return Found(action, channel, treatments, of, arm, level, own, float(levels[1][place]), effects)


def _prior(world: World, action: str, of: Pairs) -> float:
    """The stated share of what came of those contacted."""
    came = world.reward[world.goals[action]][of.row[of.treated]]
    return world.shares.get(action, 0.0) * float(came.mean())
