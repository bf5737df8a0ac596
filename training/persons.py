"""Who is who in labels: the ids that history carries, and the customer that each of them was as of an instant.

Features resolve ids by themselves (features/identity/personas.py); labels must follow, or a customer who comes back
under a second id would count as lost. What was learned of identities after an instant changes nothing as of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.identity.links import erased, without_erased
from features.identity.resolution import Graph, graph
from features.past import Past
from features.vocabulary import factorise
from features.workspace import Settings

#: After anything that is known.
FOREVER = np.iinfo(np.int64).max // 2


@dataclass(frozen=True)
class Persons:
    """`ids` are the distinct ids of a log and of its links; `place` are their positions in the graph, -1 for unlinked.

    Most logs have no links: then everybody is who they are, and nothing is worked out.
    """

    ids: np.ndarray
    graph: Graph | None = None
    place: np.ndarray | None = None
    _seen: dict[int, np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, ids: np.ndarray, links: pa.Table | None, settings: Settings) -> "Persons":
        """The first of `ids` (object[n], distinct) keep their positions; customers known from links alone follow."""
        if links is None or not links.num_rows:
            return cls(ids)
        found = graph(links, settings)
        everyone = pd.unique(np.concatenate([ids, found.texts]))
        return cls(everyone, found, np.asarray(pd.Index(found.texts).get_indexer(pd.Index(everyone))))

    def at(self, instant: int) -> np.ndarray:
        """int64[ids]: the position of the customer that each id was, as far as was known by then."""
        if self.graph is None or self.place is None:
            return np.arange(len(self.ids))
        if instant not in self._seen:
            person = self.graph.persons(int(instant))
            back = np.full(len(person), -1)
            linked = np.flatnonzero(self.place >= 0)
            back[self.place[linked]] = linked
            found = np.arange(len(self.ids))
            found[linked] = back[person[self.place[linked]]]
            self._seen[instant] = found
        return self._seen[instant]

    def merged(self, flags: np.ndarray, instant: int) -> np.ndarray:
        """bool[ids]: of each customer whether `flags` (bool[ids]) holds for any id that was theirs."""
        found = np.zeros(len(self.ids), bool)
        found[self.at(instant)[flags]] = True
        return found


@dataclass(frozen=True)
class Numbered:
    """Persons by number: what all is known of an id is known of the person behind it, as of the end of the log."""

    ids: np.ndarray
    person: np.ndarray
    place: pd.Index

    @classmethod
    def of(cls, columns: Sequence[pa.ChunkedArray], links: pa.Table | None, settings: Settings) -> "Numbered":
        """The persons behind all ids in some columns."""
        distinct = [pc.unique(column.cast(pa.string())) for column in columns]
        ids = pc.unique(pa.concat_arrays(distinct)).to_pylist()
        persons = Persons.of(np.array(ids, object), links, settings)
        return cls(persons.ids, persons.at(FOREVER), pd.Index(persons.ids))

    def number(self, column: pa.ChunkedArray) -> np.ndarray:
        """int64[n], of ids among these; a position in `ids`."""
        coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.combine_chunks()
        found = self.place.get_indexer(pd.Index(np.array(coded.dictionary.to_pylist(), object)))
        return np.asarray(self.person[found][coded.indices.to_numpy(zero_copy_only=False)], np.int64)


def known(past: Past) -> Past:
    """Without the interactions of erased customers: as if nobody had ever known them."""
    return Past(without_erased(past.interactions, erased(past.links)), past.attributes, past.links)


def customers(interactions: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Position of every row's customer among the distinct ids, and these (object)."""
    index, labels = factorise(interactions.column("customer_id"))
    place, names = pd.factorize(np.array(labels, object))
    return place[index], np.asarray(names, object)


def among(column: pa.ChunkedArray, words: list[str]) -> np.ndarray:
    """bool[n]: whether a label is one of these words."""
    index, labels = factorise(column)
    return np.array([label in words for label in labels], bool)[index] if labels else np.zeros(0, bool)
