"""What the read-off of a feature takes from the accumulators: seen from the names that its code uses."""

from typing import TYPE_CHECKING, Any

from features.kernel.accumulators import DECAY, LASTING, MONEYED, NEEDS, RHYTHM

if TYPE_CHECKING:
    from features.definitions import Feature

_BY_NAME = {
    MONEYED: {"SUM", "VALUED"},
    RHYTHM: {"DAYS", "LAST_DAY", "GAPS", "GAP_SUM", "GAP_SQUARES", "GAP_LONGEST", "GAP_RECENT"},
    LASTING: {"FIRST", "NUMBER", "MONEY"},
}
_ALL = sum(_BY_NAME)


def wants(kind: "type[Feature]") -> int:
    """Bits of what is to be added up for the selectors of a kind's features.

    A kind from elsewhere may write its positions as it likes: it gets everything that is not asked for by `needs`.
    """
    bits = sum(1 << bit for bit, need in enumerate(NEEDS) if need in kind.needs)
    if bits & DECAY:  # a day fades once, and a value does
        bits |= RHYTHM | MONEYED
    if not kind.__module__.startswith("features.kinds."):
        return bits | _ALL
    names = _names(kind.read)
    return bits | sum(bit for bit, those in _BY_NAME.items() if those & names)


def _names(function: Any) -> set[str]:
    """The names that a compiled function uses, and those that it calls."""
    plain = getattr(function, "py_func", function)
    names = set(plain.__code__.co_names)
    for name in plain.__code__.co_names:
        called = plain.__globals__.get(name)
        if hasattr(called, "py_func"):
            names |= _names(called)
    return names
