"""What we change about BentoML's server, and why.

Measured with BentoML 1.4.39 (16 connections): its timeout middleware never cancels its timer, so that what belongs to
a request lives for the whole timeout and garbage collection pauses grow to 100-350 ms; its OpenTelemetry middleware
costs 150 us a request even where no exporter is set up; its `/readyz` says nothing of what is missing; and its own
calls answer errors in other shapes than ours, 400 for 422, and hide what went wrong. The service is made with
`service_class=QuietService`, which builds the same server without these middlewares, with our readiness, and with its
calls led to ours.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from _bentoml_impl.server.app import ServiceAppFactory
from _bentoml_sdk.service import Service
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.limits import Deadline
from serving.problems import outside

#: Where the API is mounted.
BELOW = "/v1"
#: Left out by name: importing OpenTelemetry's class only to compare it would cost start-up time. The context of a
#: request (`bentoml.Context`), of which nothing of ours asks anything, costs 10 us.
_LEFT_OUT = {"OpenTelemetryMiddleware", "ContextMiddleware"}


class Native:
    """BentoML's own address of a call (`/score`), answered by the same call of /v1: same keys, checks and errors."""

    def __init__(self, api: ASGIApp) -> None:
        self.api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = BELOW + scope["path"]
        within = {"path": path, "raw_path": path.encode(), "root_path": scope.get("root_path", "") + BELOW}
        await self.api({**scope, **within}, receive, send)


class QuietFactory(ServiceAppFactory):
    """BentoML's own factory with a middleware exchanged, two left out, and two pages answered by us."""

    @property
    def routes(self) -> list[BaseRoute]:
        calls = {method.route for method in self.service.apis.values()}
        api = next((app for app, path, _ in self.service.mount_apps if path == BELOW), None)
        return [
            Route(route.path, Native(api), methods=["POST"], name=route.name)
            if api is not None and isinstance(route, Route) and route.path in calls
            else route
            for route in super().routes
        ]

    @property
    def middlewares(self) -> list[Middleware]:
        kept = []
        for middleware in super().middlewares:
            if middleware.cls is TimeoutMiddleware:
                kept.append(Middleware(Deadline, seconds=self.timeout))
            elif getattr(middleware.cls, "__name__", "") not in _LEFT_OUT:
                kept.append(middleware)
        return kept

    async def readyz(self, _: Request) -> Response:
        """200 or 503, with what is there and what is missing, from the service's `readiness()`."""
        instance = self._service_instance
        report: Mapping[str, Any] = {"ready": False, "missing": ["the service is starting"]}
        if instance is not None:
            report = await asyncio.to_thread(instance.readiness)  # it asks the store for a write
        status = 200 if report["ready"] else 503
        headers = {} if report["ready"] else {"Retry-After": "1"}
        return Response(orjson.dumps(report), status, headers, "application/json")

    def __call__(self) -> Starlette:
        app = super().__call__()
        app.add_exception_handler(HTTPException, outside)
        return app

    async def index_page(self, _: Request) -> Response:
        return RedirectResponse("/v1/docs")


class QuietService(Service[Any]):
    """A BentoML service whose ASGI app comes from QuietFactory."""

    def to_asgi(self, is_main: bool = True) -> Any:
        self.inject_config()
        return QuietFactory(self, is_main=is_main)()
