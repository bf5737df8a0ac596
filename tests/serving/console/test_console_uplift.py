"""The uplift and overview pages: questions answered at the top, no bare number, and a planner that needs no script."""

import json
import re
from functools import cache
from urllib.parse import parse_qsl, urlsplit

import effect_artefacts as made
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.console import assets, effects, render, standalone
from serving.console.blocks import (
    Chart,
    Details,
    Empty,
    Estimate,
    Form,
    Grid,
    Link,
    Section,
    Tile,
    Tiles,
    Verdict,
    table,
    tables,
)
from serving.console.locale import Reader
from serving.console.views import VIEWS, Ask, of_artefact, overview, uplift, uplift_customers, uplift_planner
from serving.decisions import planning
from training.reports import statistics
from training.reports.artefact import UpliftReport
from training.reports.overview.artefact import OverviewReport
from training.reports.uplift_targeting import words

ASK = Ask()


def told(report):
    return json.loads(report.model_dump_json())


@cache
def _full():
    return made.uplift().model_dump_json()


def full():
    """Everything there can be; a copy of one's own."""
    return json.loads(_full())


def shown(page, **more):
    """The page's text as a reader finds it, without markup."""
    html = render.page(page, render.Frame(base="/console", path="uplift"), Reader(**more))
    body = re.sub(r"<script.*?</script>", " ", html, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("&#39;", "'").split())


def section(page, name):
    return next(block for block in page.blocks if isinstance(block, Section) and block.id == name)


def inside(blocks):
    for block in blocks:
        yield block
        if isinstance(block, Section | Grid | Details):
            yield from inside(block.blocks)


EMPTY = UpliftReport(title="Uplift: shop", source="the history of shop", created_at=made.NOW, population="Nobody.",
                     headline="Nothing to compare yet: run tactful sync.")  # fmt: skip
EMPTY_OVERVIEW = OverviewReport(title="Overview: shop", source="the history of shop", created_at=made.NOW,
                                population="Nobody.", headline="Nothing to compare yet: run tactful sync.")  # fmt: skip


# --- what a stranger asks


def test_what_worked_and_whom_to_leave_alone_are_answered_first():
    report = full()
    page = uplift.page(report, ASK)
    assert page.lead == report["headline"]
    answers = [one.text for one in section(page, "answers").blocks[0].items]
    for said in (report["ghosts"]["headline"], report["returns"]["sentence"], report["targeting"]["leave_alone"],
                 report["targeting"]["persuadable"], report["arms"]["headline"]):  # fmt: skip
        assert said in answers
    assert section(page, "targeting").lead == report["targeting"]["leave_alone"]
    for breakdown in report["ghosts"]["breakdowns"]:
        assert any(isinstance(one, Section) and one.lead == breakdown["sentence"] for one in page.blocks)


def test_every_group_leads_to_its_customers(tmp_path):
    """Where the report keeps them: whom to contact by what they gain, whom to leave alone by what they lose."""
    (name,) = (one["name"] for one in full()["targeting"]["rankings"])
    assert table(uplift.page(full(), Ask(tables=tmp_path)), "groups-expected").rows[0][0] == name, "nobody is kept"
    rows = [(name, f"c{k:03}", "persuadable", k / 1000, 1) for k in range(502)]
    rows += [(name, "a/b", "sleeping_dog", -0.1, 10), (name, "x", "sleeping_dog", -0.2, 10)]
    rows += [("mail", "other", "sleeping_dog", -0.3, None)]
    columns = dict(zip(("contact", "customer_id", "kind", "predicted", "tenth"), zip(*rows, strict=True), strict=True))
    pq.write_table(pa.table(columns), tmp_path / "targeting.parquet")
    links = [row[0] for row in table(uplift.page(full(), Ask(tables=tmp_path)), "groups-expected").rows]
    asked = [dict(parse_qsl(urlsplit(link.href).query)) for link in links]
    moved, dogs = (uplift_customers.page(full(), Ask(query, tables=tmp_path)) for query in asked)
    assert moved.names == [f"c{k:03}" for k in range(501, 1, -1)]
    assert moved.lead.endswith(f"gain more by {name} than it costs. The first 500 are listed.")
    assert dogs.names == ["x", "a/b"]
    assert dogs.lead == f"2 customers expected to be better off without {name}."
    assert table(dogs, "customers").rows[1] == [Link("a/b", "/customers/~YS9i"), -0.1, 10]
    hidden = uplift_customers.page(full(), Ask(asked[1], tables=tmp_path, hidden=frozenset({"x"})))
    assert (hidden.names, hidden.lead.split()[0]) == (["a/b"], "1")
    assert "a/b" in render.page(dogs, render.Frame(base="/console"), Reader())


@pytest.mark.parametrize("query", [{}, {"group": "everybody"}, {"contact": "mail", "group": "sleeping_dog"}])
def test_a_group_that_is_none_is_told(tmp_path, query):
    for artefact in (full(), told(EMPTY)):
        page = uplift_customers.page(artefact, Ask(query, tables=tmp_path))
        assert isinstance(page.blocks[0], Empty)
        assert not page.names


@pytest.mark.parametrize("damaged", [False, True])
def test_a_group_whose_customers_are_not_kept_says_what_writes_them(tmp_path, damaged):
    if damaged:
        (tmp_path / "targeting.parquet").write_bytes(b"PAR1 no")
    query = {"contact": full()["targeting"]["rankings"][0]["name"], "group": "sleeping_dog"}
    page = uplift_customers.page(full(), Ask(query, tables=tmp_path))
    assert page.blocks[0].command == "tactful report uplift"
    assert not page.names


def test_looking_at_customers_of_a_group_needs_its_scope():
    found = next(view for view in VIEWS if view.path == "uplift/customers")
    assert (found.scope, found.schema) == ("customers", of_artefact("uplift").schema)


def test_every_answer_leads_to_its_section():
    page = uplift.page(full(), ASK)
    places = {one.id for one in page.blocks if isinstance(one, Section)}
    assert {one.href for one in section(page, "answers").blocks[0].items} <= {f"#{place}" for place in places}
    month = overview.page(told(made.overview()), ASK)
    ids = {one.id for one in month.blocks if isinstance(one, Section)}
    assert {tile.href for one in month.blocks if isinstance(one, Tiles) for tile in one.items} <= {f"#{i}" for i in ids}


def test_what_to_change_next_week_stands_on_the_overview():
    report = told(made.overview())
    page = overview.page(report, ASK)
    assert page.lead == report["headline"]
    assert section(page, "next-week").lead == report["next_week"]["sentence"]
    nothing = told(made.overview(nothing=True))
    nothing["next_week"] = {"sentence": "Next week: change nothing.", "steps": []}
    assert "Next week: change nothing." in shown(overview.page(nothing, ASK))


def test_a_month_is_told_in_totals_with_intervals():
    page = overview.page(told(made.overview()), ASK)
    tiles = {tile.label: tile for block in page.blocks if isinstance(block, Tiles) for tile in block.items}
    # sentences say the interval that holds at every look: so do tiles
    assert tiles["Extra orders"].value == Estimate(412, 412 - 195, 412 + 195)
    assert (tiles["Extra orders"].tone, tiles["Extra money"].tone) == ("good", None)
    assert tiles["Opt-outs caused"].value == "too few to tell"
    assert "likely 217 to 607" in shown(page)


# --- no bare number


def test_small_cells_say_too_few_to_tell_and_no_figure():
    page = uplift.page(full(), ASK)
    row = next(row for row in table(page, "by-action").rows if getattr(row[0], "text", row[0]) == "Loyalty call")
    assert row[3:7] == [None, None, effects.TOO_FEW, effects.TOO_FEW]
    measures = [row for row in table(page, "by-action-measures").rows if row[0] == "Loyalty call"]
    assert effects.TOO_FEW in measures[0]


def test_every_estimated_number_has_its_interval():
    """Columns of differences and gains hold an estimate with both ends, or say that there are too few."""
    for page in (uplift.page(full(), ASK), overview.page(told(made.overview()), ASK)):
        checked = 0
        for one in tables(page.blocks):
            for k, column in enumerate(one.columns):
                if column.name.startswith(
                    ("Difference", "Measured", "Extra", "Profit", "Kept", "Relative", "Gain for")
                ):
                    for row in one.rows:
                        cell = row[k]
                        assert isinstance(cell, Estimate | Verdict) or cell is None
                        assert not isinstance(cell, Estimate) or cell.low <= cell.value <= cell.high
                        checked += 1
        assert checked > 5


@pytest.mark.parametrize(
    ("token", "better", "words", "tone"),
    [
        ("raised", "more", "raised", "good"),
        ("raised", "less", "raised", "bad"),
        ("lowered", "more", "lowered", "bad"),
        ("lowered", "less", "lowered", "good"),
        ("undecided", "more", "no effect shown", "muted"),
        ("too_few", "less", "too few to tell", "muted"),
    ],
)
def test_more_opt_outs_are_no_good_news(token, better, words, tone):
    assert effects.verdict(token, better) == Verdict(words, tone)


def test_what_is_not_there_leaves_no_trace_and_what_is_not_known_says_so():
    page = uplift.page(told(EMPTY), ASK)
    assert page.lead == EMPTY.headline
    assert not [one for one in page.blocks if isinstance(one, Section)]
    unknown = EMPTY.model_copy(update={"targeting": words.unknown("no model yet; `tactful train uplift` learns one")})
    page = uplift.page(told(unknown), ASK)
    assert "Whom to leave alone is not known yet: no model yet; tactful train uplift learns one." in shown(page)
    assert section(page, "targeting").blocks[0].command == "tactful train uplift"
    assert len(section(page, "answers").blocks[0].items) == 1
    table_says = EMPTY.model_copy(update={"targeting": words.unknown("no column says anything about customers")})
    assert section(uplift.page(told(table_says), ASK), "targeting").blocks[0].command is None
    empty = overview.page(told(EMPTY_OVERVIEW), ASK)
    assert empty.lead == EMPTY_OVERVIEW.headline
    assert empty.blocks == []


def test_a_failed_ratio_check_takes_the_leads_place_in_red():
    for page in (uplift.page(told(made.uplift(alarm=True)), ASK), overview.page(told(made.overview(alarm=True)), ASK)):
        assert page.lead == ""
        assert page.alarm.title.startswith("Do not rely on")
        assert "sizes do not fit" in " ".join(page.alarm.sentences)
        assert 'class="alarm" role="alert"' in render.page(page, render.Frame(base="/console"), Reader())


# --- a page as any other


def test_ids_are_there_once_and_every_chart_has_its_figures_and_words():
    for page in (uplift.page(full(), ASK), overview.page(told(made.overview()), ASK)):
        names = [one.id for one in tables(page.blocks)]
        assert len(names) == len(set(names))
        charts = [one for one in inside(page.blocks) if isinstance(one, Chart)]
        assert len(charts) > 3
        assert all(one.summary and one.table.rows for one in charts)


def test_months_are_names_and_no_dates():
    """Read as dates, "2025-12 so far" would be none."""
    page = overview.page(told(made.overview()), ASK)
    chart = next(one for one in inside(page.blocks) if isinstance(one, Chart) and one.id == "months-orders")
    assert chart.figure["layout"]["xaxis"]["type"] == "category"
    assert chart.table.rows[-1][0] == "2025-12 so far"


def test_as_a_file_it_is_small_and_runs_nothing_from_the_data():
    evil = "<img src=x onerror=alert(1)></script><script>alert(1)</script>"
    report = full()
    report["title"] = report["targeting"]["rankings"][0]["name"] = evil
    report["ghosts"]["breakdowns"][0]["cells"][0]["name"] = evil
    html = standalone.html(report)
    assert "<img src=x" not in html
    assert "<script>alert" not in html
    assert len(html.encode()) - len(assets.asset("plotly.min.js").body) < 400_000
    assert of_artefact("uplift").schema == report["schema_version"]
    assert of_artefact("overview").schema == told(made.overview())["schema_version"]


def test_figures_are_written_as_the_reader_writes_them():
    text = shown(uplift.page(full(), ASK), locale="de", currency="EUR")
    assert "3,1 percentage points (likely 1,2 to 5,0)" in text
    assert "9.500" in text


# --- the planner


def planned(**query):
    """The planner over the full report."""
    report = full()
    return uplift_planner.read({name: str(value) for name, value in query.items()}, report["outcomes"], report)


def errors(fields):
    return {field.name: field.error for field in fields if field.error}


def test_the_form_begins_with_what_was_measured():
    asked, fields = planned()
    value = {field.name: field.value for field in fields}
    assert not errors(fields)
    assert value == {
        "measure": "0",
        "about": "0",
        "baseline": "20",
        "known": "",
        "lift": "10",
        "held": "5",
        "power": "80",
        "weekly": "",
    }
    control, treated = made.rate(0.2), made.rate(0.22)
    own = statistics.needed(
        statistics.Sample(500, control.mean, 0.2 * 0.8), statistics.Sample(9500, treated.mean, 0.22 * 0.78), 0.02
    )
    assert asked.needed(0.1) == own
    assert uplift_planner.said(asked) == (
        "To find a lift of 10% over 20% in orders within 28 days with a chance of 80% and 5% of customers held out, "
        f"{own:,} customers are needed."
    )


@settings(deadline=None)
@given(
    baseline=st.floats(0.5, 60), lift=st.floats(1, 60), held=st.floats(1, 50), power=st.floats(55, 95),
    weekly=st.floats(1, 1e6),
)  # fmt: skip
def test_customers_and_weeks_are_the_plannings_own(baseline, lift, held, power, weekly):
    asked, fields = planned(baseline=baseline, lift=lift, held=held, power=power, weekly=weekly)
    assert not errors(fields)
    before = baseline / 100
    after = before * (1 + lift / 100)
    customers = asked.needed(lift / 100)
    assert customers == pytest.approx(
        planning.needed(before * (1 - before), after * (1 - after), held / 100, after - before, power / 100),
        rel=1e-6,
        abs=1,
    )
    weeks = asked.weeks(customers)
    assert (weeks - 1) * weekly <= customers <= weeks * weekly * (1 + 1e-9)
    said = uplift_planner.said(asked)
    assert f"{customers:,} customers are needed" in said
    assert "week" in said


def test_weeks_are_told_where_the_pace_is_known():
    asked, _ = planned(baseline=10, lift=10, held=50, power=80, weekly=1000)
    customers = asked.needed(0.1)
    assert asked.weeks(customers) == -(-customers // 1000)
    assert uplift_planner.said(asked).endswith(
        f"{customers:,} customers are needed: {asked.weeks(customers)} weeks at 1,000 a week."
    )
    slow, _ = planned(baseline=10, lift=1, held=50, power=80, weekly=1)
    assert uplift_planner.said(slow).endswith("more than ten years at 1 a week.")
    report = full() | {"weekly": 250.0}
    asked, _ = uplift_planner.read({}, report["outcomes"], report)
    assert asked.weekly == 250


@pytest.mark.parametrize(("weekly", "shown"), [(31.75, "32"), (12_345.6, "12,346"), (0.2, "1")])
def test_customers_a_week_are_whole(weekly, shown):
    report = full() | {"weekly": weekly}
    asked, fields = uplift_planner.read({}, report["outcomes"], report)
    assert next(field.value for field in fields if field.name == "weekly") == shown.replace(",", "")
    assert uplift_planner.said(asked).endswith(f" at {shown} a week.")


def test_an_amount_to_plan_for_has_cents():
    report = full()
    place = next(k for k, one in enumerate(report["outcomes"]) if one["unit"])
    control = report["outcomes"][place]["control"] | {"mean": 1234.56789, "variance": 98.7654321}
    report["outcomes"][place] = report["outcomes"][place] | {"control": control}
    asked, fields = uplift_planner.read({"measure": str(place)}, report["outcomes"], report)
    assert {field.name: field.value for field in fields}["baseline"] == "1234.57"
    assert {field.name: field.value for field in fields}["deviation"] == "9.94"
    assert " over 1,235 " in uplift_planner.said(asked)


def test_another_measure_begins_with_its_own_figures():
    """What was typed about orders says nothing of money."""
    asked, fields = planned(measure=1, about=0, baseline=20, lift=15)
    value = {field.name: field.value for field in fields}
    assert (value["baseline"], value["deviation"], value["lift"]) == ("11", "30", "10")
    assert asked.kind == "amount"
    assert asked.needed(0.1) == planning.needed(900, 900, 0.05, 1.1, 0.8)
    kept, _ = planned(measure=1, about=1, baseline=22, deviation=60, lift=10, held=5, power=80)
    assert kept.needed(0.1) == asked.needed(0.1)  # twice the mean, twice the deviation


@pytest.mark.parametrize(
    ("query", "field", "why"),
    [
        ({"lift": "a lot"}, "lift", "'a lot' is no number"),
        ({"lift": ""}, "lift", "a number is needed"),
        ({"lift": "nan"}, "lift", "give a number from 0.1"),
        ({"lift": "-5"}, "lift", "give a number from 0.1"),
        ({"baseline": "0"}, "baseline", "give a number from 0.0001"),
        ({"baseline": "1e999"}, "baseline", "give a number"),
        ({"held": "100"}, "held", "to 99.9"),
        ({"power": "100"}, "power", "to 99.9"),
        ({"weekly": "0"}, "weekly", "from 1"),
        ({"baseline": "90", "lift": "20"}, "lift", "would be above 100%"),
    ],
)
def test_what_makes_no_sense_is_said_beside_its_field(query, field, why):
    asked, fields = planned(**query)
    assert asked is None
    assert why in errors(fields)[field]
    text = shown(uplift.page(full(), Ask(query=query)))
    assert why.replace("'", "'") in text
    assert "Correct what is marked above" in text


def test_a_decimal_comma_is_a_decimal_point():
    asked, fields = planned(lift="12,5")
    assert not errors(fields)
    assert asked.lift == 12.5


def test_an_unknown_measure_is_the_first_one_and_nothing_typed_is_run():
    for measure in ("9", "-1", "x", "²"):
        asked, _ = planned(measure=measure)
        assert asked.kind == "rate"
    page = uplift.page(full(), Ask(query={"lift": '"><script>alert(1)</script>'}))
    html = render.page(page, render.Frame(base="/console", path="uplift"), Reader())
    assert "<script>alert" not in html


def test_in_the_console_there_is_a_form_and_in_a_file_its_table_alone():
    page = uplift.page(full(), ASK)
    assert any(isinstance(one, Form) for one in inside(page.blocks))
    assert '<form class="form"' in render.page(page, render.Frame(base="/console", path="uplift"), Reader())
    html = standalone.html(full())
    assert 'class="form"' not in html.split("<body")[1]
    assert "What other lifts take" in html


def test_lifts_that_cannot_be_are_left_out_of_the_table():
    page = uplift.page(full(), Ask(query={"baseline": "80", "lift": "10"}))
    rows = table(page, "planner").rows
    assert [row[0] for row in rows] == pytest.approx([0.02, 0.05, 0.1, 0.2][: len(rows)])
    assert all(isinstance(tile, Tile) for one in inside(page.blocks) if isinstance(one, Tiles) for tile in one.items)
