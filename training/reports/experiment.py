"""A randomised comparison from its counts, means and variances: assignment, effects, verdicts, sample-size plan."""

from collections.abc import Mapping

from training.reports import statistics, wording
from training.reports.artefact import Arm, Assignment, Comparison, Outcome, Plan
from training.reports.statistics import Effect, Sample, Verdict
from training.reports.wording import Words

LEVEL = 1 - statistics.CONFIDENCE
SMALLEST_LIFT = 0.1

METHOD = [
    "Every figure is a difference of means against control, with Welch's 95% interval (Welch 1947), which allows the "
    "groups to vary differently. 'Likely between' means that interval; it is valid for one look at the end, so do not "
    "stop a campaign on the first good day.",
    "Customers count in the group they were assigned to, whatever happened afterwards. Relative lift is the difference "
    "divided by the control's mean, its interval by the delta method on logarithms.",
    "An effect is called shown where its p-value stays below 5% after Holm's correction for the number of arms "
    "compared with control; the intervals themselves are not widened. Several outcomes are not corrected for: the "
    "first one is the one that decides.",
    f"Groups of fewer than {statistics.SMALLEST_ARM} customers, and rates with fewer than "
    f"{statistics.FEWEST_EXPECTED} expected cases, get no figure: too few to tell.",
    "The sample-ratio check compares the groups' sizes with the planned shares (chi-square; exact binomial for two "
    f"small groups) and turns the report red below p = {statistics.RATIO_ALARM:g}.",
]


def assignment(
    column: str, control: str, counts: Mapping[str, int], shares: Mapping[str, float],
    missing: Mapping[str, int], guessed: bool = False,
) -> Assignment:  # fmt: skip
    """The groups as assigned, control first; `shares` are positive and are scaled to sum to one."""
    names = [control, *sorted(name for name in counts if name != control)]
    total = sum(shares[name] for name in names)
    parts = [(name, counts[name], shares[name] / total) for name in names]
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


def outcome(words: Words, control: str, samples: Mapping[str, Sample], smallest_lift: float = SMALLEST_LIFT) -> Outcome:
    """Every arm of `samples` against `control` on one outcome, with the verdicts in words."""
    base = samples[control]
    arms = sorted(name for name in samples if name != control)
    reasons = {name: statistics.too_few(base, samples[name], words.kind == "rate") for name in arms}
    effects = {name: statistics.compare(base, samples[name]) for name in arms if reasons[name] is None}
    adjusted = dict(zip(effects, statistics.holm([effect.p for effect in effects.values()]), strict=True))
    found = []
    for name in arms:
        effect = effects.get(name)
        one = Comparison(
            arm=name,
            sample=samples[name],
            effect=effect,
            p_adjusted=adjusted.get(name),
            verdict=_verdict(effect, adjusted.get(name)),
            reason=reasons[name],
            sentence="",
        )
        said = {
            "sentence": wording.comparison(words, control, base, one),
            "per_thousand": wording.per_thousand(words, one),
        }
        found.append(one.model_copy(update=said))
    plans = [_plan(words, base, one, smallest_lift) for one in found if one.verdict == "undecided"]
    return Outcome(
        name=words.name,
        kind=words.kind,
        unit=words.unit,
        control=base,
        comparisons=found,
        plans=plans,
        sentence=wording.outcome(words, control, base, found),
    )


def _verdict(effect: Effect | None, adjusted: float | None) -> Verdict:
    if effect is None or adjusted is None:
        return "too_few"
    if adjusted >= LEVEL:
        return "undecided"
    return "raised" if effect.difference > 0 else "lowered"


def _plan(words: Words, base: Sample, found: Comparison, smallest_lift: float) -> Plan:
    target = abs(base.mean) * smallest_lift
    plan = Plan(
        arm=found.arm,
        smallest_lift=smallest_lift,
        power=statistics.POWER,
        detectable=statistics.detectable(base, found.sample),
        needed_customers=statistics.needed(base, found.sample, target) if base.clear else None,
        sentence="",
    )
    said = wording.plan(words, base, plan, base.n + found.sample.n)
    return plan.model_copy(update={"sentence": said})
