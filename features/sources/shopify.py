"""Shopify's orders: the admin's CSV export, and the REST API's JSON, which also says when money was returned."""

from pathlib import Path

from features.sources.files import Source, is_json
from features.sources.form import Format
from features.sources.mapping import Map
from features.sources.named import Dataset, shipped

_CSV = ("shopify-orders-csv", "shopify-cancelled-csv")
_JSON = ("shopify-orders-json", "shopify-refunds-json", "shopify-cancelled-json")


def maps(source: Source) -> list[Map]:
    """Orders first, then what became of them."""
    written = isinstance(source, Path) and is_json(source, Format())
    return [shipped(name) for name in (_JSON if written else _CSV)]


DATASET = Dataset("shopify", "Shopify orders", takes="the orders' CSV export, or JSON of the orders API", maps=maps)
