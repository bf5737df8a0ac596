"""Logs of decisions with ghosts and known effects, for the tests of the uplift and overview reports."""

import numpy as np
import pyarrow as pa

from features import clock
from features.clock import DAY
from features.decision_log import DECISIONS
from features.history import History, conform
from features.scaffold import init_workspace, templates

START = clock.parse_instant("2024-01-01")
#: Chance of buying within the days after a contact that was made, beside `BASE` without it.
BASE, EFFECTS = 0.25, {"winback": 0.40, "newsletter": 0.0, "nuisance": -0.20}
ACTIONS = """
actions:
  - {name: winback, issue: sales, group: vouchers, channels: {email: {cost: 0.5}, phone: {cost: 2.0}}, value: 5}
  - {name: newsletter, issue: sales, group: news, channels: {email: {cost: 0.1}}, value: 5}
  - {name: nuisance, issue: sales, group: news, channels: {email: {cost: 0.1}}, value: 5}
"""


def shop(folder, holdout=0.0):
    """A workspace with those actions, and so many customers to be held out."""
    workspace = init_workspace(folder, templates("features", "serving"))
    workspace.actions_file.write_text(ACTIONS)
    policy = workspace.policy_file.read_text()
    assert "holdout: {share: 0.05" in policy
    workspace.policy_file.write_text(policy.replace("holdout: {share: 0.05", f"holdout: {{share: {holdout}"))
    return workspace


def decision(customer, day, action, channel="email", ghost=False, withheld=0.2, chance=0.9, **more):
    """One logged decision that drew this contact, or its ghost; withheld is the share of such contacts."""
    cells = [
        {"action": action, "channel": channel, "ghost": False, "probability": chance * (1 - withheld)},
        {"action": action, "channel": channel, "ghost": True, "probability": chance * withheld},
        {"action": None, "channel": None, "ghost": False, "probability": 1 - chance},
    ]
    drawn = {"ghost": action, "ghost_channel": channel} if ghost else {"action": action, "treatment_channel": channel}
    return {
        "decision_id": f"d-{customer}-{day}",
        "decided_at": START + int(day * DAY),
        "customer_id": customer,
        "arm": "treated",
        "slots": 1,
        "distribution": cells,
        **drawn,
        **more,
    }


def log_decisions(workspace, rows):
    History(workspace).append_log("decisions", pa.Table.from_pylist(rows, DECISIONS))


def log_interactions(workspace, rows, batch="test"):
    """Rows of (customer, day, type, value)."""
    table = {
        "interaction_id": [f"{batch}{place}" for place in range(len(rows))],
        "customer_id": [row[0] for row in rows],
        "occurred_at": pa.array([START + int(row[1] * DAY) for row in rows], pa.timestamp("us", tz="UTC")),
        "channel": ["store"] * len(rows),
        "type": [row[2] for row in rows],
        "value": pa.array([row[3] for row in rows], pa.float64()),
    }
    History(workspace).append(conform(pa.table(table)), batch)


def played(workspace, customers=2500, seed=4, days=40, last_ghost_share=0.2):
    """Contacts at random over `days`, each customer about two; what they buy depends on what was made.

    Later more is withheld. A contact of `nuisance` makes one in five opt out. Returns (decisions, interactions).
    """
    rng = np.random.default_rng(seed)
    decisions, rows = [], [("watcher", days + 40.0, "page_view", None)]
    for i in range(customers):
        name, habit = f"c{i}", float(rng.gamma(1.0, 1.0))
        rows += [(name, float(rng.uniform(-20, -1)), "purchase", 20.0) for _ in range(rng.poisson(habit))]
        for day in rng.choice(days, 2, replace=False).tolist():
            action = list(EFFECTS)[int(rng.integers(3))]
            channel = "phone" if action == "winback" and rng.random() < 0.5 else "email"
            withheld = 0.1 if day < days / 2 else last_ghost_share
            ghost = rng.random() < withheld
            at = day + 0.25
            decisions.append(decision(name, at, action, channel, ghost, withheld))
            chance = BASE + 0.1 * min(habit, 2) + (0.0 if ghost else EFFECTS[action])
            if rng.random() < chance:
                rows.append((name, at + float(rng.uniform(0, 14)), "purchase", 20.0))
            if action == "nuisance" and not ghost and rng.random() < 0.2:
                rows.append((name, at + 1.0, "opted_out", None))
    log_decisions(workspace, decisions)
    log_interactions(workspace, rows)
    return decisions, rows
