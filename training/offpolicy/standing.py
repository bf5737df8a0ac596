"""What a customer's caps and pressure had to count at an instant, from history: contacts, other tools', their clock.

Only what these two rules ask for is put together again. Whether that is what the guard saw is not assumed: under the
policy that was played it must refuse what the log says was refused (see rejudging.py).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.interactions import AS_USUAL, LESS_OFTEN
from serving.decisions.customer import Contact, Customer, Touch
from serving.decisions.policy import Consent, ContactPolicy, CoolDown, OpenCase, Playbook
from serving.decisions.profile import Fact, Profile, Told


def is_bound(rule: str) -> bool:
    """Whether a tripped rule is a cap's or pressure's."""
    return rule.startswith("cap ") or rule == "pressure"


def bounds_only(playbook: Playbook) -> Playbook:
    """A playbook whose guard knows caps and pressure, and nothing else."""
    policy = playbook.policy
    kept = {name: getattr(policy, name) for name in ContactPolicy.model_fields}
    kept |= {
        "quiet": None,
        "consent": Consent(unknown="granted", inbound_unknown="granted"),
        "cool_down": CoolDown(less_often=policy.cool_down.less_often),
        "open_case": OpenCase(suppresses=[]),
    }
    plain = [action.model_copy(update={"reveals": []}) for action in playbook.actions.actions]
    actions = type(playbook.actions).model_construct(actions=plain)
    return Playbook(actions, ContactPolicy(**kept), playbook.languages)


@dataclass
class Standing:
    """Everything by customer, as numbered by `who`: contacts with the history of their states, touches, facts."""

    contacts: Mapping[int, Sequence["Life"]]
    touches: Mapping[int, Sequence[tuple[int, Touch]]]
    zones: Mapping[int, Sequence[Fact]]
    wishes: Mapping[int, Sequence[tuple[int, Told]]]

    def customer(self, number: int, decision_id: str, now: int, slot: int = 0) -> Customer:
        """As their caps and pressure saw them at `now`, just before that slot of that decision was filled."""
        profile = Profile()
        if facts := [fact for fact in self.zones.get(number, ()) if fact.received_at <= now]:
            profile.facts["time_zone"] = sorted(facts)[::-1]
        for known, told in self.wishes.get(number, ()):
            if known <= now:
                profile.learn(told)
        known_then = (life for life in self.contacts.get(number, ()) if life.before(decision_id, slot))
        lives = (life.at(now) for life in known_then)
        return Customer(
            str(number),
            profile=profile,
            contacts=tuple(contact for contact in lives if contact is not None),
            touches=tuple(touch for known, touch in self.touches.get(number, ()) if known <= now and touch.at < now),
        )


@dataclass
class Life:
    """One contact, with the instants at which its state changed."""

    row: Mapping[str, Any]
    tags: tuple[str, ...]
    changes: dict[str, int] = field(default_factory=dict)

    @property
    def decision_id(self) -> str:
        return str(self.row["decision_id"])

    def before(self, decision_id: str, slot: int) -> bool:
        """Whether it is of another decision, or of a slot before that one (see `slots.reserve` for its id)."""
        return self.decision_id != decision_id or int(str(self.row["contact_id"]).rpartition(".")[2]) <= slot

    def at(self, now: int) -> Contact | None:
        """As it stood at `now`; None before it was reserved."""
        past = {state: at for state, at in self.changes.items() if at <= now}
        if self.row["reserved_at"] > now:
            return None
        state = next((each for each in ("failed", "sent", "claimed", "expired", "ghost") if each in past), "reserved")
        return Contact(
            contact_id=self.row["contact_id"],
            customer_id=self.row["customer_id"],
            decision_id=self.row["decision_id"],
            action=self.row["action"],
            issue=self.row["issue"],
            group=self.row["group"],
            channel=self.row["channel"],
            counts=self.row["counts"],
            state=state,  # type: ignore[arg-type]
            reserved_at=self.row["reserved_at"],
            expires_at=self.row["expires_at"],
            touched_at=past.get("claimed", past.get("sent")),
            tags=self.tags,
        )


def standing(
    contacts: pa.Table, interactions: pa.Table, attributes: pa.Table, who: Mapping[str, int], playbook: Playbook
) -> Standing:
    """`interactions`: those outbound, and the wishes for less. `who` numbers the customer behind every id."""
    lives: dict[str, Life] = {}
    tags = {name: tuple(action.tags) for name, action in playbook.actions.by_name.items()}
    instants = ("changed_at", "reserved_at", "expires_at")
    for row in _rows(contacts, instants):
        life = lives.setdefault(row["contact_id"], Life(row, tags.get(row["action"], ())))
        life.changes[row["status"]] = row["changed_at"]
    ours = {life.decision_id for life in lives.values()}
    touches, wishes = _told(interactions, ours, who)
    return Standing(_by((who[str(life.row["customer_id"])], life) for life in lives.values()), touches,
                    _zones(attributes, who), wishes)  # fmt: skip


def _told(
    interactions: pa.Table, ours: Collection[str], who: Mapping[str, int]
) -> tuple[dict[int, list[tuple[int, Touch]]], dict[int, list[tuple[int, Told]]]]:
    touches: list[tuple[int, tuple[int, Touch]]] = []
    wishes: list[tuple[int, tuple[int, Told]]] = []
    for order, row in enumerate(_rows(interactions, ("occurred_at", "received_at"))):
        number, known = who[row["customer_id"]], row["received_at"]
        if row["type"] in (LESS_OFTEN, AS_USUAL):
            told = Told(order, row["occurred_at"], row["channel"], row["direction"], row["type"])
            wishes.append((number, (known, told)))
        elif row["direction"] == "outbound" and row["decision_id"] not in ours:
            touches.append((number, (known, Touch(row["occurred_at"], row["channel"], row["type"], row["action"]))))
    return _by(touches), _by(wishes)


def _zones(attributes: pa.Table, who: Mapping[str, int]) -> dict[int, list[Fact]]:
    found = []
    for row in _rows(attributes, ("valid_from", "received_at")):
        stated = orjson.loads(row["attributes"])
        if "time_zone" in stated and row["customer_id"] in who:
            found.append((who[row["customer_id"]], Fact(row["valid_from"], row["received_at"], stated["time_zone"])))
    return _by(found)


def _rows(table: pa.Table, instants: Sequence[str]) -> list[dict[str, Any]]:
    for name in instants:
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, pc.cast(table[name], pa.int64()))
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def _by(pairs: Iterable[tuple[int, Any]]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for number, value in pairs:
        found.setdefault(number, []).append(value)
    return found
