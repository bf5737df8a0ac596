"""`tactful simulate`: a folder that other commands take in, or nothing at all."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

import tactful
from features.decision_log import DECISIONS
from features.history import History
from features.ingest import ingest_files
from features.interactions import CHANNELS, SCHEMA
from features.scaffold import init_workspace, templates
from features.simulate.actions import ACTIONS, TEMPLATE
from features.simulate.market import Market
from features.simulate.output import policy_named, write
from features.workspace import WorkspaceError


def run(*arguments):
    return CliRunner().invoke(tactful.app, ["simulate", *map(str, arguments)])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "market"
    result = run(
        out, "--customers", 1500, "--days", 100, "--policy", "random", "--every", 5, "--rate", 0.3, "--silent", 60
    )
    assert result.exit_code == 0, result.output
    return out


def test_every_row_is_accepted_on_all_channels_once(made, tmp_path):
    workspace = init_workspace(tmp_path / "shop", templates("features"))
    files = sorted((made / "interactions").glob("*.parquet"))
    told = ingest_files(workspace, files, None, None)
    assert told.total.accepted == told.total.received > 10_000
    table = History(workspace).interactions()
    assert set(table["channel"].to_pylist()) == set(CHANNELS)
    assert table.num_rows == json.loads((made / "summary.json").read_text())["interactions"]


def test_interactions_are_the_contract(made):
    table = ds.dataset(made / "interactions").to_table()
    assert table.schema.names == SCHEMA.names
    assert table.cast(SCHEMA).num_rows == table.num_rows
    assert len(set(table["interaction_id"].to_pylist())) == table.num_rows
    closed = table.filter(pa.compute.equal(table["type"], "case_closed"))["case_id"].to_pylist()
    opened = table.filter(pa.compute.is_in(table["type"], pa.array(["complaint", "case_opened"])))
    at = dict(zip(opened["case_id"].to_pylist(), opened["customer_id"].to_pylist(), strict=True))
    assert closed
    assert set(closed) <= set(at)
    assert all(case[1:8] == customer[1:] for case, customer in at.items())
    saved = table.filter(table["attributes"].is_valid())["attributes"].to_pylist()
    assert min(json.loads(text)["discount"] for text in saved) >= 0


def test_decisions_are_in_historys_columns_and_tied_to_their_contacts(made):
    decisions = pq.read_table(made / "decisions.parquet")
    assert decisions.schema == DECISIONS
    answered = decisions.to_pylist()
    for row in answered[:300]:
        cells = {(cell["action"], cell["channel"]): cell["probability"] for cell in row["distribution"]}
        assert sum(cells.values()) == pytest.approx(1.0, abs=1e-5)
        assert cells[(row["action"], row["treatment_channel"])] == pytest.approx(row["probability"])
    table = ds.dataset(made / "interactions").to_table()
    sent = table.filter(pa.compute.equal(table["type"], "contact")).to_pylist()
    ours = {row["decision_id"]: row for row in answered if row["action"]}
    assert {row["decision_id"] for row in sent} == set(ours)
    for row in sent:
        decision = ours[row["decision_id"]]
        assert (row["customer_id"], row["action"]) == (decision["customer_id"], decision["action"])
        assert row["channel"] == decision["treatment_channel"]
        assert row["occurred_at"] > decision["decided_at"]


def test_the_truth_lies_beside(made):
    truth, profiles = (pq.read_table(made / f"{name}.parquet") for name in ("truth", "profiles"))
    assert truth.num_rows == 1500 > profiles.num_rows > 1000
    assert np.isfinite(truth["value"].to_numpy()).all()
    assert "tolerance" in truth.column_names
    assert "tolerance" not in profiles.column_names


def test_the_template_offers_what_the_market_plays(made):
    told = {action["name"]: action for action in yaml.safe_load((made / "actions.yaml").read_text())["actions"]}
    assert {name: {c: told[name]["channels"][c]["cost"] for c in told[name]["channels"]} for name in told} == {
        action.name: action.costs for action in ACTIONS
    }
    assert (made / "actions.yaml").read_bytes() == TEMPLATE.read_bytes()


def test_the_same_seed_writes_the_same_and_no_policy_no_decisions(tmp_path):
    for name in ("a", "b"):
        assert run(tmp_path / name, "--customers", 200, "--days", 20, "--seed", 3).exit_code == 0
    a, b = (ds.dataset(tmp_path / name / "interactions").to_table() for name in ("a", "b"))
    assert a.equals(b)
    assert not (tmp_path / "a" / "decisions.parquet").exists()


def test_what_is_wrong_is_said_in_a_line_and_leaves_nothing(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    wrong = [
        ([tmp_path / "full"], "not empty"),
        ([tmp_path / "x", "--setting", "odd"], "the settings are plain, usual, barely"),
        ([tmp_path / "x", "--policy", "greedy"], "the policies are none, random, capped, oracle"),
        ([tmp_path / "x", "--customers", 0], "1 to 10,000,000"),
        ([tmp_path / "x", "--days", 5, "--silent", 6], "5 days, 6 of them"),
        ([tmp_path / "x", "--days", 10_000, "--customers", 1], "9,999 at the most"),
        ([tmp_path / "x", "--seed", -1, "--policy", "random"], "--seed"),
        ([tmp_path / "x", "--policy", "random", "--rate", 2], "not in 0 to 1"),
    ]
    for arguments, why in wrong:
        result = run(*arguments)
        assert result.exit_code == 2
        assert why in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_an_empty_folder_that_one_stands_in_is_filled(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert run(".", "--customers", 5, "--days", 2).exit_code == 0
    assert (tmp_path / "here" / "summary.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_run_that_fails_leaves_nothing(tmp_path):
    market = Market(50)

    def fail(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "out", market, 3, policy_named("none", market, 0.0, 1, 0), tick=fail)
    assert not list(tmp_path.iterdir())
    with pytest.raises(WorkspaceError, match="play 1 day or more"):
        write(tmp_path / "out", market, 0, policy_named("none", market, 0.0, 1, 0))
