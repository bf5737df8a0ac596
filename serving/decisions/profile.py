"""What a customer told us, folded from interactions in any order: consent, refusals, complaints, cases, known touches.

Every entry keeps the newest (occurred_at, hash of interaction_id), so late, repeated and shuffled rows end the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from features import clock
from features.interactions import (
    AS_USUAL,
    CASE_CLOSING,
    CASE_OPENING,
    CONSENT_GIVEN,
    LESS_OFTEN,
    OPTED_OUT,
    PAUSED,
    REACTIONS,
)
from serving.decisions.marks import NONE as NO_MARKS
from serving.decisions.marks import Mark, Marks

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


#: A no for good, in place of all that was ever known of who was erased.
ERASED = Said(0, 0, False)


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

    `scope` is what consent is about, where not the interaction's own channel: "email", "email/marketing", "*",
    "*/marketing". `answers` is the channel of our contact that it reacts to, `until` the end of a pause; `hidden` rows
    are not in the state.
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
    answers: str | None = None
    until: int | None = None


class Paused(NamedTuple):
    """Until when a customer asked to be left alone, and when they said so; to be contacted as usual is until 0."""

    at: int
    until: int
    order: int


class Fact(NamedTuple):
    """A statement about one customer attribute, e.g. their time zone: from when on, when we learned of it, what."""

    valid_from: int
    received_at: int
    value: Any


#: Customer attributes that the guard itself asks for: kept before all others.
NEEDED = ("time_zone", "country", "subdivision", "language", "consent")
NAMES, STATEMENTS = 64, 4  # how many attributes are kept, and of each how many of the newest statements
LONGEST_VALUE = {"consent": 1024}  # as JSON; of others 128
_RESPONSES = frozenset(REACTIONS)


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
    answered: dict[str, Moment] = field(default_factory=dict)  # by channel: the newest reaction to a contact there
    less_often: Said | None = None
    paused: Paused | None = None
    marks: Marks = NO_MARKS

    def learn(self, told: Told) -> None:
        """Order-independent and idempotent: keeps the latest of each kind."""
        moment = Moment(told.at, told.order)
        if told.type in (CONSENT_GIVEN, OPTED_OUT, "complained"):
            said = Said(told.at, told.order, told.type == CONSENT_GIVEN)
            for key in told.scope or (told.channel,):
                if key not in self.consent or said.rank > self.consent[key].rank:
                    self.consent[key] = said
        if told.type == "complained":
            self.complained = max(self.complained or moment, moment)
        if told.type == "rejected" and told.action is not None:
            self.rejected[told.action] = max(self.rejected.get(told.action, moment), moment)
        if told.type in CASE_OPENING or told.type in CASE_CLOSING:
            kinds = self.caseless if told.case_id is None else self.cases.setdefault(told.case_id, {})
            kinds[told.type] = max(kinds.get(told.type, moment), moment)
        if told.type in (LESS_OFTEN, AS_USUAL):
            asked = Said(told.at, told.order, told.type == AS_USUAL)
            self.less_often = max(self.less_often or asked, asked, key=lambda said: said.rank)
        if told.type == AS_USUAL or (told.type == PAUSED and told.until is not None):
            paused = Paused(told.at, told.until or 0, told.order)
            self.paused = max(self.paused or paused, paused)
        if told.type in _RESPONSES:
            channel = told.answers or told.channel
            self.answered[channel] = max(self.answered.get(channel, moment), moment)
        if told.direction == "outbound" and (told.hidden or told.action is not None or told.contact is not None):
            where = (told.channel, told.type) if told.hidden else ()
            self.outbound[told.order] = Known(told.at, told.action, told.contact, *where)

    def mark(self, rows: Iterable[Mark]) -> None:
        """Learns which interactions were not identified, inferred or declared."""
        self.marks = self.marks.add(rows)

    def state(self, valid_from: int, received_at: int, attributes: Mapping[str, Any]) -> None:
        """Learns a record of customer attributes: the newest few statements of each name, as far as they are small."""
        for name, value in attributes.items():
            if len(name) > 64 or len(orjson.dumps(value)) > LONGEST_VALUE.get(name, 128):
                continue
            known = self.facts.get(name, [])
            if (fact := Fact(valid_from, received_at, value)) not in known:
                self.facts[name] = sorted([*known, fact], key=_rank)[-STATEMENTS:]
        if len(self.facts) > NAMES:
            for name in sorted(self.facts, key=lambda name: (name not in NEEDED, name))[NAMES:]:
                del self.facts[name]

    def fact(self, name: str, now: int) -> Fact | None:
        """The newest statement about an attribute that is valid and known by `now`; None where null took it back."""
        found: Fact | None = None
        for fact in self.facts.get(name, ()):  # oldest first
            if fact.valid_from <= now and fact.received_at <= now:
                found = fact
        return None if found is None or found.value is None else found

    def attributes(self, now: int) -> dict[str, Any]:
        """Every attribute as of `now`, by name."""
        found = ((name, self.fact(name, now)) for name in self.facts)
        return {name: fact.value for name, fact in found if fact is not None}

    def said(self, channel: str, purpose: str | None = None) -> Said | None:
        """The word that stands: the narrowest there is, unless a wider no is newer. A wider yes does not lift a no."""
        if not self.consent:
            return None
        keys = [channel, EVERYWHERE]
        if purpose is not None:
            keys = [f"{channel}/{purpose}", channel, f"{EVERYWHERE}/{purpose}", EVERYWHERE]
        stands: Said | None = None
        for key in keys:
            said = self.consent.get(key)
            if said is None:
                continue
            if stands is None or (stands.granted and not said.granted and said.rank > stands.rank):
                stands = said
        return stands

    def open_cases(self, kinds: Iterable[str]) -> list[tuple[str, str, Moment]]:
        """(kind, case_id, since) of every case opened by one of `kinds` after it was last closed."""
        found: list[tuple[str, str, Moment]] = []
        for case_id, marks in self.cases.items():
            closed = max((marks[kind] for kind in CASE_CLOSING if kind in marks), default=None)
            opened = [kind for kind in kinds if kind in marks and (closed is None or marks[kind] > closed)]
            found.extend((kind, case_id, marks[kind]) for kind in opened)
        return found

    def forget(self, before: int) -> None:
        """Drops rows that no cap and no signal can reach any more; what the customer said is never dropped."""
        stale = [order for order, known in self.outbound.items() if known.at < before]
        for order in stale:
            del self.outbound[order]
        self.marks = self.marks.since(before)

    @classmethod
    def merged(cls, profiles: Sequence["Profile"]) -> "Profile":
        """What one person told us under several ids. A no under any of them stands until it is taken back there."""
        whole = cls()
        for key in sorted({key for each in profiles for key in each.consent}):
            channel, _, purpose = key.partition("/")
            words = [said for each in profiles if (said := each.said(channel, purpose or None)) is not None]
            whole.consent[key] = max(words, key=lambda said: (not said.granted, said.at, said.order))
        for each in profiles:
            _newest(whole.rejected, each.rejected)
            _newest(whole.caseless, each.caseless)
            _newest(whole.answered, each.answered)
            for case_id, marks in each.cases.items():
                _newest(whole.cases.setdefault(case_id, {}), marks)
            if each.complained is not None:
                whole.complained = max(whole.complained or each.complained, each.complained)
            whole.outbound |= each.outbound
            for name, facts in each.facts.items():
                for fact in facts:
                    whole.state(fact.valid_from, fact.received_at, {name: fact.value})
        asked = [each.less_often for each in profiles if each.less_often is not None]
        whole.less_often = max(asked, key=lambda said: (not said.granted, said.at, said.order), default=None)
        paused = [each.paused for each in profiles if each.paused is not None]
        whole.paused = max(paused, key=lambda paused: (paused.until, paused.at, paused.order), default=None)
        whole.marks = Marks.merged([each.marks for each in profiles])
        return whole

    def to_bytes(self) -> bytes:
        content = {name: value for name in self.__dataclass_fields__ if (value := getattr(self, name))}
        content["marks"] = [self.marks.packed, self.marks.horizon]
        if self.marks == NO_MARKS:
            del content["marks"]
        return orjson.dumps(content, default=tuple, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)

    @classmethod
    def from_bytes(cls, content: bytes | None) -> "Profile":
        """None or an empty object is a customer who never told us anything. Raises ValueError where it is damaged."""
        if not content or content == b"{}":
            return cls()
        try:
            raw: dict[str, Any] = orjson.loads(content)
            return cls(**{name: read(value) for name, value in raw.items() if (read := _READ.get(name)) is not None})
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"the profile that is kept is damaged: {error}") from None


def _rank(fact: Fact) -> tuple[int, int, bytes]:
    return fact.valid_from, fact.received_at, orjson.dumps(fact.value, option=orjson.OPT_SORT_KEYS)


def _moments(raw: Mapping[str, Any]) -> dict[str, Moment]:
    return {key: Moment._make(value) for key, value in raw.items()}


#: How each part is read back from JSON; a profile is written without those that say nothing.
_READ: Mapping[str, Callable[[Any], Any]] = {
    "consent": lambda raw: {key: Said._make(said) for key, said in raw.items()},
    "rejected": _moments,
    "complained": Moment._make,
    "cases": lambda raw: {case: _moments(marks) for case, marks in raw.items()},
    "caseless": _moments,
    "outbound": lambda raw: {int(order): Known(*known) for order, known in raw.items()},
    "facts": lambda raw: {name: [Fact._make(fact) for fact in facts] for name, facts in raw.items()},
    "answered": _moments,
    "less_often": Said._make,
    "paused": Paused._make,
    "marks": lambda raw: Marks(*raw),
}


def _newest(into: dict[str, Moment], moments: Mapping[str, Moment]) -> None:
    for key, moment in moments.items():
        into[key] = max(into.get(key, moment), moment)
