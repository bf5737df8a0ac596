"""What is reported of each arm, and of all of them: figures from what was learned and judged, sentences from words."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from features.clock import isoformat
from training.uplift.logged import words
from training.uplift.logged.judge import Chance, Judged, chances
from training.uplift.logged.learn import Found, World
from training.uplift.logged.report import ArmFound, GroupFound, LearnerLoss, LoggedUplift, Unit


def report_of(
    world: World,
    actions: list[Found],
    treatments: list[Found],
    judged: Mapping[tuple[str, str | None], Judged],
    unknown: Mapping[str, str],
    unit: Unit,
    earlier: np.ndarray,
    later: np.ndarray,
) -> LoggedUplift:
    log = world.decisions
    notes = []
    if log.kept < 1:
        notes.append(f"Of decisions in which nothing was made, {log.kept:.1%} were looked at, drawn at random.")
    told = _arms(actions, judged, unit)
    return LoggedUplift(
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        unit=unit,
        headline=words.headline(told, unknown),
        decisions=len(log),
        customers=len(np.unique(log.person)),
        learned_until=isoformat(int(log.at[earlier].max()))[:10],
        judged_from=isoformat(int(log.at[later].min()))[:10] if later.any() else "-",
        judged_until=isoformat(int(log.at[later].max()))[:10] if later.any() else "-",
        left_out=dict(log.left_out or {}),
        unknown=dict(unknown),
        actions=told,
        treatments=_arms(treatments, judged, unit),
        notes=notes,
        method=words.METHOD,
    )


def _arms(found: list[Found], judged: Mapping[tuple[str, str | None], Judged], unit: Unit) -> list[ArmFound]:
    of = [judged[each.action, each.channel] for each in found]
    return [_arm(*each, unit) for each in zip(found, of, chances(of), strict=True)]


def _arm(found: Found, judged: Judged, chance: Chance, unit: Unit) -> ArmFound:
    return ArmFound(
        action=found.action,
        channel=found.channel,
        treated=found.treated,
        nothing=int((~found.pairs.treated).sum()),
        later=len(judged.later),
        effect=judged.effect.interval,
        level=found.level,
        own=found.own,
        prior=found.prior,
        learner=found.arm.learner,
        losses=[
            LearnerLoss(learner=name, gain=gain.value, standard_error=gain.error if np.isfinite(gain.error) else None)
            for name, gain in found.arm.gains.items()
        ],
        slope=judged.slope.interval if np.isfinite(judged.slope.error) else None,
        slope_p=judged.slope_p,
        fifths=[GroupFound(decisions=g.decisions, predicted=g.predicted, effect=g.effect) for g in judged.fifths],
        share=judged.share,
        worth_all=judged.worth_all.interval,
        worth_targeted=judged.worth_targeted.interval,
        p_adjusted=chance.effect,
        verdict=words.verdict(judged, chance),
        sentence=words.sentence(found, judged, chance, unit == "responses"),
    )
