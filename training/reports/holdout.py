"""The workspace's own uplift: customers as assigned, universal holdout against the rest, on the goal.

A customer enters at the first decision in which a contact was possible at all (the distribution before the holdout
acted held an action), which is known alike for both groups. From then on they count as assigned, contacted or not.
Outcomes are goal interactions, never clicks and never anything tied to a decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import clock, decision_log
from features.clock import DAY
from features.history import History
from features.workspace import Settings, Workspace, WorkspaceError
from serving.decisions import policy
from training.reports import experiment, other_contacts, wording
from training.reports.artefact import Assignment, Outcome, UpliftReport
from training.reports.database import connect
from training.reports.statistics import Sample
from training.reports.wording import Words

CONTROL, TREATED = "the holdout", "Contacts"
_DECISIONS = ["decision_id", "decided_at", "customer_id", "arm", "distribution", "intended"]
_COLUMNS = ["customer_id", "occurred_at", "direction", "type", "value", "topic", "decision_id", "action", "channel"]

METHOD = [
    "A customer enters the comparison at the first decision in which a contact was possible, held out or not, and "
    "counts in that group ever after, whether or not a contact was made. Success is a goal interaction in the days "
    "after that moment, read alike for both groups; only customers whose days are over are counted.",
]


@dataclass(frozen=True)
class Entries:
    """Who entered the comparison, when (micros), and whether they were held out."""

    customers: list[str]
    at: np.ndarray
    held_out: np.ndarray

    def __len__(self) -> int:
        return len(self.customers)


def report(workspace: Workspace, days: int | None = None, smallest_lift: float = 0.1) -> UpliftReport:
    """From history: what `tactful sync` brought there. `days` of outcome, by default the propensity horizon."""
    settings, history = workspace.settings, History(workspace)
    days = days or settings.propensity.horizon_days
    log = history.interactions(_COLUMNS)
    if log.num_rows == 0:
        raise WorkspaceError(
            f"{workspace.history}: there are no interactions to report on; `tactful ingest FILE` first"
        )
    known_until = min(workspace.clock().now(), pc.max(log["occurred_at"]).cast(pa.int64()).as_py() + 1)
    goals = _goals(log, settings)
    decisions, playbook = decision_log.read(history, _DECISIONS), policy.load(workspace)
    share = playbook.policy.holdout.share
    entered = entries(
        decisions, [action.name for action in playbook.actions.actions if not playbook.policy.sells(action)]
    )
    assigned = _assignment(entered, share)
    complete = entered.at + days * DAY <= known_until
    outcomes = _outcomes(entered, complete, goals, days, settings, smallest_lift) if complete.any() else []
    others = other_contacts.describe(
        _made_by_others(log, decisions, settings),
        goals,
        days,
        settings.churn.active_days,
        known_until,
        settings.currency,
    )
    alarm = assigned is not None and assigned.alarm
    return UpliftReport(
        title=f"Uplift: {settings.name}",
        source=f"the history of {settings.name}",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        population=f"{len(entered):,} customers in the comparison, known up to {_date(known_until)}. "
        f"Success is {_goal(settings)} within {days} days of the first decision.",
        headline=_headline(outcomes, alarm, entered, share, days),
        alarm=alarm,
        assignment=assigned,
        outcomes=outcomes,
        other_contacts=others,
        notes=_notes(entered, complete, share, days, history.contacts()) + (others.notes if others else []),
        method=[*(METHOD + experiment.METHOD if assigned else []), *(other_contacts.METHOD if others else [])],
    )


def entries(decisions: pa.Table, helping: Sequence[str] = ()) -> Entries:
    """Each customer's first decision in which an action could have been drawn, before the holdout acted.

    Actions named in `helping` do not count: held-out customers get those too.
    """
    if decisions.num_rows == 0:
        return Entries([], np.zeros(0, np.int64), np.zeros(0, bool))
    with connect() as database:
        database.register("decisions", decisions)
        found = database.execute(
            """WITH drawn AS (  -- `intended` is logged where the holdout changed the distribution, and only there
                   SELECT *, list_transform(coalesce(intended, distribution), lambda cell: cell.action) AS actions
                   FROM decisions
               ),
               possible AS (
                   SELECT customer_id, decided_at, decision_id, arm FROM drawn
                   WHERE len(list_filter(
                       actions, lambda action: action IS NOT NULL AND NOT list_contains($helping, action))) > 0
               )
               SELECT customer_id, epoch_us(min(decided_at)), arg_min(arm, (decided_at, decision_id)) = 'holdout'
               FROM possible GROUP BY 1 ORDER BY 1""",
            {"helping": list(helping)},
        ).fetchall()
    return Entries(
        [customer for customer, _, _ in found],
        np.array([at for _, at, _ in found], np.int64),
        np.array([held for _, _, held in found], bool),
    )


def _goals(log: pa.Table, settings: Settings) -> pa.Table:
    """Goal interactions; sensitive topics stay out, so that no total leaks them."""
    wanted = pc.is_in(log["type"], pa.array(settings.goal))
    sensitive = pc.is_in(log["topic"], pa.array(settings.sensitive_topics, pa.string()))
    return log.filter(pc.and_(wanted, pc.invert(sensitive))).select(["customer_id", "occurred_at", "value"])


def _made_by_others(log: pa.Table, decisions: pa.Table, settings: Settings) -> pa.Table:
    """Outbound offers that no decision of ours caused."""
    offers = pc.and_(
        pc.equal(log["direction"], "outbound"), pc.is_in(log["type"], pa.array(settings.propensity.offers))
    )
    if decisions.num_rows:
        ours = pc.is_in(log["decision_id"], decisions["decision_id"].combine_chunks())
        offers = pc.and_(offers, pc.invert(ours))
    return log.filter(offers).select(["customer_id", "occurred_at", "action", "channel"])


def _assignment(entered: Entries, share: float) -> Assignment | None:
    """None where nobody entered or nobody is to be held out."""
    if not len(entered) or not 0 < share < 1:
        return None
    held = int(entered.held_out.sum())
    counts = {CONTROL: held, TREATED: len(entered) - held}
    return experiment.assignment("the universal holdout", CONTROL, counts, {CONTROL: share, TREATED: 1 - share}, {})


def _outcomes(
    entered: Entries, complete: np.ndarray, goals: pa.Table, days: int, settings: Settings, smallest_lift: float
) -> list[Outcome]:
    """The goal's rate and its money, for customers whose days are over."""
    customers = [customer for customer, done in zip(entered.customers, complete, strict=True) if done]
    happened, money = _successes(customers, entered.at[complete], goals, days)
    held = entered.held_out[complete]
    goal = _goal(settings)
    measures = (
        (Words(f"{goal} within {days} days", "rate"), happened.astype(np.float64)),
        (Words(f"money from {goal} within {days} days", "amount", settings.currency), money),
    )
    return [
        experiment.outcome(
            words, CONTROL, {CONTROL: Sample.of(values[held]), TREATED: Sample.of(values[~held])}, smallest_lift
        )
        for words, values in measures
    ]


def _successes(customers: Sequence[str], at: np.ndarray, goals: pa.Table, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether and for how much money each customer reached the goal in [at, at + days)."""
    entered = pa.table(
        {"place": np.arange(len(customers)), "customer_id": pa.array(customers, pa.string()), "entry": at}
    )
    with connect() as database:
        database.register("entered", entered)
        database.register("goals", goals)
        found: pa.Table = database.sql(
            f"""SELECT place, sum(coalesce(value, 0)) AS money FROM entered JOIN goals USING (customer_id)
                WHERE epoch_us(occurred_at) >= entry AND epoch_us(occurred_at) < entry + {days * DAY} GROUP BY 1"""
        ).to_arrow_table()
    happened, money = np.zeros(len(customers), bool), np.zeros(len(customers))
    reached = found["place"].to_numpy()
    happened[reached] = True
    money[reached] = found["money"].to_numpy()
    return happened, money


def _headline(outcomes: Sequence[Outcome], alarm: bool, entered: Entries, share: float, days: int) -> str:
    if not len(entered):
        return "Nothing to compare yet: history holds no decision in which a contact was possible. Run tactful sync."
    if not 0 < share < 1:
        return "The total effect cannot be known: the contact policy holds nobody out. Set holdout: {share: 0.05}."
    if not outcomes and not alarm:
        return (
            f"Too early to tell: {len(entered):,} customers are in the comparison, {int(entered.held_out.sum()):,} of "
            f"them held out, and the first {days} days end on {_date(int(entered.at.min()) + days * DAY)}."
        )
    return wording.headline(outcomes, alarm)


def _notes(entered: Entries, complete: np.ndarray, share: float, days: int, contacts: pa.Table) -> list[str]:
    if not len(entered):
        return []
    notes = []
    free = {customer for customer, held in zip(entered.customers, entered.held_out, strict=True) if not held}
    if contacts.num_rows:
        sent = contacts.filter(pc.equal(contacts["status"], "sent"))["customer_id"].to_pylist()
        notes.append(
            f"Of {len(free):,} customers who were not held out, {len(free.intersection(sent)):,} have been contacted; "
            "the others count as assigned, so the figures are the effect of the whole programme."
        )
    if waiting := int((~complete).sum()):
        notes.append(f"{waiting:,} customers entered less than {days} days ago and are not counted yet.")
    if 0 < share < 1:
        notes.append(f"The contact policy holds out {wording.planned_percent(share)} of customers.")
    return notes


def _goal(settings: Settings) -> str:
    return " or ".join(settings.goal)


def _date(us: int) -> str:
    return clock.isoformat(us)[:10]
