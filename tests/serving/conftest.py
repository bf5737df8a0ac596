"""Fixtures of the service's tests: a shop with champions, copied for each test that changes it."""

import shutil
import tempfile
from functools import cache

import market
import patience
import pytest
import stores

from serving.engine import Engine


@pytest.fixture(scope="module", autouse=True)
def flushed(hasty_disk):
    """In every test nothing waits for a disk; how SQLite is connected otherwise."""
    with stores.unflushed() as connect:
        yield connect


@pytest.fixture(scope="module", autouse=True)
def served():
    """Nothing is given up because a machine has much else to do. Gives the limits that the service has."""
    found = patience.limits()
    with pytest.MonkeyPatch.context() as patch:
        patience.patient(patch.setattr)
        yield found


@pytest.fixture
def as_served(served, monkeypatch):
    """What is given up after seconds is given up after as many as in the service."""
    for limit in served:
        monkeypatch.setattr(*limit)


@pytest.fixture(scope="session")
def migrations():
    """MLflow reads all its migrations for every database that it opens, a copy like another: once will do."""
    from mlflow.store.db import utils

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "_get_latest_schema_revision", cache(utils._get_latest_schema_revision))
        yield


@pytest.fixture(scope="session")
def shop_template(hasty_disk, migrations, tmp_path_factory):
    """The folder of a workspace with history, a store that took it in, and both champions; read only."""
    folder = tmp_path_factory.mktemp("shop") / "template"
    with stores.unflushed():
        return market.taken_in(market.build(folder))


@pytest.fixture(params=stores.KINDS)
def place(request, tmp_path):
    """Where an empty store is, on each database there is."""
    found = stores.place(request.param, tmp_path)
    yield found
    found.close()


@pytest.fixture
def postgres_server():
    """A PostgreSQL to be stopped. As root it runs as another user, whom each session of pytest shuts out of /tmp's
    folder for pytest: another session that begins meanwhile, too."""
    folder = tempfile.mkdtemp(prefix="tactful-postgres-")
    server = stores.start(folder)
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


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
