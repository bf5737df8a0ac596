"""Written journeys as a report: figures by hand, sentences from the figures, versions, and `tactful journeys check`."""

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import tactful
from features import clock
from features.clock import DAY
from features.history import History, conform
from features.scaffold import init_workspace
from features.workspace import WorkspaceError
from serving.console import standalone
from training.reports import jobs, keep
from training.reports.conformance import wording
from training.reports.conformance.job import conformance

START = clock.parse_instant("2024-01-10")
JOURNEY = """
journeys:
  - name: purchase
    version: 1
    stages:
      aware: [visit]
      near: {any: [look], within: 2d}
      bought: [purchase]
      help: [call]
    goal: bought
    pause: 10d
"""
#: What 24 customers did, (day, type): ten as written, and others in every way that is not.
AS_WRITTEN = [(0, "visit"), (1, "look"), (3, "purchase")]
WAYS = [
    *[AS_WRITTEN] * 10,
    *[[(0, "visit"), (1, "purchase")]] * 5,  # left out near
    *[[(0, "visit"), (3.5, "look"), (4, "purchase")]] * 2,  # late
    [(0, "look"), (1, "visit"), (2, "purchase")],  # out of order
    [(0, "visit"), (1, "look"), (2, "visit"), (3, "look"), (4, "purchase")],  # back, and again
    *[[(0, "visit"), (1, "look")]] * 3,  # given up
    [(0, "visit"), (0.5, "call")],  # given up before anything
    [(95, "visit")],  # under way
]


def shop(folder, ways=WAYS, text=JOURNEY, end=100):
    workspace = init_workspace(folder / "shop", {"tactful.yaml": "", "journeys.yaml": text})
    rows = [(f"c{n}", day, type_) for n, way in enumerate(ways) for day, type_ in way]
    rows.append(("somebody", end, "nothing"))
    table = pa.table(
        {
            "customer_id": [row[0] for row in rows],
            "interaction_id": [f"i{n}" for n in range(len(rows))],
            "occurred_at": pa.array([START + int(row[1] * DAY) for row in rows], pa.timestamp("us", tz="UTC")),
            "channel": ["web"] * len(rows),
            "type": [row[2] for row in rows],
        }
    )
    History(workspace).append(conform(table), "test")
    return workspace


def test_figures_are_those_counted_by_hand(tmp_path):
    (found,) = conformance(shop(tmp_path)).journeys
    assert (found.passages, found.open, found.finished, found.reached, found.as_written) == (24, 1, 23, 19, 10)
    assert [(each.kind, each.stage, each.passages) for each in found.deviations if each.passages > 1] == [
        ("skipped", "near", 5),
        ("late", "near", 2),
    ]
    assert {(each.kind, each.stage) for each in found.deviations if each.passages == 1} == {
        ("out_of_order", "aware"),
        ("backwards", "aware"),
        ("repeated", "near"),
    }
    aware, near, bought = found.stages
    assert (aware.came, aware.entered, aware.stopped, aware.under_way) == (23, 23, 1, 1)
    assert (near.came, near.entered, near.stopped, near.under_way) == (22, 17, 3, 0)
    assert (bought.came, bought.entered, bought.stopped) == (19, 19, 0)
    assert (aware.typical_seconds, bought.typical_seconds) == (86_400, None)
    assert [(month.month, month.finished, month.open, month.reached) for month in found.months] == [
        ("2024-01", 23, 0, 19),
        ("2024-04", 0, 1, 0),
    ]


def test_the_sentence_says_what_the_figures_say(tmp_path):
    artefact = conformance(shop(tmp_path))
    assert (
        artefact.headline
        == artefact.journeys[0].sentence
        == "82.6% of 23 finished passages of purchase reached bought, 52.6% of them as written; most often they left"
        " out near (21.7% of all); of those that gave up, 75.0% did at near."
    )


def test_a_few_passages_tell_nothing(tmp_path):
    found = conformance(shop(tmp_path, [AS_WRITTEN] * (wording.FEW - 1)))
    assert found.headline == "Too few to tell how purchase goes: 19 finished passages, at least 20 are needed."


def test_when_all_go_as_written_no_deviation_is_named(tmp_path):
    found = conformance(shop(tmp_path, [AS_WRITTEN] * 20))
    assert found.journeys[0].deviations == []
    assert found.headline == "100.0% of 20 finished passages of purchase reached bought, 100.0% of them as written."


def test_a_change_of_what_is_counted_needs_a_new_version_and_earlier_ones_are_remembered(tmp_path):
    workspace = shop(tmp_path)
    file = workspace.folder / "journeys.yaml"
    jobs.make(workspace, "conformance")
    assert [one.earlier for one in conformance(workspace).journeys] == [[]]
    file.write_text(JOURNEY.replace("within: 2d", "within: 9d"))
    assert conformance(workspace).journeys[0].unversioned
    file.write_text(JOURNEY.replace("within: 2d", "within: 9d").replace("version: 1", "version: 2"))
    jobs.make(workspace, "conformance")
    (kept,) = keep.read(workspace, "conformance")["journeys"]
    assert not kept["unversioned"]
    assert [(one["version"], one["as_written"]) for one in kept["earlier"]] == [(1, 10)]
    assert kept["as_written"] == 12
    (again,) = conformance(workspace).journeys
    assert [one.version for one in again.earlier] == [1]


OLDER = '{"kind": "conformance", "created_at": "2024-01-01T00:00:00Z", "journeys": [{"name": "purchase"}]}'


@pytest.mark.parametrize("kept", ['{"kind": "conf', OLDER, '{"kind": "conformance"}'], ids=["cut", "older", "empty"])
def test_what_cannot_be_read_any_more_is_written_anew_and_that_is_said(tmp_path, kept):
    workspace = shop(tmp_path)
    keep.place(workspace, "conformance").parent.mkdir(exist_ok=True)
    keep.place(workspace, "conformance").write_text(kept)
    assert check(workspace).exit_code == 0
    jobs.make(workspace, "conformance")
    written = keep.read(workspace, "conformance")
    assert written["notes"] == [wording.FORGOTTEN]
    assert wording.FORGOTTEN in standalone.html(written)
    jobs.make(workspace, "conformance")
    again = keep.read(workspace, "conformance")
    assert again["notes"] == []
    assert again["journeys"] == written["journeys"]


def test_no_journey_written_down_is_said_and_no_history_is_an_error(tmp_path):
    empty = init_workspace(tmp_path / "empty", {"tactful.yaml": ""})
    assert conformance(empty).headline.startswith("No journey is written down yet")
    (empty.folder / "journeys.yaml").write_text(JOURNEY)
    with pytest.raises(WorkspaceError, match="no interactions to report on; `tactful ingest FILE` first"):
        conformance(empty)


def check(workspace):
    return CliRunner().invoke(tactful.app, ["journeys", "check", "--workspace", str(workspace.folder)])


def test_check_prints_the_ways_and_how_far_customers_go_them(tmp_path):
    workspace = shop(tmp_path, text=JOURNEY.replace("version: 1", "version: 1\n    customer_stage: true"))
    done = check(workspace)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "purchase, version 1: aware > near > bought, gives the customers' stages"
    assert lines[1] == conformance(workspace).headline
    assert lines[2] == "  5 left out near"


def test_check_without_history_checks_the_file_alone(tmp_path):
    workspace = init_workspace(tmp_path / "new", {"tactful.yaml": "", "journeys.yaml": JOURNEY})
    assert check(workspace).output.splitlines()[-1] == "There is no history yet to compare with."
    (workspace.folder / "journeys.yaml").write_text("journeys: []")
    assert check(workspace).exit_code == 2
    (workspace.folder / "journeys.yaml").write_text(JOURNEY.replace("[purchase]", "[purchase, call]"))
    done = check(workspace)
    assert done.exit_code == 2
    assert "type call is in bought and help" in done.output
    assert "line 3" in done.output
