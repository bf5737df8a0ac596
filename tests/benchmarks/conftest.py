"""The benchmarks of the service use the service tests' shop."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))


@pytest.fixture
def shop(tmp_path):
    """A workspace with history and champions."""
    import market

    return market.build(tmp_path / "shop")
