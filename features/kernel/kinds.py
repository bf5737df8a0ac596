"""Which kinds a copy of the kernel compiles in."""

from features.definitions import Feature
from features.kinds import KINDS

#: By name of the module that run.py is loaded as: kinds beside those that ship (see entries.py).
added: dict[str, tuple[type[Feature], ...]] = {}


def all_kinds(module: str) -> tuple[type[Feature], ...]:
    """In this order the kernel numbers them."""
    return (*KINDS, *added.get(module, ()))
