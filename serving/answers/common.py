"""What every answer shares: it may grow fields, it names its errors in one shape, and its call lists them."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from serving.problems import KINDS, MEDIA_TYPE

#: An instant and an identifier for the worked examples.
AT = "2026-05-04T18:30:00Z"
ID = "c1f0a6f2f3c94d55a7c0a3c1b2d4e5f6"


class Answer(BaseModel):
    model_config = ConfigDict(extra="allow")


class ProblemField(BaseModel):
    field: str
    what: str
    fix: str


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ProblemField]


#: The member of a call's OpenAPI description that lists the scopes of which a key needs one.
SCOPES_OF_CALL = "x-scopes"
_ALWAYS = (400, 401, 403, 413, 415, 422, 429, 500, 503, 504)


def documented(model: type[BaseModel], *statuses: int, scopes: tuple[str, ...]) -> dict[str, Any]:
    """FastAPI's keywords for a call that answers with `model`, or with a problem of one of the statuses.

    A key needs one of the `scopes`; `admin` opens every call and need not be listed.
    """
    titles = dict(KINDS.values())
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    responses: dict[int, dict[str, Any]] = {200: {"model": model, "description": "done"}}
    for status in sorted({*_ALWAYS, *statuses}):
        # the model makes FastAPI list the schema; the content says under which media type it is sent
        responses[status] = {"description": titles[status], "content": {MEDIA_TYPE: {"schema": schema}}}
    return {"responses": responses, "openapi_extra": {SCOPES_OF_CALL: list(scopes)}}
