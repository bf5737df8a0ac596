"""What a run keeps of how it was made."""

import sys

import numpy as np
import pytest
import simulated

from features.history import History
from training import provenance
from training.propensity import listed
from training.train import learn, prepared


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "churn"], "train churn"),
        (["train", "churn", "-w", "/home/alice/shops/grocer"], "train churn -w grocer"),
        (["train", "churn", "--workspace=/home/alice/grocer/"], "train churn --workspace=grocer"),
        (["train", "churn", "-w/home/alice/shops/grocer"], "train churn -wgrocer"),
        (["train", "churn", "--features", "weekly/"], "train churn --features weekly/"),
        (["train", "uplift", "--test-cutoff=2025-08-01", "-w", "/"], "train uplift --test-cutoff=2025-08-01 -w /"),
    ],
)
def test_a_run_tells_its_command_but_not_where_the_machine_keeps_things(monkeypatch, words, told):
    monkeypatch.setattr(sys, "argv", ["/home/alice/.venv/bin/tactful", *words])
    assert provenance.command() == f"tactful {told}"


@pytest.mark.parametrize("kind", ["churn", "propensity"])
def test_what_comes_in_while_a_model_is_fitted_is_not_recorded_as_learned_from(untrained, hasty, kind):
    history = History(untrained)
    before = history.held(("interactions", "attributes", "identifiers"))
    dataset, _ = prepared(untrained, kind)
    later = simulated.table(np.arange(9), np.linspace(0, 300, 9)).to_pydict()
    later["interaction_id"] = [f"later-{i}" for i in range(9)]
    history.append(simulated.conform(simulated.pa.table(later)), "a sync")
    actions = [each.model_dump(mode="json", by_alias=True) for each in listed(untrained).values()]
    (untrained.folder / "actions.yaml").write_text("actions: []\n")
    told = provenance.record(untrained, learn(dataset, untrained.settings))
    assert told["data"] == before
    assert len(before["interactions"]) == 1
    assert told["actions"] == (actions if kind == "propensity" else [])
