"""What we change about BentoML's server, and why.

Measured with BentoML 1.4.39 (16 connections): its timeout middleware never cancels its timer, so that what belongs to
a request lives for the whole timeout and garbage collection pauses grow to 100-350 ms; its OpenTelemetry middleware
costs 150 us a request even where no exporter is set up; its `/readyz` says nothing of what is missing. The service is
made with `service_class=QuietService`, which builds the same server without the two and with our readiness.
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

from serving.limits import Deadline
from serving.problems import outside

#: Left out by name: importing OpenTelemetry's class only to compare it would cost start-up time.
_LEFT_OUT = {"OpenTelemetryMiddleware"}


class QuietFactory(ServiceAppFactory):
    """BentoML's own factory with two middlewares exchanged and two pages answered by us."""

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
