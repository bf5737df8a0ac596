"""The report's sentences: what a marketer may conclude, and not more."""

from collections.abc import Iterator

from training.evaluate import Interval
from training.uplift import propensity
from training.uplift.report import ArmFound, UpliftFound

#: Where more than this share of the customers was left out for lack of overlap, the headline says so.
SPARED = 0.05
METHOD = [
    "Effects are judged on customers that the models did not see (five folds), by doubly robust scores.",
    "The learner is the simplest whose cross-validated doubly robust loss is within one standard error of the best.",
    "Heterogeneity counts as shown where the test of the best linear predictor has p < 0.05 and the best learner's"
    " loss is below that of one effect for all, p < 0.05 after Bonferroni over the learners.",
    "Fifths and tenths hold the later three fifths of the customers, by effects learned from those before them alone,"
    " so that their intervals are honest.",
    "Qini and AUUC are scikit-uplift's normalised coefficients, with bootstrap intervals over customers, of"
    " out-of-fold effects.",
    "Treating all is advised where the best group's gain is above 0 in an interval that holds for all groups together.",
    "Of a group, or a control, that is too small for its outcome (fewer than five expected cases, or so few who make up"
    " most of it that the difference is drawn askew), nothing is told but what would be needed.",
    "Values of rules are gains a customer over contacting nobody, the stated cost paid; intervals are 95 %.",
]


def amount(interval: Interval, rate: bool) -> str:
    """`+4.5 (3.9 to 5.2) percentage points`, or `−0.42 (−0.70 to −0.15)`."""
    scale, unit = (100.0, " percentage points") if rate else (1.0, "")
    parts = [scale * one for one in (interval.value, interval.low, interval.high)]
    width = max(parts[2] - parts[1], 1e-12)
    if parts[1] == parts[2]:
        return f"{parts[0]:+.3g}".replace("-", "−") + unit
    digits = 0
    while width * 10**digits < 10 and digits < 6:
        digits += 1
    told = f"{parts[0]:+.{digits}f} ({parts[1]:.{digits}f} to {parts[2]:.{digits}f})"
    return told.replace("-", "−") + unit


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def arm(found: ArmFound, control: str, outcome: str, rate: bool) -> str:
    """The mean effect, and whether effects differ by customer; or that customers are too few to tell."""
    if found.effect is None:
        return f"Too few to tell whether {found.arm} changed {outcome}: {found.too_few}."
    mean = f"{found.arm} against {control} on {outcome}: {amount(found.effect, rate)}."
    proof = f"test of the best linear predictor {_p(found.test_p)}, gain over one effect for all {_p(found.gain_p)}"
    if found.heterogeneity_shown:
        return f"{mean} Effects differ by customer ({proof})."
    hint = " There is a hint, too weak to act on." if found.test_p < 0.05 else ""
    return f"{mean} Heterogeneity is not shown ({proof}).{hint}"


def headline(report: UpliftFound) -> str:
    """The verdict in a sentence or two, and what it hangs on where chance did not choose."""
    if report.verdict == "too few":
        return " ".join(one.sentence for one in report.arms)
    said = _verdict(report)
    if few := [one.arm for one in report.arms if one.too_few is not None]:
        said += f" Too few customers to tell for {', '.join(few)}."
    if report.trimmed > SPARED * (report.customers + report.trimmed):
        said += f" This says nothing of the {report.trimmed:,} customers with whom nobody compares."
    rate, names = report.outcome_kind == "rate", ", ".join(report.unlike[:5])
    effects = "; ".join(f"{arm} {amount(effect, rate)}" for arm, effect in report.otherwise.items())
    if _doubtful(report):
        return (
            f"{said} Beware: {names} was taken for recorded after the assignment and left out; it differs by group, and"
            f" {report.outcome} is only where it is. If it was known before, customers were chosen by it, and effects"
            f" among those alike in it are {effects}; then fit with --propensity estimate."
        )
    if report.randomised or report.assignment_p >= propensity.ALARM:
        return said
    if not report.otherwise:
        return (
            f"{said} Beware: the groups are unlike, so this holds only if all columns were known before the assignment."
        )
    ignored = " ".join(f"--ignore {name}" for name in report.unlike[:5])
    return (
        f"{said} Beware: the groups are unlike in {names} alone, so this holds only if that was known before the"
        f" assignment. If it was recorded afterwards, leave it out ({ignored}); effects are then {effects}."
    )


def _doubtful(report: UpliftFound) -> bool:
    """Whether the groups are alike only without columns of which nobody can tell when they were recorded."""
    return bool(report.otherwise) and report.assignment_p >= propensity.ALARM


def _verdict(report: UpliftFound) -> str:
    rate = report.outcome_kind == "rate"
    best = max(report.rules[: len(report.told)], key=lambda one: one.value.value)
    arm_name = best.rule.removeprefix("all get ")
    shown = any(one.heterogeneity_shown for one in report.arms)
    paid = " after costs" if report.cost else ""
    if report.verdict == "target" and report.targeted_over_best is not None:
        targeted = next(one for one in report.rules if one.rule == "targeted by effect")
        rival = "treating all" if best.value.value > 0 else "treating none"
        more = f"{amount(report.targeted_over_best, rate)} a customer more{paid} than {rival}"
        share = f"{targeted.share:.0%}"
        whom = "giving each what moves them most" if share == "100%" else f"contacting the {share} who gain by it"
        return f"Target: {whom} brings {more}."
    if report.verdict == "treat all":
        said = f"Treat all with {arm_name}: {amount(best.value, rate)} a customer{paid}"
        if shown:
            return f"{said}. Effects differ by customer: where contacts are limited, contact by predicted effect."
        return f"{said}; heterogeneity is not shown, so choosing among customers gains nothing that can be told."
    why = f"no gain{paid} is shown"
    if best.value.high < 0:
        lowers = f"it lowers {report.outcome}, of which more was taken for better"
        why = "treating them costs more than it brings" if report.cost else lowers
    if best.value.low > 0:
        why += f" beyond the luck of the best of {len(report.told)} groups"
    also = "" if shown else "; heterogeneity is not shown either"
    return f"Treat none: {why} ({arm_name}: {amount(best.value, rate)} a customer){also}."


def lines(report: UpliftFound) -> Iterator[str]:
    """The report for a terminal."""
    rate = report.outcome_kind == "rate"
    yield report.headline
    for one in report.arms:
        yield ""
        yield one.sentence
        if one.too_few is not None:
            continue
        loss = next(loss for loss in one.losses if loss.learner == one.learner)
        gained = f"loss below one effect for all by {loss.gain:.3g}, error {loss.standard_error:.2g}"
        yield f"  learner: {one.learner} ({gained})"
        if one.qini is not None:
            area = f"; AUUC {one.auuc:.4f}" if one.auuc is not None else ""
            yield f"  Qini {one.qini:.4f}{area}; calibration slope {one.calibration_slope:.2f}"
        for k, group in enumerate(one.fifths, 1):
            predicted = 100 * group.predicted if rate else group.predicted
            yield f"  fifth {k}: predicted {predicted:+.3g}, found {amount(group.effect, rate)}"
    if report.rules:
        yield ""
    for rule in report.rules:
        yield f"  {rule.rule} ({rule.share:.0%}): {amount(rule.value, rate)} a customer"
    yield ""
    but = f" but {', '.join(report.unlike[:5])}" if _doubtful(report) else ""
    random = f"at random, as far as the columns{but} can tell" if report.randomised else "by what the columns tell"
    if report.randomised and report.assignment_p < propensity.ALARM:
        random = "at random, it was said, but not by what the columns tell"
    yield f"{report.customers:,} customers, assigned {random} ({_p(report.assignment_p)})."
    if not report.randomised:
        yield "Effects hold only if the columns hold all that both the choice and the outcome depended on."
    for name, why in report.left_out.items():
        yield f"left out: {name}: {why}"
    yield from report.notes
