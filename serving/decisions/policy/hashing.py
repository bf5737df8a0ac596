"""The version of a file: a hash of what it means, so that comments and layout do not change it."""

import hashlib
import json
from collections.abc import Collection

from pydantic import BaseModel


def fingerprint(model: BaseModel, later: Collection[str] = ()) -> str:
    """Twelve hexadecimal digits. Fields in `later` count only where they say something."""
    said = model.model_dump(mode="json", by_alias=True)
    text = json.dumps(
        {key: value for key, value in said.items() if key not in later or value is not None}, sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:12]
