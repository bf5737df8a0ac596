"""The BentoML service: configuration and life cycle, no logic.

`tactful serve` starts it; `bentoml serve serving.service:TactfulService` does the same with TACTFUL_WORKSPACE set.
"""

import gc
import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import bentoml
from fastapi import FastAPI
from starlette.types import ASGIApp

from features.workspace import WorkspaceError, locate
from serving.api import Api, create_api
from serving.around import layers
from serving.auth import CONSOLE, Keyring
from serving.bento import BELOW, QuietService
from serving.console.app import Console
from serving.leaving import hold_back
from serving.orphans import orphaned, stop_with_parent
from serving.problems import Problem
from serving.schemas import ScoreRequest

if TYPE_CHECKING:
    from serving.engine import Engine

#: Seconds between two looks at the policy files, which are promised to be in use within two; the model registry costs
#: more to ask, and is asked every second time.
POLL = 1.0
#: Objects that come before the garbage collector looks for cycles, of which requests make hardly any: with Python's 700
#: it looked in the middle of every few decisions, for 5 % of the time.
YOUNG = 10_000
#: Seconds until a request is answered with 504. Its timer is cancelled on time (serving/bento.py), so it may be long.
TIMEOUT = 10.0
#: The environment variable that says how many processes answer, from `tactful serve --workers N`.
WORKERS = "TACTFUL_WORKERS"
log = logging.getLogger("tactful.service")

_running: "_Tactful | None" = None


def _engine() -> "Engine | None":
    return _running.engine if _running is not None else None


def _keyring() -> Keyring | None:
    engine = _engine()
    return engine.keyring if engine is not None else None


class _Tactful:
    """One next best action per customer, over one workspace."""

    def __init__(self) -> None:
        global _running
        self.engine: Engine | None = None
        self.failure: str | None = None
        self.leaving = False
        self._stop = threading.Event()
        self._parent = os.getppid()
        stop_with_parent()
        hold_back(self._leave, alone=int(os.environ.get(WORKERS, "1")) == 1)
        self._keeper = threading.Thread(target=self._keep, name="tactful-keeper", daemon=True)
        self._keeper.start()
        _running = self

    def readiness(self) -> Mapping[str, Any]:
        """What is there and what is missing; `ready` only where a decision would be answered."""
        if self.leaving:
            return {"ready": False, "missing": ["the service was told to stop, and is stopping"]}
        if self.engine is None:
            return {"ready": False, "missing": [self.failure or "the store is being opened, and history taken in"]}
        return self.engine.readiness()

    def __is_ready__(self) -> bool:
        return bool(self.readiness()["ready"])

    @bentoml.api(route="/score")
    async def score(self, customer_id: str, features: bool = False) -> dict[str, Any]:
        """The champions' probabilities for a customer as of now; over HTTP `POST /v1/score` answers it."""
        if self.engine is None:
            raise Problem("not-ready", "the store is being opened")
        asked = ScoreRequest(customer_id=customer_id, features=features)
        return self.engine.score(asked, await self.engine.fetch(customer_id))

    @bentoml.on_shutdown
    def close(self) -> None:
        """Waits for what is being written, then closes the store."""
        self._stop.set()
        self._keeper.join(timeout=30)
        if self.engine is not None:
            self.engine.close()

    def _keep(self) -> None:
        """Opens the engine beside the running server, so that liveness and readiness answer meanwhile; then watches."""
        while not self._stop.is_set() and self.engine is None:
            try:
                from serving.engine import Engine  # seconds of imports, while the server answers /livez already

                workspace = locate(None)
                _log_at(workspace.settings.log_level)
                engine = Engine.open(workspace)
                engine.warm()
                self.engine = engine
                self.failure = None
            except WorkspaceError as error:
                self._note(str(error))
            except Exception as error:
                log.exception("the engine cannot be opened")
                self._note(f"{type(error).__name__}: {error}")
            if self.engine is None:
                self._stop.wait(POLL)
        settled, models = False, True
        while not self._stop.is_set() and self.engine is not None:
            try:
                changed = self.engine.refresh(models)
                with suppress(Problem):  # the store is away: requests are told so
                    self.engine.keyring.refresh()
            except Exception:
                log.exception("looking for new models and policies failed; serving goes on with those in use")
                changed = False
            if not settled and self.readiness()["ready"]:
                log.info("ready")
            if changed or not settled:
                gc.collect()
                gc.freeze()  # what lives as long as the process is not worth looking at in every collection
                gc.set_threshold(YOUNG)
                settled = True
            models = not models
            self._stop.wait(POLL)
            if orphaned(self._parent):
                os.kill(os.getpid(), signal.SIGTERM)

    def _leave(self) -> None:
        self.leaving = True

    def _note(self, failure: str) -> None:
        if failure != self.failure:
            log.error(failure)
        self.failure = failure


def _log_at(level: str) -> None:
    """Our own log lines on standard error, beside BentoML's."""
    ours = logging.getLogger("tactful")
    ours.setLevel(level)
    if not ours.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(
            logging.Formatter("%(asctime)s [%(levelname)s] [%(name)s] %(message)s", "%Y-%m-%dT%H:%M:%S%z")
        )
        ours.addHandler(handler)
        ours.propagate = False


def configured(
    inner: type[Any], app: FastAPI, keyring: Callable[[], Keyring | None], console: ASGIApp | None = None
) -> QuietService:
    """A BentoML service with our settings around an API; the benchmarks put an echo into the same."""
    service = bentoml.service(
        name="tactful",
        service_class=QuietService,
        workers=int(os.environ.get(WORKERS, "1")),
        traffic={"timeout": TIMEOUT},
        metrics={"enabled": False},  # labels by raw path grow without bound
        logging={"access": {"enabled": False}},
        tracing={"excluded_urls": ".*"},
        runner_probe={"enabled": False},
    )(inner)
    service.mount_asgi_app(Api(app), path=BELOW, name="api")
    if console is not None:
        service.mount_asgi_app(console, path=CONSOLE, name="console")
    for layer, options in layers(app, keyring):  # the first one added stands outermost
        service.add_asgi_middleware(layer, **options)
    return service


TactfulService = configured(_Tactful, create_api(_engine), _keyring, Console(_engine, _keyring))
