"""Text into numbers, instants and truth values, a column at a time; what cannot be read is told, never guessed."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features import clock

#: Texts that mean "no value"; a map may list others.
NULLS = ("", "NULL", "null", "NaN", "nan", "NA", "N/A", "n/a", "None", "none", "\\N", "NaT")

_CURRENCY = re.compile(r"^([-+(−]?)\s*([$€£¥₹]|[A-Z]{3}(?=[\s\d.,-]))\s*|\s*([$€£¥₹]|(?<=[\d\s])[A-Z]{3})(\)?)$")
_EPOCHS = {"epoch_s": clock.SECOND, "epoch_ms": 1_000, "epoch_us": 1}
EXCEL_DAY_ZERO = clock.parse_instant("1899-12-30")
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?$"
_OFFSET = r"[T ].*(Z|UTC|[+-]\d{2}(:?\d{2})?)$"

Unread = tuple[np.ndarray, Callable[[int], str]]


def text(column: pa.Array, nulls: Sequence[str] = NULLS) -> tuple[pa.Array, np.ndarray]:
    """The column as trimmed text, `nulls` as null; and bool[n], where bytes are not in the file's encoding."""
    broken = np.zeros(len(column), bool)
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        column, broken = _decoded(column)
    elif pa.types.is_floating(column.type):
        column = _shortest(column)
    elif pa.types.is_boolean(column.type) or not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    column = pc.utf8_trim_whitespace(column)
    empty = pc.is_in(column, pa.array(list(nulls), pa.string()))
    return pc.if_else(empty, pa.scalar(None, pa.string()), column), broken


def _decoded(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    try:
        return column.cast(pa.string()), np.zeros(len(column), bool)
    except pa.ArrowInvalid:
        values, broken = [], np.zeros(len(column), bool)
        for row, value in enumerate(column.to_pylist()):
            try:
                values.append(None if value is None else value.decode())
            except UnicodeDecodeError:
                values.append(None)
                broken[row] = True
        return pa.array(values, pa.string()), broken


def _shortest(column: pa.Array) -> pa.Array:
    """17850.0 -> '17850': identifiers that a missing value turned into floats."""
    numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    whole = np.isfinite(numbers) & (np.floor(numbers) == numbers) & (np.abs(numbers) < 2**53)
    integers = pa.array(np.where(whole, numbers, 0).astype(np.int64)).cast(pa.string())
    shown = pc.if_else(pa.array(whole), integers, column.cast(pa.string()))
    return pc.if_else(pa.array(np.isnan(numbers)), pa.scalar(None, pa.string()), shown)


@dataclass
class Numbers:
    """How a file writes numbers. Only what is unambiguous is read: `1,234` needs a word about its comma."""

    decimal: str = "."
    thousands: str | None = None
    nulls: Sequence[str] = NULLS
    currency: str | None = field(default=None, init=False)  # the first one seen: others do not mix with it

    def read(self, column: pa.Array) -> tuple[pa.Array, Unread]:
        """float64 with nulls, and which rows hold something that is no number (with a reason)."""
        if pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_decimal(column.type):
            numbers = pc.cast(column, pa.float64(), safe=False)
            return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers), _none(len(column))
        words, broken = text(column, self.nulls)
        plain = pc.match_substring_regex(words, rf"^[+-]?(\d+\{self.decimal}?\d*|\{self.decimal}\d+)([eE][+-]?\d+)?$")
        easy = pc.if_else(plain, words, pa.scalar(None, pa.string()))
        if self.decimal != ".":
            easy = pc.replace_substring(easy, self.decimal, ".")
        numbers = pc.cast(pc.utf8_ltrim(easy, "+"), pa.float64())
        hard = pc.and_(pc.is_valid(words), pc.invert(plain)).fill_null(False)
        if not pc.any(hard).as_py() and not broken.any():
            return numbers, _none(len(column))
        return self._hard(words, numbers, hard.to_numpy(zero_copy_only=False), broken)

    def _hard(self, words: pa.Array, easy: pa.Array, hard: np.ndarray, broken: np.ndarray) -> tuple[pa.Array, Unread]:
        numbers = easy.to_numpy(zero_copy_only=False).copy()
        present = easy.is_valid().to_numpy(zero_copy_only=False).copy()
        reasons: dict[int, str] = {}
        known: dict[str, float | str] = {}
        for row in np.flatnonzero(hard):
            word = words[row].as_py()
            if word not in known:
                known[word] = self.number(word)
            number = known[word]
            if isinstance(number, str):
                reasons[int(row)] = number
            else:
                numbers[row], present[row] = number, True
        reasons |= {int(row): "holds bytes that are not in the file's encoding" for row in np.flatnonzero(broken)}
        bad = np.zeros(len(words), bool)
        bad[list(reasons)] = True
        return pa.array(numbers, pa.float64(), mask=~present), (bad, reasons.__getitem__)

    def number(self, word: str) -> float | str:
        """One number, or the reason why it is none.

        >>> Numbers().number("$1,234.50"), Numbers(decimal=",").number("1.234,50 €")
        (1234.5, 1234.5)
        >>> Numbers().number("12,50")
        "'12,50' is not a number; if the comma is the decimal mark, say numbers: {decimal: ','} in the map"
        """
        rest = word.replace("\u2212", "-").replace("\u00a0", " ").replace("\u202f", " ")
        if found := _CURRENCY.search(rest):
            sign = found[2] or found[3]
            self.currency = self.currency or sign
            if sign != self.currency:
                return f"{word!r} is in {sign} where other rows are in {self.currency}; convert to one currency first"
            rest = _CURRENCY.sub(lambda m: (m[1] or "") + (m[4] or ""), rest, count=1).strip()
        if rest.startswith("(") and rest.endswith(")"):
            rest = "-" + rest[1:-1]
        elif rest.endswith("-"):
            rest = "-" + rest[:-1]
        if rest.lower().lstrip("+-") in ("inf", "infinity"):
            return f"{word!r} is infinite"
        return self._grouped(rest.replace("- ", "-"), word)

    def _grouped(self, rest: str, word: str) -> float | str:
        mark, decimal = self.thousands, re.escape(self.decimal)
        other = "," if self.decimal == "." else "."
        groups = r"[+-]?\d{1,3}(?:%s\d{3})+(?:%s\d*)?"
        marks = [mark] if mark else [other, " ", "'"]
        for candidate in marks:
            if re.fullmatch(groups % (re.escape(candidate), decimal), rest):
                sure = mark or candidate in " '" or rest.count(candidate) > 1 or self.decimal in rest
                if not sure:
                    return (
                        f"{word!r} can be read in two ways; say numbers: {{thousands: '{candidate}'}} or"
                        f" numbers: {{decimal: '{candidate}'}} in the map"
                    )
                rest = rest.replace(candidate, "")
                break
        if re.fullmatch(rf"[+-]?(\d+{decimal}?\d*|{decimal}\d+)([eE][+-]?\d+)?", rest):
            return float(rest.replace(self.decimal, "."))
        if self.decimal == "." and re.fullmatch(r"[+-]?[\d.]*,\d+", rest):
            return (
                f"{word!r} is not a number; if the comma is the decimal mark, say numbers: {{decimal: ','}} in the map"
            )
        return f"{word!r} is not a number"


def instants(column: pa.Array, formats: Sequence[str], zone: str, nulls: Sequence[str]) -> tuple[pa.Array, Unread]:
    """timestamp[us, UTC] with nulls, and which rows hold no date (with a reason).

    Without `formats` a text must be ISO 8601. What names no zone of its own is local time in `zone`; an hour that
    daylight saving repeats means the first one, an hour that it skips the one after.
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        local = pc.cast(column, pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False)
        us, valid = local.cast(pa.int64()).fill_null(0).to_numpy(), local.is_valid().to_numpy(zero_copy_only=False)
        if getattr(kind, "tz", None) is None:
            us = localised(us, zone)
        return _stamp(us, valid), _none(len(column))
    epochs = [name for name in formats if name in (*_EPOCHS, "excel")]
    if epochs or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        if epochs:
            return _counted(column, epochs[0], zone, nulls)
        if not formats:
            return _unsaid(column)
    words, broken = text(column, nulls)
    us, valid = _parsed(words, formats, zone)
    bad = broken | (words.is_valid().to_numpy(zero_copy_only=False) & ~valid)

    def reason_(row: int) -> str:
        word = words[row].as_py()
        if word is None:
            return "holds bytes that are not in the file's encoding"
        if not formats:
            return f"{word!r} is not a date" + suggestion([word])
        better = suggestion([word])
        return f"{word!r} is not a date of the form {' or '.join(formats)}" + (better if better[0] == ";" else "")

    return _stamp(us, valid), (bad, reason_)


def _unsaid(column: pa.Array) -> tuple[pa.Array, Unread]:
    """Bare numbers as instants: nobody can tell what they count."""
    reason = "is a number; say what it counts with format: epoch_s, epoch_ms, epoch_us or excel"
    given = column.is_valid().to_numpy(zero_copy_only=False)
    empty = _stamp(np.zeros(len(column), np.int64), np.zeros(len(column), bool))
    return empty, (given, lambda row: f"{column[row].as_py()!r} {reason}")


def _parsed(words: pa.Array, formats: Sequence[str], zone: str) -> tuple[np.ndarray, np.ndarray]:
    us, valid = np.zeros(len(words), np.int64), np.zeros(len(words), bool)
    if not formats:
        iso = pc.match_substring_regex(words, _ISO).fill_null(False)
        offset = pc.match_substring_regex(words, _OFFSET).fill_null(False).to_numpy(zero_copy_only=False)
        words = pc.if_else(iso, words, pa.scalar(None, pa.string()))
        words = pc.replace_substring_regex(words, " ?UTC$", "Z")
        words = pc.replace_substring_regex(words, r" ([+-]\d{2}(:?\d{2})?)$", r"\1")
        for mask, named in ((~offset, False), (offset, True)):
            _fill(us, valid, words, mask, "ISO8601", named, zone)
        return us, valid
    for form in formats:
        _fill(us, valid, words, ~valid, form, "%z" in form, zone)
    return us, valid


def _fill(
    us: np.ndarray, valid: np.ndarray, words: pa.Array, mask: np.ndarray, form: str, named: bool, zone: str
) -> None:
    """Parses words[mask] into us[mask]; `named`: the text says its own offset from UTC."""
    rows = np.flatnonzero(mask & words.is_valid().to_numpy(zero_copy_only=False))
    if not len(rows):
        return
    parsed = pd.to_datetime(pd.Series(words.take(pa.array(rows)).to_pandas()), format=form, errors="coerce", utc=True)
    good = parsed.notna().to_numpy()
    moments = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    us[rows[good]] = moments[good] if named else localised(moments[good], zone)
    valid[rows[good]] = True


def wrong_format(form: str) -> str | None:
    """What strptime has against a format, else None."""
    try:
        pd.to_datetime(pd.Series(["x"]), format=form, errors="coerce", utc=True)
    except (ValueError, re.error) as error:
        return str(error).partition(" in format")[0]
    return None


def _counted(column: pa.Array, unit: str, zone: str, nulls: Sequence[str]) -> tuple[pa.Array, Unread]:
    numbers, unread = Numbers(nulls=nulls).read(column)
    valid = numbers.is_valid().to_numpy(zero_copy_only=False)
    counted = np.where(valid, numbers.fill_null(0).to_numpy(zero_copy_only=False), 0)
    if unit == "excel":
        us = EXCEL_DAY_ZERO + np.rint(np.clip(counted, -1e6, 1e7) * clock.DAY / 1e6).astype(np.int64) * 1_000_000
        return _stamp(localised(us, zone), valid), unread
    return _stamp(np.rint(np.clip(counted * _EPOCHS[unit], -9e15, 9e18)).astype(np.int64), valid), unread


def localised(us: np.ndarray, zone: str) -> np.ndarray:
    """Local wall-clock microseconds -> UTC; offsets are looked up per quarter of an hour, as no zone changes within."""
    if zone == "UTC" or not len(us):
        return us
    quarters, where = np.unique(us // (15 * clock.MINUTE), return_inverse=True)
    return us - np.array([_offset(int(quarter), zone) for quarter in quarters])[where]


@lru_cache(maxsize=1 << 20)
def _offset(quarter: int, zone: str) -> int:
    moment = clock.instant(quarter * 15 * clock.MINUTE).replace(tzinfo=ZoneInfo(zone))
    return int((moment.utcoffset() or timedelta()) / timedelta(microseconds=1))


def truth(column: pa.Array, nulls: Sequence[str]) -> tuple[pa.Array, Unread]:
    """Booleans from true/false, yes/no, y/n, t/f, 1/0."""
    if pa.types.is_boolean(column.type):
        return column, _none(len(column))
    words, broken = text(column, nulls)
    low = pc.utf8_lower(words)
    yes = pc.is_in(low, pa.array(["true", "yes", "y", "t", "1"]))
    no = pc.is_in(low, pa.array(["false", "no", "n", "f", "0"]))
    known = pc.or_(yes, no)
    bad = broken | (words.is_valid().to_numpy(zero_copy_only=False) & ~known.to_numpy(zero_copy_only=False))
    value = pc.if_else(known, yes, pa.scalar(None, pa.bool_()))
    return value, (bad, lambda row: f"{words[row].as_py()!r} is neither true nor false")


_DAY_OR_MONTH_FIRST = [
    (f"%d{sep}%m{sep}{year}{time}", f"%m{sep}%d{sep}{year}{time}")
    for sep in "/.-"
    for year in ("%Y", "%y")
    for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
]
_OTHERS = ["%Y%m%d", "%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y.%m.%d", "%Y%m%d%H%M%S", "%d %b %Y",
           "%d %B %Y", "%b %d, %Y", "%b %d %Y", "%d-%b-%Y", "%d-%b-%y", "%a %b %d %H:%M:%S %Y", "%d %b %Y %H:%M",
           "%a, %d %b %Y %H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z"]  # fmt: skip
#: Ways to write a date that are not ISO 8601; of a pair the first has the day before the month.
DATE_FORMS: list[tuple[str, ...]] = [*_DAY_OR_MONTH_FIRST, *((form,) for form in _OTHERS)]


def suggestion(samples: Sequence[str]) -> str:
    """What a map might say about dates that are not ISO 8601."""
    for day_first, month_first in _DAY_OR_MONTH_FIRST:
        fits = [form for form in (day_first, month_first) if _all_fit(samples, form)]
        if len(fits) == 2:
            return f"; if the day comes first say format: '{day_first}', if the month does format: '{month_first}'"
        if fits:
            return f"; in the map, try format: '{fits[0]}'"
    for form in _OTHERS:
        if _all_fit(samples, form):
            return f"; in the map, try format: '{form}'"
    return " like 2017-12-04 or 2017-12-04T18:30:00Z; name its format in the map, e.g. format: '%d/%m/%Y %H:%M'"


def _all_fit(samples: Sequence[str], form: str) -> bool:
    try:
        return bool(samples) and all(datetime.strptime(sample, form) for sample in samples)  # noqa: DTZ007
    except ValueError:
        return False


def _stamp(us: np.ndarray, valid: np.ndarray) -> pa.Array:
    return pa.array(us, pa.int64(), mask=~valid).cast(pa.timestamp("us", tz="UTC"))


def _none(rows: int) -> Unread:
    return np.zeros(rows, bool), lambda _row: ""
