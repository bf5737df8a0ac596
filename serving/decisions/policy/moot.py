"""Caps that never matter because another one always refuses first."""

from collections.abc import Iterator, Sequence

from serving.decisions.policy.caps import LONGEST_PERIOD, Cap

#: Calendar periods that lie wholly within another: an ISO week may cross a month's end.
WITHIN = {("day", "day"), ("day", "week"), ("day", "month"), ("week", "week"), ("month", "month")}


def moot(caps: Sequence[Cap]) -> Iterator[tuple[int, int]]:
    """(i, j): whenever cap i refuses, cap j refuses too, whoever made the contacts. Of two equal caps the later."""
    for i, cap in enumerate(caps):
        for j, other in enumerate(caps):
            if i != j and makes_moot(other, cap) and not (makes_moot(cap, other) and i < j):
                yield i, j
                break


def makes_moot(strict: Cap, cap: Cap) -> bool:
    """Whether `strict` counts every contact that `cap` counts, for at least as long, and allows no more."""
    return _counts_all(strict, cap) and _reaches(strict, cap) and strict.max <= cap.max


def never_binds(strict: Cap, cap: Cap) -> bool:
    """Whether `strict` keeps our own contacts below what `cap` allows; those of other tools may still reach it.

    A closed rolling window of length w holds at most floor(w / (s + 1)) + 1 bursts of a cap of length s, in
    microseconds: the next burst comes when the last has left the window.
    """
    if strict.calendar is not None or not _counts_all(strict, cap):
        return False
    bursts = cap.length // (strict.length + 1) + 1
    return strict.max * bursts <= cap.max


def _counts_all(strict: Cap, cap: Cap) -> bool:
    if strict.scope == "total":
        return True
    return strict.scope == cap.scope and strict.name in (None, cap.name)


def _reaches(strict: Cap, cap: Cap) -> bool:
    """Whether the window of `strict` always covers what has passed of the window of `cap`."""
    if strict.calendar is None:
        return strict.length >= (cap.length if cap.calendar is None else LONGEST_PERIOD[cap.calendar])
    return cap.calendar is not None and (cap.calendar, strict.calendar) in WITHIN
