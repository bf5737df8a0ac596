"""JSON Schemas of both files, for editors: completion, descriptions and red lines while typing."""

from typing import Any, Literal

from serving.decisions.policy.actions import Actions
from serving.decisions.policy.caps import LIMIT
from serving.decisions.policy.contact_policy import ContactPolicy

Which = Literal["actions", "policy"]
FILES: dict[Which, str] = {"actions": "actions.schema.json", "policy": "contact_policy.schema.json"}


def schema(which: Which) -> dict[str, Any]:
    """Draft 2020-12. It allows the short forms that reading allows, and so accepts whatever reading accepts."""
    model = Actions if which == "actions" else ContactPolicy
    found = model.model_json_schema(by_alias=True)
    definitions = found["$defs"]
    if which == "actions":
        channels = definitions["Action"]["properties"]["channels"]
        treatments = channels.pop("additionalProperties")
        channels["additionalProperties"] = {"anyOf": [treatments, {"type": "null"}]}
        short = {"type": "array", "items": {"type": "string"}, "minItems": 1}
        kept = {key: channels.pop(key) for key in ("description", "title") if key in channels}
        definitions["Action"]["properties"]["channels"] = {**kept, "anyOf": [channels, short]}
    else:
        cap = definitions["Cap"]
        told = 'short for both: "3 per 7d", "1 per local day"'
        cap["properties"]["limit"] = {"type": "string", "pattern": f"^{LIMIT.pattern}$", "description": told}
        cap["required"] = ["scope"]
        cap["anyOf"] = [{"required": ["limit"]}, {"required": ["max", "window"]}, {"required": ["max", "per"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": FILES[which], **found}
