"""One retraining: sync, features, train, promote or not, look, report; each step once, whatever kills it in between."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from features import clock
from features.daylog import held
from features.workspace import Workspace, WorkspaceError
from training.retrain import leftovers, steps
from training.retrain.basis import OTHERS, basis, changed, digest
from training.retrain.journal import Journal, last
from training.retrain.steps import Result
from training.retrain.summary import Summary, model
from training.tracking import CHAMPION, Registry

#: Kinds whose features are a step of their own, and kinds that learn from logged decisions in one.
SCORES, EFFECTS = ("churn", "propensity"), ("uplift", "fatigue")
KINDS = (*SCORES, *EFFECTS)
Tell = Callable[[str, int, int], None]
#: Brings what happened live into history; returns what it did, by log.
Sync = Callable[[Workspace], Mapping[str, str]]


def retrain(
    workspace: Workspace,
    kinds: Sequence[str],
    syncs: Sequence[Sync] = (),
    force: bool = False,
    tell: Tell = lambda _step, _at, _of: None,
    reports: Sequence[str] = (),
) -> Summary:
    """Goes on with a run of these kinds that was cut off within a day under the same settings, or begins one.

    A kind is trained where something has come in, or changed, since it was last asked for in a run that ended; where
    that is none of them, it is looked and reported all the same.
    `reports` are kinds of reports to make at its end. Raises
    WorkspaceError where another retraining is under way in the workspace, and where a step fails: the same command then
    goes on from that step.
    """
    state = workspace.folder / "state"
    state.mkdir(exist_ok=True)
    busy = f"another `tactful retrain` is under way in {workspace.folder}; wait for it to end"
    with held(state / "retrain.lock", busy):
        setup = basis(workspace) | {"kinds": " ".join(kinds)}
        journal, given_up, why = Journal.begin(workspace, setup, steps.at_hand)
        if given_up is not None:
            tell(f"begins anew: a run of {given_up.started_at[:19]}Z was cut off, and {why}", 0, _count(kinds, reports))
            _give_up(workspace, given_up)
        journal.save()
        return _run(workspace, journal, kinds, syncs, force, tell, reports)


def _run(
    workspace: Workspace, journal: Journal, kinds: Sequence[str], syncs: Sequence[Sync], force: bool, tell: Tell,
    reports: Sequence[str],
) -> Summary:  # fmt: skip
    count = _count(kinds, reports)

    def step(name: str, work: Callable[[], Result]) -> Result:
        if name not in journal.steps:
            tell(name, len(journal.steps), count)
            journal.done(name, _named(name, work))
        result: Result = journal.steps[name]
        return result

    step("sync", lambda: {"logs": _synced(workspace, syncs)})
    # who reigned before is asked for now: once a kind is promoted, nobody could tell
    marked = step("history", lambda: {"data": steps.data(workspace), "before": _champions(workspace, kinds)})
    rests = journal.setup | {"data": marked["data"]}
    before = last(journal.folder)
    kept = _rested(before)
    look = partial(steps.look, workspace)

    def end(outcome: Literal["trained", "nothing_new"], kinds: Sequence[str] = ()) -> Summary:
        step("look", look)  # no new data is what it should ring for
        for kind in reports:
            step(f"report: {kind}", partial(steps.report, workspace, kind))
        return _end(journal, rests, why, outcome, kinds, reports, kept)

    whys = {} if before is None else {kind: _why(before, kept.get(kind), rests) for kind in kinds}
    due = [kind for kind in kinds if force or before is None or whys[kind]]
    why = "; ".join(dict.fromkeys(each for each in whys.values() if each))
    if not due:
        return end("nothing_new")
    why = why or ("--force" if before is not None else "")
    if why:
        tell(f"trains again: {why}", len(journal.steps), count)
    for kind in due:
        if kind in EFFECTS:
            step(f"{kind}: train", partial(steps.effects, workspace, journal, kind))
            continue
        if "refused" in step(f"{kind}: features", partial(steps.features, workspace, journal, kind)):
            continue
        step(f"{kind}: train", partial(steps.train, workspace, journal, kind))
        step(f"{kind}: promote", partial(steps.promote, workspace, journal, kind))
    return end("trained", due)


def _why(before: Mapping[str, Any], kept: Mapping[str, str] | None, rests: Mapping[str, str]) -> str:
    """What changed since a kind was last trained, on `kept`; empty where nothing did."""
    if kept is not None:
        return changed(kept, _own(rests))
    return OTHERS if before.get("basis") else "the last retraining did not keep what it rests on"


def _rested(before: Mapping[str, Any] | None) -> dict[str, dict[str, str]]:
    """By kind, what it was last trained on, as the summary of the last run tells; one of before there was `rests` tells
    it of that run's kinds."""
    told = before or {}
    basis = told.get("basis") or {}
    found: dict[str, dict[str, str]] = told.get("rests") or {
        kind: _own(basis) for kind in basis.get("kinds", "").split()
    }
    return found


def _own(rests: Mapping[str, str]) -> dict[str, str]:
    """What one kind rests on: whatever others are asked for beside it."""
    return {name: value for name, value in rests.items() if name != "kinds"}


def _count(kinds: Sequence[str], reports: Sequence[str]) -> int:
    """How many steps there are."""
    return 3 + len(reports) + sum(3 if kind in SCORES else 1 for kind in kinds)


def _named(name: str, work: Callable[[], Result]) -> Result:
    """Whatever goes wrong says in which step, for nobody watches a scheduler."""
    try:
        return work()
    except WorkspaceError as error:
        raise WorkspaceError(f"{name}: {error}; the same command goes on from here") from error
    except Exception as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise WorkspaceError(f"{name}: {told}; the same command goes on from here") from error


def _synced(workspace: Workspace, syncs: Sequence[Sync]) -> dict[str, str]:
    found: dict[str, str] = {}
    for sync in syncs:
        found |= sync(workspace)
    return found


def _champions(workspace: Workspace, kinds: Sequence[str]) -> dict[str, str | None]:
    registry = Registry(workspace)
    reigning = {kind: registry.holder(kind, CHAMPION) for kind in kinds}
    return {kind: None if holder is None else str(holder.version) for kind, holder in reigning.items()}


def _end(
    journal: Journal, rests: dict[str, str], why: str, outcome: Literal["trained", "nothing_new"],
    kinds: Sequence[str], reports: Sequence[str], kept: Mapping[str, dict[str, str]],
) -> Summary:  # fmt: skip
    """`kinds`: those that were trained; `kept`: what each had been trained on before."""
    done, before = journal.steps, journal.steps["history"]["before"]
    look: Result = done.get("look", {})
    summary = Summary(
        id=journal.id,
        started_at=journal.started_at,
        ended_at=clock.isoformat(clock.Clock().now()),
        outcome=outcome,
        taken_up=journal.taken_up,
        mark=digest(rests),
        basis=rests,
        rests={**kept, **{kind: _own(rests) for kind in kinds}},
        why=why,
        sync=done["sync"]["logs"],
        models={kind: model(kind, done, before.get(kind)) for kind in kinds},
        monitor=look.get("headline"),
        rings=look.get("rings", []),
        reports={kind: done[f"report: {kind}"]["said"] for kind in reports},
        broke=[kind for kind in reports if done[f"report: {kind}"].get("broke", False)],
    )
    journal.end(summary.model_dump())
    return summary


def _give_up(workspace: Workspace, journal: Journal) -> None:
    """A run that is not gone on with: nothing stays but versions without an alias, which say where they are from."""
    registry = Registry(workspace)
    for kind in KINDS:
        version = leftovers.version(registry, journal.id, kind)
        if version is not None:
            leftovers.disown(registry, kind, version)
    journal.forget()
