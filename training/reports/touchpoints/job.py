"""The job: every touchpoint against every outcome that the log can tell of."""

import numpy as np

from features.clock import DAY
from features.workspace import Settings, Workspace
from training.reports import keep
from training.reports.statistics import CONFIDENCE, FEWEST_EXPECTED, MOST_SKEW, SMALLEST_ARM, holm
from training.reports.touchpoints import adjusted, doing, kept, wording
from training.reports.touchpoints.artefact import Effect, Line, Measured, Outcome, Quadrant, Touchpoints
from training.reports.touchpoints.panel import EXPOSURE, Came, Panel, later, satisfaction
from training.reports.touchpoints.trail import Touchpoint, Trail

#: So many touchpoints are compared, those that most customers have; the others are listed.
MOST_COMPARED = 80
#: Satisfaction tells how well we do where so many touchpoints have ratings, else trouble does.
FEWEST_RATED = 3


def report(workspace: Workspace) -> keep.Report:
    """Raises WorkspaceError where history is empty."""
    trail = Trail.read(workspace)
    panels = [panel for panel in (satisfaction(trail), later(trail, workspace.settings)) if panel is not None]
    after, trouble = doing.ratings(trail), doing.trouble(trail, workspace.settings)
    lines = _lines(trail, workspace, after, trouble)
    # by name, so that it stays the same comparison whichever of them more customers had since
    compared = sorted((touchpoint for touchpoint, _ in lines[:MOST_COMPARED]), key=lambda each: each.name)
    found: dict[Outcome, list[Effect | None]] = {}
    for panel in panels if compared else ():
        found |= compare(panel, trail, compared, workspace)
    average, bad = _mean(after), _mean(trouble)
    by = "satisfaction" if sum(line.satisfaction is not None for _, line in lines) >= FEWEST_RATED else "trouble"
    usual = average if by == "satisfaction" else bad
    place = {each.name: i for i, each in enumerate(compared)}
    shown = [
        _judged(line, {k: effect for k, effects in found.items() if (effect := effects[place[line.name]])}, usual, by)
        for _, line in lines[:MOST_COMPARED]
    ]
    currency = workspace.settings.currency
    outcomes = [_measured(panel, came, shown, average, currency) for panel in panels for came in panel.outcomes]
    return keep.Report(
        Touchpoints(
            headline=wording.headline(outcomes),
            created_at=keep.now(),
            known_until=keep.until(trail.known_until),
            source="interactions in history, and the features of customers as they were before",
            currency=currency,
            exposure_days=EXPOSURE // DAY,
            average_satisfaction=average,
            average_trouble=bad,
            performance=by,
            outcomes=outcomes,
            touchpoints=shown,
            notes=_notes([one.outcome for one in outcomes], workspace, len(lines)),
        )
    )


def _lines(trail: Trail, workspace: Workspace, after: np.ndarray, trouble: np.ndarray) -> list[tuple[Touchpoint, Line]]:
    """Every touchpoint with how much there is of it and how well we do, the one that most customers have first.

    `after` and `trouble` float64[n]: the rating after each row, and whether trouble followed.
    """
    rated, found = trail.satisfaction, []
    for touchpoint in trail.touchpoints(_itself(workspace.settings)):
        rows = trail.rows(touchpoint.codes)
        customer = trail.customer[rows]
        own = doing.share(rated[rows], customer)
        line = Line(
            name=touchpoint.name,
            channel=touchpoint.channel,
            direction=touchpoint.direction,
            type=touchpoint.type,
            topic=touchpoint.topic,
            interactions=len(rows),
            customers=len(np.unique(customer)),
            satisfaction=own if own is not None else doing.share(after[rows], customer),
            rated="there" if own is not None else "after",
            trouble=doing.share(trouble[rows], customer),
            effects={},
            quadrants={},
        )
        found.append((touchpoint, line))
    return sorted(found, key=lambda pair: (-pair[1].customers, pair[1].name))


def compare(
    panel: Panel, trail: Trail, touchpoints: list[Touchpoint], workspace: Workspace
) -> dict[Outcome, list[Effect | None]]:
    """One effect an outcome and touchpoint, in their order; None where the touchpoint is the outcome itself."""
    values = kept.features(workspace, panel.name, trail.names[panel.customer].tolist(), panel.at - EXPOSURE)
    outcomes = np.column_stack([came.y for came in panel.outcomes])
    theirs = trail.only(np.unique(panel.customer))
    before = np.column_stack([panel.exposed(theirs, one) for one in touchpoints])
    known, customer = panel.looked_past(trail), np.unique(panel.customer, return_inverse=True)[1]
    after = np.column_stack([panel.after(theirs, one) for one in touchpoints]) & known[:, None]

    def find() -> list[kept.Slopes]:
        x = adjusted.prepared(values)
        return [
            _slopes(x, outcomes, before, customer),
            _slopes(x[known], outcomes[known], after[known], customer[known]),
        ]

    now, back = kept.slopes(workspace, panel.name, [values, outcomes, before, after, known, customer], find)
    settings = workspace.settings
    own = _itself(settings)
    return {
        came.outcome: _effects(
            came, panel, before, now[k], back[k],
            [came.outcome != "satisfaction" and one.type in own for one in touchpoints],
        )
        for k, came in enumerate(panel.outcomes)
    }  # fmt: skip


def _itself(settings: Settings) -> set[str]:
    """Types that are what churn and value are made of."""
    return {*settings.goal, *settings.churn.qualifying, *([settings.churn.event] if settings.churn.event else [])}


def _slopes(
    x: np.ndarray, outcomes: np.ndarray, exposed: np.ndarray, customer: np.ndarray
) -> list[list[adjusted.Slope | None]]:
    """By outcome and touchpoint; None where too few customers had it, or had it not."""
    enough = [adjusted.fewer(exposed[:, j], customer) >= SMALLEST_ARM for j in range(exposed.shape[1])]
    if not any(enough):
        return [[None] * exposed.shape[1]] * outcomes.shape[1]
    left = adjusted.residuals(x, np.column_stack([outcomes, exposed.astype(float)]), customer)
    many = outcomes.shape[1]
    return [
        [
            adjusted.slope(left[:, k], left[:, many + j], exposed[:, j], customer) if enough[j] else None
            for j in range(exposed.shape[1])
        ]
        for k in range(many)
    ]


def _effects(
    came: Came, panel: Panel, exposed: np.ndarray, now: list[adjusted.Slope | None], back: list[adjusted.Slope | None],
    itself: list[bool],
) -> list[Effect | None]:  # fmt: skip
    """One outcome, all touchpoints; alarms are corrected for how many are compared."""
    reasons = [_too_few(came, panel, exposed[:, j], one) for j, one in enumerate(now)]
    tested = [j for j, one in enumerate(now) if one is not None and reasons[j] is None and not itself[j]]
    p = dict(zip(tested, holm([one.p for j in tested if (one := now[j]) is not None]), strict=True))
    found: list[Effect | None] = []
    for j, one in enumerate(now):
        if itself[j]:
            found.append(None)
        elif one is None or j not in p:
            had = int(exposed[:, j].sum())
            found.append(Effect(verdict="too_few", reason=reasons[j], exposed=had, rows=len(panel)))
        else:
            found.append(_effect(came, one, p[j], back[j]))
    return found


def _too_few(came: Came, panel: Panel, exposed: np.ndarray, found: adjusted.Slope | None) -> str | None:
    """Why a comparison would pretend to know, or None."""
    had, had_not = (len(np.unique(panel.customer[rows])) for rows in (exposed, ~exposed))
    if had < SMALLEST_ARM:
        return f"{had} customers had it, at least {SMALLEST_ARM} are needed"
    if had_not < SMALLEST_ARM:
        return f"only {had_not} customers had it not"
    if came.outcome == "churn":
        expected = min(int(exposed.sum()), int((~exposed).sum())) * min(came.y.mean(), 1 - came.y.mean())
        if expected < FEWEST_EXPECTED:
            return f"only {expected:.1f} customers who leave would be expected among them"
    if found is not None and found.skew > MOST_SKEW:
        needed = float(f"{found.customers * (found.skew / MOST_SKEW) ** 2:.2g}")
        return wording.skewed(came.outcome, float(came.y.mean()), had, had_not, needed)
    return None


def _effect(came: Came, found: adjusted.Slope, p: float, back: adjusted.Slope | None) -> Effect:
    """Matters where chance does not explain it, unless the look back tells half as much in the same direction."""
    low, high = found.ends(CONFIDENCE)
    if back is not None and back.skew > MOST_SKEW:
        back = None
    back_low, back_high = back.ends(CONFIDENCE) if back is not None else (None, None)
    good = found.estimate > 0 if came.outcome != "churn" else found.estimate < 0
    differed = back is not None and back.p < 1 - CONFIDENCE and back.estimate / found.estimate >= 0.5
    shown = p < 1 - CONFIDENCE
    return Effect(
        verdict=("differed_before" if differed else "better" if good else "worse") if shown else "undecided",
        exposed=found.exposed,
        rows=found.rows,
        estimate=found.estimate,
        low=low,
        high=high,
        p=p,
        back=back.estimate if back is not None else None,
        back_low=back_low,
        back_high=back_high,
        e_value=adjusted.e_value(low, high, float(came.y.std())),
    )


def _judged(line: Line, effects: dict[Outcome, Effect], average: float | None, by: str) -> Line:
    """With its effects, and in which quarter of the map they put it."""
    well = line.satisfaction if by == "satisfaction" else line.trouble
    quadrants: dict[Outcome, Quadrant] = {}
    for outcome, effect in effects.items():
        matters = effect.verdict in ("better", "worse")
        if effect.verdict in ("too_few", "differed_before") or well is None or average is None:
            quadrants[outcome] = "unclear"
            continue
        below = well.value < average if by == "satisfaction" else well.value > average
        quadrants[outcome] = ("improve" if below else "keep") if matters else ("watch" if below else "fine")
    return line.model_copy(update={"effects": effects, "quadrants": quadrants})


def _measured(panel: Panel, came: Came, lines: list[Line], average: float | None, currency: str) -> Measured:
    """What hurts the most customers the most, of what is done worse than the rest, is to be improved first."""
    outcome = came.outcome
    bad = [line for line in lines if line.quadrants.get(outcome) == "improve" and _hurts(line, outcome)]
    first = max(bad, key=lambda line: _weight(line, outcome), default=None)
    return Measured(
        outcome=outcome,
        rows=len(panel),
        customers=len(np.unique(panel.customer)),
        average=float(came.y.mean()),
        words=came.words,
        sentence=wording.measured(outcome, lines, first, average, currency),
        improve=first.name if first is not None else None,
    )


def _hurts(line: Line, outcome: Outcome) -> bool:
    return line.effects[outcome].verdict == "worse"


def _weight(line: Line, outcome: Outcome) -> float:
    """What surely goes with it, over all who had it."""
    return wording.surely(line.effects[outcome]) * line.effects[outcome].exposed


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _notes(told: list[Outcome], workspace: Workspace, touchpoints: int) -> list[str]:
    said = [
        f"Compared are customers who had a touchpoint within {EXPOSURE // DAY} days with customers alike who had not:"
        " alike in all features as of the beginning of these days. What nobody logged may still differ.",
        "Touchpoints that come together (a case that is opened, the call about it) share what goes with them.",
        "Where customers differed in the same way before they had the touchpoint, it is not said to matter.",
        f"That {', '.join(workspace.settings.goal)} goes with more of the same is no finding, and left out.",
    ]
    if "satisfaction" not in told:
        said.append("Too few customers rate anything to say what satisfaction goes with.")
    if "churn" not in told:
        said.append("The log is too short to say who left, and what customers spend later.")
    if touchpoints > MOST_COMPARED:
        said.append(f"Of {touchpoints} touchpoints the {MOST_COMPARED} that most customers have are compared.")
    return said
