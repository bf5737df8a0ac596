"""Models of effects for the tests' shop: of every form, over every kind of input."""

from functools import cache
from pathlib import Path

import lightgbm as lgb
import market
import numpy as np

from features.catalogue import DEFAULT
from features.manifest import meaning
from features.workspace import Workspace
from serving.champions import levels
from serving.decisions.effects import (
    Arm,
    Blend,
    Constant,
    Contacts,
    Input,
    Label,
    Linear,
    Missing,
    Model,
    Trees,
    Value,
)


def numbers() -> list[str]:
    """Three numeric features of the catalogue."""
    return [feature.name for feature in DEFAULT if not feature.categorical][:3]


def category(workspace: Workspace) -> tuple[str, str]:
    """A categorical feature of the catalogue and one of its labels."""
    found = levels(DEFAULT, workspace.settings)
    name, labels = next((name, labels) for name, labels in found.items() if labels)
    return name, labels[0]


@cache
def trees(inputs: int, seed: int = 0, binary: bool = False, rounds: int = 40) -> str:
    """A LightGBM model over so many inputs, as text."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(600, inputs))
    y = 0.05 * x.sum(axis=1) + 0.1 * random.normal(size=600)
    settings = {"objective": "binary" if binary else "regression", "verbose": -1, "num_threads": 1, "num_leaves": 7}
    return lgb.train(settings, lgb.Dataset(x, (y > 0) if binary else y), rounds).model_to_string()


def uplift(workspace: Workspace, seed: int = 0, shift: float = 0.0, **changes: object) -> Model:
    """Knows the voucher on every channel (by e-mail differently) and the win-back, not the call for help."""
    name, label = category(workspace)
    numeric = numbers()
    inputs: list[Input] = [
        Value(numeric[0], fill=1.0, low=0.0, high=9.0),
        Value(numeric[1], transform="log1p"),
        Missing(numeric[2]),
        Label(name, label),
    ]
    random = np.random.default_rng(seed)
    lines = random.normal(scale=0.02, size=(3, 5))
    told = {
        "kind": "uplift",
        "unit": "responses",
        "inputs": inputs,
        "arms": [
            Arm("voucher", None, Linear(lines[0], lines[1], logistic=True), {"decisions": 1200}),
            Arm(
                "voucher",
                "email",
                Blend([Constant(shift, 0.1), Linear(lines[2]), Trees(trees(4, seed))], [1, 0.5, 0.5]),
            ),
            Arm("winback", None, Trees(trees(4, seed, True), trees(4, seed + 1, True))),
        ],
        "horizon_days": 14,
        "catalogue_version": DEFAULT.version,
        "settings": meaning(workspace.settings),
        "mlflow_run_id": f"run-uplift-{seed}",
        "trained_at": "2026-05-02T00:00:00Z",
    }
    return Model(**(told | changes))


def fatigue(workspace: Workspace, seed: int = 0, **changes: object) -> Model:
    """Knows e-mail by itself and all other channels alike, but for mail, of which nothing was learned."""
    numeric = numbers()
    inputs: list[Input] = [
        Contacts("email", days=7.0),
        Contacts(None, half_life_days=3.0, high=4.0),
        Contacts({"phone": 2.0, "email": 0.5}, other=1.0, days=30.0, transform="log1p"),
        Value(numeric[0], fill=0.0, high=5.0),
    ]
    weights = np.abs(np.random.default_rng(seed).normal(scale=0.02, size=5))
    told = {
        "kind": "fatigue",
        "unit": "money",
        "inputs": inputs,
        "arms": [
            Arm(None, "email", Blend([Linear(weights), Trees(trees(4, seed))], [1.0, 0.1])),
            Arm(None, "phone", Linear(2 * weights)),
        ],
        "horizon_days": 28,
        "catalogue_version": DEFAULT.version,
        "settings": meaning(workspace.settings),
        "mlflow_run_id": f"run-fatigue-{seed}",
        "trained_at": "2026-05-02T00:00:00Z",
    }
    return Model(**(told | changes))


def register(workspace: Workspace, model: Model, alias: str = "champion") -> str:
    """A version in the shop's registry; returns it."""

    def write(folder: Path) -> None:
        folder.mkdir(parents=True)
        model.write(folder)

    return market.registered(workspace, model.kind, write, alias)
