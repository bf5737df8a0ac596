"""Compiled code is remembered safely: read-only installations, processes that start together, edited sources."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import features

PACKAGE = Path(features.__file__).parent
PROGRAM = """
from features.hashing import _hash_slice, hash_string
from features.kernel import jit
assert hash_string("a") == 0x{expected:x}
print(jit.cache_folder(), sum(_hash_slice.stats.cache_hits.values()))
"""


@pytest.fixture
def copy(tmp_path):
    """A copy of the package that may be edited and locked."""
    shutil.copytree(PACKAGE, tmp_path / "features", ignore=shutil.ignore_patterns("__pycache__", "sources"))
    return tmp_path


#: A process that has loaded Numba, and nothing of ours: each program that it is told of runs in a fork of it, as in a
#: new process, which would take three times as long.
FORKS = """
import json, os, sys, tempfile
import numba, numpy, pyarrow.compute
numba.njit(lambda: 0)()
for line in sys.stdin:
    program, folders, environment = json.loads(line)
    child = os.fork()
    if not child:
        os.environ.update(environment)
        tempfile.tempdir = None
        sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in environment
        os.chdir(folders[0])
        sys.path[:0] = folders
        exec(program)
        sys.stdout.flush()
        os._exit(0)
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
Answer = Callable[..., list[str]]


def program() -> str:
    from features.hashing import hash_string

    return PROGRAM.format(expected=hash_string("a"))


def start(folder: Path) -> subprocess.Popen:
    """A new process that runs the program on this copy."""
    return subprocess.Popen(
        [sys.executable, "-c", program()],
        cwd=folder,
        env=without_numba() | {"PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def without_numba() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}


@pytest.fixture(scope="module")
def answers():
    """What a program prints that is run as if anew, with its folders of modules and its environment."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", FORKS],
        env=without_numba(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as forking:

        def run(text: str, *folders: Path, **environment: str) -> list[str]:
            forking.stdin.write(json.dumps([text, [str(folder) for folder in folders], environment]) + "\n")
            forking.stdin.flush()
            said: list[str] = []
            while said[-2:-1] != ["ended"]:
                line = forking.stdout.readline()
                assert line, "it has ended"
                said += line.split()
            assert said[-1] == "0"
            return said[:-2]

        yield run


@pytest.fixture
def answer(answers, copy) -> Answer:
    """The answer of the program, run as if anew on the copy, in this environment."""
    return lambda **environment: answers(program(), copy, **environment)


def test_the_second_process_compiles_nothing_unless_a_source_changed(copy, answer):
    own = str(copy / "features" / "kernel" / "__pycache__")
    assert answer() == [own, "0"]
    assert answer() == [own, "1"]
    with (copy / "features" / "kernel" / "records.py").open("a") as source:
        source.write("# edited\n")
    assert answer() == [own, "0"]


@pytest.mark.slow
def test_processes_that_start_together_all_answer(copy):
    def told(process: subprocess.Popen) -> list[str]:
        out, err = process.communicate(timeout=500)
        assert process.returncode == 0, err
        return out.split()

    processes = [start(copy) for _ in range(4)]
    assert [told(process)[0] for process in processes] == [str(copy / "features" / "kernel" / "__pycache__")] * 4
    assert told(start(copy))[1] == "1"


def test_a_package_and_home_that_cannot_be_written(copy, answer):
    # a file where the folder should be stops root too, which permissions would not
    (copy / "features" / "kernel" / "__pycache__").write_text("")
    (copy / "home").write_text("")
    nowhere = {"HOME": str(copy / "home"), "XDG_CACHE_HOME": "", "PYTHONDONTWRITEBYTECODE": "1"}
    folder, _ = answer(TMPDIR=str(copy), **nowhere)
    assert folder.startswith(str(copy / "tactful-kernel-"))
    (copy / "cache").mkdir()
    assert answer(NUMBA_CACHE_DIR=str(copy / "cache"), **nowhere) == [str(copy / "cache"), "0"]


def test_damaged_machine_code_costs_a_compilation(answer):
    own, _ = answer()
    for path in Path(own).glob("hashing._hash_slice-*.nb?"):
        path.write_bytes(path.read_bytes()[:100])
    assert answer() == [own, "0"]


def test_an_edit_beside_a_called_function_in_another_folder_is_noticed(tmp_path, answers):
    for folder in ("caller", "called"):
        (tmp_path / folder).mkdir()
    source = (
        "from part import part\nfrom features.kernel.jit import compiled\n@compiled\ndef whole(x): return part(x)\n"
    )
    (tmp_path / "caller" / "whole.py").write_text(source)
    folders = [tmp_path / "caller", tmp_path / "called", PACKAGE.parent]
    for added in (1, 2):
        (tmp_path / "called" / "part.py").write_text(
            f"from numba import njit\n@njit\ndef part(x): return x + {added}\n"
        )
        program = "from whole import whole; print(whole(40))"
        # Python's own cache takes sources of one second and length for the same
        where = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
        assert answers(program, *folders, **where) == [str(40 + added)]
