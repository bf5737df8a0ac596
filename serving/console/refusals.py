"""Why the guard refused, for a marketer: its own words are short, and speak of names and units in files."""

import re
from collections.abc import Callable, Mapping, Sequence

from features.step_words import on_channel
from serving.console.policy_words import duration, human

_Parts = Sequence[str]


def _pressure(found: _Parts) -> str:
    stands, channel, adds, most = found
    return (
        f"contacted too much of late: they carry {stands}, one more {on_channel(channel)} adds "
        f"{float(adds):.2g}, and {most} is the most"
    )


def _rolling(found: _Parts) -> str:
    contacts, of, window, most = found
    return f"{contacts}{_of(of)} within {duration(window)}, at most {most}"


def _calendar(found: _Parts) -> str:
    contacts, of, period, most = found
    return f"{contacts}{_of(of)} in their {period}, at most {most}"


def _of(said: str) -> str:
    """ " on email" and " of action voucher", as a cap says of what it counts."""
    if said.startswith(" on "):
        return f" {on_channel(said[4:])}"
    scope, _, name = said.removeprefix(" of ").partition(" ")
    return f" of the {scope} {human(name)}" if said else ""


#: What the guard says (`serving/decisions/guard`), and how it is put here; what fits none is told as it is.
_WORDS: Mapping[str, Callable[[_Parts], str]] = {
    r"pressure is ([\d.]+); one more on (.+) adds ([\d.e-]+), at most ([\d.e+-]+)": _pressure,
    r"(\d+ contacts?)( .+)? within (\w+), at most (\d+)": _rolling,
    r"(\d+ contacts?)( .+)? this local (\w+), at most (\d+)": _calendar,
    r"consent for (.+) is unknown": lambda found: f"they never said yes to contacts {on_channel(found[0])}",
    r"the customer's time zone is unknown": lambda _: "their time zone is not known, so nobody knows their nights",
    r"the last (\d+) contacts on (.+) were not answered": lambda found: (
        f"the last {found[0]} contacts {on_channel(found[1])} were not answered"
    ),
    r"the last contact on (.+) was not answered": lambda found: (
        f"the last contact {on_channel(found[0])} was not answered"
    ),
}


def refusal(rule: str, text: str) -> str:
    """Why, and the rule's name where the words do not tell it; history kept from elsewhere has the name alone.

    >>> refusal("pressure", "pressure is 2.31; one more on mobile_app adds 0.3333, at most 1")
    'contacted too much of late: they carry 2.31, one more in the mobile app adds 0.33, and 1 is the most'
    """
    for said, words in _WORDS.items():
        if found := re.fullmatch(said, text):
            return words([part or "" for part in found.groups()])
    return f"{text} ({rule})" if text else rule
