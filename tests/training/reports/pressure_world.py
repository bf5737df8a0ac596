"""A workspace whose contacts and refusals are counted on fingers, for the report on contact pressure."""

import pyarrow as pa

from features import clock
from features.clock import DAY, HOUR
from features.decision_log import CANDIDATE, DECISIONS
from features.history import History
from features.workspace import Workspace

END = clock.parse_instant("2026-03-30")  # the last interaction is one microsecond before
CUSTOMERS = 40
POLICY = """
caps: [{scope: total, max: 3, window: 7d}]
pressure: {limit: 1.0, half_life: 54d, weights: {email: 0.25, phone: 0.5}, other: 0.1}
"""
ACTIONS = """
actions:
  - {name: offer, issue: sales, group: g, channels: {email: {cost: 0}, phone: {cost: 0}}, value: 5}
"""
SETTINGS = """
name: shop
currency: EUR
channels: [web, email, phone]
clock: {start: "2026-03-30"}
"""


def customer(number):
    return f"customer-{number:02}"


def build(folder) -> Workspace:
    """40 customers were here every week for 12 weeks; in the last 4, ten of them got 4 e-mails each from us and two got
    8 calls from another tool; 4 weeks before, ten got one e-mail each. Five answered."""
    folder.mkdir()
    (folder / "tactful.yaml").write_text(SETTINGS)
    (folder / "contact_policy.yaml").write_text(POLICY)
    (folder / "actions.yaml").write_text(ACTIONS)
    workspace = Workspace.open(folder)
    rows = [event(customer(k), END - week * 7 * DAY - 1, "page_view") for k in range(CUSTOMERS) for week in range(12)]
    for k in range(10):
        rows.append(contact(customer(k), END - 40 * DAY, "email", f"d-{k}-old"))
        rows += [contact(customer(k), END - (25 - 6 * n) * DAY, "email", f"d-{k}-{n}") for n in range(4)]
    for k in (20, 21):
        rows += [contact(customer(k), END - (17 - 2 * n) * DAY, "phone", None) for n in range(8)]
    rows += [event(customer(k), END - 25 * DAY + HOUR, "clicked", "email", decision_id=f"d-{k}-0") for k in range(5)]
    log(workspace, rows)
    return workspace


def event(who, at, type_, channel="web", **more):
    return {"customer_id": who, "occurred_at": at, "channel": channel, "type": type_, **more}


def contact(who, at, channel, decision_id, action="offer"):
    return event(who, at, "contact", channel, direction="outbound", decision_id=decision_id, action=action)


def log(workspace, rows):
    start = sum(batch.rows for batch in History(workspace).batches())
    names = ("customer_id", "channel", "type", "direction", "decision_id", "action", "value", "topic")
    table = {name: [row.get(name) for row in rows] for name in names}
    table["direction"] = [word or "inbound" for word in table["direction"]]
    table["interaction_id"] = [f"i{start + number}" for number in range(len(rows))]
    table["occurred_at"] = pa.array([row["occurred_at"] for row in rows], pa.timestamp("us", tz="UTC"))
    text = {name: pa.array(table[name], pa.string()) for name in names if name != "value"}
    History(workspace).append(pa.table(table | text | {"value": pa.array(table["value"], pa.float64())}), "a test")


def candidate(stage, rules=(), worth=None, harm=None, action="offer", channel="email"):
    empty = {field.name: None for field in CANDIDATE}
    return empty | {"action": action, "channel": channel, "stage": stage, "rules": list(rules),
                    "expected_value": worth, "harm": harm}  # fmt: skip


def decision(who, at, *candidates, number=0, arm="treated", direction="outbound"):
    """One logged decision; a candidate that was chosen is what was drawn, with certainty."""
    made = next((one for one in candidates if one["stage"] == "chosen"), None)
    offered = [(one["action"], one["channel"]) for one in candidates if one["stage"] in ("chosen", "arbitration")]
    cells = [
        {"action": action, "channel": channel, "ghost": False, "probability": 1.0 / len(offered)}
        for action, channel in offered
    ] or [{"action": None, "channel": None, "ghost": False, "probability": 1.0}]
    return {"decision_id": f"x-{who}-{at}-{number}", "decided_at": at, "customer_id": who, "direction": direction,
            "action": made and made["action"], "treatment_channel": made and made["channel"], "arm": arm, "slots": 1,
            "distribution": cells, "candidates": list(candidates)}  # fmt: skip


def decide(workspace, decisions):
    History(workspace).append_log("decisions", pa.Table.from_pylist(decisions, DECISIONS))
