"""Segment's spec: track, page and screen calls are interactions; identify and alias calls say who is who."""

from features.sources.named import Dataset, shipped

DATASET = Dataset(
    "segment",
    "calls of Segment's spec (also RudderStack) as JSON",
    takes="JSON files, one call a line, or folders of them",
    maps=lambda _path: [shipped("segment")],
)
