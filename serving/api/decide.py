"""Asking: a decision, or only the models' probabilities."""

from fastapi import FastAPI
from starlette.responses import Response

from serving.answers import Decided, Scored, documented
from serving.api.routes import EngineOf, Json, dumped, reply
from serving.schemas import DecideRequest, ExplainRequest, ScoreRequest


def calls(app: FastAPI, engine: EngineOf) -> None:
    @app.post("/decide", tags=["Decide"], **documented(Decided, 503, scopes=("decide",)))
    async def decide(body: DecideRequest) -> Response:
        """One next best action for a customer on a channel, or silence, with the fate of every candidate.

        An outbound action comes with a reserved contact: claim it just before sending, then report `sent` or `failed`.
        """
        return Json(await engine().decide(body, dumped))

    @app.post("/explain", tags=["Decide"], **documented(Decided, 503, scopes=("decide", "marketer")))
    async def explain(body: ExplainRequest) -> Response:
        """What a decision would be, now or later, with every candidate's fate and figures; changes nothing.

        Nothing is reserved, logged, leased, counted or learned, so it may be asked in production as often as you like.
        """
        opened = engine()
        return reply(opened.explain(body, await opened.fetch(body.customer_id)))

    @app.post("/score", tags=["Decide"], **documented(Scored, 503, scopes=("decide",)))
    async def score(body: ScoreRequest) -> Response:
        """The champions' probabilities for a customer as of now; changes nothing."""
        opened = engine()
        return reply(opened.score(body, await opened.fetch(body.customer_id)))
