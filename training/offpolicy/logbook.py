"""Logged decisions as arrays: which policy made them, who they were about, what came of them.

A decision that filled several slots is so many rows, each drawn given what those before it had drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features import clock, decision_log
from features.clock import DAY
from features.history import History
from features.interactions import AS_USUAL, LESS_OFTEN, OPTED_OUT
from features.sensitive import on_sensitive, sensitive_topics
from features.workspace import Settings, Workspace, WorkspaceError
from training.labels import micros
from training.persons import Persons, among

#: Interactions by which customers say that it was too much.
COMPLAINTS = ("complained", "complaint")
COLUMNS = ["customer_id", "occurred_at", "received_at", "channel", "direction", "type", "value", "topic",
            "decision_id", "action"]  # fmt: skip


@dataclass(frozen=True)
class Logbook:
    """Slots of decisions in order of customer, time and slot, [n] each. `who` numbers the person, `at` is in
    microseconds, `slot` counts from 0 in every decision; a document tells of its own slot.

    `interactions` and `person` (the same number) of everything that happened; `known_until`: up to when.
    """

    documents: Sequence[Mapping[str, Any]]
    who: np.ndarray
    at: np.ndarray
    slot: np.ndarray
    numbers: Mapping[str, int]
    interactions: pa.Table
    person: np.ndarray
    known_until: int
    skipped: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def decisions(self) -> int:
        """How many there are."""
        return int(np.sum(self.slot == 0))

    @property
    def decision(self) -> np.ndarray:
        """int64[n]: which decision each row is of, from 0 on."""
        return np.cumsum(self.slot == 0) - 1

    @property
    def last(self) -> np.ndarray:
        """bool[n]: the last slot of its decision: what followed the decision followed all of them."""
        return np.append(self.slot[1:] == 0, True)[: len(self.slot)]


def read(workspace: Workspace, version: str, since: int | None = None, until: int | None = None) -> Logbook:
    """Decisions that were made under one version of the policy; the others are counted in `skipped`.

    Raises WorkspaceError where there are none.
    """
    history = History(workspace)
    table = decision_log.read(history, ["customer_id", "decided_at", "policy_version", "document"], since, until)
    if not table.num_rows:
        raise WorkspaceError(
            f"{workspace.history}: holds no decisions{' in that time' if since or until else ''};"
            " run `tactful sync` to bring those of the live store there"
        )
    whole = table.filter(pc.is_valid(table["document"]))
    if not whole.num_rows:
        raise WorkspaceError(
            f"{workspace.history}: none of {table.num_rows:,} decisions has its `document`, which tells what was known"
            " when it was made: those of other systems, and of `tactful simulate`, cannot be judged again"
        )
    versions = pc.value_counts(whole["policy_version"]).to_pylist()
    told = whole.filter(pc.equal(whole["policy_version"], version))
    if not told.num_rows:
        latest = max(versions, key=lambda each: each["counts"])
        raise WorkspaceError(
            f"{workspace.history}: of {whole.num_rows:,} decisions none was made under the policy at hand ({version}),"
            f" most under {latest['values']}; give the files that they were made under with `--logged DIR`"
        )
    skipped = {"made under other versions of the policy": whole.num_rows - told.num_rows,
               "without their document": table.num_rows - whole.num_rows}  # fmt: skip
    interactions = history.interactions(COLUMNS)
    numbers, person = people(history, interactions, told, workspace.settings)
    who = np.array([numbers[each] for each in told["customer_id"].to_pylist()], np.int64)
    at = micros(told["decided_at"])
    order = np.lexsort((at, who))
    slots = [decision_log.each_slot(orjson.loads(text)) for text in told["document"].take(pa.array(order)).to_pylist()]
    documents, counts = [document for each in slots for document in each], [len(each) for each in slots]
    rows, slot = np.repeat(order, counts), np.concatenate([np.arange(count) for count in counts])
    known = [int(at.max()), *([int(micros(interactions["received_at"]).max())] if interactions.num_rows else [])]
    skipped = {why: count for why, count in skipped.items() if count}
    return Logbook(documents, who[rows], at[rows], slot, numbers, interactions, person, max(known) + 1, skipped)


def people(
    history: History, interactions: pa.Table, decisions: pa.Table, settings: Settings
) -> tuple[dict[str, int], np.ndarray]:
    """The person behind every id, as known by the end of the log."""
    contacts = history.contacts()
    ids = [interactions["customer_id"], decisions["customer_id"]]
    ids += [contacts["customer_id"]] if contacts.num_rows else []
    everyone = pc.unique(pa.chunked_array([chunk.cast(pa.string()) for each in ids for chunk in each.chunks]))
    persons = Persons.of(np.array(everyone.to_pylist(), object), history.links(), settings)
    number = persons.at(np.iinfo(np.int64).max // 2)
    numbers = dict(zip(persons.ids.tolist(), number.tolist(), strict=True))
    return numbers, np.array([numbers[each] for each in interactions["customer_id"].to_pylist()], np.int64)


def events(log: Logbook, settings: Settings) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(person, instant, amount) of each outcome, in order of both: the goal, its money, opt-outs, complaints."""
    table, at = log.interactions, micros(log.interactions["occurred_at"])
    goal = among(table["type"], settings.goal) & ~on_sensitive(table["topic"], sensitive_topics(settings))
    value = np.nan_to_num(table["value"].to_numpy())
    ones = np.ones(table.num_rows)
    chosen = {
        " or ".join(settings.goal): (goal, ones),
        settings.currency: (goal, value),
        "opt-out": (among(table["type"], [OPTED_OUT]), ones),
        "complaint": (among(table["type"], list(COMPLAINTS)), ones),
    }
    found = {}
    for name, (rows, amount) in chosen.items():
        picked = np.flatnonzero(rows)
        picked = picked[np.lexsort((at[picked], log.person[picked]))]
        found[name] = log.person[picked], at[picked], amount[picked]
    return found


def total(
    event: tuple[np.ndarray, np.ndarray, np.ndarray], who: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """float[n]: the amounts of each person in [start, end)."""
    person, at, amount = event
    if not len(person):
        return np.zeros(len(who))
    # by rank among all instants and persons: a person times a span in microseconds would not fit one number
    instants, people = np.unique(np.concatenate([at, start, end])), np.unique(np.concatenate([person, who]))
    keys = np.searchsorted(people, person) * len(instants) + np.searchsorted(instants, at)
    own = np.searchsorted(people, who) * len(instants)
    sums = np.concatenate([[0.0], np.cumsum(amount)])
    low, high = (np.searchsorted(keys, own + np.searchsorted(instants, each)) for each in (start, end))
    return sums[high] - sums[low]


def bound_rows(log: Logbook) -> pa.Table:
    """The interactions that caps and pressure may need: outbound ones, and the wishes for less."""
    table = log.interactions
    wish = pc.is_in(table["type"], pa.array([LESS_OFTEN, AS_USUAL]))
    return table.filter(pc.or_(pc.equal(table["direction"], "outbound"), wish))


def days(log: Logbook) -> np.ndarray:
    """float[n]: how long each decision was its customer's last one, in days; all together are the customer-days."""
    return (after(log) - log.at) / DAY


def after(log: Logbook) -> np.ndarray:
    """int64[n]: when the customer's next decision was made, or the log ends; of a slot that others follow, at once."""
    last = np.ones(len(log), bool)
    last[:-1] = log.who[1:] != log.who[:-1]
    following = np.append(log.at[1:], log.known_until)
    return np.where(last, log.known_until, following)


def span(log: Logbook) -> str:
    """2026-03-01 to 2026-04-30."""
    return f"{clock.isoformat(int(log.at.min()))[:10]} to {clock.isoformat(int(log.at.max()))[:10]}"
