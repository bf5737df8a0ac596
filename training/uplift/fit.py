"""From a campaign table to a model of effects and an honest report, as one plain function."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from scipy.stats import norm

from training.evaluate import Interval
from training.uplift import choose, curves, heterogeneity, nuisance, wording
from training.uplift.choose import Choice, CrossFit, InTurn
from training.uplift.customers import among
from training.uplift.heterogeneity import Group
from training.uplift.learners import LEARNERS
from training.uplift.model import Model
from training.uplift.prepare import Prepared
from training.uplift.report import ArmFound, Budget, GroupEffect, LearnerLoss, RuleValue, UpliftFound, Verdict
from training.uplift.sample import Sample
from training.uplift.value import SHARES, Rules

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Fitted:
    """The model, the report, the out-of-fold effects float64[n, arms - 1] that the report judges, and those in turn of
    each arm (`choose.in_turn`); n are the customers that taught. The model has the arms whose effect can be told."""

    model: Model
    report: UpliftFound
    crossed: CrossFit
    effects: np.ndarray
    in_turn: Mapping[int, InTurn]


def steps(prepared: Prepared) -> int:
    """How often `fit` tells of progress."""
    return len(np.unique(prepared.fold)) * len(LEARNERS) + len(prepared.arms) - 1


def fit(prepared: Prepared, cost: float = 0.0, tell: Tell = lambda _: None) -> Fitted:
    """Chooses a learner by arm, fits it on all customers that teach, and judges what others of them taught.

    Mean effects, and what contacting all is worth, are those of all customers. `cost` is that of treating one customer,
    in units of the outcome.
    """
    taught = prepared.taught
    crossed = choose.cross_fit(prepared.part, prepared.fold[taught], tell=tell)
    everyone = crossed.sample
    if not taught.all():
        everyone = nuisance.for_all(prepared.sample, prepared.fold, taught, crossed.sample)
    arms = range(1, len(prepared.arms))
    choices = {arm: choose.choose(crossed, arm) for arm in arms}
    effects = np.column_stack([crossed.of(choices[arm].name, arm) for arm in arms])
    found, names, fitted, in_turn = [], {}, {}, {}
    for arm in arms:
        name = prepared.arms[arm]
        tell(f"judging {name}")
        in_turn[arm] = choose.in_turn(crossed, crossed.effects, arm)
        found.append(_arm(prepared, everyone, crossed, choices[arm], arm, in_turn[arm]))
        if name not in prepared.too_few:
            names[name], fitted[name] = choices[arm].name, choose.fit(crossed, choices[arm].name, arm)
    model = Model(prepared.treatment, prepared.outcome, prepared.arms[0], prepared.encoder, names, fitted)
    return Fitted(model, _report(prepared, everyone, crossed, effects, found, cost), crossed, effects, in_turn)


def _arm(
    prepared: Prepared, everyone: Sample, crossed: CrossFit, choice: Choice, arm: int, in_turn: InTurn
) -> ArmFound:
    sample, fold = crossed.sample, crossed.fold
    score, effect = sample.effect_score(arm), crossed.of(choice.name, arm)
    shown = heterogeneity.examine(crossed, arm, choice, in_turn)
    slope, _ = heterogeneity.best_linear_predictor(score, effect, fold, sample.customer)
    judged, told = in_turn
    whose = among(sample.customer, judged)
    told_by = (score[judged], told[choice.name], fold[judged])
    pair = (sample.arm == arm) | (sample.arm == 0)
    ranking = choose.within(effect, fold)
    ranked = (ranking[pair], sample.outcome[pair], sample.arm[pair] == arm, among(sample.customer, pair))
    varies = np.isfinite(slope.low)
    areas = prepared.randomised and varies
    said = ArmFound(
        arm=prepared.arms[arm],
        customers=int(np.sum(everyone.arm == arm)),
        effect=heterogeneity.mean(everyone.effect_score(arm), everyone.customer),
        learner=choice.name,
        losses=[LearnerLoss(learner=one.name, gain=one.gain, standard_error=one.error) for one in choice.losses],
        heterogeneity_shown=shown.shown,
        test_p=shown.p,
        gain_p=shown.gain_p,
        calibration_slope=slope if varies else None,
        fifths=[_group(one) for one in heterogeneity.groups(*told_by, 5, whose)],
        tenths=[_group(one) for one in heterogeneity.groups(*told_by, 10, whose)],
        qini=curves.qini_interval(*ranked) if areas else None,
        auuc=curves.auuc_interval(*ranked) if areas and sample.binary else None,
        sentence="",
    )
    if (reason := prepared.too_few.get(said.arm)) is not None:
        unknown = {"effect": None, "too_few": reason, "learner": choose.CONSTANT, "calibration_slope": None}
        areas_of = {"heterogeneity_shown": False, "fifths": [], "tenths": [], "qini": None, "auuc": None}
        said = said.model_copy(update=unknown | areas_of)
    return said.model_copy(update={"sentence": wording.arm(said, prepared.arms[0], prepared.outcome, sample.binary)})


def _group(one: Group) -> GroupEffect:
    return GroupEffect(customers=one.customers, predicted=one.predicted, effect=one.effect)


def _report(
    prepared: Prepared,
    everyone: Sample,
    crossed: CrossFit,
    effects: np.ndarray,
    found: Sequence[ArmFound],
    cost: float,
) -> UpliftFound:
    sample = crossed.sample
    told = [arm for arm, one in enumerate(found, 1) if one.too_few is None]
    report = UpliftFound(
        source=prepared.source,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        treatment=prepared.treatment,
        outcome=prepared.outcome,
        outcome_kind="rate" if sample.binary else "amount",
        control=prepared.arms[0],
        customers=len(everyone),
        taught=len(sample),
        cost=cost,
        inputs=[column.name for column in prepared.encoder.columns],
        left_out=prepared.left_out,
        randomised=prepared.randomised,
        assignment_p=prepared.assignment_p,
        trimmed=prepared.trimmed,
        unlike=prepared.unlike,
        otherwise=prepared.otherwise,
        arms=list(found),
        rules=[],
        budgets=[],
        targeted_over_best=None,
        targeted_over_propensity_first=None,
        verdict="too few",
        headline="",
        notes=prepared.notes,
        method=wording.METHOD,
    )
    if told:
        alike = [
            RuleValue(
                rule=f"all get {prepared.arms[arm]}",
                share=1.0,
                value=heterogeneity.mean(everyone.effect_score(arm) - cost, everyone.customer),
            )
            for arm in told
        ]
        rules = Rules.of(sample, effects[:, [arm - 1 for arm in told]], cost, told)
        shown = any(one.heterogeneity_shown for one in found)
        report = report.model_copy(update=_advice(rules, alike, shown))
    return report.model_copy(update={"headline": wording.headline(report)})


def _advice(rules: Rules, alike: list[RuleValue], shown: bool) -> dict[str, object]:
    """What rules among the arms that can be told are worth, and what follows; `alike` are those that treat all."""
    targeted = rules.targeted
    best = max(range(len(alike)), key=lambda k: alike[k].value.value)
    over_best = rules.against(targeted, np.full(len(targeted), best + 1 if alike[best].value.value > 0 else 0))
    share = float(np.mean(targeted > 0))
    likely = rules.first(rules.responses, share)
    return {
        "rules": [
            *alike,
            RuleValue(rule="targeted by effect", share=share, value=rules.value(targeted)),
            RuleValue(rule="as many, likeliest responders first", share=share, value=rules.value(likely)),
            RuleValue(rule="as many, at random", share=share, value=rules.random(targeted)),
        ],
        "budgets": [_budget(rules, one) for one in SHARES],
        "targeted_over_best": over_best,
        "targeted_over_propensity_first": rules.against(targeted, likely),
        "verdict": _verdict(shown, over_best, alike[best], len(alike)),
    }


def _verdict(shown: bool, over_best: Interval, best: RuleValue, arms: int) -> Verdict:
    """Target only where effects differ beyond doubt and a rule of other customers' making gains by it.

    The best of many arms gains by luck alone: its interval has to hold for all of them (Bonferroni).
    """
    if shown and over_best.low > 0:
        return "target"
    wider = norm.isf(heterogeneity.LEVEL / 2 / arms) / norm.isf(heterogeneity.LEVEL / 2)
    return "treat all" if best.value.value > wider * (best.value.value - best.value.low) else "treat none"


def _budget(rules: Rules, share: float) -> Budget:
    by_effect = rules.first(rules.effects, share)
    return Budget(
        share=share,
        uplift=rules.value(by_effect),
        propensity_first=rules.value(rules.first(rules.responses, share)),
        random=rules.random(by_effect),
    )
