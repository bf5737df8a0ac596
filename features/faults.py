"""What the machine refuses: a full disk, a read-only folder. It is told in a line, as mistakes are.

Libraries wrap such errors in their own, so the whole chain of an error is looked through.
"""

import errno
import sqlite3
from collections.abc import Iterator

#: Errors of the system that no change of the command mends.
_SYSTEM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE}
#: The same, as SQLite says it; the low byte is the kind (https://www.sqlite.org/rescode.html).
_SQLITE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}

#: Errors of a program. One that happened while another was handled hides that one, and is what must be seen.
_OURS = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, TypeError)

#: More kinds of errors that are the machine's: the front door puts the live store's here.
more: list[type[Exception]] = []


def told(error: BaseException) -> str | None:
    """One line where the machine is behind the error, with what to do; none where it is not, or not surely."""
    for each in _chain(error):
        if isinstance(each, OSError) and each.errno in _SYSTEM:
            where = f"{each.filename}: " if each.filename is not None else ""
            said = f"{where}{each.strerror or each}"
        elif isinstance(each, sqlite3.Error) and getattr(each, "sqlite_errorcode", 0) & 0xFF in _SQLITE:
            said = f"a database of the workspace cannot be written: {each}"
        elif isinstance(each, tuple(more)):
            said = str(each)
        else:
            continue
        return f"{' '.join(said.split())[:300]}; see to it, and run the same command again"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from, unless it was raised `from None`; each once."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        handled = None if at.__suppress_context__ or isinstance(at, _OURS) else at.__context__
        at = at.__cause__ or handled
