"""Figures, money and dates as the reader writes them; sentences and tables agree on digits."""

import json
import math
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.digits import decimals
from serving.console.blocks import Estimate, Interval, Link, Verdict
from serving.console.locale import DASH, Reader, negotiate

ENGLISH, GERMAN = Reader("en", currency="USD"), Reader("de", "Europe/Berlin", "EUR")


@pytest.mark.parametrize(
    ("value", "kind", "english", "german"),
    [
        (1234567, "count", "1,234,567", "1.234.567"),
        (0, "count", "0", "0"),
        (0.0452, "percent", "4.5%", "4,5\xa0%"),
        (0.0004, "percent", "0.040%", "0,040\xa0%"),
        (-0.0452, "points", "−4.5", "−4,5"),
        (0.0, "points", "0", "0"),
        (1234.5, "money", "$1,234.50", "1.234,50\xa0€"),
        (123456.7, "money", "$123,457", "123.457\xa0€"),
        (5.0, "signed_money", "+$5.00", "+5,00\xa0€"),
        (-0.004, "signed_money", "−$0.004", "−0,004\xa0€"),
        (1.5, "number", "1.50", "1,50"),
        (5.0, "number", "5", "5"),
        (1e-17, "number", "0", "0"),
        (math.nan, "number", DASH, DASH),
        (math.inf, "count", DASH, DASH),
        (None, "money", DASH, DASH),
        (86_400 * 2.5, "duration", "2.5 days", "2,5 days"),
        (86_400, "duration", "1 day", "1 day"),
        (90, "duration", "1.5 min", "1,5 min"),
        (0.0, "duration", "0 s", "0 s"),
        (-7_200, "duration", "−2 hours", "−2 hours"),
        ("2026-11-22", "day", "Nov 22, 2026", "22.11.2026"),
        (date(2026, 11, 22), "day", "Nov 22, 2026", "22.11.2026"),
        ("2026-11-22T23:30:00Z", "instant", "Nov 22, 2026, 11:30\u202fPM", "23.11.2026, 00:30"),
        (datetime(2026, 7, 1, 12, 0), "instant", "Jul 1, 2026, 12:00\u202fPM", "01.07.2026, 14:00"),  # noqa: DTZ001
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "day", "Jul 1, 2026", "01.07.2026"),
        ("not a day", "day", "not a day", "not a day"),
        ("too_few", "verdict", "too few to tell", "too few to tell"),
        ("too_few", "text", "too_few", "too_few"),
        (Verdict("harmed", "bad"), "verdict", "harmed", "harmed"),
        (Link("1.5", "/x"), "number", "1.5", "1.5"),
        (True, "text", "yes", "yes"),
        (Interval(0.0389, 0.0515), "percent", "3.9% to 5.1%", "3,9\xa0% to 5,1\xa0%"),
        (Interval(1.0, 2.0), "interval", "1.00 to 2.00", "1,00 to 2,00"),
        (Interval(-0.023, 0.00001), "points", "−2.3 to 0.0", "−2,3 to 0,0"),
        (Interval(0.00001, 0.023), "points", "+0.001 to +2.300", "+0,001 to +2,300"),
        (Interval(2, 3.5), "count", "2.0 to 3.5", "2,0 to 3,5"),
        (Estimate(412.4, 280.1, 540.2), "count", "412 (280 to 540)", "412 (280 to 540)"),
        (Estimate(412.4, None, 540.2), "count", "412", "412"),
    ],
)
def test_values_are_written_as_the_reader_does(value, kind, english, german):
    assert ENGLISH.cell(value, kind) == english
    assert GERMAN.cell(value, kind) == german


def test_a_unit_is_a_currency_for_money_and_a_word_elsewhere():
    assert ENGLISH.cell(5.0, "money", "CHF") == "CHF\xa05.00"
    assert ENGLISH.cell(5, "count", "weeks") == "5 weeks"
    assert Reader("en").cell(5.0, "money") == "5.00"
    assert Reader("en", currency="JPY").cell(1234.56, "money") == "¥1,235"


def test_figures_of_a_column_stand_under_each_other():
    precision = ENGLISH.precision([1234.5, 0.5, None, 12.25], "number")
    assert [ENGLISH.cell(value, "number", None, precision) for value in (1234.5, 0.5, None, 12.25)] == [
        "1,234", "0.5", DASH, "12",
    ]  # fmt: skip
    assert ENGLISH.precision([], "number") is None
    assert ENGLISH.precision([1.5], "text") is None


@pytest.mark.parametrize(
    ("said", "german"),
    [
        ("412 extra orders, likely 1,280 to 1,540.", "412 extra orders, likely 1.280 to 1.540."),
        ("4.5 percentage points (3.9 to 5.2)", "4,5 percentage points (3,9 to 5,2)"),
        ("15.1% against 10%, −0.5%", "15,1\xa0% against 10\xa0%, −0,5\xa0%"),
        ("since 2026-11-01, until 2026-11-22.", "since 01.11.2026, until 22.11.2026."),
        ("2026-11-22 06:00 UTC", "22.11.2026 06:00 UTC"),
        ("0.42 USD a customer", "0,42 USD a customer"),
        ("version 1.2.3 of v1.5, 10.0.0.1, at 06:30, 1,23,4", "version 1.2.3 of v1.5, 10.0.0.1, at 06:30, 1,23,4"),
        ("`p < 0.001` and 0.001", "`p < 0.001` and 0,001"),
        ("2026-13-45 is no day", "2026-13-45 is no day"),
        ("in 2026, customer 12345", "in 2026, customer 12345"),
        ("tactful-1.5-x and a/1.5", "tactful-1.5-x and a/1.5"),
    ],
)
def test_figures_in_sentences_are_rewritten_and_names_are_not(said, german):
    assert GERMAN.sentence(said) == german


@given(st.text(max_size=200))
def test_any_text_survives_being_read(said):
    for reader in (ENGLISH, GERMAN, Reader("ar"), Reader("hi")):
        assert isinstance(reader.sentence(said), str)
        if not any(letter.isdigit() for letter in said):
            assert reader.sentence(said) == said


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e6))
def test_sentences_and_tables_show_the_same_digits(value, width):
    """English sentences are written elsewhere with `decimals`; reading them changes nothing in English."""
    digits = decimals(abs(value) * 100, width * 100, nonzero=True)
    said = f"{abs(value) * 100:,.{digits}f}"
    cell = ENGLISH.middle(Estimate(value, value - width, value + width), "points")
    if abs(value) * 100 > 1e-9 and (value - width) < value < (value + width):
        low, high = value - width, value + width
        digits = decimals(abs(value) * 100, (high - low) * 50, nonzero=True)
        said = f"{abs(value) * 100:,.{digits}f}"
        assert cell.lstrip("+−") == said
    assert ENGLISH.sentence(said) == said


@pytest.mark.parametrize(
    ("asked", "accepted", "expected"),
    [
        (None, None, "en"),
        (None, "de-CH,de;q=0.9,en;q=0.8", "de_CH"),
        (None, "en;q=0.3, fr-FR;q=0.7", "fr_FR"),
        (None, "tlh, xx-YY, pt-BR;q=0.2", "pt_BR"),
        (None, "de;q=0, *;q=0.1", "en"),
        (None, "de;q=no", "en"),
        ("fr", "de", "fr"),
        ("de-XX", None, "de"),
        ("../../etc/passwd", "de", "de"),
        ("zh-Hant-TW", None, "zh_Hant_TW"),
        ("x" * 5000, "y" * 5000, "en"),
    ],
)
def test_the_locale_is_the_askers(asked, accepted, expected):
    assert negotiate(asked, accepted) == expected


@given(st.text(max_size=60), st.text(max_size=120))
def test_any_wish_ends_in_a_locale_that_writes(asked, accepted):
    assert Reader(negotiate(asked, accepted)).cell(1.5, "number")


def test_charts_are_told_how_the_reader_writes():
    found = GERMAN.formats()
    assert found["separators"] == ",."
    assert (found["months"][2], found["days"][0]) == ("März", "Sonntag")
    assert (found["dayMonth"], found["dayMonthYear"]) == ("%-d. %b", "%-d. %b %Y")
    assert ENGLISH.formats()["dayMonth"] == "%b %-d"
    assert (ENGLISH.formats()["currency"], found["currency"]) == (["$", ""], ["", "\xa0€"])
    assert Reader("en").formats()["currency"] == ["", ""]


ALL = """
import json
from babel import localedata
from serving.console.locale import Reader
for name in sorted(localedata.locale_identifiers())[:60]:
    Reader(name).formats()
print(json.dumps({name: Reader(name).formats() for name in ("ja", "ar", "de")}))
"""


@pytest.mark.slow
def test_a_locale_keeps_its_own_names_whoever_was_written_for_before():
    """Babel fills in aliases in what locales share; sixty locales before another must not change it."""
    alone = {name: Reader(name).formats() for name in ("ja", "ar", "de")}
    assert alone["ar"]["shortMonths"][0] == "يناير"
    after = subprocess.run([sys.executable, "-c", ALL], capture_output=True, text=True, check=True)
    assert json.loads(after.stdout) == alone
