"""`compiled`: Numba's njit with a cache that is safe to ship.

Numba's own `cache=True` has gaps that matter here. It watches only the file of the function itself, so an edited
read-off in another file would go unnoticed. It names new machine code before it is written, so a process that starts at
that instant may load the old one. And where neither the package nor the home folder can be written (a read-only
container), it refuses to import. This cache carries a hash of every source that holds compiled code in the file's name,
and falls back to a private temporary folder.
"""

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import llvmlite.binding
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

Function = TypeVar("Function", bound=Callable[..., Any])

_PACKAGE = Path(__file__).resolve().parents[1]
_SOURCES = (
    "clock.py",
    "definitions.py",
    "hashing.py",
    "kinds/*.py",
    "interactions.py",
    "kernel/*.py",
)


def compiled(function: Function) -> Function:
    """Compiles on first call, runs without the interpreter's lock, and remembers across processes.

    Call it with one combination of argument types only: each further one costs seconds.
    """
    dispatcher: Any = numba.njit(nogil=True)(function)
    dispatcher._cache = _Cache(dispatcher.py_func)
    return dispatcher


#: A part of compiled code. It makes no array, so it need not count references: with twenty arrays in hand that costs
#: more than the work itself, at each call.
inlined: Any = numba.njit(forceinline=True, _nrt=False)  # type: ignore[call-overload]


@functools.cache
def source_stamp(folder: Path = _PACKAGE) -> str:
    """A hash of the processor and of all sources that compiled code in a folder may come from."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.binding.get_host_cpu_name()}".encode())
    beside = () if folder in (_PACKAGE, _PACKAGE / "kernel") else sorted(folder.glob("*.py"))
    for path in (*(path for pattern in _SOURCES for path in sorted(_PACKAGE.glob(pattern))), *beside):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def cache_folder() -> str:
    """The first that can be written of $NUMBA_CACHE_DIR, the package's own and the user's cache, else a new one."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    own = str(_PACKAGE / "kernel" / "__pycache__")
    for folder in filter(None, (os.environ.get("NUMBA_CACHE_DIR"), own, os.path.join(home, "tactful"))):
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
    return tempfile.mkdtemp(prefix="tactful-kernel-")


class _Locator(_CacheLocator):
    """Where a function's machine code lies, and what it was made from."""

    def __init__(self, source: str, module: str) -> None:
        self._py_file, self._module, self._stamp = source, module, source_stamp(Path(source).resolve().parent)

    def get_cache_path(self) -> str:
        return cache_folder()

    def get_source_stamp(self) -> str:
        return self._stamp

    def get_disambiguator(self) -> str:
        """The module too: one file may be loaded as several, each with other kinds compiled in (see entries.py)."""
        return hashlib.sha256(f"{self._stamp} {self._module}".encode()).hexdigest()[:16]

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], source: str) -> "_Locator":
        return cls(source, py_func.__module__)


class _Implementation(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012


class _Cache(FunctionCache):
    _impl_class = _Implementation

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged file costs a compilation, never an answer
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):  # a full disk costs the next process a compilation
            super().save_overload(sig, data)
