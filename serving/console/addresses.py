"""Names in addresses: a customer's id or a table's, as one part of a path that no browser and no proxy changes.

`.` and `..` are folders to a browser, quoted or not; a quoted slash is a slash to some proxies; what ends in `.csv` is
a table of ours. Such names stand there after a tilde, in URL-safe base 64; all others as they are, quoted.
"""

import base64
import binascii
from urllib.parse import quote, unquote

CSV = ".csv"
_MARK = "~"


def part(name: str) -> str:
    """
    >>> part("C1042"), part("zoë b"), part("a/b"), part("..")
    ('C1042', 'zo%C3%AB%20b', '~YS9i', '~Li4')
    """
    if not _odd(name):
        return quote(name, safe="")
    return _MARK + base64.urlsafe_b64encode(name.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def name(part_: str) -> str:
    """What `part` was made from; of what somebody typed, what it says.

    >>> name("~YS9i"), name("a%2Fb"), name("~bob")
    ('a/b', 'a/b', '~bob')
    """
    said = unquote(part_)
    if not said.startswith(_MARK):
        return said
    packed = said.removeprefix(_MARK)
    try:
        found = base64.b64decode(packed + "=" * (-len(packed) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):  # also half a letter (a surrogate), which no store can be asked for
        return said
    return found if _odd(found) else said


def _odd(name: str) -> bool:
    controls = any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in name)
    return (
        name in ("", ".", "..") or name.startswith(_MARK) or name.endswith(CSV) or controls or bool({*"/\\%"} & {*name})
    )
