"""A worker that outlived its parent would keep the port and the old code: it stops instead."""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def stop_with_parent() -> None:
    """Asks the kernel for SIGTERM when the parent dies, even by kill -9. Linux only; elsewhere see `orphaned`."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def orphaned(parent: int) -> bool:
    """Whether the process that was our parent is gone; to be asked now and then."""
    return os.getppid() != parent
