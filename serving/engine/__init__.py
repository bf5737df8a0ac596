"""What the service does, as a plain object, one noun a file.

engine.py     a workspace being served: open, warm, refresh, readiness, close
deciding.py   decisions and scores
recording.py  interactions, attributes, links and outcomes
contacts.py   claim, sent, failed
waiting.py    waiting for the store, and what to say when it is not there
"""

from serving.engine.engine import Engine

__all__ = ["Engine"]
