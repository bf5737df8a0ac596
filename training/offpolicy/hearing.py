"""One pass over the log: every decision is judged again, and of each only what estimators and finder need is kept.

A document is tens of kilobytes as Python objects; of a slot some numbers for each feature and treatment are kept.
"""

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from features import decision_log
from features.history import History
from features.workspace import Workspace
from serving.decisions.policy import Playbook
from training.offpolicy import finder, logbook
from training.offpolicy.logbook import Known, Logbook, Source
from training.offpolicy.rejudging import Cell, Court, Rejudged, Treatment, Unknown, cells, made
from training.offpolicy.standing import Standing, standing
from training.offpolicy.weighing import Weighed

Progress = Callable[[int], None]
#: Decisions after which progress is told.
_OFTEN = 500
OTHERS, BARE = "made under other versions of the policy", "without their document"
#: Columns and their types (of the module array).
_SLOT = (("who", "q"), ("at", "q"), ("slot", "q"), ("decision", "q"), ("outbound", "b"), ("width", "i"),
         ("catalogue", "i"), ("known", "b"), ("good", "b"), ("action", "i"), ("follows", "d"),
         ("square", "d"))  # fmt: skip
_CELLS = (("slot", "q"), ("treatment", "i"), ("target", "b"), ("chance", "d"))
_UNKNOWN = {"known": False, "good": False, "action": -1, "follows": 0.0, "square": 0.0}


@dataclass(frozen=True)
class Case:
    """One decision: whose and when, the document of each slot, and what each would have been drawn from."""

    who: int
    at: int
    documents: Sequence[Mapping[str, Any]]
    judged: Sequence[Rejudged]

    @property
    def decision_id(self) -> str:
        return str(self.documents[0]["decision_id"])

    @property
    def unknown(self) -> Rejudged | None:
        """The first slot that cannot be judged again: the whole decision cannot be, then."""
        return next((each for each in self.judged if each.unknown is not None), None)


@dataclass(frozen=True)
class Heard:
    """`whole`: the decisions that could be judged again. `unknown`: of the others, by why and which treatment.
    `fates` of the rows of `whole`. `skipped`: what else was left out, and how many."""

    whole: Weighed
    unknown: Counter[tuple[Unknown, str | None]]
    fates: finder.Fates
    skipped: Mapping[str, int]


def hear(
    source: Source, workspace: Workspace, before: Playbook, after: Playbook, progress: Progress | None = None
) -> Heard:
    """Raises WorkspaceError where `source` holds no decision of its version."""
    rows, skipped = _Rows(), Counter[str]()
    for case in cases(source, workspace, before, after, skipped):
        rows.add(case)
        if progress is not None and rows.decisions % _OFTEN == 0:
            progress(_OFTEN)
    return rows.heard(source.known, skipped)


def cases(
    source: Source, workspace: Workspace, before: Playbook, after: Playbook, skipped: Counter[str] | None = None
) -> Iterator[Case]:
    """Every decision in the order of history, one at a time. `skipped` counts what is left out."""
    court = Court(before, after)
    stood = _standing(workspace, source.known, before) if court.bounds else None
    skipped = Counter() if skipped is None else skipped
    for piece in source.pieces():
        skipped.update({OTHERS: piece.others.total(), BARE: piece.bare})
        for who, at, text in zip(piece.who.tolist(), piece.at.tolist(), piece.documents, strict=True):
            documents = decision_log.each_slot(orjson.loads(text))
            yield Case(who, at, documents, [
                court(each, None if stood is None else stood.customer(who, each["decision_id"], at, slot))
                for slot, each in enumerate(documents)
            ])  # fmt: skip


def _standing(workspace: Workspace, known: Known, before: Playbook) -> Standing:
    history = History(workspace)
    return standing(history.contacts(), logbook.bound_rows(known), history.attributes(), known.numbers, before)


class _Rows:
    """What is kept: a number a slot, in the order of history; `cells` and `reasons` several for each."""

    def __init__(self) -> None:
        self.decisions = 0
        self.slots: dict[str, array[Any]] = {name: array(kind) for name, kind in _SLOT}
        self.features = array("d")
        self.cells: dict[str, array[Any]] = {name: array(kind) for name, kind in _CELLS}
        self.reasons = {name: array("i") for name in ("slot", "reason")}
        self.catalogues: dict[str | None, int] = {}
        self.treatments: dict[Treatment, int] = {}
        self.words: dict[str, int] = {}
        self.unknown: Counter[tuple[Unknown, str | None]] = Counter()

    def add(self, case: Case) -> None:
        """One decision."""
        unknown = case.unknown
        if unknown is not None and unknown.unknown is not None:
            self.unknown[unknown.unknown, unknown.which] += 1
        for slot, (document, judged) in enumerate(zip(case.documents, case.judged, strict=True)):
            told = document.get("features") or []
            self.features.extend([math.nan if value is None else value for value in told])
            version = document.get("catalogue_version")
            self._slot(
                who=case.who,
                at=case.at,
                slot=slot,
                decision=self.decisions,
                outbound=document["direction"] == "outbound",
                width=len(told),
                catalogue=self.catalogues.setdefault(version, len(self.catalogues)),
                **(self._judged(document, judged) if unknown is None else _UNKNOWN),
            )
        self.decisions += 1

    def _slot(self, **told: float) -> None:
        for name, value in told.items():
            self.slots[name].append(value)

    def _judged(self, document: Mapping[str, Any], judged: Rejudged) -> dict[str, float]:
        here, then, drawn = len(self.slots["who"]), cells(document["distribution"]), drawn_of(document)
        for target, chances in enumerate((made(then), made(judged.cells))):
            for key, chance in chances.items():
                for column, value in zip(
                    self.cells.values(), (here, self._treatment(key), target, chance), strict=True
                ):
                    column.append(value)
        for word in finder.reasons(judged.fates):
            self.reasons["slot"].append(here)
            self.reasons["reason"].append(self.words.setdefault(word, len(self.words)))
        name, channel, ghost = drawn
        return {
            "known": True,
            "good": any(map(finder.good, judged.fates)),
            "action": -1 if name is None or ghost else self._treatment((name, str(channel))),
            "follows": judged.cells.get(drawn, 0.0) / then[drawn],
            "square": sum(judged.cells.get(key, 0.0) ** 2 / chance for key, chance in then.items() if chance > 0.0),
        }

    def _treatment(self, key: Treatment) -> int:
        return self.treatments.setdefault(key, len(self.treatments))

    def heard(self, known: Known, skipped: Mapping[str, int]) -> Heard:
        """In order of customer, time and slot."""
        told = {name: np.frombuffer(column, column.typecode) for name, column in self.slots.items()}
        order = np.lexsort((told["slot"], told["decision"], told["at"], told["who"]))
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        log = Logbook(
            told["who"][order],
            told["at"][order],
            told["slot"][order],
            told["outbound"][order].astype(bool),
            self._features(told["width"], place),
            told["width"][order].astype(np.int64),
            told["catalogue"][order].astype(np.int64),
            tuple(self.catalogues),
            known,
        )
        rows = np.flatnonzero(told["known"][order])
        row = np.full(len(order), -1)
        row[order[rows]] = np.arange(len(rows))
        treatments = sorted(self.treatments)
        column = np.array([0, *(1 + treatments.index(key) for key in self.treatments)])
        of = {name: np.frombuffer(cell, cell.typecode) for name, cell in self.cells.items()}
        tables = []
        for target in (False, True):
            mine = of["target"] == target
            table = np.zeros((len(rows), len(treatments) + 1))
            table[row[of["slot"][mine]], column[1 + of["treatment"][mine]]] = of["chance"][mine]
            rest = 1.0 - table[:, 1:].sum(1)
            table[:, 0] = np.where(rest < 1e-9, 0.0, rest)  # what rounding leaves is no chance of silence
            table /= table.sum(1, keepdims=True)
            tables.append(table)
        here = order[rows]
        whole = Weighed(log, rows, treatments, tables[0], tables[1], column[1 + told["action"][here]],
                        told["follows"][here], told["square"][here])  # fmt: skip
        why = {name: np.frombuffer(column, column.typecode) for name, column in self.reasons.items()}
        fates = finder.Fates(told["good"][here].astype(bool), row[why["slot"]], why["reason"], list(self.words))
        return Heard(whole, self.unknown, fates, {why: count for why, count in skipped.items() if count})

    def _features(self, width: np.ndarray, place: np.ndarray) -> np.ndarray:
        """float64[n, d], rows at `place`."""
        flat, widest = np.frombuffer(self.features), int(width.max(initial=0))
        if not len(flat):
            return np.zeros((len(width), 0))
        table = np.full((len(width), widest), np.nan)
        if (width == widest).all():
            table[place] = flat.reshape(table.shape)
        else:
            table[np.repeat(place, width), _counted(width)] = flat
        return table


def drawn_of(document: Mapping[str, Any]) -> Cell:
    """The cell that the answer is."""
    if document["ghost"] is not None:
        return document["ghost"], document["ghost_channel"], True
    return document["action"], document["treatment_channel"], False


def _counted(width: np.ndarray) -> np.ndarray:
    """0, 1 ... width - 1 of each."""
    return np.arange(int(width.sum())) - np.repeat(np.cumsum(width) - width, width)
