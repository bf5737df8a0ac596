"""The journeys page: its figures are the report's, filters count anew, flows lead to their customers, nothing runs."""

import re
import shutil
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pyarrow as pa
import pytest
from console_pages import EVIL

from features import attributes, clock
from features.clock import DAY, HOUR
from features.history import History, conform
from features.interactions import INSTANT
from features.journeys import build, summary
from features.journeys.asking import Question
from features.scaffold import init_workspace, templates
from features.workspace import Workspace
from serving.console import standalone
from serving.console.assets import asset
from serving.console.blocks import Chart, Empty, Link, Sentences, Text, Tiles, table, tables
from serving.console.views import VIEWS, Ask, journeys, journeys_customers
from training.reports import jobs, keep

START = clock.parse_instant("2024-01-01")
SETTINGS = "name: shop\nchurn: {horizon_days: 14}\nattributes: {tier: [gold, silver]}\n"


def log(customers=60, days=150, seed=3) -> pa.Table:
    """A shop's months: pages, contacts, surveys, purchases; one customer and one type would like to run."""
    rng = np.random.default_rng(seed)
    kinds = [("page_view", "web"), ("page_view", "mobile_app"), ("contact", "email"), ("purchase", "web"),
             ("visit", "store"), ("survey", "email"), (EVIL, "web")]  # fmt: skip
    share = [0.35, 0.15, 0.2, 0.1, 0.1, 0.07, 0.03]
    rows = []
    for number in range(customers * 40):
        kind, channel = kinds[rng.choice(len(kinds), p=share)]
        rows.append(
            {
                "interaction_id": f"i{number}",
                "customer_id": EVIL if number % 50 == 0 else f"c{rng.integers(customers)}",
                "occurred_at": START + int(rng.integers(0, days)) * DAY + int(rng.integers(8, 22)) * HOUR,
                "channel": channel,
                "direction": "outbound" if kind == "contact" else "inbound",
                "type": kind,
                "satisfaction": float(rng.uniform(0.4, 1)) if kind == "survey" else None,
            }
        )
    made = pa.Table.from_pylist(rows)
    return conform(made.set_column(2, "occurred_at", made["occurred_at"].cast(INSTANT)))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A workspace with its report of journeys; read only."""
    workspace = init_workspace(
        tmp_path_factory.mktemp("journeys") / "shop", templates("features", "serving") | {"tactful.yaml": SETTINGS}
    )
    History(workspace).append(log(), "test")
    told = [
        {"customer_id": f"c{number}", "valid_from": START, "attributes": {"tier": "gold" if number % 3 else "silver"}}
        for number in range(60)
    ]
    History(workspace).append_attributes(attributes.records(told), "test")
    jobs.make(workspace, "journeys")
    return workspace


@pytest.fixture(scope="module")
def artefact(kept):
    return keep.read(kept, "journeys")


def asking(workspace):
    """A function from a query to what a page is asked."""
    return lambda **query: Ask(query, tables=workspace.reports / "journeys")


@pytest.fixture
def ask(kept):
    return asking(kept)


def tile(page, label):
    return next(
        each for block in page.blocks if isinstance(block, Tiles) for each in block.items if label in each.label
    )


def links(page, name):
    """(cells, where its link leads) of each row of a flow's table."""
    for row in table(page, name).rows:
        yield row, next(cell.href for cell in row if isinstance(cell, Link))


def follow(ask, address):
    query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    return ask(**query)


def test_the_page_is_the_report(artefact, ask):
    page = journeys.page(artefact, ask())
    figures = artefact["figures"]
    assert page.lead == artefact["headline"]
    assert tile(page, "Journeys").value == figures["totals"]["journeys"]
    assert tile(page, "Reached").value == figures["totals"]["reached"] / figures["totals"]["over"]
    answers = next(block for section in page.blocks for block in getattr(section, "blocks", ())
                   if isinstance(block, Sentences))  # fmt: skip
    assert [each.text for each in answers.items] == artefact["findings"]
    for name, field in (
        ("flow-first", "first_steps"),
        ("flow-goal", "before_goal"),
        ("flow-leaving", "before_leaving"),
    ):
        assert [row[3] for row in table(page, name).rows] == [link["journeys"] for link in figures[field]["links"]]
    assert [row[3] for row in table(page, "stalls").rows] == sorted(
        (stall["quiet"] for stall in figures["stalls"] if stall["own"] and stall["stuck"] is not None), reverse=True
    )
    assert [row[1:] for row in table(page, "clock").rows] == figures["clock"]["local"]
    assert [row[2] for row in table(page, "months").rows] == [month["journeys"] for month in figures["months"]]


def test_the_lead_says_what_the_figures_say(artefact):
    whole = artefact["figures"]["totals"]
    said = re.match(r"(\d+)% of ([\d,]+) journeys that ended reached a purchase", artefact["headline"])
    assert int(said[1]) == round(100 * whole["reached"] / whole["over"])
    assert int(said[2].replace(",", "")) == whole["over"]
    worst = max((s for s in artefact["figures"]["stalls"] if s["own"]), key=lambda s: s["quiet"])
    assert artefact["headline"].endswith(f"the last thing that customers do is “{worst['step']}”.")
    assert f"{worst['quiet']:,} journeys stopped there" in artefact["next_week"]


@pytest.mark.parametrize(
    "query",
    [
        {"channel": "store"},
        {"since": "2024-02-10", "until": "2024-03-20"},
        {"segment": "tier=gold"},
        {"segment": "first or later journey=later journey", "channel": "email", "since": "2024-02-01"},
    ],
)
def test_filters_count_anew(kept, artefact, ask, query):
    page = journeys.page(artefact, ask(**query))
    found = summary.figures(build.up_to_date(kept), Question(**query))
    assert tile(page, "Journeys").value == found.totals.journeys < artefact["figures"]["totals"]["journeys"]
    assert [row[1] for row in table(page, "steps").rows] == [step.steps for step in found.steps]
    assert f"{found.totals.journeys:,} journeys" in page.population
    assert {field.name: field.value for field in page.filters} == {"since": "", "until": "", "segment": "",
                                                                   "channel": "", "clock": "local"} | query  # fmt: skip


def test_hours_are_local_unless_asked_otherwise(artefact, ask):
    figures = artefact["figures"]["clock"]
    assert figures["utc"] == figures["local"], "nobody told a zone, and the company's is UTC"
    assert "UTC" in table(journeys.page(artefact, ask(clock="utc")), "clock").note
    assert "where customers live" in table(journeys.page(artefact, ask()), "clock").note


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"channel": "pigeon"}, "no journey has a step on a channel 'pigeon'"),
        ({"segment": EVIL}, "there is no segment"),
        ({"since": "yesterday"}, "'yesterday' is no day"),
    ],
)
def test_what_cannot_be_asked_is_told_and_everybody_is_shown(artefact, ask, query, told):
    page = journeys.page(artefact, ask(**query))
    assert isinstance(page.blocks[0], Empty)
    assert told in page.blocks[0].text
    assert tile(page, "Journeys").value == artefact["figures"]["totals"]["journeys"]


def test_nobody_fits_and_nothing_kept(artefact, ask, tmp_path):
    page = journeys.page(artefact, ask(until="2023-01-01"))
    assert [type(block) for block in page.blocks] == [Empty]
    page = journeys.page(artefact, Ask({"channel": "web"}, tables=tmp_path))
    assert page.blocks[0].command == "tactful report journeys"


@pytest.mark.parametrize("query", [{}, {"channel": "store", "segment": "tier=gold"}])
@pytest.mark.parametrize("name", ["flow-first", "flow-goal", "flow-leaving"])
def test_a_flow_leads_to_its_customers(artefact, ask, name, query):
    rows = list(links(journeys.page(artefact, ask(**query)), name))
    assert rows
    for row, address in rows[:12]:
        found = journeys_customers.page(artefact, follow(ask, address))
        assert found.names == [row[0].text for row in table(found, "customers").rows], "whoever looks is kept"
        listed = table(found, "customers")
        assert len(listed.rows) == row[4]
        first, *others = found.names
        asked_again = replace(follow(ask, address), hidden=frozenset({first}))
        assert journeys_customers.page(artefact, asked_again).names == others, "whom nothing is shown of"
        assert found.lead.startswith(f"{row[4]:,} {'customer' if row[4] == 1 else 'customers'} went from ")
        back = next(block for block in found.blocks if isinstance(block, Text)).parts[0].href
        assert journeys.asked(follow(ask, back)) == Question(**query)
    assert all(cell.href.startswith("/customers/") for row in listed.rows for cell in row)


def test_who_was_erased_is_in_no_list(kept, artefact, tmp_path):
    """An erasure takes rows out of every table in the workspace; positions of the others stay."""
    from features.forgetting import forget_files

    own = Workspace.open(shutil.copytree(kept.folder, tmp_path / "shop"))
    ask = asking(own)
    row, address = next(
        each for each in links(journeys.page(artefact, ask()), "flow-first")
        if len(table(journeys_customers.page(artefact, follow(ask, each[1])), "customers").rows) > 5
    )  # fmt: skip
    before = [
        cells[0].text for cells in table(journeys_customers.page(artefact, follow(ask, address)), "customers").rows
    ]
    _, left = forget_files(own, [before[2]])
    assert not [name for name in left if name.startswith("reports")]
    after = [
        cells[0].text for cells in table(journeys_customers.page(artefact, follow(ask, address)), "customers").rows
    ]
    assert after == before[:2] + before[3:]
    assert len(before) == row[4]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"flow": "first"},
        {"flow": "sideways", "layer": "0"},
        {"flow": "first", "layer": "-1", "from": "goal", "to": "goal"},
        {"flow": "first", "layer": "99999999999", "from": "goal", "to": "goal"},
        {"flow": "goal", "layer": "0", "from": EVIL, "to": "left"},
        {"flow": "goal", "layer": "0", "channel": "pigeon"},
    ],
)
def test_a_flow_that_is_none_is_told(artefact, ask, query):
    page = journeys_customers.page(artefact, ask(**query))
    assert isinstance(page.blocks[0], Empty)
    assert page.lead == "This flow cannot be shown."


def test_looking_at_customers_needs_its_scope():
    assert next(view for view in VIEWS if view.path == "journeys/customers").scope == "customers"


def test_charts_say_in_words_what_they_show(artefact, ask):
    page = journeys.page(artefact, ask())
    charts = [block for section in page.blocks for block in getattr(section, "blocks", ()) if isinstance(block, Chart)]
    assert len(charts) >= 9
    assert all(chart.summary.endswith(".") for chart in charts)
    assert len({each.id for each in tables(page.blocks)}) == len(list(tables(page.blocks)))


def test_a_flow_hangs_together(artefact, ask):
    """What is drawn leads on from the first step, or on to the last."""
    page = journeys.page(artefact, ask())
    for name, forward in (("chart-first", True), ("chart-goal", False), ("chart-leaving", False)):
        chart = next(block for section in page.blocks for block in getattr(section, "blocks", ())
                     if isinstance(block, Chart) and block.id == name)  # fmt: skip
        drawn = chart.figure["data"][0]["link"]
        edges = list(zip(drawn["source"], drawn["target"], strict=True))
        assert edges
        if forward:
            begins = {source for source, _ in edges} - {target for _, target in edges}
            assert begins <= {source for source, _ in edges[: len(edges)]}
            labels = {link["source"] for link in artefact["figures"]["first_steps"]["links"] if not link["layer"]}
            assert {chart.figure["data"][0]["node"]["label"][k] for k in begins} <= labels
        else:
            ends = {target for _, target in edges} - {source for source, _ in edges}
            names = {chart.figure["data"][0]["node"]["label"][k] for k in ends}
            assert names == ({"goal reached"} if name == "chart-goal" else {"left"})


def test_the_file_is_small_and_nothing_in_it_runs(artefact):
    text = standalone.html(artefact)
    assert len(text.encode()) - len(asset("plotly.min.js").body) < 2_000_000
    assert EVIL not in text
    assert "<img src=x" not in text
