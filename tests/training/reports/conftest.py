"""Property tests run without a deadline: a busy machine is no failure. Pages are drawn as the front door has it."""

import pytest
from hypothesis import settings

from serving.console import standalone
from training.reports import commands

settings.register_profile("tactful", deadline=None)
settings.load_profile("tactful")


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    monkeypatch.setattr(commands, "render", standalone.html)
