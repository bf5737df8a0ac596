"""Retention: what is older than the settings say goes, from store, history and quarantine; nothing else does."""

import json
import os

import market
import nudge_world
import pyarrow as pa
import pytest
from nudge_world import START, row, told
from typer.testing import CliRunner

import tactful
from features.clock import DAY, HOUR
from features.history import History
from features.ingest import ingest_files
from features.workspace import Settings
from serving import absorb, sync
from serving.privacy.retention import retain

KEEP = "\nretention: {interactions: 500d, decisions: 400d, quarantine: 90d}\n"


@pytest.fixture
def engine(tmp_path):
    found = nudge_world.engine(nudge_world.workspace(tmp_path / "shop", settings=KEEP))
    yield found
    found.close()


def instants(engine):
    return History(engine.workspace).interactions().column("occurred_at").cast(pa.int64()).to_pylist()


def test_old_interactions_go_and_young_ones_stay(engine):
    told(engine, row(1, "page_view", 600 * 24), row(2, "page_view", 499 * 24), row(3, "page_view", 1))
    assert retain(engine.workspace, engine.store, START) == {}, "nothing that history does not have"
    sync.sync(engine.workspace, engine.store)
    gone = retain(engine.workspace, engine.store, START)
    assert gone["store interactions"] == 1
    assert gone["history interactions (files)"] == 1
    assert sorted(instants(engine)) == [START - 499 * DAY, START - HOUR]
    assert len(engine.store.export("interactions", 0)) == 2
    assert retain(engine.workspace, engine.store, START) == {}


def test_what_is_gone_does_not_come_back_and_the_store_goes_on(engine, tmp_path):
    told(engine, row(1, "page_view", 600 * 24), row(3, "page_view", 1))
    sync.sync(engine.workspace, engine.store)
    retain(engine.workspace, engine.store, START)
    absorb.absorb(engine.workspace, engine.store)
    assert told(engine, row(1, "page_view", 600 * 24))["duplicates"] == 1
    sync.sync(engine.workspace, engine.store)
    assert instants(engine) == [START - HOUR]
    file = tmp_path / "new.jsonl"
    file.write_text(json.dumps(market.interaction("n", "C9")) + "\n")
    assert ingest_files(engine.workspace, [file]).total.accepted == 1


def test_old_decisions_and_their_contacts_go(engine):
    told(engine, row(1, "purchase", 1))
    sync.sync(engine.workspace, engine.store)
    assert retain(engine.workspace, engine.store, START + 399 * DAY) == {}
    gone = retain(engine.workspace, engine.store, START + 402 * DAY)
    assert (gone["store decisions"], gone["history decisions (files)"], gone["history contacts (files)"]) == (1, 1, 1)
    assert engine.store.export("decisions", 0) == []
    assert History(engine.workspace).decisions().num_rows == 0
    assert instants(engine), "interactions have a term of their own"


def test_old_quarantine_goes_by_when_it_was_written(engine):
    told(engine, market.interaction("bad", value="ten"))
    (file,) = engine.workspace.quarantine.rglob("*.jsonl")
    assert retain(engine.workspace, engine.store, START) == {}
    old = file.stat().st_mtime - 91 * 86_400
    os.utime(file, (old, old))
    assert retain(engine.workspace, engine.store, START) == {"quarantine (files)": 1}
    assert not file.exists()


def test_nothing_goes_unless_the_settings_say_so(tmp_path):
    found = nudge_world.engine(nudge_world.workspace(tmp_path / "keeps"))
    try:
        told(found, row(1, "page_view", 3000 * 24))
        sync.sync(found.workspace, found.store)
        assert retain(found.workspace, found.store, START + 9000 * DAY) == {}
        assert instants(found) == [START - 3000 * DAY]
    finally:
        found.close()


@pytest.mark.parametrize(
    "wrong", [{"interactions": "399d"}, {"decisions": "0d"}, {"quarantine": "1w"}, {"contacts": "1d"}]
)
def test_terms_are_checked(wrong):
    with pytest.raises(ValueError):
        Settings(retention=wrong)


def test_a_sync_deletes_what_is_too_old(engine):
    told(engine, row(1, "page_view", 600 * 24))
    result = CliRunner().invoke(tactful.app, ["sync", "--workspace", str(engine.workspace.folder)])
    assert "too old: history interactions (files): 1 deleted" in result.output, result.output
    assert instants(engine) == []
    again = CliRunner().invoke(tactful.app, ["privacy", "retain", "--workspace", str(engine.workspace.folder)])
    assert (again.exit_code, again.output) == (0, "")
