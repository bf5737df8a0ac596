"""The map: a YAML file that says which column of a stranger's table is what (features/templates/map-example.yaml)."""

import difflib
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, field_validator, model_validator

from features.interactions import SCHEMA
from features.sources.evaluate import written_out
from features.sources.expressions import Node, parse
from features.sources.form import Format as Format
from features.sources.form import NumberFormat
from features.sources.values import NULLS, wrong_format
from features.workspace import Section, WorkspaceError, read_yaml

TARGETS = tuple(field.name for field in SCHEMA)
#: What a map must say; the other columns have defaults.
NEEDED = ("customer_id", "occurred_at", "channel", "type")
#: Columns that are often one and the same for a whole file.
_FIXED = ("channel", "direction", "type", "topic", "action", "provenance")
_HOW = {
    "customer_id": "customer_id: CustomerID",
    "occurred_at": "occurred_at: {column: InvoiceDate, format: '%d/%m/%Y %H:%M'}",
    "channel": "channel: {constant: store}",
    "type": "type: {constant: purchase}",
}


class Condition(Section):
    """Which rows something holds for."""

    when: str

    @field_validator("when")
    @classmethod
    def _parses(cls, source: str) -> str:
        _parsed(source)
        return source

    def reads(self) -> list[str]:
        """The file's columns that the condition needs."""
        return _parsed(self.when).columns()


class Case(Condition):
    """One branch of `cases`."""

    then: Any = None

    @field_validator("then")
    @classmethod
    def _value(cls, then: Any) -> Any:
        return Spec.model_validate(then) if isinstance(then, dict) else _plain(then)


class Spec(Section):
    """Where one of our columns comes from: exactly one of column, expression, cases, constant (or columns, fields)."""

    column: str | None = None
    expression: str | None = None
    cases: list[Case] | None = Field(None, min_length=1)
    otherwise: Any = Field(None, description="with cases or values: what else is")
    constant: Any = None
    columns: list[str] | None = Field(None, min_length=1, description="attributes only: columns to keep as JSON")
    fields: dict[str, "Spec"] | None = Field(None, min_length=1, description="attributes only: JSON keys and values")
    values: dict[str, Any] | None = Field(
        None, min_length=1, description="renames: what it says there -> what it is here"
    )
    format: list[str] = Field([], description="instants: strptime format(s), or epoch_s, epoch_ms, epoch_us, excel")
    zone: str | None = Field(None, description="instants: the zone of local times")
    numbers: NumberFormat | None = None
    optional: bool = Field(False, description="the file may lack the column")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, spec: Any) -> Any:
        if isinstance(spec, str):
            return {"column": spec}
        if not isinstance(spec, dict):
            raise ValueError(  # noqa: TRY004  pydantic reports ValueErrors
                "is a column's name, or one of {column: ...}, {expression: ...}, {cases: ...},"
                f" {{constant: {spec}}}"
            )
        if isinstance(spec.get("format"), str):
            spec = {**spec, "format": [spec["format"]]}
        if isinstance(spec.get("values"), dict):
            spec = {**spec, "values": {_key(k): v for k, v in spec["values"].items()}}
        return spec

    @model_validator(mode="after")
    def _one_origin(self) -> "Spec":
        origins = ("column", "expression", "cases", "constant", "columns", "fields")
        named = [name for name in origins if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(f"needs exactly one of {', '.join(origins)}; it has {', '.join(named) or 'none'}")
        if self.expression is not None:
            _parsed(self.expression)
        if self.otherwise is not None and self.cases is None and self.values is None:
            raise ValueError("`otherwise` goes with `cases` or `values`")
        _plain(self.constant)
        return self

    @field_validator("otherwise")
    @classmethod
    def _value(cls, otherwise: Any) -> Any:
        return Spec.model_validate(otherwise) if isinstance(otherwise, dict) else _plain(otherwise)

    @field_validator("zone")
    @classmethod
    def _zone(cls, name: str | None) -> str | None:
        return None if name is None else _known_zone(name)

    @field_validator("format")
    @classmethod
    def _directives(cls, formats: list[str]) -> list[str]:
        for form in formats:
            if "%" not in form and form not in ("epoch_s", "epoch_ms", "epoch_us", "excel"):
                raise ValueError(
                    f"{form!r} is no date format: write it with % signs, e.g. '%d/%m/%Y %H:%M', or say epoch_s,"
                    " epoch_ms, epoch_us or excel"
                )
            if "%" in form and (wrong := wrong_format(form)) is not None:
                raise ValueError(f"{form!r} is no date format: {wrong}")
            if "%" not in form and len(formats) > 1:
                raise ValueError(f"{form} stands alone: numbers cannot be told apart from other formats")
        return formats

    @cached_property
    def node(self) -> Node | None:
        """The parsed expression, where it is one."""
        return _parsed(self.expression) if self.expression is not None else None

    def reads(self) -> list[str]:
        """The file's columns it needs."""
        names = [self.column] if self.column is not None else list(self.columns or [])
        names += [name for spec in (self.fields or {}).values() for name in spec.reads()]
        if self.node is not None:
            names += self.node.columns()
        for case in self.cases or []:
            names += case.reads()
            names += case.then.reads() if isinstance(case.then, Spec) else []
        if isinstance(self.otherwise, Spec):
            names += self.otherwise.reads()
        return names


class Refusal(Condition):
    """Rows that are no interactions at all: they go to quarantine with the reason given here."""

    because: str = Field(min_length=1)


class Aside(Condition):
    """Rows that are no interactions by themselves and lose nothing by it: they are counted apart and left out."""

    because: str = Field("", description="left out: another map reads these rows")


class Known(Condition):
    """A column that tells who the customer is: another identifier of the row's customer_id, from occurred_at on."""

    when: str = "true"
    identifier: Spec
    kind: str = Field(min_length=1, description="as in the settings' identity.kinds: login, email, anonymous ...")

    def reads(self) -> list[str]:
        return super().reads() + self.identifier.reads()


class Profile(Condition):
    """A column with a JSON object of the customer's attributes, true from the row's occurred_at on."""

    when: str = "true"
    column: str

    def reads(self) -> list[str]:
        return [*super().reads(), self.column]


class Map(Section):
    """A whole map file."""

    description: str = Field("", description="told with the receipt")
    name: str = Field("", description="tells apart the ids of two maps that read the same file")
    format: Format = Format()
    numbers: NumberFormat = NumberFormat()
    zone: str = Field("UTC", description="the zone of local times that say none")
    nulls: list[str] = Field(list(NULLS), description="texts that mean: no value")
    columns: dict[str, Spec]
    refuse: list[Refusal] = Field([])
    aside: list[Aside] = Field([], description="rows that are no interactions, such as further lines of an order")
    currency: Spec | None = Field(None, description="the currency of value; rows in another than ours are refused")
    identifiers: list[Known] = Field([], description="who is who")
    profile: Profile | None = None
    needs: list[str] | None = Field(None, description="the columns a file must have; others count as empty (JSON)")
    identical_rows: Literal["keep", "duplicate"] = "keep"

    @field_validator("zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        return _known_zone(name)

    @field_validator("columns")
    @classmethod
    def _targets(cls, columns: dict[str, Spec]) -> dict[str, Spec]:
        for name, spec in columns.items():
            if name not in TARGETS:
                raise ValueError(f"`{name}` is not a column of an interaction{near(name, TARGETS)}; they are"
                                 f" {', '.join(TARGETS)}")  # fmt: skip
            if (spec.columns or spec.fields) is not None and name != "attributes":
                raise ValueError(f"`{name}` takes one column; only attributes takes columns: [...] or fields: {{...}}")
        missing = [name for name in NEEDED if name not in columns]
        if missing:
            raise ValueError(f"lacks {', '.join(missing)}; say for example {'; '.join(_HOW[name] for name in missing)}")
        return columns

    def reads(self) -> list[str]:
        """The file's columns that the map needs, in order of appearance."""
        names = [name for spec in self.columns.values() for name in spec.reads()]
        parts: list[Condition | Spec | None] = [
            *self.refuse,
            *self.aside,
            *self.identifiers,
            self.profile,
            self.currency,
        ]
        names += [name for part in parts if part is not None for name in part.reads()]
        return list(dict.fromkeys(names))

    def rule(self, name: str) -> str:
        """The key beside `columns` that needs a column of the file."""
        rules: dict[str, Sequence[Condition | Spec | None]] = {
            "refuse": self.refuse,
            "aside": self.aside,
            "identifiers": self.identifiers,
            "profile": [self.profile],
            "currency": [self.currency],
        }
        needing = (key for key, parts in rules.items() for part in parts if part is not None and name in part.reads())
        return next(needing, "needs")


def load(path: Path) -> Map:
    """Raises WorkspaceError naming the file, the key and the fix."""
    if not path.is_file():
        raise WorkspaceError(f"{path}: no such map; `tactful ingest --help` shows what one looks like")
    return read_yaml(path, Map)


def contract_map(columns: list[str], path: str) -> Map:
    """The map of a file that has the contract's own columns. Raises WorkspaceError where it does not."""
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        raise WorkspaceError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; it has {listed(columns)}."
            f" Say which is which in a map: --map MAP.yaml (`tactful ingest --help` shows one)"
        )
    return Map.model_validate({"columns": {name: name for name in TARGETS if name in columns}})


def resolve(plan: Map, columns: list[str], path: str) -> None:
    """Raises WorkspaceError where the map needs a column that the file lacks, naming the map's key."""
    optional = {name for spec in plan.columns.values() if spec.optional for name in spec.reads()}
    for name in plan.reads() if plan.needs is None else plan.needs:
        if name in columns or name in optional:
            continue
        keys = [f"columns.{key}" for key, spec in plan.columns.items() if name in spec.reads()] or [plan.rule(name)]
        fixed = any(
            f"columns.{key}" in keys and spec.column == name for key, spec in plan.columns.items() if key in _FIXED
        )
        constant = f"; if {name!r} is meant as a fixed value, write {{constant: {name}}}" if fixed else ""
        alone = "; is the delimiter right? Say format: {delimiter: ...} in the map" if len(columns) == 1 else ""
        raise WorkspaceError(
            f"{path} has no column {name!r}, which the map's {keys[0]} needs{near(name, columns)};"
            f" it has {listed(columns)}{constant}{alone}"
        )


def near(name: str, known: Any) -> str:
    """' (did you mean ...?)', or nothing."""
    folded = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.7)
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""


def listed(columns: list[str]) -> str:
    """The first columns, quoted."""
    shown = ", ".join(repr(name[:60]) for name in columns[:20])
    return shown + (f" and {len(columns) - 20} more" if len(columns) > 20 else "")


def _parsed(source: str) -> Node:
    node = parse(source)
    if (wrong := written_out(node)) is not None:
        raise ValueError(f"{source!r}: {wrong}")
    return node


def _plain(value: Any) -> Any:
    if isinstance(value, list | dict):
        raise ValueError(f"{value!r} is not one plain value")  # noqa: TRY004  pydantic reports ValueErrors
    return value.isoformat() if isinstance(value, date) else value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        why = "quote the names under `values`: YAML reads yes, no, on and off as true and false"
        raise ValueError(why)  # noqa: TRY004  pydantic reports ValueErrors
    return "" if key is None else str(key)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone{near(name, available_timezones())}; write it like"
                         " Europe/London") from None  # fmt: skip
    return name
