"""The kernel's entries for a catalogue: the shipped ones, or a copy with a workspace's own kinds compiled in."""

import importlib.util
import sys
import threading
from collections.abc import Iterable
from types import ModuleType

from features.definitions import Feature
from features.kernel import run
from features.kernel.kinds import added
from features.kinds import KINDS

_lock = threading.Lock()


def own_kinds(features: Iterable[Feature]) -> tuple[type[Feature], ...]:
    """The kinds that do not ship, in the order in which they first appear."""
    return tuple(dict.fromkeys(type(feature) for feature in features if type(feature) not in KINDS))


def entries(own: tuple[type[Feature], ...], source: str) -> ModuleType:
    """A module with `run` and `run_log` that knows the kinds that ship and `own`; `source` stands for their code.

    run.py is loaded once more, under another name: compiled code cannot call functions that it meets later. The name
    carries `source` into the cache of machine code.
    """
    if not own:
        return run
    name = "_".join([run.__name__, source, *(kind.__name__ for kind in own)])
    with _lock:
        if added.get(name) != own:
            added[name] = own
            spec = importlib.util.spec_from_file_location(name, run.__file__)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
        return sys.modules[name]
