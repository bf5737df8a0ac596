"""A map applied to a chunk of rows: typed interactions, and what is wrong with which row."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.fingerprints import fingerprints, hexadecimal
from features.history import DEFAULTS
from features.interactions import SCHEMA
from features.occurrences import Occurrences
from features.sources import people, values
from features.sources.chunks import Chunk
from features.sources.complaints import Complaints
from features.sources.evaluate import Evaluator
from features.sources.expressions import parse
from features.sources.form import NumberFormat
from features.sources.mapping import Map, Spec

#: Columns whose values are words of ours: 'Mobile App' is read as mobile_app.
_WORDS = ("channel", "direction", "provenance")


@dataclass
class Piece:
    """What became of a chunk: its interactions (unchecked), what is wrong with which row, and what else it told.

    `aside` counts rows that are no interactions, by the reason why; they are not in `chunk` any more.
    """

    chunk: Chunk
    table: pa.Table
    complaints: Complaints
    aside: dict[str, int]
    links: pa.Table | None = None
    profiles: pa.Table | None = None


class Mapper:
    """Applies one map to the chunks of one file; identical rows are numbered across them."""

    def __init__(self, plan: Map, currency: str | None = None) -> None:
        self.plan, self.currency = plan, currency
        self.numbers = _numbers(plan.numbers, plan)
        self._own_numbers = {
            name: _numbers(spec.numbers, plan) for name, spec in plan.columns.items() if spec.numbers is not None
        }
        self._occurrences = Occurrences()

    def piece(self, chunk: Chunk) -> Piece:
        """The chunk through the map: what is set aside, who is who, and the interactions among the rest."""
        run = _Run(self, chunk, Complaints(chunk.rows))
        known, profiles, readable = run.people()
        aside = np.zeros(chunk.rows, bool)
        left: dict[str, int] = {}
        for reason in self.plan.aside:
            met = run.truth(reason.when) & readable & ~aside
            aside |= met
            if reason.because and met.any():
                left[reason.because] = left.get(reason.because, 0) + int(met.sum())
        if aside.any():
            chunk = chunk.only(~aside)
        table, complaints = self.apply(chunk)
        return Piece(chunk, table, complaints, left, known, profiles)

    def apply(self, chunk: Chunk) -> tuple[pa.Table, Complaints]:
        """A table with the contract's columns and types; nulls where a row has complaints."""
        complaints = Complaints(chunk.rows)
        run = _Run(self, chunk, complaints)
        for refusal in self.plan.refuse:
            complaints.add(run.truth(refusal.when), "refused", lambda _row, why=refusal.because: why)  # type: ignore[misc]
        columns = {field.name: run.column(field) for field in SCHEMA if field.name != "interaction_id"}
        run.one_currency(columns["value"])
        at, received = columns["occurred_at"], columns["received_at"]
        columns["received_at"] = at if received is None else pc.coalesce(received, at)
        if "interaction_id" in self.plan.columns:
            columns["interaction_id"] = run.column(SCHEMA.field("interaction_id"))
            missing = columns["interaction_id"].is_null().to_numpy(zero_copy_only=False)
            complaints.add(missing, "interaction_id", lambda _row: "is missing")
        else:
            columns["interaction_id"] = self._content_ids(chunk)
        return pa.table([columns[field.name] for field in SCHEMA], SCHEMA.names), complaints

    def numbers_of(self, target: str | None) -> values.Numbers:
        """How the numbers of a target are written: its own way, else the map's."""
        return self._own_numbers.get(target or "", self.numbers)

    def _content_ids(self, chunk: Chunk) -> pa.Array:
        """A row's raw content and its number among identical rows of the file: the same on every run, for every map."""
        content = chunk.content
        if self.plan.name:
            content = content.append_column("map", pa.repeat(pa.scalar(self.plan.name), chunk.rows))
        marks = fingerprints(content)
        number = (
            self._occurrences.number(marks) if self.plan.identical_rows == "keep" else np.zeros(chunk.rows, np.int64)
        )
        return pc.binary_join_element_wise(hexadecimal(marks), pa.array(number).cast(pa.string()), "-")


class _Run:
    """One chunk on its way through the map."""

    def __init__(self, mapper: Mapper, chunk: Chunk, complaints: Complaints) -> None:
        self.mapper, self.plan, self.chunk, self.complaints = mapper, mapper.plan, chunk, complaints
        self._evaluators: dict[int, Evaluator] = {}

    def evaluator(self, target: str | None) -> Evaluator:
        numbers = self.mapper.numbers_of(target)
        if id(numbers) not in self._evaluators:
            self._evaluators[id(numbers)] = Evaluator(self.chunk, numbers, self.plan.nulls, self.complaints)
        return self._evaluators[id(numbers)]

    def truth(self, when: str) -> np.ndarray:
        """bool[rows]: where a condition is met."""
        return self.evaluator(None).truth(parse(when)).fill_null(False).to_numpy(zero_copy_only=False)

    def people(self) -> tuple[pa.Table | None, pa.Table | None, np.ndarray]:
        """Links, profiles, and bool[rows]: where customer and instant can be read, as far as these need them."""
        plan = self.plan
        if not plan.identifiers and plan.profile is None:
            return None, None, np.ones(self.chunk.rows, bool)
        customers, at = (self.column(SCHEMA.field(name)) for name in ("customer_id", "occurred_at"))
        received = self.column(SCHEMA.field("received_at"))
        received = at if received is None else pc.coalesce(received, at)
        found = [
            (self._where(known.when, self._origin("", known.identifier)), known.kind) for known in plan.identifiers
        ]
        links, profiles = people.links(found, customers, at, received), None
        if plan.profile is not None:
            told = self._where(plan.profile.when, self.chunk.column(plan.profile.column))
            profiles = people.profiles(told, customers, at, received)
        return links, profiles, pc.and_(pc.is_valid(customers), pc.is_valid(at)).to_numpy(zero_copy_only=False)

    def _where(self, when: str, found: pa.Array) -> pa.Array:
        words, _ = values.text(found, self.plan.nulls)
        return pc.if_else(pa.array(self.truth(when)), words, pa.scalar(None, pa.string()))

    def one_currency(self, value: pa.Array) -> None:
        """Money in another currency than ours is no money that could be added to it."""
        ours = self.mapper.currency
        if self.plan.currency is None or ours is None:
            return
        named, _ = values.text(self._origin("value", self.plan.currency), self.plan.nulls)
        named = pc.utf8_upper(named)
        other = pc.and_(pc.not_equal(named, ours), pc.is_valid(value)).fill_null(False)
        self.complaints.add(
            other.to_numpy(zero_copy_only=False),
            "value",
            lambda row: f"is in {named[row].as_py()} where tactful.yaml says currency: {ours}; convert it first",
        )

    def column(self, field: pa.Field) -> Any:
        """The values of one of our columns, in its type; None for a received_at that nobody said."""
        spec = self.plan.columns.get(field.name)
        if spec is None:
            if field.name == "received_at":
                return None
            default = DEFAULTS.get(field.name)
            return pa.nulls(self.chunk.rows, field.type) if default is None else self._repeat(default, field.type)
        if spec.columns is not None or spec.fields is not None:
            return self._attributes(spec.fields or {name: Spec(column=name) for name in spec.columns or []})
        column = self._typed(field, self._origin(field.name, spec), spec)
        if field.name in DEFAULTS:
            column = column.fill_null(DEFAULTS[field.name])
        return column

    def _origin(self, target: str, spec: Spec) -> pa.Array:
        """What the map's spec gives before it is read as the target's type."""
        evaluator = self.evaluator(target)
        if spec.cases is not None:
            return self._cases(target, spec)
        if spec.constant is not None:
            found = self._repeat(_word(spec.constant), pa.string())
        elif spec.column is not None:
            found = self.chunk.column(spec.column)
        else:
            assert spec.node is not None
            found = evaluator.value(spec.node)
        return found if spec.values is None else self._renamed(target, spec, found)

    def _cases(self, target: str, spec: Spec) -> pa.Array:
        result = self._then(target, spec.otherwise)
        for case in reversed(spec.cases or []):
            met = self.evaluator(target).truth(parse(case.when)).fill_null(False)
            result = pc.if_else(met, self._then(target, case.then), result)
        return result

    def _then(self, target: str, then: Any) -> pa.Array:
        if isinstance(then, Spec):
            return values.text(self._origin(target, then), self.plan.nulls)[0]
        return self._repeat(None if then is None else _word(then), pa.string())

    def _renamed(self, target: str, spec: Spec, found: pa.Array) -> pa.Array:
        """`values`: what it says there -> what it is here. What is not listed is complained of, unless `otherwise`."""
        words, broken = values.text(found, self.plan.nulls)
        self.complaints.add(broken, target, lambda _row: "holds bytes that are not in the file's encoding")
        names = spec.values or {}
        at = pc.index_in(words, pa.array(list(names), pa.string()))
        renamed = pa.array([None if v is None else _word(v) for v in names.values()], pa.string()).take(at)
        other = pc.and_(pc.is_null(at), pc.is_valid(words))
        if spec.otherwise is None:
            unlisted = other.to_numpy(zero_copy_only=False)
            self.complaints.add(
                unlisted,
                target,
                lambda row: f"{words[row].as_py()!r} is not among the map's values ({', '.join(names)})",
            )
            return renamed
        return pc.if_else(pc.is_null(at), self._then(target, spec.otherwise), renamed)

    def _typed(self, field: pa.Field, found: pa.Array, spec: Spec) -> pa.Array:
        name, kind = field.name, field.type
        if pa.types.is_timestamp(kind):
            zone = spec.zone or self.plan.zone
            typed, unread = values.instants(found, spec.format, zone, self.plan.nulls)
        elif pa.types.is_floating(kind):
            typed, unread = self.mapper.numbers_of(name).read(found)
        elif pa.types.is_boolean(kind):
            typed, unread = values.truth(found, self.plan.nulls)
        else:
            return self._words(name, found)
        origin = f" (column {spec.column!r})" if spec.column not in (None, name) else ""
        self.complaints.add(unread[0], name, lambda row: unread[1](row) + origin)
        return typed

    def _words(self, name: str, found: pa.Array) -> pa.Array:
        words, broken = values.text(found, self.plan.nulls)
        self.complaints.add(broken, name, lambda _row: "holds bytes that are not in the file's encoding")
        if name in _WORDS:
            words = pc.replace_substring_regex(pc.utf8_lower(words), r"[\s-]+", "_")
        return words

    def _attributes(self, fields: dict[str, Spec]) -> pa.Array:
        """A JSON object of the fields that are not empty: numbers and truth where expressions give them, else text."""
        found = {key: self._field(spec).to_pylist() for key, spec in fields.items()}
        rows = zip(*found.values(), strict=True)
        objects = [{key: value for key, value in zip(found, row, strict=True) if value is not None} for row in rows]
        return pa.array([orjson.dumps(found).decode() if found else None for found in objects], pa.string())

    def _field(self, spec: Spec) -> pa.Array:
        if spec.node is None:
            return values.text(self._origin("attributes", spec), self.plan.nulls)[0]
        found = self._origin("attributes", spec)
        if pa.types.is_floating(found.type):  # JSON knows no infinity and no NaN
            return pc.if_else(pc.is_finite(found), found, pa.scalar(None, pa.float64()))
        return found

    def _repeat(self, value: Any, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), self.chunk.rows)


def _numbers(form: NumberFormat, plan: Map) -> values.Numbers:
    return values.Numbers(form.decimal, form.thousands, plan.nulls)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
