"""An echo inside the same configured service: what HTTP, keys, limits and BentoML cost without any decision.

It reads and checks the same request, and answers with a decision of the same size, given in $ECHO_ANSWER.
"""

import os
from pathlib import Path

import orjson
from fastapi import FastAPI
from starlette.responses import Response

from serving.answers import SCOPES_OF_CALL
from serving.api import Route, reply
from serving.auth import Keyring, hashed
from serving.schemas import DecideRequest
from serving.service import configured
from serving.store.protocol import Key

_ring = Keyring(lambda: [Key("bench", hashed(os.environ["ECHO_KEY"]), "decide", 0)])
app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
app.router.route_class = Route


ANSWER = orjson.loads(Path(os.environ["ECHO_ANSWER"]).read_bytes())


class _Echo:
    def readiness(self) -> dict[str, object]:
        return {"ready": True, "missing": []}


@app.post("/decide", openapi_extra={SCOPES_OF_CALL: ["decide"]})
async def decide(body: DecideRequest) -> Response:
    return reply({**ANSWER, "customer_id": body.customer_id})


EchoService = configured(_Echo, app, lambda: _ring)
