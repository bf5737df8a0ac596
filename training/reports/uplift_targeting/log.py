"""From the champion's effects, judged on logged decisions later than all it learned from.

Nothing that is counted here was seen by the model, and chance drew each contact anew: no correction for looking is
needed but Holm's. A decision's best action is the one whose expected effect, its cost paid, is the largest among those
that had a chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from features import catalogue as catalogues
from features.catalogue import Catalogue
from features.clock import DAY, isoformat, parse_instant
from features.history import History
from features.workspace import Workspace, WorkspaceError
from serving.decisions import policy
from serving.decisions.effects import Model
from training.reports.uplift_targeting import measure, people, traits, words
from training.reports.uplift_targeting.artefact import Group, Ranking, Targeting
from training.reports.uplift_targeting.measure import Contacts, Expected
from training.reports.uplift_targeting.traits import Described
from training.reports.wording import Words
from training.tracking import CHAMPION, Registry
from training.uplift.logged import champion, decisions, train
from training.uplift.logged.decisions import Decisions
from training.uplift.logged.inputs import levels_of
from training.uplift.logged.learn import folds, residual
from training.uplift.logged.outcomes import Events, Goal, outcomes
from training.uplift.logged.pairs import pairs

#: Later decisions that are judged on, and earlier ones that what comes anyway is learned from: seeded samples of more.
#: Features of a decision are computed anew where they were not logged, so these bound what a report costs.
MOST, MOST_EARLIER = 60_000, 20_000
BEST = "the best action for each"


@dataclass(frozen=True)
class Judged:
    """Later decisions [n], their features, and of each treatment the expected effect and cost [n, treatments].

    Effects are NaN where the model says nothing or the treatment had no chance. `sells`: actions that are sent to sell;
    a service notice is not judged by what it sells.
    """

    log: Decisions
    later: np.ndarray
    values: np.ndarray
    effect: np.ndarray
    cost: np.ndarray
    residual: dict[str, np.ndarray]
    known: dict[str, np.ndarray]
    sells: frozenset[str]

    def treatments(self, action: str) -> list[int]:
        return [k for k, (name, _) in enumerate(self.log.treatments) if name == action]


def targeting(workspace: Workspace, seed: int = 0) -> tuple[Targeting, pa.Table]:
    """What the champion's effects are worth for choosing whom to contact, and who stands in which group (`people`,
    without rows where nothing can be told); says why where nothing can."""
    try:
        return _found(workspace, seed)
    except WorkspaceError as error:
        return words.unknown(str(error)), people.COLUMNS.empty_table()


def _found(workspace: Workspace, seed: int) -> tuple[Targeting, pa.Table]:
    """WorkspaceError where nothing can be told."""
    registry = Registry(workspace)
    held = registry.holder(champion.KIND, CHAMPION) if registry.exists else None
    if held is None:
        raise WorkspaceError(
            "no model of effects has been learned from decisions yet; `tactful train uplift` learns one"
        )
    try:
        run = registry.client.get_run(str(held.run_id))
        begins = parse_instant(run.data.params["judged_from"]) + DAY
        model = champion.read_model(registry, str(held.run_id))
        return _told(workspace, model, str(held.version), begins, seed)
    except KeyError:
        raise WorkspaceError(
            f"version {held.version} of the effects does not say which decisions it learned from; train it again"
        ) from None


def _told(workspace: Workspace, model: Model, version: str, begins: int, seed: int) -> tuple[Targeting, pa.Table]:
    judged = _judged(workspace, model, begins, seed)
    said = _words(workspace, model)
    catalogue = catalogues.of(workspace)
    actions = [
        name
        for name in dict.fromkeys(action for action, _ in judged.log.treatments)
        if name in judged.sells and _knows(judged, judged.treatments(name))
    ]
    if not actions:
        raise WorkspaceError("the model of effects knows none of the actions that were decided about later")
    parts = {name: _of_action(judged, name) for name in actions}
    if len(actions) > 1:
        parts = {BEST: _best(judged, actions), **parts}
    parts = {name: part for name, part in parts.items() if len(part[0])}
    if not parts:
        raise WorkspaceError("no later decision could have made a contact that the model knows, or nothing")
    told = [
        _ranking(name, contacts, everyone, said, _described(judged, rows, catalogue))
        for name, (contacts, everyone, rows) in parts.items()
    ]
    who = [
        people.table(_called(name), judged.log.customer[rows], contacts, everyone)
        for name, (contacts, everyone, rows) in parts.items()
    ]
    at = judged.log.at[judged.later]
    span = f"{isoformat(int(at.min()))[:10]} to {isoformat(int(at.max()))[:10]}"
    customers = len(np.unique(judged.log.person[judged.later]))
    found = words.told(
        said,
        told,
        model=f"version {version} of the effects, trained {model.trained_at[:10]}",
        judged=f"{int(judged.later.sum()):,} decisions about {customers:,} customers from {span}, all later than those "
        "it learned from",
        method=words.FROM_LOG,
    )
    return found, pa.concat_tables(who)


def _judged(workspace: Workspace, model: Model, begins: int, seed: int) -> Judged:
    """Reads the log; WorkspaceError where no decision is later than those learned from."""
    log, playbook = decisions.read(workspace, seed), policy.load(workspace)
    goals = train.goals_of(log, playbook, workspace)
    window = max(one.window for one in goals.values())
    rng = np.random.default_rng(seed)
    earlier = _few(log.at + window <= begins, MOST_EARLIER, rng)
    later = _few((log.at >= begins) & (log.at + window <= log.known_until), MOST, rng)
    if not later.any() or not earlier.any():
        raise WorkspaceError(
            f"no decision later than {isoformat(begins)[:10]}, from where the model of effects is judged, is older "
            f"than its {max(1, round(window / DAY))} days of outcome yet"
        )
    log, later = log.rows(earlier | later), later[earlier | later]
    catalogue, levels = catalogues.of(workspace), levels_of(workspace)
    values = decisions.features_of(log, workspace, catalogue)
    bound = model.bind(list(catalogue.names), levels)
    came = outcomes(Events(History(workspace), log, workspace.settings), log, goals)
    inputs, fold = bound.inputs(values), folds(log.person, seed)
    kept = workspace.settings.fatigue.margin
    left: dict[Goal, np.ndarray] = {
        goal: residual(inputs, one.reached if model.unit == "responses" else kept * one.money, fold, ~later)
        for goal, one in came.items()
    }
    which = np.array([bound.place(action, channel) for action, channel in log.treatments])
    effect = bound.effects(values, which)
    costs = train.costs_of(playbook, model.unit)
    cost = np.array([costs.get(one, costs.get((one[0], None), 0.0)) for one in log.treatments])
    possible = np.column_stack([log.chance_of([k]) > 0 for k in range(len(log.treatments))])
    return Judged(
        log, later, values, np.where(possible, effect, np.nan), cost,
        {name: left[goal] for name, goal in goals.items()}, {name: came[goal].known for name, goal in goals.items()},
        frozenset(goals) - {action.name for action in playbook.actions.actions if not playbook.policy.sells(action)},
    )  # fmt: skip


def _few(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most so many of the rows bool[n], drawn at random."""
    there = np.flatnonzero(rows)
    if len(there) > most:
        rows = rows.copy()
        rows[rng.permutation(there)[most:]] = False
    return rows


def _knows(judged: Judged, treatments: Sequence[int]) -> bool:
    return bool(np.isfinite(judged.effect[judged.later][:, treatments]).any())


#: Scored contacts, all that were possible, and the decision (a row of the log) behind each of the latter.
Part = tuple[Contacts, Expected, np.ndarray]


def _of_action(judged: Judged, action: str) -> Part:
    """Decisions in which the action had a chance: expected is the mean over its channels, as they had one."""
    of = judged.treatments(action)
    predicted, cost = _over_channels(judged, of)
    return _scored(judged, {action: (of, predicted, cost)}, judged.later & np.isfinite(predicted))


def _best(judged: Judged, actions: Sequence[str]) -> Part:
    """Decisions by the action of largest expected effect less cost."""
    over = {name: _over_channels(judged, judged.treatments(name)) for name in actions}
    net = np.column_stack([predicted - cost for predicted, cost in over.values()])
    there = judged.later & np.isfinite(net).any(axis=1)
    best = np.where(np.isfinite(net), net, -np.inf).argmax(axis=1)
    chosen = {
        name: (judged.treatments(name), np.where(best == k, over[name][0], np.nan), over[name][1])
        for k, name in enumerate(actions)
    }
    return _scored(judged, chosen, there)


def _over_channels(judged: Judged, treatments: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """float64[n] each: expected effect and cost of an action, by the chances of its channels; NaN where it had none."""
    chance = np.column_stack([judged.log.chance_of([k]) for k in treatments])
    chance = np.where(np.isfinite(judged.effect[:, treatments]), chance, 0.0)
    total = chance.sum(axis=1)
    share = np.divide(chance, total[:, None], out=np.zeros_like(chance), where=total[:, None] > 0)
    predicted = (share * np.nan_to_num(judged.effect[:, treatments])).sum(axis=1)
    return np.where(total > 0, predicted, np.nan), share @ judged.cost[treatments]


def _scored(judged: Judged, chosen: dict[str, tuple[list[int], np.ndarray, np.ndarray]], there: np.ndarray) -> Part:
    """Each action against nothing, over decisions `there` bool[n] in which something is expected of it."""
    log, found = judged.log, []
    predicted, cost = np.full(len(log), np.nan), np.zeros(len(log))
    for action, (treatments, expected, price) in chosen.items():
        mine = there & np.isfinite(expected)
        predicted[mine], cost[mine] = expected[mine], price[mine]
        found.append(pairs(log, treatments, judged.residual[action], mine & judged.known[action]))
    row, made, score, weight, chance = (
        np.concatenate([getattr(one, name) for one in found])
        for name in ("row", "treated", "score", "weight", "chance")
    )
    chances = np.column_stack([1 - chance, chance])
    scored = Contacts(_expected(log, predicted, cost, row), score, weight, made, ~made, chances)
    rows = np.flatnonzero(there & np.isfinite(predicted))
    return scored, _expected(log, predicted, cost, rows), rows


def _expected(log: Decisions, predicted: np.ndarray, cost: np.ndarray, rows: np.ndarray) -> Expected:
    return Expected(predicted[rows], cost[rows], log.person[rows])


def _ranking(
    name: str, contacts: Contacts, everyone: Expected, said: Words, described: Described
) -> Ranking:  # fmt: skip
    found = measure.groups(contacts, everyone)
    if contacts.ranked:  # else cost alone tells them apart
        largest = max(found, key=lambda group: group.share)
        found = [group if group is largest else _with_traits(group, everyone, described) for group in found]
    points, over_random = measure.curve(contacts)
    action = None if name == BEST else name
    return words.ranking(
        said, _called(name), action, contacts, measure.tenths(contacts), points, over_random, found, len(everyone.last)
    )


def _called(name: str) -> str:
    """An action, or BEST, in words."""
    return name if name == BEST else name.replace("_", " ")


def _with_traits(group: Group, everyone: Expected, described: Described) -> Group:
    """What these customers are like beside all others, as known at each one's newest decision."""
    last = everyone.last
    mine = everyone.kind[last] == measure.KINDS.index(group.kind)
    at_last = Described(described.values[last], described.names, described.texts, described.units)
    return group.model_copy(update={"traits": traits.of(at_last, mine)})


def _described(judged: Judged, rows: np.ndarray, catalogue: Catalogue) -> Described:
    """Numbers only: a label has no mean."""
    numbers: list[tuple[int, Any]] = [(k, each) for k, each in enumerate(catalogue) if not each.categorical]
    return Described(
        judged.values[np.ix_(rows, np.array([k for k, _ in numbers]))],
        [each.name for _, each in numbers],
        [each.text for _, each in numbers],
        [each.unit for _, each in numbers],
    )


def _words(workspace: Workspace, model: Model) -> Words:
    goal = " or ".join(workspace.settings.goal)
    if model.unit == "responses":
        return Words(f"{goal} within {model.horizon_days} days", "rate")
    return Words(f"money kept from {goal} within {model.horizon_days} days", "amount", workspace.settings.currency)
