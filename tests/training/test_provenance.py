"""What a run keeps of how it was made."""

import sys

import pytest

from training import provenance


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
