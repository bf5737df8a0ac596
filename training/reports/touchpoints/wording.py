"""Touchpoints in sentences: which to improve first, and why; also when none is shown to matter."""

from collections.abc import Sequence

from training.reports.touchpoints.artefact import Effect, Line, Measured, Outcome
from training.reports.wording import number, percent

ASSOCIATED = "this is what goes together, not proof of cause"


def amount(outcome: Outcome, value: float, precision: float, currency: str) -> str:
    """A difference without its sign: "3.4 percentage points" (of customers, or of the best rating), "5.10 USD"."""
    if outcome == "value":
        return f"{number(abs(value), precision / 5, money=True)} {currency}"
    return f"{number(100 * abs(value), 100 * precision)} percentage points"


def effect(outcome: Outcome, found: Effect, currency: str) -> str:
    """What goes with a touchpoint: "were 12 percentage points less satisfied (likely between 8 and 16)"."""
    if found.estimate is None or found.low is None or found.high is None:
        return f"too few to tell: {found.reason}"
    half = (found.high - found.low) / 2
    low, high = sorted((abs(found.low), abs(found.high)))
    more, much = "less" if found.estimate < 0 else "more", amount(outcome, found.estimate, half, currency)
    subject = {
        "satisfaction": f"were {much} {more} satisfied",
        "churn": f"left {more} often by {much}",
        "value": f"spent {much} {more}",
    }[outcome]
    money = outcome == "value"
    scale = 1 if money else 100
    precision = scale * half / (5 if money else 1)
    ends = " and ".join(number(scale * end, precision, nonzero=True, money=money) for end in (low, high))
    return f"{subject} (likely between {ends})"


def skewed(outcome: Outcome, average: float, had: int, had_not: int, needed: float) -> str:
    """Why a slope would be drawn too skewed, `needed` being how many of the fewer would do."""
    cause = "a few customers make up so much of it"
    if outcome == "churn":
        cause = f"so few customers {'leave' if average < 0.5 else 'stay'}"
    which = "it" if had <= had_not else "it not"
    return f"{cause} that about {needed:,.0f} who had {which} are needed, {min(had, had_not):,} are there"


def improve(outcome: Outcome, line: Line, average: float | None, currency: str) -> str:
    """Why this touchpoint is the one to improve first."""
    told = f"Improve {line.name} first: customers who had it {effect(outcome, line.effects[outcome], currency)} than"
    told += " customers alike who had not"
    if line.satisfaction is not None and average is not None:
        here = line.satisfaction
        half = (here.high - here.low) / 2
        when = "there" if line.rated == "there" else "soon after it"
        told += f", and gave {percent(here.value, half)} of the best rating {when}"
        told += f" against {percent(average, half)} on average"
    elif line.trouble is not None:
        half = (line.trouble.high - line.trouble.low) / 2
        told += f", and {percent(line.trouble.value, max(half, 1e-4))} met trouble within a week"
    return f"{told}; {ASSOCIATED}."


def measured(outcome: Outcome, lines: Sequence[Line], first: Line | None, average: float | None, currency: str) -> str:
    """What one outcome says of all touchpoints."""
    if first is not None:
        return improve(outcome, first, average, currency)
    lines = [line for line in lines if outcome in line.effects]
    verdicts = [line.effects[outcome].verdict for line in lines]
    tested = len(verdicts) - verdicts.count("too_few")
    what = {"satisfaction": "satisfaction", "churn": "whether customers leave", "value": "what customers spend"}[
        outcome
    ]
    if not tested:
        said = f"Too few to tell which touchpoint matters for {what}"
        most = next((line for line in lines if line.effects[outcome].reason), None)
        return f"{said}." if most is None else f"{said}: of {most.name}, {most.effects[outcome].reason}."
    if worst := _most([line for line in lines if line.effects[outcome].verdict == "worse"], outcome):
        why = "how well we do there is not known" if worst.quadrants[outcome] == "unclear" else (
            "we do no worse there than elsewhere"
        )  # fmt: skip
        return (
            f"No touchpoint is to be improved first: customers who had {worst.name} "
            f"{effect(outcome, worst.effects[outcome], currency)} than customers alike who had not, but {why}; "
            f"{ASSOCIATED}."
        )
    best = _most([line for line in lines if line.effects[outcome].verdict == "better"], outcome)
    if best is None:
        none = f"None of {tested} touchpoints is" if tested > 1 else "The one touchpoint that can be compared is not"
        return f"{none} shown to matter for {what}; nothing has to be improved first."
    told = effect(outcome, best.effects[outcome], currency)
    return (
        f"No touchpoint is shown to hurt {what}; most goes with {best.name}: customers who had it {told} than customers"
        f" alike who had not, and {ASSOCIATED}."
    )


def _most(lines: Sequence[Line], outcome: Outcome) -> Line | None:
    """What matters most, by what surely goes with it, over all who had it."""
    return max(lines, key=lambda line: surely(line.effects[outcome]) * line.effects[outcome].exposed, default=None)


def surely(effect: Effect) -> float:
    """The end of its interval next to nothing, without its sign."""
    return min(abs(effect.low or 0.0), abs(effect.high or 0.0))


def headline(outcomes: Sequence[Measured]) -> str:
    """The first outcome that names something to improve, else the first one's sentence."""
    if not outcomes:
        return "Too few to tell which touchpoints matter: the log is too short, or too few customers rate anything."
    return next((one for one in outcomes if one.improve is not None), outcomes[0]).sentence
