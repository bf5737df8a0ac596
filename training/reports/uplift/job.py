"""The uplift report of a workspace, as one artefact."""

import pyarrow as pa

from features.workspace import Workspace
from training.reports import experiment, keep, other_contacts
from training.reports.artefact import UpliftReport
from training.reports.uplift import arms, ghosts, holdout
from training.reports.uplift.log import Log
from training.reports.uplift_targeting.log import targeting

#: The table of customers beside the report.
PEOPLE = "targeting"


def make(workspace: Workspace, days: int | None = None, smallest_lift: float = experiment.SMALLEST_LIFT) -> keep.Report:
    """The report as the console shows it, and beside it the customers of each targeting group."""
    found, people = _made(workspace, days, smallest_lift)
    return keep.Report(found, {PEOPLE: people} if people.num_rows else {})


def report(
    workspace: Workspace, days: int | None = None, smallest_lift: float = experiment.SMALLEST_LIFT
) -> UpliftReport:
    """From history: what `tactful sync` brought there. `days` of outcome, by default the propensity horizon.

    Raises WorkspaceError where there are no interactions.
    """
    return _made(workspace, days, smallest_lift)[0]


def _made(workspace: Workspace, days: int | None, smallest_lift: float) -> tuple[UpliftReport, pa.Table]:
    log = Log.read(workspace)
    settings = log.settings
    days = days or settings.propensity.horizon_days
    total = holdout.programme(log, days, smallest_lift)
    withheld = ghosts.report(log, days, smallest_lift)
    rivals = arms.report(log, days, smallest_lift)
    others = other_contacts.describe(
        log.offers_of_others(), log.goal_rows(), days, settings.churn.active_days, log.known_until, settings.currency
    )
    checks = [each for each in (total.assignment, withheld and withheld.check, rivals and rivals.assignment) if each]
    alarm = any(each.alarm for each in checks)
    headline = holdout.headline(total, days)
    if total.assignment is None and rivals is not None:
        headline = arms.in_total([each.model_dump() for each in rivals.rivals]) or headline
    if alarm and not (total.assignment is not None and total.assignment.alarm):
        headline = f"Do not rely on this report yet: {next(each.sentence for each in checks if each.alarm)}"
    told, people = targeting(workspace)
    found = UpliftReport(
        title=f"Uplift: {settings.name}",
        source=f"the history of {settings.name}",
        created_at=keep.now(),
        known_until=keep.until(log.known_until),
        population=f"{len(total.entered):,} customers in the comparison, known up to {holdout.date(log.known_until)}. "
        f"Success is {holdout.goal_name(log)} within {days} days of the first decision.",
        headline=headline,
        alarm=alarm,
        assignment=total.assignment,
        outcomes=total.outcomes,
        returns=total.returns,
        ghosts=withheld,
        arms=rivals,
        targeting=told,
        other_contacts=others,
        weekly=total.weekly(log.known_until),
        notes=holdout.notes(log, total, days) + (others.notes if others else []),
        method=[
            *(holdout.METHOD if total.assignment else []),
            *(ghosts.METHOD if withheld else []),
            *(arms.METHOD if rivals else []),
            *(experiment.METHOD_ONGOING if checks else []),
            *(other_contacts.METHOD if others else []),
        ],
    )
    return found, people
