"""Sensitive topics: rows on them reach no feature, no stage and no report."""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.workspace import Settings


def is_sensitive(topic: str | None, sensitive: Collection[str]) -> bool:
    """Whether a row on this topic must not reach a feature; case and surrounding blanks do not matter."""
    return topic is not None and topic.strip().lower() in sensitive


def sensitive_topics(settings: "Settings") -> frozenset[str]:
    """The workspace's sensitive topics, in the form they are compared in."""
    return frozenset(topic.strip().lower() for topic in settings.sensitive_topics)
