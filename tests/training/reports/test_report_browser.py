"""The page in a real chromium: phone and desk, light, dark and paper, and nothing that runs or leaves."""

import os
import shutil

import pytest
import report_pages as pages

from training.reports import html

pytestmark = pytest.mark.browser
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def browser():
    """Debian's chromium; without one the tests skip visibly, and fail in CI."""
    found = os.environ.get("TACTFUL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        reason = "no chromium on the PATH: install it, or name it in TACTFUL_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    html.write(pages.everything(folder), folder / "uplift.html")
    return (folder / "uplift.html").as_uri()


@pytest.fixture
def visit(browser, address):
    """Opens the page in a window of its own and fails on anything that runs, asks for a file or complains."""
    contexts, trouble = [], []

    def open_page(width=1280, scheme="light", **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: trouble.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
        page.on("dialog", lambda dialog: trouble.append(f"dialog: {dialog.message}") or dialog.dismiss())
        page.on(
            "request", lambda r: trouble.append(f"request: {r.url}") if not r.url.startswith(("file:", "data:")) else 0
        )
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen(visit, width, scheme):
    page = visit(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.title().startswith("Uplift: bought and revenue by group")
    outside = page.evaluate(
        """() => [...document.querySelectorAll('body *')].filter(e => !e.closest('thead, .skip') &&
            e.getBoundingClientRect().width && (e.getBoundingClientRect().right > innerWidth + 1 ||
            e.getBoundingClientRect().left < -1)).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert outside == []


def test_dark_is_dark_and_light_is_light(visit):
    shade = "getComputedStyle(document.body).backgroundColor"
    assert visit(scheme="light").evaluate(shade) == "rgb(255, 255, 255)"
    assert visit(scheme="dark").evaluate(shade) == "rgb(17, 23, 30)"


@pytest.mark.parametrize("width", [390, 1280])
def test_a_screen_reader_finds_headings_tables_and_charts(visit, width):
    page = visit(width)
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("table").count() == 5
    row = page.get_by_role("row", name=pages.LONG).first
    assert row.get_by_role("cell", name="lowered").count() == 1
    assert page.get_by_role("columnheader", name="Customers").count() == 3
    assert page.get_by_role("img", name="fax: too few to tell").count() == 2


def test_the_keyboard_reaches_every_link_visibly(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.download") == "uplift-1.csv"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_table_downloads_as_csv(visit):
    page = visit(accept_downloads=True)
    with page.expect_download() as started:
        page.get_by_role("link", name="bought by group as CSV").click()
    text = started.value.path().read_text(encoding="utf-8-sig")
    assert text.splitlines()[0].startswith("Group,Customers,Rate")
    assert "No E-Mail" in text


def test_marks_sit_where_the_figures_say(visit):
    """On the first chart the effect's mark lies between its interval's ends, right of zero where sales rose."""
    page = visit()
    row = page.locator(".row", has_text=pages.EVIL).first
    zero = row.locator(".zero").bounding_box()["x"]
    mark = row.locator(".mark circle").bounding_box()
    whisker = row.locator(".whisker").first.bounding_box()
    assert zero < whisker["x"] < mark["x"] + mark["width"] / 2 < whisker["x"] + whisker["width"]


def test_it_prints_on_a_few_pages_in_ink(visit):
    page = visit(scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page/") <= 8
