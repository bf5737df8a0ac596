"""Wishes: what a customer consents to, how often they want to hear from us, and until when not at all."""

from typing import Annotated

from fastapi import FastAPI, Query
from starlette.responses import Response

from serving.answers import documented
from serving.answers.people import Preferences
from serving.api.routes import EngineOf, reply
from serving.schemas import Word
from serving.schemas_people import PreferencesRequest

CustomerId = Annotated[Word, Query(description="any id of the customer", examples=["C1042"])]


def calls(app: FastAPI, engine: EngineOf) -> None:
    @app.get("/preferences", tags=["Preferences"], **documented(Preferences, scopes=("record", "marketer")))
    async def preferences(customer_id: CustomerId) -> Response:
        """What a customer wishes, as it binds now."""
        from serving import preferences

        opened = engine()
        return reply(await opened.aside(preferences.shown, opened, customer_id))

    @app.post("/preferences", tags=["Preferences"], **documented(Preferences, scopes=("record",)))
    async def prefer(body: PreferencesRequest) -> Response:
        """Consent by channel and purpose, less often, a pause. It binds at once, also contacts not yet claimed.

        Repeated with the same `preference_id` it counts once.
        """
        from serving import preferences

        return reply(await preferences.tell(engine(), body))
