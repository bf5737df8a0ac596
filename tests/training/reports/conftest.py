"""Pages are drawn as the front door has it."""

import pytest

from serving.console import standalone
from training.reports import commands


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    monkeypatch.setattr(commands, "render", standalone.html)
