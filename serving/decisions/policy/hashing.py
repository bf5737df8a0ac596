"""The version of a file: a hash of what it means, so that comments and layout do not change it."""

import hashlib
import json

from pydantic import BaseModel


def fingerprint(model: BaseModel) -> str:
    """Twelve hexadecimal digits."""
    text = json.dumps(model.model_dump(mode="json", by_alias=True), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
