"""Features of history at any size: read once, split by customer, computed bucket by bucket, written atomically."""
