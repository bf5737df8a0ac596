"""Backups: copied while it serves, whole as of one moment; restored where there is nothing, and served from."""

import threading

import psycopg
import pytest
import stores
from test_identity_store import decided, row
from worlds import playbook

from features.workspace import Workspace, WorkspaceError
from serving.backup_commands import restore_into
from serving.store import open_store


@pytest.fixture(params=stores.KINDS)
def workspaces(request, tmp_path):
    """Two of them, each with a store of its own that is not there yet."""
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        url = stores.place(request.param, tmp_path).url
        (tmp_path / name / "tactful.yaml").write_text(f"store: {{url: '{url}'}}\n")
        found.append(Workspace.open(tmp_path / name))
    return found


def test_a_backup_taken_while_serving_is_whole_and_serves(workspaces, tmp_path):
    one, two = workspaces
    with open_store(one) as store:
        before = decided(store, playbook(), "C1").decision_id
        stop, written = threading.Event(), []

        def write():
            while not stop.is_set():
                number = len(written)
                store.record([row(f"{number}-a"), row(f"{number}-b")]).result()
                written.append(number)

        busy = threading.Thread(target=write)
        busy.start()
        try:
            store.backup(tmp_path / "copy")
        finally:
            stop.set()
            busy.join()
        expected = len(store.export("interactions", 0))
        with pytest.raises(WorkspaceError, match="exists already"):
            store.backup(tmp_path / "copy")
    restore_into(two, tmp_path / "copy")
    with open_store(two) as restored:
        assert restored.decision(before) is not None
        kept = [each["interaction_id"] for each in restored.export("interactions", 0)]
        assert len(kept) % 2 == 0, "what was written together is there together"
        assert len(kept) <= expected
        assert restored.read("C1").customer.contacts
        last = restored.export("decisions", 0)[-1]["position"]
        decided(restored, playbook(), "C2")
        assert restored.export("decisions", last)[0]["customer_id"] == "C2", "positions go on"
        assert restored.ready() is None
    with pytest.raises(WorkspaceError, match=r"exists already|is not empty"):
        restore_into(two, tmp_path / "copy")


def test_what_is_no_backup_is_refused_and_leaves_nothing(workspaces, tmp_path):
    (tmp_path / "notes").write_text("none of ours " * 100)
    for source in (tmp_path / "notes", tmp_path / "missing"):
        with pytest.raises(WorkspaceError, match=r"notes|missing"):
            restore_into(workspaces[0], source)
    with open_store(workspaces[0]) as store:
        assert store.export("decisions", 0) == []


def test_a_torn_backup_of_postgres_is_refused_whole(tmp_path):
    (tmp_path / "ws").mkdir()
    source, target = stores.place("postgres", tmp_path), stores.place("postgres", tmp_path)
    with source.open() as store:
        store.record([row(1)]).result()
        store.backup(tmp_path / "copy")
    torn = tmp_path / "copy" / "interactions"
    torn.write_bytes(torn.read_bytes()[:-10])
    (tmp_path / "ws" / "tactful.yaml").write_text(f"store: {{url: '{target.url}'}}\n")
    with pytest.raises(WorkspaceError, match="cannot be restored"):
        restore_into(Workspace.open(tmp_path / "ws"), tmp_path / "copy")
    with psycopg.connect(target.url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()").fetchone()
    assert tables == (0,)
