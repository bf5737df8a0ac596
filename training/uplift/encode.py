"""A campaign table's columns as numbers: what kind each is, which are left out and why.

Numbers and dates stay one column (gaps get the median, and a column that says so), texts become one column for each
label but the commonest. Identifiers and free text say nothing that generalises and are left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

#: A label needs so many customers, and so large a share, to get a column; a text column gets at most so many.
FEWEST, SHARE, MOST = 20, 0.005, 30
#: Numbers beyond these quantiles are pulled back to them: one outlier must not tilt a line.
TAIL = 0.001
_NO_VALUE = {"", "na", "n/a", "nan", "null", "<na>"}
#: Why a column is of no use whose values are not even comparable.
LISTS = "holds lists or records"
#: A yes/no that was fitted as such is text in a CSV to be scored.
_WORDS = {"true": "1", "false": "0"}
_ID_NAME = re.compile(r"(.*[ _-])?(id|ids|key|uuid|guid|hash|number|nr|no|row|index|rowid|unnamed.*)", re.IGNORECASE)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([ T].*)?")
#: Day and month, in whichever order, and the year; `_PARTS` takes what it can of it.
_PARTED = re.compile(r"\d{1,2}([./-])\d{1,2}\1(\d{4}|\d{2})([ T].*)?")
_PARTS = r"^(?P<first>\d{1,2})[./-](?P<second>\d{1,2})[./-](?P<year>\d{4})(?P<time>[ T]\d{1,2}:\d{2}(?::\d{2})?)?"
#: Microseconds of a day, and numbers that stand for "unknown" or overflow when squared.
_DAY, _ABSURD = 86_400_000_000, 1e100


@dataclass(frozen=True)
class Column:
    """How one column of the table becomes numbers.

    `number` and `date` (days since 1970): `middle` stands for a gap, `gaps` adds a column that marks them, and values
    stay within [`low`, `high`]; where these are the same, only gaps say anything. `label`: one column for each of
    `labels`. `month_first`: how 03.04.2024 is read.
    """

    name: str
    kind: Literal["number", "date", "label"]
    middle: float = 0.0
    low: float = 0.0
    high: float = 0.0
    gaps: bool = False
    labels: tuple[str, ...] = ()
    month_first: bool = False

    @property
    def inputs(self) -> list[str]:
        """Names of the columns that it becomes."""
        if self.kind == "label":
            return [f"{self.name}={label}" for label in self.labels]
        return ([self.name] if self.low < self.high else []) + ([f"{self.name} is missing"] if self.gaps else [])

    def transform(self, values: pd.Series) -> list[np.ndarray]:
        """One float64[n] an input."""
        if self.kind == "label":
            texts = _texts(values)
            return [(texts == label).astype(np.float64) for label in self.labels]
        numbers = self._read(values)
        gap = ~np.isfinite(numbers)
        filled = np.clip(np.where(gap, self.middle, numbers), self.low, self.high)
        return ([filled] if self.low < self.high else []) + ([gap.astype(np.float64)] if self.gaps else [])

    def blank(self, values: pd.Series) -> np.ndarray:
        """bool[n]: where nothing is said, or nothing that can be read."""
        return _texts(values) == "" if self.kind == "label" else ~np.isfinite(self._read(values))

    def unread(self, values: pd.Series) -> int:
        """How many say something that is no number, or no date, where one is wanted."""
        return int(np.sum(self.blank(values) & (_texts(values) != "")))

    def _read(self, values: pd.Series) -> np.ndarray:
        return _numbers(values) if self.kind == "number" else _days(values, self.month_first)


@dataclass(frozen=True)
class Encoder:
    """All columns that are used, in order."""

    columns: Sequence[Column]

    @property
    def inputs(self) -> list[str]:
        return [name for column in self.columns for name in column.inputs]

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """float64[n, inputs]; the frame must have every column. Unknown labels and gaps are no error."""
        arrays = [array for column in self.columns for array in column.transform(frame[column.name])]
        return np.column_stack(arrays) if arrays else np.zeros((len(frame), 0))

    def unread(self, frame: pd.DataFrame) -> dict[str, int]:
        """By column, how many say something that cannot be read; columns of which all can are not named."""
        found = {column.name: column.unread(frame[column.name]) for column in self.columns}
        return {name: count for name, count in found.items() if count}

    def as_dict(self) -> list[dict[str, Any]]:
        return [asdict(column) for column in self.columns]

    @classmethod
    def read(cls, told: Sequence[Mapping[str, Any]]) -> "Encoder":
        """From `as_dict`."""
        return cls([Column(**{**one, "labels": tuple(one["labels"])}) for one in told])


def column(values: pd.Series) -> Column | str:
    """How to encode a column, or why it is of no use."""
    name, rows = str(values.name), len(values)
    if values.dtype == object and values.map(lambda one: isinstance(one, list | dict | np.ndarray)).any():
        return LISTS
    kind = _kind(values)
    if kind == "label":
        return _labels(values)
    month_first = kind == "date" and _month_first(values) is True
    numbers = _numbers(values) if kind == "number" else _days(values, month_first)
    known = numbers[np.isfinite(numbers)]
    distinct = len(np.unique(known))
    gaps = rows - len(known) >= max(FEWEST, SHARE * rows)
    if distinct < 2 and not (gaps and len(known) >= max(FEWEST, SHARE * rows)):
        return "is the same for everyone"
    whole = kind == "number" and bool(np.all(known == np.round(known)))
    named = _ID_NAME.fullmatch(name) and distinct > rows / 10  # some customers may be there more than once
    if whole and (named or (distinct == rows and np.ptp(known) == rows - 1)):
        return "looks like an identifier"
    low, high = np.quantile(known, [TAIL, 1 - TAIL])
    if low == high:
        low, high = known.min(), known.max()
    return Column(name, kind, float(np.median(known)), float(low), float(high), gaps, month_first=month_first)


def _kind(values: pd.Series) -> Literal["number", "date", "label"]:
    if pd.api.types.is_datetime64_any_dtype(values):
        return "date"
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return "number"
    texts = _texts(values)
    said = texts[texts != ""]
    if len(said) == 0:
        return "label"
    if np.isfinite(pd.to_numeric(pd.Series(said), errors="coerce")).all():
        return "number"
    if not all(_ISO.fullmatch(text) or _PARTED.fullmatch(text) for text in said):
        return "label"
    month_first = _month_first(values)
    return "date" if month_first is not None and np.isfinite(_days(values, month_first)).any() else "label"


def _labels(values: pd.Series) -> Column | str:
    texts = _texts(values)
    counts = pd.Series(texts).value_counts()
    if len(counts) < 2:
        return "is the same for everyone"
    frequent = counts[counts >= max(FEWEST, SHARE * len(texts))].index[: MOST + 1]
    rare = 1 - counts[frequent].sum() / len(texts)
    if (len(frequent) == 0 or rare > 0.9) and all(_PARTED.fullmatch(text) for text in counts.index if text):
        return "holds dates that may be read in two ways; write them as 2024-04-03"
    if len(frequent) == 0 or rare > 0.9:
        return "looks like an identifier or free text"
    # without rare labels, the commonest is what all others are compared with
    named = list(frequent[1:]) if rare == 0 else list(frequent)
    return Column(str(values.name), "label", labels=tuple(sorted(named)))


def _texts(values: pd.Series) -> np.ndarray:
    """Object[n] of stripped texts, empty where there is none."""
    texts = values.astype("string").fillna("").str.strip()
    return texts.mask(texts.str.lower().isin(_NO_VALUE), "").to_numpy(object)


def _numbers(values: pd.Series) -> np.ndarray:
    if not (pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
        texts = pd.Series(_texts(values))
        values = texts.map(lambda text: _WORDS.get(text.lower(), text))
    numbers = pd.to_numeric(values, errors="coerce").astype("Float64").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.abs(numbers) < _ABSURD, numbers, np.nan)


def _month_first(values: pd.Series) -> bool | None:
    """The order in which more of a column's dates are possible. Where both do alike, dates with dots have the day
    first, and of others nobody can tell: None."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return False
    texts = pd.Series(_texts(values), dtype="string")
    parts = texts.str.extract(_PARTS)
    first, second = (pd.to_numeric(parts[name]).dropna().to_numpy(np.int64) for name in ("first", "second"))
    days, months = (np.sum((month <= 12) & (day <= 31)) for day, month in ((first, second), (second, first)))
    if days != months:
        return bool(months > days)
    told = texts[texts != ""]
    return False if (told.str.fullmatch(_ISO) | told.str.contains(r"^\d{1,2}\.")).all() else None


def _days(values: pd.Series, month_first: bool) -> np.ndarray:
    if not pd.api.types.is_datetime64_any_dtype(values):
        texts = pd.Series(_texts(values), dtype="string")
        parts = texts.str.extract(_PARTS)
        month, day = (
            parts[name].str.zfill(2) for name in (("first", "second") if month_first else ("second", "first"))
        )
        values = (parts["year"] + "-" + month + "-" + day + parts["time"].fillna("")).fillna(texts)
    # in microseconds: nanoseconds end in 2262, and "for ever" is often 9999-12-31
    instants = pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601")
    microseconds = instants.astype("datetime64[us, UTC]").to_numpy("datetime64[us]").astype(np.int64)
    return np.where(instants.isna(), np.nan, microseconds / _DAY)
