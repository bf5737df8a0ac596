"""A market with known causal effects: what policies earn, and what they do to customers, judged against the truth."""
