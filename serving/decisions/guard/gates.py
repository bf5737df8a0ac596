"""What a rule of the guard is to one customer: a gate that is open or shut at any instant, if nothing else happens."""

from collections.abc import Sequence
from typing import Protocol

from features import clock
from serving.decisions.fate import Trip

#: How far ahead an earliest passing moment is looked for, and in how many steps: beyond, it is none.
HORIZON = 800 * clock.DAY
STEPS = 2_000


class Gate(Protocol):
    """One rule about one customer. Most rules are no gate at all: they could never shut."""

    def after(self, t: int, /) -> int | None:
        """The first instant from `t` on at which it is open; None where it never is by itself."""

    def trip(self, now: int, /) -> Trip | None:
        """Why it is shut now; None where it is open."""


class Shut:
    """Never opens by itself."""

    __slots__ = ("rule", "text")

    def __init__(self, rule: str, text: str) -> None:
        self.rule, self.text = rule, text

    def after(self, _: int) -> int | None:
        return None

    def trip(self, _: int) -> Trip | None:
        return Trip(self.rule, self.text, None)


class Until:
    """Shut before an instant, open from it on."""

    __slots__ = ("rule", "text", "until")

    def __init__(self, rule: str, text: str, until: int) -> None:
        self.rule, self.text, self.until = rule, text, until

    def after(self, t: int) -> int | None:
        return max(t, self.until)

    def trip(self, now: int) -> Trip | None:
        return Trip(self.rule, self.text, self.until) if now < self.until else None


Asked = dict[tuple[Gate, int], int | None]


def together(gates: Sequence[Gate], now: int, asked: Asked) -> int | None:
    """The first instant from `now` on at which all of them are open; None where there is none within the horizon.

    Each gate in turn moves the instant to the first at which it is open itself, until none moves it any more: no
    earlier one can do, for at every instant passed over some gate was shut. `asked` remembers what gates answered: many
    candidates share most of theirs.
    """
    t, agreed, i = now, 0, 0
    for _ in range(STEPS):
        if agreed == len(gates):
            return t
        gate = gates[i]
        if (gate, t) in asked:
            moved = asked[gate, t]
        else:
            moved = asked[gate, t] = gate.after(t)
        if moved is None or moved > now + HORIZON:
            return None
        t, agreed, i = moved, agreed + 1 if moved == t else 1, (i + 1) % len(gates)
    return None


def day(at: int) -> str:
    """An instant as people read it."""
    return clock.isoformat(at)[:10]
