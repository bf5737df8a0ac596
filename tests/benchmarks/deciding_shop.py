"""A shop to measure deciding on: 40 actions on 4 channels, 10 of them on each, customers with 200 interactions.

The models are as large as those that the demo trains (139 trees of 8 leaves for churn, 50 for propensity), the policy
is one that a company would have, and every action has rules.
"""

from pathlib import Path

import market
import numpy as np
import pyarrow as pa

from features import clock
from features.history import History
from features.interactions import INSTANT
from features.workspace import Workspace

SETTINGS = market.SETTINGS
CHANNELS = ("web", "phone", "email", "mail")
PER_CHANNEL = 10
INTERACTIONS = 200
POLICY = """
caps:
  - {scope: total, max: 3, window: 7d}
  - {scope: channel, name: phone, max: 1, window: 14d}
  - {scope: channel, name: email, max: 2, window: 7d}
  - {scope: group, max: 2, window: 30d}
  - {scope: action, max: 1, window: 14d}
consent: {unknown: denied, assumed: [email, phone, mail, web], inbound_unknown: granted}
"""


def actions() -> str:
    """actions.yaml, forty of them."""
    lines = ["actions:"]
    for i in range(PER_CHANNEL * len(CHANNELS)):
        channel, issue = CHANNELS[i % len(CHANNELS)], "service" if i % 10 == 9 else "sales"
        lines.append(
            f"  - {{name: action_{i:02d}, issue: {issue}, group: group_{i % 7}, value: {5 + i}, "
            f"channels: {{{channel}: {{cost: 0.0{i % 9}, weight: 1.{i % 5}}}}}, attributes: {{discount: 0.{i % 4}}}, "
            f"eligible: 'features.count_purchase_365d >= {i % 3}.0', "
            f"suitable: 'scores.churn < 0.99{i % 10} && "
            f"(features.recency_purchase < 300.0 || features.tenure_purchase > {i}.0)'}}"
        )
    return "\n".join(lines) + "\n"


def history(customers: int, interactions: int = INTERACTIONS, seed: int = 3) -> pa.Table:
    """Purchases, visits, calls and a few contacts of other tools over the year before market.START."""
    n = customers * interactions
    random = np.random.default_rng(seed)
    kinds = [
        ("store", "inbound", "purchase"),
        ("web", "inbound", "purchase"),
        ("web", "inbound", "page_view"),
        ("phone", "inbound", "call"),
        ("email", "outbound", "contact"),
    ]
    picked = random.choice(len(kinds), n, p=[0.3, 0.2, 0.4, 0.05, 0.05])
    at = market.START - clock.DAY - random.integers(0, 360 * clock.DAY, n)
    topics = np.array([None, "shoes", "books", "garden"], object)

    def words(part: int) -> np.ndarray:
        return np.array([kind[part] for kind in kinds], object)[picked]

    return pa.table(
        {
            "interaction_id": [f"h-{i}" for i in range(n)],
            "customer_id": [f"C{i % customers}" for i in range(n)],
            "occurred_at": pa.array(at).cast(INSTANT),
            "channel": words(0),
            "direction": words(1),
            "type": words(2),
            "value": pa.array(np.round(random.gamma(2, 12, n), 2), mask=picked > 1),
            "topic": topics[random.integers(0, 4, n)],
            "satisfaction": pa.array(random.random(n), mask=random.random(n) < 0.8),
        }
    )


def build(folder: Path, customers: int = 500, trees: int = 50) -> Workspace:
    """The whole shop: history and both champions."""
    folder.mkdir(parents=True)
    (folder / "tactful.yaml").write_text(SETTINGS)
    (folder / "actions.yaml").write_text(actions())
    (folder / "contact_policy.yaml").write_text(POLICY)
    workspace = Workspace.open(folder)
    History(workspace).append(history(customers), "bench")
    market.register(workspace, "churn", trees=139)
    market.register(workspace, "propensity", trees=trees)
    return workspace
