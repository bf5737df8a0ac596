"""Which policy decided when: a copy of each version that came into use, whoever serves, and nothing made up."""

import json

import market
import pytest

from serving import policy_versions
from serving.decisions import policy

NOW = 1_777_896_000_000_000
OTHER = market.POLICY.replace("max: 2, window: 7d", "max: 1, window: 7d")


@pytest.fixture
def bare(tmp_path):
    return market.found(tmp_path / "bare")


def test_each_version_is_kept_once_and_told_each_time_it_comes_into_use(bare):
    first = policy.load(bare)
    assert policy_versions.used(bare) == []
    policy_versions.keep(bare, first, NOW)
    policy_versions.keep(bare, first, NOW + 1)
    bare.policy_file.write_text(OTHER)
    second = policy.load(bare)
    policy_versions.keep(bare, second, NOW + 2)
    bare.policy_file.write_text("# a comment changes no meaning\n" + market.POLICY)
    policy_versions.keep(bare, policy.load(bare), NOW + 3)
    used = policy_versions.used(bare)
    assert [(each.version, each.now) for each in used] == [
        (first.version, NOW),
        (second.version, NOW + 2),
        (first.version, NOW + 3),
    ]
    assert policy_versions.texts(bare, second.version)["contact_policy.yaml"] == OTHER
    assert policy_versions.texts(bare, first.version)["contact_policy.yaml"] == market.POLICY, "the first copy stays"
    assert policy_versions.playbook(bare, second.version).version == second.version


def test_files_that_changed_since_they_were_loaded_are_not_kept_under_the_wrong_name(bare):
    loaded = policy.load(bare)
    bare.policy_file.write_text(OTHER)
    policy_versions.keep(bare, loaded, NOW)
    assert [each.version for each in policy_versions.used(bare)] == [loaded.version]
    assert policy_versions.texts(bare, loaded.version) == {}
    assert policy_versions.playbook(bare, loaded.version) is None


@pytest.mark.parametrize("version", ["../..", "", ".lock", "/etc", "unknown"])
def test_no_path_can_be_made_up(bare, version):
    policy_versions.keep(bare, policy.load(bare), NOW)
    assert policy_versions.texts(bare, version) == {}
    assert policy_versions.playbook(bare, version) is None


def test_a_disk_that_cannot_be_written_stops_no_decision(bare, monkeypatch, caplog):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(policy_versions, "append_line", full)
    monkeypatch.setattr("serving.policy_versions.log.propagate", True)
    policy_versions.keep(bare, policy.load(bare), NOW)
    assert "cannot be kept: No space left on device" in caplog.text
    assert policy_versions.used(bare) == []


def test_a_torn_last_line_never_counted(bare):
    policy_versions.keep(bare, policy.load(bare), NOW)
    with (policy_versions.folder(bare) / "used.jsonl").open("a") as file:
        file.write('{"version": "x"')
    assert len(policy_versions.used(bare)) == 1


@pytest.mark.parametrize("line", ["garbage", "[1]", '{"version": "x"}', "\x00\x00"])
def test_a_damaged_line_keeps_nobody_from_deciding(bare, line):
    home = policy_versions.folder(bare)
    home.mkdir(parents=True)
    (home / "used.jsonl").write_text(f"{line}\n")
    playbook = policy.load(bare)
    policy_versions.keep(bare, playbook, NOW)
    assert [each.version for each in policy_versions.used(bare)] == [playbook.version]


def test_a_service_keeps_what_it_decides_by(engine):
    versions = [each.version for each in policy_versions.used(engine.workspace)]
    assert versions == [engine.playbook.version]
    engine.workspace.policy_file.write_text(OTHER)
    assert engine.refresh()
    lines = (policy_versions.folder(engine.workspace) / "used.jsonl").read_text().splitlines()
    assert [json.loads(line)["version"] for line in lines] == [*versions, engine.playbook.version]
    assert policy_versions.texts(engine.workspace, engine.playbook.version)["contact_policy.yaml"] == OTHER
    engine.workspace.policy_file.write_text("caps: wrong")
    engine.refresh()
    assert len(policy_versions.used(engine.workspace)) == 2, "what cannot be understood is never in use"
