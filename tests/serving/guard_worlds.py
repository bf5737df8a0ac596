"""Worlds for the guard: zones on the days when their clocks change, and everything that can have happened by then."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from guard_oracle import World
from hypothesis import strategies as st

from features.clock import DAY, HOUR, MINUTE, parse_instant
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact, Customer, Sighting, Touch
from serving.decisions.policy import Actions, ContactPolicy, Playbook
from serving.decisions.profile import Profile, Told

CHANNELS = ("email", "phone", "web")
ACTIONS = Actions.model_validate(
    {
        "actions": [
            {"name": "a", "issue": "grow", "group": "g", "channels": ["email", "phone"], "tags": ["t", "u"]},
            {"name": "b", "issue": "grow", "group": "g", "channels": ["email", "web"], "value": 9},
            {"name": "c", "issue": "retain", "group": "h", "channels": ["email", "phone"], "purpose": "care"},
            {"name": "seen", "issue": "grow", "group": "h", "channels": ["email"], "reveals": [{"type": "search"}]},
            {"name": "soon", "issue": "grow", "group": "g", "channels": ["web"], "response_window": "2d"},
            {"name": "help", "issue": "service", "group": "care", "channels": ["email"], "tags": ["u"]},
            {"name": "recall", "issue": "service", "group": "care", "channels": ["email"], "exempt": "safety"},
            {"name": "notice", "issue": "service", "group": "care", "channels": ["email"], "exempt": "hushed"},
        ]
    }
)
#: A zone, and an instant around which its clocks or its calendar do something.
EDGES = [
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),  # 02:00 does not exist
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),  # 02:00 comes twice
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),  # half an hour, in the southern autumn
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),  # midnight does not exist
    ("Africa/Cairo", "2026-10-29T21:00:00Z"),  # back over midnight
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
    ("America/St_Johns", "2010-11-07T02:31:00Z"),  # back over midnight at one minute past: a day in two pieces
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),  # a day that never was
    ("Asia/Kathmandu", "2026-12-31T18:15:00Z"),  # year end
    ("Pacific/Kiritimati", "2028-02-28T10:00:00Z"),  # leap day
    ("UTC", "2027-01-01T00:00:00Z"),
]
ZONES = sorted({zone for zone, _ in EDGES})
HOURS = (None, "21:00-08:00", "02:00-02:30", "00:00-08:00", "22:00-24:00", "23:30-00:30")
CONSENTS = ({"email": {"marketing": True}}, {"email": False}, {"*": {"care": False}}, None)
STEPS = (MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY)


@dataclass
class Moment:
    """A world and when to look at it."""

    world: World
    now: int


def around(edge: int) -> st.SearchStrategy[int]:
    """Before or at an edge, on coarse grids of it and a microsecond beside them."""
    return st.builds(
        lambda number, step, beside: edge - number * step + beside,
        st.integers(0, 60),
        st.sampled_from(STEPS),
        st.sampled_from([0, 0, 0, -1]),
    )


@st.composite
def policies(draw: st.DrawFn) -> ContactPolicy:
    rest = st.sampled_from(["0d", "6h", "1d", "7d"])
    caps = []
    for _ in range(draw(st.integers(0, 4))):
        scope = draw(st.sampled_from(["total", "channel", "issue", "group", "action", "tag"]))
        pool = {"channel": CHANNELS, "issue": ("grow",), "group": ("g", "h"), "action": ("a", "b"), "tag": ("t", "u")}
        name = draw(st.none() | st.sampled_from(pool[scope])) if scope != "total" else None
        over = draw(st.sampled_from([{"window": "6h"}, {"window": "1d"}, {"window": "7d"}, {"per": "day"},
                                     {"per": "day"}, {"per": "week"}, {"per": "month"}]))  # fmt: skip
        caps.append({"scope": scope, "name": name, "max": draw(st.sampled_from([0, 1, 1, 2, 3])), **over})
    quiet = {
        "hours": draw(st.sampled_from(HOURS)),
        "weekdays": draw(st.sampled_from([[], ["sat", "sun"], ["thu"]])),
        "holidays": draw(st.booleans()),
        "country": draw(st.sampled_from([None, "DE"])),
        "channels": draw(st.sampled_from([None, None, ["email"], ["phone", "web"]])),
    }
    return ContactPolicy.model_validate(
        {
            "caps": caps,
            "zone": draw(st.sampled_from(["UTC", "Europe/Berlin"])),
            "unknown_zone": draw(st.sampled_from(["refuse", "company"])),
            "quiet": draw(st.sampled_from([None, quiet, quiet])),
            "pressure": draw(st.sampled_from([None, {"half_life": "7d", "limit": 0.5}, {"limit": 0.2}])),
            "exempt": {"safety": {"counts": True}, "hushed": {"counts": False}},
            "consent": {
                "unknown": draw(st.sampled_from(["denied", "granted", "granted"])),
                "assumed": draw(st.lists(st.sampled_from(CHANNELS), max_size=1)),
                "inbound_unknown": draw(st.sampled_from(["denied", "granted"])),
                "purposes": draw(st.booleans()),
            },
            "cool_down": {
                "after_rejection": {"action": draw(rest), "group": draw(rest)},
                "actions": draw(st.dictionaries(st.sampled_from(["a", "b"]), rest, max_size=1)),
                "groups": draw(st.dictionaries(st.sampled_from(["g", "care"]), rest, max_size=1)),
                "after_complaint": draw(rest),
                "after_ignored": draw(st.none() | st.fixed_dictionaries({"count": st.integers(1, 3), "rest": rest})),
                "less_often": {"factor": draw(st.sampled_from([1, 2, 3]))},
            },
            "open_case": {"without_case": draw(rest)},
            "signals": {
                "minimum_age": draw(st.sampled_from(["0h", "24h"])),
                "provenance": draw(st.sampled_from([["declared"], ["declared", "observed"]])),
                "identified": draw(st.booleans()),
            },
            "not_contacts": ["failed"],
        }
    )  # fmt: skip


@st.composite
def moments(draw: st.DrawFn) -> Moment:
    zone, edge = draw(st.sampled_from(EDGES))
    at = around(parse_instant(edge) + draw(st.sampled_from([0, HOUR, DAY])))
    now = max(draw(st.lists(at, min_size=1, max_size=3)))
    past = at.map(lambda t: min(t, now))
    world = World(
        Playbook(ACTIONS, draw(policies())),
        told=draw(st.lists(told(past), max_size=5, unique_by=lambda row: row.order)),
        contacts=[draw(contact(i, past)) for i in range(draw(st.integers(0, 5)))],
        touches=draw(st.lists(touches(past), max_size=3)),
        records=draw(st.lists(records(past, zone), max_size=4, unique_by=lambda record: record[:2])),
        sightings=draw(st.lists(sightings(past), max_size=3)),
        restricted=draw(st.sampled_from([False, False, False, True])),
    )
    return Moment(world, now)


def told(past: st.SearchStrategy[int]) -> st.SearchStrategy[Told]:
    types = ("consent_given", "opted_out", "complained", "rejected", "complaint", "case_opened", "case_closed",
             "clicked", "contact_paused", "contact_as_usual", "contact_less_often")  # fmt: skip
    scopes = ((), (), ("*",), ("email",), ("email/marketing",), ("*/care", "phone/marketing"))
    return st.builds(
        lambda ahead, **rest: Told(until=rest["at"] + ahead if rest["type"] == "contact_paused" else None, **rest),
        type=st.sampled_from(types),
        at=past,
        ahead=st.sampled_from([HOUR, DAY, 30 * DAY]),
        order=st.integers(1, 2**64 - 1),
        channel=st.sampled_from(CHANNELS),
        direction=st.just("inbound"),
        case_id=st.none() | st.sampled_from(["x", "y"]),
        action=st.none() | st.sampled_from(["a", "b", "unheard_of"]),
        scope=st.sampled_from(scopes),
        answers=st.none() | st.just("email"),
    )  # fmt: skip


#: Where a customer may have been when a contact was claimed: as far apart as clocks are.
STAMPS = ["Pacific/Kiritimati", "Pacific/Apia", "Europe/Berlin", "Etc/GMT+12"]


def stamped(at: int, where: str) -> str:
    """The local day that a claim made then and there was stamped with."""
    return datetime.fromtimestamp(at // 1_000_000, ZoneInfo(where)).date().isoformat()


@st.composite
def contact(draw: st.DrawFn, number: int, past: st.SearchStrategy[int]) -> Contact:
    action = draw(st.sampled_from(ACTIONS.actions))
    state = draw(st.sampled_from(["reserved", "claimed", "sent", "sent", "failed", "expired", "ghost"]))
    at = draw(past)
    out = state in ("claimed", "sent")
    day = draw(st.none() | st.sampled_from(STAMPS).map(lambda where: stamped(at, where))) if out else None
    return Contact(
        f"k{number}", "C1", f"d{number}", action.name, action.issue, action.group, draw(st.sampled_from(CHANNELS)),
        action.exempt != "hushed", state, at, at + draw(st.sampled_from([HOUR, DAY, 3 * DAY])), at if out else None,
        tags=tuple(action.tags), local_day=day,
        respond_by=at + draw(st.sampled_from([HOUR, DAY])) if state == "ghost" or draw(st.booleans()) else None,
    )  # fmt: skip


def touches(past: st.SearchStrategy[int]) -> st.SearchStrategy[Touch]:
    return st.builds(
        Touch,
        at=past,
        channel=st.sampled_from(CHANNELS),
        type=st.sampled_from(["contact", "email_sent", "failed"]),
        action=st.none() | st.sampled_from(["a", "help", "notice", "unheard_of"]),
    )


def records(past: st.SearchStrategy[int], zone: str) -> st.SearchStrategy[tuple[int, int, dict]]:
    said = st.fixed_dictionaries(
        {},
        optional={
            "time_zone": st.sampled_from([zone, zone, zone, *ZONES, "Nowhere/At_All", None, 7]),
            "country": st.sampled_from(["DE", "US", "XX", None]),
            "subdivision": st.just("BY"),
            "consent": st.sampled_from(CONSENTS),
        },
    )  # fmt: skip
    # distinct instants: which of two statements about one instant is right, nobody can know
    return st.builds(lambda at, ahead, says: (at + ahead, at, says), past, st.sampled_from([0, 0, HOUR, -DAY]), said)


def sightings(past: st.SearchStrategy[int]) -> st.SearchStrategy[Sighting]:
    return st.builds(
        Sighting,
        at=past,
        type=st.sampled_from(["search", "purchase"]),
        topic=st.none(),
        channel=st.sampled_from(CHANNELS),
        identified=st.booleans(),
        provenance=st.sampled_from(["declared", "observed", "inferred"]),
    )


class Listed:
    """Sightings from a list."""

    def __init__(self, rows: list[Sighting]) -> None:
        self.rows = sorted(rows, key=lambda seen: -seen.at)

    def of(self, type: str | None, topic: str | None, channel: str | None) -> list[Sighting]:
        return [
            seen
            for seen in self.rows
            if type in (None, seen.type) and topic in (None, seen.topic) and channel in (None, seen.channel)
        ]

    def topics(self) -> list[Sighting]:
        newest = {seen.channel: seen for seen in reversed(self.rows) if seen.topic is not None}
        return sorted(newest.values(), key=lambda seen: -seen.at)


def customer_of(world: World, now: int) -> Customer:
    """What a store would read."""
    profile = Profile()
    for row in world.told:
        profile.learn(row)
    for valid_from, received, said in world.records:
        profile.state(valid_from, received, said)
    return Customer(
        "C1", 1, profile, tuple(world.contacts), tuple(world.touches), now, restricted=world.restricted,
        sightings=Listed(world.sightings),
    )  # fmt: skip


EVERY = [Candidate(action, channel) for action in ACTIONS.actions for channel in action.channels]
