"""Telling: what customers did, what is true of them, who they are, and what became of a decision."""

from fastapi import FastAPI
from starlette.responses import Response

from serving import metrics
from serving.answers import AttributesRecorded, LinksRecorded, OutcomeRecorded, Recorded, documented
from serving.api.routes import EngineOf, reply
from serving.schemas import AttributeBatch, IdentifierBatch, InteractionBatch, OutcomeRequest


def calls(app: FastAPI, engine: EngineOf) -> None:
    @app.post("/interactions", tags=["Record"], **documented(Recorded, scopes=("record",)))
    async def interactions(body: InteractionBatch) -> Response:
        """Up to 1,000 interactions; `received = accepted + duplicates + quarantined`.

        A row that breaks the contract is kept in quarantine with its reason, and the others are taken.
        """
        receipt = await engine().record(body.interactions)
        metrics.recorded("interactions", receipt)
        return reply(receipt)

    @app.post("/attributes", tags=["Record"], **documented(AttributesRecorded, scopes=("record",)))
    async def attributes(body: AttributeBatch) -> Response:
        """Up to 1,000 records of what is true of customers since when; features read them as of the instant asked.

        A record that cannot be taken is kept in quarantine with its reason, and the others are taken.
        """
        receipt = await engine().record_attributes(body.records)
        metrics.recorded("attributes", receipt)
        return reply(receipt)

    @app.post("/identifiers", tags=["Record"], **documented(LinksRecorded, scopes=("record",)))
    async def identifiers(body: IdentifierBatch) -> Response:
        """Up to 1,000 links of identifiers to customers: who is who from now on, for decisions and contact caps alike.

        A link that cannot be taken is kept in quarantine with its reason, and the others are taken.
        """
        receipt = await engine().record_links(body.identifiers)
        metrics.recorded("identifiers", receipt)
        return reply(receipt)

    @app.post("/outcomes", tags=["Record"], **documented(OutcomeRecorded, 404, scopes=("record",)))
    async def outcomes(body: OutcomeRequest) -> Response:
        """What became of a decision. A rejection starts a cool-down, an opt-out binds at once and for good."""
        told = await engine().outcome(body)
        metrics.told(told)
        return reply(told)
