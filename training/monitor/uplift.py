"""The champion of `uplift` on decisions since its training: who they are about, and whether U came true.

What chance shows of an action's effect is read as in training (training/uplift/logged/pairs.py): decisions that drew it
beside those that could have and made nothing, silent or a ghost, by the logged chances. What is expected of customers
whatever is done comes from models of other customers' decisions of the same time, and takes nothing but noise away.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from features import catalogue as catalogues
from features.clock import isoformat
from features.decision_log import NoDecisions
from features.history import History
from features.workspace import Workspace, WorkspaceError
from serving.decisions.effects.bound import Bound
from serving.decisions.effects.file import Model
from serving.decisions.policy import load
from training.monitor import effects
from training.monitor.effects import Asked, kept
from training.monitor.found import BEFORE_KEPT, Found
from training.uplift.logged import clusters, decisions
from training.uplift.logged.champion import read_model
from training.uplift.logged.clusters import Estimate
from training.uplift.logged.decisions import Decisions
from training.uplift.logged.inputs import levels_of
from training.uplift.logged.learn import FEWEST, folds, residual
from training.uplift.logged.outcomes import Events, Goal, Outcome, outcomes
from training.uplift.logged.pairs import Pairs, pairs
from training.uplift.logged.train import goals_of

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from training.tracking import Registry

#: Decisions that are looked at; more would tell little.
MOST = 100_000


def look(workspace: Workspace, registry: "Registry", champion: "ModelVersion", now: int) -> Found:
    """As of `now` (microseconds), at decisions that are newer than those it was judged on."""
    found = Found(str(champion.name))
    reference = kept(registry, champion)
    if reference is None:
        return found.unknown(BEFORE_KEPT)
    names, levels = list(catalogues.of(workspace).names), levels_of(workspace)
    try:
        model = read_model(registry, str(champion.run_id))
        bound = effects.effects_of(model, names, levels)
    except WorkspaceError as error:
        return found.alarm(str(error))
    try:
        log = _decided(workspace, reference.until, now)
    except NoDecisions:
        return found.unknown(f"no decision since {isoformat(reference.until)[:10]} tells what an action causes")
    except WorkspaceError as error:
        return found.alarm(f"{found.kind}: decisions since its training cannot be read: {error}")
    values = decisions.features_of(log, workspace, catalogues.of(workspace))
    said = effects.asked(model, bound, log.at, values)
    effects.drifts(found, reference, said, names, workspace.settings.monitor)
    slope, count, last = came_true(workspace, log, values, bound, model, said)
    since = isoformat(reference.until)[:10]
    when = f"from {since} to {isoformat(last)[:10]}" if count else f"since {since} whose answer is known"
    effects.slope(found, slope.interval, count, when, workspace.settings.monitor)
    return found


def _decided(workspace: Workspace, after: int, now: int) -> Decisions:
    log = decisions.read(workspace, since=after + 1)
    chosen = np.flatnonzero(log.at < now)
    if not len(chosen):
        raise NoDecisions("no decision is newer than its training")
    if len(chosen) > MOST:
        chosen = np.random.default_rng(0).permutation(chosen)[:MOST]
    keep = np.zeros(len(log), bool)
    keep[chosen] = True
    some = log.rows(keep)
    return replace(some, known_until=min(some.known_until, now))


def came_true(
    workspace: Workspace, log: Decisions, values: np.ndarray, bound: Bound, model: Model, said: Asked
) -> tuple[Estimate, int, int]:
    """The slope of effects on U over all arms, of how many decisions, and when the last of these was."""
    goals = goals_of(log, load(workspace), workspace)
    came = outcomes(Events(History(workspace), log, workspace.settings), log, goals)
    inputs, fold = bound.inputs(values), folds(log.person)
    margin = workspace.settings.fatigue.margin
    rest = {
        one: _rest(inputs, each.reached if model.unit == "responses" else margin * each.money, each.known, fold)
        for one, each in came.items()
        if each.known.sum() >= FEWEST
    }
    of = _compared(log, model, goals, came, rest)
    rows = np.unique(np.concatenate([np.zeros(0, np.int64), *(one.row for one in of.values())]))
    return slope_of(of, said.said), len(rows), int(log.at[rows].max(initial=0))


def slope_of(compared: Mapping[int, Pairs], said: np.ndarray) -> Estimate:
    """Of what chance shows of arms on what was foretold of them, `said` float64[n, arms]."""
    if not compared:
        return clusters.UNKNOWN
    over, under, who = [], [], []
    for k, one in compared.items():
        told = said[one.row, k]
        over.append(one.weight * one.score * told)
        under.append(one.weight * told**2)
        who.append(one.person)
    return clusters.ratio(np.concatenate(over), np.concatenate(under), np.concatenate(who))


def _compared(
    log: Decisions,
    model: Model,
    goals: Mapping[str, Goal],
    came: Mapping[Goal, Outcome],
    rest: Mapping[Goal, np.ndarray],
) -> dict[int, Pairs]:
    """By position of the arm, the decisions that tell of it."""
    found = {}
    for k, arm in enumerate(model.arms):
        mine = [
            at
            for at, (action, channel) in enumerate(log.treatments)
            if action == arm.action and channel == (arm.channel or "")
        ]
        goal = goals.get(arm.action or "")
        if mine and goal is not None and goal in rest:
            of = pairs(log, mine, rest[goal], came[goal].known)
            if len(of) and of.treated.any() and not of.treated.all():
                found[k] = of
    return found


def _rest(inputs: np.ndarray, reward: np.ndarray, known: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """float64[n]: reward less what is expected, of decisions whose reward is known."""
    rest = np.zeros(len(reward))
    rest[known] = residual(inputs[known], reward[known], fold[known], np.ones(int(known.sum()), bool))
    return rest
