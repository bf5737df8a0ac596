"""The version of a file: a hash of what it means, so that comments and layout do not change it."""

import hashlib
import json
from collections.abc import Collection
from functools import reduce

from pydantic import BaseModel


def fingerprint(model: BaseModel, later: Collection[str] = ()) -> str:
    """Twelve hexadecimal digits. Fields in `later` (`section.field` in a section) count only where they say something:
    what was decided before there were such fields was decided under the same policy."""
    said = model.model_dump(mode="json", by_alias=True)
    for path in later:
        *sections, name = path.split(".")
        inner = reduce(lambda found, section: found[section], sections, said)
        if inner[name] is None:
            del inner[name]
    text = json.dumps(said, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
