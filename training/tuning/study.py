"""A search for LightGBM's parameters with Optuna: bounded in time, resumable after a kill, every trial a run in MLflow.

The study lies in the workspace (`state/tuning.db`) under a name that says on what data it was made, so that another
call goes on where the last one ended, and other data begin anew.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState
from scipy.stats import norm

from features import clock
from features.daylog import held
from features.workspace import Workspace
from training.dataset import Dataset
from training.evaluate import LEVEL, Interval
from training.model import PARAMETERS
from training.provenance import code_version
from training.tracking import Registry
from training.tuning import tuned
from training.tuning.folds import Fold, folds, loss_curve, losses

#: Trees at the most, and how many without a gain end a curve.
ROUNDS, PATIENCE = 600, 30
STARTUP = 12
SEARCHED = tuple(tuned.Parameters.model_fields)
Tell = Callable[[int, float, float], None]


@dataclass(frozen=True)
class Result:
    """What a search came to: kept or not, and the winner's log loss less the defaults' on rows that decided.

    `trials` were judged to their end, `new_trials` of them now; `cut_short` are those of now that were not, for being
    poor or at the end of the time.
    """

    kind: str
    trials: int
    new_trials: int
    cut_short: int
    run_id: str
    parameters: Mapping[str, Any]
    difference: Interval
    kept: bool


def tune(
    workspace: Workspace,
    dataset: Dataset,
    habit: Mapping[str, Any] | None,
    minutes: float,
    trials: int | None = None,
    seed: int = 0,
    tell: Tell = lambda _trials, _best, _defaults: None,
) -> Result:
    """Searches until the minutes are over or so many new trials are done, and keeps the winner where it is better.

    `tell` hears, after each trial: trials so far, the best log loss, the defaults' log loss. Raises WorkspaceError
    where the training window is too short, or another search of the same kind is under way.
    """
    state = workspace.folder / "state"
    state.mkdir(exist_ok=True)
    busy = f"another `tactful tune {dataset.kind}` is searching in {workspace.folder}; wait for it to end"
    with held(state / f"tuning-{dataset.kind}.lock", busy):  # a search takes unfinished trials for those of a kill
        return _searched(workspace, dataset, habit, minutes, trials, seed, tell)


def _searched(
    workspace: Workspace,
    dataset: Dataset,
    habit: Mapping[str, Any] | None,
    minutes: float,
    trials: int | None,
    seed: int,
    tell: Tell,
) -> Result:
    search, deciding = folds(dataset, habit)
    registry = Registry(workspace)
    study = _study(workspace, dataset, seed)
    run_id = _parent(registry, study, dataset)
    try:
        return _gone_on(workspace, dataset, registry, study, (search, deciding), run_id, minutes, trials, tell)
    except BaseException:  # Ctrl-C, too: MLflow should not show it as under way
        registry.client.set_terminated(run_id, "KILLED")
        raise


def _gone_on(
    workspace: Workspace,
    dataset: Dataset,
    registry: Registry,
    study: optuna.Study,
    windows: tuple[Sequence[Fold], Sequence[Fold]],
    run_id: str,
    minutes: float,
    trials: int | None,
    tell: Tell,
) -> Result:
    """`windows` are the folds to search on and those that decide."""
    search, deciding = windows
    known = _ended(study)
    end = time.monotonic() + 60 * minutes

    def objective(trial: optuna.Trial) -> float:
        return _trial(trial, search, end)

    def finished(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if trial.state == TrialState.COMPLETE:
            _log(registry, run_id, trial)
        if done := _complete(study):
            tell(len(done), study.best_value, float(done[0].value or np.nan))

    # the first trial, the defaults, is always finished: what a search is worth is said against it
    if not _complete(study):
        study.optimize(lambda trial: _trial(trial, search, np.inf), n_trials=1, callbacks=[finished])
    if (earlier := tuned.parameters(workspace, dataset.kind)) is not None:
        study.enqueue_trial(dict(earlier), skip_if_exists=True)  # what is in use has its chance on the new data
    left = None if trials is None else trials - len(_ended(study) - known)
    if left is None or left > 0:
        timeout = max(end - time.monotonic(), 0.0)
        study.optimize(objective, n_trials=left, timeout=timeout, callbacks=[finished])
    return _decide(workspace, registry, study, dataset, deciding, run_id, known)


def _study(workspace: Workspace, dataset: Dataset, seed: int) -> optuna.Study:
    """The study of these data; trials that a kill cut off are told to have failed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # of a trial cut short by Ctrl-C it would print the stack
    logging.getLogger("alembic").setLevel(logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{workspace.folder / 'state' / 'tuning.db'}",
        study_name=f"{dataset.kind} {dataset.fingerprint}",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=1),
    )
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    # with the same seed again, a search that goes on would draw its first trials once more
    own = np.random.SeedSequence([seed, len(study.get_trials(deepcopy=False))]).generate_state(1)
    study.sampler = optuna.samplers.TPESampler(seed=int(own[0]), n_startup_trials=STARTUP, multivariate=False)
    if not _complete(study) and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial({name: PARAMETERS[name] for name in SEARCHED}, skip_if_exists=False)
    return study


def _trial(trial: optuna.Trial, search: Sequence[Fold], end: float) -> float:
    """Mean log loss over the folds, at the number of trees that is best for all of them together."""
    parameters = {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 3, 64, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 10, 1000, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.15, 1.0),
        "bagging_fraction": trial.suggest_float("bagging_fraction", 0.4, 1.0),
        "lambda_l2": trial.suggest_float("lambda_l2", 0.1, 200.0, log=True),
    }
    curves: list[list[float]] = []
    for step, fold in enumerate(search):
        if time.monotonic() > end:
            raise optuna.TrialPruned("the time is over")
        curves.append(loss_curve(fold, parameters, ROUNDS, PATIENCE))
        trial.report(_best(curves)[1], step)
        if trial.should_prune():
            raise optuna.TrialPruned
    trees, loss = _best(curves)
    trial.set_user_attr("trees", trees)
    return loss


def _best(curves: Sequence[Sequence[float]]) -> tuple[int, float]:
    """(trees, mean log loss) where the mean of the curves is least."""
    shortest = min(len(curve) for curve in curves)
    mean = np.mean([curve[:shortest] for curve in curves], axis=0)
    return int(np.argmin(mean)) + 1, float(mean.min())


def _complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _ended(study: optuna.Study) -> set[int]:
    """Numbers of the trials that have ended, those included that were cut short."""
    return {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}


def _counted(study: optuna.Study, known: set[int]) -> tuple[int, int, int]:
    """(trials judged to their end, those of them that are not `known`, other trials that ended and are not `known`)."""
    complete, ended = {trial.number for trial in _complete(study)}, _ended(study)
    return len(complete), len(complete - known), len(ended - known - complete)


def _decide(
    workspace: Workspace,
    registry: Registry,
    study: optuna.Study,
    dataset: Dataset,
    deciding: Sequence[Fold],
    run_id: str,
    known: set[int],
) -> Result:
    """The winner against the defaults, on later rows that the search has not seen: kept where it is surely better.

    `known` are the trials that had ended before this search.
    """
    first, best = _complete(study)[0], study.best_trial
    chosen = tuned.Parameters.model_validate(best.params)

    def later(fold: Fold, trial: optuna.trial.FrozenTrial) -> np.ndarray:
        return losses(fold, trial.params, trial.user_attrs["trees"])

    pairs = [later(fold, best) - later(fold, first) for fold in deciding]
    difference = _interval(np.concatenate(pairs), np.concatenate([fold.customer for fold in deciding]))
    kept = difference.high < 0
    done, new, cut_short = _counted(study, known)
    found = None
    if kept:
        ends = [round(each, 6) for each in (difference.value, difference.low, difference.high)]
        found = tuned.Found(parameters=chosen, run=run_id, trials=done, against_defaults=ends)
    if kept or done > 1:  # who tried nothing but the defaults says nothing against what is in use
        tuned.keep(workspace, dataset.kind, found)
    client = registry.client
    for name, value in (("difference", difference.value), ("low", difference.low), ("high", difference.high)):
        client.log_metric(run_id, f"deciding_log_loss_{name}", value)
    client.log_metric(run_id, "trials", done)
    client.log_dict(run_id, chosen.model_dump(), "best.json")
    client.set_tag(run_id, "kept", str(kept).lower())
    client.set_terminated(run_id)
    return Result(dataset.kind, done, new, cut_short, run_id, chosen.model_dump(), difference, kept)


def _interval(difference: np.ndarray, customer: np.ndarray) -> Interval:
    """Mean over rows with a 95 % interval: customers are drawn, rows of one stay together (ratio of means, normal)."""
    place = np.unique(customer, return_inverse=True)[1]
    count = np.bincount(place)
    mean = float(difference.mean())
    off = np.bincount(place, difference) - mean * count
    wide = float(norm.ppf((1 + LEVEL) / 2)) * float(np.sqrt((off**2).sum())) / len(difference)
    return Interval(mean, mean - wide, mean + wide)


def _parent(registry: Registry, study: optuna.Study, dataset: Dataset) -> str:
    """The run that holds the trials'; the same one for a study that is gone on with, while MLflow has it."""
    from mlflow.exceptions import MlflowException

    if (run_id := study.user_attrs.get("run_id")) is not None:
        try:
            registry.client.update_run(run_id, status="RUNNING")
            return str(run_id)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):  # gone, or deleted
                raise
    tags = {
        "kind": dataset.kind,
        "data_fingerprint": dataset.fingerprint,
        "catalogue_version": dataset.catalogue.version,
        "code_version": code_version(),
    }
    name = f"tune {dataset.kind} {clock.isoformat(clock.Clock().now())[:19]}"
    run = registry.client.create_run(registry.experiment(), tags=tags, run_name=name)
    study.set_user_attr("run_id", run.info.run_id)
    return str(run.info.run_id)


def _log(registry: Registry, parent: str, trial: optuna.trial.FrozenTrial) -> None:
    """A trial as a run below the search's."""
    run = registry.client.create_run(
        registry.experiment(), tags={"mlflow.parentRunId": parent}, run_name=f"trial {trial.number}"
    )
    for name, value in trial.params.items():
        registry.client.log_param(run.info.run_id, name, value)
    registry.client.log_metric(run.info.run_id, "log_loss", float(trial.value or np.nan))
    registry.client.log_metric(run.info.run_id, "trees", trial.user_attrs["trees"])
    registry.client.set_terminated(run.info.run_id)
