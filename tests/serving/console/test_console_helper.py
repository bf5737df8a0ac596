"""The process that draws pages: another one, made anew where it ends, given up where it takes long, gone with us."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

import pytest

from serving.console.helper import NICE, Helper
from serving.problems import Problem

SERVICE = """
import os, signal
from serving.console.helper import Helper
helper = Helper(patience=300)
print(helper.run(os.getpid), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def helper():
    found = Helper(patience=300)
    yield found
    found.close()


def awkward():
    """Raises what cannot be sent."""
    raise ValueError(lambda: None)


def gone(pid):
    """Whether a process ends, within two minutes; one that its parent has not asked after counts as ended."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_work_is_done_in_another_process_which_stays(helper):
    assert helper.pid is None, "nobody asked for a page yet"
    first = helper.run(os.getpid)
    assert first == helper.pid != os.getpid()
    assert helper.run(os.getpid) == first
    assert helper.run(os.nice, 0) == min(os.nice(0) + NICE, 19), "decisions come first"


def test_it_is_made_of_the_modules_of_the_service_and_no_part_of_its_group(helper, tmp_path, monkeypatch):
    """Of no file that lies where the service was started; Ctrl-C of a terminal goes to a whole group, also while the
    process still imports."""
    (tmp_path / "secrets.py").write_text("raise SystemExit('not ours')")
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    monkeypatch.chdir(tmp_path)
    assert helper.run(os.getpgid, 0) == helper.pid != os.getpgid(0)


def test_what_goes_wrong_there_is_raised_here(helper):
    with pytest.raises(ValueError, match="invalid literal") as raised:
        helper.run(int, "x")
    assert "in the process that draws pages" in raised.value.__notes__[0]
    with pytest.raises(TypeError, match="cannot pickle"):
        helper.run(threading.Lock)
    with pytest.raises(RuntimeError, match="ValueError: <function"):
        helper.run(awkward)
    assert helper.run(int, "7") == 7


def test_a_process_that_ended_is_replaced(helper):
    first = helper.run(os.getpid)
    os.kill(first, signal.SIGKILL)
    second = helper.run(os.getpid)
    assert second != first
    with pytest.raises(RuntimeError, match="ended twice over one page"):
        helper.run(os._exit, 1)
    assert helper.run(os.getpid) != second


def test_no_answer_is_left_behind_for_the_next_page(helper, monkeypatch):
    """Whatever cuts a page short, what comes of it yet is not taken for another reader's."""
    helper.run(int, "1")

    def cut(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "poll", cut)
        with pytest.raises(MemoryError):
            helper.run(int, "2")
    assert helper.run(int, "3") == 3


def test_a_process_that_starts_slowly_is_waited_for_by_one_page_after_the_other(tmp_path, monkeypatch):
    """Begun anew for each of them, it would never be there."""
    (tmp_path / "sitecustomize.py").write_text("import time\ntime.sleep(3)")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    helper = Helper(patience=0.3)
    try:
        with pytest.raises(Problem, match="is starting; reload in a moment"):
            helper.run(os.getpid)
        first, deadline = helper.pid, time.monotonic() + 240
        while time.monotonic() < deadline:
            with suppress(Problem):
                assert helper.run(os.getpid) == helper.pid == first
                break
        else:
            pytest.fail("it never came up")
    finally:
        helper.close()


def test_what_takes_too_long_is_given_up_and_its_process_with_it():
    helper = Helper(patience=300)
    try:
        helper.run(int, "1")
        helper._patience = 0.2
        with pytest.raises(Problem, match="timeout"):
            helper.run(time.sleep, 60)
        assert helper.pid is None
    finally:
        helper.close()


def test_a_process_that_stands_still_holds_up_no_page():
    """It reads nothing, and the page is larger than what waits on the way to it."""
    helper = Helper(patience=0.2, starts=0)
    try:
        helper._begun()
        still = helper.pid
        os.kill(still, signal.SIGSTOP)
        with suppress(RuntimeError, Problem):  # the next one may not be up so soon, either
            assert helper.run(len, b"x" * 5_000_000) == 5_000_000
        assert gone(still)
        assert helper.pid != still
    finally:
        helper.close()


def test_it_ends_with_the_service_however_that_ends():
    found = subprocess.run([sys.executable, "-c", SERVICE], capture_output=True, text=True, check=False)
    assert found.returncode == -signal.SIGKILL
    assert gone(int(found.stdout))
