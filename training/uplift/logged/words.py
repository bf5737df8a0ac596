"""The report in sentences: what each action causes, whether it differs by customer, and what cannot be told yet."""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import cast

from features.step_words import on_channel
from training.uplift.logged.judge import LEVEL, Chance, Judged, differs
from training.uplift.logged.learn import Found
from training.uplift.logged.report import ArmFound, LoggedUplift, Verdict
from training.uplift.wording import amount

METHOD = [
    "An action is compared with nothing (silence or a ghost) over decisions in which both had a chance, with the"
    " chances of the logged distribution; each decision counts by how far both were possible.",
    "Outcomes are goals in the action's response window, read alike for both, as intended by the draw: a contact that"
    " was never sent counts as made.",
    "Effects are learned from earlier decisions and judged on later ones, a response window between them; errors are"
    " added up by customer, intervals are 95 %.",
    "The learner is the simplest within one standard error of the best, by folds of customers, where it beats one"
    " effect for all at p < 0.05; its differences are shrunk by the weight that unseen customers give them.",
    "Verdicts on several actions, and on several treatments, are corrected for their number (Holm).",
    "Levels move towards the action's, its group's and the stated prior the more, the fewer data they rest on.",
]
#: Of a test at 5 %: so many standard errors are found four times in five.
_FOUND = 2.8


def verdict(judged: Judged, chance: Chance) -> Verdict:
    if differs(judged, chance):
        return "differs by customer"
    if chance.effect < LEVEL:
        return "works" if judged.effect.value > 0 else "harms"
    return "cannot be told"


def sentence(found: Found, judged: Judged, chance: Chance, rate: bool) -> str:
    """One arm."""
    name = found.action if found.channel is None else f"{found.action} {on_channel(found.channel)}"
    told, said = f"{name}: {amount(judged.effect.interval, rate)}", verdict(judged, chance)
    if said == "differs by customer" and judged.fifths:
        low, high = (amount(judged.fifths[k].effect, rate) for k in (0, -1))
        return f"{told}. Differs by customer: the fifth expected to gain most {high}, the least {low}."
    if said == "works":
        return f"{told}. Works, alike for all as far as can be told."
    if said == "harms":
        return f"{told}. Harms, as far as this outcome shows."
    interval = judged.effect.interval
    if interval.low > 0 or interval.high < 0:
        return f"{told}. Its own interval leaves out zero, but among as many as are compared one such is no surprise."
    more = _needed(found, judged)
    tail = f"; about {more:,} more decisions with it would show an effect as large as the prior" if more else ""
    return f"{told}. No effect is shown{tail}."


def _needed(found: Found, judged: Judged) -> int:
    """How many more decisions with it until an effect of the prior's size is found four times in five; 0: enough."""
    if not math.isfinite(judged.effect.error) or not found.prior:
        return 0
    have = found.treated + int(judged.later.treated.sum())
    needed = have * (_FOUND * judged.effect.error / abs(found.prior)) ** 2
    return max(0, math.ceil((needed - have) / 100) * 100) if needed < 1e9 else 0


def headline(actions: Sequence[ArmFound], unknown: Collection[str] = ()) -> str:
    """Whether effects differ by customer at all, and which actions work, harm, or cannot be told."""
    of: dict[Verdict, list[str]] = {}
    for one in actions:
        of.setdefault(one.verdict, []).append(one.action)
    differ = ", ".join(of.get("differs by customer", []))
    told = [f"Effects differ by customer: {differ}." if differ else "That effects differ by customer is not shown."]
    for said, text in (("works", "Alike for all as far as can be told, and above zero"), ("harms", "Harmful")):
        if names := of.get(cast("Verdict", said)):
            told.append(f"{text}: {', '.join(names)}.")
    if names := [*of.get("cannot be told", []), *unknown]:
        told.append(f"Cannot be told yet: {', '.join(names)}.")
    return " ".join(told)


def lines(report: LoggedUplift) -> Iterator[str]:
    """For a terminal."""
    rate = report.unit == "responses"
    yield (
        f"{report.decisions:,} decisions about {report.customers:,} customers; learned until {report.learned_until},"
        f" judged from {report.judged_from} to {report.judged_until}"
    )
    yield report.headline
    for why, count in report.left_out.items():
        yield f"left out: {count:,} {why}"
    for action in report.actions:
        yield action.sentence
        yield f"  {_how(action, rate)}"
        for one in report.treatments:
            if one.action == action.action:
                yield f"  {one.channel}: {amount(one.effect, rate)}; served {_level(one, rate)}; {_learner(one)}"
    for name, why in report.unknown.items():
        yield f"{name}: its prior stays: {why}"
    yield from report.notes


def _how(found: ArmFound, rate: bool) -> str:
    told = f"{found.treated:,} with it, {found.nothing:,} without; {_learner(found)}{_chosen(found)}"
    if found.slope is not None:
        told += f"; slope on later decisions {found.slope.value:.2f} (p = {found.slope_p:.3f})"
    if found.verdict == "differs by customer":
        told += f"; {found.share:.0%} get it by prediction, worth {amount(found.worth_targeted, rate)} a decision"
        told += f" (all: {amount(found.worth_all, rate)})"
    return told


def _learner(found: ArmFound) -> str:
    return "one effect for all" if found.learner == "constant" else f"learner {found.learner}"


def _chosen(found: ArmFound) -> str:
    """What the learner was chosen by."""
    known = {one.learner: one for one in found.losses if one.standard_error is not None}
    best = max(known.values(), key=lambda one: one.gain, default=None)
    if best is None:
        return ""
    own = known.get(found.learner)
    if own is not None:
        return f" (cross-validated loss below one effect for all by {own.gain:.3g}, error {own.standard_error:.2g})"
    if best.gain <= 0:
        return " (no other learner's cross-validated loss is smaller)"
    return (
        f" ({best.learner}: cross-validated loss smaller by {best.gain:.3g}, error {best.standard_error:.2g}, no more"
        " than chance may do)"
    )


def _level(found: ArmFound, rate: bool) -> str:
    level = f"{100 * found.level:+.1f} points" if rate else f"{found.level:+.3g}"
    return f"{level} ({found.own:.0%} its own)".replace("-", "−")
