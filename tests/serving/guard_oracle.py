"""The guard as a reader would write it who never heard of speed: one candidate, one instant, one sentence at a time.

It shares no code with serving.decisions.guard. It reads the raw list of what the customer told us and of what a CRM
said, and walks through all of it for every question.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import holidays

from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact, Sighting, Touch
from serving.decisions.policy import Action, Playbook
from serving.decisions.profile import Told

SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
DAY = 86_400_000_000
ZONES = available_timezones()
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass
class World:
    """Everything that happened to one customer. `records` are (valid_from, received_at, what they say)."""

    playbook: Playbook
    told: list[Told] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    records: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    restricted: bool = False


def length(text: str) -> int:
    return int(text[:-1]) * SECONDS[text[-1]] * 1_000_000


def tripped(
    world: World, candidate: Candidate, now: int, inbound: bool = False, factor: float = 1.0, reserved: bool = True
) -> set[str]:
    """The names of all rules that refuse the candidate. `reserved`: whether reservations stand."""
    action = next(each for each in world.playbook.actions.actions if each.name == candidate.action.name)
    channel, policy = candidate.channel, world.playbook.policy
    selling = action.issue not in policy.service and action.group not in policy.service
    found: set[str] = set()
    if (refused := no_consent(world, channel, action.purpose, now, inbound)) is not None:
        found.add(refused)
    if world.restricted and (selling or not inbound):
        found.add("restricted")
    if selling:
        found |= open_cases(world, now) | complaint(world, now)
    found |= rejection(world, action, now) | withheld(world, action, now) | signals(world, action, now)
    if inbound:
        return found
    found |= quiet(world, channel, now)
    if action.exempt is None:
        found |= paused(world, now) | ignored(world, channel, now)
        found |= pressure(world, channel, now, factor, reserved)
        found |= caps(world, action, channel, now, factor, reserved)
    return found


# what is known of the customer


def attribute(world: World, name: str, now: int) -> tuple[int, Any] | None:
    """(valid from, value) as of now."""
    known = [
        (valid_from, received, said[name])
        for valid_from, received, said in world.records
        if name in said and valid_from <= now and received <= now
    ]
    if not known:
        return None
    valid_from, _, value = max(known, key=lambda each: each[:2])
    return None if value is None else (valid_from, value)


def zone(world: World, now: int) -> ZoneInfo | None:
    known = attribute(world, "time_zone", now)
    if known is not None and known[1] in ZONES:
        return ZoneInfo(known[1])
    policy = world.playbook.policy
    return ZoneInfo(policy.zone) if policy.unknown_zone == "company" else None


def wall(t: int, where: ZoneInfo) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=t)).astimezone(where)


# what the customer said


def no_consent(world: World, channel: str, purpose: str, now: int, inbound: bool) -> str | None:
    rule = world.playbook.policy.consent
    with_purpose = [f"{channel}/{purpose}", channel, f"*/{purpose}", "*"]
    word = standing_word(world, with_purpose)
    if not rule.purposes and (word is None or not refuses(word)):
        word = standing_word(world, [channel, "*"])
    stated = recorded(world, channel, purpose, now)
    if word is not None:
        if refuses(word) or (stated is not None and not stated[1] and stated[0] > word.at):
            return "opt-out"
        return None
    if stated is not None:
        return None if stated[1] else "opt-out"
    if rule.unknown == "granted" or channel in rule.assumed or (inbound and rule.inbound_unknown == "granted"):
        return None
    return "consent"


def standing_word(world: World, scopes: list[str]) -> Told | None:
    """The newest word about the narrowest scope that anything was said about, unless a wider no is newer."""
    words = [word for scope in scopes if (word := newest(world, scope)) is not None]
    newer_noes = [word for word in words[1:] if refuses(word) and word.at >= words[0].at]
    return newer_noes[0] if newer_noes else words[0] if words else None


def newest(world: World, scope: str) -> Told | None:
    """Of a yes and a no at one instant the no stands."""
    about = [
        row
        for row in world.told
        if row.type in ("consent_given", "opted_out", "complained") and scope in (row.scope or (row.channel,))
    ]
    return max(about, key=lambda row: (row.at, refuses(row)), default=None)


def refuses(row: Told) -> bool:
    return row.type != "consent_given"


def recorded(world: World, channel: str, purpose: str, now: int) -> tuple[int, bool] | None:
    """(since, yes or no) as the CRM has it."""
    known = attribute(world, "consent", now)
    if known is None:
        return None
    for about in (channel, "*"):
        stated = known[1].get(about)
        if isinstance(stated, dict):
            stated = stated.get(purpose, stated.get("*"))
        if stated is not None:
            return known[0], stated
    return None


def paused(world: World, now: int) -> set[str]:
    """The last word on being left alone, at one instant the longest."""
    asked = [row for row in world.told if row.type in ("contact_paused", "contact_as_usual")]
    last = max(asked, key=lambda row: (row.at, row.until or 0), default=None)
    return {"paused"} if last is not None and now < (last.until or 0) else set()


def wants_less(world: World) -> bool:
    asked = [row for row in world.told if row.type in ("contact_less_often", "contact_as_usual")]
    last = max(asked, key=lambda row: (row.at, row.type == "contact_less_often"), default=None)
    return last is not None and last.type == "contact_less_often"


# rests


def open_cases(world: World, now: int) -> set[str]:
    policy, found = world.playbook.policy, set()
    for opened in world.told:
        if opened.type not in policy.open_case.suppresses:
            continue
        name = "open complaint" if opened.type == "complaint" else "open case"
        closings = [row for row in world.told if row.type == "case_closed" and row.case_id == opened.case_id]
        if opened.case_id is None:
            if now < opened.at + length(policy.open_case.without_case):
                found.add(name)
        elif not any((row.at, row.order) > (opened.at, opened.order) for row in closings):
            found.add(name)
    return found


def complaint(world: World, now: int) -> set[str]:
    rest = length(world.playbook.policy.cool_down.after_complaint)
    resting = any(row.type == "complained" and now < row.at + rest for row in world.told)
    return {"cool-down after complaint"} if resting else set()


def rejection(world: World, mine: Action, now: int) -> set[str]:
    rule, groups = world.playbook.policy.cool_down, {a.name: a.group for a in world.playbook.actions.actions}
    for row in world.told:
        if row.type != "rejected" or row.action is None:
            continue
        if row.action == mine.name:
            rest = rule.actions.get(mine.name) or rule.groups.get(mine.group) or rule.after_rejection.action
        elif groups.get(row.action) == mine.group:
            rest = rule.groups.get(mine.group) or rule.after_rejection.group
        else:
            continue
        if now < row.at + length(rest):
            return {"cool-down after rejection"}
    return set()


def withheld(world: World, action: Action, now: int) -> set[str]:
    ghosts = [each for each in world.contacts if each.state == "ghost" and each.action == action.name]
    return {"withheld"} if any(now < (ghost.respond_by or 0) for ghost in ghosts) else set()


def ignored(world: World, channel: str, now: int) -> set[str]:
    rule = world.playbook.policy.cool_down.after_ignored
    if rule is None:
        return set()
    reactions = ("accepted", "clicked", "email_click", "rejected", "opted_out", "complained")
    answers = [row.at for row in world.told if row.type in reactions and (row.answers or row.channel) == channel]
    unanswered = []
    for at, where, closes in made(world):
        if where == channel and at > max(answers, default=at - 1) and closes <= now:
            unanswered.append(closes)
    resting = len(unanswered) >= rule.count and now < max(unanswered) + length(rule.rest)
    return {"cool-down after ignored"} if resting else set()


def made(world: World) -> list[tuple[int, str, int]]:
    """(when, channel, end of its response window) of each contact that went out and counts."""
    windows = {action.name: length(action.response_window) for action in world.playbook.actions.actions}
    found = []
    for contact in world.contacts:
        if contact.counts and contact.state in ("claimed", "sent"):
            closes = contact.respond_by or contact.touched_at + windows.get(contact.action, 7 * DAY)
            found.append((contact.touched_at, contact.channel, closes))
    others = counted_touches(world)
    return found + [(touch.at, touch.channel, touch.at + windows.get(touch.action, 7 * DAY)) for touch in others]


def signals(world: World, action: Action, now: int) -> set[str]:
    """Each signal needs something that the customer showed us knowingly, long enough ago."""
    rule = world.playbook.policy.signals
    for signal in action.reveals:
        usable = [
            seen
            for seen in world.sightings
            if (signal.type is None or seen.type == signal.type)
            and (signal.topic is None or seen.topic == signal.topic)
            and (signal.channel is None or seen.channel == signal.channel)
            and (seen.identified or not rule.identified)
            and seen.provenance in rule.provenance
            and now - seen.at >= length(rule.minimum_age)
        ]
        if not usable:
            return {"signal"}
    return set()


# the customer's own clock


def quiet(world: World, channel: str, now: int) -> set[str]:
    policy = world.playbook.policy
    rule = policy.quiet
    if rule is None or (rule.channels is not None and channel not in rule.channels):
        return set()
    where = zone(world, now)
    if where is None:
        return {"time zone"}
    shown, country = wall(now, where), None
    if rule.holidays:
        told = attribute(world, "country", now)
        country = told[1] if told is not None else rule.country
        if country not in holidays.list_supported_countries():
            if policy.unknown_zone == "refuse":
                return {"country"}
            country = None
    if WEEKDAYS[shown.weekday()] in rule.weekdays:
        return {"quiet day"}
    part = attribute(world, "subdivision", now)
    if country is not None and shown.date() in days_off(country, part[1] if part else None):
        return {"quiet day"}
    if rule.hours is None:
        return set()
    start, end = rule.hours.split("-")
    time = f"{shown:%H:%M}"
    within = start <= time < end if start < end else time >= start or time < end
    return {"quiet hours"} if within else set()


@cache
def days_off(country: str, part: str | None) -> Any:
    if part not in holidays.list_supported_countries()[country]:
        part = None
    return holidays.country_holidays(country, subdiv=part)


def same_period(per: str, one: date, other: date) -> bool:
    if per == "day":
        return one == other
    if per == "week":
        return one.isocalendar()[:2] == other.isocalendar()[:2]
    return (one.year, one.month) == (other.year, other.month)


# counting


def counted_touches(world: World) -> list[Touch]:
    policy, actions = world.playbook.policy, {action.name: action for action in world.playbook.actions.actions}
    found = []
    for touch in world.touches:
        action = actions.get(touch.action)
        if touch.type in policy.not_contacts or (action and action.exempt and not policy.exempt[action.exempt].counts):
            continue
        found.append(touch)
    return found


def names_of(scope: str, channel: str, action: str, group: str, issue: str, tags: list[str]) -> list[str]:
    return {"total": [""], "channel": [channel], "issue": [issue], "group": [group], "action": [action], "tag": tags}[
        scope
    ]


def caps(world: World, action: Action, channel: str, now: int, factor: float, reserved: bool) -> set[str]:
    policy, found = world.playbook.policy, set()
    actions, where = {each.name: each for each in world.playbook.actions.actions}, zone(world, now)
    for cap in policy.caps:
        for name in names_of(cap.scope, channel, action.name, action.group, action.issue, list(action.tags)):
            if cap.name is not None and cap.name != name:
                continue
            if cap.per is not None and where is None:
                found.add("time zone")
                continue
            number = 0
            for contact in world.contacts:
                theirs = names_of(
                    cap.scope, contact.channel, contact.action, contact.group, contact.issue, list(contact.tags)
                )
                if contact.counts and name in theirs:
                    number += stands(contact, cap, now, where, reserved)
            for touch in counted_touches(world):
                known = actions.get(touch.action)
                group, issue, tags = (known.group, known.issue, list(known.tags)) if known else ("?", "?", [])
                if name in names_of(cap.scope, touch.channel, touch.action or "?", group, issue, tags):
                    number += is_inside(touch.at, None, cap, now, where)
            if number >= most(world, cap.max, factor):
                found.add(cap.label)
    return found


def most(world: World, cap: int, factor: float) -> int:
    """A cap of 1 or more never becomes none; who wants less gets a part of it, whatever the experiment."""
    scale = min(factor, 1.0) / world.playbook.policy.cool_down.less_often.factor if wants_less(world) else factor
    scaled = int(cap * scale + 1e-9)
    return max(scaled, 1) if cap >= 1 else 0


def stands(contact: Contact, cap: Any, now: int, where: ZoneInfo | None, reserved: bool) -> bool:
    if contact.state == "reserved":
        return reserved and contact.expires_at > now
    if contact.state in ("claimed", "sent"):
        return is_inside(contact.touched_at, contact.local_day, cap, now, where)
    return False


def is_inside(at: int, local_day: str | None, cap: Any, now: int, where: ZoneInfo | None) -> bool:
    if cap.per is None:
        return at >= now - length(cap.window)
    day = date.fromisoformat(local_day) if local_day else wall(at, where).date()
    return same_period(cap.per, day, wall(now, where).date())


def pressure(world: World, channel: str, now: int, factor: float, reserved: bool) -> set[str]:
    rule = world.playbook.policy.pressure
    if rule is None:
        return set()
    scale = min(factor, 1.0) / world.playbook.policy.cool_down.less_often.factor if wants_less(world) else factor
    total = 0.0
    for at, where, _ in made(world):
        if now - at <= 400 * DAY:
            total += rule.weights.get(where, rule.other) * 0.5 ** ((now - at) / length(rule.half_life))
    for contact in world.contacts:
        if reserved and contact.counts and contact.state == "reserved" and contact.expires_at > now:
            total += rule.weights.get(contact.channel, rule.other)
    mine = rule.weights.get(channel, rule.other)
    limit = max(rule.limit * scale, mine) if mine <= rule.limit else rule.limit * scale
    return {"pressure"} if total > limit - mine else set()
