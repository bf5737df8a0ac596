"""What a kind of interaction means to the hook that looks at the order of things: bits of one number for each code.

A bit is only set where some feature of the catalogue asks for it, so that what nobody asks for costs nothing.
"""

from collections.abc import Iterable, Mapping

from features.interactions import ASSISTED, DIGITAL, NAMED_TYPES, NOT_CONTACTS, OTHER_PRESSURE, PRESSURE
from features.interactions import REACTIONS as REACTION_TYPES
from features.interactions import RESPONSES as RESPONSE_TYPES

SESSION, MOVE, DEED, SHARE, CLOCK, BEFORE_HELP, HELP, STAGED, CONTACT, RESPONSE, REACTION = (1 << i for i in range(11))

#: What a feature kind may ask for in its `needs`, and the bits that this takes.
PARTS: Mapping[str, int] = {
    "sessions": SESSION,
    "moves": MOVE,
    "deeds": DEED,
    "channels": SHARE,
    "clock": CLOCK,
    "escalations": BEFORE_HELP | HELP,
    "stages": STAGED,
    "contacts": CONTACT | RESPONSE | REACTION,
}


def asked(needs: Iterable[str]) -> int:
    """All bits that these needs take."""
    bits = 0
    for need in needs:
        bits |= PARTS.get(need, 0)
    return bits


def roles(channel: str, direction: str, type: str, staged: bool) -> int:
    """All bits of one kind of interaction; `staged`: it belongs to a stage of the journey."""
    bits = STAGED if staged else 0
    bits |= RESPONSE if type in RESPONSE_TYPES else 0
    bits |= REACTION if type in REACTION_TYPES else 0
    if direction == "outbound":
        return bits | (CONTACT if type not in NOT_CONTACTS else 0)
    bits |= MOVE | DEED | SHARE | CLOCK
    bits |= SESSION | BEFORE_HELP if channel in DIGITAL else 0
    return bits | (HELP if channel in ASSISTED else 0)


def pressure(channel: str) -> float:
    """What one contact on this channel is of a quarter's tolerable load."""
    return PRESSURE.get(channel, OTHER_PRESSURE)


def named_type(type: str) -> int:
    """The position of a type among NAMED_TYPES; 0 is any other."""
    return NAMED_TYPES.index(type) if type in NAMED_TYPES else 0
