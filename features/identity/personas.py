"""Who a customer was, cutoff by cutoff: history with the ids of customers as they were known as of each cutoff.

A *persona* is a person made of one set of ids. Whoever is the same one id at every cutoff (most customers) is left as
they are, in one pass with everyone else. The others' rows are copied once for each persona they were part of: a
customer who was merged between two cutoffs is the one persona before and the other one after.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from features.identity.links import erased, without_erased
from features.identity.resolution import Graph, graph
from features.past import Past
from features.vocabulary import factorise
from features.workspace import Settings

#: Between a persona's customer id and its number: sorts before any other character.
_MARK = "\0"


@dataclass(frozen=True)
class Personas:
    """Persona i is `names[i]`, which is customer `customers[i]` with the rows of ids (`owner` == i: `member`)."""

    customers: np.ndarray
    owner: np.ndarray
    member: np.ndarray
    applies: np.ndarray

    @property
    def names(self) -> np.ndarray:
        """The customer id that a persona's rows carry while features are computed."""
        return np.array([f"{name}{_MARK}{i}" for i, name in enumerate(self.customers)], object)

    def expand(self, table: pa.Table) -> pa.Table:
        """The rows of customers who are no persona, then those of each persona under its name."""
        index, labels = _distinct(table)
        place = pd.Index(labels)
        replaced = np.zeros(len(labels) + 1, bool)  # the last for ids without rows in this table
        replaced[place.get_indexer(self.member)] = True
        replaced[-1] = False
        others = np.flatnonzero(~replaced[index])
        theirs = np.flatnonzero(replaced[index])
        theirs = theirs[np.argsort(index[theirs], kind="stable")]
        at = place.get_indexer(self.member)
        start = np.searchsorted(index[theirs], at, "left")
        count = np.where(at >= 0, np.searchsorted(index[theirs], at, "right") - start, 0)
        copies = theirs[np.repeat(start - np.cumsum(count) + count, count) + np.arange(count.sum())]
        ids = np.concatenate([index[others], len(labels) + np.repeat(self.owner, count)]).astype(np.int32)
        dictionary = pa.array([*labels, *self.names], pa.string())
        expanded = table.take(pa.array(np.concatenate([others, copies])))
        where = table.column_names.index("customer_id")
        return expanded.set_column(where, "customer_id", pa.DictionaryArray.from_arrays(pa.array(ids), dictionary))

    def read(self, customers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids of customers without marks, and bool[customers, cutoffs]: when each of them was that customer."""
        at = pd.Index(customers).get_indexer(pd.Index(self.names))
        found = at >= 0
        names = customers.copy()
        names[at[found]] = self.customers[found]
        applies = np.ones((len(customers), self.applies.shape[1]), bool)
        applies[at[found]] = self.applies[found]
        return names, applies


def at_cutoffs(past: Past, cutoffs: Sequence[int], settings: Settings) -> tuple[Past, Personas | None]:
    """The past in terms of personas as of some cutoffs (microseconds); None where everyone is one id throughout."""
    past = _without_erased(past)
    if past.links is None or not past.links.num_rows:
        return past, None
    view = _View(graph(past.links, settings), _ids(past))
    clusters = view.clusters()
    instants = np.array(cutoffs, np.int64)
    epochs, of_query = view.epochs(np.repeat(clusters, len(instants)), np.tile(instants, len(clusters)))
    groups = _Groups.of(view, epochs)
    if not groups.entangled.any():
        return past, None
    applies = np.zeros((groups.personas, len(instants)), bool)
    of_query = of_query.reshape(len(clusters), len(instants))
    for j in range(len(instants)):
        now = np.zeros(len(epochs), bool)
        now[of_query[:, j]] = True
        applies[groups.persona[groups.entangled & now[groups.epoch]], j] = True
    return groups.personas_of(past, applies)


def at_instants(past: Past, customers: np.ndarray, as_of: np.ndarray, settings: Settings) -> tuple[Past, np.ndarray]:
    """The past in terms of personas, and who customers[i] was as of as_of[i] among them."""
    past = _without_erased(past)
    if past.links is None or not past.links.num_rows:
        return past, customers
    view = _View(graph(past.links, settings), np.concatenate([_ids(past), pd.unique(customers)]))
    text = view.places(customers)
    asked = np.flatnonzero(text >= 0)
    if not len(asked):
        return past, customers
    epochs, of_query = view.epochs(view.cluster[text[asked]], np.asarray(as_of, np.int64)[asked])
    groups = _Groups.of(view, epochs)
    who = groups.where(of_query, text[asked])
    moved = groups.entangled[who]
    if not moved.any():
        return past, customers
    expanded, personas = groups.personas_of(past, np.zeros((groups.personas, 0), bool))
    found = customers.copy()
    found[asked[moved]] = personas.names[groups.persona[who[moved]]]
    return expanded, found


@dataclass(frozen=True)
class _Epochs:
    """Stretches in which nothing changes for a cluster: epoch i is of `cluster[i]`, as of `as_of[i]` for instance.

    `turn[i]` numbers the epochs of one cluster.
    """

    cluster: np.ndarray
    as_of: np.ndarray
    turn: np.ndarray

    def __len__(self) -> int:
        return len(self.cluster)


class _View:
    """The part of a graph that some customer ids have to do with."""

    def __init__(self, whole: Graph, ids: np.ndarray) -> None:
        self.graph = whole
        self.cluster = whole.clusters_of_texts()
        self._index = pd.Index(whole.texts)
        here = self._index.get_indexer(pd.Index(ids))
        self.present = np.unique(here[here >= 0])
        order = np.lexsort((whole.rows.at, whole.cluster[whole.rows.a]))
        self._row_cluster, self._row_at = whole.cluster[whole.rows.a][order], whole.rows.at[order]

    def places(self, ids: np.ndarray) -> np.ndarray:
        """int64[n]: positions among the graph's texts, -1 for ids that were never linked."""
        return np.asarray(self._index.get_indexer(pd.Index(ids)))

    def clusters(self) -> np.ndarray:
        """Those that any of the ids is in."""
        return np.unique(self.cluster[self.present])

    def epochs(self, cluster: np.ndarray, as_of: np.ndarray) -> tuple[_Epochs, np.ndarray]:
        """The epochs that pairs of a cluster and an instant fall into, and which of them each pair does."""
        begins = np.searchsorted(self._row_cluster, cluster)
        rows, queries = np.zeros(len(self._row_at), bool), np.ones(len(as_of), bool)
        of = np.concatenate([self._row_cluster, cluster])
        order = np.lexsort((np.concatenate([rows, queries]), np.concatenate([self._row_at, as_of]), of))
        before = np.empty(len(order), np.int64)
        before[order] = np.cumsum(order < len(self._row_at))
        position = before[len(self._row_at) :] - begins  # links of the cluster that count by then
        key = cluster * (len(self._row_at) + 1) + position
        _, first, of_query = np.unique(key, return_index=True, return_inverse=True)
        mine = cluster[first]
        turn = np.arange(len(mine)) - np.searchsorted(mine, mine)
        return _Epochs(mine, as_of[first], turn), of_query

    def persons(self, epochs: _Epochs) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """(epoch, text, text of the customer id) of every present text, in pieces: one for each turn."""
        for turn in range(int(epochs.turn.max(initial=-1)) + 1):
            here = np.flatnonzero(epochs.turn == turn)
            part, whole = self.graph.part(epochs.cluster[here])
            of_text = part.clusters_of_texts()
            asked = (of_text >= 0) & np.isin(whole, self.present, assume_unique=True)
            rank = np.searchsorted(epochs.cluster[here], part.cluster)  # epochs are in order of cluster
            person = replace(part, cluster=rank).persons(epochs.as_of[here])
            epoch = here[np.searchsorted(epochs.cluster[here], of_text[asked])]
            yield epoch, whole[asked], whole[person[asked]]


@dataclass(frozen=True)
class _Groups:
    """Group i: in `epoch[i]` the texts (`of_member` == i: `member`) were the customer `customer[i]`.

    Groups of one customer with the same members are one `persona`; only entangled ones are: those with a member that
    is not one id in all epochs.
    """

    view: _View
    epoch: np.ndarray
    customer: np.ndarray
    of_member: np.ndarray
    member: np.ndarray
    entangled: np.ndarray
    persona: np.ndarray

    @classmethod
    def of(cls, view: _View, epochs: _Epochs) -> "_Groups":
        pieces = list(view.persons(epochs))
        nothing = np.zeros(0, np.int64)
        epoch, text, person = (
            (np.concatenate(parts) for parts in zip(*pieces, strict=True)) if pieces else [nothing] * 3
        )
        keys, of_member = np.unique(epoch * (len(view.graph.texts) + 1) + person, return_inverse=True)
        size = np.bincount(of_member, minlength=len(keys))
        mixed = np.zeros(len(keys), np.uint64)
        np.add.at(mixed, of_member, _mixed(text))
        customer = keys % (len(view.graph.texts) + 1)
        moved = np.zeros(len(view.graph.texts), bool)
        moved[text[(person != text) | (size[of_member] > 1)]] = True
        entangled = np.zeros(len(keys), bool)
        entangled[of_member[moved[text]]] = True
        persona = np.full(len(keys), -1)
        persona[entangled] = np.unique((_mixed(customer) * np.uint64(3) + mixed)[entangled], return_inverse=True)[1]
        return cls(view, keys // (len(view.graph.texts) + 1), customer, of_member, text, entangled, persona)

    @property
    def personas(self) -> int:
        return int(self.persona.max(initial=-1)) + 1

    def where(self, epoch: np.ndarray, text: np.ndarray) -> np.ndarray:
        """The group that each text was in, in an epoch."""
        width = len(self.view.graph.texts) + 1
        keys = self.epoch[self.of_member] * width + self.member
        order = np.argsort(keys)
        return self.of_member[order[np.searchsorted(keys, epoch * width + text, sorter=order)]]

    def personas_of(self, past: Past, applies: np.ndarray) -> tuple[Past, Personas]:
        """The past with its rows under the names of personas."""
        _, chosen = np.unique(self.persona[self.entangled], return_index=True)
        groups = np.flatnonzero(self.entangled)[chosen]  # one for each persona: all have the same members
        wanted = np.zeros(len(self.epoch), bool)
        wanted[groups] = True
        kept = wanted[self.of_member]
        texts = self.view.graph.texts
        personas = Personas(texts[self.customer[groups]], self.persona[self.of_member[kept]],
                            texts[self.member[kept]], applies)  # fmt: skip
        attributes = None if past.attributes is None else personas.expand(past.attributes)
        return Past(personas.expand(past.interactions), attributes, past.links), personas


def _mixed(values: np.ndarray) -> np.ndarray:
    """uint64[n]: well-spread hashes of small integers (SplitMix64), whose sum stands for a set of them."""
    mixed = (values.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _ids(past: Past) -> np.ndarray:
    """Distinct customer ids of interactions and attributes."""
    tables = [past.interactions] if past.attributes is None else [past.interactions, past.attributes]
    return pd.unique(np.concatenate([_distinct(table)[1] for table in tables]))


def _distinct(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Positions of every row's customer id among the distinct ones; a dictionary may name one customer twice."""
    index, labels = factorise(table.column("customer_id"))
    place, names = pd.factorize(np.array(labels, object))
    return place[index], names


def _without_erased(past: Past) -> Past:
    gone = erased(past.links)
    if not gone:
        return past
    attributes = None if past.attributes is None else without_erased(past.attributes, gone)
    return Past(without_erased(past.interactions, gone), attributes, past.links)
