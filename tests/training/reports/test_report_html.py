"""The page as text: self-contained, honest, and deaf to what names in the data would like it to do."""

import csv
import io
import itertools
import re
from html.parser import HTMLParser
from importlib import resources
from urllib.parse import unquote

import pytest
import report_pages as pages

from training.reports import chart, html
from training.reports.artefact import UpliftReport


class Elements(HTMLParser):
    """Every start tag with its attributes, in order."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return pages.everything(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(report):
    return html.render(report)


def test_names_are_text_and_nothing_else(page):
    tags = {tag for tag, _ in Elements(page).found}
    assert not tags & {"script", "img", "iframe", "object", "form"}
    assert not [name for _, attributes in Elements(page).found for name in attributes if name.startswith("on")]
    assert "&lt;script&gt;" in page


def test_nothing_is_fetched(page):
    for _, attributes in Elements(page).found:
        for name in ("src", "href", "action", "data", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_it_is_small(page):
    assert len(page.encode()) < 100_000


def test_every_sentence_of_the_artefact_is_on_the_page(report, page):
    from markupsafe import escape

    said = [report.headline, report.assignment.sentence, report.other_contacts.sentence, *report.notes, *report.method]
    for outcome in report.outcomes:
        said += [one.sentence for one in outcome.comparisons] + [plan.sentence for plan in outcome.plans]
    for sentence in said:
        assert str(escape(sentence)) in page


def test_each_chart_has_a_table_beside_it_and_a_name(page):
    elements = Elements(page).found
    figures = sum(tag == "figure" for tag, _ in elements)
    tables = sum(tag == "table" for tag, _ in elements)
    assert figures == 3  # two outcomes, one campaign by another tool
    assert tables >= figures
    for tag, attributes in elements:
        if tag == "svg" and attributes.get("role") == "img":
            assert attributes["aria-label"]
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in elements:
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids


def test_headings_never_skip_a_level(page):
    levels = [int(tag[1]) for tag, _ in Elements(page).found if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_tables_travel_as_csv_without_formulas(page):
    links = [a["href"] for tag, a in Elements(page).found if tag == "a" and "download" in a]
    assert len(links) == len([tag for tag, _ in Elements(page).found if tag == "table"])
    rows = list(csv.reader(io.StringIO(unquote(links[0].split(",", 1)[1]).lstrip("\ufeff"))))
    assert rows[0][0] == "Group"
    groups = {row[0]: row for row in rows}
    assert pages.EVIL in groups
    assert "'" + pages.FORMULA in groups
    assert pages.FORMULA not in groups
    assert groups[pages.LONG][3].startswith("-")  # a plain minus, which spreadsheets read as a number


def test_the_alarm_takes_the_headlines_place(tmp_path):
    red = html.render(pages.everything(tmp_path, alarm=True))
    assert 'role="alert"' in red
    assert "In one sentence" not in red
    assert red.count("Not reliable: see the warning at the top.") == 2


def test_the_artefact_survives_the_journey_through_json(report, page, tmp_path):
    report.write(tmp_path / "r.json")
    again = UpliftReport.model_validate_json((tmp_path / "r.json").read_text())
    assert again == report
    assert html.render(again) == page


@pytest.mark.parametrize(
    "values",
    [[0.0389, 0.0832], [-3.2, 0.6], [0.0], [1e-9], [-1234.0, -20.0], [99.0, 101.0], [0.5, 2e6], [-1e-4, 1e-4]],
)
def test_an_axis_holds_every_value_and_zero_on_round_ticks(values):
    axis = chart.axis(values)
    assert axis.low <= min(0.0, *values, 0.0)
    assert axis.high >= max(0.0, *values, 0.0)
    assert 2 <= len(axis.ticks) <= 8
    assert any(abs(tick) < axis.step / 1e6 for tick in axis.ticks)
    assert 0 <= axis.at(min(values)) <= axis.at(max(values)) <= 100


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_text_and_marks_stand_out_in_light_and_dark():
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for marks that carry meaning."""
    css = (resources.files("training.reports") / "templates" / "report.css").read_text()
    palettes = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)
    ]
    for palette in palettes[:2]:
        for name in ("ink", "quiet", "raised", "lowered", "undecided", "alarm"):
            assert _contrast(palette[name], palette["paper"]) >= 4.5, name
        assert _contrast(palette["alarm"], palette["alarm-panel"]) >= 4.5
        assert _contrast(palette["ink"], palette["alarm-panel"]) >= 4.5
        assert _contrast(palette["others"], palette["paper"]) >= 3
        assert _contrast(palette["others"], palette["panel"]) >= 3
