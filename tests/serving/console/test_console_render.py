"""Pages as text: honest, self-contained, and deaf to what names in the data would like them to do."""

import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import get_args
from urllib.parse import unquote, urlsplit

import console_pages as pages
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.nobody import OF_NOBODY
from serving.console import assets, blocks, figures, names_on_map, render, standalone
from serving.console.blocks import Chart, Column, Fact, Facts, Page, Section, Table, Text
from serving.console.locale import Reader
from serving.console.render import Frame
from serving.console.views import VIEWS

CONSOLE = Frame("/console", "uplift", "segment=b", who=pages.EVIL, token="t")
VOID = {"meta", "link", "input", "br", "img"}


class Elements(HTMLParser):
    """Every element with its attributes and its own text, in order; fails on tags that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.found, self._open = [], []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(self.found[-1])

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        if self._open:
            self._open[-1][2].append(data)

    def tags(self, *names):
        return [(attributes, "".join(text)) for tag, attributes, text in self.found if tag in names]


@pytest.fixture(scope="module")
def file():
    return standalone.file(pages.everything(alarm=True))


@pytest.fixture(scope="module")
def own(file):
    """The file without the chart library."""
    library = str(render._inline("plotly.min.js"))
    assert library in file
    return file.replace(library, "")


@pytest.fixture(scope="module")
def console():
    return render.page(pages.everything(), CONSOLE, Reader("en"))


def _used(part):
    """Every class of block on the page."""
    if isinstance(part, list | tuple):
        return set().union(*map(_used, part)) if part else set()
    return {type(part)} | _used(getattr(part, "blocks", []))


def test_the_page_of_these_tests_has_every_block_and_every_chart():
    assert _used(pages.everything().blocks) == set(get_args(blocks.Block))
    builders = {name for name, one in vars(figures).items() if callable(one) and name.islower() and name[0] != "_"}
    assert builders - set(pages.charts()) == {"dataclass", "axis_range", "name_places"}


@pytest.mark.parametrize("form", ["own", "console"])
def test_names_are_text_and_nothing_else(form, request):
    elements = Elements(request.getfixturevalue(form))
    assert {tag for tag, _, _ in elements.found}.isdisjoint({"img", "iframe", "object", "base", "embed"})
    assert [name for _, attributes, _ in elements.found for name in attributes if name.startswith("on")] == []
    for attributes, text in elements.tags("script"):
        assert attributes.get("type") == "application/json" or form == "own" or attributes["src"]
        if attributes.get("type") == "application/json":
            json.loads(text)
    assert len(elements.tags("script")) == 4 + len(pages.charts())  # formats, theme, Plotly, charts; the figures


@pytest.mark.parametrize("form", ["own", "console"])
def test_no_link_leads_where_code_runs(form, request):
    for _, attributes, _ in Elements(request.getfixturevalue(form)).found:
        for name in ("src", "href", "action", "data", "srcset"):
            address = attributes.get(name, "")
            assert urlsplit(address).scheme in ("", "https", "data"), address
            assert not address.startswith("//")
            if address.startswith("data:"):
                assert address.startswith("data:,") or address.startswith("data:text/csv;")


@given(st.text(max_size=40) | st.sampled_from(pages.RUNS) | st.text("javscript:/\\\t\n #?", max_size=20))
def test_any_address_is_of_the_console_or_plain_web_or_none(address):
    for frame in (CONSOLE, Frame()):
        found = frame.href(address)
        if found is not None:
            parts = urlsplit(found)
            assert parts.scheme in ("", "http", "https")
            assert parts.scheme or found[0] in "#?" or found.startswith("/console/")
            assert parts.scheme == "" or parts.netloc
    assert Frame().href("/customers/1") is None


def test_a_file_fetches_nothing(own):
    elements = Elements(own)
    assert [attributes for attributes, _ in elements.tags("script") if "src" in attributes] == []
    assert [attributes["href"] for attributes, _ in elements.tags("link")] == ["data:,"]
    assert not re.search(r"url\((?!data:)", own)
    assert "@import" not in own
    assert "default-src 'none'" in own


def test_a_file_says_that_it_is_of_no_single_customer_and_a_page_of_the_console_does_not(own, console):
    """By that an erasure knows it; within its first bytes."""
    assert OF_NOBODY in own[:4096]
    assert OF_NOBODY not in console


def test_a_file_has_no_forms_and_no_links_into_the_console(own):
    elements = Elements(own)
    assert elements.tags("form", "input", "nav") == []
    links = {attributes["href"] for attributes, _ in elements.tags("a")}
    assert {link for link in links if not link.startswith("data:")} == {
        "#content",
        "#by-action",
        "https://mlflow.example/x",
    }


def test_pages_stay_small(own, console):
    assert len(own.encode()) < 300_000
    assert len(console.encode()) < 200_000


def test_a_year_of_rows_stays_under_two_megabytes():
    rows = [[f"customer {k}", k, k / 7] for k in range(10_000)]
    table = Table("big", "Big", [Column("Customer"), Column("Number", "count"), Column("Money", "money")], rows)
    assert len(render.page(Page("T", "Lead.", [table]), CONSOLE, Reader("de"))) < 2_000_000


@pytest.mark.parametrize(("rows", "short"), [(12, True), (13, False)])
def test_a_short_table_scrolls_with_the_page_and_not_within_itself(rows, short):
    table = Table("some", "Some", [Column("Customer")], [[f"c{k}"] for k in range(rows)])
    assert ('class="scroll short"' in render.page(Page("T", "Lead.", [table]), CONSOLE, Reader())) == short


@pytest.mark.parametrize("form", ["own", "console"])
def test_every_id_is_one_and_every_label_is_there(form, request):
    elements = Elements(request.getfixturevalue(form)).found
    ids = [attributes["id"] for _, attributes, _ in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes, _ in elements:
        for name in ("aria-labelledby", "aria-describedby", "for"):
            assert set(attributes.get(name, "").split()) <= set(ids)


@pytest.mark.parametrize("form", ["own", "console"])
def test_headings_never_skip_a_level(form, request):
    levels = [int(tag[1]) for tag, _, _ in Elements(request.getfixturevalue(form)).found if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_chart_has_its_figures_in_a_table_and_is_described(console):
    elements = Elements(console).found
    assert sum(tag == "figure" for tag, _, _ in elements) == len(pages.charts()) + 1
    assert sum(attributes.get("class") == "behind" for _, attributes, _ in elements) == len(pages.charts())
    pictures = [attributes for _, attributes, _ in elements if attributes.get("role") == "img"]
    assert len(pictures) == len(pages.charts())
    assert all(one["aria-describedby"] and one["aria-labelledby"] for one in pictures)


def test_the_alarm_is_an_alert_in_words(file, console):
    assert 'role="alert"' in file
    assert "Do not rely on this yet" in file
    assert 'role="alert"' not in console


def test_what_is_not_known_is_a_dash_and_verdicts_are_words(console):
    table = console[console.index('id="table-effects"') : console.index('id="chart-intervals"')]
    cells = [re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", table, re.S)]
    assert cells[0:7] == [
        "12,345",
        "+4.5 +3.9 to +5.1",
        "+$1,234 +$800 to +$1,700",
        "12.0%",
        "0.5 to 2.5",
        "raised",
        "–",
    ]
    assert cells[16:24] == ["12", "–", "–", "–", "–", "too few to tell", "–", "–"]
    assert '<span class="chip bad">raised</span>' in table
    assert '<a href="/console/actions/winback">Winback e-mail</a>' in table


def test_csv_is_asked_for_as_the_page_was_and_a_file_carries_it(console, own):
    links = [attributes for attributes, _ in Elements(console).tags("a") if "download" in attributes]
    shown = [one for one in blocks.tables(pages.everything().blocks) if one.rows]
    assert [link["href"] for link in links] == [f"/console/uplift/{one.id}.csv?segment=b" for one in shown]
    carried = [attributes for attributes, _ in Elements(own).tags("a") if "download" in attributes]
    assert len(carried) == len(shown)
    header = unquote(carried[0]["href"]).splitlines()[0].split(",", 1)[1].lstrip("\ufeff")
    assert header.split(",")[:6] == [
        "Action",
        "Customers",
        "Difference",
        "Difference low",
        "Difference high",
        "Extra money",
    ]


def _settled(figure, frame=CONSOLE, reader=None):
    return json.loads(render._Writer(frame, reader or Reader("en", currency="EUR")).figure(figure))


@pytest.mark.parametrize("name", sorted(pages.charts()))
def test_figures_carry_no_markup_no_bad_link_and_no_fixed_colour(name):
    def walk(part, key=""):
        if isinstance(part, dict):
            assert "kind" not in part
            for inner, value in part.items():
                walk(value, inner)
        elif isinstance(part, list):
            for one in part:
                walk(one, key)
        elif isinstance(part, str):
            if key == "customdata":
                assert part.startswith("/console/")
            elif key != "hovertemplate":
                assert "<" not in part
                assert not re.search(r"&(?!amp;|lt;|gt;)", part)
            if key in ("color", "fillcolor"):
                role = re.fullmatch(r"@([a-z0-9-]+)(/\d+)?", part)
                assert role, part
                assert f"--{role[1]}:" in css
        else:
            assert part is None or isinstance(part, int | float | bool)

    css = assets.asset("console.css").body.decode()
    walk(_settled(pages.charts()[name]))


def test_templates_of_charts_hold_no_names():
    for figure in pages.charts().values():
        for trace in figure["data"]:
            for part in (trace, trace.get("node", {}), trace.get("link", {})):
                assert not {pages.EVIL, pages.MARKUP, pages.LONG} & {part.get("hovertemplate")}
                assert re.fullmatch(r"([%{}a-zA-Z.:, ]|<extra>[%{}a-zA-Z.]*</extra>)*", part.get("hovertemplate", ""))


def test_points_are_drawn_as_points_and_axes_are_the_readers():
    drawn = _settled(figures.intervals([figures.Span("a", 0.045, 0.03, 0.06, outer=(0.02, 0.07))], "points"))
    assert [trace["x"] for trace in drawn["data"]] == [[2.0, 7.000000000000001], [3.0, 6.0], [4.5]]
    assert drawn["layout"]["xaxis"]["range"][0] < 0
    money = figures.lines([figures.Line("m", ["2026-01-01"], [5.0])], "signed_money")
    assert _settled(money)["layout"]["yaxis"]["tickformat"] == "$,~r"  # D3's word for the currency of its locale


def test_what_is_no_number_is_left_out_of_a_chart():
    drawn = _settled(figures.bars([figures.Bars("a", [float("nan"), float("inf"), 1.0])], ["x", "y", "z"], "count"))
    assert drawn["data"][0]["y"] == [None, None, 1.0]


def test_a_figure_cannot_end_its_script_element():
    text = str(render._Writer(CONSOLE, Reader()).json({"a": "</script><!--\u2028 & >"}))
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": "</script><!--\u2028 & >"}


def test_the_menu_shows_where_one_is():
    def current(path):
        page = render.page(Page("T", "L.", []), replace(CONSOLE, path=path), Reader())
        return {text for attributes, text in Elements(page).tags("a") if attributes.get("aria-current") == "page"}

    titles = {view.path: view.title for view in VIEWS if view.menu}
    for path, title in titles.items():
        assert current(path) == {title}
    assert current("customers/a%2Fb") == {titles["customers"]}


def test_without_a_key_there_is_no_menu_and_nothing_to_sign_out_of():
    elements = Elements(render.page(Page("Sign in", "", []), Frame("/console"), Reader()))
    assert elements.tags("nav", "form") == []


def test_sections_in_folds_are_one_level_deeper():
    page = Page("T", "L.", [Section("a", "A", [blocks.Details("more", [Section("b", "B", [Text("x")])])])])
    found = Elements(render.page(page, CONSOLE, Reader())).found
    headings = [(tag, "".join(text)) for tag, _, text in found if re.fullmatch("h[1-6]", tag)]
    assert headings == [("h1", "T"), ("h2", "A"), ("h3", "B")]


def test_currency_is_the_pages_before_the_workspaces():
    facts = Facts([Fact("Spent", 3.5, "money"), Fact("Abroad", 3.5, "money", unit="CHF")])
    text = render.page(Page("T", "L.", [facts], currency="USD"), CONSOLE, Reader(currency="EUR"))
    assert "$3.50" in text
    assert "CHF" in text
    assert "€" not in text


def test_hashed_names_find_their_files_and_no_others():
    for plain in ("console.css", "theme.js", "charts.js", "plotly.min.js"):
        found = assets.asset(plain)
        assert assets.find(found.name) is found
        assert re.fullmatch(r"[a-z.]+\.[0-9a-f]{12}\.(css|js)", found.name)
    assert assets.find("console.css") is None
    assert assets.find("../render.py") is None


def test_what_is_put_inline_ends_no_element():
    for name in ("theme.js", "charts.js", "plotly.min.js"):
        assert "</script" not in str(render._inline(name)).lower()
    assert "</style" not in str(render._inline("console.css")).lower()


def test_tables_are_found_wherever_they_stand():
    page = pages.everything()
    names = [one.id for one in blocks.tables(page.blocks)]
    assert names == ["effects", *(f"figures-{name}" for name in pages.charts()), "none", "figures-hollow"]
    assert blocks.table(page, "effects") is pages.EFFECTS
    assert blocks.table(page, "other") is None


def test_an_artefact_that_no_page_shows_is_refused():
    with pytest.raises(KeyError, match="unheard-of"):
        standalone.html({"kind": "unheard-of"})


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_stand_out(scheme):
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for marks that carry meaning."""
    css = assets.asset("console.css").body.decode()
    pairs = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", css)
    palette = {name: both[scheme] for name, *both in pairs}
    for ground in ("paper", "surface", "sunken"):
        for name in ("ink", "quiet", "accent"):
            assert _contrast(palette[name], palette[ground]) >= 4.5, (name, ground)
    for tone in ("good", "bad", "warn", "info", "alarm", "accent"):
        assert _contrast(palette[tone], palette[f"{tone}-panel"]) >= 4.5, tone
        assert _contrast(palette["ink"], palette[f"{tone}-panel"]) >= 4.5, tone
        assert _contrast(palette[tone], palette["surface"]) >= 4.5, tone
    assert _contrast(palette["quiet"], palette["muted-panel"]) >= 4.5
    for name in ("muted", *figures.SERIES):
        assert _contrast(palette[name], palette["surface"]) >= 3, name


def test_charts_are_a_part_of_the_page_only_where_there_are_any():
    page = render.page(Page("T", "L.", [Text("x")]), CONSOLE, Reader())
    assert "plotly.min" not in page
    hollow = Chart("c", "C", figures.bars([figures.Bars("a", [2])], ["x"], "count"), pages.EFFECTS, "S.")
    assert "plotly.min" in render.page(Page("T", "L.", [blocks.Details("d", [hollow])]), CONSOLE, Reader())


@given(st.lists(st.tuples(st.text("abc ", min_size=1, max_size=12), st.floats(0, 1), st.floats(0, 1)), max_size=12))
def test_names_on_a_map_keep_apart(points):
    """Every name that is shown lies inside the map and on no other name."""
    across, up = (names_on_map.axis_range([one[k] for one in points]) for k in (1, 2))
    places = names_on_map.name_places(points, across, up)
    boxes = []
    for (name, x, y), place in zip(points, places, strict=True):
        if place:
            x, y = (x - across[0]) / (across[1] - across[0]), (y - up[0]) / (up[1] - up[0])
            wide = len(name) * names_on_map.LETTER
            left = {"middle right": x + names_on_map.HALF, "middle left": x - names_on_map.HALF - wide}
            low = {"top center": y + names_on_map.ROW / 2, "bottom center": y - 1.5 * names_on_map.ROW}
            boxes.append((left.get(place, x - wide / 2), low.get(place, y - names_on_map.ROW / 2), wide))
    for (x, y, wide), (other_x, other_y, other_wide) in itertools.combinations(boxes, 2):
        apart = x + wide <= other_x + 1e-9 or other_x + other_wide <= x + 1e-9
        assert apart or abs(y - other_y) >= names_on_map.ROW - 1e-9
    assert all(x >= 0 and x + wide <= 1 for x, _, wide in boxes)
