"""Pages in a real chromium: every screen, theme and paper; nothing runs that is not ours, nothing leaves."""

import console_pages as pages
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import WAIT, anew, redrawn, until

from serving.console import assets, render, standalone
from serving.console.locale import Reader
from serving.console.render import Frame
from serving.console.writing import HEADERS

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ORIGIN = "https://console.test"  # where browsers trust every header
HIDDEN = "getComputedStyle(document.querySelector('{}')).display"


def served(route, **changed):
    """The console as its service answers: one page, its assets, its policy; `changed` assets are other bytes."""
    path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
    if path.startswith("/console/assets/"):
        found = assets.find(path.rpartition("/")[2])
        name = f"{found.name.split('.')[0]}.js"
        route.fulfill(body=changed.get(name, found.body), content_type=found.media, headers=HEADERS)
    else:
        frame = Frame("/console", "uplift", who=pages.EVIL, token="t")
        text = render.page(pages.everything(), frame, Reader("de", "Europe/Berlin"))
        route.fulfill(body=text, content_type="text/html; charset=utf-8", headers=HEADERS)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A file with everything on it."""
    path = tmp_path_factory.mktemp("file") / "uplift.html"
    path.write_text(standalone.file(pages.everything(alarm=True)), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def visit(chromium):
    """Opens a page in a window of its own; fails on anything that runs, asks for a file or complains, but for what
    holds `expected`."""
    contexts, trouble = [], []

    def open_page(address, width=1280, scheme="light", settled=True, changed=None, **options):
        context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        context.set_default_timeout(WAIT)
        contexts.append(context)
        context.route(f"{ORIGIN}/**", lambda route: served(route, **(changed or {})))
        page = context.new_page()
        page.on("console", lambda message: trouble.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
        page.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}") or dialog.dismiss())
        page.on(
            "request",
            lambda r: None if r.url.startswith(("file:", "data:", ORIGIN)) else trouble.append(f"request: {r.url}"),
        )
        page.goto(address)
        if settled:
            page.wait_for_selector("html.settled")
        return page

    open_page.expected = None
    yield open_page
    for context in contexts:
        context.close()
    assert [each for each in trouble if open_page.expected is None or open_page.expected not in each] == []


@pytest.fixture(params=["file", "console"])
def where(request, address):
    return address if request.param == "file" else f"{ORIGIN}/console/uplift?segment=b"


def test_it_fits_every_screen_with_every_chart_drawn(visit, where):
    page = visit(where)
    assert page.title() == "Uplift · Tactful"
    assert page.locator(".chart.drawn").count() == len(pages.charts())
    assert page.locator(".chart.failed").count() == 0
    assert page.locator(".behind[open]").count() == 0
    for width in (320, 390, 768, 1280):
        with anew(page):
            page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        outside = page.evaluate(
            """() => [...document.querySelectorAll('body *')]
                .filter(e => !e.closest('.scroll, .skip, pre, #js-plotly-tester'))
                .map(e => [e.getBoundingClientRect(), e])
                .filter(([box]) => box.width && (box.right > innerWidth + 1 || box.left < -1))
                .map(([, e]) => e.outerHTML.slice(0, 80))"""
        )
        assert outside == []


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious(visit, where, width):
    page = visit(where, width, bypass_csp=True)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        redrawn(page)
        found = [v for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
        assert [(scheme, one["id"], one["nodes"][0]["html"][:120]) for one in found] == []


def test_names_in_charts_are_letters(visit, where):
    page = visit(where)
    assert page.evaluate("[...document.querySelectorAll('.plot a, .plot b, .plot img, .plot script')].length") == 0
    assert page.locator(".plot").get_by_text(pages.EVIL[:12]).count() >= 3


def test_dark_is_dark_and_charts_are_drawn_again(visit, where):
    shade = "getComputedStyle(document.body).backgroundColor"
    bar = "document.querySelector('#chart-lying .plot .point path').style.fill"
    page = visit(where, scheme="light")
    light = page.evaluate(shade), page.evaluate(bar)
    with anew(page):
        page.emulate_media(color_scheme="dark")
    dark = page.evaluate(shade), page.evaluate(bar)
    assert light[0] == "rgb(246, 247, 249)"
    assert dark[0] == "rgb(15, 20, 26)"
    assert light[1] != dark[1]


def test_the_theme_is_kept_in_this_browser(visit):
    page = visit(f"{ORIGIN}/console/uplift", scheme="dark")
    button = page.get_by_role("button", name="Theme: auto")
    button.click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)"
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.get_by_role("button", name="Theme: light").click()
    page.get_by_role("button", name="Theme: dark").click()
    assert page.locator("html").get_attribute("data-theme") is None
    assert page.context.cookies() == []


def test_a_click_on_a_flow_and_on_a_bar_follows_its_link(visit):
    page = visit(f"{ORIGIN}/console/uplift")
    page.locator("#chart-sankey .sankey-link").first.scroll_into_view_if_needed()
    page.locator("#chart-sankey .sankey-link").first.click()
    page.wait_for_url(f"{ORIGIN}/console/journeys?flow=0-1")
    page.goto(f"{ORIGIN}/console/uplift")
    page.wait_for_selector("html.settled")
    page.locator("#chart-bars .plot").scroll_into_view_if_needed()
    x, y = page.evaluate(
        """() => { const r = document.querySelector('#chart-bars .point path').getBoundingClientRect();
                   return [r.x + r.width / 2, r.y + r.height / 2]; }"""
    )
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    page.wait_for_url(f"{ORIGIN}/console/actions/x")


def test_a_bad_link_in_a_chart_leads_nowhere(visit):
    page = visit(f"{ORIGIN}/console/uplift")
    page.locator("#chart-sankey .sankey-link").nth(1).scroll_into_view_if_needed()
    page.locator("#chart-sankey .sankey-link").nth(1).click(position={"x": 30, "y": 10}, force=True)
    page.wait_for_timeout(300)
    assert page.url in (f"{ORIGIN}/console/uplift", f"{ORIGIN}/console/journeys?flow=0-1")


def test_without_scripts_the_tables_are_there(visit, where):
    page = visit(where, settled=False, java_script_enabled=False)
    assert page.locator(".behind[open] table").count() == len(pages.charts())
    assert page.locator("#chart-bars .behind table").is_visible()
    assert not page.locator("#chart-bars .plot").is_visible()
    assert not page.locator(".theme").is_visible()


def test_the_menu_works_without_scripts_on_a_phone(visit):
    page = visit(f"{ORIGIN}/console/uplift", 390, settled=False, java_script_enabled=False)
    entry = page.get_by_role("link", name="Journeys", exact=True)
    assert not entry.is_visible()
    page.locator("summary", has_text="Menu").click()
    assert entry.is_visible()
    entry.click()
    page.wait_for_url(f"{ORIGIN}/console/journeys")


@pytest.mark.parametrize(
    "changed",
    [
        {"plotly.js": b""},
        {"charts.js": b""},
        {"plotly.js": b"window.Plotly = { register() {}, react() { throw new Error('no') } };"},
    ],
    ids=["no library", "no charts.js", "a library that fails"],
)
def test_where_charts_fail_the_tables_take_their_place(visit, changed):
    visit.expected = "chart"
    page = visit(f"{ORIGIN}/console/uplift", settled=False, changed=changed)
    until(page, f"document.querySelectorAll('.chart.failed').length >= {len(pages.charts())}")
    assert page.locator("#chart-bars .behind table").is_visible()
    assert not page.locator("#chart-bars .plot").is_visible()


def test_the_keyboard_reaches_everything_visibly(visit):
    page = visit(f"{ORIGIN}/console/uplift")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    until(page, "document.activeElement.id === 'content'")
    wanted = {"segment", "from", "q", "n"}
    seen, csv, folds = set(), 0, 0
    for _ in range(120):
        page.keyboard.press("Tab")
        name, kind, outline = page.evaluate(
            """() => { const e = document.activeElement;
                       return [e.name ?? '', e === document.body ? 'BODY' : e.className || e.tagName,
                               getComputedStyle(e).outlineStyle]; }"""
        )
        if kind == "BODY":
            break
        assert outline in ("solid", "auto"), (name, kind)
        seen.add(name)
        csv += kind == "csv"
        folds += kind == "SUMMARY"
    assert wanted <= seen
    assert csv == len(pages.charts()) + 1
    assert folds == len(pages.charts()) + 1
    page.locator("#behind-bars").focus()
    page.keyboard.press("Enter")
    assert page.locator("#chart-bars .behind table").is_visible()


def test_a_screen_reader_finds_landmarks_headings_tables_and_charts(visit, where):
    page = visit(where)
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("img", name="Chart of sankey").count() == 1
    table = page.get_by_role("table", name="Effect by action", exact=True)
    row = table.get_by_role("row", name=pages.LONG)
    assert row.get_by_role("rowheader").count() == 1
    assert row.get_by_role("cell", name="raised").count() == 1
    assert table.get_by_role("columnheader", name="Customers").count() == 1


def test_a_files_tables_download_as_csv(visit, address):
    page = visit(address, accept_downloads=True)
    with page.expect_download() as started:
        page.get_by_role("link", name="Effect by action as CSV").click()
    assert started.value.suggested_filename == "effects.csv"
    text = started.value.path().read_text(encoding="utf-8-sig")
    assert text.splitlines()[0].startswith("Action,Customers,Difference")
    assert f"'{pages.FORMULA}".replace('"', '""') in text


def test_paper_is_white_without_menu_and_forms_with_folds_open(visit):
    page = visit(f"{ORIGIN}/console/uplift", 700, scheme="dark")
    with anew(page):
        page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    for gone in (".top", ".form", ".csv", ".skip", ".behind > summary"):
        assert page.evaluate(HIDDEN.format(gone)) == "none"
    assert page.locator("details.more p").first.is_visible()
    label = page.evaluate("getComputedStyle(document.querySelector('#chart-bars .xtick text')).fill")
    assert max(map(int, label.removeprefix("rgb(").removesuffix(")").split(", "))) < 120
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page/") <= 14
