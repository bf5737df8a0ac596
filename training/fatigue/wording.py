"""What was found, in lines for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from training.evaluate import Interval
from training.fatigue.curve import LOST
from training.fatigue.fit import Fitted
from training.fatigue.level import Step
from training.fatigue.report import Judged

#: Where less than this share of a harm counts, it is said.
CAUTIOUS = 0.5
#: Where so large a share of what followed contacts counts for a later decision, it is said.
MISSED = 0.1


def lines(told: Mapping[str, Any], fitted: Fitted, judged: Judged | None) -> Iterator[str]:
    """Channels first, then who, levels, and how it did on later decisions."""
    for name, one in told["channels"].items():
        effects = {key: found["all"] for key, found in one["effects"].items()}
        yield (
            f"{name}: {one['contacts']:,} contacts; one more costs {one['harm'][0]:.3f} without pressure,"
            f" {one['harm'][2]:.3f} at the tolerable load, {one['harm'][3]:.3f} at twice that"
        )
        rates = ", ".join(f"{key}s {_share(effects[key])}" for key in ("opt-out", "complaint"))
        yield f"    per contact: {rates}, lost spending {_money(effects[LOST])}, sales {_money(effects['gain'])}"
        yield f"    an opt-out is priced at {one['opt_out_costs']:.2f}; {_number(one)}"
    for name, share in told["for_later_decisions"].items():
        if share >= MISSED:
            yield (
                f"mind, of {name}s within `soon_days` of a contact {share:.0%} came after the customer's next decision"
                " and count for that one: harm is told too low by about as much; cap levels count them all"
            )
    for name, share in told["kept"].items():
        if share < CAUTIOUS:
            yield (
                f"mind, of {name} only {share:.0%} of what was measured counts in harm: it stands out so little from"
                " its own error that the rest may be chance; more decisions left to chance will tell"
            )
    shown = [name for name, one in told["differs"].items() if one["shown"]]
    yield f"customers differ in: {', '.join(shown)}" if shown else "no difference between customers is shown"
    yield from _levels(fitted)
    if judged is not None:
        yield (
            f"on {judged.decisions:,} later decisions: slope of cost on harm foretold {judged.slope:.2f}; loss less"
            f" than with the policy's stated harm by {judged.over_stated:+.3g}"
        )
    for why, count in told["left_out"].items():
        yield f"left out: {count:,} decisions {why}"


def _number(one: Mapping[str, Any]) -> str:
    now = f"the mean customer had {one['present_a_week']:.2f}"
    if not one["recommended_told"]:
        return f"how many contacts a week earn most cannot be told from this log: {now}, and they are kept"
    return (
        f"{one['recommended_a_week']:.2f} contacts a week earn most, alone and with the average customer, of up to"
        f" {one['tried_a_week']:.2f} that were tried: {now}"
    )


def _levels(fitted: Fitted) -> Iterator[str]:
    if not fitted.levels.levels:
        yield (
            "cap levels: none were randomised, so pressure differed by the customer's own history; state `cap_levels`"
            " in contact_policy.yaml to see what all of one more contact's consequences come to"
        )
        return
    if fitted.levels.uneven_p < 0.001:
        yield f"cap levels: mind, earlier spending differs between them (p = {fitted.levels.uneven_p:.1g})"
    yield from map(step, fitted.levels.steps)


def step(one: Step) -> str:
    told, few = [], []
    for name, found, said in (
        ("spending", one.money, "{:+.2f} of spending, all its consequences together"),
        ("opt-outs", one.opted_out, "{:.4f} opt-outs"),
        ("complaints", one.complained, "{:.4f} complaints"),
    ):
        if found is None:
            few.append(name)
        else:
            told.append(said.format(found))
    parts = (("one more brings", told), ("too few customers to tell", few))
    listed = "; ".join(f"{what} {', '.join(each)}" for what, each in parts if each)
    return f"caps x {one.lower:g} to x {one.upper:g}, {one.contacts:.2f} contacts a week: {listed}"


def _share(one: Mapping[str, float]) -> str:
    return f"{Interval(one['value'], one['low'], one['high']):.2%}"


def _money(one: Mapping[str, float]) -> str:
    return f"{Interval(one['value'], one['low'], one['high']):.2f}"
