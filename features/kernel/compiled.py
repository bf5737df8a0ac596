"""A catalogue compiled for a workspace: small tables that say what each code adds to and where each feature is read."""

import threading
from typing import TYPE_CHECKING

import numpy as np

from features.definitions import Selector
from features.hashing import hashed
from features.interactions import CASE_CLOSING, CASE_OPENING
from features.kernel.accumulators import (
    BITS,
    CLOSES,
    DISTINCT,
    HORIZON_DAYS,
    LASTING,
    NO_CASE,
    OPENS,
    SELECTOR_BITS,
    TRAITS,
)
from features.kernel.entries import entries, own_kinds
from features.kernel.packed import pack
from features.kernel.roles import asked as asked_roles
from features.kernel.roles import named_type, pressure, roles
from features.kernel.sequence import STEPS
from features.kernel.tables import Tables
from features.kernel.wants import wants
from features.sensitive import is_sensitive, sensitive_topics
from features.stages import StageOf

if TYPE_CHECKING:
    from features.catalogue import Catalogue
    from features.vocabulary import Entry, Vocabulary
    from features.workspace import Settings


class Compiled:
    """The tables of one catalogue, kept in step with a vocabulary that grows.

    Rows on the workspace's sensitive topics match no selector and open no case, so that no feature can tell of them.
    """

    def __init__(self, catalogue: "Catalogue", vocabulary: "Vocabulary", settings: "Settings") -> None:
        self.catalogue = catalogue
        #: The module whose `run` and `run_log` know all kinds of the catalogue.
        self.kernel = entries(own_kinds(catalogue), catalogue.source)
        self._vocabulary = vocabulary
        self._channels = {name: position for position, name in enumerate(settings.channels)}
        self._stage_of = StageOf(settings.journey.stages)
        self._asked = asked_roles(need for feature in catalogue for need in feature.needs)
        self._sensitive = sensitive_topics(settings)
        #: Labels of the categorical features; the feature's value is the position.
        self.levels = {f.name: f.labels_in(settings) for f in catalogue if f.categorical}
        self._selectors: list[Selector] = []
        self._catalogue_tables = self._compile_catalogue()
        self._topics: dict[str, int] = {}
        self._start: list[int] = [0]
        self._matches: list[int] = []
        self._lasting_start: list[int] = [0]
        self._lasting: list[int] = []
        self._traits: list[tuple[int, ...]] = []
        self._load: list[float] = []
        self._lock = threading.Lock()
        #: How many codes of the vocabulary the tables know.
        self.codes = 0
        self._packed = np.zeros(0, np.int64)
        self._tables = self._extend()

    @property
    def tables(self) -> Tables:
        """Up to date with the vocabulary; the tables handed out never change."""
        if len(self._vocabulary) != self.codes:
            with self._lock:
                self._tables = self._extend()
        return self._tables

    @property
    def packed(self) -> np.ndarray:
        """`tables` as one array: see packed.py."""
        if len(self._vocabulary) != self.codes:
            self.tables  # noqa: B018
        return self._packed

    def _compile_catalogue(self) -> dict[str, np.ndarray]:
        operations = [(type(feature), feature.operation()) for feature in self.catalogue]
        asked = {days for _, op in operations for days in (op.days, op.second_days) if days is not None}
        windows = sorted(asked | {HORIZON_DAYS})
        half_lives = sorted({op.half_life for _, op in operations if op.half_life is not None}) or [1]
        self._selectors = list(dict.fromkeys(op.who for _, op in operations))
        asked_of = np.zeros(len(self._selectors), np.int64)
        moves: dict[tuple[str, str], int] = {}
        parameters: list[float] = []
        attributes = sorted({(hashed(op.attribute), op.labels) for _, op in operations if op.attribute is not None})
        labels = [label for _, those in attributes for label in those]
        ends = np.cumsum([len(those) for _, those in attributes], dtype=np.int64)
        rows = []
        for kind, op in operations:
            who = self._selectors.index(op.who)
            asked_of[who] |= wants(kind)
            if op.half_life is not None:  # days fade in the first positions, values in the next
                a = half_lives.index(op.half_life)
                b = a + len(half_lives)
            elif op.attribute is not None:
                a, b = op.number, attributes.index((hashed(op.attribute), op.labels))
            elif op.transition is not None:
                a, b = windows.index(op.days or HORIZON_DAYS), moves.setdefault(op.transition, STEPS + len(moves))
            elif op.parameters:
                a, b = windows.index(op.days or HORIZON_DAYS), len(parameters)
                parameters += op.parameters
            else:
                a = windows.index(op.days or HORIZON_DAYS)
                b = windows.index(op.second_days) if op.second_days else op.number
            rows.append((self.kernel.KINDS.index(kind), who, a, b))
        ages = np.arange(HORIZON_DAYS)
        return {
            "band_of_day": np.searchsorted(windows, ages, side="right"),
            "window_days": np.array(windows, np.int64),
            "weights": np.exp2(-ages[None, :] / np.array(half_lives, float)[:, None]),
            "wants": asked_of,
            "sizes": np.array([np.count_nonzero(asked_of & DISTINCT), STEPS + len(moves)]),
            "transitions": self._transitions(moves),
            "parameters": np.array(parameters, np.float64),
            "hooks": np.array([self._asked != 0, any("cases" in kind.needs for kind, _ in operations)], np.int64),
            "attributes": np.array(
                [(name, end - len(those), end) for (name, those), end in zip(attributes, ends, strict=True)], np.int64
            ).reshape(len(attributes), 3),
            "labels": np.array([hashed(label) for label in labels], np.int64),
            "operations": np.array(rows, np.int64).reshape(len(rows), 4),
        }

    def _transitions(self, moves: dict[tuple[str, str], int]) -> np.ndarray:
        """From and to a channel, counted from 1; a channel that the workspace does not list leads nowhere."""
        table = np.zeros((len(self._channels) + 1,) * 2, np.int64)
        for (origin, target), column in moves.items():
            if origin in self._channels and target in self._channels:
                table[self._channels[origin] + 1, self._channels[target] + 1] = column
        return table

    def _extend(self) -> Tables:
        for entry in self._vocabulary.entries[len(self._traits) :]:
            channel, direction, type_, topic = entry
            hidden = is_sensitive(topic, self._sensitive)
            role = OPENS if type_ in CASE_OPENING else CLOSES if type_ in CASE_CLOSING else NO_CASE
            for own in (False, True):
                matched = [] if hidden else self._matching(entry, own)
                wanted = [int(self._catalogue_tables["wants"][s]) for s in matched]
                self._matches += [s | (w & ~LASTING) << SELECTOR_BITS for s, w in zip(matched, wanted, strict=True)]
                self._lasting += [s for s, w in zip(matched, wanted, strict=True) if w & LASTING]
                self._start.append(len(self._matches))
                self._lasting_start.append(len(self._lasting))
            position = -1 if topic is None else self._topics.setdefault(topic, len(self._topics))
            stage = self._stage_of(channel, type_, topic)
            bits = 0 if hidden else roles(channel, direction, type_, stage >= 0) & self._asked
            named = named_type(type_)
            self._traits.append((self._channels.get(channel, -1), position, role, named, bits, stage, hidden))
            self._load.append(pressure(channel))
        fixed = dict(self._catalogue_tables)
        distinct, steps = fixed["sizes"]  # a few channels and topics are met as bits, a case never is
        many = (len(self._channels) > BITS) + (len(self._topics) > BITS)
        fixed["sizes"] = np.array([1 + many * distinct, steps], np.int64)
        tables = Tables(
            selector_start=np.array(self._start, np.int64),
            selectors=np.array(self._matches, np.int64),
            lasting_start=np.array(self._lasting_start, np.int64),
            lasting=np.array(self._lasting, np.int64),
            traits=np.array(self._traits, np.int64).reshape(len(self._traits), TRAITS),
            load=np.array(self._load, np.float64),
            **fixed,
        )
        self._packed = pack(tables)
        self.codes = len(self._traits)  # last: others look at it without the lock
        return tables

    def _matching(self, entry: "Entry", own: bool) -> list[int]:
        """The catalogue remembers: a history of a hundred buckets compiles it a hundred times."""
        known = self.catalogue.matches
        if (entry, own) not in known:
            known[entry, own] = [s for s, who in enumerate(self._selectors) if who.matches(*entry, own)]
        return known[entry, own]
