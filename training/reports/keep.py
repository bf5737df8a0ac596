"""Where reports are kept: figures as JSON, one file a kind, and bigger tables as Parquet beside it.

    reports/KIND.json             the artefact: what the console, the HTML file and MLflow show
    reports/KIND/NAME.parquet     what is asked for piece by piece (drill-down, filters)

Each file appears whole or not at all, and the artefact last. No artefact names a customer, so a copy of one (a page
that was handed on, a run in MLflow) never has to be called back; tables may, in columns that an erasure looks at.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from features import clock
from features.tombstones import Graveyard, alone
from features.workspace import Section, Workspace, WorkspaceError


class Artefact(Section):
    """What every report says of itself. Figures are unrounded; None means "not known", never zero."""

    schema_version: int = 1
    kind: str
    title: str
    headline: str = Field(description="one sentence, made from the figures, that answers what the page is asked")
    created_at: str
    known_until: str | None = Field(None, description="the instant up to which the log is known")
    source: str = Field(description="what it was made from, in words")


@dataclass(frozen=True)
class Report:
    """What a job came to: its figures, and tables by name (letters, digits, `_`) to be kept beside them."""

    artefact: Artefact
    tables: Mapping[str, pa.Table] = field(default_factory=dict)


def now() -> str:
    """For `created_at`."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def until(us: int | None) -> str | None:
    """For `known_until`."""
    return None if us is None else clock.isoformat(us)


def write(workspace: Workspace, report: Report) -> Path:
    """Keeps a report; returns the artefact's path. Of who was erased meanwhile, tables hold nothing."""
    kind = report.artefact.kind
    path = place(workspace, kind)
    with alone(workspace):
        buried = Graveyard(workspace).tombstones()
        try:
            beside = path.with_suffix("")
            beside.mkdir(parents=True, exist_ok=True)
            for name, table in report.tables.items():
                gone = buried.rows(table)
                _table(beside / f"{name}.parquet", table.filter(pa.array(~gone)) if gone.any() else table)
            for old in beside.glob("*.parquet"):
                if old.stem not in report.tables:
                    old.unlink()
            if not report.tables:
                beside.rmdir()
            text(path, report.artefact.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise WorkspaceError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def read(workspace: Workspace, kind: str) -> dict[str, Any] | None:
    """The artefact of a kind as it was kept; None where there is none. Raises WorkspaceError where it is damaged."""
    path = place(workspace, kind)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("kind") != kind:
        raise WorkspaceError(f"{path}: is damaged; `tactful report {kind}` writes it anew")
    return found


def place(workspace: Workspace, kind: str) -> Path:
    """Where the artefact of a kind is kept; its tables are in the folder of that name."""
    if not re.fullmatch("[a-z_]+", kind):
        raise ValueError(f"{kind!r} is no kind of report")
    return workspace.reports / f"{kind}.json"


def text(path: Path, content: str) -> None:
    """Whole or not at all."""
    own = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        own.write_text(content, encoding="utf-8")
        own.replace(path)
    except OSError:
        own.unlink(missing_ok=True)
        raise


def _table(path: Path, table: pa.Table) -> None:
    own = path.with_name(f".{path.name}.{os.getpid()}.part")
    pq.write_table(table, own, compression="zstd")
    own.replace(path)
