"""Stopping without losing a request: told to go, the service is not ready any more, and answers whoever still asks.

BentoML's parent process keeps the listening socket open until its worker is gone: whoever connected meanwhile waited
for nobody, and was cut off. Uvicorn closes every connection that waits for its next request at the moment of SIGTERM:
a request sent just then was lost. So the signal is held back for a moment in which every answer ends its connection;
then the door is shut, those inside are answered, and the server is told.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

#: Seconds in which new connections are still taken: balancers see /readyz, clients that ask all the time are answered.
LEAVING = 0.5
#: Seconds for requests of connections that were taken last to come in and be answered.
INSIDE = 0.2
_CLOSE = (b"connection", b"close")


def hold_back(told: Callable[[], None], alone: bool) -> None:
    """Holds back the first SIGTERM, calling `told` at once; called in the server's loop. A second one is not held.

    `alone`: no other process takes connections from the same socket, so that it may be shut for all. Under another
    server than uvicorn nothing is changed.
    """
    handler = signal.getsignal(signal.SIGTERM)
    server: Any = getattr(handler, "__self__", None)
    if not callable(handler) or not hasattr(server, "server_state"):
        return
    loop = asyncio.get_running_loop()

    def leave(signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, handler)
        told()
        server.config.encoded_headers.append(_CLOSE)  # from which uvicorn makes the line below anew every second
        server.server_state.default_headers = [*server.server_state.default_headers, _CLOSE]
        loop.call_soon_threadsafe(loop.call_later, LEAVING, shut)
        loop.call_soon_threadsafe(loop.call_later, LEAVING + INSIDE, handler, signum, frame)

    def shut() -> None:
        for one in server.servers if alone else ():
            for listening in one.sockets:
                door = socket.fromfd(listening.fileno(), listening.family, listening.type)
                with door, contextlib.suppress(OSError):
                    door.shutdown(socket.SHUT_RDWR)  # the kernel refuses whoever comes now, despite the parent's copy
            one.close()

    signal.signal(signal.SIGTERM, leave)
