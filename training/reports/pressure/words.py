"""What the report says, made from its figures."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from scipy.stats import norm

from features.step_words import on_channel
from features.workspace import Fatigue
from training.fatigue.curve import EDGES
from training.reports.artefact import Assignment
from training.reports.pressure.artefact import Alone, Band, Causal, Contacts, Guard, Known, Level, Total, Worth
from training.reports.statistics import CONFIDENCE, SMALLEST_ARM
from training.reports.wording import counted, number, percent

#: How the guard's rules begin, and what each means; caps say it themselves.
RULES = {
    "opt-out": "the customer opted out of the channel",
    "consent": "no consent for the channel is known",
    "pressure": "too much contact pressure across channels",
    "quiet hours": "quiet hours where the customer lives",
    "quiet day": "a day of rest where the customer lives",
    "cool-down after ignored": "rest after contacts that were not answered",
    "cool-down after rejection": "rest after the customer said no",
    "cool-down after complaint": "rest after a complaint about a contact",
    "open complaint": "a complaint is open",
    "open case": "a service case is open",
    "paused": "the customer asked to be left alone for a while",
    "restricted": "the customer's data may not be processed",
    "withheld": "withheld to measure the effect",
    "signal": "would show what we may not show that we know",
    "time zone": "the customer's time zone is unknown",
    "country": "the customer's country is unknown",
    "volume": "the day's volume of the action is given out",
}
#: Bands of pressure (training/fatigue/curve.py), in shares of what is tolerable.
BANDS = (
    f"under {EDGES[0]:.0%}",
    *(f"{low:.0%} to {high:.0%}" for low, high in pairwise(EDGES)),
    f"over {EDGES[-1]:.0%}",
)
_CAP = re.compile(r"cap (?P<scope>\w+)(?: (?P<name>.+?))?: (?P<max>\d+) per (?P<window>.+)")
_UNITS = {"m": "minute", "h": "hour", "d": "day", "w": "week"}


def rule(name: str) -> str:
    """A rule in plain words.

    >>> rule("cap channel email: 2 per 7d"), rule("cap total: 1 per local day"), rule("pressure")
    ('at most 2 contacts on email in 7 days', 'at most 1 contact in a local day', 'too much contact pressure across \
channels')
    """
    if (cap := _CAP.fullmatch(name)) is not None:
        most, scope, of = int(cap["max"]), cap["scope"], cap["name"]
        each = f" of one {scope}" if of is None else f" on {of}" if scope == "channel" else f" of {scope} {of}"
        window = re.fullmatch(r"(\d+)\s*([mhdw])", cap["window"])
        while_ = f"a {cap['window']}" if window is None else counted(int(window[1]), _UNITS[window[2]])
        return f"at most {counted(most, 'contact')}{'' if scope == 'total' else each} in {while_}"
    return next((words for begins, words in RULES.items() if name.startswith(begins)), name)


def alone(found: Alone, contacted: bool) -> str:
    """Whom to leave alone this week."""
    if not contacted:
        return "Nobody needs to be left alone this week: no contact with any customer is known."
    if not found.customers:
        why = (
            "for each of {} one more contact is expected to pay on some channel"
            if found.by == "learned"
            else "none of {} is under as much contact pressure as the policy calls tolerable"
        )
        return f"Nobody needs to be left alone this week: {why.format(counted(found.of, 'customer'))}."
    who = f"Leave {found.customers:,} of {found.of:,} customers alone this week ({percent(found.customers / found.of)})"
    if len(found.reasons) == 1:
        subject = "they are " if found.reasons[0].name.startswith("already") else ""
        return f"{who}: {subject}{found.reasons[0].name}."
    first, second = found.reasons
    return f"{who}: for {first.customers:,} of them {first.name}, and {second.customers:,} are {second.name}."


def contacts(found: Contacts, customers: int, days: int) -> str:
    """How often, compared with before, by whom, and how unevenly."""
    if not found.total:
        return f"No customer was contacted in the last {days} days."
    said = f"{customers:,} active customers got {number(found.a_week, found.a_week / 20)} contacts a week each"
    if found.before is None:
        said += f" in the last {days} days"
    elif not found.before:
        said += f" in the last {days} days, after none in the {days} days before"
    else:
        change = found.a_week / found.before - 1
        more = (
            "about as many as"
            if abs(change) < 0.02
            else f"{percent(abs(change))} {'more' if change > 0 else 'fewer'} than"
        )
        said += f" in the last {days} days, {more} in the {days} days before"
    if found.others:
        said += f"; other tools made {percent(found.others / found.total)} of them"
    if found.most_pressed is not None:
        said += f"; the tenth who got most received {percent(found.most_pressed)} of all"
    return said + "."


def guard(found: Guard, days: int) -> str:
    """How much the guard refused, and why."""
    decisions = f"{counted(found.decisions, 'outbound decision')} of the last {days} days"
    if not found.decisions:
        return f"No outbound decision was made in the last {days} days."
    if not found.touched:
        return f"The guard refused nothing in {decisions}."
    top = found.rules[0]
    reason = "the only reason" if len(found.rules) == 1 else "the most frequent reason"
    much = "" if len(found.rules) == 1 else f" ({percent(top.refused / found.refused)} of what was refused)"
    return (
        f"In {found.touched:,} of {decisions} the guard refused something "
        f"({percent(found.touched / found.decisions)}), and in {found.nothing_left:,} nothing was left to send; "
        f"{reason}: {top.words}{much}."
    )


def worth(found: Worth, currency: str) -> str:
    """What our own rules held back, by what decisions logged."""
    if not found.contacts:
        return (
            "Our own rules held back no contact that decisions call worth more than silence: consent and opt-outs "
            "apart, they cost nothing."
        )
    unsure = "" if found.net.low is not None else (
        f"; how far off that may be cannot be told: at least {SMALLEST_ARM} customers who were held back are needed, "
        f"and about {SMALLEST_ARM * 3 // 2} whose contacts passed"
    )  # fmt: skip
    return (
        f"Our own rules held back {counted(found.contacts, 'contact')} that decisions would have called worth making, "
        f"one a customer and week: by what they logged of contacts that passed, these would have brought "
        f"{money(found.brought, currency)} and cost {money(found.harm, currency)} through opt-outs and complaints, so "
        f"that the rules cost {money(found.net, currency)}{unsure}."
    )


def response(bands: Sequence[Band], days: int) -> str:
    """Whether customers under more pressure answer less; described, no effect."""
    told = [band for band in bands if band.share is not None]
    if len(told) < 2:
        return "Too few contacts or answers to tell whether customers under more contact pressure answer less."
    first, last = told[0], told[-1]
    assert first.share is not None
    assert last.share is not None
    apart = first.share.low > last.share.high or last.share.low > first.share.high
    much = "about as many contacts as others" if not apart else (
        "fewer contacts" if last.share.value < first.share.value else "more contacts"
    )  # fmt: skip
    return (
        f"Customers under more contact pressure answered {much}: within {days} days {share(last.share)} at {last.name} "
        f"of what is tolerable, {share(first.share)} at {first.name}. Who is contacted often differs from others in "
        "much else, so this alone proves nothing."
    )


def verdict(of: Level, comparisons: int) -> Literal["too_few", "better", "worse", "undecided"]:
    """Of caps drawn by chance against the usual ones: by money, else by opt-outs, whichever can be told; each of
    several comparisons is made as sure as all of them together are to be (Bonferroni)."""
    told = [(known, good) for known, good in ((of.more_money, 1), (of.more_opted_out, -1)) if known is not None]
    if not told:
        return "too_few"
    wider = float(norm.isf((1 - CONFIDENCE) / 2 / max(comparisons, 1)) / norm.isf((1 - CONFIDENCE) / 2))
    for known, good in told:
        half = wider * (known.high - known.low) / 2
        if abs(known.value) > half:
            return "better" if known.value * good > 0 else "worse"
    return "undecided"


def level(of: Level, currency: str) -> str:
    """Caps of another size against the usual ones, for 1,000 customers and a week."""
    if of.verdict == "usual":
        return "The usual caps."
    caps = f"Caps {factor(of.factor)}"
    measures = (
        ("contacts", of.more_contacts, "contacts", "fewer", ""),
        ("opted_out", of.more_opted_out, "opt-outs", "fewer", ""),
        ("money", of.more_money, "spending", "less", f" {currency}"),
    )
    told = [change(known, noun, fewer, unit) for _, known, noun, fewer, unit in measures if known is not None]
    untold = [f"too few to tell of {noun}: {of.untold[key]}" for key, _, noun, *_ in measures if key in of.untold]
    if not told and not untold:
        return f"{caps}: too few customers live under the usual caps to compare."
    if told:
        last = f", and {told[-1]}" if len(told) > 2 else f" and {told[-1]}" if len(told) > 1 else ""
        caps += " meant, a week and for every 1,000 customers, " + ", ".join(told[:-1] or told) + last
    judged = [noun for _, known, noun, *_ in measures[1:] if known is not None]
    both, only = len(judged) == 2, "".join(judged)
    by, these = ("All in all", "these differences in money and opt-outs") if both else (
        f"By {only} alone", f"this difference in {only}")  # fmt: skip
    end = {
        "better": f"{by} that is better than the usual caps.",
        "worse": f"{by} that is worse than the usual caps.",
        "undecided": f"Chance alone could make {these}.",
        "too_few": "Whether they are better or worse than the usual caps cannot be told.",
    }[of.verdict]
    why = ("; " if told else ": ") + "; ".join(untold) if untold else ""
    return f"{caps}{why}. {end}"


def change(known: Known, noun: str, fewer: str, unit: str = "") -> str:
    """For 1,000 customers: "120 more contacts (likely between 109 and 131)", "279 USD more spending, which ..."."""
    value, low, high = (1000 * each for each in (known.value, known.low, known.high))
    precision = max((high - low) / 2, 1e-9)
    size, more = number(abs(value), precision), "more" if value >= 0 else fewer
    if low <= 0 <= high:
        ends = [number(end, precision, signed=True) for end in (low, high)]
        return f"{size}{unit} {more} {noun}, which chance alone could make (likely between {ends[0]} and {ends[1]})"
    ends = [number(end, precision) for end in sorted((abs(low), abs(high)))]
    return f"{size}{unit} {more} {noun} (likely between {ends[0]} and {ends[1]})"


def causal(found: Causal) -> str:
    """What randomised caps show; without them, what single contacts do."""
    if found.spread is not None and found.spread.alarm:
        return f"Do not rely on the comparison of caps. {found.spread.sentence}"
    if found.uneven:
        return (
            "Do not rely on the comparison of caps: customers under different caps spent differently before, so chance "
            "alone did not choose them. Find out what did."
        )
    shown = [one for one in found.levels if one.verdict in ("better", "worse")]
    if shown:
        looser = [one for one in shown if one.factor > 1] or shown
        one = max(looser, key=lambda each: abs(each.factor - 1))
        better = {
            (True, "worse"): "Looser caps do harm",
            (True, "better"): "Looser caps pay",
            (False, "better"): "Tighter caps are better",
            (False, "worse"): "Tighter caps cost more than they save",
        }[one.factor > 1, one.verdict]
        caps, _, rest = one.sentence.rpartition(". ")[0].partition(" ")
        return f"{better}: {caps.lower()} {rest}."
    others = [one for one in found.levels if one.verdict != "usual"]
    if len(found.levels) > 1 and all(one.verdict == "too_few" for one in others):
        return "What looser or tighter caps do to spending and opt-outs cannot be told yet: there are too few to tell."
    if len(found.levels) > 1:
        both = all(known is not None for one in others for known in (one.more_money, one.more_opted_out))
        told = "" if both else "; of some there are too few to tell"
        return (
            "No effect of looser or tighter caps on spending or opt-outs is shown yet, as far as chance drew them"
            f"{told}."
        )
    return (
        "Nobody's caps were drawn by chance, so what pressure itself does is not known; contacts that chance withheld "
        "tell what single ones do. State `cap_levels` in contact_policy.yaml to know more."
    )


def untold(channel: str, why: str) -> str:
    """A channel that no number of contacts is told for."""
    return f"How often it pays {on_channel(channel)} cannot be told from this log: {why}."


def factor(of: float) -> str:
    """ "2 times as loose", "half as loose"."""
    return "half as loose" if of == 0.5 else f"{of:g} times as loose"


def money(of: Total, currency: str) -> str:
    """ "293 USD (likely between 270 and 316)", or without the interval."""
    if of.low is None or of.high is None:
        return f"{number(of.value, max(abs(of.value) / 20, 1e-9))} {currency}"
    precision = max((of.high - of.low) / 2, abs(of.value) / 100, 1e-9)
    ends = [number(end, precision) for end in (of.low, of.high)]
    return f"{number(of.value, precision)} {currency} (likely between {ends[0]} and {ends[1]})"


def share(known: Known) -> str:
    """ "4.1% (likely between 3.5% and 4.8%)"."""
    precision = (known.high - known.low) / 2
    value, low, high = (percent(each, precision) for each in (known.value, known.low, known.high))
    return f"{value} (likely between {low} and {high})"


def notes(limit: bool, uneven: bool, spread: Assignment | None = None) -> list[str]:
    found = []
    if not limit:
        found.append(
            "The contact policy states no limit of pressure, so what is tolerable is taken from research: about 3 "
            "calls, 4 e-mails or 10 letters a quarter (Godfrey, Seiders and Voss 2011)."
        )
    if uneven:
        found.append("Earlier spending differs between cap levels: they do not look as if chance alone had drawn them.")
    if spread is not None:
        found.append(f"Customers by cap level: {spread.sentence}")
    return found


def method(stated: Fatigue, days: int, answer_days: int) -> list[str]:
    return [
        "Contacts are what was sent, by us or by other tools, each counted once; a person with several ids is one. "
        f"Levels are of the last {days} days, set against the {days} days before, each per customer active then (where "
        "the log is short, active in a stretch of it that both have behind them).",
        "Contact pressure is the sum of what each contact weighs on its channel, fading with the contact policy's "
        "half-life, as a share of the policy's limit.",
        "Candidates that the guard refused were never valued. What our own rules held back is therefore valued as the "
        "mean of contacts of the same action on the same channel that passed, where nothing else was left to send, the "
        "best one a customer and week. Consent, opt-outs and customers' own wishes are not counted as lost. Contacts "
        "that passed were made under less pressure, so what the rules saved is rather more than is told here. The "
        "interval counts that others might be held back, more or fewer, and how far off those means may be (customers "
        "by random groups); it holds only if decisions value contacts rightly.",
        f"A contact is answered where a response follows within {answer_days} days; intervals are Wilson's (1927), "
        "with each customer's contacts taken together.",
        "Where chance decided whether a contact was made, its effect is the difference to those it withheld (Robinson "
        "1988), by channel and pressure. Customers whose caps were drawn by chance are compared as drawn, with earlier "
        "spending taken out; whether caps are called better or worse allows for the number of comparisons.",
        f"One more contact pays where {number(stated.margin * 100, 1)}% of what it sells is more than its cost and "
        "what it harms: opt-outs and complaints as `fatigue` in tactful.yaml prices them, and spending lost to "
        "tiredness.",
    ]
