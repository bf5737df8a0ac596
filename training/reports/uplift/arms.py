"""Next best action against the plays of an impact experiment: sticky arms, customers as assigned.

A customer enters at their first decision since the experiment began, whatever came of it, because what could be offered
may itself depend on the arm. Who is held out, under other caps or decided for by challengers is in no arm here.
"""

from typing import Literal

import numpy as np

from features import clock
from features.clock import DAY
from serving.decisions.policy import Arm
from training.reports import experiment, statistics, wording
from training.reports.artefact import Arms, Assignment, Comparison, Rival
from training.reports.effects import Found, Measure
from training.reports.experiment import Ongoing
from training.reports.statistics import Known, Sample
from training.reports.uplift.drawn import BEFORE
from training.reports.uplift.log import Log
from training.reports.wording import Words, bounds, half_width, until_known

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
    """None where there is no experiment, or nobody was decided about in one yet."""
    plan = log.playbook.policy.experiment
    table = log.decided.filter(log.decided["first_seen"])
    if plan is None or not table.num_rows or table["experiment"].null_count == len(table):
        return None
    began = int(table.filter(table["experiment"].is_valid())["at"].to_numpy().min())
    person, at, arm = _entered(log, began)
    names = [OURS, *(one.name for one in plan.arms)]
    mine = np.isin(arm, names)
    person, at, arm = person[mine], at[mine], arm[mine]
    counts = {name: int((arm == name).sum()) for name in names}
    assigned = _assignment(log, counts, plan.arms)
    done = at + days * DAY <= log.known_until
    early = int((at < began + _PACE_DAYS * DAY).sum())
    going = Ongoing(max(early, 1), float((at >= log.known_until - _PACE_DAYS * DAY).sum()) / (_PACE_DAYS / 7))
    found = _found(log, person[done], at[done], arm[done], plan.arms, days, smallest_lift, going)
    return Arms(
        since=clock.isoformat(began),
        days=days,
        assignment=assigned,
        rivals=found,
        headline=_headline(found),
    )


def _entered(log: Log, began: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(person, when, arm) of each customer's first decision since; arm None where they are in none."""
    table = log.decided
    table = table.filter(table["first_seen"])
    table = table.filter(table["at"].to_numpy() >= began)
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
    return person[first], at[first], arm[first]


def _assignment(log: Log, counts: dict[str, int], arms: list[Arm]) -> Assignment:
    """Sizes against the policy's shares; cap levels and challengers take theirs from who is in no arm."""
    policy = log.playbook.policy
    rest = 1.0 - sum(one.share for one in arms)
    if policy.cap_levels is not None:
        rest *= 1.0 - sum(level.share for level in policy.cap_levels.levels)
    if policy.challenger is not None:
        rest *= 1.0 - policy.challenger.share
    shares = {OURS: rest} | {one.name: one.share for one in arms}
    shares = {name: share for name, share in shares.items() if share > 0}
    return experiment.assignment("the impact experiment", OURS, {n: counts[n] for n in shares}, shares, {})


def _found(
    log: Log, person: np.ndarray, at: np.ndarray, arm: np.ndarray, arms: list[Arm], days: int, smallest_lift: float,
    going: Ongoing,
) -> list[Rival]:  # fmt: skip
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
        pairs = {one.name: _pair(words, values, before, arm, one.name, smallest_lift, going) for one in arms}
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
    words: Words, values: np.ndarray, before: np.ndarray | None, arm: np.ndarray, rival: str, smallest_lift: float,
    going: Ongoing,
) -> tuple[Sample, Comparison]:  # fmt: skip
    samples = {name: Sample.of(values[arm == name]) for name in (rival, OURS)}
    known = None
    if before is not None and len(before) and np.ptp(before) > 0:
        known = {name: Known.of(before[arm == name], values[arm == name]) for name in (rival, OURS)}
    found = experiment.outcome(words, rival, samples, smallest_lift, known, going)
    return found.control, found.comparisons[0]


def _rival(arm: Arm, found: list[Found]) -> Rival:
    play: Literal["random_eligible", "propensity_only", "no_levers", "looser_caps", "nothing"] = arm.play
    title = PLAYS[play]
    said = [one.model_copy(update={"sentence": _sentence(title, one)}) for one in found]
    shown = [one for one in said if one.verdict in ("raised", "lowered")]
    return Rival(arm=arm.name, play=play, title=title, found=said, sentence=(shown or said)[0].sentence)


def _sentence(rival: str, one: Found) -> str:
    words = Words(one.name, one.kind, one.unit)
    if one.effect is None:
        return f"Too few to tell next best action from {rival} on {one.name}: {one.reason}."
    width = half_width(one.effect)
    levels = f"{words.level(one.treated.mean, width)} against {words.level(one.control.mean, width)}"
    if one.verdict == "undecided":
        span = words.span(*bounds(one.effect), "and", signed=True)
        wait = f"; {known}" if (known := until_known(one.weeks)) else ""
        said = f"Next best action is not shown to differ from {rival} on {one.name}: {levels}"
        return f"{said} (likely between {span}){wait}."
    low, high = sorted(abs(end) for end in bounds(one.effect))
    beats = "beats" if (one.verdict == "raised") == (one.better == "more") else "is worse than"
    more = "more" if one.verdict == "raised" else "less"
    return (
        f"Next best action {beats} {rival} on {one.name}: {levels}, "
        f"{words.change(abs(one.effect.difference), width)} {more} (likely between {words.span(low, high, 'and')})."
    )


def _headline(rivals: list[Rival]) -> str:
    """On money where that is shown, else on the goal."""
    groups: dict[str, list[str]] = {"beats": [], "is worse than": [], "open": []}
    for rival in rivals:
        decided = [one for one in rival.found[:2] if one.verdict in ("raised", "lowered")]
        key = "open" if not decided else "beats" if decided[-1].verdict == "raised" else "is worse than"
        groups[key].append(rival.title)
    parts = [f"{key} {wording.listed(names)}" for key, names in groups.items() if names and key != "open"]
    if groups["open"]:
        parts.append(f"is not shown to differ from {wording.listed(groups['open'])}")
    return f"Next best action {'; it '.join(parts)}."
