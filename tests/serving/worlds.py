"""Small worlds for the decision tests: a handful of actions, policies and customers, by hand and by Hypothesis."""

from hypothesis import strategies as st

from features.clock import DAY, HOUR
from serving.decisions.customer import Contact, Customer, Touch
from serving.decisions.decision import Request, Scores
from serving.decisions.policy import Action, Actions, Cap, ContactPolicy, Playbook
from serving.decisions.profile import Profile, Told

NOW = 1_700_000_000_000_000
CHANNELS = ("email", "phone", "web")

ACTIONS = Actions.model_validate(
    {
        "actions": [
            {"name": "a", "issue": "grow", "group": "g", "channels": ["email", "phone", "web"], "value": 10},
            {"name": "b", "issue": "grow", "group": "g", "channels": ["email", "phone", "web"], "value": 20},
            {"name": "c", "issue": "retain", "group": "h", "channels": ["email", "phone"], "value": 30},
            {"name": "help", "issue": "service", "group": "care", "channels": ["email", "web"], "value": 1},
            {"name": "recall", "issue": "service", "group": "care", "channels": ["email"], "exempt": "safety"},
            {"name": "notice", "issue": "service", "group": "care", "channels": ["email"], "exempt": "quiet"},
        ]
    }
)
EXEMPT = {"safety": {"counts": True}, "quiet": {"counts": False}}


def policy(**changes: object) -> ContactPolicy:
    """A policy in which everything is allowed and nothing is random, but for `changes`."""
    plain: dict[str, object] = {
        "consent": {"unknown": "granted"},
        "exempt": EXEMPT,
        "holdout": {"share": 0.0},
        "withholding": {"share": 0.0},
        "exploration": {"epsilon": 0.0},
        "fallback": {"propensity": 0.5},
    }
    return ContactPolicy.model_validate(plain | changes)


def playbook(**changes: object) -> Playbook:
    return Playbook(ACTIONS, policy(**changes))


def request(customer_id: str = "C1", number: int = 1, **changes: object) -> Request:
    return Request(**({"customer_id": customer_id, "decision_id": f"d{number}", "channel": "email"} | changes))


def flat(p: float = 0.5) -> Scores:
    """Every candidate responds with probability p."""
    return Scores(propensity=lambda candidates: [p] * len(candidates))


def contact(number: int, state: str, at: int, action: str = "a", channel: str = "email", expires: int = DAY) -> Contact:
    """A contact reserved at `at`; touched then too unless it is only reserved."""
    listed: Action = ACTIONS.by_name[action]
    touched = None if state in ("reserved", "expired") else at
    return Contact(
        f"k{number}",
        "C1",
        f"d{number}",
        action,
        listed.issue,
        listed.group,
        channel,
        policy().counts(listed),
        state,  # type: ignore[arg-type]
        at,
        at + expires,
        touched,
    )


# Hypothesis: instants lie on a coarse grid around NOW, so that edges are hit exactly.
instants = st.integers(-40, 2).map(lambda i: NOW + i * 6 * HOUR) | st.sampled_from([NOW - DAY, NOW - 7 * DAY, NOW])
windows = st.sampled_from(["6h", "1d", "7d", "30d"])
channels = st.sampled_from(CHANNELS)
names = st.sampled_from(sorted(ACTIONS.by_name))


@st.composite
def caps(draw: st.DrawFn) -> Cap:
    scope = draw(st.sampled_from(["total", "channel", "issue", "group", "action"]))
    pool = {"channel": CHANNELS, "issue": ("grow", "service"), "group": ("g", "care"), "action": ("a", "c")}
    name = draw(st.none() | st.sampled_from(pool[scope])) if scope != "total" else None
    return Cap(scope=scope, name=name, max=draw(st.integers(0, 3)), window=draw(windows))


@st.composite
def contacts(draw: st.DrawFn) -> tuple[Contact, ...]:
    number = draw(st.integers(0, 6))
    states = st.sampled_from(["reserved", "claimed", "sent", "failed", "expired"])
    expiry = st.sampled_from([6 * HOUR, DAY, 3 * DAY])
    return tuple(
        contact(i, draw(states), min(draw(instants), NOW), draw(names), draw(channels), draw(expiry))
        for i in range(number)
    )


touches = st.builds(
    Touch,
    at=instants,
    channel=channels,
    type=st.sampled_from(["contact", "email_sent", "failed"]),
    action=st.none() | names | st.just("unheard_of"),
)
told = st.builds(
    Told,
    order=st.integers(1, 2**64 - 1),
    at=instants,
    channel=channels,
    direction=st.sampled_from(["inbound", "outbound"]),
    type=st.sampled_from(
        ["consent_given", "opted_out", "complained", "rejected", "complaint", "case_opened", "case_closed", "contact"]
    ),
    case_id=st.none() | st.sampled_from(["x", "y"]),
    action=st.none() | names | st.just("unheard_of"),
    contact=st.none() | st.sampled_from(["k1", "k2"]),
    scope=st.sampled_from([(), ("*",), ("email", "phone")]),
)


def profile_of(rows: list[Told]) -> Profile:
    profile = Profile()
    for row in rows:
        profile.learn(row)
    return profile


@st.composite
def customers(draw: st.DrawFn) -> Customer:
    return Customer(
        "C1",
        3,
        profile_of(draw(st.lists(told, max_size=5, unique_by=lambda row: row.order))),
        draw(contacts()),
        tuple(draw(st.lists(touches, max_size=4))),
        NOW,
    )


@st.composite
def policies(draw: st.DrawFn) -> ContactPolicy:
    rest = st.sampled_from(["0d", "1d", "7d", "30d"])
    return policy(
        caps=[cap.model_dump() for cap in draw(st.lists(caps(), max_size=4))],
        consent={
            "unknown": draw(st.sampled_from(["denied", "granted"])),
            "assumed": draw(st.lists(channels, max_size=2)),
            "inbound_unknown": draw(st.sampled_from(["denied", "granted"])),
        },
        cool_down={
            "after_rejection": {"action": draw(rest), "group": draw(rest)},
            "actions": draw(st.dictionaries(names, rest, max_size=1)),
            "groups": draw(st.dictionaries(st.sampled_from(["g", "care"]), rest, max_size=1)),
            "after_complaint": draw(rest),
        },
        open_case={
            "suppresses": draw(st.lists(st.sampled_from(["complaint", "case_opened"]), unique=True)),
            "without_case": draw(rest),
        },
        service=draw(st.sampled_from([["service"], ["care"], [], ["service", "h"]])),
    )
