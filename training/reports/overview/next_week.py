"""What to change next week: the most urgent things that the reports found, and one sentence made of them."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from training.reports.overview.artefact import NextWeek, Standing, Step
from training.reports.wording import listed

#: So many things fit into a sentence and a week.
MOST = 3
#: Reports that are read beside the overview's own figures.
OTHERS = ("uplift", "pressure", "touchpoints")

Kept = Mapping[str, Any]


def next_week(
    alarm: bool, best: Sequence[Standing], worst: Sequence[Standing], undecided: Sequence[Standing],
    harmful: Sequence[Standing] = (), kept: Mapping[str, Kept | None] = MappingProxyType({}), driven_away: str = "",
) -> NextWeek:  # fmt: skip
    """From this overview's own findings and, by kind, the OTHERS as they were kept; None where one was never made.

    `driven_away` says that contacts as a whole cause opt-outs, where that is shown.
    """
    if alarm:
        why = "The figures cannot be trusted until it is known why the groups differ from what chance should have made."
        step = Step(do="find out who or what chose whom to contact", why=why, page="uplift")
        return NextWeek(sentence=f"Next week: {step.do}; change nothing else before.", steps=[step])
    steps = [
        *_stop(worst, harmful, driven_away),
        *_alone(kept.get("uplift"), kept.get("pressure")),
        *_improve(kept.get("touchpoints")),
        *_more(best),
    ]
    if not steps:
        return NextWeek(sentence=_nothing(undecided))
    return NextWeek(sentence=f"Next week: {listed([step.do for step in steps[:MOST]])}.", steps=steps)


def _stop(worst: Sequence[Standing], harmful: Sequence[Standing], driven_away: str) -> Iterator[Step]:
    """What is shown to lose, and what drives customers away; one at a time, so that the next report can tell."""
    if driven_away and not harmful:  # all together, and none on its own
        yield Step(do="contact customers less often", why=driven_away, page="pressure")
    for one in worst[:1]:
        yield Step(do=f"stop {_name(one)}", why=one.sentence, page="overview")
    for one in [one for one in harmful if one.name not in {each.name for each in worst[:1]}][:1]:
        yield Step(do=f"use {_name(one)} less often", why=one.sentence, page="overview")


def _alone(uplift: Kept | None, pressure: Kept | None) -> Iterator[Step]:
    targeting = (uplift or {}).get("targeting") or {}
    if targeting.get("to_do"):
        yield Step(do=targeting["to_do"], why=targeting["leave_alone"], page="uplift")
    alone = (pressure or {}).get("alone") or {}
    if alone.get("customers"):
        count = alone["customers"]
        who = "1 customer" if count == 1 else f"{count:,} customers"
        yield Step(do=f"give {who} a rest from contacts", why=alone["sentence"], page="pressure")


def _improve(touchpoints: Kept | None) -> Iterator[Step]:
    """The first outcome that names a touchpoint to improve."""
    for one in (touchpoints or {}).get("outcomes") or ():
        if one.get("improve"):
            yield Step(do=f"improve “{one['improve']}” first", why=one["sentence"], page="touchpoints")
            return


def _more(best: Sequence[Standing]) -> Iterator[Step]:
    for one in best[:1]:
        yield Step(do=f"give {_name(one)} more room", why=one.sentence, page="overview")


def _nothing(undecided: Sequence[Standing]) -> str:
    """Nothing to change is an answer too, and until when it holds."""
    soonest = min((one for one in undecided if one.weeks is not None), key=lambda one: one.weeks or 0.0, default=None)
    said = "Next week: change nothing, for nothing is shown to help or to harm yet"
    if soonest is None or soonest.weeks is None:
        return f"{said}."
    weeks = max(1, round(soonest.weeks + 0.49))
    return f"{said}; the first answer is due in about {weeks} {'week' if weeks == 1 else 'weeks'} ({_name(soonest)})."


def _name(one: Standing) -> str:
    """As it stands inside a sentence."""
    return f"“{one.name}”"
