"""Tables as CSV: raw figures that a spreadsheet reads, and nothing that it would run."""

import csv as reader
import io
from datetime import UTC, date, datetime

import console_pages as pages
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.console import csv
from serving.console.blocks import Column, Estimate, Interval, Link, Table, Verdict


def _rows(table):
    text = csv.text(table)
    assert text[0] == "\ufeff"
    return list(reader.reader(io.StringIO(text[1:])))


def _one(value):
    return _rows(Table("t", "T", [Column("c")], [[value]]))[1][0]


def test_header_and_figures_as_they_are():
    header, first, evil, few, long = _rows(pages.EFFECTS)
    assert header[:6] == ["Action", "Customers", "Difference", "Difference low", "Difference high", "Extra money"]
    assert header[8:] == ["Share", "Between low", "Between high", "Verdict", "Weeks", "Since"]
    assert first[:5] == ["Winback e-mail", "12345", "0.0452", "0.0389", "0.0515"]
    assert evil[0] == pages.EVIL
    assert few == ["'" + pages.FORMULA, "12", *[""] * 9, "too few to tell", "", ""]
    assert long[5:8] == ["-912.0", "-1200.0", "-600.0"]
    assert long[11] == "raised"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (-1.5, "-1.5"),
        (0.1 + 0.2, "0.30000000000000004"),
        (True, "yes"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00+00:00"),
        (Link("=1+1", "/x"), "'=1+1"),
        (Verdict("harmed", "bad"), "harmed"),
        ("too_few", "too few to tell"),
        ("-5", "-5"),
        ("+1 800 555", "'+1 800 555"),
        ("@cmd", "'@cmd"),
        ("\t=1", "'\t=1"),
        ("a\nb", "a\nb"),
    ],
)
def test_cells(value, text):
    assert _one(value) == text


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=30))
def test_no_text_is_a_formula(value):
    found = _one(value)
    if found[:1] in tuple("=+-@\t\r|%"):
        float(found)
    assert found.lstrip("'").replace("\r\n", "\n") in (value.lstrip("'").replace("\r\n", "\n"), "raised", "lowered",
        "no effect shown", "too few to tell")  # fmt: skip


def test_a_column_takes_as_many_columns_as_its_cells_need():
    table = Table("t", "T", [Column("a"), Column("b")], [[Interval(1.0, 2.0), Estimate(1.0, None, 2.0)], [None, 3.0]])
    header, *rows = _rows(table)
    assert header == ["a low", "a high", "b", "b low", "b high"]
    assert rows == [["1.0", "2.0", "1.0", "", "2.0"], ["", "", "3.0", "", ""]]
    mixed = Table("t", "T", [Column("a")], [[Interval(1.0, 2.0)], ["none"]])
    assert _rows(mixed) == [["a", "a low", "a high"], ["", "1.0", "2.0"], ["none", "", ""]]


def test_no_header_says_another_unit_than_the_figures_have():
    """On the page a change of 0.02 is two percentage points; here it is 0.02, as a share of 2% is."""
    table = Table("t", "T", [Column("Change, percentage points", "points")], [[Estimate(0.02, 0.01, 0.03)]])
    assert _rows(table) == [["Change", "Change low", "Change high"], ["0.02", "0.01", "0.03"]]
