"""What the rules of the guard are to one customer now, if nothing else happens.

Most that refuse will pass at some instant, and from it on for good: their `Trip` says all there is to know. Others come
and go by the clock: these are gates. Most rules are neither: they could never refuse.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from features import clock
from serving.decisions.fate import Trip

#: How far ahead an earliest passing moment is looked for, and in how many steps: beyond, it is none.
HORIZON = 800 * clock.DAY
STEPS = 2_000


class Gate(Protocol):
    """A rule that is open or shut at any instant, and may shut again after it opened."""

    def after(self, t: int, /) -> int | None:
        """The first instant from `t` on at which it is open; None where it never is by itself."""

    def trip(self, now: int, /) -> Trip | None:
        """Why it is shut now; None where it is open."""


class Found(NamedTuple):
    """What some rules say together: who refuses now, before when they cannot all pass (None: ever), and their gates,
    any of which may be shut again by then."""

    trips: tuple[Trip, ...] = ()
    until: int | None = 0
    gates: tuple[Gate, ...] = ()


def refused(trip: Trip) -> Found:
    """By a rule that passes for good once it does."""
    return Found((trip,), trip.passes_at)


def gated(gate: Gate, now: int) -> Found:
    """By a gate, if it is shut now; if it is open it may yet shut."""
    trip = gate.trip(now)
    return Found((), 0, (gate,)) if trip is None else Found((trip,), trip.passes_at, (gate,))


def joined(parts: Iterable[Found]) -> Found:
    """All of them."""
    trips: list[Trip] = []
    gates: list[Gate] = []
    until: int | None = 0
    for refusals, passes, may_shut in parts:
        trips += refusals
        gates += may_shut
        if until is not None and (passes is None or passes > until):
            until = passes
    return Found(tuple(trips), until, tuple(gates))


Asked = dict[tuple[Gate, int], int | None]


def together(gates: Sequence[Gate], t: int, end: int, asked: Asked) -> int | None:
    """The first instant from `t` on at which all of them are open; None where there is none by `end`.

    Each gate in turn moves the instant to the first at which it is open itself, until none moves it any more: no
    earlier one can do, for at every instant passed over some gate was shut. `asked` remembers what gates answered: many
    candidates share most of theirs.
    """
    agreed, i = 0, 0
    for _ in range(STEPS):
        if t > end:
            return None
        if agreed == len(gates):
            return t
        gate = gates[i]
        if (gate, t) in asked:
            moved = asked[gate, t]
        else:
            moved = asked[gate, t] = gate.after(t)
        if moved is None:
            return None
        t, agreed, i = moved, agreed + 1 if moved == t else 1, (i + 1) % len(gates)
    return None


def day(at: int) -> str:
    """An instant as people read it."""
    return _day(at // clock.DAY)


@lru_cache(maxsize=4_096)
def _day(number: int) -> str:
    return clock.isoformat(number * clock.DAY)[:10]
