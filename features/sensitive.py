"""Sensitive topics: rows on them reach no feature, no stage and no report."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from features.vocabulary import factorise

if TYPE_CHECKING:
    from features.workspace import Settings


def is_sensitive(topic: str | None, sensitive: Collection[str]) -> bool:
    """Whether a row on this topic must not reach a feature; case and surrounding blanks do not matter."""
    return topic is not None and topic.strip().lower() in sensitive


def on_sensitive(topics: pa.ChunkedArray, sensitive: Collection[str]) -> np.ndarray:
    """The same of a column of topics: bool[n]. Each different topic is asked about once."""
    index, labels = factorise(topics)
    return np.array([is_sensitive(label, sensitive) for label in labels], bool)[index]


def sensitive_topics(settings: "Settings") -> frozenset[str]:
    """The workspace's sensitive topics, in the form they are compared in."""
    return frozenset(topic.strip().lower() for topic in settings.sensitive_topics)
