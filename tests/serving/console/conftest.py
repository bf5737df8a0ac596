"""The console's fixtures: one small rich workspace a session, read only, and copies of it for whoever writes."""

import console_world
import pytest


@pytest.fixture(scope="session")
def world_template(tmp_path_factory):
    """The folder of the world; read only."""
    folder = tmp_path_factory.mktemp("console") / "world"
    console_world.build(folder)
    return folder


@pytest.fixture
def world(world_template, tmp_path):
    """A workspace of the test's own."""
    return console_world.copy(world_template, tmp_path / "world")
