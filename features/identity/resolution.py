"""Many identifiers, one customer: who is who as of an instant, from the log of links (features/identity/links.py).

A link counts from when it is both valid and received, so that what was learned later changes nothing earlier. Of the
links between one identifier and one customer the newest by `valid_from` stands (at a tie, the unlinking one).

- Customers joined by strong identifiers are one person, who goes by the id that was linked first.
- A weak identifier follows the one person it is linked to, with all it ever did. Linked to two it is shared: from then
  on it is a customer of its own, and so is what it did, for nobody can tell whose it was.
- A text that is an identifier of several kinds counts as the weightiest; ids of customers weigh most.
- What was erased is left out as of every instant, and a later link does not bring it back.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.identity.links import ERASE, LINK, erased
from features.interactions import INSTANT
from features.vocabulary import factorise
from features.workspace import CUSTOMER, Settings

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Rows:
    """Links as columns, in order of (edge, valid_from, unlinking last): node `a` is the identifier, `b` the customer.

    `at` is when a row begins to count, `edge` numbers the pairs (a, b); instants in microseconds.
    """

    a: np.ndarray
    b: np.ndarray
    at: np.ndarray
    valid: np.ndarray
    linked: np.ndarray
    strong: np.ndarray
    edge: np.ndarray

    def take(self, rows: np.ndarray) -> "Rows":
        return Rows(*(column[rows] for column in vars(self).values()))


@dataclass(frozen=True)
class Graph:
    """All identifiers ever linked. Node i is `texts[text[i]]` of kind `kind[i]` (0: customer), in that order.

    `cluster[i]` numbers sets of nodes that can ever share a person: no mapping crosses them. A text has one cluster.
    """

    texts: np.ndarray
    text: np.ndarray
    kind: np.ndarray
    cluster: np.ndarray
    rows: Rows

    def clusters_of_texts(self) -> np.ndarray:
        """int64[texts]."""
        found = np.zeros(len(self.texts), np.int64)
        found[self.text] = self.cluster
        return found

    def part(self, clusters: np.ndarray) -> tuple["Graph", np.ndarray]:
        """The graph of some clusters alone, and int64[its texts]: their positions among this one's.

        Customers of other clusters whom a shared identifier is linked to stand in it as strangers, of cluster -1.
        """
        wanted = np.zeros(int(self.cluster.max(initial=-1)) + 1, bool)
        wanted[clusters] = True
        rows = self.rows.take(np.flatnonzero(wanted[self.cluster[self.rows.a]]))
        kept = wanted[self.cluster]
        cluster = np.where(kept, self.cluster, -1)
        kept[rows.b] = True
        nodes = np.flatnonzero(kept)
        texts, text = np.unique(self.text[nodes], return_inverse=True)
        place = np.cumsum(kept) - 1
        rows = replace(rows, a=place[rows.a], b=place[rows.b])
        return Graph(self.texts[texts], text, self.kind[nodes], cluster[nodes], rows), texts

    def persons(self, as_of: int | np.ndarray) -> np.ndarray:
        """int64[texts]: the position of each text's customer id as of an instant, one for all or one a cluster."""
        rows, nodes = self.rows, len(self.text)
        limit = as_of if isinstance(as_of, int) else as_of[self.cluster[rows.a]]
        seen = np.flatnonzero(rows.at <= limit)
        edge = rows.edge[seen]
        last = np.ones(len(seen), bool)
        last[:-1] = edge[1:] != edge[:-1]
        active = seen[last & rows.linked[seen]]
        told = seen[rows.linked[seen]]

        since = np.full(nodes, _NEVER)
        np.minimum.at(since, rows.b[told], rows.valid[told])
        np.minimum.at(since, rows.a[told], rows.valid[told])
        customers = np.flatnonzero((self.kind == 0) & (since < _NEVER))
        firm = active[rows.strong[active]]
        part = components(nodes, rows.a[firm], rows.b[firm])
        oldest = customers[np.lexsort((self.text[customers], since[customers], part[customers]))]
        name = np.full(nodes, -1)
        places, first = np.unique(part[oldest], return_index=True)
        name[places] = self.text[oldest[first]]

        value = np.full(nodes, -1)
        value[rows.a[firm]] = name[part[rows.a[firm]]]
        value[customers] = name[part[customers]]
        loose = active[~rows.strong[active]]
        person, identifier = name[part[rows.b[loose]]], rows.a[loose]
        low, high = np.full(nodes, _NEVER), np.full(nodes, -1)
        np.minimum.at(low, identifier, person)
        np.maximum.at(high, identifier, person)
        value[identifier] = np.where(low == high, high, self.text)[identifier]

        known = np.flatnonzero(value >= 0)  # nodes are in order of (text, weight of their kind)
        texts, weightiest = np.unique(self.text[known], return_index=True)
        found = np.arange(len(self.texts))
        found[texts] = value[known[weightiest]]
        return found


def graph(links: pa.Table, settings: Settings) -> Graph:
    """The graph of a table of links (columns of LINKS), without what was erased and kinds that are no longer listed."""
    kinds = [CUSTOMER, *settings.identity.kinds]
    gone = erased(links)
    links = links.filter(pc.and_(pc.not_equal(links["op"], ERASE), pc.is_in(links["kind"], pa.array(kinds))))
    if gone:
        names = pa.array(sorted(gone))
        touched = pc.or_(pc.is_in(links["identifier"], names), pc.is_in(links["customer_id"], names))
        links = links.filter(pc.invert(touched))
    identifier, left = factorise(links["identifier"])
    customer, right = factorise(links["customer_id"])
    texts, place = np.unique(np.array([*left, *right], object), return_inverse=True)
    kind, labels = factorise(links["kind"])
    weight = np.array([kinds.index(str(label)) for label in labels], np.int64)[kind]
    keys = np.concatenate([place[identifier] * len(kinds) + weight, place[len(left) + customer] * len(kinds)])
    nodes, node = np.unique(keys, return_inverse=True)
    a, b = node[: len(kind)], node[len(kind) :]
    valid = _micros(links["valid_from"])
    linked = np.asarray(pc.equal(links["op"], LINK), bool)
    strong = np.array([True, *(how == "strong" for how in settings.identity.kinds.values())])[weight]
    edge = a * max(1, len(nodes)) + b
    order = np.lexsort((~linked, valid, edge))
    rows = Rows(a, b, np.maximum(valid, _micros(links["received_at"])), valid, linked, strong, edge).take(order)
    text = nodes // len(kinds)
    return Graph(texts, text, nodes % len(kinds), _clusters(text, rows), rows)


def resolve(links: pa.Table | None, as_of: int, settings: Settings) -> dict[str, str]:
    """The customer id behind every identifier that goes by another one's as of an instant; all others are themselves.

    The order and repetition of links do not matter. What was erased is in no mapping: see `erased`.
    """
    if links is None or not links.num_rows:
        return {}
    found = graph(links, settings)
    person = found.persons(as_of)
    moved = np.flatnonzero(person != np.arange(len(person)))
    return dict(zip(found.texts[moved].tolist(), found.texts[person[moved]].tolist(), strict=True))


def representatives(links: pa.Table | None, settings: Settings) -> dict[str, str]:
    """One id for every set of ids that are one person at any instant; an id that is not named stands alone.

    Whoever splits history by customer must keep these together.
    """
    if links is None or not links.num_rows:
        return {}
    found = graph(links, settings)
    cluster = found.clusters_of_texts()
    first = np.full(len(found.text), len(found.texts))
    np.minimum.at(first, cluster, np.arange(len(found.texts)))
    chosen = first[cluster]
    moved = np.flatnonzero(chosen != np.arange(len(chosen)))
    return dict(zip(found.texts[moved].tolist(), found.texts[chosen[moved]].tolist(), strict=True))


def resolved(table: pa.Table, links: pa.Table | None, as_of: int, settings: Settings) -> pa.Table:
    """The rows of a table with `customer_id` as it was known as of one instant, without those that were erased."""
    if links is None or not links.num_rows or not table.num_rows:
        return table
    index, labels = factorise(table.column("customer_id"))
    mapping, gone = resolve(links, as_of, settings), erased(links)
    names = pa.array([mapping.get(str(label), label) for label in labels], pa.string())
    renamed = table.set_column(table.column_names.index("customer_id"), "customer_id", names.take(pa.array(index)))
    kept = np.array([label not in gone for label in labels], bool)[index]
    return renamed if kept.all() else renamed.filter(pa.array(kept))


def components(nodes: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """int32[nodes]: the number of each node's connected component."""
    from scipy.sparse import coo_array  # a tenth of a second that a workspace without links need not wait
    from scipy.sparse.csgraph import connected_components

    if not nodes:
        return np.zeros(0, np.int32)
    edges = coo_array((np.ones(len(a), np.int32), (a, b)), shape=(nodes, nodes))
    found: np.ndarray = connected_components(edges, directed=False)[1]
    return found


def _clusters(text: np.ndarray, rows: Rows) -> np.ndarray:
    """A shared device joins those whose only one it once was, not everyone who ever used it."""
    nodes = len(text)
    same = np.flatnonzero(text[1:] == text[:-1])
    firm = np.flatnonzero(rows.strong & rows.linked)
    a, b = np.concatenate([rows.a[firm], same]), np.concatenate([rows.b[firm], same + 1])
    part = components(nodes, a, b)
    loose = np.flatnonzero(~rows.strong & rows.linked)
    low, high = np.full(nodes, _NEVER), np.full(nodes, -1)
    np.minimum.at(low, rows.a[loose], part[rows.b[loose]])
    np.maximum.at(high, rows.a[loose], part[rows.b[loose]])
    alone = loose[(low == high)[rows.a[loose]]]
    pairs = [np.stack([rows.a[alone], rows.b[alone]])]
    shared = np.flatnonzero(~rows.strong & (low < high)[rows.a])
    turns = np.flatnonzero(np.diff(rows.a[shared], prepend=-1, append=-1))  # rows are in order of a
    for start, stop in zip(turns[:-1].tolist(), turns[1:].tolist(), strict=True):
        pairs.extend(np.array(pair)[:, None] for pair in _once_alone(rows.take(shared[start:stop]), part))
    joined = np.concatenate(pairs, axis=1)
    return components(nodes, np.concatenate([a, joined[0]]), np.concatenate([b, joined[1]]))


def _once_alone(rows: Rows, part: np.ndarray) -> Iterator[tuple[int, int]]:
    """(identifier, customer) of the persons that a weak identifier followed at some time: its rows, in any order."""
    stands: dict[int, tuple[tuple[int, bool], int]] = {}  # by customer: what stands, and who it is linked to
    users: Counter[int] = Counter()
    order = np.argsort(rows.at, kind="stable")
    later = np.append(rows.at[order][1:], -1).tolist()
    for i, following in zip(order.tolist(), later, strict=True):
        a, b, linked = int(rows.a[i]), int(rows.b[i]), bool(rows.linked[i])
        said = (int(rows.valid[i]), not linked)
        before = stands.get(b)
        if before is None or said > before[0]:
            if before is not None and not before[0][1]:
                users[before[1]] -= 1
                if not users[before[1]]:
                    del users[before[1]]
            stands[b] = (said, int(part[b]))
            if linked:
                users[int(part[b])] += 1
        if rows.at[i] != following and len(users) == 1:
            (only,) = users
            yield a, next(customer for customer, (told, who) in stands.items() if who == only and not told[1])


def _micros(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(INSTANT).cast(pa.int64()).to_numpy()
