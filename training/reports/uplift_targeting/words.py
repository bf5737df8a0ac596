"""Whom to contact and whom to leave alone, in sentences made from the figures."""

from collections.abc import Sequence

from training.evaluate import Interval
from training.reports import statistics
from training.reports.uplift_targeting import measure
from training.reports.uplift_targeting.artefact import Group, Kind, Point, Ranking, Targeting, Tenth
from training.reports.uplift_targeting.measure import Contacts
from training.reports.wording import Words, listed, percent

#: From here on a group is everybody.
EVERYBODY = 0.995

COMMON = [
    "Persuadable is whom the model expects a contact to bring more than it costs, a sleeping dog whom it expects a "
    "contact to make less likely to buy or to spend less. What the model expects is only a way to sort: every effect "
    "shown is measured among contacts that the model had not seen, where chance decided who was contacted.",
    "A tenth or group is called raised or lowered where its p-value stays below 5% after Holm's correction, over the "
    "ten tenths, or over the groups of all actions. Intervals are the usual 95% ones, with errors added up by "
    "customer, right for one look: before acting on a verdict that has just turned up, look again in some weeks.",
    f"Fewer than 30 contacts made or not made, or a result that rests on fewer than {measure.FEWEST} customers, get no "
    "figure: too few to tell. Neither do rare outcomes, or amounts of which few make up so much, that the mean effect "
    f"would be drawn more skewed than {statistics.MOST_SKEW:g} (Cochran 1977, 2.15), as where few are left alone.",
    "The curve of gains (Qini's curve, from scores that know each contact's chances) shows what is gained for each "
    "possible contact when only the share expected to gain most is contacted; its band holds for the whole curve at "
    "once in 95% of such logs (sup-t band, Montiel Olea and Plagborg-Moller, 2019).",
]
FROM_LOG = [
    "Contacts are compared with nothing (silence, or a ghost) over decisions in which both could have been drawn, by "
    "the logged chances. Where several actions could be sent, the best one for each is the one expected to bring most "
    "after its cost.",
]
FROM_TABLE = [
    "Effects are cross-fitted: each customer is sorted by a model that learned from other customers, those before them "
    "in a random order, so that intervals are honest.",
]


def unknown(why: str) -> Targeting:
    """Where no model can tell."""
    return Targeting(
        leave_alone=f"Whom to leave alone is not known yet: {why}.",
        persuadable=f"Whom to contact first is not known yet: {why}.",
        missing=why,
    )


def told(
    said: Words, rankings: Sequence[Ranking], model: str, judged: str, method: Sequence[str], notes: Sequence[str] = ()
) -> Targeting:
    """The whole, with both answers; verdicts of groups hold for all actions together."""
    settled = iter(measure.settled([group for one in rankings for group in one.groups]))
    found = [one.model_copy(update={"groups": [next(settled) for _ in one.groups]}) for one in rankings]
    alone, to_do = leave_alone(said, found)
    return Targeting(
        outcome=said.name,
        outcome_kind=said.kind,
        unit=said.unit,
        model=model,
        judged=judged,
        rankings=found,
        leave_alone=alone,
        to_do=to_do,
        persuadable=persuadable(said, found),
        notes=list(notes),
        method=[*method, *COMMON],
    )


def ranking(
    said: Words, name: str, action: str | None, contacts: Contacts, tenths: Sequence[Tenth], curve: Sequence[Point],
    over_random: Interval | None, groups: Sequence[Group], customers: int,
) -> Ranking:  # fmt: skip
    """One action with its sentence."""
    effect = measure.interval(contacts.effect())
    return Ranking(
        name=name, action=action, customers=customers, contacts=len(contacts), effect=effect, tenths=list(tenths),
        curve=list(curve), over_random=over_random, groups=list(groups),
        sentence=_sorted(said, name, contacts, effect, over_random),
    )  # fmt: skip


def _sorted(said: Words, name: str, contacts: Contacts, effect: Interval | None, above: Interval | None) -> str:
    """Whether sorting customers by the model is worth anything."""
    if effect is None:
        return f"Too few to tell what {name} does."
    if not contacts.ranked:
        return (
            f"The model expects the same of everybody for {name}, so nobody is to be preferred; contacting all of them "
            f"changes {said.name} by {_size(said, effect, signed=True)} a contact."
        )
    if above is None:
        return f"Too few to tell whether sorting customers for {name} is worth anything."
    if above.low > 0:
        return (
            f"Sorting customers by what {name} is expected to do works: contacting those expected to gain most first "
            f"brings {_size(said, above)} for each possible contact more than contacting as many at random, on average "
            "over all shares."
        )
    if above.high < 0:
        return f"Sorting customers by what {name} is expected to do is worse than chance; do not target by it."
    return (
        f"It is not shown that sorting customers by what {name} is expected to do beats contacting as many at random "
        f"({_between(said, above)} for each possible contact)."
    )


def leave_alone(said: Words, rankings: Sequence[Ranking]) -> tuple[str, str | None]:
    """Whom to leave alone, in one sentence, also where nobody is shown to be harmed; and what to do about it."""
    first, *rest = rankings
    dogs = _group(first, "sleeping_dog")
    if dogs is not None and dogs.verdict == "lowered" and dogs.effect is not None:
        return _told(f"leave alone {_whom(dogs)}", f": contacts lower {said.name} by {_fall(said, dogs.effect)}.")
    harmed = [
        (f"{one.name} to {_whom(group, 'anybody')}", _fall(said, group.effect))
        for one in rest
        if (group := _group(one, "sleeping_dog")) and group.verdict == "lowered" and group.effect
    ]
    if harmed:
        by = listed([f"by {fall}" for _, fall in harmed])
        return _told(
            f"do not send {listed([what for what, _ in harmed])}",
            f": it lowers {said.name} {by}; no group is shown to be harmed by every contact.",
        )
    last = first.tenths[-1] if first.tenths else None
    if last is not None and last.verdict == "lowered" and last.effect is not None:
        whom = f"leave alone the {_share(last.share)} of customers expected to gain least"
        return _told(whom, f": contacts lower {said.name} by {_fall(said, last.effect)}.")
    return _nobody(said, rankings), None


def _told(what: str, why: str) -> tuple[str, str]:
    return f"{what[0].upper()}{what[1:]}{why}", what


def _nobody(said: Words, rankings: Sequence[Ranking]) -> str:
    """Where no harm is shown: what comes nearest to it."""
    if all(one.effect is None for one in rankings):
        return "Too few to tell whom contacts harm: no group is large enough yet."
    dogs = [(one, group) for one in rankings if (group := _group(one, "sleeping_dog"))]
    if not dogs:
        return "No group is shown to be harmed, and the model expects no customer to be better left alone."
    known = [(one, group) for one, group in dogs if group.p is not None]
    if not known:
        one, group = dogs[0]
        whom = f"{_whom(group)} to be harmed by {one.name}"
        return f"No group is shown to be harmed; the model expects {whom}, too few were contacted to tell."
    one, group = min(known, key=lambda pair: pair[1].effect.high if pair[1].effect else 0.0)
    if group.effect is None:
        raise AssertionError("what has a p-value has an effect")
    many = sum(len(each.groups) for each in rankings)
    luck = f", which is no surprise where {many} groups are looked at" if group.effect.high < 0 and many > 1 else ""
    return (
        f"No group is shown to be harmed: the model expects {one.name} to harm {_whom(group)}, but among them its "
        f"effect on {said.name} is {_between(said, group.effect)}{luck}."
    )


def persuadable(said: Words, rankings: Sequence[Ranking]) -> str:
    """Whom to contact, in one sentence, also where nobody is shown to be moved."""
    first = rankings[0]
    group = _group(first, "persuadable")
    if group is None:
        return "Nobody is expected to gain enough by a contact to pay for it."
    whom = _whom(group)
    if group.effect is None:
        return f"Too few to tell whether {whom} are worth contacting with {first.name}, as the model expects."
    if group.verdict == "raised":
        return f"Contact {whom} with {first.name}: it raises {said.name} by {_size(said, group.effect)}."
    if group.verdict == "lowered":
        return (
            f"Do not trust the model: it expects {whom} to gain by {first.name}, but {said.name} falls among them by "
            f"{_fall(said, group.effect)}."
        )
    many = sum(len(each.groups) for each in rankings)
    chance = "may be chance"
    if group.effect.low > 0 and many > 1:
        chance = f"is no surprise where {many} groups are looked at"
    return (
        f"Nobody is shown to be persuadable: the model expects {whom} to gain by {first.name}, but its effect on "
        f"{said.name} is {_between(said, group.effect)}, which {chance}."
    )


def _whom(group: Group, everybody: str = "everybody") -> str:
    return everybody if group.share >= EVERYBODY else f"{_share(group.share)} of customers"


def _share(share: float) -> str:
    """12%, 4.3%: nobody acts on a tenth of a per cent of many. A few are not 0.0%."""
    if 0 < share < 0.0005:
        return "less than 0.1%"
    return percent(share, 0.02 if share >= 0.1 else 0.01)


def _group(one: Ranking, kind: Kind) -> Group | None:
    return next((group for group in one.groups if group.kind == kind), None)


def _fall(said: Words, effect: Interval) -> str:
    """The size of a loss."""
    return _size(said, Interval(-effect.value, -effect.high, -effect.low))


def _size(said: Words, effect: Interval, signed: bool = False) -> str:
    """ "1.3 percentage points (likely 0.4 to 2.2)"."""
    size = said.change(effect.value, (effect.high - effect.low) / 2, signed)
    return f"{size} (likely {said.span(effect.low, effect.high, signed=signed)})"


def _between(said: Words, effect: Interval) -> str:
    """ "likely between −0.2 and +0.3 percentage points"."""
    unit = " percentage points" if said.kind == "rate" else said.suffix
    return f"likely between {said.span(effect.low, effect.high, 'and', signed=True)}{unit}"
