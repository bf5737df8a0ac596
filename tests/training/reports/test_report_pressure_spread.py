"""Customers over cap levels, against the shares that each decision's policy declares."""

import pytest
from ghost_logs import decision, log_decisions, shop

from serving.decisions import arms as arms_of
from serving.decisions.policy import load
from training.reports.pressure import words
from training.reports.pressure.artefact import Causal
from training.reports.pressure.spread import spread

MANY = 1_200


def levels(workspace, share, version, current=False):
    """A version of the policy as the service keeps it, with two levels of this share; the workspace's if `current`."""
    policy = workspace.policy_file.read_text()
    assert "\ncap_levels: null" in policy
    stated = f"{{levels: [{{share: {share}, factor: 0.5}}, {{share: {share}, factor: 2}}]}}"
    text = policy.replace("\ncap_levels: null", f"\ncap_levels: {stated}\n#")
    folder = workspace.folder / "state" / "policies" / version
    folder.mkdir(parents=True)
    (folder / "contact_policy.yaml").write_text(text)
    before = workspace.policy_file.read_text()
    workspace.policy_file.write_text(text)
    stated = load(workspace).policy
    if not current:
        workspace.policy_file.write_text(before)
    return stated


def decided(policy, version, first, day, lost=None):
    """Each customer's decision, in the arms that this policy draws; of level `lost`, two of three are not there."""
    made = []
    for i in range(first, first + MANY):
        drawn = arms_of.arms(f"c{i}", policy)
        if lost is not None and drawn.cap_level == lost and i % 3:
            continue
        one = decision(f"c{i}", day, "winback", withheld=0.0, policy_version=version, cap_level=drawn.cap_level)
        made.append(one | {"arm": drawn.holdout})
    return made


@pytest.fixture
def workspace(tmp_path):
    return shop(tmp_path / "shop", 0.1)


def test_levels_whose_share_the_policy_changed_are_as_declared(workspace):
    old, new = levels(workspace, 0.05, "v1"), levels(workspace, 0.2, "v2", current=True)
    log_decisions(workspace, decided(old, "v1", 0, 1) + decided(new, "v2", MANY, 9) + decided(new, "v2", 0, 9))
    found = spread(workspace)
    assert not found.alarm
    assert [one.name for one in found.arms] == ["usual caps", "2 times as loose", "half as loose"]
    assert [one.expected_share for one in found.arms] == pytest.approx([0.75, 0.125, 0.125], abs=0.01)


def test_levels_that_lose_customers_ring_and_nobody_is_to_rely_on_them(workspace):
    policy = levels(workspace, 0.2, "v2", current=True)
    log_decisions(workspace, decided(policy, "v2", 0, 9, lost=2.0))
    found = spread(workspace)
    assert found.alarm
    causal = Causal(decisions=9, cells=[], levels=[], uneven=True, spread=found, saturation=[], sentence="")
    said = words.causal(causal)
    assert said.startswith("Do not rely on the comparison of caps. The groups' sizes do not fit how customers should")
    assert "2 times as loose" in said
    assert words.notes(True, False, found) == [f"Customers by cap level: {found.sentence}"]


def test_decisions_whose_policy_was_not_kept_say_nothing(workspace):
    policy = levels(workspace, 0.2, "v2", current=True)
    assert spread(workspace) is None
    log_decisions(workspace, decided(policy, "of another system", 0, 9, lost=2.0))
    assert spread(workspace) is None


def test_without_levels_there_is_nothing_to_check(workspace):
    assert spread(workspace) is None
    workspace.policy_file.unlink()
    assert spread(workspace) is None
