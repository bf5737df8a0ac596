"""A small shop for the service's tests: a workspace with history and champions, made once a session."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from features import catalogue as catalogues
from features import clock
from features.history import History
from features.interactions import INSTANT
from features.manifest import meaning
from features.workspace import Workspace
from serving.champions import levels
from serving.engine import Engine
from training import artefact

START = clock.parse_instant("2026-05-04T12:00:00Z")
SETTINGS = """
name: test-shop
channels: [web, store, phone, email, mail]
clock: {start: "2026-05-04T12:00:00Z"}
"""
ACTIONS = """
actions:
  - {name: voucher, issue: sales, group: coupons, channels: [email, mail], value: 40, attributes: {discount: 0.2}}
  - {name: winback, issue: sales, group: winback, channels: {email: {cost: 0.01}, phone: {cost: 2}}, value: 25}
  - {name: help_call, issue: service, group: service, channels: [phone, web], value: 5}
"""
POLICY = """
caps:
  - {scope: total, max: 2, window: 7d}
  - {scope: action, max: 1, window: 3d}
consent: {unknown: denied, assumed: [email, mail, web], inbound_unknown: granted}
holdout: {share: 0.0}
withholding: {share: 0.0}
exploration: {epsilon: 0.0}
harm: {contact: 0.001, rising: 0.0}
"""


def found(folder: Path) -> Workspace:
    """An empty workspace with settings, actions and policy."""
    folder.mkdir(parents=True)
    (folder / "tactful.yaml").write_text(SETTINGS)
    (folder / "actions.yaml").write_text(ACTIONS)
    (folder / "contact_policy.yaml").write_text(POLICY)
    return Workspace.open(folder)


def customers(n: int = 60) -> list[str]:
    return [f"C{i}" for i in range(n)]


def history(seed: int = 3, n: int = 1500) -> pa.Table:
    """Purchases, visits, mails and complaints of `customers()` over the 300 days before START."""
    random = np.random.default_rng(seed)
    kinds = [
        ("store", "inbound", "purchase"),
        ("web", "inbound", "purchase"),
        ("web", "inbound", "page_view"),
        ("email", "outbound", "contact"),
        ("phone", "inbound", "complaint"),
    ]
    picked = random.choice(len(kinds), n, p=[0.4, 0.2, 0.3, 0.095, 0.005])
    at = START - clock.DAY - random.integers(0, 300 * clock.DAY, n)
    topics = [None, "shoes", "books", "health"]
    return pa.table(
        {
            "interaction_id": [f"h-{seed}-{i}" for i in range(n)],
            "customer_id": random.choice(customers(), n).tolist(),
            "occurred_at": pa.array(at).cast(INSTANT),
            "channel": [kinds[k][0] for k in picked],
            "direction": [kinds[k][1] for k in picked],
            "type": [kinds[k][2] for k in picked],
            "value": pa.array([round(float(random.gamma(2, 12)), 2) if k < 2 else None for k in picked], pa.float64()),
            "topic": pa.array([topics[int(random.integers(0, 4))] for _ in range(n)], pa.string()),
            "case_id": pa.array([f"case-{i}" if k == 4 else None for i, k in enumerate(picked)], pa.string()),
            "satisfaction": pa.array([None if random.random() < 0.8 else float(random.random()) for _ in range(n)]),
        }
    )


def scorer(folder: Path, workspace: Workspace, kind: str, seed: int = 0, trees: int = 15) -> None:
    """Writes an artefact whose booster and smooth part really use features, categories and the action."""
    catalogue = catalogues.of(workspace)
    labels = levels(catalogue, workspace.settings)
    categorical = {name: channels for name, channels in labels.items() if channels}
    of_action = ["action_name", "action_channel", "action_value"] if kind == "propensity" else []
    names = [*catalogue.names, *of_action]
    random = np.random.default_rng(seed)
    x = random.normal(scale=20, size=(800, len(names)))
    categories = {
        name: {"codes": {c: i for i, c in enumerate(found[:3])}, "other": 3} for name, found in categorical.items()
    }
    if of_action:
        categories |= {
            "action_name": {"codes": {"voucher": 0, "winback": 1}, "other": None},
            "action_channel": {"codes": {"email": 0, "phone": 1}, "other": 2},
        }
    for name in categories:
        x[:, names.index(name)] = random.integers(0, 3, 800)
    x[random.random(x.shape) < 0.2] = np.nan
    shift = 200 * (np.nan_to_num(x[:, names.index("action_name")]) - 1) if of_action else 0
    y = (np.nan_to_num(x).sum(axis=1) + shift + random.normal(scale=20, size=800) > 0).astype(int)
    data = lgb.Dataset(x, y, feature_name=names, categorical_feature=list(categories))
    booster = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1, "num_leaves": 7}, data, trees)
    numeric = [name for name in catalogue.names if name not in categories][:8]
    terms = [
        {"feature": name, "transform": "log1p", "knots": [0, 2, 6], "values": [0.3, -0.1, -0.4], "null": 0.1}
        for name in numeric
    ]
    folder.mkdir(parents=True)
    artefact.write(
        folder,
        artefact.Scorer(
            kind=kind,
            features=names,
            action_features=of_action,
            categories=categories,
            linear={"intercept": 0.2, "terms": terms},
            link={"intercept": -0.5, "linear": 0.6, "booster": 0.7},
            horizon_days=28,
            catalogue_version=catalogue.version,
            base_rate=0.4,
            settings=meaning(workspace.settings),
            mlflow_run_id=f"run-{kind}-{seed}",
            trained_at="2026-05-01T00:00:00Z",
        ),
        booster,
    )


def register(workspace: Workspace, kind: str, seed: int = 0, trees: int = 15, alias: str = "champion") -> str:
    """A new version of `kind` with an alias; returns the version."""
    return registered(workspace, kind, lambda folder: scorer(folder, workspace, kind, seed, trees), alias)


def registered(workspace: Workspace, kind: str, write: Callable[[Path], None], alias: str = "champion") -> str:
    """The same of an artefact that `write` puts into a folder it makes."""
    import mlflow

    uri = workspace.tracking_uri
    Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    found = client.get_experiment_by_name("tactful")
    experiment = found.experiment_id if found else client.create_experiment("tactful", workspace.artifact_root)
    run = client.create_run(experiment)
    write(Path(run.info.artifact_uri.removeprefix("file://")) / "scorer")
    if not client.search_registered_models(f"name='{kind}'"):
        client.create_registered_model(kind)
    version = client.create_model_version(kind, source=f"{run.info.artifact_uri}/scorer", run_id=run.info.run_id)
    client.set_registered_model_alias(kind, alias, version.version)
    return str(version.version)


def build(folder: Path) -> Workspace:
    """The whole shop: history and both champions. Takes some ten seconds, most of them MLflow's."""
    workspace = found(folder)
    History(workspace).append(history(), "test")
    register(workspace, "churn")
    register(workspace, "propensity")
    return workspace


def taken_in(workspace: Workspace) -> Path:
    """Its folder, with a store that has its history: copies need not take it in, each time anew."""
    Engine.open(workspace).close()
    for anchor in (workspace.folder / "state").glob("clock-*"):
        anchor.unlink()  # the clock of each copy begins when that is opened
    return workspace.folder


def copy(template: Path, folder: Path) -> Workspace:
    """A shop of its own; its models still lie in the template."""
    shutil.copytree(template, folder)
    return Workspace.open(folder)


def interaction(i: int | str, customer: str = "C1", **changes: object) -> dict[str, object]:
    """A valid row for POST /v1/interactions."""
    row: dict[str, object] = {
        "interaction_id": f"i-{i}",
        "customer_id": customer,
        "occurred_at": "2026-05-04T11:00:00Z",
        "channel": "web",
        "type": "purchase",
        "value": 12.5,
    }
    return json.loads(json.dumps(row | changes))
