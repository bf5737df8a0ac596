"""A run of effects is repeated from its log alone: other threads, another hash seed, a later history, other files."""

import pytest
from test_monitor_effects import weeks
from test_promote_repeat import tactful
from test_uplift_logged_history import START, happened, shop

from features.clock import DAY
from training.tracking import CHAMPION, Registry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def test_effects_are_the_same_to_the_last_bit_and_where_data_went_it_says_so(tmp_path):
    workspace = shop(tmp_path / "shop")
    weeks(workspace, 0, True, 0)
    once = tactful(workspace, "train", "uplift", threads=1, seed=0)
    assert once.returncode == 0, once.stderr
    run_id = Registry(workspace).holder("uplift", CHAMPION).run_id

    weeks(workspace, 4, False, 1)
    happened(workspace, [("late", "purchase", START + DAY)])
    (workspace.folder / "tactful.yaml").write_text("goal: [sign_up]\n")
    (workspace.folder / "actions.yaml").write_text("actions: []\n")
    (workspace.folder / "contact_policy.yaml").write_text("increment: {default: 0.9}\n")
    again = tactful(workspace, "train", "uplift", "--repeat", run_id, threads=4, seed=77)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"uplift: repeated run {run_id}, predictions are the same to the last bit" in again.stdout
    assert len(Registry(workspace).versions("uplift")) == 1

    first, *_ = sorted((workspace.history / "interactions").glob("day=*"))
    for file in first.iterdir():
        file.unlink()
    other = tactful(workspace, "train", "uplift", "--repeat", run_id, threads=1, seed=0)
    assert other.returncode == 1
    assert "not as it was: history, in what is left of its batches" in other.stdout
    assert "NOT the same" in other.stdout
