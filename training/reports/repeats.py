"""Rows of a campaign table that are there more than once, alike in every column: each counts once.

Customers may well be alike in every column, so rows count as repeated only where a column tells all others apart, and
only rows that have a value there.
"""

from collections.abc import Collection

import duckdb

#: A column tells customers apart that has more different values than this share, in more rows than that share.
DIFFERENT, THERE = 0.9, 0.5
_NESTED = ("list", "array", "struct", "map", "union")


def telling(database: duckdb.DuckDBPyConnection, besides: Collection[str]) -> tuple[str, ...]:
    """Columns of the view `campaign` that tell customers apart; none where no row is there twice.

    `besides` are the treatment and the outcome. Lists and records are not compared: none where there are any.
    """
    campaign = database.sql("SELECT * FROM campaign")
    if any(str(kind.id) in _NESTED for kind in campaign.dtypes):
        return ()
    every = ", ".join(map(_quoted, campaign.columns))
    rows, different = campaign.aggregate(f"count(*), count(DISTINCT hash({every}))").fetchall()[0]
    names = [name for name in campaign.columns if name not in besides]
    if rows == different or not names:
        return ()
    asked = ", ".join(f"count(DISTINCT {_quoted(name)}), count({_quoted(name)})" for name in names)
    counts = campaign.distinct().aggregate(f"count(*), {asked}").fetchall()[0]
    found = zip(names, counts[1::2], counts[2::2], strict=True)
    return tuple(name for name, kinds, there in found if kinds > DIFFERENT * there and there > THERE * counts[0])


def once(database: duckdb.DuckDBPyConnection, besides: Collection[str]) -> int:
    """Makes `campaign` a table without rows that are there before; how many those were."""
    names = telling(database, besides)
    if not names:
        return 0
    every = ", ".join(map(_quoted, database.sql("SELECT * FROM campaign").columns))
    known = ", ".join(f"CAST({_quoted(name)} AS VARCHAR)" for name in names)
    database.execute(
        f"""CREATE TEMP TABLE once AS SELECT * FROM campaign
            QUALIFY row_number() OVER (PARTITION BY {every}) = 1 OR coalesce({known}) IS NULL"""
    )
    before, after = (database.sql(f"SELECT count(*) FROM {name}").fetchall()[0][0] for name in ("campaign", "once"))
    database.table("once").create_view("campaign")
    return int(before - after)


def said(repeated: int, rows: int) -> str:
    """A note of them."""
    return f"{repeated:,} of {rows:,} rows are there before, alike in every column; each counts once."


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
