"""A real service in processes of its own, started as a user starts it."""

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil

from features.workspace import Workspace
from serving.client import create_key

READY_WITHIN = 240.0  # a fresh checkout compiles the kernel first


_numbers = itertools.count(61 * os.getpid())  # other test processes look elsewhere


def free_port() -> int:
    """Of those below the ones that the system hands out, which anybody may have been given before a server is up."""
    while True:
        port = 20_000 + next(_numbers) % 12_000
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class Running:
    """`tactful serve` in its own process group, with a key."""

    def __init__(self, workspace: Workspace, key: str | None = None, port: int | None = None, workers: int = 1) -> None:
        self.workspace = workspace
        self.key = key or create_key(workspace, f"test-{time.monotonic_ns()}")
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.workers = workers
        self.log = workspace.folder / "state" / "service.log"
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-c", "from serving.commands import app; app()", "serve", "--port", str(self.port)]
        words += ["--workers", str(self.workers)]
        environment = {**os.environ, "TACTFUL_WORKSPACE": str(self.workspace.folder)}
        with self.log.open("ab") as sink:
            return subprocess.Popen(
                words,
                stdout=sink,
                stderr=sink,
                env=environment,
                start_new_session=True,
                cwd=Path(__file__).parents[2],
            )

    def client(self, **options: object) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, **options)  # type: ignore[arg-type]

    def readiness(self) -> httpx.Response | None:
        """What /readyz says; None while nothing listens."""
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=5)
        return None

    def wait(self) -> "Running":
        """Returns once it is ready; fails with the end of its log."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline and self.process.poll() is None:
            answer = self.readiness()
            if answer is not None and answer.status_code == 200:
                return self
            time.sleep(0.3)
        raise AssertionError("not ready: " + "\n".join(self.log.read_text(errors="replace").splitlines()[-30:]))

    def kill(self) -> None:
        """kill -9, the worker and its parent alike, as if the power went; the worker leads a session of its own."""
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            parent.suspend()  # or it would start another worker
            family = [*parent.children(recursive=True), parent]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        psutil.wait_procs(family, timeout=60)

    def stop(self) -> int:
        """SIGTERM, as `make serve` gets from Ctrl-C or a supervisor; returns the exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            return self.process.wait(timeout=240)
        finally:
            self.kill()


@contextlib.contextmanager
def running(workspace: Workspace) -> Iterator[Running]:
    """A ready service, stopped at the end."""
    service = Running(workspace)
    try:
        yield service.wait()
    finally:
        service.kill()
