"""Reports over all of history: what was kept from the last time changes no figure, whatever came in between."""

import itertools
import shutil

import numpy as np
import pyarrow as pa
import pytest
from touchpoint_logs import START, log

from features.clock import DAY, HOUR
from features.forgetting import forget_files, forget_history
from features.history import History, conform
from features.identity import links
from features.scaffold import templates
from features.workspace import Workspace
from training.reports import jobs
from training.reports.touchpoints import kept
from training.reports.touchpoints.panel import CUTOFFS, EXPOSURE, cutoffs

JOURNEY = """
journeys:
  - name: purchase
    stages: {{looks: [page_view], asks: {{any: [call], within: {within}}}, buys: [purchase]}}
    goal: buys
"""


DONE = (
    ("web", "inbound", "page_view", None, None),
    ("phone", "inbound", "call", "billing", None),
    ("email", "outbound", "contact", None, None),
    ("email", "inbound", "accepted", None, None),
    ("email", "inbound", "survey", None, 0.3),
)


def more(workspace, day, number, late=0, customers=("c0001", "c0002", "c0090"), action="offer"):
    """A visit, a call, an offer, an answer and a survey of some customers on a day, which came in `late` days later."""
    rows = [
        (name, START + day * DAY + k * HOUR + hour, *words)
        for k, name in enumerate(customers)
        for hour, words in enumerate(DONE)
    ]
    customer, at, channel, direction, type_, topic, said = zip(*rows, strict=True)
    instant = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "customer_id": list(customer),
            "interaction_id": [f"more{number}-{k}" for k in range(len(rows))],
            "occurred_at": pa.array(at, pa.int64()).cast(instant),
            "received_at": pa.array([each + late * DAY for each in at], pa.int64()).cast(instant),
            "channel": list(channel),
            "direction": list(direction),
            "type": list(type_),
            "topic": pa.array(topic, pa.string()),
            "action": pa.array([action if word in ("contact", "accepted") else None for word in type_], pa.string()),
            "satisfaction": pa.array(said, pa.float64()),
        }
    )
    History(workspace).append(conform(table), "test")


def figures(workspace, kinds=("touchpoints", "conformance", "actions")):
    return {kind: jobs.job(kind)(workspace).artefact.model_dump(exclude={"created_at"}) for kind in kinds}


def anew(workspace, folder):
    """What a workspace that never made a report comes to."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(workspace.folder, folder, ignore=shutil.ignore_patterns("reports"))
    return figures(Workspace.open(folder))


@pytest.mark.slow
def test_a_day_more_late_rows_merged_and_erased_customers_and_other_rules(tmp_path):
    workspace = log(tmp_path, -0.2, customers=50)
    for name in ("actions.yaml", "contact_policy.yaml"):
        (workspace.folder / name).write_text(templates("serving")[name])
    written = workspace.folder / "journeys.yaml"
    written.write_text(JOURNEY.format(within="9d"))
    more(workspace, 200, 0)
    seen = [figures(workspace)]

    def same():
        seen.append(figures(Workspace.open(workspace.folder)))
        assert seen[-1] == anew(workspace, tmp_path / "anew")
        assert seen[-1] != seen[-2]

    more(workspace, 230, 1)
    same()
    more(workspace, 100, 2, late=3)
    same()
    merging = links.links_from(["c0002"], ["crm"], ["c0003"], [START + 150 * DAY])
    History(workspace).append_links(merging, "test")
    same()
    forget_history(workspace, {"c0001"})
    forget_files(workspace, {"c0001"})
    assert not [path for path in workspace.reports.rglob("*.parquet") if b"c0001" in path.read_bytes()]
    same()
    written.write_text(JOURNEY.format(within="2d"))
    same()
    settings = workspace.folder / "tactful.yaml"
    settings.write_text(settings.read_text() + "\nsensitive_topics: [billing]\n")
    same()


def test_only_rows_that_are_new_are_computed_and_slopes_of_the_same_rows_are_found_once(tmp_path, monkeypatch):
    workspace = log(tmp_path, -0.2, customers=50)
    computed, found = [], []
    compute, slopes = kept.compute_at, kept.slopes
    monkeypatch.setattr(kept, "compute_at", lambda past, who, *rest, **more: (
        computed.append((len(who), past.interactions.num_rows)), compute(past, who, *rest, **more))[1])  # fmt: skip
    monkeypatch.setattr(kept, "slopes", lambda workspace, name, of, find: slopes(
        workspace, name, of, lambda: (found.append(name), find())[1]))  # fmt: skip
    more(workspace, 226, 0)
    figures(workspace, ["touchpoints"])
    first = list(computed)
    assert found == ["satisfaction", "churn_value"]
    more(workspace, 228, 1)
    figures(workspace, ["touchpoints"])
    (count, rows), = computed[len(first):]  # fmt: skip
    assert count == 3  # the three new surveys
    assert rows < first[0][1] / 10
    assert found == ["satisfaction", "churn_value", "satisfaction"]
    figures(workspace, ["touchpoints"])
    assert len(computed) == len(first) + 1
    assert len(found) == 3


def test_what_is_damaged_is_made_anew(tmp_path):
    workspace = log(tmp_path, -0.2, customers=40)
    before = figures(workspace, ["touchpoints"])
    for path in (workspace.reports / ".partials").glob("touchpoints_*.*"):
        path.write_bytes(b"PAR1{")
    assert figures(workspace, ["touchpoints"]) == before


@pytest.mark.parametrize("length", [40, 100, 200, 366, 500, 900])
def test_cut_offs_stay_where_they_are_as_days_go_by(length):
    first = START + 3 * HOUR
    found = [cutoffs(first, first + days * DAY) for days in range(length, length + 28)]
    assert sum(a != b for a, b in itertools.pairwise(found)) <= 2  # a new one, and once another begin
    for days, each in zip(range(length, length + 28), found, strict=True):
        assert 1 <= len(each) <= CUTOFFS
        assert first <= each[0]
        assert 0 <= first + days * DAY - each[-1] < EXPOSURE
        assert (np.diff(each) == EXPOSURE).all()
