"""Columns that history stores beside the contract's, because they are much cheaper to read than what they come from."""

from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.hashing import hash_strings

#: Physical column -> the column of the contract that it stands for, as far as features are concerned.
STANDS_FOR = {"_id": "interaction_id", "_own": "decision_id", "_discount": "attributes"}
SCHEMA = pa.schema([("_id", pa.uint64()), ("_own", pa.bool_()), ("_discount", pa.float64())])


def with_physical(table: pa.Table) -> pa.Table:
    """The table of the contract's columns, and the physical ones behind them."""
    computed = (pa.array(ids(table)), pa.array(own(table)), pa.array(discounts(table), from_pandas=True))
    for field, column in zip(SCHEMA, computed, strict=True):
        table = table.append_column(field, column.cast(field.type))
    return table


def ids(table: pa.Table) -> np.ndarray:
    """uint64[n]: the hash of interaction_id."""
    if "_id" in table.column_names:
        return table.column("_id").to_numpy()
    return hash_strings(table.column("interaction_id"))


def own(table: pa.Table) -> np.ndarray:
    """bool[n]: whether a row carries a decision_id of ours."""
    if "_own" in table.column_names:
        return table.column("_own").to_numpy()
    if "decision_id" in table.column_names:
        return table.column("decision_id").is_valid().to_numpy()
    return np.zeros(table.num_rows, bool)


def discounts(table: pa.Table) -> np.ndarray:
    """float64[n]: money saved on each interaction, NaN without."""
    if "_discount" in table.column_names:
        return table.column("_discount").to_numpy()
    found = np.full(table.num_rows, np.nan)
    if "attributes" in table.column_names:
        column = table.column("attributes").cast(pa.string())
        # JSON may spell a key with escapes, which only reading it tells
        maybe = pc.or_(pc.match_substring(column, '"discount"'), pc.match_substring(column, "\\u"))
        rows = np.flatnonzero(pc.fill_null(maybe, False).to_numpy())
        found[rows] = [discount(text) for text in column.take(rows).to_pylist()]
    return found


def discount(attributes: Any) -> float:
    """The number under the key `discount` of attributes (a dict, JSON text or None); NaN without."""
    if isinstance(attributes, (str, bytes)):
        try:
            attributes = orjson.loads(attributes)
        except orjson.JSONDecodeError:
            return np.nan
    money = attributes.get("discount") if isinstance(attributes, dict) else None
    return float(money) if isinstance(money, (int, float)) and not isinstance(money, bool) else np.nan
