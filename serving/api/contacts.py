"""The life of a contact after its decision: claimed just before it is sent, then sent or failed."""

from typing import Annotated

from fastapi import FastAPI, Path
from starlette.responses import Response

from serving.answers import Contact, documented
from serving.api.routes import EngineOf, reply
from serving.schemas import ClaimRequest, ReportRequest, Word

ContactId = Annotated[Word, Path(description="the `contact_id` of a decision", examples=["d-01JF3V8QYB.1"])]


def calls(app: FastAPI, engine: EngineOf) -> None:
    @app.post("/contacts/{contact_id}/claim", tags=["Contacts"], **documented(Contact, 404, 409, scopes=("decide",)))
    async def claim(contact_id: ContactId, body: ClaimRequest | None = None) -> Response:
        """May this contact be sent now? 409 where it expired, the customer opted out, or it was claimed before."""
        return reply(await engine().claim(contact_id, body.claim_id if body else None))

    @app.post("/contacts/{contact_id}/sent", tags=["Contacts"], **documented(Contact, 404, 409, scopes=("decide",)))
    async def sent(contact_id: ContactId) -> Response:
        """The contact went out; it counts toward pressure from now on."""
        return reply(await engine().sent(contact_id))

    @app.post("/contacts/{contact_id}/failed", tags=["Contacts"], **documented(Contact, 404, 409, scopes=("decide",)))
    async def failed(contact_id: ContactId, body: ReportRequest | None = None) -> Response:
        """The contact did not go out; its slot is given back."""
        return reply(await engine().failed(contact_id, body.detail if body else None))
