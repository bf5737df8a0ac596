"""The overview of a workspace, as one artefact."""

from collections.abc import Sequence
from typing import Any

from features import clock
from features.workspace import Workspace, WorkspaceError
from training.reports import experiment, keep
from training.reports.effects import Cell
from training.reports.overview import months, words
from training.reports.overview.artefact import Month, OverviewReport, Standing
from training.reports.overview.months import Span
from training.reports.overview.next_week import OTHERS, next_week
from training.reports.statistics import Verdict
from training.reports.uplift import arms, ghosts, holdout, returns
from training.reports.uplift.holdout import Entries
from training.reports.uplift.log import Log
from training.reports.uplift.words import standings

_UNRELIABLE = "Do not rely on these figures yet: "
#: So many actions are named in each list.
MOST = 12


def make(workspace: Workspace) -> keep.Report:
    """The overview as the console shows it."""
    return keep.Report(report(workspace))


def report(workspace: Workspace) -> OverviewReport:
    """From history. Raises WorkspaceError where there are no interactions."""
    log = Log.read(workspace)
    entered, share = holdout.entries(log), log.playbook.policy.holdout.share
    withheld = ghosts.report(log, log.settings.propensity.horizon_days, experiment.SMALLEST_LIFT)
    cells = withheld.breakdowns[2].cells if withheld else []
    assigned = holdout.assignment(entered)
    alarms = [one.sentence for one in (assigned, withheld and withheld.check) if one and one.alarm]
    lists = _lists(cells)
    about = {
        "title": f"Overview: {log.settings.name}",
        "source": f"the history of {log.settings.name}",
        "created_at": keep.now(),
        "known_until": keep.until(log.known_until),
        "alarm": bool(alarms),
        "alarms": alarms,
        "assignment": assigned,
        **lists,
    }
    judged = (bool(alarms), lists["best"], lists["worst"], lists["undecided"], lists["harmful"])
    kept = {kind: _kept(workspace, kind) for kind in OTHERS}
    if assigned is None or log.known_until < int(entered.at.min()) + months.FEWEST_DAYS * clock.DAY:  # or just begun
        total = holdout.Programme(entered, entered.at < 0, share, assigned, [], None)
        told = (kept["uplift"] or {}) if assigned is None else {}
        rivals = (told.get("arms") or {}).get("rivals", ()) if not told.get("alarm") else ()
        said = arms.in_total(rivals) or holdout.headline(total, log.settings.propensity.horizon_days)
        said = f"{said} {standings(cells)}".strip() if not alarms else f"{_UNRELIABLE}{alarms[0]}"
        return OverviewReport(
            **about,
            headline=said,
            population=f"{len(entered):,} customers in the comparison.",
            next_week=next_week(*judged, kept),
        )
    spans = months.spans(entered, log.known_until)
    now = spans[-1]
    found = months.totals(log, entered, now)
    headline = words.headline(now.spoken, found, cells)
    if alarms:
        headline = f"{_UNRELIABLE}{alarms[0]}"
    ours, held = months.counted(entered, now)
    return OverviewReport(
        **about,
        headline=headline,
        month=now.name,
        month_name=now.spoken,
        since=clock.isoformat(now.since),
        until=clock.isoformat(now.until),
        complete=now.complete,
        population=f"{ours:,} customers against {held:,} held out, in {now.spoken} "
        f"{'as a whole' if now.complete else f'up to {clock.isoformat(now.until)[:10]}'}.",
        next_week=next_week(*judged, kept, words.driven_away(found)),
        totals=found,
        months=[_month(log, entered, span) for span in spans],
        notes=[
            *_notes(now),
            *([holdout.began(entered.since)] if entered.since is not None else []),
            *holdout.changed(entered),
        ],
        method=[*holdout.METHOD, *months.METHOD, *ghosts.METHOD],
    )


def _kept(workspace: Workspace, kind: str) -> dict[str, Any] | None:
    """What another report found last; a damaged one says nothing here."""
    try:
        return keep.read(workspace, kind)
    except WorkspaceError:
        return None


def _month(log: Log, entered: Entries, span: Span) -> Month:
    orders, money = months.estimates(log, entered, span)
    ours, held = months.counted(entered, span)
    return Month(month=span.name, complete=span.complete, customers=ours, held_out=held, orders=orders, money=money)


def _lists(cells: Sequence[Cell]) -> dict[str, list[Standing]]:
    """Actions by how they stand on money, and those that make people opt out."""
    stand = [_standing(cell) for cell in cells]

    def of(verdict: Verdict) -> list[Standing]:
        return [one for one in stand if one.verdict == verdict]

    harm = [_harm(cell) for cell in cells if cell.found[2].verdict == "raised"]
    return {
        "best": sorted(of("raised"), key=_extra, reverse=True)[:MOST],
        "worst": sorted(of("lowered"), key=_extra)[:MOST],
        "undecided": sorted(of("undecided"), key=lambda one: (one.weeks is None, one.weeks or 0.0))[:MOST],
        "harmful": sorted(harm, key=_extra, reverse=True)[:MOST],
    }


def _extra(one: Standing) -> float:
    return one.extra.value if one.extra else 0.0


def _standing(cell: Cell) -> Standing:
    money = cell.found[1]
    extra = cell.returns.extra if cell.returns else None
    return Standing(
        name=cell.name, action=cell.action, channel=cell.channel, dimension="treatment", contacts=cell.contacts,
        extra=extra, verdict=money.verdict, weeks=money.weeks, sentence=words.standing(cell, money, extra),
    )  # fmt: skip


def _harm(cell: Cell) -> Standing:
    effect = cell.found[2].effect
    found = Standing(
        name=cell.name, action=cell.action, channel=cell.channel, dimension="treatment", contacts=cell.contacts,
        extra=None if effect is None else returns.times(effect, cell.contacts), verdict="raised", weeks=None,
        sentence="",
    )  # fmt: skip
    return found.model_copy(update={"sentence": words.harmful(found)})


def _notes(span: Span) -> list[str]:
    if span.complete:
        return []
    left = round((span.end - span.until) / clock.DAY)
    return [f"{span.spoken} goes on for about {left} more days; its figures still grow."]
