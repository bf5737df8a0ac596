"""Privacy: everything is handed out, everything is deleted and does not come back, nothing is sent while restricted."""

import asyncio
import json
import shutil
import threading

import market
import nudge_world
import pyarrow.parquet as pq
import pytest
from mounted import KEY, mounted
from nudge_world import START, row, told
from starlette.testclient import TestClient
from typer.testing import CliRunner

import tactful
from features.clock import HOUR
from features.history import History
from features.ingest import ingest_files
from features.tombstones import Graveyard
from features.workspace import Workspace, WorkspaceError
from serving import absorb, sync
from serving.privacy import erasing, exporting
from serving.store import open_store

ANN, MAIL, COOKIE = "customer-Ann-4711", "ann@example.org", "cookie-0815-ann"
IDS = {ANN, MAIL, COOKIE}


def client_of(engine):
    return TestClient(mounted(engine), headers={"Authorization": f"Bearer {KEY}"})


@pytest.fixture
def fresh(tmp_path):
    """A shop that nobody told anything."""
    found = nudge_world.engine(nudge_world.workspace(tmp_path / "shop"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """The folder of a shop in which Ann and Bob lived, beside the file that some of it came from; read only."""
    folder = tmp_path_factory.mktemp("life")
    engine = nudge_world.engine(nudge_world.workspace(folder / "shop"))
    try:
        with client_of(engine) as client:
            lived(engine, client)
    finally:
        engine.close()
    return folder


@pytest.fixture
def engine(life, tmp_path):
    """A copy of that shop."""
    shutil.copytree(life, tmp_path, dirs_exist_ok=True)
    found = nudge_world.engine(Workspace.open(tmp_path / "shop"))
    yield found
    found.close()


@pytest.fixture
def client(engine):
    with client_of(engine) as client:
        yield client


def mentions(folder, texts=frozenset(IDS)):
    """Every file in which one of the ids stands, compressed or not."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += str(pq.read_table(path).to_pylist()).encode()
            if any(text.encode() in content for text in texts):
                found.add(str(path.relative_to(folder)))
    return found


def lived(engine, client):
    """Ann under three ids: live and from a file, decided about, contacted, in quarantine, in reports. And Bob."""
    folder = engine.workspace.folder
    links = [{"identifier": MAIL, "kind": "email"}, {"identifier": COOKIE, "kind": "cookie"}]
    body = {"identifiers": [link | {"customer_id": ANN} for link in links]}
    assert client.post("/v1/identifiers", json=body).json()["accepted"] == 2
    rows = [row(1, "page_view", 3, COOKIE), row(2, "page_view", 2, MAIL), row(3, "purchase", 1, ANN)]
    told(engine, *rows, row(4, "purchase", 1, "Bob"))
    broken = market.interaction("bad", ANN, value="ten") | {"note": MAIL}
    assert client.post("/v1/interactions", json={"interactions": [broken]}).json()["quarantined"] == 1
    record = {"customer_id": ANN, "attributes": {"segment": "gold"}}
    assert client.post("/v1/attributes", json={"records": [record]}).json()["accepted"] == 1
    for who in (ANN, MAIL, "Bob"):
        decided = client.post("/v1/decide", json={"customer_id": who, "channel": "mail"}).json()
        if decided["contact_id"]:
            client.post(f"/v1/contacts/{decided['contact_id']}/claim")
            client.post(f"/v1/contacts/{decided['contact_id']}/sent")
        client.post(
            "/v1/outcomes", json={"decision_id": decided["decision_id"], "outcome": "clicked", "channel": "mail"}
        )
    (folder.parent / "old.jsonl").write_text("".join(json.dumps(each) + "\n" for each in file_rows()))
    ingest_files(engine.workspace, [folder.parent / "old.jsonl"])
    absorb.absorb(engine.workspace, engine.store)
    sync.sync(engine.workspace, engine.store)
    (folder / "report.json").write_text(json.dumps({"examples": [ANN, "Bob"]}))
    (folder / "export.csv").write_text(f"customer_id,n\n{MAIL},1\nBob,2\n")


def file_rows():
    rows = [market.interaction(f"f{i}", who) for i, who in enumerate((ANN, MAIL, "Bob"))]
    return [*rows, market.interaction("f9", ANN, channel="nowhere")]


def erase(engine, who=MAIL):
    return erasing.erase(engine.workspace, engine.store, [who], engine.clock.now())


def test_nothing_of_an_erased_person_is_left_in_any_file(fresh):
    with client_of(fresh) as client:
        lived(fresh, client)
    folder = fresh.workspace.folder
    before = mentions(folder)
    assert any("history/decisions" in path for path in before)
    assert any("quarantine" in path for path in before)
    assert "state/tactful.db" in before or "state/tactful.db-wal" in before
    done = erase(fresh)
    fresh.store.scrub()
    assert mentions(folder) == set()
    assert done.ids == 3
    assert done.left == ()
    kinds = ("interactions", "attributes", "decisions", "contacts", "identifiers")
    assert {f"history {kind}" for kind in kinds} | {"quarantine", "files", "store contacts"} <= set(done.rows)
    assert "Bob" in History(fresh.workspace).interactions().column("customer_id").to_pylist()
    assert mentions(folder, {"Bob"}), "others stay"


def test_nothing_is_known_and_nothing_is_sent_afterwards(engine, client):
    erase(engine)
    for who in IDS:
        read = engine.store.read(who)
        assert not read.state
        assert not read.customer.contacts
        assert client.post("/v1/decide", json={"customer_id": who}).json()["action"] is None


def test_a_replayed_file_and_late_rows_do_not_bring_them_back(engine, client):
    erase(engine)
    folder = engine.workspace.folder
    again = ingest_files(engine.workspace, [folder.parent / "old.jsonl"]).total
    assert (again.received, again.accepted, again.quarantined) == (4, 0, 3)
    absorb.absorb(engine.workspace, engine.store)
    for who in IDS:
        answer = client.post("/v1/interactions", json={"interactions": [market.interaction(f"late-{who}", who)]}).json()
        assert answer["quarantined"] == 1
        assert answer["quarantine"][0]["errors"][0]["what"] == "was erased"
        broken = market.interaction("b", who, channel="nowhere", value="ten")
        assert client.post("/v1/interactions", json={"interactions": [broken]}).json()["quarantined"] == 1
        link = {"identifier": who, "kind": "email", "customer_id": "Bob"}
        assert client.post("/v1/identifiers", json={"identifiers": [link]}).json()["quarantined"] == 1
    sync.sync(engine.workspace, engine.store)
    engine.store.scrub()
    assert mentions(folder) == set()


def test_a_store_made_anew_does_not_know_them_either(engine, client):
    erase(engine)
    engine.store.close()
    for file in engine.workspace.store_path.parent.glob("tactful.db*"):
        file.unlink()
    fresh = nudge_world.engine(engine.workspace)
    try:
        assert not fresh.store.read(ANN).state
        answer = asyncio.run(fresh.record([market.interaction("late", ANN)]))
        assert answer["quarantined"] == 1
    finally:
        fresh.close()


def test_counts_stay_and_tell_nothing_else(engine, client):
    done = erase(engine)
    counted = Graveyard(engine.workspace).counts()
    assert counted == done.rows
    assert erase(engine, ANN).rows == {}
    assert Graveyard(engine.workspace).counts() == counted


@pytest.mark.parametrize("step", ["bury", "forget_history", "forget_quarantine", "forget_files"])
def test_an_interrupted_erasure_is_finished_by_the_next_one_to_come_by(engine, client, monkeypatch, step):
    with monkeypatch.context() as broken:

        def fails(*_, **__):
            raise OSError("the machine died here")

        broken.setattr(Graveyard if step == "bury" else erasing, step, fails)
        with pytest.raises(OSError, match="died here"):
            erase(engine)
    erasing.finish(engine.workspace, engine.store, START)
    engine.store.scrub()
    assert mentions(engine.workspace.folder) == set()
    assert asyncio.run(engine.record([market.interaction("late", MAIL)]))["quarantined"] == 1


def test_an_erasing_link_hides_at_once_and_deletes_with_the_next_sync(engine, client):
    link = {"identifier": COOKIE, "op": "erase"}
    assert client.post("/v1/identifiers", json={"identifiers": [link]}).json()["accepted"] == 1
    sync.sync(engine.workspace, engine.store)
    done = erasing.finish(engine.workspace, engine.store, START)
    engine.store.scrub()
    assert done.ids == 1
    assert mentions(engine.workspace.folder, {COOKIE}) == set()
    assert engine.store.read(ANN).state, "the person goes on under the other ids"


def test_an_export_holds_everything_under_every_id(engine, client):
    found = exporting.export(engine.workspace, engine.store, MAIL)
    assert set(found["ids"]) == IDS
    assert {each["customer_id"] for each in found["store"]["customers"]} == IDS
    assert {each["interaction_id"] for each in found["history"]["interactions"]} >= {
        "i-1",
        "i-2",
        "i-3",
        "i-f0",
        "i-f1",
    }
    assert len(found["history"]["identifiers"]) == 2
    assert found["history"]["decisions"]
    assert found["history"]["contacts"]
    assert "Bob" not in json.dumps(found)
    assert client.post("/v1/privacy/export", json={"customer_id": ANN}).json()["ids"] == found["ids"]


def test_an_export_of_a_stranger_is_empty(engine):
    found = exporting.export(engine.workspace, engine.store, "nobody")
    assert found["ids"] == ["nobody"]
    assert not any(found["history"].values())
    assert not any(found["store"].values())


def test_erased_over_http(engine, client):
    answer = client.post("/v1/privacy/erase", json={"customer_id": COOKIE}).json()
    assert (answer["ids"], answer["finished"], answer["left"]) == (3, True, [])
    assert answer["rows"]["history decisions"] >= 2
    told = client.post("/v1/decide", json={"customer_id": COOKIE, "channel": "email"}).json()
    assert told["reasons"][1] == "was erased, and is left alone"
    engine.store.scrub()
    assert mentions(engine.workspace.folder) == set()


def test_files_that_take_long_are_finished_behind_the_answer(engine, client, monkeypatch):
    answered, finished, finish = threading.Event(), threading.Event(), erasing.finish

    def at_length(*given):
        assert answered.wait(60)
        done = finish(*given)
        finished.set()
        return done

    monkeypatch.setattr(erasing, "finish", at_length)
    monkeypatch.setattr("serving.privacy.answering.PATIENCE", 0.0)
    answer = client.post("/v1/privacy/erase", json={"customer_id": ANN}).json()
    assert (answer["ids"], answer["finished"]) == (3, False)
    assert not engine.store.read(ANN).state
    answered.set()
    assert finished.wait(60)
    engine.store.scrub()
    assert mentions(engine.workspace.folder) == set()


def test_nothing_is_sent_or_sold_while_restricted(fresh):
    told(fresh, row(1, "purchase", 1, ANN))
    with client_of(fresh) as client:
        (entry,) = client.get("/v1/outbox").json()["entries"]
        body = {"customer_id": ANN, "restricted": True}
        assert client.post("/v1/privacy/restrict", json=body).json() == body
        assert client.get("/v1/preferences", params={"customer_id": ANN}).json()["restricted"] is True
        assert client.post("/v1/decide", json={"customer_id": ANN}).json()["action"] is None
        assert client.post(f"/v1/contacts/{entry['contact_id']}/claim").status_code == 409
        assert client.post("/v1/privacy/restrict", json=body | {"restricted": False}).json()["restricted"] is False
        assert client.post(f"/v1/contacts/{entry['contact_id']}/claim").status_code == 200


def run(*arguments, workspace, code=0, stdin=None):
    result = CliRunner().invoke(tactful.app, [*arguments, "--workspace", str(workspace.folder)], input=stdin)
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output


def test_the_command_line(engine, client, tmp_path):
    workspace = engine.workspace
    to = tmp_path / "ann.json"
    run("privacy", "export", ANN, "--out", str(to), workspace=workspace)
    assert set(json.loads(to.read_text())["ids"]) == IDS
    assert json.loads(run("privacy", "export", "nobody", workspace=workspace))["ids"] == ["nobody"]
    run("privacy", "restrict", ANN, workspace=workspace)
    assert engine.store.read(MAIL).customer.restricted
    run("privacy", "restrict", MAIL, "--off", workspace=workspace)
    assert not engine.store.read(ANN).customer.restricted
    assert "nothing was deleted" in run("privacy", "erase", ANN, workspace=workspace, code=2, stdin="n\n")
    assert engine.store.read(ANN).state
    assert "3 ids are gone" in run("privacy", "erase", COOKIE, "--yes", workspace=workspace)
    assert mentions(workspace.folder) == set()
    stranger = run("privacy", "erase", "stranger", "--yes", workspace=workspace)
    assert stranger.splitlines()[-1] == "1 id is gone, of whom nothing was kept"
    assert "deleted" not in stranger
    assert "cannot be written" in run("privacy", "export", ANN, "--out", "/nowhere/x", workspace=workspace, code=2)
    for asked in (["erase", "", "--yes"], ["erase", "Bob", "", "--yes"], ["export", ""], ["restrict", ""]):
        assert "CUSTOMER is empty" in run("privacy", *asked, workspace=workspace, code=2)
    assert engine.store.read("Bob").state


def test_a_sync_finishes_what_was_begun(engine, client):
    erasing.begin(engine.workspace, engine.store, [ANN], START)
    output = run("sync", workspace=engine.workspace)
    assert "erased: history decisions" in output
    assert mentions(engine.workspace.folder) == set()


def test_a_restored_backup_is_cleaned_by_the_next_sync(engine, client, tmp_path):
    engine.store.backup(tmp_path / "before.db")
    erase(engine)
    engine.store.close()
    for file in engine.workspace.store_path.parent.glob("tactful.db*"):
        file.unlink()
    shutil.copy(tmp_path / "before.db", engine.workspace.store_path)
    output = run("sync", workspace=engine.workspace)
    assert "erased: store decisions" in output
    assert mentions(engine.workspace.folder) == set()


def test_without_its_salt_nothing_is_recorded(engine, client):
    erase(engine)
    (engine.workspace.history / "erased" / "salt").unlink()
    with pytest.raises(WorkspaceError, match="salt is missing"):
        Graveyard(engine.workspace).tombstones()


def test_the_store_alone_forgets_too(engine, client):
    """Another process that has the store open sees it at once."""
    other = open_store(engine.workspace)
    try:
        erase(engine)
        assert not other.read(ANN).state
        assert other.erased(IDS) == IDS
        assert other.export_customer(IDS)["interactions"] == []
    finally:
        other.close()
    assert engine.clock.now() < START + HOUR
