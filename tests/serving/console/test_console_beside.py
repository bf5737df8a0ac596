"""Decisions beside pages: drawing one takes tens of milliseconds of Python, none of them in the deciding process."""

import pytest
from mounted import HELPER, KEY, mounted
from starlette.testclient import TestClient

from serving.console import drawing, render
from serving.console.views import VIEWS
from serving.engine import Engine
from training.reports import jobs

PATHS = {"customers/{customer}": "customers/c0000005", "actions/{action}": "actions/winback"}


def refused(*_):
    """In place of what draws: a mock would be drawn with in the helper, which knows nothing of it."""
    raise AssertionError("drawn in the process that decides")


@pytest.mark.slow
def test_no_page_is_drawn_in_the_process_that_decides(world, monkeypatch):
    """Of no kind: a report, a live one, a table's CSV, what went wrong, a stranger's."""
    jobs.make(world, "overview")
    engine = Engine.open(world)
    engine.warm()
    for module, name in ((render, "page"), (drawing, "_made"), (drawing, "_sheet")):
        monkeypatch.setattr(module, name, refused)
    try:
        client = TestClient(mounted(engine), headers={"X-API-Key": KEY})
        for view in VIEWS:
            path = PATHS.get(view.path, view.path)
            assert client.get(f"/console/{path}").status_code == 200, path
        assert client.get("/console/customers/c0000005/left.csv").text.startswith("\ufeffChannel,")
        assert client.get("/console/nothing").status_code == 404
        assert TestClient(client.app).get("/console/sign-in").status_code == 200
    finally:
        engine.close()
    assert HELPER.pid is not None
