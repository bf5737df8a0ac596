"""The same features in other engines, written for speed from the catalogue's declarations: DuckDB, polars, pandas.

Each states what it can. What needs a customer's rows in order (sessions, transitions, gaps one by one) or a set (open
cases) is left out, which favours the rivals; a benchmark says how many features each covers and checks their values.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from busy_log import TOPICS

from features.catalogue import Catalogue
from features.clock import DAY
from features.definitions import Selector
from features.interactions import CHANNELS

#: Days that fit the bitmaps of active days: four whole numbers of 120 bits.
_BITS, _MAPS = 120, 4


@dataclass
class Query:
    """Columns of rows, aggregates over them, and features made of those; each expression is stated once."""

    rows: dict[str, str] = field(default_factory=dict)
    aggregates: dict[str, str] = field(default_factory=dict)
    features: dict[str, str] = field(default_factory=dict)

    def who(self, selector: Selector) -> str:
        """The name of a boolean column."""
        asked = {"channel": selector.channel, "direction": selector.direction, "type": selector.type,
                 "topic": selector.topic}  # fmt: skip
        terms = [f"{column} = '{word}'" for column, word in asked.items() if word is not None]
        if selector.types is not None:
            terms.append(f"type IN ({_quoted(selector.types)})")
        if selector.without:
            terms.append(f"type NOT IN ({_quoted(selector.without)})")
        if selector.own is not None:
            terms.append("_own" if selector.own else "NOT _own")
        return self._once(self.rows, "w", " AND ".join(terms) or "true")

    def add(self, expression: str) -> str:
        """The name of an aggregate."""
        return self._once(self.aggregates, "a", expression)

    @staticmethod
    def _once(known: dict[str, str], letter: str, expression: str) -> str:
        return known.setdefault(expression, f"{letter}{len(known)}")

    def text(self, source: str, t: int) -> str:
        """SQL for the features as of `t`."""
        rows = ", ".join(f"{expression} AS {name}" for expression, name in self.rows.items())
        totals = ", ".join(f"{expression} AS {name}" for expression, name in self.aggregates.items())
        features = ", ".join(f'{expression} AS "{name}"' for name, expression in self.features.items())
        return f"""
            SELECT customer_id, {features} FROM (
                SELECT customer_id, {totals} FROM (
                    SELECT customer_id, us, (({t} - us - 1) // {DAY})::INTEGER AS day, coalesce(value, 0) AS v, value,
                        satisfaction, channel, {rows}
                    FROM (SELECT *, epoch_us(occurred_at) AS us FROM read_parquet('{source}')) log
                    WHERE us < {t} AND received_at <= make_timestamptz({t})
                ) marked GROUP BY customer_id
            ) counted""".replace("$t", str(t))


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _count(q: Query, f: Any) -> str:
    return q.add(f"count_if({q.who(f.who)} AND day < {f.days})")


def _mean(q: Query, f: Any) -> str:
    return q.add(f"avg(CASE WHEN {q.who(f.who)} AND day < {f.days} THEN value END)")


def _sum(q: Query, f: Any) -> str:
    return q.add(f"sum(CASE WHEN {q.who(f.who)} AND day < {f.days} THEN v ELSE 0 END)")


def _active(q: Query, who: Selector, days: int) -> str:
    """Active days as the set bits of whole numbers: no other way to count distinct days is as cheap."""
    parts = []
    for number in range(_MAPS):
        first = number * _BITS
        if first < days:
            here = f"{q.who(who)} AND day >= {first} AND day < {first + _BITS}"
            bits = q.add(f"bit_or(CASE WHEN {here} THEN 1::HUGEINT << (day - {first}) ELSE 0 END)")
            within = f"{bits} & ((1::HUGEINT << {days - first}) - 1)" if days - first < _BITS else bits
            parts.append(f"bit_count({within})::INTEGER")
    return "(" + " + ".join(parts) + ")"


def _distinct(q: Query, f: Any, column: str, words: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN '{word}' THEN {1 << code}" for code, word in enumerate(words))
    bit = q._once(q.rows, "w", f"CASE {column} {cases} ELSE 0 END")
    return f"bit_count({q.add(f'bit_or(CASE WHEN {q.who(f.who)} AND day < {f.days} THEN {bit} ELSE 0 END)')})"


def _newest(q: Query, who: Selector) -> str:
    return q.add(f"max(CASE WHEN {q.who(who)} THEN us END)")


def _gap_mean(q: Query, who: Selector) -> str:
    newest, oldest = (q.add(f"{end}(CASE WHEN {q.who(who)} THEN day END)") for end in ("min", "max"))
    return f"(({oldest} - {newest}) / nullif({_active(q, who, 400)} - 1, 0))"


def _fading_sum(q: Query, f: Any) -> str:
    fade = q._once(q.rows, "w", f"v * pow(2, -(({{t}} - us - 1) // {DAY}) / {f.half_life}.0)".replace("{t}", "$t"))
    return q.add(f"sum(CASE WHEN {q.who(f.who)} THEN {fade} ELSE 0 END)")


def _trend(q: Query, f: Any) -> str:
    short, long = _active(q, f.who, f.days), _active(q, f.who, f.second_days)
    oldest = q.add(f"max(CASE WHEN {q.who(f.who)} THEN day END)")
    known = f"({oldest} + 1)"
    return f"({short} / nullif({long}, 0)) * least({known}, {f.second_days})::DOUBLE / least({known}, {f.days})::DOUBLE"


#: Kind -> how DuckDB states it.
SQL: dict[str, Callable[[Query, Any], str]] = {
    "Count": _count,
    "Sum": _sum,
    "MeanValue": _mean,
    "ActiveDays": lambda q, f: _active(q, f.who, f.days),
    "DistinctChannels": lambda q, f: _distinct(q, f, "channel", CHANNELS),
    "DistinctTopics": lambda q, f: _distinct(q, f, "topic", TOPICS),
    "DecayedSum": _fading_sum,
    "Recency": lambda q, f: f"($t - {_newest(q, f.who)}) / {float(DAY)}",
    "Tenure": lambda q, f: f"($t - {q.add(f'min(CASE WHEN {q.who(f.who)} THEN us END)')}) / {float(DAY)}",
    "LifetimeCount": lambda q, f: q.add(f"count_if({q.who(f.who)})"),
    "LifetimeSum": lambda q, f: q.add(f"sum(CASE WHEN {q.who(f.who)} THEN v ELSE 0 END)"),
    "GapMean": lambda q, f: _gap_mean(q, f.who),
    "GapRatio": lambda q, f: f"(($t - {_newest(q, f.who)}) / {float(DAY)}) / {_gap_mean(q, f.who)}",
    "Trend": _trend,
    "LastChannel": lambda q, f: q.add(f"arg_max(channel, CASE WHEN {q.who(f.who)} THEN us END)"),
    "LastSatisfaction": lambda q, f: q.add(
        f"arg_max(satisfaction, CASE WHEN {q.who(f.who)} AND satisfaction IS NOT NULL THEN us END)"
    ),
    "MeanSatisfaction": lambda q, f: q.add(f"avg(CASE WHEN {q.who(f.who)} AND day < {f.days} THEN satisfaction END)"),
    "Season": lambda _, f: f"{'sin' if f.part == 'sine' else 'cos'}(2 * pi() * ($t / {float(DAY)} / 365.2425))",
}


def query(catalogue: Catalogue) -> Query:
    """Of every feature whose kind is in SQL."""
    q = Query()
    for feature in catalogue:
        if (state := SQL.get(type(feature).__name__)) is not None:
            q.features[feature.name] = state(q, feature)
    return q


def in_duckdb(source: str, cutoffs: Iterable[int], catalogue: Catalogue) -> list[pa.Table]:
    """One table a cutoff."""
    q = query(catalogue)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return [connection.sql(q.text(source, t)).to_arrow_table() for t in cutoffs]


def _asked(frame: Any, selector: Selector, own: Any) -> list[Any]:
    """The conditions of a selector as boolean columns of a pandas frame, or as polars expressions."""
    asked = {"channel": selector.channel, "direction": selector.direction, "type": selector.type,
             "topic": selector.topic}  # fmt: skip
    terms = [frame(column) == word for column, word in asked.items() if word is not None]
    if selector.own is not None:
        terms.append(own if selector.own else ~own)
    return terms


def in_polars(source: str, t: int, catalogue: Catalogue) -> pl.DataFrame:
    """What polars states by group_by and agg, lazily, so that it reads only the columns that it needs."""
    age = t - pl.col("occurred_at").dt.epoch("us")
    day = ((age - 1) // DAY).cast(pl.Int32)

    def who(selector: Selector) -> pl.Expr:
        terms = _asked(pl.col, selector, pl.col("_own"))
        if selector.types is not None:
            terms.append(pl.col("type").is_in(list(selector.types)))
        if selector.without:
            terms.append(~pl.col("type").is_in(list(selector.without)))
        return pl.all_horizontal(terms) if terms else pl.lit(True)

    names = {selector: f"w{i}" for i, selector in enumerate(_selectors(catalogue, POLARS))}
    features = [
        POLARS[kind](feature, pl.col(names[who_of(feature)])).alias(feature.name)
        for feature in catalogue
        if (kind := type(feature).__name__) in POLARS
    ]
    rows = pl.scan_parquet(source).filter((age > 0) & (pl.col("received_at").dt.epoch("us") <= t))
    rows = rows.with_columns(age.alias("age"), day.alias("day"), *(who(s).alias(n) for s, n in names.items()))
    return rows.group_by("customer_id").agg(features).collect()


def who_of(feature: Any) -> Selector:
    """The selector of a feature that has one."""
    return feature.operation().who


def _selectors(catalogue: Catalogue, kinds: Iterable[str]) -> list[Selector]:
    return list(dict.fromkeys(who_of(feature) for feature in catalogue if type(feature).__name__ in kinds))


#: Kind -> how polars states it; `w` is the selector's column.
POLARS: dict[str, Callable[[Any, pl.Expr], pl.Expr]] = {
    "Count": lambda f, w: (w & (pl.col("day") < f.days)).sum(),
    "Sum": lambda f, w: pl.col("value").filter(w & (pl.col("day") < f.days)).sum(),
    "MeanValue": lambda f, w: pl.col("value").filter(w & (pl.col("day") < f.days)).mean(),
    "MeanSatisfaction": lambda f, w: pl.col("satisfaction").filter(w & (pl.col("day") < f.days)).mean(),
    "ActiveDays": lambda f, w: pl.col("day").filter(w & (pl.col("day") < f.days)).n_unique(),
    "DistinctChannels": lambda f, w: pl.col("channel").filter(w & (pl.col("day") < f.days)).n_unique(),
    "DistinctTopics": lambda f, w: pl.col("topic").filter(w & (pl.col("day") < f.days)).drop_nulls().n_unique(),
    "DecayedSum": lambda f, w: (pl.col("value") * 0.5 ** (pl.col("day") / f.half_life)).filter(w).sum(),
    "Recency": lambda _, w: pl.col("age").filter(w).min() / DAY,
    "Tenure": lambda _, w: pl.col("age").filter(w).max() / DAY,
    "LifetimeCount": lambda _, w: w.sum(),
    "LifetimeSum": lambda _, w: pl.col("value").filter(w).sum(),
    "LastChannel": lambda _, w: pl.col("channel").filter(w).last(),
    "LastSatisfaction": lambda _, w: pl.col("satisfaction").filter(w & pl.col("satisfaction").is_not_null()).last(),
}


def in_pandas(source: str, t: int, catalogue: Catalogue) -> pd.DataFrame:
    """What pandas states by groupby: one mask for each selector and window, grouped once for all that look at it."""
    columns = ["customer_id", "occurred_at", "received_at", "channel", "direction", "type", "topic", "value",
               "satisfaction", "_own"]  # fmt: skip
    words = ["customer_id", "channel", "direction", "type", "topic"]
    rows = pq.read_table(source, columns=columns, read_dictionary=words).to_pandas()
    age = t - rows["occurred_at"].astype("datetime64[us, UTC]").astype("int64")
    known = (age > 0) & (rows["received_at"].astype("datetime64[us, UTC]").astype("int64") <= t)
    rows = rows.assign(age=age, day=(age - 1) // DAY)[known]
    result = pd.DataFrame(index=rows["customer_id"].cat.categories)
    asked = [feature for feature in catalogue if type(feature).__name__ in PANDAS]
    for selector in _selectors(catalogue, PANDAS):
        mask = np.ones(len(rows), bool)
        for term in _asked(rows.__getitem__, selector, rows["_own"]):
            mask &= term.to_numpy()
        if selector.types is not None:
            mask &= rows["type"].isin(selector.types).to_numpy()
        if selector.without:
            mask &= ~rows["type"].isin(selector.without).to_numpy()
        chosen = rows[mask]
        mine = [feature for feature in asked if who_of(feature) == selector]
        for days in dict.fromkeys(getattr(feature, "days", None) for feature in mine):
            some = chosen if days is None else chosen[chosen["day"].to_numpy() < days]
            groups = some.groupby("customer_id", observed=True, sort=False)
            for feature in mine:
                if getattr(feature, "days", None) == days:
                    result[feature.name] = PANDAS[type(feature).__name__](groups, feature)
    return result


#: Kind -> how pandas states it of the groups of the selector's rows within the window.
PANDAS: dict[str, Callable[[Any, Any], pd.Series]] = {
    "Count": lambda g, _: g.size(),
    "Sum": lambda g, _: g["value"].sum(),
    "MeanValue": lambda g, _: g["value"].mean(),
    "MeanSatisfaction": lambda g, _: g["satisfaction"].mean(),
    "ActiveDays": lambda g, _: g["day"].nunique(),
    "DistinctChannels": lambda g, _: g["channel"].nunique(),
    "DistinctTopics": lambda g, _: g["topic"].nunique(),
    "Recency": lambda g, _: g["age"].min() / DAY,
    "Tenure": lambda g, _: g["age"].max() / DAY,
    "LifetimeCount": lambda g, _: g.size(),
    "LifetimeSum": lambda g, _: g["value"].sum(),
    "LastChannel": lambda g, _: g["channel"].last(),
    "LastSatisfaction": lambda g, _: g["satisfaction"].last(),
}


def by_customer(table: Any) -> pd.DataFrame:
    """A result of any engine as numbers and words by customer."""
    frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    frame = frame.set_index("customer_id") if "customer_id" in frame else frame
    return frame.set_axis(frame.index.astype(str))


def check(engine: str, found: pd.DataFrame, wanted: pd.DataFrame) -> None:
    """Raises AssertionError where an engine's numbers are not ours; 0 and null are taken as the same."""
    found = found.reindex(wanted.index)
    for name in found.columns.intersection(wanted.columns):
        if wanted[name].dtype == "category":
            agree = found[name].astype(object).fillna("") == wanted[name].astype(object).fillna("")
            assert agree.mean() > 0.999, f"{engine}: {name}"  # two at the same instant may come in another order
        else:
            numbers, ours = (np.nan_to_num(side[name].astype(float)) for side in (found, wanted))
            np.testing.assert_allclose(numbers, ours, rtol=1e-6, atol=1e-6, err_msg=f"{engine}: {name}")
