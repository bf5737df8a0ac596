"""Frozen dataclasses that are made as quickly as others.

A frozen dataclass sets each field through `object.__setattr__`: ten of them take 3 us, where filling the instance's own
dictionary takes 1. A decision makes a dozen such objects. What is frozen stays so.
"""

from dataclasses import MISSING, fields
from typing import Any, TypeVar

Class = TypeVar("Class")
_ABSENT = object()


def quickly_made(cls: type[Class]) -> type[Class]:
    """The same frozen dataclass. For classes without slots; fields that `__init__` does not take are not for it.

    >>> from dataclasses import dataclass
    >>> @quickly_made
    ... @dataclass(frozen=True)
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> Point(3)
    Point(x=3, y=0)
    """
    names: dict[str, Any] = {"_absent": _ABSENT}
    taken, lines = ["self"], ["own = self.__dict__"]
    for each in fields(cls):  # type: ignore[arg-type]
        name = each.name
        if not each.init:
            raise TypeError(f"{cls.__name__}.{name} is not taken by __init__: leave the class as it is")
        value = name
        if each.default is not MISSING:
            names[f"_of_{name}"] = each.default
            taken.append(f"{name}=_of_{name}")
        elif each.default_factory is not MISSING:
            names[f"_of_{name}"] = each.default_factory
            taken.append(f"{name}=_absent")
            value = f"_of_{name}() if {name} is _absent else {name}"
        else:
            taken.append(name)
        lines.append(f"own[{name!r}] = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(taken)}):\n    " + "\n    ".join(lines), names)  # as dataclasses does
    made = names["__init__"]
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    cls.__init__ = made  # type: ignore[method-assign]
    return cls
