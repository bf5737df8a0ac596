"""A stranger's campaign table, reduced to counts, means and variances by arm (DuckDB reads, nothing is copied)."""

import codecs
import csv
import difflib
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from features.workspace import WorkspaceError
from training.reports import parts, repeats
from training.reports.database import connect
from training.reports.statistics import Sample

MOST_ARMS = 20
# Nothing is left to the sniffer, or it may take odd first lines for a preamble and drop them silently.
_CSV = (
    "read_csv(?, header=true, all_varchar=true, auto_detect=false, columns={columns}, delim={delimiter}, "
    "quote='\"', escape='\"', skip=0, encoding={encoding})"
)
_READERS = {parts.TEXT: _CSV, parts.PARQUET: "read_parquet(?)", parts.JSON: "read_json_auto(?)"}
#: Numbers as much of Europe writes them, and those of them in which the comma can only be the decimal sign.
_COMMA_NUMBER = r"[+-]?([0-9]+|[1-9][0-9]{0,2}([.][0-9]{3})+)(,[0-9]+)?"
_PROOF = r"[+-]?([0-9]*,([0-9]{1,2}|[0-9]{4,})|0[0-9]*,[0-9]+|[0-9]{4,},[0-9]+|[0-9.]*[.][0-9]{3},[0-9]+)"
#: The same of a point.
_POINT_NUMBER = r"[+-]?[0-9]*[.]?[0-9]*"
_POINT_PROOF = r"[+-]?([0-9]*[.]([0-9]{1,2}|[0-9]{4,})|0[0-9]*[.][0-9]+|[0-9]{4,}[.][0-9]+)"
#: An outcome that is not there may be spelled so, and so may a treatment; but a treatment called "None" is one.
_NO_TREATMENT = "('', 'na', 'n/a', 'nan', 'null', '<na>')"
NO_VALUE = ("", "na", "n/a", "nan", "null", "none", "<na>")
_NO_VALUE = str(NO_VALUE)
#: Whole numbers from here on are not told apart as floats.
_EXACT = 2**53
_YES, _NO = "('true', 't', 'yes', 'y', 'ja', 'j', 'oui', 'si', 'sí')", "('false', 'f', 'no', 'n', 'nein', 'non')"


@dataclass(frozen=True)
class Measured:
    """One outcome column: is it a yes/no, how many outcomes are missing by arm, and each arm's sample."""

    column: str
    binary: bool
    missing: dict[str, int]
    samples: dict[str, Sample]


@dataclass(frozen=True)
class Table:
    """What was read: rows in all, `repeated` ones among them that count no more (repeats.py), rows without a treatment,
    customers by arm, outcomes."""

    rows: int
    repeated: int
    unassigned: int
    treatment: str
    counts: dict[str, int]
    outcomes: tuple[Measured, ...]


@dataclass(frozen=True)
class Customers:
    """The rows of a table that have a treatment and an outcome; `place` are their 0-based lines among `rows` in all.

    `counts` and `missing`: rows of each arm, and how many of them lack the outcome. `arm` are labels, `columns`
    everything else as the file has it (of a CSV, numbers where all cells are, else text); those `telling` tell
    customers apart, where rows are there more than once (repeats.py).
    """

    rows: int
    unassigned: int
    counts: dict[str, int]
    missing: dict[str, int]
    treatment: str
    outcome: str
    binary: bool
    place: np.ndarray
    arm: np.ndarray
    value: np.ndarray
    columns: pd.DataFrame
    telling: tuple[str, ...]


def customers(path: Path, treatment: str, outcome: str, most: int | None = None) -> Customers:
    """Every row instead of means by arm; the same errors as `read`. Of more rows than `most` so many are drawn by
    chance, the same each time; `place` are then their lines among the drawn."""
    with connect() as database:
        columns = _open(database, path)
        arm_column, outcome_column = _column(path, columns, treatment), _column(path, columns, outcome)
        if arm_column == outcome_column:
            raise WorkspaceError(f"{path}: column {arm_column!r} is both --treatment and --outcome; name two columns")
        try:
            rows, counts = _arms(database, path, arm_column)
            measured = _measure(database, path, arm_column, outcome_column)
            telling = repeats.telling(database, (arm_column, outcome_column))
            told = f"SELECT {_arm(arm_column)} AS arm, {_number(outcome_column)} AS value, * {_as_numbers(database)}"
            told += " FROM campaign"
            if most is not None and rows > most:
                told = f"SELECT * FROM ({told}) USING SAMPLE reservoir({most} ROWS) REPEATABLE (0)"
            found = _in_order(database, told)
        except duckdb.Error as error:
            raise WorkspaceError(f"{path}: cannot be read: {_first_line(error)}") from None
    arm, value, frame = found.iloc[:, 0], found.iloc[:, 1], found.iloc[:, 2:].set_axis(columns, axis=1)
    kept = np.flatnonzero(arm.notna() & value.notna())
    return Customers(
        rows=rows,
        unassigned=rows - sum(counts.values()),
        counts=counts,
        missing=measured.missing,
        treatment=arm_column,
        outcome=outcome_column,
        binary=measured.binary,
        place=kept,
        arm=arm.to_numpy(object)[kept],
        value=value.to_numpy(np.float64)[kept],
        columns=frame.drop(columns=[arm_column, outcome_column]).iloc[kept].reset_index(drop=True),
        telling=telling,
    )


def _as_numbers(database: duckdb.DuckDBPyConnection) -> str:
    """SQL that turns columns of text in which every value is a number into numbers: a tenth of the memory and time.

    Not where a number is too large to be told from the next one, as those of customers may be.
    """
    campaign = database.sql("SELECT * FROM campaign")
    texts = [name for name, kind in zip(campaign.columns, campaign.dtypes, strict=True) if str(kind) == "VARCHAR"]
    if not texts:
        return ""
    number = {name: f"CASE WHEN {_cell(name)} NOT IN {_NO_VALUE} THEN TRY_CAST({_cell(name)} AS DOUBLE) END"
              for name in texts}  # fmt: skip
    told = campaign.aggregate(
        ", ".join(
            f"coalesce(bool_and(abs({number[name]}) < {_EXACT}), false), "
            f"bool_or({_cell(name)} NOT IN {_NO_VALUE} AND {number[name]} IS NULL)"
            for name in texts
        )
    ).fetchall()[0]
    found = [name for name, exact, wrong in zip(texts, told[0::2], told[1::2], strict=True) if exact and not wrong]
    casts = ", ".join(f"{number[name]} AS {_quoted(name)}" for name in found)
    return f"REPLACE ({casts})" if found else ""


def frame(path: Path) -> pd.DataFrame:
    """All rows and columns as the file has them."""
    with connect() as database:
        _open(database, path)
        try:
            return _in_order(database, "SELECT * FROM campaign")
        except duckdb.Error as error:
            raise WorkspaceError(f"{path}: cannot be read: {_first_line(error)}") from None


def _in_order(database: duckdb.DuckDBPyConnection, query: str) -> pd.DataFrame:
    """Rows as the file has them: several threads return a long table in whatever order they read it (an IN will do)."""
    database.execute("SET threads = 1")
    return database.sql(query).df()


def read(path: Path, treatment: str, outcomes: Sequence[str]) -> Table:
    """Raises WorkspaceError, in one line, for anything that is no table of at least two arms and numeric outcomes."""
    with connect() as database:
        columns = _open(database, path)
        arm_column = _column(path, columns, treatment)
        outcome_columns = [_column(path, columns, name) for name in dict.fromkeys(outcomes)]
        if arm_column in outcome_columns:
            raise WorkspaceError(f"{path}: column {arm_column!r} is both --treatment and --outcome; name two columns")
        try:
            repeated = repeats.once(database, (arm_column, outcome_columns[0]))
            rows, counts = _arms(database, path, arm_column)
            measured = tuple(_measure(database, path, arm_column, name) for name in outcome_columns)
        except duckdb.Error as error:
            raise WorkspaceError(f"{path}: cannot be read: {_first_line(error)}") from None
    return Table(rows + repeated, repeated, rows - sum(counts.values()), arm_column, counts, measured)


def _open(database: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """Points the view `campaign` at the file, or at the parts in a folder; its column names."""
    files = parts.parts(path)
    reader = _READERS[parts.kind(files[0]) or parts.TEXT]
    try:
        # Views take no parameters; a relation by that name does the same and keeps the path out of the SQL text.
        reader, delimiter = _dialect(path, files) if reader is _CSV else (reader, None)
        relation = database.sql(f"SELECT * FROM {reader}", params=[[str(one) for one in files]])
        # where commas separate columns, those within a cell separate what is listed there
        if delimiter not in (None, ",") and (commas := _decimal_commas(relation)):
            relation = relation.select(f"* REPLACE ({commas})")
        relation.create_view("campaign")
        return list(relation.columns)
    except (duckdb.Error, OSError, EOFError, zlib.error) as error:
        raise WorkspaceError(f"{path}: cannot be read as a table: {_first_line(error)}") from None


def _decimal_commas(relation: duckdb.DuckDBPyRelation) -> str | None:
    """SQL that writes 1.234,50 as 1234.50, in every column of numbers; None where the table does not write them so.

    That a comma is no thousands sign must be proven by some number (12,5 or 0,125): 1,234 alone is left as it is. So is
    1.234 where another column proves that a point is the decimal sign.
    """
    cells = [f"nullif(trim({_quoted(name)}), '')" for name in relation.columns]
    asked = ", ".join(
        f"coalesce(bool_and(regexp_full_match({cell}, '{_COMMA_NUMBER}')), false), "
        f"coalesce(bool_or(regexp_full_match({cell}, '{_PROOF}')), false), "
        f"coalesce(bool_or(regexp_matches({cell}, '[.,]')), false), "
        f"coalesce(bool_and(regexp_full_match({cell}, '{_POINT_NUMBER}')), false) "
        f"AND coalesce(bool_or(regexp_full_match({cell}, '{_POINT_PROOF}')), false)"
        for cell in cells
    )
    told = relation.aggregate(asked).fetchall()[0]
    numbers, proofs, signs = told[0::4], told[1::4], told[2::4]
    if not any(number and proof for number, proof in zip(numbers, proofs, strict=True)):
        return None
    if any(told[3::4]):
        signs = proofs
    return ", ".join(
        f"replace(replace({_quoted(name)}, '.', ''), ',', '.') AS {_quoted(name)}"
        for name, number, sign in zip(relation.columns, numbers, signs, strict=True)
        if number and sign
    )


def _dialect(path: Path, files: Sequence[Path]) -> tuple[str, str]:
    """The CSV reader's call, and the sign that separates columns: the header line tells it.

    Parts must be alike: one with other columns would be read as if it had the first one's.
    """
    encodings = [_encoding(one) for one in files]
    encoding = next((one for one in encodings if one != "utf-8"), "utf-8")
    header = _header(files[0], encoding)
    packed = files[0].name.lower().endswith(".gz")
    for one in files[1:]:
        if _header(one, encoding) != header or one.name.lower().endswith(".gz") != packed:
            raise WorkspaceError(
                f"{path}: {one.name} differs from {files[0].name} in its first line or compression; "
                "parts of one table have the same columns"
            )
    if not header.strip():
        raise WorkspaceError(f"{files[0]}: the first line is blank; it must name the columns")
    delimiter = max(",;\t|", key=header.count)
    names = next(csv.reader([header], delimiter=delimiter))
    lower = [name.lower() for name in names]  # DuckDB's names differ in more than case
    distinct = [name if name and lower[i] not in lower[:i] else f"column {i + 1}" for i, name in enumerate(names)]
    columns = "{" + ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in distinct) + "}"
    call = _CSV.format(columns=columns, delimiter=_literal(delimiter), encoding=_literal(encoding))
    return call, delimiter


def _start(path: Path, size: int = 1 << 20) -> bytes:
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        return file.read(size)


def _encoding(path: Path) -> str:
    """The first megabyte tells it."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(_start(path))
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _header(path: Path, encoding: str) -> str:
    return next(iter(_start(path).decode(encoding, errors="ignore").lstrip("\ufeff").splitlines()), "")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _column(path: Path, columns: Sequence[str], wanted: str) -> str:
    if wanted in columns:
        return wanted
    alike = [name for name in columns if name.casefold().strip() == wanted.casefold().strip()]
    if len(alike) == 1:
        return alike[0]
    close = difflib.get_close_matches(wanted, columns, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    shown = ", ".join(columns[:30]) + (", ..." if len(columns) > 30 else "")
    raise WorkspaceError(f"{path}: no column {wanted!r}{hint} The columns are: {shown}")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _arm(name: str) -> str:
    """SQL of a treatment's label: text without surrounding blanks, 1.0 as 1, NULL where there is none."""
    text = f"trim(CAST({_quoted(name)} AS VARCHAR))"
    whole = f"CASE WHEN regexp_full_match({text}, '-?[0-9]+\\.0+') THEN split_part({text}, '.', 1) ELSE {text} END"
    return f"CASE WHEN lower({text}) NOT IN {_NO_TREATMENT} THEN {whole} END"


def _cell(name: str) -> str:
    """SQL of an outcome's text."""
    return f"lower(trim(CAST({_quoted(name)} AS VARCHAR)))"


def _number(name: str) -> str:
    """SQL of an outcome: a number, NULL where there is none or the text is no number."""
    text = _cell(name)
    value = f"CASE WHEN {text} IN {_YES} THEN 1.0 WHEN {text} IN {_NO} THEN 0.0 ELSE TRY_CAST({text} AS DOUBLE) END"
    return f"CASE WHEN {text} IN {_NO_VALUE} THEN NULL ELSE {value} END"


def _arms(database: duckdb.DuckDBPyConnection, path: Path, column: str) -> tuple[int, dict[str, int]]:
    """All rows, and customers by arm."""
    found = database.execute(
        f"SELECT {_arm(column)} AS arm, count(*) FROM campaign GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_ARMS + 2}"
    ).fetchall()
    counts = {str(arm): int(count) for arm, count in found if arm is not None}
    rows = sum(int(count) for _, count in found)
    if rows == 0:
        raise WorkspaceError(f"{path}: the table has a header but no rows")
    if len(counts) > MOST_ARMS:
        raise WorkspaceError(
            f"{path}: column {column!r} has more than {MOST_ARMS} different values; "
            "--treatment names the column that says which group a customer was in"
        )
    if len(counts) < 2:
        only = f"just one value, {next(iter(counts))!r}" if counts else "no values"
        empty = f" and {rows - sum(counts.values()):,} empty cells" if counts and rows > sum(counts.values()) else ""
        raise WorkspaceError(
            f"{path}: column {column!r} has {only}{empty}; a comparison needs a control and at least one other group"
        )
    return rows, counts


def _measure(database: duckdb.DuckDBPyConnection, path: Path, arm_column: str, column: str) -> Measured:
    """Count and moments of one outcome by arm; text that is no number is an error, an empty cell is counted."""
    database.execute(
        f"""CREATE OR REPLACE TEMP TABLE cells AS
            SELECT {_arm(arm_column)} AS arm, {_cell(column)} AS raw, {_number(column)} AS y
            FROM campaign WHERE {_arm(arm_column)} IS NOT NULL"""
    )
    wrong, example = database.execute(
        f"SELECT count(*), min(raw) FROM cells WHERE raw NOT IN {_NO_VALUE} AND (y IS NULL OR NOT isfinite(y))"
    ).fetchall()[0]
    if wrong:
        raise WorkspaceError(
            f"{path}: column {column!r} is not a number in {wrong:,} row{'s' * (wrong > 1)} (for example {example!r}); "
            "an outcome is 0 or 1, true or false, yes or no, or an amount"
        )
    found = database.execute(
        """WITH moments AS (SELECT arm, avg(y) AS mean, stddev_samp(y) AS spread FROM cells GROUP BY 1)
           SELECT arm, count(*), count(y), avg(y), var_samp(y), coalesce(bool_and(y IN (0, 1)), true),
               avg(CASE WHEN spread > 0 THEN ((y - mean) / spread) ** 3 END), min(y), max(y)
           FROM cells JOIN moments USING (arm) GROUP BY 1"""
    ).fetchall()
    if not any(measured for _, _, measured, *_ in found):
        raise WorkspaceError(f"{path}: column {column!r} has no values")
    binary = all(row[5] for row in found)
    if not binary:
        lows, highs = ([row[k] for row in found if row[k] is not None] for k in (7, 8))
        _check_amount(database, path, column, min(lows), max(highs))
    return Measured(
        column=column,
        binary=binary,
        missing={str(row[0]): int(row[1] - row[2]) for row in found},
        samples={str(row[0]): _sample(row[2], row[3], row[4], row[6]) for row in found},
    )


def _check_amount(database: duckdb.DuckDBPyConnection, path: Path, column: str, low: float, high: float) -> None:
    """Two numbers are a code that does not say which is yes: taken for amounts, 1 = yes and 2 = no turn every effect
    round. Nothing or one amount (a fixed price) is what it says."""
    if low == high or 0 in (low, high):
        return
    if not database.execute("SELECT 1 FROM cells WHERE y <> ? AND y <> ? LIMIT 1", [low, high]).fetchall():
        raise WorkspaceError(
            f"{path}: column {column!r} holds just two numbers, {low:.15g} and {high:.15g}, and neither says that it "
            "means yes: write 1 for yes and 0 for no (or yes and no)"
        )


def _sample(n: int, mean: float | None, variance: float | None, skew: float | None) -> Sample:
    """None where there are too few values."""
    return Sample(int(n), float(mean or 0.0), float(variance or 0.0), float(skew or 0.0))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
