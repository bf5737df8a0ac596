"""The pages of touchpoints and of written journeys: sentences, tables and maps from the figures, empty states too."""

import pytest

from serving.console import blocks, figures, standalone
from serving.console.views import Ask, journeys_declared, touchpoints


def effect(verdict, estimate=None, width=0.02, exposed=200):
    known = estimate is not None
    return {
        "verdict": verdict, "reason": None if known else "3 customers had it, at least 30 are needed",
        "exposed": exposed, "rows": 5000, "estimate": estimate,
        "low": estimate - width if known else None, "high": estimate + width if known else None,
        "p": 0.001 if known else None, "back": 0.001 if known else None, "back_low": -0.01 if known else None,
        "back_high": 0.01 if known else None, "e_value": 2.5 if known else None,
    }  # fmt: skip


def share(value):
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "rows": 900}


def line(name, effects, quadrants, satisfaction=0.6):
    return {
        "name": name, "channel": None, "direction": None, "type": None, "topic": None, "interactions": 1200,
        "customers": 600, "satisfaction": share(satisfaction) if satisfaction else None,
        "rated": "after" if satisfaction else None, "trouble": share(0.05), "effects": effects, "quadrants": quadrants,
    }  # fmt: skip


EVIL = "topic <img src=x onerror=alert(1)>"
FOUND = {
    "schema_version": 1, "kind": "touchpoints", "title": "Touchpoints", "headline": "Improve call by phone first: ...",
    "created_at": "2026-01-01T00:00:00Z", "known_until": "2025-12-31T00:00:00Z", "source": "history",
    "currency": "EUR", "exposure_days": 28, "average_satisfaction": 0.66, "average_trouble": 0.03,
    "performance": "satisfaction", "notes": ["A note."],
    "outcomes": [
        {"outcome": "satisfaction", "rows": 5000, "customers": 900, "average": 0.7, "words": "satisfaction, 0 to 1",
         "sentence": "Improve call by phone first: ...", "improve": "call on phone"},
        {"outcome": "value", "rows": 9000, "customers": 950, "average": 17.0, "words": "EUR spent within 28 days",
         "sentence": "None of 3 touchpoints is shown to matter for what customers spend.", "improve": None},
    ],
    "touchpoints": [
        line("page view on the web",
             {"satisfaction": effect("undecided", 0.001), "value": effect("differed_before", 4.0, 1)},
             {"satisfaction": "fine", "value": "unclear"}, 0.7),
        line("call by phone", {"satisfaction": effect("worse", -0.2), "value": effect("undecided", -1.0, 2.0)},
             {"satisfaction": "improve", "value": "watch"}, 0.4),
        line(EVIL, {"satisfaction": effect("better", 0.1), "value": effect("too_few")},
             {"satisfaction": "keep", "value": "unclear"}, 0.8),
        line("visit on store", {"satisfaction": effect("too_few")}, {"satisfaction": "unclear"}, None),
    ],
}  # fmt: skip


def shown(query=None, artefact=FOUND):
    return touchpoints.page(artefact, Ask(query=query or {}))


def rows(page, name):
    return blocks.table(page, name).rows


def test_the_lead_is_the_headline_and_the_map_ranks_what_surely_matters():
    page = shown()
    assert page.lead == FOUND["headline"]
    mapped = {row[0]: row[1:] for row in rows(page, "map-table")}
    assert set(mapped) == {"page view on the web", "call by phone", EVIL}  # what nobody rated has no place there
    assert mapped["call by phone"][1] == pytest.approx(0.18)
    assert mapped["page view on the web"][1] == 0.0
    assert [row[0] for row in rows(page, "effects")][:2] == ["call by phone", EVIL]
    assert [row[0] for row in rows(page, "shown-table")] == ["call by phone", EVIL]


def test_too_few_is_said_in_words_and_has_no_figure():
    few = next(row for row in rows(shown(), "effects") if row[0] == "visit on store")
    assert few[1].words == "too few to tell"
    assert few[2] is few[4] is None
    assert few[-1] == "3 customers had it, at least 30 are needed"
    assert next(row for row in rows(shown(), "performance") if row[0] == "visit on store")[3] == "too few to tell"


def test_where_everything_is_told_no_column_says_why_not():
    known = [one for one in FOUND["touchpoints"] if one["effects"]["satisfaction"]["estimate"] is not None]
    columns = blocks.table(shown(artefact=FOUND | {"touchpoints": known}), "effects").columns
    assert columns[-1].name == "What to do"
    assert blocks.table(shown(), "effects").columns[-1].name == "Why it cannot be told"


def test_another_outcome_is_asked_for_and_brings_its_own_sentence():
    page = shown({"outcome": "value"})
    assert page.lead == FOUND["outcomes"][1]["sentence"]
    assert {row[0] for row in rows(page, "effects")} == {"page view on the web", "call by phone", EVIL}
    assert blocks.table(page, "shown-table") is None  # nothing is shown to matter
    assert page.filters[0].value == "value"
    assert shown({"outcome": "nonsense"}).lead == FOUND["headline"]


def test_trouble_tells_how_well_we_do_where_nobody_rates():
    page = shown(artefact=FOUND | {"performance": "trouble", "average_satisfaction": None})
    assert {row[3] for row in rows(page, "map-table")} == {0.95}
    section = next(block for block in page.blocks if getattr(block, "id", "") == "doing")
    assert section.lead == "Too few touchpoints are rated, so trouble within a week tells how well we do."


def test_nothing_at_all_is_a_designed_page():
    page = shown(artefact=FOUND | {"outcomes": [], "touchpoints": []})
    assert isinstance(page.blocks[0], blocks.Empty)
    assert "No touchpoint yet" in standalone.html(FOUND | {"outcomes": [], "touchpoints": []})


def test_a_malicious_topic_is_only_ever_text():
    assert "<img" not in standalone.html(FOUND).replace("<img alt", "")


def test_names_on_the_map_do_not_lie_on_each_other():
    crowd = [figures.Point(f"touchpoint number {k}", 0.5 + k / 1000, 0.5) for k in range(12)]
    alone = figures.Point("far away", 0.9, 0.9)
    drawn = figures.scatter([*crowd, alone], "number", "number", "x", "y")["data"][0]
    assert drawn["text"][-1] == "far away"
    assert 1 <= sum(map(bool, drawn["text"][:-1])) <= 4
    assert list(drawn["hovertext"]) == [point.name for point in [*crowd, alone]]


def stage(name, came, entered, stopped, **more):
    known = {"optional": False, "within": None, "under_way": 3, "typical_seconds": 90_000.0, "slow_seconds": 4e5,
             "satisfaction": None, "rated": 0}  # fmt: skip
    return {"name": name, "came": came, "entered": entered, "stopped": stopped} | known | more


JOURNEY = {
    "name": "purchase", "version": 2, "fingerprint": "f", "text": None, "customer_stage": True, "goal": "bought",
    "pause": "30d", "customers": 80, "passages": 110, "open": 10, "finished": 100, "reached": 60, "as_written": 30,
    "stages": [stage("aware", 100, 100, 10, optional=True), stage("near", 90, 70, 30), stage("bought", 60, 60, 0)],
    "deviations": [{"kind": "skipped", "stage": "near", "passages": 20},
                   {"kind": "late", "stage": "near", "passages": 4}],
    "months": [{"month": "2025-01", "finished": 60, "open": 0, "reached": 40, "as_written": 20},
               {"month": "2025-02", "finished": 40, "open": 10, "reached": 20, "as_written": 10}],
    "earlier": [{"version": 1, "fingerprint": "e", "created_at": "2025-01-01T00:00:00Z", "finished": 50, "reached": 20,
                 "as_written": 5}],
    "unversioned": True, "sentence": "60.0% of 100 finished passages of purchase reached bought.",
}  # fmt: skip
WRITTEN = {
    "schema_version": 1, "kind": "conformance", "title": "Journeys as written", "headline": JOURNEY["sentence"],
    "created_at": "2026-01-01T00:00:00Z", "known_until": "2025-12-31T00:00:00Z", "source": "journeys.yaml",
    "journeys": [JOURNEY,
                 JOURNEY | {"name": "return", "finished": 0, "reached": 0, "earlier": [], "unversioned": False}],
}  # fmt: skip


def test_written_journeys_show_drop_off_deviations_and_earlier_versions():
    page = journeys_declared.page(WRITTEN, Ask())
    assert page.lead == JOURNEY["sentence"]
    assert [row[4] for row in rows(page, "stages-0")] == [0.1, pytest.approx(1 / 3), 0.0]
    assert rows(page, "stages-0")[0][0] == "aware (optional)"
    assert [(row[0], row[1].words, row[3], row[4]) for row in rows(page, "deviations-0")] == [
        ("near", "skipped", 20, 0.2),
        ("near", "late", 4, 0.04),
    ]
    assert rows(page, "versions-0") == [["version 1", "2025-01-01T00:00:00Z", 50, 0.4, 0.25]]
    assert blocks.table(page, "stages-1") is None  # nothing has ended there yet
    assert "its version has not: count it up" in standalone.html(WRITTEN)


def test_a_month_that_is_still_under_way_is_in_the_table_and_not_in_the_chart():
    page = journeys_declared.page(WRITTEN, Ask())
    section = next(block for block in page.blocks if getattr(block, "id", "") == "journey-0")
    chart = next(block for block in section.blocks if getattr(block, "id", "") == "trend-0")
    assert chart.figure["data"][0]["x"] == ["2025-01-01"]
    assert [row[0] for row in chart.table.rows] == ["2025-01", "2025-02"]


def test_no_written_journey_says_what_to_do():
    page = journeys_declared.page(WRITTEN | {"journeys": [], "headline": "No journey is written down yet."}, Ask())
    assert isinstance(page.blocks[0], blocks.Empty)
    assert page.blocks[0].command == "edit journeys.yaml, then: tactful journeys check"
