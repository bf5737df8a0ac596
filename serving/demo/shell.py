"""The demo uses the product as its users do: by its commands and over HTTP."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from features.console import err, out, progress
from features.workspace import WorkspaceError

READY_WITHIN = 300.0  # seconds; the first start compiles, and a machine may be busy. One that died is seen at once


def tactful(folder: Path, *words: str) -> list[str]:
    """Runs a command of the CLI in the workspace, shows what it prints, and returns those lines.

    Raises WorkspaceError where it fails.
    """
    out.print(f"\n[bold]$ tactful {' '.join(words)}[/bold]", highlight=False)
    process = subprocess.Popen(
        _front_door(*words), stdout=subprocess.PIPE, text=True, env=_environment(folder), encoding="utf-8"
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        out.print(line.rstrip("\n"), markup=False)
        lines.append(line.strip())
    if process.wait() != 0:
        raise WorkspaceError(f"`tactful {' '.join(words)}` failed with exit code {process.returncode}; see above")
    return lines


@contextlib.contextmanager
def service(folder: Path, port: int) -> Iterator[str]:
    """`tactful serve` in the background; yields its address once /readyz says ready, and stops it at the end."""
    port = port or _free_port()
    url = f"http://127.0.0.1:{port}"
    out.print(f"\n[bold]$ tactful serve --port {port} &[/bold]", highlight=False)
    log = folder / "state" / "demo-service.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as sink:
        process = subprocess.Popen(
            _front_door("serve", "--port", str(port)), stdout=sink, stderr=sink, env=_environment(folder),
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait_until_ready(url, process, log)
            yield url
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    with progress() as bar:
        task = bar.add_task("the service loads its models and warms up", total=None)
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/readyz").status_code == 200:
                    return
            bar.advance(task, 0)
            time.sleep(0.25)
    err.print("\n".join(log.read_text(errors="replace").splitlines()[-15:]), markup=False)
    raise WorkspaceError(f"the service did not become ready; the end of its log is above, all of it in {log}")


def _front_door(*words: str) -> list[str]:
    return [sys.executable, "-m", "tactful", *words]


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TACTFUL_WORKSPACE": str(folder.resolve()), "PYTHONUNBUFFERED": "1"}


def _free_port() -> int:
    """Of those below the ones that a system hands out, which anybody may have been given before the service is up."""
    for port in random.sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise WorkspaceError("no port is free; name one with --port")
