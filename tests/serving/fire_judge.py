"""The fire's two judges, that share no code with what they judge: one reads the log of contacts, one plays serially.

Both are written to be believed at sight: every contact of a customer, looked at one by one, with Python's own calendar.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
Line = Mapping[str, Any]


def local_date(at: int, zone: str) -> str:
    return datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(ZoneInfo(zone)).date().isoformat()


def period(day: str, per: str) -> str:
    date = datetime.fromisoformat(day)
    return {"day": day, "month": day[:7], "week": "{}-{}".format(*date.isocalendar()[:2])}[per]


def length(window: str) -> int:
    return int(window[:-1]) * SECONDS[window[-1]] * 1_000_000


def counted_by(cap: Line, contact: Line) -> list[str | None]:
    """What a cap counts a contact under; nothing where it does not count it."""
    if cap["scope"] == "total":
        return [None]
    values = contact["tags"] if cap["scope"] == "tag" else [contact[cap["scope"]]]
    return [value for value in values if cap.get("name") in (None, value)]


def violations(log: Iterable[Line], caps: Iterable[Line], zones: Mapping[str, str]) -> list[str]:
    """Claims past a cap, from the log of contacts in the order in which it was written.

    At each claim, every window that holds it is counted, over all that was claimed or sent before and has not failed.
    A breach (sent without a claim) counts for the claims after it, but is nobody's grant.
    """
    caps, found = list(caps), []
    standing: dict[str, dict[str, Line]] = defaultdict(dict)
    for line in log:
        mine = standing[line["customer_id"]]
        before = mine.get(line["contact_id"])
        if line["state"] in ("claimed", "sent"):
            mine[line["contact_id"]] = line
        else:
            mine.pop(line["contact_id"], None)
        if line["state"] != "claimed" or before is not None:
            continue
        zone = zones[line["customer_id"]]
        if line["local_day"] != local_date(line["touched_at"], zone) or line["zone"] != zone:
            found.append(f"{line['contact_id']}: stamped {line['local_day']} {line['zone']}, lives in {zone}")
        for cap in caps:
            for value in counted_by(cap, line):
                peers = [each["touched_at"] for each in mine.values() if value in counted_by(cap, each)]
                if (most := fullest(cap, line["touched_at"], peers, zone)) > cap["max"]:
                    found.append(f"{line['contact_id']}: {most} under {cap} ({value})")
    return found


def fullest(cap: Line, at: int, peers: list[int], zone: str) -> int:
    """How many of `peers` (instants) lie in the fullest window of the cap that holds `at`."""
    if "per" in cap:
        here = period(local_date(at, zone), cap["per"])
        return sum(period(local_date(each, zone), cap["per"]) == here for each in peers)
    width = length(cap["window"])
    ends = [each for each in peers if at <= each <= at + width]
    return max(sum(end - width <= each <= end for each in peers) for end in ends)


class Serial:
    """The same requests, one after the other in the order of their arrival: what a single clerk would have granted."""

    def __init__(self, actions: list[Line], caps: list[Line], zones: Mapping[str, str], expires: int) -> None:
        treatments = [(action, channel) for action in actions for channel in action["channels"]]
        self.ranked = sorted(treatments, key=lambda each: -each[0]["value"])
        self.caps, self.zones, self.expires = caps, zones, expires
        self.contacts: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.due: list[tuple[int, int, list[list[Any]], str, dict[str, Any]]] = []
        self.made = 0
        self.seen: dict[str, int] = defaultdict(int)
        self.reserved = self.claimed = 0

    def play(self, asked: Line) -> None:
        """A decision or an interaction, after what had been due by then. Other requests follow from decisions."""
        while self.due and self.due[0][0] <= asked["time"]:
            at, _, course, customer, contact = heapq.heappop(self.due)
            granted = getattr(self, course[0][0])(customer, contact, at)
            if granted:
                self.follow(at, course[1:], customer, contact)
        if asked["what"] == "decide":
            self.decide(asked)
        elif asked["what"] == "interaction":
            self.seen[asked["customer"]] = max(self.seen[asked["customer"]], asked["clock"])

    def follow(self, at: int, course: list[list[Any]], customer: str, contact: dict[str, Any]) -> None:
        if course:
            self.made += 1
            due = at + int(course[0][1] * 3_600_000_000)
            heapq.heappush(self.due, (due, self.made, course, customer, contact))

    def decide(self, asked: Line) -> None:
        customer, channel = asked["customer"], asked["channel"]
        now = max(asked["clock"], self.seen[customer])
        for action, where in self.ranked:
            if channel not in (None, where):
                continue
            contact = {
                "action": action["name"],
                "group": action["group"],
                "channel": where,
                "tags": action.get("tags", []),
            }
            if self.allowed(customer, contact, now, reservations=True):
                contact |= {"state": "reserved", "until": now + self.expires, "at": now}
                self.contacts[customer].append(contact)
                self.seen[customer] = now
                self.reserved += 1
                self.follow(now, asked["course"], customer, contact)
                return

    def allowed(self, customer: str, contact: Line, now: int, reservations: bool) -> bool:
        zone = self.zones[customer]
        standing = []
        for each in self.contacts[customer]:
            if each["state"] in ("claimed", "sent"):
                standing.append((each, each["at"]))
            elif reservations and each["state"] == "reserved" and now < each["until"]:
                standing.append((each, now))
        for cap in self.caps:
            for value in counted_by(cap, contact):
                peers = [at for each, at in standing if value in counted_by(cap, each)]
                if fullest(cap, now, [*peers, now], zone) > cap["max"]:
                    return False
        return True

    def claim(self, customer: str, contact: dict[str, Any], at: int) -> bool:
        now = max(at, self.seen[customer])
        if contact["state"] == "claimed":
            return True  # refused, as it is claimed already
        if contact["state"] != "reserved" or now >= contact["until"]:
            return False
        if not self.allowed(customer, contact, now, reservations=False):
            return False
        contact |= {"state": "claimed", "at": now}
        self.seen[customer] = now
        self.claimed += 1
        return True

    def sent(self, customer: str, contact: dict[str, Any], at: int) -> bool:
        if contact["state"] not in ("claimed", "sent"):
            contact["at"] = at
        contact["state"] = "sent"
        self.seen[customer] = max(self.seen[customer], at)
        return True

    def failed(self, _: str, contact: dict[str, Any], __: int) -> bool:
        if contact["state"] != "sent":
            contact["state"] = "failed"
        return True
