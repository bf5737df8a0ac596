"""Reports name nobody who was erased: not in figures, not in tables beside them, not in what they are made from."""

import nudge_world
import pytest
from mounted import KEY, mounted
from starlette.testclient import TestClient
from test_privacy import ANN, IDS, MAIL, lived, mentions

from features.workspace import WorkspaceError
from training.reports import jobs

pytestmark = pytest.mark.slow


def made(workspace):
    """Kinds of reports that these few data allow."""
    found = set()
    for kind in jobs.JOBS:
        try:
            jobs.make(workspace, kind)
        except WorkspaceError:
            continue
        found.add(kind)
    return found


def test_erasing_over_http_reaches_every_report(tmp_path, monkeypatch):
    monkeypatch.setattr("serving.privacy.answering.PATIENCE", 60.0)  # of a busy machine
    engine = nudge_world.engine(nudge_world.workspace(tmp_path / "shop"))
    try:
        with TestClient(mounted(engine), headers={"Authorization": f"Bearer {KEY}"}) as client:
            lived(engine, client)
            reports = engine.workspace.reports
            assert {"uplift", "journeys", "pressure", "overview", "models", "actions"} <= made(engine.workspace)
            figures = {path.name for path in reports.glob("*.json")}
            before = mentions(reports)
            assert any(path.startswith(".partials/") for path in before)
            assert any(path.startswith("journeys/") for path in before)
            assert not before & figures, "no artefact ever names a customer"
            answer = client.post("/v1/privacy/erase", json={"customer_id": MAIL}).json()
            assert (answer["ids"], answer["finished"], answer["left"]) == (len(IDS), True, [])
            assert mentions(reports) == set()
            assert {path.name for path in reports.glob("*.json")} == figures, "aggregates stay"
            made(engine.workspace)
            assert mentions(reports, {ANN, MAIL}) == set()
    finally:
        engine.close()
