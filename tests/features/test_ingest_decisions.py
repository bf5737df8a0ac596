"""`tactful ingest --decisions`, and what the market logs: candidates, ghosts, distributions."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tactful
from features import decision_log
from features.decision_log import DECISIONS
from features.history import History
from features.scaffold import init_workspace, templates
from features.simulate.actions import TREATMENTS
from features.simulate.market import Market
from features.simulate.output import write
from features.simulate.policy import SILENCE, Silent, Uniform
from features.simulate.withholding import Withholding
from features.workspace import WorkspaceError


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """600 customers asked weekly for four weeks after a silent month, every third contact withheld."""
    out = tmp_path_factory.mktemp("ghosts") / "market"
    write(out, Market(600), 58, Withholding(Uniform(0.5, 7, 0), 1 / 3, 0), 30)
    return out


@pytest.fixture
def shop(tmp_path):
    return init_workspace(tmp_path / "shop", templates("features"))


def ingest(workspace, *files):
    arguments = [part for file in files for part in ("--decisions", str(file))]
    return CliRunner().invoke(tactful.app, ["ingest", *arguments, "--workspace", str(workspace.folder)])


def test_ghosts_are_drawn_as_often_as_said_and_told_in_the_distribution(market):
    rows = pq.read_table(market / "decisions.parquet").to_pylist()
    ghosts = [row for row in rows if row["ghost"] is not None]
    made = [row for row in rows if row["action"] is not None]
    assert len(ghosts) / (len(ghosts) + len(made)) == pytest.approx(1 / 3, abs=0.05)
    for row in rows[:400]:
        cells = {(cell["action"], cell["channel"], cell["ghost"]): cell["probability"] for cell in row["distribution"]}
        assert sum(cells.values()) == pytest.approx(1.0)
        drawn = (row["ghost"], row["ghost_channel"], True) if row["ghost"] else (
            row["action"], row["treatment_channel"], False)  # fmt: skip
        assert cells[drawn] == row["probability"]
        for action, channel in TREATMENTS:
            if (action, channel, False) in cells:
                assert cells[action, channel, True] == pytest.approx(cells[action, channel, False] / 2, rel=1e-5)


def test_candidates_say_what_became_of_every_treatment(market):
    rows = pq.read_table(market / "decisions.parquet").to_pylist()
    refused = 0
    for row in rows:
        stages = {(each["action"], each["channel"]): each["stage"] for each in row["candidates"]}
        assert set(stages) == set(TREATMENTS)
        drawn = {key: stage for key, stage in stages.items() if stage in ("chosen", "withheld")}
        if row["ghost"]:
            assert drawn == {(row["ghost"], row["ghost_channel"]): "withheld"}
        elif row["action"]:
            assert drawn == {(row["action"], row["treatment_channel"]): "chosen"}
        else:
            assert not drawn
        possible = {(cell["action"], cell["channel"]) for cell in row["distribution"] if cell["action"]}
        assert possible == {key for key, stage in stages.items() if stage != "guard"}
        refused += sum(each["rules"] == ["opt-out"] for each in row["candidates"])
    assert refused > 0


def test_withholding_is_silence_to_the_market():
    market = Market(300)
    policy = Withholding(Uniform(1.0, 1, 1), 0.5, 2)
    choice = policy.decide(market.view())
    held = choice.ghost != SILENCE
    assert 0.3 < held[market.view().known].mean() < 0.7
    assert (choice.treatment[held] == SILENCE).all()
    assert market.step(choice)[held].max() == SILENCE
    known = market.view().known
    assert choice.distribution[known].sum(axis=1) == pytest.approx(np.ones(known.sum()), abs=1e-5)
    with pytest.raises(WorkspaceError, match="is not in 0 to 1"):
        Withholding(policy, 1.0)
    with pytest.raises(WorkspaceError, match="does not say its distributions"):
        Withholding(Silent(), 0.1).decide(market.view())


def test_decisions_come_in_once_with_all_columns(market, shop):
    file = market / "decisions.parquet"
    result = ingest(shop, file)
    assert result.exit_code == 0, result.output
    wanted = pq.read_table(file)
    assert f"{wanted.num_rows:,} received = {wanted.num_rows:,} accepted + 0 duplicates" in result.output
    columns = ["decision_id", "decided_at", "distribution", "ghost", "candidates", "slots"]
    found = decision_log.read(History(shop), columns).sort_by("decision_id")
    assert found.to_pylist() == wanted.select(columns).sort_by("decision_id").to_pylist()
    assert "0 accepted" in ingest(shop, file).output


def test_a_distribution_is_all_that_is_needed_beside_who_and_when(market, shop, tmp_path):
    needed = ["decision_id", "decided_at", "customer_id", "distribution"]
    few = pq.read_table(market / "decisions.parquet", columns=needed)
    pq.write_table(few, tmp_path / "few.parquet")
    assert ingest(shop, tmp_path / "few.parquet").exit_code == 0
    found = decision_log.read(History(shop), ["slots", "document", "ghost"])
    assert set(found["slots"].to_pylist()) == {1}


def spoiled(table, name, column):
    return table.set_column(table.schema.get_field_index(name), name, column)


def test_what_cannot_be_a_decision_is_one_line_and_leaves_nothing(market, shop, tmp_path):
    whole = pq.read_table(market / "decisions.parquet").slice(0, 50)
    short = [row[1:] if n == 7 else row for n, row in enumerate(whole["distribution"].to_pylist())]
    made = next(n for n, name in enumerate(whole["action"].to_pylist()) if name is not None)
    renamed, moved = whole["action"].to_pylist(), whole["treatment_channel"].to_pylist()
    renamed[made], moved[made] = "winter_sale", None
    unknown = f"row {made}: what was drawn is not in its `distribution`"  # it would count as nothing made
    wrong = {
        "renamed": (spoiled(whole, "action", pa.array(renamed)), unknown),
        "moved": (spoiled(whole, "treatment_channel", pa.array(moved)), unknown),
        "short": (spoiled(whole, "distribution", pa.array(short, DECISIONS.field("distribution").type)),
                  "row 7: `distribution` does not add up to 1"),
        "nobody": (spoiled(whole, "customer_id", pa.array([None, *["c"] * 49])), "row 0: `customer_id` is missing"),
        "bare": (whole.drop_columns(["distribution"]), "lacks the column distribution"),
        "typed": (spoiled(whole, "decided_at", pa.array(["now"] * 50)), "does not have the log's types"),
    }  # fmt: skip
    for name, (table, why) in wrong.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
        result = ingest(shop, market / "decisions.parquet", tmp_path / f"{name}.parquet")
        assert result.exit_code == 2, name
        assert why in " ".join(result.output.split()), result.output
    (tmp_path / "text.parquet").write_text("no")
    assert "cannot be read as Parquet" in " ".join(ingest(shop, tmp_path / "text.parquet").output.split())
    assert "no such file" in ingest(shop, tmp_path / "none.parquet").output
    assert not decision_log.read(History(shop), ["decision_id"]).num_rows
    alone = CliRunner().invoke(tactful.app, ["ingest", "x.csv", "--decisions", "y", "--workspace", str(shop.folder)])
    assert alone.exit_code == 2
