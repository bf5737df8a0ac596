"""How the cost of features grows with the log, what memory the batch engine takes, and what Spark adds.

TACTFUL_BENCH_FULL=1 goes to 50 million rows: about 2 GB of disk and ten minutes.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import busy_log
import numpy as np
import pyarrow.parquet as pq
import pytest
from measuring import FULL, ROWS, cpu, floor, ours, warm

from features import clock
from features.catalogue import DEFAULT
from features.scaffold import init_workspace, templates
from features.spark_session import java

pytestmark = [pytest.mark.bench, pytest.mark.timeout(7200)]

MOST = 50_000_000 if FULL else ROWS
SIZES = sorted({min(size, MOST) for size in (1_000_000, 3_000_000, 10_000_000, MOST)} | {min(MOST // 10, 1_000_000)})
AS_OF = busy_log.START + busy_log.DAYS * clock.DAY
LAST = ("--as-of", clock.isoformat(AS_OF))
EVERY = 30 * clock.DAY


@pytest.fixture(scope="module")
def logs(busy):
    """A log of each size."""
    return {rows: busy(rows) for rows in SIZES}


def child(words: list[str], folder: Path) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak resident MB of a command in a process of its own.

    The peak is read while it runs: what the kernel says at its end begins with that of the process that started it.
    """
    start, peak = time.perf_counter(), 0.0
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors)
        status = Path(f"/proc/{process.pid}/status")
        while (done := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            held = re.search(r"VmHWM:\s+(\d+)", status.read_text())
            peak = max(peak, int(held[1]) / 1024 if held else 0.0)  # none once it is a zombie
            time.sleep(0.02)
        process.returncode = os.waitstatus_to_exitcode(done[1])
        errors.seek(0)
        assert process.returncode == 0, errors.read()[-2000:]
    return done[2].ru_utime + done[2].ru_stime, time.perf_counter() - start, peak


def build(
    workspace: Path, source: Path | str, out: Path, *options: str, cutoffs: tuple[str, ...] = LAST
) -> tuple[float, float, float]:
    """Of `tactful features build`, at one cutoff unless others are named."""
    words = [sys.executable, "-m", "tactful", "features", "build", "--workspace", str(workspace)]
    words += ["--source", str(source), "--out", str(out), *cutoffs, *options]
    return child(words, workspace)


@pytest.fixture
def workspace(tmp_path):
    """With nothing in it: the benchmarks name their source."""
    init_workspace(tmp_path / "shop", templates("features"))
    return tmp_path / "shop"


def test_growth_and_memory(logs, busy, workspace, tmp_path):
    """The batch engine in processes of their own: time as the log grows, and no more memory than it was given.

    What any build costs (starting Python, loading the kernel) is that of a thousand rows, and is taken off.
    """
    out = tmp_path / "out.parquet"
    build(workspace, busy(1_000), out)  # compiles what is not compiled yet
    start, _, idle = build(workspace, busy(1_000), tmp_path / "few.parquet")
    print(f"\n{len(DEFAULT)} features, 1 cutoff, `features build --memory 2GB`, Parquet to Parquet:")
    print(f"  starting: {start:.1f} CPU seconds, {idle:,.0f} MB")
    spent, peaks = {}, []
    for rows in SIZES:
        used, wall, peak = build(workspace, logs[rows], out, "--memory", "2GB")
        spent[rows] = used - start
        peaks.append(peak)
        written = pq.read_metadata(out).num_rows
        print(
            f"  {rows:>12,} rows: {spent[rows]:6.1f} CPU seconds beyond that, {wall:6.1f} s in all, "
            f"peak {peak:,.0f} MB, {written:,} customers"
        )
    exponent = np.polyfit(np.log(list(spent)), np.log(list(spent.values())), 1)[0]
    print(f"  grows with the power {exponent:.2f} of the number of rows")
    assert exponent < 1.2
    assert max(peaks) < 2560


def test_twelve_cutoffs(logs, busy, workspace, tmp_path):
    """More than memory holds as one table: the largest log at twelve cutoffs, Parquet to Parquet, beside the floor."""
    most, out = logs[MOST], tmp_path / "out"
    cutoffs = ("--from", clock.isoformat(AS_OF - 11 * EVERY), "--to", clock.isoformat(AS_OF), "--every", "30d")
    build(workspace, busy(1_000), tmp_path / "few.parquet")
    start, _, _ = build(workspace, busy(1_000), tmp_path / "none.parquet")
    used, wall, peak = build(workspace, most, out, "--memory", "2GB", cutoffs=cutoffs)
    least = cpu(lambda: floor(most), 2)
    rows = sum(pq.read_metadata(part).num_rows for part in out.glob("*.parquet"))
    spent = used - start
    print(f"\n{MOST:,} rows, 12 cutoffs, --memory 2GB, Parquet to {rows:,} rows of Parquet:")
    print(f"  {spent:.1f} CPU seconds, writing included: {spent / least:.1f}x the floor's {least:.1f}")
    print(f"  {wall:.0f} s in all, peak {peak:,.0f} MB")
    assert rows > 11 * pq.read_metadata(tmp_path / "few.parquet").num_rows
    assert peak < 2560


def test_growth_in_memory(logs):
    """One table in one pass, where it fits: beyond the processor's cache every row costs more, in any engine."""
    warm()
    least = {rows: cpu(lambda path=path: floor(path), 2) for rows, path in logs.items()}
    spent = {rows: cpu(lambda path=path: ours(path, [AS_OF]), 2) for rows, path in logs.items()}
    print(f"\n{len(DEFAULT)} features, 1 cutoff, Parquet to an Arrow table, CPU seconds (and times the floor):")
    for rows in SIZES:
        print(f"  {rows:>12,} rows {spent[rows]:8.2f} ({spent[rows] / least[rows]:.1f}x)")
    ours_, floor_ = (np.polyfit(np.log(list(s)), np.log(list(s.values())), 1)[0] for s in (spent, least))
    print(f"  grows with the power {ours_:.2f} of the number of rows; the floor with {floor_:.2f}")
    assert ours_ < floor_ + 0.2


@pytest.mark.skipif(not java(), reason="no Java on this machine: Spark is not measured")
def test_spark(logs, workspace, tmp_path):
    """The same on a local Spark, with what starting and feeding it costs."""
    source = logs[SIZES[0]]
    local = build(workspace, source, tmp_path / "local.parquet")
    spark = build(workspace, source, tmp_path / "spark.parquet", "--engine", "spark")
    print(
        f"\n{SIZES[0]:,} rows, Parquet to Parquet: {local[1]:.1f} s on this machine, {spark[1]:.1f} s on a local Spark"
    )
    order = [("as_of", "ascending"), ("customer_id", "ascending")]
    one, other = (pq.read_table(tmp_path / f"{name}.parquet").sort_by(order) for name in ("local", "spark"))
    assert one.combine_chunks().equals(other.combine_chunks())
