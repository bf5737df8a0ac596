"""The layers around API and console, outermost first: count and log, shed, bound, ask for a key, answer directly."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from serving.access import Addresses, Watch
from serving.api.direct import Direct, plain_calls
from serving.auth import OPEN, Keyring, RequireKey
from serving.console import routes
from serving.limits import BodyLimit, Shed

#: Whoever looks after an overloaded service must still see what goes on.
NEVER_SHED = frozenset({*OPEN, "/v1/metrics"})


def layers(app: FastAPI, keyring: Callable[[], Keyring | None]) -> list[tuple[type, dict[str, Any]]]:
    """ASGI middleware classes with their options for what is mounted at /v1 and /console."""
    return [
        (Watch, {"addresses": Addresses.of(app, besides=routes.templates())}),
        (Shed, {"exempt": NEVER_SHED}),
        (BodyLimit, {}),
        (RequireKey, {"keyring": keyring}),
        (Direct, {"calls": plain_calls(app)}),
    ]
