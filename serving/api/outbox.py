"""The outbox: contacts that triggers brought about, for channel systems to fetch."""

from typing import Annotated

from fastapi import FastAPI, Path, Query
from starlette.responses import Response

from serving.answers import documented
from serving.answers.outbox import Acknowledged, Outbox
from serving.api.routes import EngineOf, reply
from serving.schemas import Word

OutboxId = Annotated[Word, Path(description="the `outbox_id` of an entry", examples=["d-01JF3V8QYB.1"])]
Channel = Annotated[Word | None, Query(description="a channel of the workspace; left out: any", examples=["email"])]
After = Annotated[int, Query(ge=0, le=(1 << 53), description="the `after` of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000, description="entries at most")]


def calls(app: FastAPI, engine: EngineOf) -> None:
    @app.get("/outbox", tags=["Outbox"], **documented(Outbox, scopes=("decide",)))
    async def outbox(channel: Channel = None, after: After = 0, limit: Limit = 100) -> Response:
        """Contacts that wait to be sent. Claim each just before sending: only the claim says whether it still may."""
        from serving.nudges import fetching

        opened = engine()
        return reply(await opened.aside(fetching.page, opened, channel, after, limit))

    @app.post("/outbox/{outbox_id}/ack", tags=["Outbox"], **documented(Acknowledged, 404, scopes=("decide",)))
    async def acknowledge(outbox_id: OutboxId) -> Response:
        """You have taken an entry over: it is not shown again. Its contact is still to be claimed and reported."""
        from serving.nudges import fetching

        return reply(await fetching.acknowledge(engine(), outbox_id))
