"""A process of its own that draws pages, so that no decision shares Python's lock with one.

Drawing a page is 20 to 80 ms of Python. In a thread of the service it took every other turn at the interpreter, however
short the turns were; here it is another process, of lower priority. It is started when the first page is asked for,
started again where it ended, ended where a page takes too long, and ends by itself with the service: then its end of
the socket says so, also after a kill -9.
"""

import atexit
import logging
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from serving.console.aside import PATIENCE
from serving.console.views import VIEWS
from serving.problems import Problem

T = TypeVar("T")
#: What the process says first, its modules imported.
_READY = b"ready"
#: Seconds that it may take to start: pages say so, and nobody begins anew.
STARTS = 120.0
#: By how much the process gives way to decisions, as `nice` has it.
NICE = 5
#: One processor's worth, whatever libraries would take.
_ONE = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class _Starting(Exception):
    """The process still imports its modules."""


class Helper:
    """One process, one piece of work at a time. Safe to ask from several threads; they wait for each other."""

    def __init__(self, patience: float = PATIENCE, starts: float = STARTS) -> None:
        self._patience, self._starts = patience, starts
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None
        self._ready, self._began = False, 0.0
        atexit.register(self.close)

    @property
    def pid(self) -> int | None:
        """Of the process; None before the first page."""
        return None if self._process is None else self._process.pid

    def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """What `work`, a function of a module, returns in the other process. Blocks: call it from a thread.

        Raises whatever it raises, and the problem `timeout`; work over which the process ends twice is given up.
        """
        asked = pickle.dumps((work, arguments))
        with self._lock:
            for last in (False, True):
                try:
                    good, found = pickle.loads(self._answer(asked))
                    break
                except (EOFError, OSError) as ended:  # now or since it was asked last; or it does not read
                    if last:
                        raise RuntimeError("the process that draws pages ended twice over one page") from ended
        if good:
            return found
        raise found

    def close(self) -> None:
        with self._lock:
            self._end()

    def _answer(self, asked: bytes) -> bytes:
        line = self._begun()
        try:
            if not self._ready:
                if not line.poll(self._patience) and time.monotonic() - self._began < self._starts:
                    raise _Starting
                self._ready = line.recv_bytes() == _READY
            line.send_bytes(asked)
            if not line.poll(self._patience):
                raise Problem("timeout", f"the page was not there within {self._patience:g} s")
            return line.recv_bytes()
        except _Starting:  # begun anew for each page, it would never be there
            raise Problem("timeout", "the process that draws pages is starting; reload in a moment") from None
        except BaseException:  # an answer that comes yet would be taken for that of the next page
            self._end()
            raise

    def _begun(self) -> Connection:
        """Its modules are those of this process (-P: nothing from the folder we happen to be in), and it is no part of
        our group: Ctrl-C, also while it starts, is for the service, which then hangs up."""
        if self._line is not None:
            return self._line
        ours, theirs = socket.socketpair()
        seconds, rest = divmod(round(self._patience * 1e6), 1_000_000)
        for way in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):  # else a process that stands still holds up all pages
            ours.setsockopt(socket.SOL_SOCKET, way, struct.pack("ll", seconds, rest))
        command = [sys.executable, "-P", "-c", f"import {__name__} as helper; helper.serve({theirs.fileno()})"]
        environment = os.environ | _ONE | {"PYTHONPATH": os.pathsep.join(each or "." for each in sys.path)}
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, env=environment, pass_fds=[theirs.fileno()], process_group=0
            )
        self._line, self._began = Connection(ours.detach()), time.monotonic()
        return self._line

    def _end(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()  # it writes nothing that could be left half
            self._process.wait()
        self._line = self._process = None
        self._ready = False


def serve(line: int) -> None:
    """The other process: answers until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as `_begun` has it, whoever sends it
    os.nice(NICE)
    logging.basicConfig(format="%(asctime)s [%(levelname)s] [%(name)s] %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z")
    modules = [view.module for view in VIEWS if view.artefact is not None]
    with Connection(line) as asked, suppress(EOFError, OSError):
        asked.send_bytes(_READY)
        while True:
            asked.send_bytes(_done(asked.recv_bytes()))
            while modules and not asked.poll(0):  # no later page is the first to import what it is drawn with
                import_module(f"serving.console.views.{modules.pop()}")


def _done(asked: bytes) -> bytes:
    try:
        work, arguments = pickle.loads(asked)
        return pickle.dumps((True, work(*arguments)))
    except Exception as error:
        error.add_note(f"in the process that draws pages:\n{traceback.format_exc()}")
        try:
            return pickle.dumps((False, error))
        except Exception:
            return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


SHARED = Helper()
"""Of this process, whatever number of consoles it has."""
