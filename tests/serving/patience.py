"""What the service gives up after seconds, tests wait for: that a machine is busy is no failure."""

from collections.abc import Callable
from importlib import import_module

#: Seconds.
PATIENT = 120
STORE = [
    ("serving.store.sql_store", "PROMPT_S"),
    *(("serving.store.postgres", name) for name in ("CONNECT_S", "STATEMENT_S", "IDLE_S", "ANSWER_S")),
]
SERVICE = [
    ("serving.auth", "PATIENCE"),
    ("serving.privacy.answering", "PATIENCE"),
    ("serving.nudges.webhooks", "PATIENCE"),
]


def limits() -> list[tuple[object, str, float]]:
    """Module, name and seconds of each."""
    found = [(import_module(module), name) for module, name in (*STORE, *SERVICE)]
    return [(module, name, getattr(module, name)) for module, name in found]


def patient(put: Callable[[object, str, float], None]) -> None:
    for module, name, _ in limits():
        put(module, name, PATIENT)


def patient_store() -> None:
    """For good, in a process that has a store and nothing else of the service, and need not import the rest."""
    for module, name in STORE:
        setattr(import_module(module), name, PATIENT)
