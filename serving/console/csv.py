"""A table as CSV: raw values, whatever the reader's locale, and nothing that a spreadsheet would run."""

import csv
import io
from datetime import date, datetime

from serving.console.blocks import VERDICTS, Cell, Column, Estimate, Interval, Link, Table, Verdict


def text(table: Table) -> str:
    """Header and rows. An interval takes two columns, an estimate three; what is not known is empty.

    Starts with a byte-order mark, without which spreadsheets read names in another alphabet wrongly.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    shapes = [_shape(table, k) for k in range(len(table.columns))]
    writer.writerow(
        [name for column, shape in zip(table.columns, shapes, strict=True) for name in _names(column, shape)]
    )
    for row in table.rows:
        cells = [cell for value, shape in zip(row, shapes, strict=True) for cell in _cells(value, shape)]
        writer.writerow([_harmless(cell) for cell in cells])
    return "\ufeff" + buffer.getvalue()


def _shape(table: Table, place: int) -> tuple[str, ...]:
    """The parts that a column's cells have between them."""
    values = [row[place] for row in table.rows]
    if any(isinstance(value, Estimate) for value in values):
        return ("value", "low", "high")
    if any(isinstance(value, Interval) for value in values):
        single = any(not isinstance(value, Interval | None) for value in values)
        return ("value", "low", "high") if single else ("low", "high")
    return ("value",)


def _names(column: Column, shape: tuple[str, ...]) -> list[str]:
    """Shares and their changes are raw, 0.02 for two percentage points, so none are promised."""
    name = column.name.removesuffix(", percentage points") if column.kind == "points" else column.name
    return [_harmless(name if part == "value" else f"{name} {part}") for part in shape]


def _cells(value: Cell, shape: tuple[str, ...]) -> list[str]:
    return [
        _plain(
            getattr(value, part, None) if isinstance(value, Interval | Estimate) else value if part == "value" else None
        )
        for part in shape
    ]


def _plain(value: Cell) -> str:
    match value:
        case None:
            return ""
        case Link(text=words) | Verdict(words=words):
            return words
        case bool():
            return "yes" if value else "no"
        case datetime() | date():
            return value.isoformat()
        case str():
            return VERDICTS[value].words if value in VERDICTS else value
        case _:
            return repr(value)


def _harmless(cell: str) -> str:
    """A leading formula sign is defused for spreadsheets; numbers keep theirs."""
    if cell[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%"):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell
