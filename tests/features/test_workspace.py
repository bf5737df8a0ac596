"""Workspaces: settings that say what is wrong with them, and a clock that all processes agree on."""

import json
import os
import subprocess
import sys
import time

import pytest
from ingesting import shop

from features import clock
from features.scaffold import init_workspace
from features.workspace import Settings, Workspace, WorkspaceError, locate, read_yaml


def reopen(folder, text):
    (folder / "tactful.yaml").write_text(text)
    return Workspace.open(folder)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("chanels: [web]", "`chanels` is not a known key; remove it or correct its spelling"),
        ("churn: {horizon_days: 0}", "`churn.horizon_days`: Input should be greater than or equal to 1 (found 0)"),
        ("churn: {horizon_days: soon}", "(found 'soon')"),
        ("clock: {start: yesterday}", "write it as 2017-12-04"),
        ("channels: [web, web]", "names a channel twice"),
        ("channels: [web", "line 1: not valid YAML"),
        ("- web", "expected `key: value` lines at the top, found list"),
        ("store: {url: 'redis://here'}", "`store.url`"),
    ],
)
def test_a_wrong_setting_names_file_key_and_fix(tmp_path, text, told):
    folder = shop(tmp_path).folder
    with pytest.raises(WorkspaceError) as raised:
        reopen(folder, text)
    assert str(folder / "tactful.yaml") in str(raised.value)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_no_workspace_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.delenv("TACTFUL_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkspaceError, match="tactful init"):
        locate(None)
    made = shop(tmp_path)
    below = made.folder / "deep"
    below.mkdir()
    monkeypatch.chdir(below)
    assert locate(None).folder == made.folder
    monkeypatch.setenv("TACTFUL_WORKSPACE", str(tmp_path / "elsewhere"))
    with pytest.raises(WorkspaceError, match="is not a workspace"):
        locate(None)


def test_a_file_that_is_lacking_says_what_really_writes_one(tmp_path):
    with pytest.raises(WorkspaceError, match=f"no such file; `tactful init {tmp_path}` writes one$"):
        read_yaml(tmp_path / "journeys.yaml", Settings)
    (tmp_path / "tactful.yaml").write_text("")
    with pytest.raises(WorkspaceError, match="is a workspace already"):
        init_workspace(tmp_path, {})
    with pytest.raises(WorkspaceError, match=r"no such file; `tactful init NEW_FOLDER` writes one to copy$"):
        read_yaml(tmp_path / "journeys.yaml", Settings)


@pytest.mark.parametrize("quote", ['"', ""], ids=["quoted", "plain"])
@pytest.mark.parametrize(
    "text", ["2018-01-01", "2018-01-01T04:00:00Z", "2018-01-01 04:00:00", "2018-01-01T05:00+01:00"]
)
def test_a_start_instant_is_the_same_with_quotes_and_without(tmp_path, text, quote):
    made = shop(tmp_path, f"clock: {{start: {quote}{text}{quote}}}")
    assert made.clock().start == clock.parse_instant(text)


def test_a_start_instant_runs_on(tmp_path):
    made = shop(tmp_path, 'clock: {start: "2018-01-01T04:00:00Z"}')
    start = clock.parse_instant("2018-01-01T04:00:00Z")
    first = made.clock().now()
    assert start <= first < start + clock.MINUTE
    time.sleep(0.05)
    again = Workspace.open(made.folder).clock().now()
    assert first + 40_000 < again < first + clock.MINUTE


#: Four processes, forks of one that has imported what they need, and wait for each other.
TOGETHER = """
import json, multiprocessing, sys
from features.workspace import Workspace

def anchor(folder, start, found):
    start.wait()
    found.put(Workspace.open(folder).clock().anchor)

context = multiprocessing.get_context("fork")
start, found = context.Event(), context.Queue()
processes = [context.Process(target=anchor, args=(sys.argv[1], start, found)) for _ in range(4)]
for process in processes:
    process.start()
start.set()
print(json.dumps([found.get(timeout=60) for _ in processes]))
for process in processes:
    process.join()
"""


def test_processes_that_start_together_share_one_clock(tmp_path):
    made = shop(tmp_path, 'clock: {start: "2018-01-01"}')
    program = [sys.executable, "-c", TOGETHER, str(made.folder)]
    anchors = json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE).stdout)
    assert len(anchors) == 4
    assert len(set(anchors)) == 1
    assert [path.name for path in (made.folder / "state").iterdir()] == [f"clock-{made.clock().start}"]


def test_two_of_one_number_that_start_together_share_one_clock(tmp_path, monkeypatch):
    """As threads do, and processes of two containers."""
    made = shop(tmp_path, 'clock: {start: "2018-01-01"}')
    link, anchors = os.link, []

    def other_is_quicker(own, path):
        monkeypatch.setattr(os, "link", link)
        anchors.append(Workspace.open(made.folder).clock().anchor)
        link(own, path)

    monkeypatch.setattr(os, "link", other_is_quicker)
    anchors.append(made.clock().anchor)
    assert anchors == [made.clock().anchor] * 2
    assert [path.name for path in (made.folder / "state").iterdir()] == [f"clock-{made.clock().start}"]
