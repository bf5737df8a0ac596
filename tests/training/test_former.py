"""A workspace as it was, or as it is now, whatever comes in meanwhile."""

import pytest
from test_uplift_logged_history import CELLS, START, decision, happened, log, shop

from features.clock import DAY
from features.workspace import WorkspaceError
from training import provenance
from training.former import present
from training.uplift.logged import decisions


def test_what_comes_in_while_a_training_reads_is_neither_learned_from_nor_recorded(tmp_path):
    workspace = shop(tmp_path / "shop")
    log(workspace, [decision(k, f"c{k}", START + k, k % 4, CELLS) for k in range(8)])
    happened(workspace, [("c0", "purchase", START + DAY)])
    before = provenance.stated(workspace)
    with present(workspace) as there:
        first = decisions.read(there)
        log(workspace, [decision(9, "c9", START + 9, 0, CELLS)])
        happened(workspace, [("c9", "purchase", START + 2 * DAY)])
        (workspace.folder / "actions.yaml").write_text("actions: []\n")
        again = decisions.read(there)
        assert len(first) == len(again) == 8
        assert first.known_until == again.known_until
        assert provenance.stated(there) == before
    assert len(decisions.read(workspace)) == 9
    assert provenance.stated(workspace) != before


def test_its_errors_name_the_workspace(tmp_path):
    workspace = shop(tmp_path / "shop")
    with (
        pytest.raises(WorkspaceError, match=f"^{workspace.folder}/history: holds no decisions"),
        present(workspace) as t,
    ):
        decisions.read(t)
