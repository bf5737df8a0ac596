"""The README's two commands and every shell block in it, run as written in one fresh copy of the project."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```", README, re.M | re.S)
PORT = 3000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git has, with this environment as its .venv: setting that up is `make setup`'s own business."""
    folder = tmp_path_factory.mktemp("checkout")
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
    for stamped in ("requirements.lock", "pyproject.toml"):
        os.utime(folder / stamped, (0, 0))  # the environment is newer than what it was made from
    return folder


def shell(script: str, folder: Path, timeout: float = 1500) -> str:
    """Runs a block as a user would who stands in the project's folder; returns what it printed."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
    return done.stdout


def _environment(folder: Path) -> dict[str, str]:
    others = {"MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"}  # left by other tests of this process
    return {
        **{name: value for name, value in os.environ.items() if name not in others},
        "PATH": f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder),
        "TACTFUL_WORKSPACE": str(folder / "demo-workspace"),
    }


@pytest.fixture(scope="module")
def demo(checkout: Path) -> str:
    """What `make demo` prints."""
    assert "make demo" in BLOCKS[0]
    assert "make test" in BLOCKS[0]
    return shell("make demo", checkout)


@pytest.fixture(scope="module")
def served(checkout: Path, demo: str) -> Iterator[None]:
    """`make serve` in another terminal."""
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.1", PORT)), f"something else listens on {PORT}, which the README names"
    process = subprocess.Popen(
        ["make", "serve", f"PORT={PORT}"],
        cwd=checkout,
        env=_environment(checkout),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _ready(process)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=300)


def _ready(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz") as answer:
            if answer.status == 200:
                return
        assert process.poll() is None, "make serve ended"
        time.sleep(0.3)
    pytest.fail("make serve is not ready")


def test_demo_prints_what_mlflow_has(checkout: Path, demo: str) -> None:
    at = f"sqlite:///{checkout / 'demo-workspace' / 'mlflow' / 'mlflow.db'}"
    client = MlflowClient(at, at)
    for name in ("churn", "propensity"):
        run = client.get_run(client.get_model_version_by_alias(name, "champion").run_id)
        auc, low, high = (run.data.metrics[key] for key in ("auc", "auc_low", "auc_high"))
        assert f"AUC {auc:.3f} (95 % {low:.3f} to {high:.3f})" in demo
        assert run.info.run_id in demo.replace("\n", "")


def test_demo_plays_the_whole_circle(checkout: Path, demo: str) -> None:
    assert "1,477,998 received = 1,477,998 accepted + 0 duplicates + 0 quarantined" in demo
    assert "63 received = 61 accepted + 1 duplicates + 1 quarantined" in demo
    assert "open complaint" in demo.lower()
    assert "reserved -> claimed -> sent -> clicked -> accepted" in demo
    assert re.search(r"1,000 in a row: p50 [\d.]+ ms, p99 [\d.]+ ms", demo)
    assert "targeted" in (checkout / "demo-workspace" / "pages" / "uplift.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", BLOCKS[1:], ids=lambda block: block.strip().split("\n")[0][:40])
def test_block_runs_as_written(block: str, checkout: Path, served: None) -> None:
    shell(block, checkout)


def test_the_map_in_the_readme_gives_two_rows_and_one_refusal(checkout: Path) -> None:
    if not (checkout / "shop").exists():  # this test alone
        shell(next(block for block in BLOCKS if "--map invoices.yaml" in block), checkout)
    again = shell("tactful ingest invoices.csv --map invoices.yaml --workspace shop", checkout)
    assert "3 received = 0 accepted + 2 duplicates + 1 quarantined" in again
