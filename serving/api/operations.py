"""For those who run the service: what it counts."""

import asyncio

from fastapi import FastAPI
from starlette.responses import Response

from serving import metrics
from serving.answers import documented
from serving.answers.common import Answer
from serving.api.routes import EngineOf


def calls(app: FastAPI, engine: EngineOf) -> None:
    text = documented(Answer, scopes=("metrics",))
    text["responses"][200] = {
        "description": "Prometheus' text format",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }

    @app.get("/metrics", tags=["Operations"], response_class=Response, **text)
    async def read() -> Response:
        """What was counted since the service started, over all of its workers, for Prometheus to scrape."""
        opened = engine()
        return Response(await asyncio.to_thread(metrics.exposition, opened), media_type=metrics.CONTENT_TYPE)
