"""Written journeys (journeys.yaml) against what customers do: who goes as written, who leaves the way, and where."""
