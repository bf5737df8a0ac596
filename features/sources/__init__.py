"""Sources of interactions: files through a map, and named data sets."""

from features.sources.cdnow import DATASET as CDNOW
from features.sources.complete_journey import DATASET as COMPLETE_JOURNEY
from features.sources.ga4 import DATASET as GA4
from features.sources.invoices import DATASET as INVOICES
from features.sources.named import Dataset
from features.sources.segment import DATASET as SEGMENT
from features.sources.shopify import DATASET as SHOPIFY
from features.sources.starbucks import DATASET as STARBUCKS
from features.workspace import WorkspaceError

#: What `tactful ingest --dataset NAME PATH` knows. A new one is a file beside these and a word here.
DATASETS: dict[str, Dataset] = {
    found.name: found for found in (SEGMENT, GA4, SHOPIFY, INVOICES, CDNOW, STARBUCKS, COMPLETE_JOURNEY)
}


def dataset(name: str) -> Dataset:
    """Raises WorkspaceError listing the known names."""
    if name not in DATASETS:
        raise WorkspaceError(f"no data set is called {name!r}; known: {', '.join(DATASETS)}")
    return DATASETS[name]
