"""Raw values in the reader's locale: numbers, money, dates; and the figures inside plain English sentences.

The words of the console are English; how a number or a date is written is the reader's. Data: Unicode CLDR, by Babel.
"""

import math
import re
from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError, localedata
from babel.dates import format_date, format_time
from babel.numbers import NumberPattern, get_currency_precision, get_decimal_symbol, get_group_symbol

from features.digits import decimals, span_decimals
from serving.console.blocks import VERDICTS, Cell, Estimate, Interval, Kind, Link, Verdict

DEFAULT = "en"
DASH = "–"
#: The precision of a figure without decimals.
_WHOLE = 2.0
#: What floating point leaves of nothing.
_NOTHING = 1e-9
#: Kinds whose cells stand right, figure under figure.
FIGURES = frozenset({"count", "number", "percent", "points", "money", "signed_money", "duration", "interval"})
_SIGNED = frozenset({"points", "signed_money"})
_MONEY = frozenset({"money", "signed_money"})
_UNITS = ((86_400, "day", "days"), (3_600, "hour", "hours"), (60, "min", "min"), (1, "s", "s"))
_WRITTEN = re.compile(
    r"`[^`]*`"  # as it was typed
    r"|(?<![\w.,/:-])(?P<day>\d{4}-\d{2}-\d{2})(?![\w-]|/\d|\.\d)"
    r"|(?<![\w.,/:-])(?P<figure>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d+(?=%))(?P<percent>%)?(?![\w/:-]|[.,]\d)"
)


def negotiate(asked: str | None, accepted: str | None = None) -> str:
    """The locale to write in: what `?locale=` names, else the best of Accept-Language, else English.

    >>> negotiate(None, "tlh, de-CH;q=0.8, en;q=0.5"), negotiate("fr"), negotiate("../etc", "*")
    ('de_CH', 'fr', 'en')
    """
    wanted = [asked] if asked else []
    weighed = []
    for part in (accepted or "")[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((float(weight or 1), tag))
        except ValueError:
            continue
    wanted += [tag for weight, tag in sorted(weighed, key=lambda one: -one[0]) if weight > 0]
    for tag in wanted:
        if known := _known(tag):
            return known
    return DEFAULT


def _known(tag: str) -> str | None:
    """A tag as Babel names it; without its region where only the language is known."""
    if not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}", tag):
        return None
    while tag:
        try:
            return str(Locale.parse(tag, sep="-" if "-" in tag else "_"))
        except (UnknownLocaleError, ValueError):
            tag = re.sub(r"[-_]?[^-_]*$", "", tag)
    return None


@cache
def _locale(name: str) -> Locale:
    """With data of its own: Babel 2.18 resolves aliases in place in what locales share, so that whichever is asked
    first would name the others' months."""
    data = localedata.load(name)
    data.update({key: deepcopy(data[key]) for key in ("months", "days")})
    return Locale.parse(name)


@cache
def _pattern(name: str, sort: Literal["decimal", "percent", "currency"], digits: int) -> NumberPattern:
    """How the locale writes numbers of this sort, with so many digits after the point."""
    locale = _locale(name)
    found = {
        "decimal": locale.decimal_formats[None],
        "percent": locale.percent_formats[None],
        "currency": locale.currency_formats["standard"],
    }[sort]
    own = copy(found)
    own.frac_prec = (digits, digits)
    return own


@dataclass(frozen=True)
class Reader:
    """Who reads: locale as `negotiate` names it, IANA zone of instants, currency of money without a unit."""

    locale: str = DEFAULT
    zone: str = "UTC"
    currency: str | None = None

    def cell(self, value: Cell, kind: Kind = "text", unit: str | None = None, precision: float | None = None) -> str:
        """A value as plain text. `precision` is in the unit shown (per cent for shares); None: the value decides."""
        match value:
            case None:
                return DASH
            case Link(text=text):
                return text
            case Verdict(words=words):
                return words
            case Interval(low=low, high=high):
                return self.span(low, high, kind, unit)
            case Estimate(low=low, high=high):
                ends = "" if low is None or high is None else f" ({self.span(low, high, kind, unit)})"
                return self.middle(value, kind, unit) + ends
            case bool():
                return "yes" if value else "no"
            case datetime() if kind != "day":
                return self.instant(value)
            case date():
                return self.day(value)
            case str():
                return self._text(value, kind)
            case _:
                return self._figure(value, kind, unit, precision)

    def span(self, low: float, high: float, kind: Kind, unit: str | None = None) -> str:
        """Two ends of an interval, with the digits that its width leaves meaning to: "280 to 540"."""
        width = _half_width(low, high, kind)
        return " to ".join(self._figure(end, kind, unit, width, (low, high)) for end in (low, high))

    def middle(self, value: Estimate, kind: Kind, unit: str | None = None) -> str:
        """An estimate without its interval, with the digits that the interval leaves meaning to."""
        known = value.low is not None and value.high is not None
        width = _half_width(value.low or 0.0, value.high or 0.0, kind) if known else None
        return self._figure(value.value, kind, unit, width)

    def precision(self, values: Sequence[Cell], kind: Kind) -> float | None:
        """One precision for the figures of a column, so that they stand under each other; None where each decides."""
        if kind not in FIGURES or kind in ("count", "duration", "interval"):
            return None
        plain = [abs(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if not plain or (kind == "number" and all(float(value).is_integer() for value in plain)):
            return None
        return _three_digits(_shown(max(plain), kind), kind)

    def day(self, value: date) -> str:
        return str(format_date(value, "medium", locale=_locale(self.locale)))

    def instant(self, value: datetime) -> str:
        """Date and time in the reader's zone; a time without a zone is UTC."""
        at = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(ZoneInfo(self.zone))
        return f"{self.day(at.date())}, {format_time(at, 'short', tzinfo=at.tzinfo, locale=_locale(self.locale))}"

    def clock(self, value: datetime) -> str:
        at = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(ZoneInfo(self.zone))
        return str(format_time(at, "short", tzinfo=at.tzinfo, locale=_locale(self.locale)))

    def sentence(self, text: str) -> str:
        """A sentence with its figures and ISO dates as the reader writes them; what stands in backticks stays.

        >>> Reader("de").sentence("412.5 extra orders, 1,234 contacts (4.5%) since 2026-11-22, see `a 1.5`")
        '412,5 extra orders, 1.234 contacts (4,5\\xa0%) since 22.11.2026, see `a 1.5`'
        """
        return _WRITTEN.sub(self._rewrite, text)

    def formats(self) -> dict[str, Any]:
        """What charts.js needs to write like this reader: currency, separators, dates, names of months and days."""
        locale = _locale(self.locale)
        months, short = (locale.months["format"][width] for width in ("wide", "abbreviated"))
        days, brief = (locale.days["format"][width] for width in ("wide", "abbreviated"))
        week = [6, 0, 1, 2, 3, 4, 5]  # Plotly's begins on Sunday, CLDR's days on Monday
        return {
            "name": self.locale.replace("_", "-"),
            "currency": self._around(),
            "separators": get_decimal_symbol(locale) + get_group_symbol(locale),
            "months": [months[k] for k in range(1, 13)],
            "shortMonths": [short[k] for k in range(1, 13)],
            "days": [days[k] for k in week],
            "shortDays": [brief[k] for k in week],
            "dayMonth": _strftime(locale.datetime_skeletons["MMMd"].pattern),
            "dayMonthYear": _strftime(locale.datetime_skeletons["yMMMd"].pattern),
            "month": _strftime(locale.datetime_skeletons["yMMM"].pattern),
        }

    def axis(self, kind: str) -> dict[str, Any]:
        """An axis of values of this kind as Plotly takes it."""
        if kind == "percent":
            return {"tickformat": ",.3~%", "hoverformat": ",.3~%"}
        if kind == "points":
            return {"tickformat": ",~r", "hoverformat": "+,.3~r"}
        if kind in _MONEY:
            return {"tickformat": "$,~r", "hoverformat": "+$,.4~r" if kind == "signed_money" else "$,.4~r"}
        if kind == "count":
            return {"tickformat": ",~d", "hoverformat": ",.0f"}
        if kind in ("day", "instant"):
            return {"type": "date", "hoverformat": self.formats()["dayMonthYear"]}
        if kind == "number":
            return {"tickformat": ",~r", "hoverformat": ",.4~r"}
        return {}

    def _around(self) -> list[str]:
        """What stands before and after an amount of the reader's money."""
        if self.currency is None:
            return ["", ""]
        before, _, after = self._money(Decimal(1), self.currency, 0).partition("1")
        return [before, after]

    def _rewrite(self, found: re.Match[str]) -> str:
        if found["day"]:
            try:
                return self.day(date.fromisoformat(found["day"]))
            except ValueError:
                return found[0]
        if not found["figure"]:
            return found[0]
        written = found["figure"].replace(",", "")
        digits = len(written.partition(".")[2])
        if found["percent"]:
            return self._percent(Decimal(written), digits)
        return self._decimal(Decimal(written), digits)

    def _text(self, value: str, kind: Kind) -> str:
        """Strings are shown as they are, but for ISO days, instants and the tokens of verdicts."""
        if kind == "verdict" and value in VERDICTS:
            return VERDICTS[value].words
        if kind in ("day", "instant"):
            try:
                at = datetime.fromisoformat(value)
            except ValueError:
                return value
            return self.day(at.date()) if kind == "day" or len(value) == 10 else self.instant(at)
        return value

    def _figure(
        self, value: float, kind: Kind, unit: str | None, precision: float | None,
        ends: tuple[float, float] | None = None,
    ) -> str:  # fmt: skip
        """`ends` are those of the interval that the value is one of: they share their digits."""
        if value != value or value in (float("inf"), float("-inf")):
            return DASH
        if kind == "duration":
            return self._duration(value)
        shown = _shown(value, kind)
        if shown < _NOTHING:
            shown = 0.0
        whole = all(float(one).is_integer() for one in ends or (value,))
        if kind == "count" and whole:
            precision = _WHOLE
        elif precision is None:
            precision = _WHOLE if kind == "number" and whole else _three_digits(shown, kind)
        currency = (unit or self.currency) if kind in _MONEY else None
        if currency:
            precision = max(precision, _WHOLE * 10.0 ** -get_currency_precision(currency))
        if ends is None:
            digits = decimals(shown, precision, nonzero=True, money=currency is not None)
        else:
            low, high = (math.copysign(_shown(end, kind), end) if abs(end) >= _NOTHING else 0.0 for end in ends)
            digits = span_decimals(low, high, precision, currency is not None)
        rounded = Decimal(f"{shown:.{digits}f}")  # as sentences round; Babel would round halves to even
        sign = ""
        if rounded:
            sign = "−" if value < 0 else "+" if kind in _SIGNED else ""
        if kind == "percent":
            text = self._percent(rounded, digits)
        elif currency:
            text = self._money(rounded, currency, digits)
        else:
            text = self._decimal(rounded, digits)
        return sign + text + (f" {unit}" if unit and not currency else "")

    def _decimal(self, value: Decimal, digits: int) -> str:
        return _pattern(self.locale, "decimal", digits).apply(value, _locale(self.locale))

    def _percent(self, value: Decimal, digits: int) -> str:
        return _pattern(self.locale, "percent", digits).apply(value.scaleb(-2), _locale(self.locale))

    def _money(self, value: Decimal, currency: str, digits: int) -> str:
        pattern = _pattern(self.locale, "currency", digits)
        text = pattern.apply(value, _locale(self.locale), currency=currency, currency_digits=False)
        return re.sub(r"(?<=[A-Za-z])(?=\d)", "\xa0", text)  # CHF 5: CLDR parts letters from digits, Babel does not

    def _duration(self, seconds: float) -> str:
        size = abs(seconds)
        for length, one, many in _UNITS:
            if size >= length or length == 1:
                amount = size / length
                digits = 0 if amount >= 10 or float(f"{amount:.1f}").is_integer() else 1
                text = self._decimal(Decimal(f"{amount:.{digits}f}"), digits)
                return ("−" if seconds < 0 else "") + f"{text} {one if text == '1' else many}"
        raise AssertionError


#: Parts of a date as CLDR and as strftime write them.
_PARTS = {"y": "%Y", "M": "%-m", "MM": "%m", "MMM": "%b", "MMMM": "%B", "d": "%-d", "dd": "%d"}


def _strftime(pattern: str) -> str:
    """A CLDR date pattern as D3 takes it.

    >>> _strftime("d 'de' MMM 'de' y"), _strftime("MMM d, y")
    ('%-d de %b de %Y', '%b %-d, %Y')
    """
    parts = re.findall(r"'[^']*'|[A-Za-z]+|[^A-Za-z']+", pattern.replace("L", "M"))
    return "".join(
        part.strip("'") if part[0] == "'" else _PARTS.get(part, "") if part.isalpha() and part.isascii() else part
        for part in parts
    )


def _shown(value: float, kind: Kind) -> float:
    """The size of the figure as written: shares in per cent and points."""
    return abs(value) * 100 if kind in ("percent", "points") else abs(value)


def _half_width(low: float, high: float, kind: Kind) -> float:
    """What is known about a figure, as written; amounts read naturally with one more digit, as in sentences."""
    width = _shown(high - low, kind) / 2
    return width if kind in ("percent", "points", "count") else width / 5


def _three_digits(shown: float, kind: Kind) -> float:
    """The precision that shows three digits of a figure, cents of money, tenths of a per cent from one per cent on."""
    places = 0 if shown >= 100 or shown == 0 else 1 if shown >= 10 else 2 if shown >= 0.1 else 3
    if kind in ("percent", "points") and shown >= 1:
        places = min(places, 1)
    if kind in _MONEY:
        places = 2 if shown < 10_000 else 0
    return _WHOLE * 10.0**-places
