"""Nothing waits for a disk, and where PostgreSQL may keep its data."""

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_waiting(hasty_disk):
    """For no disk, in any test."""


@pytest.fixture(scope="module")
def postgres_folder():
    """Where PostgreSQL may keep its data: as root it runs as another user, who may not enter pytest's own folder."""
    folder = Path(tempfile.mkdtemp(prefix="tactful-postgres-"))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)
