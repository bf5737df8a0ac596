"""Shared fixtures: where the optional real data lie, and a fresh workspace."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

#: Property tests fail by what they find: not by how long an example takes, or is made, on a machine that is busy.
settings.register_profile("tactful", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tactful")

DATA = Path(os.environ.get("TACTFUL_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data():
    """A function from file name to path in the optional real test data.

    Missing data skip the test with a visible reason, or fail it where TACTFUL_REQUIRE_TEST_DATA=1 (CI).
    """

    def locate(name: str) -> Path:
        path = DATA / name
        if not path.is_file():
            reason = f"{name} is not in TACTFUL_TEST_DATA ({DATA})"
            if os.environ.get("TACTFUL_REQUIRE_TEST_DATA") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return locate


@pytest.fixture(scope="session")
def hasty_disk():
    """Nothing in the tests' own process waits for a disk: neither who flushes a file, nor MLflow's SQLite.

    What is killed loses nothing by that, only a lost machine would. Processes that tests start flush as always.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def connected(connection, _):
        if type(connection).__module__ == "sqlite3":
            connection.execute("PRAGMA synchronous = OFF")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)
        event.listen(Engine, "connect", connected)
        yield
        event.remove(Engine, "connect", connected)
