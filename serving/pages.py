"""The API page and its OpenAPI document: worked examples first, then every call to try, with no network needed."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from markupsafe import Markup, escape
from pydantic.json_schema import models_json_schema

from serving.answers import ProblemDetails
from serving.problems import KINDS
from serving.schemas import AttributeRecord, Identification, Interaction

#: BentoML ships Swagger UI and serves it here.
ASSETS = "/static_content"
_KEYS: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "an API key, from `tactful keys create NAME`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same key"},
}


def openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once an app: FastAPI's own, with our keys and without its error shape."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            servers=app.servers,
        )
        schemas = document["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        # referred to by hand: the rows of a batch, which are checked one by one, and every error
        schemas |= models_json_schema(
            [
                (Interaction, "validation"),
                (AttributeRecord, "validation"),
                (Identification, "validation"),
                (ProblemDetails, "serialization"),
            ],
            ref_template="#/components/schemas/{model}",
        )[1]["$defs"]
        document["components"]["securitySchemes"] = _KEYS
        document["security"] = [{name: []} for name in _KEYS]
        app.openapi_schema = document
    return app.openapi_schema


@cache
def _template() -> jinja2.Template:
    text = files("serving").joinpath("api_page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["words"] = _words
    return environment.from_string(text)


def _words(text: str) -> Markup:
    """Plain text as HTML, with what stands in backticks as code."""
    parts = [
        Markup("<code>{}</code>").format(part) if k % 2 else escape(part) for k, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def api_page(document: dict[str, Any]) -> str:
    """The page as HTML, from the OpenAPI document alone."""
    inline = json.dumps(document).replace("</", "<\\/")
    return _template().render(
        title=document["info"]["title"],
        description=document["info"]["description"],
        calls=_calls(document),
        kinds=KINDS,
        assets=ASSETS,
        document=Markup(inline),  # JSON inside a script element, its closing tags broken up above
    )


def _calls(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every call with its example: method, path, what it does, a curl command, the answer's example."""
    calls = []
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            body = _example(document, call.get("requestBody", {}))
            answer = _example(document, call["responses"]["200"])
            calls.append(
                {
                    "method": method.upper(),
                    "path": "/v1" + path,
                    "text": call.get("description", ""),
                    "curl": _curl(method, path, call, body),
                    "answer": json.dumps(answer, indent=2, ensure_ascii=False) if answer is not None else "",
                    "statuses": {code: r["description"] for code, r in call["responses"].items() if code != "200"},
                }
            )
    return calls


def _curl(method: str, path: str, call: dict[str, Any], body: Any) -> str:
    for parameter in call.get("parameters", []):
        path = path.replace("{" + parameter["name"] + "}", str(_first(parameter["schema"]) or _first(parameter)))
    lines = [f"curl -X {method.upper()} $TACTFUL/v1{path}", '  -H "Authorization: Bearer $KEY"']
    if body is not None:
        text = json.dumps(body, ensure_ascii=False)
        lines += ["  -H 'Content-Type: application/json'", f"  -d '{text}'"]
    return " \\\n".join(lines)


def _first(schema: dict[str, Any]) -> Any:
    examples = schema.get("examples")
    return examples[0] if isinstance(examples, list) and examples else schema.get("example")


def _example(document: dict[str, Any], holder: dict[str, Any]) -> Any:
    """The worked example of a request body or an answer, None where it has none."""
    content = holder.get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    for option in schema.get("anyOf", [schema]):
        if "$ref" in option:
            named = document["components"]["schemas"][option["$ref"].rsplit("/", 1)[-1]]
            return _first(named)
    return None
