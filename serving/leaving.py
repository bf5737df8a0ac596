"""Stopping without losing a request: told to go, the service is not ready any more, and answers whoever still asks.

BentoML's parent process keeps the listening socket open until its worker is gone: whoever connected meanwhile waited
for nobody, and was cut off. Uvicorn closes every connection that waits for its next request at the moment of SIGTERM:
a request sent just then was lost. So the signal is held back for a moment in which every answer ends its connection;
then the door is shut behind all who stand at it, those inside are answered, and the server is told.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

#: Seconds in which new connections are still taken: balancers see /readyz, clients that ask all the time are answered.
LEAVING = 0.5
#: Seconds for requests of connections that were taken last to come in and be answered. While there are connections and
#: something happens on them, there is more time; one that says nothing for so long as QUIET is not waited for.
INSIDE, QUIET = 0.2, 3.0
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
    loop, coming = asyncio.get_running_loop(), set[asyncio.Task[Any]]()

    def leave(signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, handler)
        told()
        server.config.encoded_headers.append(_CLOSE)  # from which uvicorn makes the line below anew every second
        server.server_state.default_headers = [*server.server_state.default_headers, _CLOSE]
        loop.call_soon_threadsafe(loop.call_later, LEAVING, shut, partial(handler, signum, frame))

    def shut(tell: Callable[[], object]) -> None:
        if not alone:
            loop.call_later(INSIDE, tell)
            return
        for one in server.servers:
            for listening in one.sockets:
                door = socket.fromfd(listening.fileno(), listening.family, listening.type)
                with door, contextlib.suppress(OSError):
                    let_in(door)
                    door.shutdown(socket.SHUT_RDWR)  # the kernel refuses whoever comes now, despite the parent's copy
            one.close()
        loop.call_later(INSIDE, wait, tell, loop.time(), None)

    def let_in(door: socket.socket) -> None:
        """Whoever the kernel has let in already but the loop not yet: shutting the door would cut them off."""
        door.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                taken = loop.create_task(
                    loop.connect_accepted_socket(protocol, door.accept()[0], ssl=server.config.ssl)
                )
                coming.add(taken)
                taken.add_done_callback(coming.discard)

    def protocol() -> asyncio.Protocol:
        made: asyncio.Protocol = server.config.http_protocol_class(
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state
        )
        return made

    def wait(tell: Callable[[], object], moved: float, before: tuple[int, int] | None) -> None:
        state, now = server.server_state, loop.time()
        seen = len(state.connections), state.total_requests
        if not (state.connections or coming) or (seen == before and now - moved >= QUIET):
            tell()
        else:
            loop.call_later(INSIDE, wait, tell, moved if seen == before else now, seen)

    signal.signal(signal.SIGTERM, leave)
