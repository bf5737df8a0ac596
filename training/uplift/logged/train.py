"""`tactful train uplift`: learned from earlier logged decisions, judged on later ones, registered, promoted or not."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from features import catalogue as catalogues
from features.catalogue import Catalogue
from features.clock import DAY, isoformat
from features.history import History
from features.manifest import meaning
from features.workspace import Workspace, WorkspaceError
from serving.decisions import effects as served
from serving.decisions.effects.bound import Bound
from serving.decisions.policy import Playbook, load
from training import provenance
from training.alike import alike
from training.former import present
from training.monitor.effects import asked, reference
from training.monitor.reference import FILE as REFERENCE
from training.monitor.reference import Reference
from training.promote import Verdict, award
from training.tracking import CHAMPION, Registry
from training.uplift.logged import decisions, inputs
from training.uplift.logged.champion import KIND, compared
from training.uplift.logged.clusters import UNKNOWN, Estimate
from training.uplift.logged.decisions import Decisions
from training.uplift.logged.findings import report_of
from training.uplift.logged.judge import Judged, better, judge
from training.uplift.logged.learn import Found, World, arms, folds, residual
from training.uplift.logged.outcomes import Events, Goal, goal, outcomes
from training.uplift.logged.report import ArmFound, LoggedUplift, Unit

Tell = Callable[[str], None]
#: The share of decisions, the last ones, that effects are judged on.
LATER = 0.25
STAGES = ("reading the log", "features", "what comes anyway", "learning from earlier decisions",
          "judging on later ones", "registering")  # fmt: skip


@dataclass(frozen=True)
class Learned:
    """Everything up to the registry. `over_prior`: how much less the loss is than that of the stated prior; `begins`:
    from when on (microseconds) decisions judged."""

    world: World
    actions: list[Found]
    treatments: list[Found]
    judged: Mapping[tuple[str, str | None], Judged]
    model: served.Model
    bound: Bound
    values: np.ndarray
    report: LoggedUplift
    over_prior: Estimate
    begins: int


@dataclass(frozen=True)
class Trained:
    """What was learned, and what became of it."""

    learned: Learned
    version: str
    run_id: str
    verdict: Verdict


def train(
    workspace: Workspace, start: int | None = None, unit: Unit = "responses", seed: int = 0, tell: Tell = lambda _: None
) -> Trained:
    """Judges on decisions from `start` (microseconds) on; default: the last quarter. WorkspaceError in a line where the
    log cannot tell anything: nothing is registered then."""
    with present(workspace) as there:
        found = learn(there, start, unit, seed, tell)
        tell(STAGES[5])
        registry, names = Registry(workspace), list(catalogues.of(workspace).names)
        said = asked(found.model, found.bound, found.world.decisions.at, found.values)
        kept = reference(found.model, found.bound, said, names, found.begins)
        options = {"start": start, "unit": unit, "seed": seed}
        told = provenance.record_of_effects(there, KIND, options, learned_from(found), said.said)
    version, run_id = _register(registry, found, kept, told)
    held = registry.holder(KIND, CHAMPION)
    refusals, fine = compared(registry, held, found)
    over = None if held is None else str(held.version)
    return Trained(found, version, run_id, award(registry, KIND, version, refusals, fine, over))


def again(
    workspace: Workspace, start: int | None, unit: Unit, seed: int, tell: Tell = lambda _: None
) -> tuple[np.ndarray, np.ndarray]:
    """What stands for the decisions that were learned from, and what is said of them: to compare with a run's."""
    found = learn(workspace, start, unit, seed, tell)
    return learned_from(found), asked(found.model, found.bound, found.world.decisions.at, found.values).said


def learned_from(found: Learned) -> np.ndarray:
    """float64[k]: instants and chances of the decisions, and what came of them."""
    log = found.world.decisions
    return np.concatenate([log.at.astype(np.float64), log.chance, *found.world.reward.values()])


@alike
def learn(
    workspace: Workspace, start: int | None = None, unit: Unit = "responses", seed: int = 0, tell: Tell = lambda _: None
) -> Learned:
    """From history to a model and its report."""
    tell(STAGES[0])
    log, catalogue, playbook = decisions.read(workspace, seed), catalogues.of(workspace), load(workspace)
    tell(STAGES[1])
    values = decisions.features_of(log, workspace, catalogue)
    levels = inputs.levels_of(workspace)
    tell(STAGES[2])
    goals = goals_of(log, playbook, workspace)
    came = outcomes(Events(History(workspace), log, workspace.settings), log, goals)
    window = max(one.window for one in came)
    known = np.logical_or.reduce([each.known for each in came.values()])
    begins = _begins(log, known, start)
    earlier, later = log.at + window <= begins, log.at >= begins
    if not (later & known).any():
        raise WorkspaceError(
            f"{workspace.history}: no decision from {isoformat(begins)[:10]} on, from where effects are judged, is"
            " older than its response window yet; name an earlier --test-cutoff, or none"
        )
    if not earlier.any():
        raise WorkspaceError(
            f"{workspace.history}: no decision is a response window ({window // DAY} days) older than"
            f" {isoformat(begins)[:10]}, from where effects are judged; wait, or name a later --test-cutoff"
        )
    declared = inputs.declared(values[earlier], catalogue.names, levels)
    blank = _model(declared, [], unit, window, catalogue, workspace, {})
    x = blank.bind(catalogue.names, levels).inputs(values)
    fold = folds(log.person, seed)
    # what is kept of it: cost and harm, which stand against it, are money that is kept or lost
    kept = workspace.settings.fatigue.margin
    rewards = {one: each.reached if unit == "responses" else kept * each.money for one, each in came.items()}
    world = World(
        log, x, goals, *_stated(log, playbook), rewards, {one: each.known for one, each in came.items()},
        {one: residual(x, each, fold, earlier) for one, each in rewards.items()}, fold,
    )  # fmt: skip
    tell(STAGES[3])
    actions, treatments, unknown = arms(world, earlier, lambda what: tell(f"{STAGES[3]}: {what}"))
    if not treatments:
        why = "; ".join(f"{name}: {reason}" for name, reason in unknown.items())
        raise WorkspaceError(f"{workspace.history}: too few decisions to tell any effect ({why}); wait for more")
    tell(STAGES[4])
    costs = costs_of(playbook, unit)
    judged = {
        (each.action, each.channel): judge(world, each, later, costs.get((each.action, each.channel), 0.0))
        for each in (*actions, *treatments)
    }
    report = report_of(world, actions, treatments, judged, unknown, unit, earlier, later)
    told = {(each.action, each.channel): each for each in report.treatments}
    model = _model(declared, treatments, unit, window, catalogue, workspace, told)

    def prior(one: Found, row: np.ndarray) -> np.ndarray:
        stated = next(each.prior for each in actions if each.action == one.action)
        return np.full(len(row), stated)

    over = better(world, treatments, [judged[each.action, each.channel] for each in treatments], prior) or UNKNOWN
    bound = model.bind(catalogue.names, levels)
    return Learned(world, actions, treatments, judged, model, bound, values, report, over, begins)


def goals_of(log: Decisions, playbook: Playbook, workspace: Workspace) -> dict[str, Goal]:
    """By action."""
    known = playbook.actions.by_name
    return {name: goal(known.get(name), workspace.settings) for name, _ in log.treatments}


def _stated(log: Decisions, playbook: Playbook) -> tuple[dict[str, str], dict[str, float]]:
    """By action, its group, and the share of its responses that are stated to be caused."""
    stated, groups = playbook.policy.increment, dict[str, str]()
    for name, _ in log.treatments:
        known = playbook.actions.by_name.get(name)
        groups[name] = name if known is None else known.group
    return groups, {name: stated.groups.get(group, stated.default) for name, group in groups.items()}


def costs_of(playbook: Playbook, unit: str) -> dict[tuple[str, str | None], float]:
    """What a contact costs, in units of the outcome: an action without a value never pays in responses."""
    found: dict[tuple[str, str | None], float] = {}
    for action in playbook.actions.actions:
        for channel, treatment in action.channels.items():
            worth = treatment.weight * action.lever * (1.0 if unit == "money" else action.value)
            found[action.name, channel] = treatment.cost / worth if worth > 0 else 0.0
        own = [found[action.name, channel] for channel in action.channels]
        found[action.name, None] = float(np.mean(own))
    return found


def _begins(log: Decisions, known: np.ndarray, start: int | None) -> int:
    """From when on decisions judge: the last quarter of those whose outcome is known."""
    if not known.any():
        raise WorkspaceError(
            "no logged decision is older than its response window yet, as far as interactions are known; wait, and run"
            " `tactful sync`"
        )
    return int(np.quantile(log.at[known], 1 - LATER, method="higher")) if start is None else start


def _model(
    declared: list[served.Input],
    found: list[Found],
    unit: Unit,
    window: int,
    catalogue: Catalogue,
    workspace: Workspace,
    told: Mapping[tuple[str, str | None], ArmFound],
) -> served.Model:
    """The file that the service reads."""
    return served.Model(
        kind=KIND,
        unit=unit,
        inputs=declared,
        arms=[
            served.Arm(each.action, each.channel or None, each.effects, _of(told[each.action, each.channel]))
            for each in found
        ],
        horizon_days=max(1, round(window / DAY)),
        catalogue_version=catalogue.version,
        settings=meaning(workspace.settings),
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _of(found: ArmFound) -> dict[str, object]:
    """What the model's file says of an arm, for people."""
    return {"decisions": found.treated, "learner": found.learner, "verdict": found.verdict, "text": found.sentence}


def _register(registry: Registry, found: Learned, kept: Reference, told: Mapping[str, Any]) -> tuple[str, str]:
    """A version without an alias, and its run."""
    import mlflow

    _ = registry.client
    report = found.report
    with mlflow.start_run(experiment_id=registry.experiment(), run_name=f"{KIND} {report.created_at[:19]}") as run:
        run_id = str(run.info.run_id)
        mlflow.set_tags({"kind": KIND, "catalogue_version": found.model.catalogue_version}
                        | provenance.tags(registry.workspace))  # fmt: skip
        mlflow.log_params({"unit": report.unit, "decisions": report.decisions, "customers": report.customers,
                           "learned_until": report.learned_until, "judged_from": report.judged_from,
                           "judged_until": report.judged_until, "seed": told["asked"]["seed"]})  # fmt: skip
        mlflow.log_metrics(_figures(found))
        mlflow.log_text(kept.text(), REFERENCE)
        mlflow.log_dict(dict(told), provenance.FILE)
        mlflow.log_text(provenance.installed(), provenance.INSTALLED)
        with tempfile.TemporaryDirectory() as folder:
            replace(found.model, mlflow_run_id=run_id).write(Path(folder))
            report.write(Path(folder) / "report.json")
            mlflow.log_artifacts(folder, "scorer")
    version = registry.register(KIND, f"runs:/{run_id}/scorer", run_id)
    return str(version.version), run_id


def _figures(found: Learned) -> dict[str, float]:
    """Of each action its effect with interval, its slope on later decisions; the gain over the prior."""
    told = {"over_prior": found.over_prior.value}
    for each in found.report.actions:
        told |= {f"effect_{each.action}": each.effect.value, f"effect_{each.action}_low": each.effect.low,
                 f"effect_{each.action}_high": each.effect.high}  # fmt: skip
        if each.slope is not None:
            told[f"slope_{each.action}"] = each.slope.value
    return {name: value for name, value in told.items() if np.isfinite(value)}
