"""The job behind `tactful report pressure`."""

import numpy as np

from features.workspace import Workspace, WorkspaceError
from training.fatigue.log import pressure_of
from training.reports import keep
from training.reports.keep import Report
from training.reports.pressure import words
from training.reports.pressure.alone import alone
from training.reports.pressure.artefact import PressureReport
from training.reports.pressure.causal import Learned, causal, learn, tells
from training.reports.pressure.contacts import contacts
from training.reports.pressure.guard import guard
from training.reports.pressure.log import Log, policy_of, read
from training.reports.pressure.response import response
from training.reports.pressure.spread import spread
from training.reports.statistics import RATIO_ALARM

#: Days that levels are read off, weeks of trend, days in which an answer to a contact counts.
DAYS, WEEKS, ANSWER_DAYS = 28, 26, 7


def report(workspace: Workspace) -> Report:
    """Raises WorkspaceError where history holds no interactions."""
    settings, stated = workspace.settings, policy_of(workspace)
    log = read(workspace, DAYS, ANSWER_DAYS)
    weighed = pressure_of(workspace, log.channels)
    learned, why = _learned(workspace)
    telling = learned if learned is not None and tells(learned.fitted.curves) else None
    spared, table = alone(log, weighed, telling, settings.fatigue.margin)
    found = contacts(log, DAYS, WEEKS)
    levels = spread(workspace)
    told = None if learned is None else causal(learned, _those(learned, log), settings.currency, levels)
    artefact = PressureReport(
        title=f"Contact pressure: {settings.name}",
        headline=spared.sentence,
        created_at=keep.now(),
        known_until=keep.until(log.until),
        source=f"the history of {settings.name}",
        currency=settings.currency,
        days=DAYS,
        customers=len(log.active),
        alone=spared,
        contacts=found,
        guard=guard(workspace, log.until, DAYS, WEEKS),
        response=response(log, weighed, ANSWER_DAYS),
        causal=told,
        why_not_causal=why,
        limit_stated=stated is not None and stated.pressure is not None,
        notes=words.notes(stated is not None and stated.pressure is not None, _gap(learned), levels),
        method=words.method(settings.fatigue, DAYS, ANSWER_DAYS),
    )
    return Report(artefact, {"alone": table})


def _learned(workspace: Workspace) -> tuple[Learned | None, str | None]:
    """What chance tells, or why it tells nothing."""
    try:
        return learn(workspace), None
    except WorkspaceError as error:
        return None, str(error)


def _those(learned: Learned, log: Log) -> np.ndarray:
    """The active customers as the log of fatigue numbers them."""
    place = {name: k for k, name in enumerate(learned.log.ids.tolist())}
    return np.sort(np.array([place[name] for name in log.ids[log.active].tolist() if name in place], np.int64))


def _gap(learned: Learned | None) -> bool:
    """Whether levels differed before."""
    return learned is not None and learned.fitted.levels.uneven_p < RATIO_ALARM
