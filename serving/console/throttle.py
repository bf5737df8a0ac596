"""How often somebody may try to sign in: by address and in all, counted in the store for every worker and machine."""

import ipaddress
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.engine import Engine

MINUTE = 60
#: Tries a minute from one address, and from everywhere. A key has 256 random bits: nobody guesses it at any rate, but
#: trying costs us a write each, and a lost key that is tried everywhere should stand out.
BY_ADDRESS, IN_ALL = 10, 120
EVERYWHERE = "*"


class Throttle:
    """A place that has used up its minute is remembered here, so that refusing it asks the store nothing."""

    def __init__(self) -> None:
        self._full: dict[str, int] = {}

    async def wait(self, engine: "Engine", host: str, now: float | None = None) -> int:
        """Counts a try; 0 where it may go on, else the seconds until another is let in. Raises Problem."""
        minute, second = divmod(int(time.time() if now is None else now), MINUTE)
        most = {EVERYWHERE: IN_ALL, place(host): BY_ADDRESS}
        self._full = {each: when for each, when in self._full.items() if when == minute}
        if not self._full.keys() & most.keys():
            tries = await engine.written(engine.store.tried(list(most), minute))
            full = [each for each, count in zip(most, tries, strict=True) if count > most[each]]
            self._full |= dict.fromkeys(full, minute)
            if not full:
                return 0
        return MINUTE - second


def place(host: str) -> str:
    """What counts as one address: an IPv6 network of 64 bits belongs to one customer of a provider."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "elsewhere"
    if address.version == 6:
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
