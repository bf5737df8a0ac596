"""Google Analytics 4's export to BigQuery."""

from features.sources.named import Dataset, shipped

DATASET = Dataset(
    "ga4",
    "Google Analytics 4's BigQuery export",
    takes="events_YYYYMMDD tables as JSON Lines or Parquet, or folders of them",
    maps=lambda _path: [shipped("ga4")],
)
