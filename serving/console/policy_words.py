"""contact_policy.yaml in plain sentences, a topic at a time: what a marketer signs, without reading YAML.

Generated from what was understood of the file, so that a sentence never says what the guard does not do. Every field
of the policy is spoken of (a test walks through them).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from serving.decisions.policy import Cap, ContactPolicy, CoolDown, Experiment, Pressure, Quiet

UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week"}
DAYS = {
    "mon": "Mondays",
    "tue": "Tuesdays",
    "wed": "Wednesdays",
    "thu": "Thursdays",
    "fri": "Fridays",
    "sat": "Saturdays",
    "sun": "Sundays",
}
PERIODS = {
    "day": "on any one day of the customer's own calendar",
    "week": "in any one week, Monday to Sunday, of the customer's own calendar",
    "month": "in any one month of the customer's own calendar",
}
PLAYS = {
    "random_eligible": "get any action that the rules allow, drawn at random",
    "propensity_only": "get the action they are likeliest to respond to, whatever it is worth or causes",
    "no_levers": "get the best action without our business levers",
    "looser_caps": "live under looser caps",
    "nothing": "are sold nothing",
}


@dataclass(frozen=True)
class Topic:
    """Sentences that belong together; `name` is how a list of changes speaks of them."""

    name: str
    sentences: tuple[str, ...]


def duration(text: str) -> str:
    """`7d` as "7 days"; what is no duration stays as it is.

    >>> duration("7d"), duration("1w"), duration("90m")
    ('7 days', '1 week', '90 minutes')
    """
    match = re.fullmatch(r"\s*([0-9]+)\s*([mhdw])\s*", text)
    return text if match is None else counted(int(match[1]), UNITS[match[2]])


def counted(number: int, noun: str) -> str:
    """ "1 contact", "3 contacts"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def share(value: float) -> str:
    """A share that somebody chose, as they would write it: 5 %, 2.5 %."""
    return f"{100 * value:.6g}%"


def plain(number: float) -> str:
    """A stated number, as short as it can be told."""
    return f"{number:,.6g}"


def listed(names: Sequence[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def human(name: str) -> str:
    """A name as people read it: `mobile_app` is "mobile app"."""
    return name.replace("_", " ")


def policy(stated: ContactPolicy, currency: str) -> list[Topic]:
    """The whole policy, in the order in which a customer meets it."""
    return [
        Topic("Consent", tuple(_consent(stated))),
        Topic("How often", tuple(_caps(stated))),
        Topic("When", tuple(_quiet(stated))),
        Topic("After a no", tuple(_cool_down(stated.cool_down))),
        Topic("Open complaints and cases", tuple(_cases(stated))),
        Topic("Not creepy", tuple(_signals(stated))),
        Topic("Left to chance, to measure", tuple(_measuring(stated))),
        Topic("What an offer is thought to bring and to cost", tuple(_priors(stated, currency))),
        Topic("Housekeeping", tuple(_rest(stated))),
    ]


def cap(rule: Cap) -> str:
    """One cap."""
    of = {
        "total": "in all",
        "channel": "on {}" if rule.name else "on any one channel",
        "issue": "about {}" if rule.name else "about any one issue",
        "group": "from the group {}" if rule.name else "from any one group",
        "action": "with the action {}" if rule.name else "with one and the same action",
        "tag": "tagged {}" if rule.name else "with any one tag",
    }[rule.scope].format(human(rule.name or ""))
    when = f"in any {duration(rule.window)}" if rule.window is not None else PERIODS[str(rule.per)]
    if rule.max == 0:
        return f"Nobody is contacted {of}, {when}." if rule.scope == "total" else f"No contacts {of}."
    return f"At most {counted(rule.max, 'contact')} {of} {when}."


def _consent(stated: ContactPolicy) -> list[str]:
    rule = stated.consent
    said = ["Who opted out is not contacted there again, at once and for good, until they say yes again."]
    if rule.unknown == "denied":
        said.append("Who never said yes or no is not contacted.")
        if rule.assumed:
            said.append(f"Except on {listed([human(name) for name in rule.assumed])}, where silence counts as a yes.")
    else:
        said.append("Who never said yes or no may be contacted.")
    granted = rule.inbound_unknown == "granted" or rule.unknown == "granted"
    may = "may be answered with an offer" if granted else "gets no offer, unless they said yes before"
    said.append(f"Who comes to us by themselves {may}.")
    if rule.purposes:
        said.append("Consent to a channel and purpose is looked for first, then to the channel, then to everything.")
    else:
        said.append("A yes to one purpose is no yes: only consent to the channel, or to everything, counts.")
    return said


def _caps(stated: ContactPolicy) -> list[str]:
    said = [cap(rule) for rule in stated.caps] or ["No number of contacts is capped."]
    if stated.pressure is not None:
        said += _pressure(stated.pressure)
    said.append(
        "A nudge that a cap stops is forgotten."
        if stated.on_cap == "drop"
        else "A nudge that a cap stops is put off to the next moment that all rules allow."
    )
    for name, kind in stated.exempt.items():
        counts = "but still count for other caps" if kind.counts else "and count for no other cap"
        said.append(f"Actions exempt as {human(name)} pass caps, {counts}.")
    if stated.cap_levels is not None:
        for level in stated.cap_levels.levels:
            times = plain(level.factor)
            said.append(
                f"{share(level.share)} of customers live under caps times {times}, drawn at random, to learn from."
            )
    factor = plain(stated.cool_down.less_often.factor)
    said.append(f"Who asked to be contacted less often lives under caps divided by {factor}.")
    others = listed([human(name) for name in stated.not_contacts])
    said.append(
        "Contacts that other tools report count as our own."
        + (f" These outbound interactions are no contacts: {others}." if others else "")
    )
    return said


def _pressure(rule: Pressure) -> list[str]:
    weights = [(human(name), weight) for name, weight in rule.weights.items()]
    weighing = listed([f"{name} {weight:.2g}" for name, weight in [*weights, ("any other channel", rule.other)]])
    most = [f"{int(rule.limit / weight + 1e-9):,} by {name}" for name, weight in weights if 0 < weight <= rule.limit]
    alone = f": alone, {listed(most, 'or')} in quick succession, fewer when mixed" if most else ""
    return [
        f"Contacts also add up across channels ({weighing}), each fading by half in {duration(rule.half_life)}; "
        f"nobody may carry more than {plain(rule.limit)}{alone}."
    ]


def _quiet(stated: ContactPolicy) -> list[str]:
    said = []
    if stated.quiet is None:
        said.append("There are no quiet hours: contacts may go out at any time.")
    else:
        said += _hours(stated.quiet)
    said.append(
        "Where a customer's time zone is not known, rules that need it let nothing through."
        if stated.unknown_zone == "refuse"
        else f"Where a customer's time zone is not known, the company's is taken ({stated.zone})."
    )
    return said


def _hours(rule: Quiet) -> list[str]:
    where = "" if rule.channels is None else f" on {listed([human(name) for name in rule.channels])}"
    said = []
    if rule.hours is not None:
        begin, end = (part.strip() for part in rule.hours.split("-"))
        said.append(f"Nobody is contacted{where} between {begin} and {end} on their own clock.")
    if rule.weekdays:
        said.append(f"Nobody is contacted{where} on {listed([DAYS[day] for day in rule.weekdays])}.")
    if rule.holidays:
        whose = f" (of {rule.country} where their country is not known)" if rule.country else ""
        said.append(f"Nobody is contacted{where} on the public holidays of their country{whose}.")
    return said or ["Quiet hours are switched on, but name no hours and no days: contacts may go out at any time."]


def _cool_down(rule: CoolDown) -> list[str]:
    after = rule.after_rejection
    said = [
        f"An action that was rejected rests for {duration(after.action)}, others of its group for "
        f"{duration(after.group)}."
    ]
    said += [f"The action {human(name)} rests for {duration(rest)} instead." for name, rest in rule.actions.items()]
    said += [f"The whole group {human(name)} rests for {duration(rest)} instead." for name, rest in rule.groups.items()]
    said.append(f"Who complained about a contact is sold nothing for {duration(rule.after_complaint)}.")
    if rule.after_ignored is not None:
        ignored = rule.after_ignored
        said.append(
            f"A channel on which {counted(ignored.count, 'contact')} in a row found no response rests for "
            f"{duration(ignored.rest)}."
        )
    return said


def _cases(stated: ContactPolicy) -> list[str]:
    rule = stated.open_case
    kinds = {"complaint": "a complaint", "case_opened": "a service case"}
    if not rule.suppresses:
        said = ["Open complaints and service cases stop nothing."]
    else:
        what = listed([kinds[kind] for kind in rule.suppresses], "or")
        said = [f"While {what} is open, nothing is sold on any channel."]
    if "complaint" in rule.suppresses:
        said.append(f"A complaint without a case counts as open for {duration(rule.without_case)}.")
    helps = listed([human(name) for name in stated.service])
    said.append(f"Actions under {helps} help; all others sell." if helps else "Every action counts as selling.")
    return said


def _signals(stated: ContactPolicy) -> list[str]:
    rule = stated.signals
    words = {
        "declared": "what customers told us",
        "observed": "what we saw them do",
        "inferred": "what we concluded about them",
    }
    said = [
        f"Offers may show {listed([words[each] for each in rule.provenance])}, and nothing that is younger than "
        f"{duration(rule.minimum_age)}."
    ]
    if rule.identified:
        said.append("They show only what customers did where they were signed in, or recognised with consent.")
    said.append("Sensitive topics are never shown, nor used.")
    return said


def _measuring(stated: ContactPolicy) -> list[str]:
    said = [
        f"{share(stated.holdout.share)} of customers are never sold to, always the same ones, to measure the total "
        f"(drawn with the salt {stated.holdout.salt}).",
        f"{share(stated.withholding.share)} of the selling actions that were drawn are not made, to measure each one.",
    ]
    exploration = stated.exploration
    said.append(
        f"{share(exploration.epsilon)} of answers are drawn evenly among what may be offered, and silence."
        if exploration.method == "epsilon"
        else "Answers are drawn with the chance that they are the best, as far as the model is sure; "
        f"{share(exploration.epsilon)} evenly among what may be offered, and silence."
    )
    if stated.maturity is None:
        said.append("New actions take part at once.")
    else:
        said.append(
            f"A new action takes part in {share(stated.maturity.least)} of contacts, and in more and more until "
            f"{counted(stated.maturity.positives, 'response')} to it are known."
        )
    said += [] if stated.experiment is None else _arms(stated.experiment)
    if stated.challenger is not None:
        said.append(
            f"For {share(stated.challenger.share)} of customers in no other arm, challenger models decide "
            f"(drawn with the salt {stated.challenger.salt})."
        )
    if stated.cap_levels is not None:
        said.append(f"Levels of caps are drawn with the salt {stated.cap_levels.salt}.")
    return said


def _arms(experiment: Experiment) -> list[str]:
    said = []
    for arm in experiment.arms:
        more = f" (times {plain(arm.factor)})" if arm.play == "looser_caps" else ""
        said.append(
            f"Experiment {human(arm.name)}: {share(arm.share)} of customers {PLAYS[arm.play]}{more} "
            f"(drawn with the salt {experiment.salt})."
        )
    return said


def _priors(stated: ContactPolicy, currency: str) -> list[str]:
    increment, harm = stated.increment, stated.harm
    said = [
        f"Until it is learned from data, {share(increment.default)} of the responses to an action are taken to be "
        "caused by it; the others would have come anyway."
    ]
    said += [f"In the group {human(name)} it is {share(value)}." for name, value in increment.groups.items()]
    costs = [f"{plain(value)} {currency} on {human(name)}" for name, value in harm.channels.items()]
    said.append(
        f"Until it is learned, one more contact is taken to cost {plain(harm.contact)} {currency} through opt-outs and "
        f"complaints{', ' + listed(costs) if costs else ''}, and {share(harm.rising)} more for each contact of the "
        f"last {duration(harm.recent)}."
    )
    said.append(
        "An action that no model can judge is not offered."
        if stated.fallback.propensity is None
        else f"Where no model can judge an action, {share(stated.fallback.propensity)} are taken to respond."
    )
    if stated.fallback.churn is not None:
        said.append(f"Without a churn model, {share(stated.fallback.churn)} of customers are taken to leave.")
    return said


def _rest(stated: ContactPolicy) -> list[str]:
    return [
        f"A reserved contact that no channel claims is free again after {duration(stated.reservation.expires)}.",
        f"The company's own days, for daily volumes and start and end dates, are those of {stated.zone}.",
    ]
