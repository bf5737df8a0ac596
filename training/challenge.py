"""What came of customers for whom challengers decided, against those for whom the champions did, from logged decisions.

Customers were put into the two by chance and stay there, so they are compared as assigned: from their first decision on
which was made while the challengers played, over the same days for both, whatever was decided. Where their share
changed meanwhile, customers changed arms, and all enter anew. Who is held out, in an experiment or under other caps is
in neither. Intervals as in reports (training/reports/experiment.py), for one look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from features import clock, decision_log
from features.clock import DAY
from features.history import History
from features.workspace import Workspace, WorkspaceError
from serving.decisions import policy
from training.labels import micros
from training.offpolicy import logbook
from training.reports import experiment
from training.reports.artefact import Assignment, Outcome
from training.reports.statistics import Sample
from training.reports.uplift import planned
from training.reports.wording import Words, listed

CHAMPIONS, CHALLENGERS = "the champions", "Challengers"
_COLUMNS = ["decided_at", "customer_id", "arm", "experiment", "cap_level", "challenger", "models", "action",
            "policy_version"]  # fmt: skip

#: (kind, version) of the models that take part under an alias, in order.
Lineup = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Challenge:
    """`challengers` and `champions` while they played, in microseconds from `since` to `until`; `customers` [2] are
    those in the champions' and the challengers' arm. `anew`: the share changed at `since`, and all entered anew."""

    challengers: Lineup
    champions: tuple[Lineup, ...]
    since: int
    until: int
    days: int
    customers: tuple[int, int]
    assignment: Assignment | None
    outcomes: tuple[Outcome, ...]
    anew: bool = False


@dataclass(frozen=True)
class _Log:
    """Decisions [n] in order of person and time; `models` as in the decision log, `made` whether an action was. `share`
    and `salt`: of challengers, as the policy of each decision states them (0: it states none)."""

    who: np.ndarray
    at: np.ndarray
    rival: np.ndarray
    made: np.ndarray
    models: Sequence[Sequence[dict[str, Any]] | None]
    known: logbook.Known
    share: np.ndarray
    salt: np.ndarray


def compare(workspace: Workspace) -> Challenge:
    """The newest challengers that decided anything. WorkspaceError where none did."""
    log, settings = _read(workspace), workspace.settings
    playing = [_lineup(each, "challenger") for each in log.models]
    played = np.flatnonzero([bool(each) for each in playing])
    if not len(played):
        raise WorkspaceError(
            f"{workspace.history}: no challenger has decided anything yet; `tactful promote MODEL --version N --as"
            " challenger` names one, `challenger` in contact_policy.yaml its share, `tactful sync` brings its decisions"
        )
    challengers = playing[played[np.argmax(log.at[played])]]
    mine = log.at[[k for k in played if playing[k] == challengers]]
    played_by = (log.at >= mine.min()) & (log.at <= mine.max())
    stated = np.flatnonzero(played_by & (log.share > 0))
    changed = planned.moved(log.share[stated], log.salt[stated], log.at[stated])
    since = int(mine.min()) if changed is None else changed
    rows = np.flatnonzero(played_by & (log.at >= since))
    who, first, person = np.unique(log.who[rows], return_index=True, return_inverse=True)
    entry, arm, days = log.at[rows][first], log.rival[rows][first], settings.propensity.horizon_days
    end = np.minimum(entry + days * DAY, log.known.until)
    made = np.bincount(person, log.made[rows] & (log.at[rows] < end[person]), len(who))
    outcomes = [_outcome(Words("actions decided on", "amount"), made, arm)]
    for name, event in logbook.events(log.known, settings).items():
        amount = logbook.total(event, who, entry, end)
        if name == settings.currency:
            outcomes.append(_outcome(Words(f"money from {' or '.join(settings.goal)}", "amount", name), amount, arm))
        else:
            outcomes.append(_outcome(Words(name, "rate"), (amount > 0).astype(float), arm))
    counts = int((~arm).sum()), int(arm.sum())
    champions = {_lineup(log.models[k], "champion") for k in rows[~arm[person]]}
    shares = log.share[rows][log.share[rows] > 0]
    return Challenge(
        challengers,
        tuple(sorted(champions)),
        since,
        int(mine.max()),
        days,
        counts,
        _assigned(float(shares.mean()) if len(shares) else 0.0, counts),
        tuple(outcomes),
        changed is not None,
    )


def _read(workspace: Workspace) -> _Log:
    """Decisions about customers who are in the challengers' arm, or in none."""
    history = History(workspace)
    table = decision_log.read(history, _COLUMNS)
    alone = pc.and_(pc.is_null(table["experiment"]), pc.is_null(table["cap_level"]))
    treated = pc.and_(pc.equal(table["arm"], "treated"), pc.is_valid(table["challenger"]))
    table = table.filter(pc.and_(alone, treated))
    interactions = history.interactions(logbook.COLUMNS)
    numbers, person = logbook.people(history, interactions, table, workspace.settings)
    who = np.array([numbers[each] for each in table["customer_id"].to_pylist()], np.int64)
    at = micros(table["decided_at"])
    order = np.lexsort((at, who))
    received = [micros(interactions["received_at"]).max()] if interactions.num_rows else []
    known = int(max([0, *at.max(initial=0, keepdims=True), *received])) + 1
    models = table["models"].to_pylist()
    stated, which = planned.of_rows(workspace, table["policy_version"], policy.load(workspace).policy)
    shares = np.array([0.0 if one.challenger is None else one.challenger.share for one in stated])
    salts = np.array(["" if one.challenger is None else one.challenger.salt for one in stated], object)
    return _Log(
        who[order],
        at[order],
        table["challenger"].to_numpy(zero_copy_only=False).astype(bool)[order],
        table["action"].is_valid().to_numpy(zero_copy_only=False)[order],
        [models[k] for k in order],
        logbook.Known(numbers, interactions, person, known),
        shares[which][order],
        salts[which][order],
    )


def told(workspace: Workspace) -> list[str]:
    """The comparison in words, a line each."""
    found = compare(workspace)
    span = f"{clock.isoformat(found.since)[:10]} to {clock.isoformat(found.until)[:10]}"
    champions = " or ".join(_named(each) for each in found.champions) or "none in the log"
    lines = [
        f"challengers {_named(found.challengers)} against champions {champions}, decisions from {span}: "
        f"{found.customers[1]:,} and {found.customers[0]:,} customers, each over up to {found.days} days"
    ]
    if found.anew:
        lines.append(
            "the challengers' share, or its salt, changed while they played, and customers changed arms: all are"
            f" compared anew since {clock.isoformat(found.since)[:16]}Z"
        )
    if found.assignment is not None and found.assignment.alarm:
        lines.append(found.assignment.sentence)
    return [*lines, *(comparison.sentence for outcome in found.outcomes for comparison in outcome.comparisons)]


def _outcome(words: Words, values: np.ndarray, arm: np.ndarray) -> Outcome:
    samples = {CHAMPIONS: Sample.of(values[~arm]), CHALLENGERS: Sample.of(values[arm])}
    return experiment.outcome(words, CHAMPIONS, samples)


def _assigned(share: float, counts: tuple[int, int]) -> Assignment | None:
    """The sizes against the share that the policies of the decisions state; None where that is all or nobody."""
    if not 0 < share < 1:
        return None
    shares = {CHAMPIONS: 1 - share, CHALLENGERS: share}
    return experiment.assignment(
        "challenger", CHAMPIONS, dict(zip((CHAMPIONS, CHALLENGERS), counts, strict=True)), shares, {}
    )


def _lineup(models: Sequence[dict[str, Any]] | None, alias: str) -> Lineup:
    return tuple(sorted((each["kind"], each["version"]) for each in models or () if each["alias"] == alias))


def _named(lineup: Lineup) -> str:
    return listed([f"{kind} {version}" for kind, version in lineup])
