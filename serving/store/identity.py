"""Who is who, in the store: links fold into edges, edges into persons; states, profiles and contacts stay with raw ids.

`edges` holds of each identifier and customer what stands, whatever the order of arrival; `persons` the customer id that
an id goes by today, for everyone who is more than one id, and '' for what was erased. So a merge, a split or an erasure
changes who is read together and nothing else. Whoever's reading changes, their version does: a decision judged before
is judged again. A trigger passes a change of any id on to the person's own row.

The rules are those of features/identity/resolution.py, for one neighbourhood at a time. Runs inside the writer's
transaction.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import orjson

from features import tombstones
from features.hashing import hashed
from features.identity.links import ERASE, LINK
from features.workspace import CUSTOMER
from serving.store.protocol import Receipt
from serving.store.tx import Reader, Tx

Row = Mapping[str, Any]
Kinds = Mapping[str, str]
ERASED = ""  # in place of a customer id
PIECE = 2_000  # links in one transaction: others wait a fifth of a second
_NEVER = (1 << 63) - 1


def record(tx: Tx, rows: Sequence[Row], kinds: Kinds, log: bool = True) -> Receipt:
    """Folds links (columns of LINKS, instants in microseconds) that were not seen before; `log`: into the log, too.

    A row with `unless_linked` adds nothing where its link stands already: the same login, once more. What names an
    erased id counts as seen.
    """
    tx.alone("identity")
    gone = erased(tx, {text for row in rows for text in (row["identifier"], row["customer_id"]) if text})
    fresh = tuple(not gone & {row["identifier"], row["customer_id"]} and _is_new(tx, row) for row in rows)
    new = [row for row, is_new in zip(rows, fresh, strict=True) if is_new]
    if log:
        tx.executemany(
            "INSERT INTO links (at, identifier, customer_id, body) VALUES (?, ?, ?, ?)",
            [(row["received_at"], row["identifier"], row["customer_id"], _body(row)) for row in new],
        )
    touched: set[str] = set()
    for row in new:
        texts = {row["identifier"]} if row["op"] == ERASE else {row["identifier"], row["customer_id"]}
        if row["op"] == ERASE and row["identifier"] not in gone:
            touched |= erase(tx, row["identifier"], row["received_at"])
            gone |= texts
        elif row["op"] != ERASE and not texts & gone:
            _fold(tx, row)
            touched |= texts
    resolve(tx, touched - gone, kinds)
    return Receipt(len(rows), len(new), len(rows) - len(new), fresh)


def erased(reader: Reader, ids: Collection[str]) -> set[str]:
    """Those of some ids that were erased: taken out of every mapping, or deleted but for a tombstone."""
    asked = list(ids)
    rows = reader.execute(
        "SELECT raw, 0 FROM persons WHERE raw IN (SELECT value FROM texts(?)) AND customer_id = '' "
        "UNION ALL SELECT salt, 1 FROM salts",
        (asked,),
    ).fetchall()
    found = {text for text, is_salt in rows if not is_salt}
    return found | _buried(reader, asked, [text for text, is_salt in rows if is_salt])


def locked(tx: Tx, customers: Collection[str]) -> set[str]:
    """Locks some customers; those of them that were erased, of whom nothing is to be written."""
    tx.lock(customers)
    gone = erased(tx, customers)
    if gone:  # nor is a row to be left that was made to be locked
        tx.execute("DELETE FROM customers WHERE version = 0 AND customer_id IN (SELECT value FROM texts(?))", (gone,))
    return gone


def buried(reader: Reader, ids: Sequence[str]) -> set[str]:
    """Those of some ids that have a tombstone."""
    return _buried(reader, ids, [row[0] for row in reader.execute("SELECT salt FROM salts")])


def _buried(reader: Reader, ids: Sequence[str], salts: Sequence[str]) -> set[str]:
    if not salts:
        return set()
    by_hash = {tombstones.hashed(bytes.fromhex(salt), text): text for salt in salts for text in ids}
    known = reader.execute("SELECT hash FROM tombstones WHERE hash IN (SELECT value FROM texts(?))", (list(by_hash),))
    return {by_hash[row[0]] for row in known}


def bury(tx: Tx, ids: Collection[str], salt: bytes, now: int) -> None:
    """Nothing is recorded of these ids any more, and only who has them can ask."""
    tx.execute("INSERT INTO salts (salt) VALUES (?) ON CONFLICT DO NOTHING", (salt.hex(),))
    tx.executemany(
        "INSERT INTO tombstones (hash, at) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(tombstones.hashed(salt, text), now) for text in ids],
    )


def adopt(tx: Tx, kinds: Kinds) -> None:
    """Works out everyone anew where the settings' kinds are others than before."""
    tx.alone("identity")
    now, before = orjson.dumps(list(kinds.items())).decode(), tx.execute("SELECT kinds FROM identity_kinds").fetchone()
    if before is None or before[0] != now:
        tx.execute("DELETE FROM identity_kinds")
        tx.execute("INSERT INTO identity_kinds (kinds) VALUES (?)", (now,))
        texts = tx.execute("SELECT identifier FROM edges UNION SELECT customer_id FROM edges")
        resolve(tx, {row[0] for row in texts}, kinds)


def resolve(tx: Tx, touched: Collection[str], kinds: Kinds) -> None:
    """Brings `persons` up to date around ids whose edges changed, and bumps everyone whose ids are others now."""
    if not touched:
        return
    near = _Neighbourhood(tx, touched, kinds)
    asked = (sorted(near.texts),)
    before = dict(
        tx.execute("SELECT raw, customer_id FROM persons WHERE raw IN (SELECT value FROM texts(?))", asked).fetchall()
    )
    strong = near.strong()
    _write(tx, {text: strong.get(text, text) for text in near.texts})
    after = {text: _person(tx, text, strong, kinds) for text in near.texts}  # weak ones ask who their customers are
    _write(tx, after)
    changed = {text for text, person in after.items() if before.get(text, text) != person}
    involved = changed | {before.get(text, text) for text in changed} | {after[text] for text in changed}
    tx.lock(involved)
    for text in {before.get(text, text) for text in near.texts} | set(after.values()):
        _together(tx, text)
    seen, newest = _seen_to(tx, near.texts | involved), dict[str, int]()
    for text, at in seen.items():
        person = before.get(text, text)
        newest[person] = max(newest.get(person, 0), at)
    _bump(tx, {each: newest.get(before.get(each, each), 0) for each in involved})


class _Neighbourhood:
    """The ids that strong identifiers connect to the touched ones, now or formerly, and the weak ones of those."""

    def __init__(self, tx: Tx, touched: Collection[str], kinds: Kinds) -> None:
        self.edges: list[tuple[str, str, bool]] = []  # (identifier's node, customer's node, linked)
        self.since: dict[str, int] = {}
        self.texts = set(touched)
        self._firm = [CUSTOMER, *(kind for kind, how in kinds.items() if how == "strong")]
        reached, open_ = set[str](), set(touched)
        while open_:
            reached |= open_
            found = {other for text in open_ for other in self._explore(tx, text, kinds)}
            open_ = (found | self._more_than_weak(tx, self.texts - reached)) - reached
        self.texts |= reached

    def _explore(self, tx: Tx, text: str, kinds: Kinds) -> Iterator[str]:
        """Takes in the edges of a text; what strong ones lead to is to be explored, too."""
        rows = tx.execute(
            "SELECT identifier, kind, customer_id, linked, since FROM edges WHERE identifier = ? "
            "AND kind IN (SELECT value FROM texts(?)) UNION "
            "SELECT identifier, kind, customer_id, linked, since FROM edges WHERE customer_id = ?",
            (text, self._firm, text),
        )
        for identifier, kind, customer, linked, since in rows:
            self.texts.add(identifier)
            if kind not in kinds and kind != CUSTOMER:
                continue
            self._named(customer, since)
            if kind != CUSTOMER and kinds[kind] != "strong":
                continue
            if kind == CUSTOMER:
                self._named(identifier, since)
            self.edges.append((_node(kind, identifier), _node(CUSTOMER, customer), bool(linked)))
            yield from (identifier, customer)

    def _more_than_weak(self, tx: Tx, texts: Collection[str]) -> set[str]:
        """Those of some weak identifiers that are customers or strong identifiers elsewhere: that weighs more."""
        if not texts:
            return set()
        found = tx.execute(
            "SELECT customer_id FROM edges WHERE customer_id IN (SELECT value FROM texts(?)) UNION "
            "SELECT identifier FROM edges WHERE identifier IN (SELECT value FROM texts(?)) "
            "AND kind IN (SELECT value FROM texts(?))",
            (sorted(texts), sorted(texts), self._firm),
        )
        return {row[0] for row in found}

    def strong(self) -> dict[str, str]:
        """The customer id behind every customer ever linked, and behind the node of every strong identifier."""
        parent: dict[str, str] = {}

        def root(node: str) -> str:
            while parent.setdefault(node, node) != node:
                parent[node] = parent[parent[node]]
                node = parent[node]
            return node

        for identifier, customer, linked in self.edges:
            if linked:
                parent[root(identifier)] = root(customer)
        oldest: dict[str, tuple[int, str]] = {}
        for customer, since in self.since.items():
            place = root(_node(CUSTOMER, customer))
            oldest[place] = min(oldest.get(place, (since, customer)), (since, customer))
        found = {customer: oldest[root(_node(CUSTOMER, customer))][1] for customer in self.since}
        for identifier, _, linked in self.edges:
            if linked:
                found[identifier] = oldest[root(identifier)][1]
        return found

    def _named(self, customer: str, since: int) -> None:
        if since < _NEVER:
            self.since[customer] = min(self.since.get(customer, since), since)


def _node(kind: str, text: str) -> str:
    return f"{kind}\0{text}"


def _person(tx: Tx, text: str, strong: Mapping[str, str], kinds: Kinds) -> str:
    """The weightiest of what a text is: a customer, a strong identifier, or a weak one that follows one person."""
    if text in strong:
        return strong[text]
    for kind, how in kinds.items():
        if how == "strong":
            if (person := strong.get(_node(kind, text))) is not None:
                return person
            continue
        followed = tx.execute(
            "SELECT DISTINCT coalesce(persons.customer_id, edges.customer_id) "
            "FROM edges LEFT JOIN persons ON raw = edges.customer_id "
            "WHERE identifier = ? AND kind = ? AND linked = 1 LIMIT 2",
            (text, kind),
        ).fetchall()
        if followed:
            return str(followed[0][0]) if len(followed) == 1 else text
    return text


def _write(tx: Tx, mapping: Mapping[str, str]) -> None:
    for text, person in mapping.items():
        if text == person:
            tx.execute("DELETE FROM persons WHERE raw = ?", (text,))
        else:
            _name(tx, text, person)


def _name(tx: Tx, text: str, person: str) -> None:
    tx.execute(
        "INSERT INTO persons (raw, customer_id) VALUES (?, ?) "
        "ON CONFLICT (raw) DO UPDATE SET customer_id = excluded.customer_id",
        (text, person),
    )


def _together(tx: Tx, person: str) -> None:
    """A person who is more than one id is listed under their own, too: so one look-up finds all of them."""
    asked = "SELECT 1 FROM persons WHERE customer_id = ? AND raw <> ? LIMIT 1"
    if tx.execute(asked, (person, person)).fetchone() is not None:
        _name(tx, person, person)
    else:
        tx.execute("DELETE FROM persons WHERE raw = ? AND customer_id = ?", (person, person))


def _bump(tx: Tx, seen_to: Mapping[str, int]) -> None:
    """The next version; and to an instant, for whoever was judged at it as one is not judged before it as two."""
    tx.executemany(
        "INSERT INTO customers (customer_id, version, seen_to) VALUES (?, 1, ?) "
        "ON CONFLICT (customer_id) DO UPDATE SET version = customers.version + 1, "
        "seen_to = greatest(customers.seen_to, excluded.seen_to)",
        sorted(seen_to.items()),
    )


def _seen_to(tx: Tx, ids: Collection[str]) -> dict[str, int]:
    found = tx.execute(
        "SELECT customer_id, seen_to FROM customers WHERE customer_id IN (SELECT value FROM texts(?))", (sorted(ids),)
    )
    return dict(found.fetchall())


def _fold(tx: Tx, row: Row) -> None:
    """What stands is the newest by `valid_from`, the unlinking one at a tie."""
    linked = row["op"] == LINK
    tx.execute(
        "INSERT INTO edges (identifier, kind, customer_id, valid_from, linked, since) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (identifier, kind, customer_id) DO UPDATE SET "
        "linked = CASE WHEN excluded.valid_from > edges.valid_from OR (excluded.valid_from = edges.valid_from "
        "AND excluded.linked = 0) THEN excluded.linked ELSE edges.linked END, "
        "valid_from = greatest(edges.valid_from, excluded.valid_from), "
        "since = least(edges.since, excluded.since)",
        (row["identifier"], row["kind"], row["customer_id"], row["valid_from"], int(linked),
         row["valid_from"] if linked else _NEVER),
    )  # fmt: skip


def erase(tx: Tx, text: str, at: int) -> set[str]:
    """Takes an id out of every mapping for good, with what was kept of it; returns who was linked to it."""
    near = tx.execute("SELECT identifier, customer_id FROM edges WHERE ? IN (identifier, customer_id)", (text,))
    touched = {each for row in near for each in row} | _fellows(tx, text)
    tx.lock({text})
    tx.execute("DELETE FROM edges WHERE identifier = ?", (text,))
    tx.execute("DELETE FROM edges WHERE customer_id = ?", (text,))
    before = tx.execute("SELECT customer_id FROM persons WHERE raw = ?", (text,)).fetchone()
    _bump(tx, dict.fromkeys({text, *(before or ())}, 0))
    _name(tx, text, ERASED)
    tx.execute("UPDATE customers SET profile = NULL, seen_to = greatest(seen_to, ?) WHERE customer_id = ?", (at, text))
    tx.execute("DELETE FROM states WHERE customer_id = ?", (text,))
    return touched


def _fellows(tx: Tx, text: str) -> set[str]:
    """All ids of the person that an id belongs to."""
    found = tx.execute(
        "SELECT raw FROM persons WHERE customer_id = (SELECT customer_id FROM persons WHERE raw = ?)", (text,)
    )
    return {row[0] for row in found}


def _is_new(tx: Tx, row: Row) -> bool:
    if row.get("unless_linked"):
        stands = tx.execute(
            "SELECT linked FROM edges WHERE identifier = ? AND kind = ? AND customer_id = ?",
            (row["identifier"], row["kind"], row["customer_id"]),
        ).fetchone()
        if stands is not None and bool(stands[0]) == (row["op"] == LINK):
            return False
    id_hash = hashed(f"link {row['link_id']}")
    return tx.execute("INSERT INTO seen (id) VALUES (?) ON CONFLICT DO NOTHING", (id_hash,)).rowcount == 1


def _body(row: Row) -> bytes:
    return orjson.dumps({name: value for name, value in row.items() if name != "unless_linked"})
