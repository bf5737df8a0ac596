"""A randomised comparison from its counts, means and variances: assignment, effects, verdicts, sample-size plan."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from training.reports import always_valid, statistics, wording
from training.reports.artefact import Arm, Assignment, Comparison, Outcome, Plan
from training.reports.statistics import Effect, Known, Sample, Verdict
from training.reports.wording import Words

LEVEL = 1 - statistics.CONFIDENCE
SMALLEST_LIFT = 0.1

_INTERVALS = (
    "Every figure is a difference of means against control, with Welch's 95% interval (Welch 1947), which allows the "
    "groups to vary differently."
)
_ASSIGNED = (
    "Customers count in the group they were assigned to, whatever happened afterwards. Relative lift is the difference "
    "divided by the control's mean, its interval by the delta method on logarithms."
)
_SMALL = (
    f"Groups of fewer than {statistics.SMALLEST_ARM} customers, and rates with fewer than "
    f"{statistics.FEWEST_EXPECTED} expected cases, get no figure: too few to tell. Neither do "
    "rare outcomes, or amounts of which few customers make up so much, that the difference of the means would be drawn "
    f"more skewed than {statistics.MOST_SKEW:g} (Cochran 1977, 2.15): against a small holdout, a rate takes up to "
    f"{1 / statistics.MOST_SKEW**2:.0f} expected cases there."
)
_RATIO = (
    "The sample-ratio check compares the groups' sizes with the planned shares (chi-square; exact binomial for two "
    f"small groups) and turns the report red below p = {statistics.RATIO_ALARM:g}."
)

#: Of a campaign that is over and looked at once.
METHOD = [
    f"{_INTERVALS} 'Likely between' means that interval; it is valid for one look at the end, so do not stop a "
    "campaign on the first good day.",
    _ASSIGNED,
    "An effect is called shown where its p-value stays below 5% after Holm's correction for the number of arms "
    "compared with control; the intervals themselves are not widened. Several outcomes are not corrected for: the "
    "first one is the one that decides.",
    _SMALL,
    _RATIO,
]
#: Of a comparison that goes on, and is looked at every day.
METHOD_ONGOING = [
    f"{_INTERVALS} That is the usual interval, right for one look on a day chosen beforehand. 'Likely between' means "
    "the wider one beside it, which holds however often one looks: an asymptotic confidence sequence (Waudby-Smith, "
    "Arbour, Sinha, Kennedy and Ramdas 2024) tuned to the planned end, there 1.55 times as wide as the usual one.",
    "What customers did in the 90 days before takes noise away (CUPED; Deng, Xu, Kohavi and Walker 2013); levels are "
    "those that both groups would have had if they had been alike before.",
    _ASSIGNED,
    "An effect is called shown where its p-value, one that holds however often one looks, stays below 5% after Holm's "
    "correction for the number of comparisons side by side; the intervals themselves are not widened.",
    "'Weeks until we know' is when a difference of the size worth finding (by default a tenth of what there is "
    "without contacts) would be shown four times out of five, if customers keep coming as in the last four weeks.",
    _SMALL,
    _RATIO,
]


@dataclass(frozen=True)
class Ongoing:
    """Of a comparison that goes on: how many customers it is planned for, how many more come each week, and how many
    comparisons of the same outcome it shares its verdicts' level with, itself among them."""

    plan: int
    weekly: float
    together: int = 1


def assignment(
    column: str, control: str, counts: Mapping[str, int], shares: Mapping[str, float],
    missing: Mapping[str, int], guessed: bool = False, p: float | None = None,
) -> Assignment:  # fmt: skip
    """The groups as assigned, control first; `shares` are positive and are scaled to sum to one.

    `p`: of the sample-ratio check where it is not that of the whole groups, because shares changed.
    """
    names = [control, *sorted(name for name in counts if name != control)]
    total = sum(shares[name] for name in names)
    parts = [(name, counts[name], shares[name] / total) for name in names]
    if p is None:
        p = statistics.sample_ratio([count for _, count, _ in parts], [share for _, _, share in parts])
    alarm = p < statistics.RATIO_ALARM
    return Assignment(
        column=column,
        control=control,
        control_guessed=guessed,
        arms=[Arm(name=n, customers=c, missing=missing.get(n, 0), expected_share=s) for n, c, s in parts],
        p=p,
        alarm=alarm,
        sentence=wording.ratio(alarm, p, parts),
    )


def outcome(
    words: Words, control: str, samples: Mapping[str, Sample], smallest_lift: float = SMALLEST_LIFT,
    known: Mapping[str, Known] | None = None, ongoing: Ongoing | None = None,
) -> Outcome:  # fmt: skip
    """Every arm of `samples` against `control` on one outcome, with the verdicts in words.

    `known`: a covariate of every arm. With two groups the levels are those of alike groups; `ongoing` asks for
    intervals and verdicts that hold however often one looks.
    """
    arms = sorted(name for name in samples if name != control)
    if ongoing is not None:
        ongoing = replace(ongoing, together=ongoing.together * len(arms))
    pairs = {
        name: _alike(samples[control], samples[name], None if known is None else (known[control], known[name]))
        for name in arms
    }
    reasons = {name: statistics.too_few(*pairs[name], words.kind == "rate") for name in arms}
    effects = {name: _effect(*pairs[name], ongoing) for name in arms if reasons[name] is None}
    adjusted = dict(zip(effects, statistics.holm([_p(effect) for effect in effects.values()]), strict=True))
    base = pairs[arms[0]][0] if len(arms) == 1 else samples[control]
    found = []
    for name in arms:
        effect, sample = effects.get(name), pairs[name][1]
        one = Comparison(
            arm=name,
            sample=sample,
            effect=effect,
            p_adjusted=adjusted.get(name),
            verdict=verdict(effect, adjusted.get(name)),
            reason=reasons[name],
            explained=_explained(samples[name], sample) if known else None,
            weeks=None if effect is None or ongoing is None else _weeks(base, sample, smallest_lift, ongoing),
            sentence="",
        )
        said = {
            "sentence": wording.comparison(words, control, base, one),
            "per_thousand": wording.per_thousand(words, one),
        }
        found.append(one.model_copy(update=said))
    plans = [_plan(words, base, one, smallest_lift, ongoing) for one in found if one.verdict == "undecided"]
    return Outcome(
        name=words.name,
        kind=words.kind,
        unit=words.unit,
        control=base,
        comparisons=found,
        plans=plans,
        sentence=wording.outcome(words, control, base, found),
    )


def _alike(control: Sample, treated: Sample, known: tuple[Known, Known] | None) -> tuple[Sample, Sample]:
    return (control, treated) if known is None else statistics.adjusted(control, treated, known)


def _effect(control: Sample, treated: Sample, ongoing: Ongoing | None) -> Effect:
    effect = statistics.compare(control, treated)
    if ongoing is None:
        return effect
    progress = (control.n + treated.n) / ongoing.plan
    return replace(effect, always=always_valid.beside(effect, progress))


def _p(effect: Effect) -> float:
    return effect.p if effect.always is None else effect.always.p


def _explained(before: Sample, after: Sample) -> float | None:
    """The share of the variance that what was known before took away."""
    return 1 - after.variance / before.variance if before.variance > 0 else None


def _weeks(base: Sample, sample: Sample, smallest_lift: float, ongoing: Ongoing) -> float | None:
    if not base.clear:
        return None
    have, target, level = base.n + sample.n, base.mean * smallest_lift, always_valid.LEVEL / ongoing.together
    return always_valid.weeks(_error(base, sample), target, have, ongoing.weekly, ongoing.plan, statistics.POWER, level)


def _error(base: Sample, sample: Sample) -> float:
    return math.sqrt(base.variance / base.n + sample.variance / sample.n)


def verdict(effect: Effect | None, adjusted: float | None) -> Verdict:
    """By the p-value after Holm's correction; `too_few` where there is none."""
    if effect is None or adjusted is None:
        return "too_few"
    if adjusted >= LEVEL:
        return "undecided"
    return "raised" if effect.difference > 0 else "lowered"


def _plan(words: Words, base: Sample, found: Comparison, smallest_lift: float, ongoing: Ongoing | None) -> Plan:
    """By the test that decides: one look, or the bound that holds at every look, as for `_weeks`."""
    sample, target, have = found.sample, abs(base.mean) * smallest_lift, base.n + found.sample.n
    if ongoing is None:
        detectable = statistics.detectable(base, sample)
        needed = statistics.needed(base, sample, target) if base.clear else None
    else:
        error, level = _error(base, sample), always_valid.LEVEL / ongoing.together
        detectable = float(always_valid.detectable(error, have / ongoing.plan, statistics.POWER, level))
        needed = None
        if base.clear:
            needed = always_valid.needed(error, target, have, ongoing.plan, statistics.POWER, level)
    plan = Plan(
        arm=found.arm,
        smallest_lift=smallest_lift,
        power=statistics.POWER,
        detectable=detectable,
        needed_customers=needed,
        sentence="",
    )
    return plan.model_copy(update={"sentence": wording.plan(words, base, plan, have)})
