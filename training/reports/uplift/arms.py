"""Next best action against the plays of an impact experiment: sticky arms, customers as assigned.

A customer enters at their first decision since the experiment began, whatever came of it, because what could be offered
may itself depend on the arm. Who is held out, under other caps or decided for by challengers is in no arm here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from features import clock
from features.clock import DAY
from serving.decisions.policy import Arm
from training.reports import experiment, statistics, wording
from training.reports.artefact import Arms, Assignment, Comparison, Rival
from training.reports.effects import Found, Measure
from training.reports.experiment import Ongoing
from training.reports.statistics import Known, Sample
from training.reports.uplift import planned
from training.reports.uplift.drawn import BEFORE
from training.reports.uplift.log import Log
from training.reports.wording import Words, bounds, half_width, luck, until_known

OURS = "next best action"
PLAYS = {
    "random_eligible": "random eligible",
    "propensity_only": "propensity only",
    "no_levers": "no levers",
    "looser_caps": "looser caps",
    "nothing": "nothing at all",
}

METHOD = [
    "In the impact experiment, customers count in the arm that their salted hash put them in, from their first "
    "decision since it began. Next best action is compared with each other arm; Holm's correction is over the arms.",
]
_PACE_DAYS = 28


def report(log: Log, days: int, smallest_lift: float) -> Arms | None:
    """None where there is no experiment, or nobody was decided about in one yet.

    Decisions by policies with other arms are those of another experiment, and do not count.
    """
    now = log.playbook.policy
    plan, table = now.experiment, log.decided.filter(log.decided["first_seen"])
    if plan is None or not table.num_rows or planned.arms(now)[0] <= 0:  # nobody left to compare with
        return None
    stated, which = planned.of_rows(log.workspace, table["policy_version"], now)
    same = np.array([one.experiment == plan for one in stated])[which]
    table, which = table.filter(same), which[same]
    if table["experiment"].null_count == len(table):
        return None
    began = int(table.filter(table["experiment"].is_valid())["at"].to_numpy().min())
    person, at, arm, row = _entered(log, table, began)
    names = [OURS, *(one.name for one in plan.arms)]
    mine = np.isin(arm, names)
    person, at, arm, row = person[mine], at[mine], arm[mine], row[mine]
    shares = np.array([planned.arms(one) if one.experiment == plan else np.ones(len(names)) for one in stated])
    shares = shares[which[row]]
    shares /= shares.sum(axis=1, keepdims=True)
    assigned = _assignment(arm, names, shares)
    done = at + days * DAY <= log.known_until
    going = {
        one.name: _ongoing(at[np.isin(arm, [OURS, one.name])], began, log.known_until, len(plan.arms))
        for one in plan.arms
    }
    entered = Entered(person[done], at[done], arm[done], shares[done])
    found = _found(log, entered, plan.arms, days, smallest_lift, going)
    return Arms(
        since=clock.isoformat(began),
        days=days,
        assignment=assigned,
        rivals=found,
        headline=_headline(found),
    )


def _ongoing(at: np.ndarray, began: int, now: int, rivals: int) -> Ongoing:
    """Of a pair whose customers entered at these instants (micros)."""
    early, lately = int((at < began + _PACE_DAYS * DAY).sum()), int((at >= now - _PACE_DAYS * DAY).sum())
    return Ongoing(max(early, 1), lately / (_PACE_DAYS / 7), rivals)


@dataclass(frozen=True)
class Entered:
    """Who entered the experiment: persons' positions, when (micros), in which arm (names), and float[n, 1 + arms] with
    what chance each was in which, next best action first."""

    person: np.ndarray
    at: np.ndarray
    arm: np.ndarray
    shares: np.ndarray

    def weight(self, rival: int) -> np.ndarray | None:
        """For how many customers of next best action each in the rival's arm stands; None where all stand for as many.

        Where shares changed (a challenger that took its share), arms are of earlier customers more often than others.
        """
        ratio = self.shares[:, 0] / self.shares[:, rival]
        return None if not len(ratio) or np.ptp(ratio) < 1e-9 else ratio


def _entered(log: Log, table: pa.Table, began: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(person, when, arm, row of the table) of each customer's first decision since; no arm where they are in none."""
    since = np.flatnonzero(table["at"].to_numpy() >= began)
    table = table.take(since)
    person, at = log.person(table["customer_id"]), table["at"].to_numpy()
    arm = np.array(table["experiment"].to_pylist(), object)
    level, rival = table["cap_level"].to_pylist(), table["challenger"].to_pylist()
    free = np.array([x is None and not y for x, y in zip(level, rival, strict=True)], bool)
    held = np.array(table["arm"].to_pylist(), object) == "holdout"
    none = np.array([x is None for x in arm], bool)
    arm[none] = np.where((free & ~held)[none], OURS, "")
    arm[held] = ""
    order = np.lexsort((at, person))
    first = order[np.flatnonzero(np.diff(person[order], prepend=-1))]
    return person[first], at[first], arm[first], since[first]


def _assignment(arm: np.ndarray, names: list[str], shares: np.ndarray) -> Assignment:
    """Sizes against the shares by the policies that decided, `shares` float[n, names]."""
    there = [k for k in range(len(names)) if len(shares) and shares[:, k].any()]
    times, place = np.unique(np.round(shares[:, there], 9), axis=0, return_inverse=True)
    counts = np.array([np.bincount(place[arm == names[k]], minlength=len(times)) for k in there]).T
    p = statistics.sample_ratios(counts, times)
    sizes = {names[k]: int(counts[:, n].sum()) for n, k in enumerate(there)}
    expected = {names[k]: float(shares[:, k].mean()) for k in there}
    return experiment.assignment("the impact experiment", OURS, sizes, expected, {}, p=p)


def _found(
    log: Log, entered: Entered, arms: list[Arm], days: int, smallest_lift: float, going: Mapping[str, Ongoing]
) -> list[Rival]:
    """`going`: of each rival, by the customers of its pair."""
    person, at = entered.person, entered.at
    number, money = log.goals.within(person, at, at + days * DAY)
    earlier, spent = log.goals.within(person, at - BEFORE * DAY, at)
    left, _ = log.opt_outs.within(person, at, at + days * DAY)
    goal = " or ".join(log.settings.goal)
    measures: list[tuple[Measure, Words, np.ndarray, np.ndarray | None]] = [
        ("goal", Words(f"{goal} within {days} days", "rate"), (number > 0).astype(float), earlier),
        ("money", Words(f"money from {goal} within {days} days", "amount", log.settings.currency), money, spent),
        ("opt_out", Words(f"opt-outs within {days} days", "rate"), (left > 0).astype(float), None),
    ]
    by_arm: dict[str, list[Found]] = {one.name: [] for one in arms}
    for measure, words, values, before in measures:
        # ours against each rival: the rivals take turns as control
        pairs = {
            one.name: _pair(words, values, before, entered, k, one.name, smallest_lift, going[one.name])
            for k, one in enumerate(arms, 1)
        }
        raw = {name: c.effect.always.p for name, (_, c) in pairs.items() if c.effect is not None and c.effect.always}
        adjusted = dict(zip(raw, statistics.holm(list(raw.values())), strict=True))
        for name, (control, one) in pairs.items():
            found = Found(
                measure=measure, name=words.name, kind=words.kind, unit=words.unit,
                better="less" if measure == "opt_out" else "more", control=control, treated=one.sample,
                effect=one.effect, p_adjusted=adjusted.get(name),
                verdict=experiment.verdict(one.effect, adjusted.get(name)), reason=one.reason,
                explained=one.explained, weeks=one.weeks, sentence="",
            )  # fmt: skip
            by_arm[name].append(found)
    return [_rival(one, by_arm[one.name]) for one in arms]


def _pair(
    words: Words, values: np.ndarray, before: np.ndarray | None, entered: Entered, place: int, rival: str,
    smallest_lift: float, going: Ongoing,
) -> tuple[Sample, Comparison]:  # fmt: skip
    theirs, ours, weight = entered.arm == rival, entered.arm == OURS, entered.weight(place)
    standing = None if weight is None else weight[theirs]
    samples = {rival: Sample.weighted(values[theirs], standing), OURS: Sample.of(values[ours])}
    known = None
    if before is not None and len(before) and np.ptp(before) > 0:
        known = {
            rival: Known.weighted(before[theirs], values[theirs], standing),
            OURS: Known.of(before[ours], values[ours]),
        }
    found = experiment.outcome(words, rival, samples, smallest_lift, known, going)
    return found.control, found.comparisons[0]


def _rival(arm: Arm, found: list[Found]) -> Rival:
    play: Literal["random_eligible", "propensity_only", "no_levers", "looser_caps", "nothing"] = arm.play
    title = PLAYS[play]
    said = [one.model_copy(update={"sentence": _sentence(title, one)}) for one in found]
    shown = [one for one in said if one.verdict in ("raised", "lowered")]
    return Rival(arm=arm.name, play=play, title=title, found=said, sentence=(shown or said)[0].sentence)


def in_total(rivals: Sequence[Mapping[str, Any]]) -> str | None:
    """What all contacts did, told by the arm that gets nothing at all; None where no arm does. Rivals as JSON."""
    return next((str(each["sentence"]) for each in rivals if each["play"] == "nothing"), None)


def _sentence(rival: str, one: Found) -> str:
    words = Words(one.name, one.kind, one.unit)
    if one.effect is None:
        return f"Too few to tell next best action from {rival} on {one.name}: {one.reason}."
    width = half_width(one.effect)
    levels = f"{words.level(one.treated.mean, width)} against {words.level(one.control.mean, width)}"
    if one.verdict == "undecided":
        span = words.span(*bounds(one.effect), "and", signed=True)
        wait = f"; {known}" if (known := until_known(one.weeks)) else ""
        outlook = luck(*bounds(one.effect), "arms compared") or wait
        said = f"Next best action is not shown to differ from {rival} on {one.name}: {levels}"
        return f"{said} (likely between {span}){outlook}."
    low, high = sorted(abs(end) for end in bounds(one.effect))
    beats = "beats" if (one.verdict == "raised") == (one.better == "more") else "is worse than"
    more = "more" if one.verdict == "raised" else "less"
    return (
        f"Next best action {beats} {rival} on {one.name}: {levels}, "
        f"{words.change(abs(one.effect.difference), width)} {more} (likely between {words.span(low, high, 'and')})."
    )


def _headline(rivals: list[Rival]) -> str:
    """On money where that is shown, else on the goal, else on opt-outs."""
    fewer, more = "causes fewer opt-outs than", "causes more opt-outs than"
    groups: dict[str, list[str]] = {"beats": [], "is worse than": [], fewer: [], more: [], "open": []}
    for rival in rivals:
        sales, opt_outs = ([one.verdict for one in some if one.verdict in ("raised", "lowered")]
                           for some in (rival.found[:2], rival.found[2:]))  # fmt: skip
        if sales:
            key = "beats" if sales[-1] == "raised" else "is worse than"
        else:
            key = "open" if not opt_outs else fewer if opt_outs[-1] == "lowered" else more
        groups[key].append(rival.title)
    parts = [f"{key} {wording.listed(names)}" for key, names in groups.items() if names and key != "open"]
    if groups["open"]:
        parts.append(f"is not shown to differ from {wording.listed(groups['open'])}")
    return f"Next best action {'; it '.join(parts)}."
