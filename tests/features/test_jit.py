"""Compiled code is remembered safely: read-only installations, processes that start together, edited sources."""

import os
import shutil
import subprocess
import sys
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


def start(folder: Path, **environment: str) -> subprocess.Popen:
    from features.hashing import hash_string

    settings = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(expected=hash_string("a"))],
        cwd=folder,
        env=settings | {"PYTHONPATH": str(folder)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(process: subprocess.Popen) -> list[str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.split()


def test_the_second_process_compiles_nothing_unless_a_source_changed(copy):
    own = str(copy / "features" / "kernel" / "__pycache__")
    assert answer(start(copy)) == [own, "0"]
    assert answer(start(copy)) == [own, "1"]
    with (copy / "features" / "kernel" / "records.py").open("a") as source:
        source.write("# edited\n")
    assert answer(start(copy)) == [own, "0"]


@pytest.mark.slow
def test_processes_that_start_together_all_answer(copy):
    processes = [start(copy) for _ in range(4)]
    assert [answer(process)[0] for process in processes] == [str(copy / "features" / "kernel" / "__pycache__")] * 4
    assert answer(start(copy))[1] == "1"


def test_a_package_and_home_that_cannot_be_written(copy):
    # a file where the folder should be stops root too, which permissions would not
    (copy / "features" / "kernel" / "__pycache__").write_text("")
    (copy / "home").write_text("")
    nowhere = {"HOME": str(copy / "home"), "XDG_CACHE_HOME": "", "PYTHONDONTWRITEBYTECODE": "1"}
    folder, _ = answer(start(copy, TMPDIR=str(copy), **nowhere))
    assert folder.startswith(str(copy / "tactful-kernel-"))
    (copy / "cache").mkdir()
    assert answer(start(copy, NUMBA_CACHE_DIR=str(copy / "cache"), **nowhere)) == [str(copy / "cache"), "0"]


def test_damaged_machine_code_costs_a_compilation(copy):
    own, _ = answer(start(copy))
    for path in Path(own).glob("hashing._hash_slice-*.nb?"):
        path.write_bytes(path.read_bytes()[:100])
    assert answer(start(copy)) == [own, "0"]


def test_an_edit_beside_a_called_function_in_another_folder_is_noticed(tmp_path):
    for folder in ("caller", "called"):
        (tmp_path / folder).mkdir()
    source = (
        "from part import part\nfrom features.kernel.jit import compiled\n@compiled\ndef whole(x): return part(x)\n"
    )
    (tmp_path / "caller" / "whole.py").write_text(source)
    found = [str(tmp_path / "caller"), str(tmp_path / "called"), str(PACKAGE.parent)]
    settings = os.environ | {"PYTHONPATH": os.pathsep.join(found), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    program = [sys.executable, "-c", "from whole import whole; print(whole(40))"]
    for added in (1, 2):
        (tmp_path / "called" / "part.py").write_text(
            f"from numba import njit\n@njit\ndef part(x): return x + {added}\n"
        )
        done = subprocess.run(program, env=settings, capture_output=True, text=True, check=True)
        assert int(done.stdout) == 40 + added
