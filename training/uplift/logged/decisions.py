"""History's log of decisions as arrays: who, when, what was drawn, and with which probability what else.

Nothing was made where silence was drawn or a ghost: both are the control of every action that could have been drawn.
The chances are those of the distribution that the answer was drawn from, so they are known, not estimated; whatever
made them so (rules, caps, arms, the ranking) needs no model.

A decision that filled several slots is so many decisions, each with its chances given what those before it had drawn.
In the last one all is as above. What an earlier one left empty a later one may still have shown, so there only the
action's own ghost is its control: an action has one slot at most, and a ghost's is taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features import batch, decision_log
from features.catalogue import Catalogue
from features.decision_log import NoDecisions
from features.history import History
from features.workspace import Workspace, WorkspaceError
from training.dataset import read as read_past
from training.labels import micros
from training.persons import Persons

#: A treatment's position where nothing was made.
NOTHING = -1
#: Likewise, in a slot that others follow, where nothing was drawn: it stands against no action.
OPEN = np.iinfo(np.int64).min
#: Decisions that are looked at, at most, and those of them in which nothing was made: a seeded sample of more.
MOST, MOST_NOTHING = 400_000, 200_000
Treatment = tuple[str, str]
FOREVER = np.iinfo(np.int64).max // 2
FEATURES = ["catalogue_version", "features"]
_COLUMNS = [
    "decided_at",
    "customer_id",
    "action",
    "treatment_channel",
    "ghost",
    "ghost_channel",
    "slots",
    "distribution",
]


def withheld(treatment: Any) -> Any:
    """How the ghost of a treatment (its position, or an array of them) is told in a slot that others follow."""
    return -2 - treatment


@dataclass(frozen=True)
class Decisions:
    """n decisions in order of time. `customer` ids, `person` int[n]; `at` microseconds; `drawn` int[n], a position in
    `treatments`, or NOTHING.

    Cells, in order of `row`: `cell` is a position in `treatments` or NOTHING (silence and all ghosts together),
    `chance` its probability. In a slot that others follow, NOTHING is instead `withheld(position)` or OPEN. `logged`
    are the columns FEATURES. `kept` is the share of decisions without contact that are here, 1 where all are.
    `known_until`: until when (microseconds) history knows what happened.
    """

    treatments: Sequence[Treatment]
    customer: np.ndarray
    person: np.ndarray
    at: np.ndarray
    drawn: np.ndarray
    row: np.ndarray
    cell: np.ndarray
    chance: np.ndarray
    logged: pa.Table
    persons: Persons
    known_until: int
    kept: float = 1.0
    left_out: Mapping[str, int] | None = None

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def nothing(self) -> np.ndarray:
        """float64[n]: the probability that nothing was made."""
        return self.chance_of([NOTHING])

    def chance_of(self, treatments: Sequence[int]) -> np.ndarray:
        """float64[n]: the probability that one of these was drawn."""
        mine = np.isin(self.cell, treatments)
        return np.bincount(self.row[mine], self.chance[mine], len(self))

    def rows(self, chosen: np.ndarray) -> "Decisions":
        """The same of some decisions, bool[n]."""
        place = np.cumsum(chosen) - 1
        mine = chosen[self.row]
        return replace(
            self,
            customer=self.customer[chosen],
            person=self.person[chosen],
            at=self.at[chosen],
            drawn=self.drawn[chosen],
            row=place[self.row[mine]],
            cell=self.cell[mine],
            chance=self.chance[mine],
            logged=self.logged.filter(pa.array(chosen)),
        )


def read(workspace: Workspace, seed: int = 0, since: int | None = None) -> Decisions:
    """Decisions (of `since`, microseconds, and later), a row for each slot, in which something could be made and
    nothing could. NoDecisions where there are none."""
    history = History(workspace)
    table = decision_log.read_slots(history, [*_COLUMNS, *FEATURES], since)
    if not table.num_rows:
        raise NoDecisions(
            f"{workspace.history}: holds no decisions; run `tactful sync` to bring those of the live store there, or"
            " `tactful ingest --decisions FILE`"
        )
    usable, left_out = _usable(table)
    sample, kept = _sampled(usable, seed)
    row, cell, chance, treatments = _cells(sample)
    found = Decisions(
        treatments=treatments,
        customer=np.array(sample["customer_id"].to_pylist(), object),
        person=np.zeros(len(sample), np.int64),
        at=micros(sample["decided_at"]),
        drawn=_drawn(sample, treatments),
        row=row,
        cell=cell,
        chance=chance,
        logged=sample.select(FEATURES),
        persons=Persons(np.zeros(0, object)),
        known_until=0,
        kept=kept,
        left_out=left_out,
    )
    something, empty = cell >= 0, (cell < 0) & (cell != OPEN)
    open_ = np.logical_and(*(np.bincount(row[mine], chance[mine], len(found)) > 0 for mine in (something, empty)))
    if not open_.any():
        why = "".join(f"; {count:,} {reason}" for reason, count in left_out.items())
        raise NoDecisions(
            f"{workspace.history}: none of {table.num_rows:,} decisions tells what an action causes{why}: in none"
            " could both an action and nothing have been drawn; state a share of `withholding` or `exploration`"
            " in contact_policy.yaml"
        )
    return _known(found.rows(open_), history, workspace)


def _usable(table: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """Those with more than one cell, and why the others are not looked at."""
    cells = pc.fill_null(pc.list_value_length(table["distribution"]), 0).to_numpy()
    alone, silent = cells < 2, cells == 0
    first = table["slot"].to_numpy() == 0
    later = int((pc.fill_null(table["slots"], 1).to_numpy()[first] - 1).sum())
    left_out = {
        "of a slot after the first, which history has no document of": later - int((~first).sum()),
        "without a distribution": int(silent.sum()),
        "in which there was nothing to choose": int((alone & ~silent).sum()),
    }
    left_out = {why: count for why, count in left_out.items() if count}
    return table.filter(pa.array(~alone)).sort_by([("decided_at", "ascending"), ("slot", "ascending")]), left_out


def _sampled(table: pa.Table, seed: int) -> tuple[pa.Table, float]:
    """At most so many decisions, and the share that is kept of those in which nothing was made."""
    quiet = table["action"].is_null().to_numpy()
    rng, number = np.random.default_rng(seed), int(quiet.sum())
    few = max(MOST_NOTHING, MOST - (len(table) - number))
    keep = np.ones(len(table), bool)
    if number > few:
        keep[rng.permutation(np.flatnonzero(quiet))[few:]] = False
    left = np.flatnonzero(keep)
    if len(left) > MOST:
        keep[rng.permutation(left)[MOST:]] = False  # of both alike: no chance is changed by it
    return table.filter(pa.array(keep)), min(1.0, few / max(number, 1))


def _cells(table: pa.Table) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[Treatment, ...]]:
    """(row, what `Decisions.cell` has of it, probability) of every cell, and the treatments in order."""
    lists = table["distribution"].combine_chunks()
    cells = lists.flatten()
    action, channel = (_coded(cells.field(name)) for name in ("action", "channel"))
    ghost = pc.fill_null(cells.field("ghost"), False).to_numpy(zero_copy_only=False)
    nothing = ghost | (action[0] < 0)
    number = action[0] * (len(channel[1]) + 1) + channel[0] + 1
    used, code = np.unique(number[~nothing], return_inverse=True)
    names = [(action[1][one // (len(channel[1]) + 1)], one % (len(channel[1]) + 1) - 1) for one in used.tolist()]
    row = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    cell = np.where(_followed(table)[row], OPEN, NOTHING)
    cell[~nothing] = code
    own = ghost & (cell == OPEN) & np.isin(number, used)
    cell[own] = withheld(np.searchsorted(used, number[own]))
    chance = cells.field("probability").to_numpy(zero_copy_only=False)
    return row, cell, chance, tuple((name, channel[1][c] if c >= 0 else "") for name, c in names)


def _coded(column: pa.Array) -> tuple[np.ndarray, list[str]]:
    """Position of each text among the distinct ones, -1 for null."""
    found = column.dictionary_encode()
    return found.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), found.dictionary.to_pylist()


def _drawn(table: pa.Table, treatments: Sequence[Treatment]) -> np.ndarray:
    place = {one: k for k, one in enumerate(treatments)}

    def places(action: str, channel: str) -> np.ndarray:
        pairs = zip(table[action].to_pylist(), table[channel].to_pylist(), strict=True)
        return np.array([place.get((name, on or ""), NOTHING) if name is not None else NOTHING for name, on in pairs])

    made, ghost, followed = places("action", "treatment_channel"), places("ghost", "ghost_channel"), _followed(table)
    empty = np.where(followed, np.where(ghost >= 0, withheld(ghost), OPEN), NOTHING)
    return np.where(made >= 0, made, empty)


def _followed(table: pa.Table) -> np.ndarray:
    """bool[n]: slots that others follow."""
    return np.asarray(table["slot"].to_numpy() + 1 < pc.fill_null(table["slots"], 1).to_numpy())


def _known(found: Decisions, history: History, workspace: Workspace) -> Decisions:
    """With the person behind every id, and until when history knows what happened."""
    interactions = history.interactions(["customer_id", "received_at"])
    if not interactions.num_rows:
        raise WorkspaceError(f"{workspace.history} holds no interactions, so nothing that followed a decision")
    ids = pc.unique(interactions["customer_id"].cast(pa.string())).to_pylist()
    everyone = pd.unique(np.concatenate([np.array(ids, object), found.customer]))
    persons = Persons.of(everyone, history.links(), workspace.settings)
    place = pd.Index(persons.ids).get_indexer(pd.Index(found.customer))
    until = int(pc.max(interactions["received_at"]).cast(pa.int64()).as_py()) + 1
    return replace(found, person=persons.at(FOREVER)[place], persons=persons, known_until=until)


def features_of(found: Decisions, workspace: Workspace, catalogue: Catalogue) -> np.ndarray:
    """float64[n, F]: the feature vector that each decision was made with, NaN for null.

    As logged, where it was logged under this catalogue; else computed from history as of the decision.
    """
    same = pc.fill_null(pc.equal(found.logged["catalogue_version"], catalogue.version), False)
    width = pc.fill_null(pc.list_value_length(found.logged["features"]), 0)
    there = pc.and_(same, pc.equal(width, len(catalogue))).to_numpy()
    values = np.empty((len(found), len(catalogue)))
    if there.any():
        flat = found.logged["features"].filter(pa.array(there)).combine_chunks().flatten()
        values[there] = flat.to_numpy(zero_copy_only=False).reshape(-1, len(catalogue))
    if not there.all():
        past = read_past(workspace)
        rest = batch.compute_at(past, found.customer[~there], found.at[~there], catalogue, workspace.settings)
        values[~there] = rest.values
    return values
