"""Fixtures of the service's tests: a shop with champions, copied for each test that changes it."""

import market
import pytest
import stores

from serving.engine import Engine


@pytest.fixture(scope="session")
def shop_template(tmp_path_factory):
    """The folder of a workspace with history and both champions; read only."""
    folder = tmp_path_factory.mktemp("shop") / "template"
    market.build(folder)
    return folder


@pytest.fixture(params=stores.KINDS)
def place(request, tmp_path):
    """Where an empty store is, on each database there is."""
    found = stores.place(request.param, tmp_path)
    yield found
    found.close()


@pytest.fixture
def opened(place):
    """A function that opens another connection to the same store, as another process would."""
    return place.open


@pytest.fixture
def store(opened):
    """An empty store, on each database there is; rows about health are sensitive to it."""
    return opened()


@pytest.fixture
def shop(shop_template, tmp_path):
    """A workspace of the test's own."""
    return market.copy(shop_template, tmp_path / "shop")


@pytest.fixture
def engine(shop):
    """The shop being served, warm."""
    found = Engine.open(shop)
    found.warm()
    yield found
    found.close()
