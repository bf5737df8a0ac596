"""What reports cost on a long log: journeys and uplift against DuckDB scanning it once and grouping it by customer.

The same history is read by all, in the same run, day by day as a workspace keeps it. CPU seconds of all threads, so
that a busy machine disturbs little. TACTFUL_BENCH_ROWS says how many rows (10 million).
"""

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path

import busy_log
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from measuring import ROWS, cpu, floor

from features import clock
from features.clock import DAY
from features.daylog import Batch
from features.decision_log import DECISIONS
from features.history import History
from features.journeys import build, layout, summary
from features.journeys.asking import Question
from features.physical import with_physical
from features.scaffold import init_workspace, templates
from features.workspace import Workspace
from serving.decisions import holdout
from training.reports import jobs

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

#: What both reports are to cost together, in floors; and what they are held to: 6.0 were measured on a busy machine,
#: where touching new memory is dear, and single turns there differ by a fifth.
TARGET, HELD = 6, 7.5
#: Customers on whom two decisions each are logged.
DECIDED = 50_000
LAST_DAY = busy_log.START + (busy_log.DAYS - 1) * DAY
END = clock.isoformat(busy_log.START + busy_log.DAYS * DAY)


def commit(workspace: Workspace, name: str, rows: int, days: list[str]) -> None:
    """Makes the files that carry this batch's name count, as the log itself does."""
    batch = Batch(name, END, "bench", False, rows, min(days), max(days), physical=True)
    with open(workspace.history / "interactions" / "batches.jsonl", "a") as file:
        file.write(json.dumps(asdict(batch)) + "\n")


def write_days(workspace: Workspace, table: pa.Table, name: str) -> list[str]:
    """One file a day, oldest first, as a batch of the log would have; the days."""
    day = pc.strftime(pc.floor_temporal(table["occurred_at"], unit="day"), format="%Y-%m-%d")
    edges = np.flatnonzero(np.append(True, np.asarray(day[1:]) != np.asarray(day[:-1])))
    days = []
    for first, end in zip(edges, [*edges[1:], table.num_rows], strict=True):
        days.append(day[int(first)].as_py())
        folder = workspace.history / "interactions" / f"day={days[-1]}"
        folder.mkdir(parents=True, exist_ok=True)
        part = f"{name}-{len(list(folder.iterdir()))}.parquet"
        own = table.slice(first, end - first)  # with its own customers' names, not with all of the year's
        own = own.set_column(1, "customer_id", own["customer_id"].cast(pa.string()))
        pq.write_table(own, folder / part, compression="zstd")
    return days


def decisions(customers: int) -> pa.Table:
    """Two an entrant: one drawn action, or the silence of the holdout."""
    silence = {"action": None, "channel": None, "ghost": False, "probability": 0.02}
    cell = {"action": "offer", "channel": "email", "ghost": False, "probability": 0.98}
    rng, rows = np.random.default_rng(0), []
    for number in range(customers):
        name = f"customer-{number:07d}"
        arm = holdout.arm(name, "tactful", 0.05)
        held = arm == "holdout"
        for k, day in enumerate(rng.uniform(30, 300, 2)):
            rows.append(
                {"decision_id": f"d{number}-{k}", "decided_at": busy_log.START + int(day * DAY), "customer_id": name,
                 "arm": arm, "slots": 1, "distribution": [silence] if held else [cell, silence],
                 "intended": [cell, silence] if held else None}
            )  # fmt: skip
    return pa.Table.from_pylist(rows, DECISIONS)


@pytest.fixture(scope="module")
def busy_shop(tmp_path_factory):
    """A workspace with a year of the busy log but its last day, and that day's rows."""
    files = templates("features", "serving") | {"tactful.yaml": f'clock: {{start: "{END}"}}\n'}
    workspace = init_workspace(tmp_path_factory.mktemp("reports") / "shop", files)
    held, days, rows = [], [], 0
    for table in busy_log.tables(ROWS):
        late = pc.greater_equal(table["occurred_at"], pa.scalar(LAST_DAY, table.schema.field("occurred_at").type))
        held.append(table.filter(late))
        table = with_physical(table.filter(pc.invert(late)))
        days += write_days(workspace, table, "year")
        rows += table.num_rows
    commit(workspace, "year", rows, days)
    History(workspace).append_log("decisions", decisions(min(DECIDED, ROWS // busy_log.BY_CUSTOMER)))
    yield workspace, with_physical(pa.concat_tables(held))
    shutil.rmtree(workspace.folder)


def everything(workspace: Workspace) -> str:
    return str(workspace.history / "interactions" / "*" / "*.parquet")


def test_journeys_and_uplift_cost_little_more_than_a_scan(busy_shop):
    workspace, last_day = busy_shop
    for kind in ("uplift", "journeys"):  # compiles
        jobs.job(kind)(warm_shop(workspace.folder.parent / kind))

    def anew(kind: str) -> float:
        shutil.rmtree(workspace.reports, ignore_errors=True)
        return cpu(lambda: jobs.job(kind)(workspace), 1)

    # by turns, and each the best of as many, for the machine is not the same from minute to minute
    rounds = [(cpu(lambda: floor(everything(workspace)), 1), anew("uplift"), anew("journeys")) for _ in range(3)]
    least, uplift, journeys = (min(each) for each in zip(*rounds, strict=True))
    commit(workspace, "day", last_day.num_rows, write_days(workspace, last_day, "day"))
    again = cpu(lambda: jobs.job("journeys")(workspace), 1)
    incremental = summary.figures(build.up_to_date(workspace))
    print(
        f"\n{ROWS:,} rows, CPU seconds: floor {least:.2f}, journeys {journeys:.2f} ({journeys / least:.1f}x), uplift "
        f"{uplift:.2f} ({uplift / least:.1f}x), together {(journeys + uplift) / least:.1f}x (target {TARGET}x)"
        f"\n  journeys with one more day {again:.2f} ({again / journeys:.2f} of all of it)"
    )
    shutil.rmtree(workspace.reports)
    assert summary.figures(build.up_to_date(workspace)) == incremental, "a day more equals from scratch"
    assert journeys + uplift <= HELD * least
    assert again <= 0.7 * journeys


def test_a_page_of_journeys_opens_at_once(busy_shop):
    """Under any filter figures are counted anew from what the report kept; without one they are read."""
    workspace, _ = busy_shop
    kept = build.up_to_date(workspace)
    asked = [Question(channel="phone"), Question(since="2023-06-01"), Question("2023-03-01", "2023-05-31", None, "web")]
    summary.figures(kept, asked[0])
    took = {}
    for question in asked:
        begin = time.process_time()
        found = summary.figures(layout.read(build.folder(workspace)), question)
        took[f"{found.totals.journeys:,} journeys"] = time.process_time() - begin
    print("\nnarrowed, CPU seconds:", ", ".join(f"{name} {seconds:.2f}" for name, seconds in took.items()))
    assert max(took.values()) < 1.0


def warm_shop(folder: Path) -> Workspace:
    """A small shop whose report compiles what the large one's needs."""
    workspace = init_workspace(folder, templates("features", "serving"))
    History(workspace).append(next(busy_log.tables(1_000)), "warm")
    return workspace


def test_a_day_more_costs_little_of_everything(tmp_path):
    """Conformance, touchpoints and actions read all of history the first time, and later what came in since.

    The day is one on which no new cut-off begins, as on 27 of 28; three million rows, for they are reported on thrice.
    """
    until = LAST_DAY - 2 * DAY
    files = templates("features", "serving") | {"tactful.yaml": f'clock: {{start: "{END}"}}\n'}
    workspace = init_workspace(tmp_path / "shop", files)
    held, days, rows, draw = [], [], 0, np.random.default_rng(0)
    for table in busy_log.tables(ROWS // 3):
        ours = pc.is_valid(table["decision_id"]).combine_chunks()
        named = pa.array(["offer", "news", "winback"]).take(pa.array(draw.integers(0, 3, len(table))))
        table = table.set_column(
            table.column_names.index("action"), "action", pc.if_else(ours, named, pa.scalar(None, pa.string()))
        )
        day = table["occurred_at"].cast(pa.int64()).to_numpy() // DAY
        held.append(with_physical(table.filter(pa.array(day == until // DAY))))
        table = with_physical(table.filter(pa.array(day < until // DAY)))
        days += write_days(workspace, table, "year")
        rows += table.num_rows
    commit(workspace, "year", rows, days)
    kinds = ("conformance", "touchpoints", "actions")

    def each() -> tuple[dict[str, float], dict[str, dict[str, object]]]:
        took, found = {}, {}
        for kind in kinds:
            begin = time.process_time()
            found[kind] = jobs.make(workspace, kind).artefact.model_dump(exclude={"created_at"})
            took[kind] = time.process_time() - begin
        return took, found

    each()  # compiles
    shutil.rmtree(workspace.reports)
    first, _ = each()
    day = pa.concat_tables(held)
    commit(workspace, "day", day.num_rows, write_days(workspace, day, "day"))
    more, found = each()
    shutil.rmtree(workspace.reports)
    again, anew = each()
    least = {kind: min(first[kind], again[kind]) for kind in kinds}
    told = ", ".join(f"{kind} {least[kind]:.2f} -> {more[kind]:.2f}" for kind in kinds)
    whole = sum(more.values()) / sum(least.values())
    print(f"\n{rows:,} rows, CPU seconds from scratch and with a day more: {told}; together {whole:.2f} of it")
    assert found == anew, "a day more equals from scratch"
    assert whole <= 0.65
