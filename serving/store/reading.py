"""Reading a customer: one statement, so one snapshot, with all the ids that are theirs."""

from collections.abc import Sequence
from typing import Any

import orjson

from features import clock
from features.identity.merging import merged
from features.kernel.notable import notable
from features.state import State
from serving.decisions.customer import Contact, Customer, Touch
from serving.decisions.profile import ERASED, EVERYWHERE, KEPT, Profile
from serving.store import contacts, identity
from serving.store.protocol import Read
from serving.store.sightings import StateSightings
from serving.store.touches import touches
from serving.store.tx import Reader
from serving.store.words import Words

#: The contacts of a row of `customers` that may matter; a ghost's only until its response window is over.
_CONTACTS = f"""
    (SELECT json_group_array(json_array({
    contacts.COLUMNS.replace("customer_id", "theirs.customer_id").replace(" state,", " theirs.state,")
})) FROM contacts AS theirs INDEXED BY contacts_holding
        WHERE theirs.customer_id = customers.customer_id AND theirs.{contacts.OPEN}
            AND (touched_at IS NULL OR touched_at >= seen_to - {KEPT + clock.DAY})
            AND (theirs.state <> 'ghost' OR respond_by > seen_to))"""
_COLUMNS = f"""version, seen_to, profile, states.state, {_CONTACTS}, assigned_at, restricted,
    (SELECT max(code) FROM vocabulary)"""
_READ = f"""
    SELECT {_COLUMNS}, (SELECT persons.customer_id FROM persons WHERE raw = ?)
    FROM (SELECT 1 AS one) AS one LEFT JOIN customers ON customers.customer_id = ?
    LEFT JOIN states ON states.customer_id = customers.customer_id
"""
#: The same of several ids, each before its row.
_READ_MANY = f"""
    SELECT value, {_COLUMNS}, (SELECT persons.customer_id FROM persons WHERE raw = value)
    FROM texts(?) LEFT JOIN customers ON customers.customer_id = value
    LEFT JOIN states ON states.customer_id = customers.customer_id
"""
#: The same of a person who is more than one id, one row for each of them.
_READ_PERSON = f"""
    SELECT {_COLUMNS}, persons.customer_id, raw
    FROM persons JOIN customers ON customers.customer_id = raw
    LEFT JOIN states ON states.customer_id = raw
    WHERE persons.customer_id = (SELECT customer_id FROM persons WHERE raw = ?) AND persons.customer_id <> ''
    ORDER BY raw
"""


def read(reader: Reader, words: Words, customer_id: str) -> Read:
    """The customer as of the latest commit. `words` grows where the state holds codes that it does not know."""
    row = reader.execute(_READ, (customer_id, customer_id)).fetchone()
    return _one(reader, words, customer_id, row, _stranger(row) and bool(identity.erased(reader, [customer_id])))


def read_many(reader: Reader, words: Words, customer_ids: Sequence[str]) -> list[Read]:
    """Several at once, each as `read` has it."""
    rows = {row[0]: row[1:] for row in reader.execute(_READ_MANY, (list(dict.fromkeys(customer_ids)),)).fetchall()}
    strangers = [customer_id for customer_id, row in rows.items() if _stranger(row)]
    gone = identity.erased(reader, strangers) if strangers else set()
    found = {each: _one(reader, words, each, row, each in gone) for each, row in rows.items()}
    return [found[customer_id] for customer_id in customer_ids]


def _stranger(row: Sequence[Any]) -> bool:
    """Nobody's row, nor of a person of several ids: whether they were erased only a tombstone tells."""
    return not row[0] and row[8] is None


def _one(reader: Reader, words: Words, customer_id: str, row: Sequence[Any], erased: bool) -> Read:
    version, seen_to, profile, state, listed, _, restricted, newest_code, person = row
    if person is not None:
        return _person(reader, words, customer_id) if person else _erased(customer_id, version or 0, seen_to or 0)
    if erased:
        return _erased(customer_id, 0, 0)
    _keep_up(reader, words, newest_code)
    told, ours = Profile.from_bytes(profile), _contacts(listed)
    packed = State.from_bytes(state) if state else State()
    others, sightings = _looked(packed, words, told, ours)
    customer = Customer(
        customer_id, version or 0, told, ours, others, seen_to or 0, customer_id, bool(restricted), sightings
    )
    return Read(customer, state or b"", packed)


def _person(reader: Reader, words: Words, customer_id: str) -> Read:
    """Someone who is more than one id: one statement again."""
    rows = reader.execute(_READ_PERSON, (customer_id,)).fetchall()
    if not rows:  # split or erased just now
        return read(reader, words, customer_id)
    _keep_up(reader, words, rows[0][7])
    name = rows[0][8]
    profile = Profile.merged([Profile.from_bytes(row[2]) for row in rows])
    ours = tuple(contact for row in rows for contact in _contacts(row[4]))
    states = [State.from_bytes(row[3]) for row in rows if row[3]]
    packed = merged(states) if states else State()
    others, sightings = _looked(packed, words, profile, ours)
    version = next((row[0] for row in rows if row[9] == name), 0)
    seen_to = max(row[1] for row in rows)
    first = min(((row[5], row[9]) for row in rows if row[5] is not None), default=(0, name))[1]
    restricted = any(row[6] for row in rows)
    customer = Customer(name, version, profile, ours, others, seen_to, first, restricted, sightings)
    return Read(customer, packed.to_bytes() if states else b"", packed)


def _looked(
    packed: State, words: Words, profile: Profile, ours: Sequence[Contact]
) -> tuple[tuple[Touch, ...], StateSightings]:
    """What other tools sent, and what the customer did: one pass over the state."""
    codes = words.codes()
    if packed.top >= len(codes):
        raise ValueError(f"the state holds code {packed.top}, the vocabulary ends at {len(codes) - 1}")
    (outbound, *_), *rows = notable(packed.words, codes.sorts).tolist()
    others = touches(rows[:outbound], codes.entries, profile, ours)
    return others, StateSightings(packed, rows[outbound:], codes, profile)


def _keep_up(reader: Reader, words: Words, newest_code: int | None) -> None:
    if newest_code is not None and newest_code >= len(words):
        words.refresh(reader)


def _contacts(listed: Any) -> tuple[Contact, ...]:
    if not listed or listed == "[]":
        return ()
    return tuple(contacts.from_row(each) for each in orjson.loads(listed))


def _erased(customer_id: str, version: int, seen_to: int) -> Read:
    """Nothing is known, but that nothing may be sent."""
    refused = Profile(consent={EVERYWHERE: ERASED})
    return Read(Customer(customer_id, version, refused, seen_to=seen_to), b"", State())
