"""The console's fixtures: one small rich workspace a session, read only, and copies of it for whoever writes."""

import os
import shutil

import console_world
import pytest
import stores
from browsing import WAIT

QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update",
         "--disable-dev-shm-usage"]  # fmt: skip  # of which containers have little


@pytest.fixture(scope="module")
def chromium():
    """Debian's chromium; without one the tests skip visibly, and fail in CI.

    For a module: while playwright runs, nothing else in this thread may run an event loop.
    """
    found = os.environ.get("TACTFUL_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        reason = "no chromium on the PATH: install it, or name it in TACTFUL_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET, timeout=WAIT)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def world_template(migrations, tmp_path_factory):
    """The folder of the world; read only."""
    folder = tmp_path_factory.mktemp("console") / "world"
    with stores.unflushed():
        console_world.build(folder)
    return folder


@pytest.fixture
def world(world_template, tmp_path):
    """A workspace of the test's own."""
    return console_world.copy(world_template, tmp_path / "world")
