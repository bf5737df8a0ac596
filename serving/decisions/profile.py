"""What a customer told us, folded from interactions in any order: consent, refusals, complaints, cases, known touches.

Every entry keeps the newest (occurred_at, hash of interaction_id), so late, repeated and shuffled rows end the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from features import clock
from features.interactions import CASE_CLOSING, CASE_OPENING, CONSENT_GIVEN, OPTED_OUT

EVERYWHERE = "*"  # in place of a channel: all of them
NO_CONTACT = ""  # in place of a contact's id: a report about something that was shown, not sent
KEPT = 400 * clock.DAY  # older touches cannot matter to any cap


class Moment(NamedTuple):
    """An instant with its tie order."""

    at: int
    order: int


class Said(NamedTuple):
    """Yes or no, and when."""

    at: int
    order: int
    granted: bool

    @property
    def rank(self) -> tuple[int, bool, int]:
        """The highest is the latest word; of a yes and a no at one instant (a source of days only) the no stands."""
        return self.at, not self.granted, self.order


class Known(NamedTuple):
    """What we know of an outbound interaction beyond its row in the state: its action, and whose contact it reports.

    `channel` and `type` are given where the state has no such row: its topic is sensitive, or there were too many.
    """

    at: int
    action: str | None
    contact: str | None
    channel: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The part of an interaction that a profile learns from. `order` is the hash of interaction_id.

    `scope` are the channels that consent is about, where not the interaction's own; `hidden` rows are not in the state.
    """

    order: int
    at: int
    channel: str
    direction: str
    type: str
    case_id: str | None = None
    action: str | None = None
    contact: str | None = None
    scope: tuple[str, ...] = ()
    hidden: bool = False


class Fact(NamedTuple):
    """A statement about one customer attribute, e.g. their time zone: from when on, when we learned of it, what."""

    valid_from: int
    received_at: int
    value: Any


@dataclass
class Profile:
    """`learn` changes it in place; `to_bytes` and `from_bytes` are what the store keeps."""

    consent: dict[str, Said] = field(default_factory=dict)
    rejected: dict[str, Moment] = field(default_factory=dict)
    complained: Moment | None = None
    cases: dict[str, dict[str, Moment]] = field(default_factory=dict)
    caseless: dict[str, Moment] = field(default_factory=dict)
    outbound: dict[int, Known] = field(default_factory=dict)
    facts: dict[str, list[Fact]] = field(default_factory=dict)
    paused: int | None = None  # until when the customer asked us to leave them alone
    less_often: Said | None = None

    def attributes(self, now: int) -> dict[str, Any]:
        """By name, the newest statement that is valid and known by `now`; null took it back."""
        found: dict[str, Any] = {}
        for name, statements in self.facts.items():
            valid = [fact for fact in statements if fact.valid_from <= now and fact.received_at <= now]
            if valid and (value := max(valid, key=lambda fact: fact[:2]).value) is not None:
                found[name] = value
        return found

    def learn(self, told: Told) -> None:
        """Order-independent and idempotent: keeps the latest of each kind."""
        moment = Moment(told.at, told.order)
        if told.type in (CONSENT_GIVEN, OPTED_OUT, "complained"):
            said = Said(told.at, told.order, told.type == CONSENT_GIVEN)
            for channel in told.scope or (told.channel,):
                if channel not in self.consent or said.rank > self.consent[channel].rank:
                    self.consent[channel] = said
        if told.type == "complained":
            self.complained = max(self.complained or moment, moment)
        if told.type == "rejected" and told.action is not None:
            self.rejected[told.action] = max(self.rejected.get(told.action, moment), moment)
        if told.type in CASE_OPENING or told.type in CASE_CLOSING:
            kinds = self.caseless if told.case_id is None else self.cases.setdefault(told.case_id, {})
            kinds[told.type] = max(kinds.get(told.type, moment), moment)
        if told.direction == "outbound" and (told.hidden or told.action is not None or told.contact is not None):
            where = (told.channel, told.type) if told.hidden else ()
            self.outbound[told.order] = Known(told.at, told.action, told.contact, *where)

    def said(self, channel: str) -> Said | None:
        """The latest word on a channel, whether it was about that channel or about all of them."""
        words = [self.consent[key] for key in (channel, EVERYWHERE) if key in self.consent]
        return max(words, key=lambda said: said.rank, default=None)

    def open_cases(self, kinds: Iterable[str]) -> list[tuple[str, str, Moment]]:
        """(kind, case_id, since) of every case opened by one of `kinds` after it was last closed."""
        found: list[tuple[str, str, Moment]] = []
        for case_id, marks in self.cases.items():
            closed = max((marks[kind] for kind in CASE_CLOSING if kind in marks), default=None)
            opened = [kind for kind in kinds if kind in marks and (closed is None or marks[kind] > closed)]
            found.extend((kind, case_id, marks[kind]) for kind in opened)
        return found

    def forget(self, before: int) -> None:
        """Drops outbound rows that no cap can reach any more; what the customer said is never dropped."""
        stale = [order for order, known in self.outbound.items() if known.at < before]
        for order in stale:
            del self.outbound[order]

    @classmethod
    def merged(cls, profiles: Sequence["Profile"]) -> "Profile":
        """What one person told us under several ids. A no under any of them stands until it is taken back there."""
        whole = cls()
        for channel in sorted({channel for each in profiles for channel in each.consent}):
            words = [said for each in profiles if (said := each.said(channel)) is not None]
            whole.consent[channel] = max(words, key=lambda said: (not said.granted, said.at, said.order))
        for each in profiles:
            _newest(whole.rejected, each.rejected)
            _newest(whole.caseless, each.caseless)
            for case_id, marks in each.cases.items():
                _newest(whole.cases.setdefault(case_id, {}), marks)
            if each.complained is not None:
                whole.complained = max(whole.complained or each.complained, each.complained)
            whole.outbound |= each.outbound
        return whole

    def to_bytes(self) -> bytes:
        content = {name: value for name in self.__dataclass_fields__ if (value := getattr(self, name))}
        return orjson.dumps(content, default=tuple, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)

    @classmethod
    def from_bytes(cls, content: bytes | None) -> "Profile":
        """None or an empty object is a customer who never told us anything."""
        if not content or content == b"{}":
            return cls()
        raw: dict[str, Any] = orjson.loads(content)
        return cls(
            consent={channel: Said(*said) for channel, said in raw.get("consent", {}).items()},
            rejected=_moments(raw.get("rejected", {})),
            complained=Moment(*raw["complained"]) if raw.get("complained") else None,
            cases={case: _moments(marks) for case, marks in raw.get("cases", {}).items()},
            caseless=_moments(raw.get("caseless", {})),
            outbound={int(order): Known(*known) for order, known in raw.get("outbound", {}).items()},
        )


def _moments(raw: Mapping[str, Any]) -> dict[str, Moment]:
    return {key: Moment(*value) for key, value in raw.items()}


def _newest(into: dict[str, Moment], moments: Mapping[str, Moment]) -> None:
    for key, moment in moments.items():
        into[key] = max(into.get(key, moment), moment)
