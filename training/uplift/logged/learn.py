"""From earlier decisions to what every treatment causes: per action on all its channels, then on each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from serving.decisions.effects import Effects, Trees
from training.uplift import regress
from training.uplift.logged.choose import Arm, learn
from training.uplift.logged.decisions import Decisions, Treatment
from training.uplift.logged.learners import Learned
from training.uplift.logged.outcomes import Goal
from training.uplift.logged.pairs import Pairs, pairs
from training.uplift.logged.shrink import Shrunk, around, shrunk

FOLDS = 4
#: An action with fewer decisions with or without it has no effect of its own; nor has a channel with fewer with it.
FEWEST, FEWEST_ON_CHANNEL = 100, 20
#: Of fewer customers, however often they were decided about, nothing is learned that holds for others.
FEWEST_CUSTOMERS = 10
#: Rows that the expectation of an outcome is learned from, at most: more makes it hardly better.
EXPECTED_FROM = 120_000
ALL_CHANNELS = "as on all channels"
#: Whoever states what share of responses is caused may be off by as much, and by this share at the least.
DOUBT = 0.1

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
    after shrinking, `own` the weight that its own estimate has in it, `prior` what was stated."""

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
    if not len(rows):  # all are of one fold: a score needs no expectation
        return np.zeros(int(of.sum()))
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
        if (customers := len(np.unique(of.person))) < FEWEST_CUSTOMERS:
            none[action] = f"too few customers: {customers} in {len(of):,} decisions; {FEWEST_CUSTOMERS} are needed"
            continue
        lessons[action] = of, learn(world.inputs, of, world.fold)
    names = list(lessons)
    if not names:
        return [], [], none
    priors, doubts = zip(*(_prior(world, name, lessons[name][0]) for name in names), strict=True)
    groups = [world.groups.get(name, name) for name in names]
    levels = shrunk(*_means([lessons[name][1] for name in names]), groups, np.array(priors), np.array(doubts))
    actions = [
        _found(world, name, None, world.treatments(name), *lessons[name], _at(levels, k), priors[k])
        for k, name in enumerate(names)
    ]
    return actions, _treatments(world, actions, levels, rows, tell), none


def _treatments(world: World, actions: Sequence[Found], levels: Shrunk, rows: np.ndarray, tell: Tell) -> list[Found]:
    """Each channel of each action: around the action's level, and differing by customer as the action does unless data
    say otherwise."""
    lessons: list[tuple[Found, Treatment, int, Pairs, Arm]] = []
    centres: list[Shrunk] = []
    for action, level in zip(actions, map(partial(_at, levels), range(len(actions))), strict=True):
        overall = Learned(ALL_CHANNELS, action.arm.unseen, action.effects)
        for k in action.treatments:
            of = world.pairs(action.action, [k], rows)
            if of.treated.sum() < FEWEST_ON_CHANNEL or len(of) == of.treated.sum():
                continue
            if len(np.unique(of.person)) < FEWEST_CUSTOMERS:
                continue
            tell(" on ".join(world.decisions.treatments[k]))
            given = overall if len(action.treatments) > 1 else None
            lessons.append((action, world.decisions.treatments[k], k, of, learn(world.inputs, of, world.fold, given)))
            centres.append(level._replace(own=level.own * of.treated.sum() / action.treated))
    if not lessons:
        return []
    centre = Shrunk(*(np.array(column) for column in zip(*centres, strict=True)))
    found = around(*_means([arm for *_, arm in lessons]), [action.action for action, *_ in lessons], centre)
    return [
        _found(world, action.action, channel, [k], of, arm, _at(found, place), action.level)
        for place, (action, (_, channel), k, of, arm) in enumerate(lessons)
    ]


def _means(arms: Sequence[Arm]) -> tuple[np.ndarray, np.ndarray]:
    """Mean effects float[k] and their errors."""
    return np.array([arm.mean.value for arm in arms]), np.array([arm.mean.error for arm in arms])


def _at(levels: Shrunk, place: int) -> Shrunk:
    return Shrunk(*(column[place] for column in levels))


def _found(
    world: World,
    action: str,
    channel: str | None,
    treatments: Sequence[int],
    of: Pairs,
    arm: Arm,
    level: Shrunk,
    prior: float,
) -> Found:
    value, own = float(level.value), float(level.own)
    return Found(action, channel, treatments, of, arm, value, own, prior, arm.effects(value, world.inputs, of))


def _prior(world: World, action: str, of: Pairs) -> tuple[float, float]:
    """The stated share of what came of those contacted, and its doubt: as far off as it is large, never certain."""
    reward, share = world.reward[world.goals[action]][of.row], world.shares.get(action, 0.0)
    came = float(reward[of.treated].mean())
    return share * came, max(abs(share * came), DOUBT * max(abs(came), abs(float(reward[~of.treated].mean()))))
