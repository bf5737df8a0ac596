"""What the console answers over HTTP: pages, tables, files, and designed pages for whatever is not there or fails."""

import asyncio
import csv
import gzip
import io
import json
import logging
import sys
import threading
import time
from types import ModuleType

import market
import pytest
from mounted import KEY, mounted
from starlette.testclient import TestClient

from serving import metrics
from serving.auth import hashed, new_key
from serving.console import aside, assets, render, routes
from serving.console.artefacts import Artefacts, Unusable
from serving.console.aside import Aside
from serving.console.blocks import Column, Page, Section, Table, href
from serving.console.views import VIEWS, View, customers
from serving.engine import Engine
from serving.problems import Problem
from serving.store.protocol import Key

MARKETER = new_key()
EVIL = '"><script>alert(1)</script>'
HEADERS = {"X-API-Key": KEY}


def figures(artefact, ask):
    """A page over an artefact."""
    rows = [
        (name, share)
        for name, share in artefact["rows"]
        if ask.query.get("only", name) == name and name not in ask.hidden
    ]
    table = Table("by-name", "By name", [Column("Name"), Column("Share", "percent")], rows)
    return Page(
        "Figures",
        f"There are {len(rows):,} figures.",
        [Section("all", "All", [table])],
        known_until="2026-05-04T12:00:00Z",
        names=[name for name, _ in rows] if ask.query.get("who") else (),
    )


async def person(look, ask):
    """A live page."""
    name = ask.path["name"]
    await look.looked(name)
    if name == "away":
        raise Problem("not-ready", "the store is not available")
    if name == "broken":
        raise RuntimeError("oops")
    return Page(f"Person {name}", "One sentence.", [Table("parts", "Parts", [Column("Part")], [(name,)])])


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Without models."""
    found = Engine.open(market.found(tmp_path_factory.mktemp("console-http") / "shop"))
    yield found
    found.close()


@pytest.fixture
def views(monkeypatch):
    """Two pages of the test's own in place of the real ones."""
    for name, page in (("figures_for_test", figures), ("person_for_test", person)):
        module = ModuleType(name)
        module.page = page
        monkeypatch.setitem(sys.modules, f"serving.console.views.{name}", module)
    pages = (
        View("", "Figures", "figures_for_test", artefact="figures"),
        View("persons/{name}", "Person", "person_for_test", menu=False, scope="customers"),
    )
    monkeypatch.setattr(routes, "VIEWS", pages)


def here(work, *arguments):
    """Pages of the test's own are known in no other process."""
    return work(*arguments)


@pytest.fixture
def app(engine):
    return mounted(engine, (Key("marketing", hashed(MARKETER), "marketer", 0),), here)


@pytest.fixture
def client(views, app):
    return TestClient(app, headers=HEADERS, raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def artefact(engine):
    """A function that writes the artefact of the test's page; gone afterwards."""
    folder = engine.workspace.reports
    folder.mkdir(exist_ok=True)

    def write(content):
        text = content if isinstance(content, str) else json.dumps({"kind": "figures", "schema_version": 1} | content)
        (folder / "figures.json").write_text(text)

    write({"rows": [["a", 0.25], [EVIL, 0.5], ["=1+1", None]]})
    yield write
    (folder / "figures.json").unlink(missing_ok=True)


def test_a_page_is_shown_with_headers_that_keep_it_safe(client, artefact):
    answer = client.get("/console/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "There are 3 figures." in answer.text
    assert EVIL not in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-hashes' 'sha256-")
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/console/sign-in", 303),
        ("GET", "/console/nothing", 404),
        ("GET", "/console/persons", 404),
        ("GET", "/console/persons/", 308),
        ("GET", "/console/persons/a/b", 404),
        ("GET", "/console/none.csv", 404),
        ("GET", "/console/" + "x" * 2_000, 404),
        ("GET", "/console/?" + "x" * 5_000, 400),
        ("GET", "/console/persons/a%00b", 400),
        ("GET", "/console/?only=%00", 400),
        ("POST", "/console/", 405),
        ("PUT", "/console/sign-in", 405),
        ("DELETE", "/console/persons/C1", 405),
        ("GET", "/console/sign-out", 405),
        ("POST", "/console/assets/console.css", 405),
        ("GET", "/console/assets/nothing.js", 404),
        ("GET", "/console/assets/../app.py", 404),
        ("GET", "/console/persons/away", 503),
        ("GET", "/console/persons/broken", 500),
    ],
)
def test_every_answer_is_a_page_of_its_own_with_the_same_headers(client, artefact, method, path, status):
    answer = client.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"
    if status >= 400 and "assets/" not in path:
        assert "<h1>" in answer.text
        assert "oops" not in answer.text
    head = client.request("HEAD", path) if method == "GET" else answer
    assert head.status_code == status


def test_until_the_store_is_open_it_says_so(views):
    client = TestClient(mounted(None), headers={})
    answer = client.get("/console/")
    assert answer.status_code == 503
    assert "Not ready yet" in answer.text
    assert answer.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "Nobody has made this report"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ("", "damaged"),
        ({"kind": "uplift"}, "damaged"),
        ({"schema_version": 2}, "another version of Tactful (schema 2, this page reads 1)"),
        ({"schema_version": EVIL}, "another version"),
    ],
)
def test_an_artefact_that_cannot_be_shown_is_told_with_what_to_do(client, artefact, engine, content, said):
    if content is None:
        (engine.workspace.reports / "figures.json").unlink()
    else:
        artefact(content)
    answer = client.get("/console/")
    assert answer.status_code == 200
    assert said in answer.text
    assert "tactful report figures" in answer.text
    assert "<script>alert" not in answer.text
    assert client.get("/console/by-name.csv").status_code == 404


def test_an_artefact_without_its_figures_is_told_as_damaged(client, artefact, caplog):
    artefact({"other": 1})
    answer = client.get("/console/")
    assert answer.status_code == 200
    assert "tactful report figures" in answer.text
    assert "KeyError" not in answer.text


def test_an_artefact_is_read_again_only_when_it_changed(tmp_path):
    found = Artefacts()
    path = tmp_path / "figures.json"
    path.write_text('{"kind": "figures", "schema_version": 1, "n": 1}')
    first = found.read(tmp_path, "figures", 1)
    assert found.read(tmp_path, "figures", 1) is first
    newer = tmp_path / "newer"
    newer.write_text('{"kind": "figures", "schema_version": 1, "n": 2}')
    newer.replace(path)
    assert found.read(tmp_path, "figures", 1)["n"] == 2
    path.write_text("{")
    with pytest.raises(Unusable, match="figures"):
        found.read(tmp_path, "figures", 1)


def test_every_table_is_there_as_csv_as_it_was_asked(client, artefact):
    answer = client.get("/console/by-name.csv", params={"only": "a"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="by-name.csv"'
    assert list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))) == [["Name", "Share"], ["a", "0.25"]]
    whole = client.get("/console/by-name.csv").text
    assert "'=1+1" in whole, "no spreadsheet runs it"
    page = client.get("/console/", params={"only": "a"}).text
    assert 'href="/console/by-name.csv?only=a"' in page


def test_what_stands_in_a_path_may_be_anything(client, engine):
    for name in ("a b", "a/b", "a%2Fb", "ü", "x.csv", ".", "..", "~", EVIL, "?", "#", "a\\b"):
        quoted = "/console" + href("persons", name)
        answer = client.get(quoted)
        assert answer.status_code == 200, name
        assert "<script>alert" not in answer.text
        rows = client.get(quoted + "/parts.csv").text.removeprefix("\ufeff").splitlines()
        assert next(csv.reader(rows[1:])) == [name]


def test_files_are_kept_by_browsers_and_packed(client):
    page = client.get("/console/").text
    for plain in ("console.css", "theme.js"):
        name = assets.asset(plain).name
        assert f"/console/assets/{name}" in page
        answer = client.get(f"/console/assets/{name}")
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.content == assets.asset(plain).body
        plainly = client.get(f"/console/assets/{name}", headers={"Accept-Encoding": "identity"})
        assert plainly.content == assets.asset(plain).body
        assert "content-encoding" not in plainly.headers
    signed_out = client.get(f"/console/assets/{name}", headers={"X-API-Key": ""})
    assert signed_out.status_code == 200, "the sign-in form needs them"


def test_a_long_page_is_packed_where_the_browser_takes_it(client, artefact):
    artefact({"rows": [[f"name {k}", k / 1_000] for k in range(1_000)]})
    with client.stream("GET", "/console/", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    plain = client.get("/console/", headers={"Accept-Encoding": "identity"})
    assert len(raw) < len(plain.content) / 4
    assert gzip.decompress(raw) == plain.content


def test_figures_are_written_as_the_reader_writes_them_and_it_is_remembered(client, artefact):
    artefact({"rows": [[f"name {k}", 0.1255] for k in range(1_234)]})
    assert "There are 1,234 figures." in client.get("/console/").text
    assert "There are 1.234 figures." in client.get("/console/", headers={"Accept-Language": "de-DE,en;q=0.5"}).text
    assert "There are 1.234 figures." in client.get("/console/", params={"locale": "de"}).text
    assert "There are 1.234 figures." in client.get("/console/").text, "by a cookie"
    assert client.get("/console/", params={"locale": "../../etc"}).status_code == 200
    there = client.get("/console/", params={"zone": "Europe/Berlin", "locale": "de"}).text
    assert "14:00" in there, "an instant of noon, UTC"
    assert "12:00" in client.get("/console/", params={"zone": "nowhere", "locale": "de"}).text


def test_whoever_stands_in_a_list_was_looked_at(client, engine, artefact, monkeypatch, caplog):
    """Before it is shown, be it as a page or as CSV; where that cannot be kept, nothing is shown."""
    monkeypatch.setattr(logging.getLogger("tactful"), "propagate", True)
    caplog.set_level(logging.INFO)
    artefact({"rows": [["Ms-Listed", 0.5], ["Mr-Listed", 0.5]]})
    client.get("/console/")
    assert not engine.store.export_customer(["Ms-Listed"])["looks"]
    assert "Ms-Listed" in client.get("/console/?who=1").text
    assert "Ms-Listed" in client.get("/console/by-name.csv?who=1").text
    client.get("/console/no-such-table.csv?who=1")
    for name in ("Ms-Listed", "Mr-Listed"):
        looks = engine.store.export_customer([name])["looks"]
        assert [(look["who"], look["page"]) for look in looks] == [("test", "")] * 2
    assert "Listed" not in "".join(each.getMessage() for each in caplog.records if each.name != "httpx")

    def away(*_):
        raise Problem("not-ready", "the store is not available")

    monkeypatch.setattr(engine.store, "looked", away)
    refused = client.get("/console/?who=1")
    assert refused.status_code == 503
    assert "Ms-Listed" not in refused.text


def test_whose_data_are_only_to_be_stored_stands_in_no_list(client, engine, artefact):
    """Nor is a look at them kept, for there was none."""
    artefact({"rows": [["Ms-Shown", 0.5], ["Mr-Stored", 0.5], ["Mr-Stored-2", 0.5]]})
    engine.store.restrict("Mr-Stored", True, 0).result()
    engine.store.restrict("Mr-Stored-2", True, 0).result()
    for address in ("", "by-name.csv"):
        shown = client.get(f"/console/{address}?who=1").text
        assert "Ms-Shown" in shown
        assert "Stored" not in shown
    assert len(engine.store.export_customer(["Ms-Shown"])["looks"]) == 2
    assert not engine.store.export_customer(["Mr-Stored"])["looks"]
    engine.store.restrict("Mr-Stored", False, 0).result()
    assert "Mr-Stored<" in client.get("/console/?who=1").text


def test_who_is_found_by_a_search_was_looked_at(client, engine, monkeypatch):
    monkeypatch.setattr(routes, "VIEWS", tuple(view for view in VIEWS if view.path == "customers"))
    rows = [market.interaction(name) | {"customer_id": name} for name in ("Zoe-1", "Zoe-2")]
    asyncio.run(engine.record(rows))
    assert "Zoe-1" in client.get("/console/customers?q=Zoe").text
    assert [look["page"] for look in engine.store.export_customer(["Zoe-2"])["looks"]] == ["customers"]


def test_a_look_at_a_customer_is_kept_and_logged_without_their_id(client, engine, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("tactful"), "propagate", True)
    caplog.set_level(logging.INFO)
    client.get("/console/persons/Ms-Confidential")
    looks = engine.store.export_customer(["Ms-Confidential"])["looks"]
    assert [look["who"] for look in looks] == ["test"]
    told = [record for record in caplog.records if record.name == "tactful.looks"]
    assert len(told) == 1
    assert "'test' looked at customer" in told[0].getMessage()
    client.get("/console/persons/Ms-Confidential/nothing.csv")
    client.get("/console/persons/Ms-Confidential", headers={"X-API-Key": "wrong"})
    client.get("/console/persons/Ms-Confidential/x/y")
    assert not [
        record for record in caplog.records if "Ms-Confidential" in record.getMessage() and record.name != "httpx"
    ]


def test_metrics_know_addresses_by_their_template(views, client, artefact):
    before = metrics._registry.get_sample_value
    asked = {"method": "GET", "route": "/console/persons/{name}", "status": "200"}
    seen = before("tactful_requests_total", asked) or 0
    for k in range(50):
        client.get(f"/console/persons/C{k}")
        client.get(f"/console/C{k}")
        client.get(f"/console/assets/C{k}.js")
    assert before("tactful_requests_total", asked) == seen + 50
    routes_counted = {
        sample.labels["route"]
        for metric in metrics.REQUESTS.collect()
        for sample in metric.samples
        if "route" in sample.labels
    }
    assert not [route for route in routes_counted if "C4" in route]


def test_pages_are_bounded_and_a_slow_one_is_given_up():
    async def played():
        pages = Aside(threads=1, most=2, patience=0.05)
        gate = threading.Event()
        waiting = [asyncio.ensure_future(pages.run(gate.wait, 300)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="overloaded") as refused:
            await pages.run(gate.wait)
        assert refused.value.headers["Retry-After"] == "2"
        for late in waiting:
            with pytest.raises(Problem, match="timeout"):
                await late
        gate.set()
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                return await pages.run(lambda: "made")
            except Problem:
                await asyncio.sleep(0.01)
        return None

    assert asyncio.run(played()) == "made", "and its place is free again"


def test_pages_take_no_decisions_place_nor_the_other_way_round(client, app, artefact, monkeypatch):
    """A flood of pages fills their own bound; the API's is empty meanwhile."""
    gate, full = threading.Event(), threading.Event()

    def slow(artefact, ask):
        gate.wait(300)
        return figures(artefact, ask)

    def flooding():
        if shared.get("/console/").status_code == 429:
            full.set()

    monkeypatch.setattr(sys.modules["serving.console.views.figures_for_test"], "page", slow)
    with TestClient(app, headers=HEADERS) as shared:
        flood = [threading.Thread(target=flooding) for _ in range(aside.MOST + 1)]
        for each in flood:
            each.start()
        try:
            assert full.wait(120), "one more than there is place for is refused; no place is free until the gate opens"
            refused = shared.get("/console/persons/C1")
            assert refused.status_code == 429
            assert "Too much at once" in refused.text
            assert shared.get("/v1/outbox").status_code == 200
        finally:
            gate.set()
            for each in flood:
                each.join()


def test_whatever_is_shown_is_made_beside_the_event_loop(client, artefact, monkeypatch):
    """Also what a stranger asks for: there is no other bound to it."""
    made_by = []

    def noted(work):
        def made(*arguments):
            made_by.append(threading.current_thread().name)
            return work(*arguments)

        return made

    monkeypatch.setattr(render, "page", noted(render.page))
    monkeypatch.setattr(customers, "_find", noted(customers._find))
    monkeypatch.setattr(routes, "VIEWS", (*routes.VIEWS, next(view for view in VIEWS if view.path == "customers")))
    paths = ("", "nothing", "persons/C1", "persons/away", "persons/broken", "customers?q=C1", "?" + "x" * 5_000)
    for path in paths:
        client.get(f"/console/{path}")
    assert len(made_by) == len(paths) + 1
    stranger = TestClient(client.app, follow_redirects=False)
    assert stranger.get("/console/sign-in").status_code == 200
    assert stranger.post("/console/sign-in", data={"key": KEY}).status_code == 403
    assert stranger.post("/console/").status_code == 405
    assert len(made_by) == len(paths) + 4
    assert not [name for name in made_by if not name.startswith("tactful-console")]


def test_every_page_has_an_address_of_its_own():
    for view in VIEWS:
        path = view.path.replace("{", "").replace("}", "")
        place = routes.find(path)
        assert place is not None
        assert place.view == view
        assert routes.find(f"{path}/by-action.csv" if path else "by-action.csv").table == "by-action"
        assert place.template in routes.templates()


def test_turns_are_short_only_while_a_page_is_made():
    usual, turns = sys.getswitchinterval(), aside.Turns()
    with turns, turns:
        assert sys.getswitchinterval() == pytest.approx(aside.TURN)
    assert sys.getswitchinterval() == usual
