"""Fixtures of the service's tests: a shop with champions, copied for each test that changes it."""

import market
import pytest


@pytest.fixture(scope="session")
def shop_template(tmp_path_factory):
    """The folder of a workspace with history and both champions; read only."""
    folder = tmp_path_factory.mktemp("shop") / "template"
    market.build(folder)
    return folder


@pytest.fixture
def shop(shop_template, tmp_path):
    """A workspace of the test's own."""
    return market.copy(shop_template, tmp_path / "shop")
