"""What if the policy were another? Answered from the log where it can tell, else refused, saying what is missing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from features.clock import DAY
from features.workspace import Workspace, WorkspaceError
from serving.decisions.policy import Playbook
from training.offpolicy import changes as differences
from training.offpolicy import finder, intervals, logbook
from training.offpolicy.diagnostics import Overlap, overlap
from training.offpolicy.estimators import Estimate
from training.offpolicy.hearing import Heard, hear
from training.offpolicy.intervals import Interval
from training.offpolicy.weighing import Path, Weighed

#: Decisions that tell as much as if the new policy itself had drawn them: fewer, and no figure is given.
FEWEST = 200
#: Of paths to a decision at least this share, or the few heavy ones that were not drawn are what matters. Of paths both
#: are asked of the probabilities: the weights that were drawn look light where the heavy ones are missing.
THINNEST = 0.2
#: At most these shares: of the new policy's answers that the log never tried, of decisions it cannot be asked about.
UNTRIED, UNKNOWN = 0.01, 0.02
#: Standard errors by which the mean weight may be off 1.
UNBALANCED = 4.5
#: How far back (microseconds) what led to a slot is followed where the log stood: to the other slots of its decision.
AT_ONCE = 1
_LEFT_OUT = {"unscored": "allow what was never scored", "differs": "with contacts that history does not explain"}


class Unsupported(WorkspaceError):
    """The log does not say; the message says what is missing."""


@dataclass(frozen=True)
class Answer:
    """One outcome per 1,000: as played, under the other policy, and the difference. Money in the workspace's own.
    `unseen`: there was nothing of it in this log, and intervals are what it may have missed by chance."""

    outcome: str
    played: Interval
    asked: Interval
    change: Interval
    unseen: bool = False


@dataclass(frozen=True)
class Share:
    """Contacts on a channel per 1,000, as played and under the other policy: known from the probabilities."""

    channel: str
    played: float
    asked: float


@dataclass(frozen=True)
class View:
    """Answers per 1,000 decisions or customer-days. `refused`: why there are none. `shortened`: why earlier answers are
    followed back for fewer days than the caps look; `overlap.effective` of paths is as the probabilities have it."""

    per: str
    overlap: Overlap
    answers: Sequence[Answer] = ()
    contacts: Sequence[Share] = ()
    refused: str | None = None
    shortened: str | None = None


@dataclass(frozen=True)
class WhatIf:
    """`decisions` (the log's), `moved` (the share that would be answered with other probabilities), `left_out` (why,
    and how many), both views, and whom the other policy leaves without any good action."""

    span: str
    decisions: int
    customers: int
    changes: Sequence[str]
    moved: float
    left_out: Mapping[str, int]
    days: int
    views: Sequence[View]
    found: finder.Found

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def simulate(
    workspace: Workspace,
    before: Playbook,
    after: Playbook,
    days: int | None = None,
    memory: int | None = None,
    since: int | None = None,
    until: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> WhatIf:
    """What `after` would have brought in place of `before`, from the decisions made under `before`.

    An outcome is what happens within `days` of a decision (default: the propensity horizon). For customer-days,
    earlier answers are followed back for `memory` days (default: as far as caps of either policy look, or `days`; fewer
    where the log does not carry so many, and it says so).
    `progress(number)` is told after some more decisions. Raises Unsupported where the log cannot say.
    """
    found = differences.changes(before, after)
    _check(found)
    source = logbook.read(workspace, before.version, since, until)
    heard = hear(source, workspace, before, after, progress)
    whole, log = heard.whole, heard.whole.log
    ends = logbook.after(log, source.timeline)
    left_out = _left_out(heard)
    _tried(whole)
    days = days or workspace.settings.propensity.horizon_days
    views = [_by_decision(whole, workspace, days)]
    if memory is None:
        most = max(days, *(_reach(book) for book in (before, after)))
        views.append(_by_day(whole, ends, workspace, _carried(whole, most), most))
    else:
        views.append(_by_day(whole, ends, workspace, memory, memory))
    if all(view.refused for view in views):
        raise Unsupported(f"{workspace.history}: {views[0].refused}")
    number = log.decision[whole.rows]
    moved = np.unique(number[np.abs(whole.target - whole.logging).sum(1) > 1e-9])
    return WhatIf(
        span=logbook.span(log),
        decisions=log.decisions,
        customers=len(np.unique(log.who)),
        changes=[str(each) for each in found],
        moved=len(moved) / len(np.unique(number)),
        left_out=left_out,
        days=days,
        views=views,
        found=finder.find(whole, heard.fates, workspace),
    )


def _check(found: Sequence[differences.Change]) -> None:
    if not found:
        raise Unsupported("the policy asked about is the one that was played; change something in its files")
    lacking = [f"{each}: {each.why_not}" for each in found if each.why_not is not None]
    if lacking:
        raise Unsupported(f"the log cannot say what this would do: {'; '.join(lacking)}; leave it as it was")


def _left_out(heard: Heard) -> dict[str, int]:
    """Decisions that cannot be judged again; raises where they are more than a few."""
    decisions = heard.whole.log.decisions
    for kind, means in (
        ("unscored", "the new policy would allow what was refused then, so the log has no score for it, nor ever tried"
         " it: caps and rules can only be tightened in a what-if, and no log makes it answer for looser ones. Customers"
         " who live under them tell: state `cap_levels` and ask `tactful train fatigue`, or state an experiment with"
         " the arm `looser_caps` and ask `tactful report uplift`"),
        ("differs", "what history holds of contacts does not give the refusals that were logged; run `tactful sync`,"
         " and compare from a time on of which all contacts are known (`--since`)"),
    ):  # fmt: skip
        which = Counter({what: count for (each, what), count in heard.unknown.items() if each == kind})
        if which.total() > UNKNOWN * decisions:
            most = ", ".join(f"{what} ({count:,})" for what, count in which.most_common(3))
            raise Unsupported(f"{means}. It concerns {which.total():,} of {decisions:,} decisions: {most}")
    unknown = Counter[str]()
    for (kind, _), count in heard.unknown.items():
        unknown[_LEFT_OUT[kind]] += count
    return dict(heard.skipped) | dict(unknown)


def _by_decision(whole: Weighed, workspace: Workspace, days: int) -> View:
    """Each decision where the log stood: other contacts as they were."""
    log = whole.log
    complete = whole.at + days * DAY <= log.known.until
    some = whole.at_rows(complete)
    ends, path = some.ends(AT_ONCE)
    told = overlap(ends.feedback(np.zeros(len(ends.rows)), path.weight))
    per = f"decisions, each with the {days} days after it, where the log stood"
    why = _thin(told, f"decisions whose {days} days are known")
    if why is not None:
        return View(per, told, refused=why)
    answers = []
    for name, event in logbook.events(log.known, workspace.settings).items():
        reward = logbook.total(event, ends.who, ends.at, ends.at + days * DAY)
        answers.append(_answer(name, ends, reward, path, _one(name, workspace), 1000.0))
    return View(per, told, answers, _contacts(some, some.paths(AT_ONCE), len(ends.rows)))


def _by_day(whole: Weighed, until: np.ndarray, workspace: Workspace, memory: int, asked: int) -> View:
    """Customers living under the other policy: what led to a decision is weighed as well, for `memory` days of those
    that are `asked` about. `until` int64[n] of all rows of the log: up to when the days after it are its own."""
    log = whole.log
    ends, path = whole.ends(memory * DAY)
    told = overlap(ends.feedback(np.zeros(len(ends.rows)), path.weight))
    told = replace(told, effective=min(path.effective, float(told.rows)))
    per = f"customer-days, under the other policy for {_days(memory)} before"
    if not _carries(path):
        shorter = ", or with `--memory` for fewer days (contacts before those stay as they were)" if memory > 1 else ""
        why = (
            f"what led to the {told.rows:,} decisions tells as much as {told.effective:,.0f} of the other policy's own"
            f" would, and {FEWEST} and {THINNEST:.0%} are needed: over {_days(memory)} the two part too often; ask for"
            f" a smaller change{shorter}"
        )
        return View(per, told, refused=why)
    end = until[ends.rows]
    length = float((end - ends.at).sum() / DAY)
    answers = []
    for name, event in logbook.events(log.known, workspace.settings).items():
        reward = logbook.total(event, ends.who, ends.at, end)
        scale = 1000.0 * len(ends.rows) / length
        answers.append(_answer(name, ends, reward, path, _one(name, workspace), scale, "cautious"))
    every = whole.paths(memory * DAY)
    shortened = None
    if memory < asked:
        shortened = (
            f"{_days(asked)} were to be followed back, and this log carries {memory}: over more the two policies part"
            " too often. Contacts before those stay as they were, so what the change wears off or saves up over longer"
            " is not in these figures"
        )
    return View(per, told, answers, _contacts(whole, every / every.mean(), length), shortened=shortened)


def _carries(path: Path) -> bool:
    return path.effective >= max(FEWEST, THINNEST * len(path.weight))


def _carried(whole: Weighed, most: int) -> int:
    """The most days, up to `most`, that the log can be followed back for; 1 where it carries none.

    From the probabilities alone: were it chosen by what was drawn, logs in which the heavy paths are missing would be
    the ones to answer. What paths tell only falls with their length.
    """
    low, high = 1, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _carries(whole.ends(middle * DAY)[1]) else (low, middle - 1)
    return low


def _days(number: int) -> str:
    return f"{number} day" if number == 1 else f"{number} days"


def _tried(whole: Weighed) -> None:
    """Raises where the new policy would answer what the one that was played could not have."""
    told = overlap(whole.feedback(np.zeros(len(whole.rows))))
    if told.unsupported > UNTRIED:
        raise Unsupported(
            f"{told.unsupported:.1%} of the new policy's answers could not have been drawn under the one that was"
            " played, so the log never tried them; explore more (`exploration`), or ask for a smaller change"
        )
    if told.unbalanced > UNBALANCED:
        raise Unsupported(
            f"the weights' mean is {told.mean_weight:.3f}, {told.unbalanced:.1f} standard errors from 1: answers were"
            " not drawn with the probabilities that were logged"
        )


def _thin(told: Overlap, what: str) -> str | None:
    """Why these cannot speak for the new policy; None where they can."""
    if told.effective >= FEWEST:
        return None
    return (
        f"the {told.rows:,} {what} tell as much as {told.effective:,.0f} of the new policy's own would, and {FEWEST}"
        " are needed; collect more, explore more (`exploration`), or ask for a smaller change"
    )


def _one(name: str, workspace: Workspace) -> float:
    """What a single event brings: counts one, of money nobody knows."""
    return np.inf if name == workspace.settings.currency else 1.0


def _answer(
    name: str, ends: Weighed, reward: np.ndarray, path: Path, one: float, scale: float,
    kind: intervals.Kind = "likelihood",
) -> Answer:  # fmt: skip
    change = ends.change(reward, path, one)
    played, asked, gap = (_scaled(each, scale, kind) for each in (change.before, change.after, change.difference))
    return Answer(name, played, asked, gap, unseen=not reward.any())


def _scaled(estimate: Estimate, scale: float, kind: intervals.Kind) -> Interval:
    found = intervals.interval(estimate, kind)
    return Interval(scale * found.value, scale * found.low, scale * found.high)


def _contacts(whole: Weighed, path: np.ndarray, number: float) -> list[Share]:
    outbound = whole.log.outbound[whole.rows]
    found = []
    for channel in sorted({channel for _, channel in whole.treatments}):
        on = [n for n, key in enumerate(whole.treatments, start=1) if key[1] == channel]
        before, after = (
            float((weight * table[:, on].sum(1))[outbound].sum()) * 1000 / number
            for table, weight in ((whole.logging, np.ones(len(path))), (whole.target, path))
        )
        if before or after:
            found.append(Share(channel, before, after))
    return found


def _reach(book: Playbook) -> int:
    """Days that the longest cap looks back."""
    return -(-max((cap.length for cap in book.policy.caps), default=0) // DAY)
