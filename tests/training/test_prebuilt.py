"""Training from built features: the same model, and a refusal in one line where they mean something else."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import simulated
from few_trees import few_trees
from typer.testing import CliRunner

from features import batch
from features.catalogue import DEFAULT, Catalogue, of
from features.clock import DAY, isoformat
from features.engine.build import build as build_table
from features.history import History
from features.workspace import Workspace, WorkspaceError
from tactful import app
from training import train
from training.dataset import read
from training.prebuilt import Prebuilt, fingerprint

LAST = simulated.START + 330 * DAY


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "500"})


def churn(workspace, *folders, catalogue=None):
    past, catalogue = read(workspace), catalogue or of(workspace)
    built = Prebuilt.open(folders, workspace, past, catalogue)
    return train.build("churn", past, workspace.settings, {}, catalogue=catalogue, built=built)


@pytest.fixture(scope="module")
def few_rows():
    with few_trees():
        yield


@pytest.fixture(scope="module")
def folders(empty_workspace, tmp_path_factory, few_rows):
    """One folder of too few cutoffs, then what the refusal said to run."""
    first = tmp_path_factory.mktemp("features") / "weekly"
    build_table(empty_workspace, [LAST], first)
    refused = run("train", "churn", "--features", first, "-w", empty_workspace.folder)
    assert refused.exit_code == 2
    said = refused.stderr
    assert "weekly lack" in said
    assert f"with test cutoff {isoformat(LAST)[:10]} needs; run `tactful features build --from" in said
    for command in re.findall(r"`tactful (features build [^`]*)`", said):
        done = run(*command.split(), "-w", empty_workspace.folder)
        assert done.exit_code == 0, done.output
    return tuple(Path(name) for name in re.findall(r"--features (\S+)", said.split("and train with")[1]))


def test_a_model_learns_from_what_it_would_without_files(empty_workspace, folders, few_rows, monkeypatch):
    monkeypatch.setattr(train, "learn", lambda dataset, *_: dataset)
    past, catalogue = read(empty_workspace), of(empty_workspace)
    computed = train.build("churn", past, empty_workspace.settings, {}, LAST, catalogue)
    built = Prebuilt.open(folders, empty_workspace, past, catalogue)
    found = train.fit("churn", past, empty_workspace.settings, test=LAST, catalogue=catalogue, built=built)
    assert found.windows == computed.windows
    assert found.fingerprint == computed.fingerprint
    for name, part in found.parts.items():
        assert len(part)
        assert part.customer.tolist() == computed.parts[name].customer.tolist()
        assert part.as_of.tolist() == computed.parts[name].as_of.tolist()
        assert part.label.tolist() == computed.parts[name].label.tolist()
        pd.testing.assert_frame_equal(part.frame, computed.parts[name].frame, check_exact=True)


def test_rows_that_no_file_has_are_computed(empty_workspace, folders):
    past, catalogue = read(empty_workspace), of(empty_workspace)
    built = Prebuilt.open(folders, empty_workspace, past, catalogue)
    who, when = ["c1", "stranger", "c1", "c1"], np.array([LAST, LAST, LAST + DAY, LAST])
    found = built.compute(past, who, when, catalogue, empty_workspace.settings)
    expected = batch.compute_at(past, who, when, catalogue, empty_workspace.settings)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.levels == expected.levels


def refusal(workspace, *folders, catalogue=None):
    with pytest.raises(WorkspaceError) as caught:
        churn(workspace, *folders, catalogue=catalogue)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def copied(workspace, folder):
    shutil.copytree(workspace.folder, folder, ignore=shutil.ignore_patterns("mlflow"))
    return Workspace.open(folder)


def test_another_catalogue_or_other_settings(empty_workspace, folders, tmp_path):
    fewer = Catalogue(tuple(feature for feature in DEFAULT if feature.name != "season_sine"))
    said = refusal(empty_workspace, folders[0], catalogue=fewer)
    assert f"{folders[0]} does not fit: catalogue {DEFAULT.version} against {fewer.version}" in said
    assert "build it again with `tactful features build`" in said
    changed = copied(empty_workspace, tmp_path / "shop")
    with open(changed.folder / "tactful.yaml", "a") as file:
        file.write("sensitive_topics: [health]\n")
    assert "`sensitive_topics` of tactful.yaml differs" in refusal(Workspace.open(changed.folder), folders[0])


def test_other_data(empty_workspace, folders, tmp_path):
    changed = copied(empty_workspace, tmp_path / "shop")
    later = simulated.table([1], [360], interaction_id=["after every cutoff"])
    History(changed).append(later, "later")
    assert churn(changed, *folders).windows.test == LAST  # what comes after the last cutoff changes no feature
    History(changed).append(simulated.table([1], [50], interaction_id=["long ago"]), "late")
    said = refusal(changed, *folders)
    assert "built from other interactions than history holds; run the `tactful features build` that wrote it" in said
    changed = copied(empty_workspace, tmp_path / "other")
    records = pa.table({"customer_id": ["c1"], "valid_from": later["occurred_at"], "attributes": ['{"age": 4}']})
    History(changed).append_attributes(records, "crm")
    assert "does not fit: attributes were ingested since; run the" in refusal(changed, *folders)


def test_a_mix_of_manifests(empty_workspace, folders, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folders[0], other)
    said = json.loads((other / "_manifest.json").read_text())
    (other / "_manifest.json").write_text(json.dumps(said | {"catalogue": "of another day"}))
    assert f"{folders[0]} and {other} cannot be mixed: catalogue" in refusal(empty_workspace, folders[0], other)


def test_what_is_no_table_or_damaged(empty_workspace, folders, tmp_path):
    assert "is no table of features: there is no such file" in refusal(empty_workspace, tmp_path / "gone")
    damaged = tmp_path / "damaged"
    shutil.copytree(folders[0], damaged)
    part = next(damaged.glob("part-*.parquet"))
    part.write_bytes(part.read_bytes()[:1000])
    assert "cannot be read" in refusal(empty_workspace, damaged, *folders[1:])


def test_propensity_computes_its_own(empty_workspace, folders):
    shown = run("train", "propensity", "--features", folders[0], "-w", empty_workspace.folder)
    assert shown.exit_code == 2
    assert "leave --features out, it computes what it needs" in shown.stderr


def test_the_fingerprint_is_that_of_a_build(empty_workspace, folders):
    past = read(empty_workspace)
    for folder in folders:
        manifest = json.loads((folder / "_manifest.json").read_text())
        last = max(Prebuilt.open([folder], empty_workspace, past, DEFAULT).cutoffs)
        assert manifest["data"] == fingerprint(past.interactions, last)
        shuffled = past.interactions.take(np.random.default_rng(0).permutation(past.interactions.num_rows))
        assert manifest["data"] == fingerprint(shuffled, last)
