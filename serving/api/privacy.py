"""Privacy: what is kept of a person is handed out, deleted for good, or left unused."""

from fastapi import FastAPI
from starlette.responses import Response

from serving.answers import documented
from serving.answers.people import Erased, Exported, Restricted
from serving.api.routes import EngineOf, reply
from serving.schemas_people import PersonRequest, RestrictRequest


def calls(app: FastAPI, engine: EngineOf) -> None:
    # all are POST: an address with an identifier in it would stand in logs

    @app.post("/privacy/export", tags=["Privacy"], **documented(Exported, scopes=("admin",)))
    async def export(body: PersonRequest) -> Response:
        """All that is kept of a person, under every id they go by."""
        from serving.privacy import answering

        return reply(await answering.export(engine(), body.customer_id))

    @app.post("/privacy/restrict", tags=["Privacy"], **documented(Restricted, scopes=("admin",)))
    async def restrict(body: RestrictRequest) -> Response:
        """Nothing is sent or sold while processing is restricted, also not what is reserved already."""
        from serving.privacy import answering

        return reply(await answering.restrict(engine(), body.customer_id, body.restricted))

    @app.post("/privacy/erase", tags=["Privacy"], **documented(Erased, scopes=("admin",)))
    async def erase(body: PersonRequest) -> Response:
        """Deletes a person for good. A salted hash of each id stays, so that a replayed file does not bring them back.

        `finished` false: the store is done, files of history follow within minutes.
        """
        from serving.privacy import answering

        return reply(await answering.erase(engine(), body.customer_id))
