"""Logged decisions: which policy made them, who they were about, what came of them.

Documents are read a piece at a time and never held; what is kept of them are arrays (hearing.py). A decision that
filled several slots is so many rows, each drawn given what those before it had drawn.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import clock, decision_log
from features.history import History
from features.interactions import AS_USUAL, LESS_OFTEN, OPTED_OUT
from features.sensitive import on_sensitive, sensitive_topics
from features.workspace import Settings, Workspace, WorkspaceError
from training.labels import micros
from training.offpolicy.moments import ranked
from training.persons import Persons, among

#: Interactions by which customers say that it was too much.
COMPLAINTS = ("complained", "complaint")
COLUMNS = ["customer_id", "occurred_at", "received_at", "channel", "direction", "type", "value", "topic",
            "decision_id", "action"]  # fmt: skip
_TOLD = ["customer_id", "decided_at", "policy_version"]


@dataclass(frozen=True)
class Known:
    """What happened: `interactions` and the `person` of each, a number; `numbers` by id; `until`: up to when."""

    numbers: dict[str, int]
    interactions: pa.Table
    person: np.ndarray
    until: int


@dataclass(frozen=True)
class Piece:
    """Some decisions of the policy asked for, in the order of history: whose, when, and their documents as text.

    `others` counts the documents of other versions, `bare` decisions without one.
    """

    who: np.ndarray
    at: np.ndarray
    documents: list[str]
    others: Counter[str]
    bare: int


@dataclass(frozen=True)
class Timeline:
    """Decisions of every version from the first that is asked about on, [n] in order of person and time. `own`: of the
    version asked about. `until`: up to when that one is known to have decided about whoever it was about."""

    who: np.ndarray
    at: np.ndarray
    own: np.ndarray
    until: int

    @classmethod
    def of(cls, who: np.ndarray, at: np.ndarray, own: np.ndarray, other: np.ndarray, until: int) -> "Timeline":
        """`other` bool[n]: made under another version, which is known; the first of those after all its own ends it."""
        after = at[other & (at > at[own].max(initial=-1))]
        order = np.lexsort((at, who))
        return cls(who[order], at[order], own[order], int(after.min(initial=until)))


@dataclass(frozen=True)
class Source:
    """The decisions made under one `version` of the policy with since <= at < until, and what is known around them."""

    history: History
    version: str
    since: int | None
    until: int | None
    known: Known
    timeline: Timeline

    def pieces(self) -> Iterator[Piece]:
        """All of them, once. Raises WorkspaceError at the end where there was none."""
        found, bare, versions = 0, 0, Counter[str]()
        log = self.history.logs["decisions"]
        for table in log.pieces([*_TOLD, "document"], self.since, self.until):
            whole = _whole(table)
            made_by = pc.fill_null(whole["policy_version"], "an unknown one")
            told = whole.filter(pc.equal(made_by, self.version))
            others = Counter(made_by.filter(pc.not_equal(made_by, self.version)).to_pylist())
            piece = Piece(
                np.array([self.known.numbers[each] for each in told["customer_id"].to_pylist()], np.int64),
                micros(told["decided_at"]),
                told["document"].to_pylist(),
                others,
                table.num_rows - whole.num_rows,
            )
            found, bare, versions = found + len(piece.who), bare + piece.bare, versions + others
            yield piece
        if not found:
            raise WorkspaceError(f"{self.history.folder}: {self._none(bare, versions)}")

    def _none(self, bare: int, versions: Counter[str]) -> str:
        if not versions:
            return (
                f"none of {bare:,} decisions has its `document`, which tells what was known when it was made: those of"
                " other systems, and of `tactful simulate`, cannot be judged again"
            )
        return (
            f"of {versions.total():,} decisions none was made under the policy at hand ({self.version}), most under"
            f" {versions.most_common(1)[0][0]}; give the files that they were made under with `--logged DIR`"
        )


@dataclass(frozen=True)
class Logbook:
    """Slots of decisions in order of customer, time and slot, [n] each. `who` numbers the person, `at` is in
    microseconds, `slot` counts from 0 in every decision; `outbound` whether we reached out.

    `features` float64[n, d]: of each row the first `widths` int[n] are as logged, NaN where missing. `catalogue`
    int[n]: which of `catalogues` (versions; None: not logged) they are of.
    """

    who: np.ndarray
    at: np.ndarray
    slot: np.ndarray
    outbound: np.ndarray
    features: np.ndarray
    widths: np.ndarray
    catalogue: np.ndarray
    catalogues: tuple[str | None, ...]
    known: Known

    def __len__(self) -> int:
        return len(self.who)

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


def read(workspace: Workspace, version: str, since: int | None = None, until: int | None = None) -> Source:
    """Decisions that were made under one version of the policy, and what is known around them.

    Raises WorkspaceError where there are no decisions at all.
    """
    history = History(workspace)
    every = decision_log.read(history, _TOLD, since)  # those from `until` on say how long the ones before stood
    at = micros(every["decided_at"])
    asked = np.ones(len(at), bool) if until is None else at < until
    if not asked.any():
        raise WorkspaceError(
            f"{workspace.history}: holds no decisions{' in that time' if since or until else ''};"
            " run `tactful sync` to bring those of the live store there"
        )
    version_of = every["policy_version"]
    own, other = (
        pc.fill_null(each, False).to_numpy()
        for each in (pc.equal(version_of, version), pc.not_equal(version_of, version))
    )
    interactions = history.interactions(COLUMNS)
    numbers, person = people(history, interactions, every, workspace.settings)
    mine = own & asked
    instants = [at[mine] if mine.any() else at[asked]]
    instants += [micros(interactions["received_at"])] if interactions.num_rows else []
    known = Known(numbers, interactions, person, max(int(each.max()) for each in instants) + 1)
    who = np.array([numbers[each] for each in every["customer_id"].to_pylist()], np.int64)
    end = known.until if until is None else min(until, known.until)
    return Source(history, version, since, until, known, Timeline.of(who, at, own, other, end))


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


def events(known: Known, settings: Settings) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(person, instant, amount) of each outcome, in order of both: the goal, its money, opt-outs, complaints."""
    table, at = known.interactions, micros(known.interactions["occurred_at"])
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
        picked = picked[np.lexsort((at[picked], known.person[picked]))]
        found[name] = known.person[picked], at[picked], amount[picked]
    return found


def total(
    event: tuple[np.ndarray, np.ndarray, np.ndarray], who: np.ndarray, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """float[n]: the amounts of each person in [start, end)."""
    person, at, amount = event
    if not len(person):
        return np.zeros(len(who))
    keys, *ends = ranked((person, at), (who, start), (who, end))
    sums = np.concatenate([[0.0], np.cumsum(amount)])
    low, high = (np.searchsorted(keys, each) for each in ends)
    return sums[high] - sums[low]


def bound_rows(known: Known) -> pa.Table:
    """The interactions that caps and pressure may need: outbound ones, and the wishes for less."""
    table = known.interactions
    wish = pc.is_in(table["type"], pa.array([LESS_OFTEN, AS_USUAL]))
    return table.filter(pc.or_(pc.equal(table["direction"], "outbound"), wish))


def after(log: Logbook, timeline: Timeline) -> np.ndarray:
    """int64[n]: when the customer was next decided about, under whichever version; of a slot that others follow, at
    once. Where that was not under the version asked about, or never, days after `timeline.until` are not its own."""
    if not len(log):
        return np.zeros(0, np.int64)
    keys, rows = ranked((timeline.who, timeline.at), (log.who, log.at))
    following = np.searchsorted(keys, rows, side="right")
    place = np.minimum(following, len(keys) - 1)
    there = (following < len(keys)) & (timeline.who[place] == log.who)
    found = np.where(there, timeline.at[place], timeline.until)
    found = np.where(there & timeline.own[place], found, np.minimum(found, timeline.until))
    at_once = np.append(np.diff(rows) == 0, False)
    return np.where(at_once, log.at, found)


def span(log: Logbook) -> str:
    """2026-03-01 to 2026-04-30."""
    return f"{clock.isoformat(int(log.at.min()))[:10]} to {clock.isoformat(int(log.at.max()))[:10]}"


def _whole(table: pa.Table) -> pa.Table:
    """Those with their document: decisions of other systems have none."""
    if "document" not in table.column_names:
        return table.slice(0, 0).append_column("document", pa.array([], pa.string()))
    return table.filter(pc.is_valid(table["document"]))
