"""`compiled`: Numba's njit with a cache that is safe to ship.

Numba's own `cache=True` has gaps that matter here. It watches only the file of the function itself, so an edited
read-off in another file would go unnoticed. It names new machine code before it is written, so a process that starts at
that instant may load the old one. And where neither the package nor the home folder can be written (a read-only
container), it refuses to import. This cache carries a hash of every source that holds compiled code (whatever lies
beside the function, or beside one that it calls) in the file's name, and falls back to a private temporary folder.
"""

import contextlib
import functools
import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
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
def source_stamp(folders: tuple[Path, ...] = ()) -> str:
    """A hash of the processor and of all sources that compiled code of these folders may come from."""
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.binding.get_host_cpu_name()}".encode())
    others = [folder for folder in folders if folder not in (_PACKAGE, _PACKAGE / "kernel")]
    beside = [path for folder in others for path in sorted(folder.glob("*.py"))]
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

    def __init__(self, source: str, module: str, called: Sequence[str]) -> None:
        folders = {Path(file).resolve().parent for file in (source, *called)}
        self._py_file, self._module, self._stamp = source, module, source_stamp(tuple(sorted(folders)))

    def get_cache_path(self) -> str:
        return cache_folder()

    def get_source_stamp(self) -> str:
        return self._stamp

    def get_disambiguator(self) -> str:
        """The module too: one file may be loaded as several, each with other kinds compiled in (see entries.py)."""
        return hashlib.sha256(f"{self._stamp} {self._module}".encode()).hexdigest()[:16]

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], source: str) -> "_Locator":
        named: list[Any] = [py_func.__globals__.get(name) for name in py_func.__code__.co_names]
        called = [each.py_func.__code__.co_filename for each in named if hasattr(each, "py_func")]
        return cls(source, py_func.__module__, called)


class _Implementation(CompileResultCacheImpl):
    _locator_classes: list[Any] = [_Locator]  # noqa: RUF012


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
