"""The models in use: who is champion, how good, since when and why, and what the last look at them found.

`artefact.py` the figures · `job.py` makes them from MLflow and the last `tactful monitor` · `after.py` when a command
changed any of it.
"""
