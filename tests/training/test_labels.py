"""Population and churn labels against a plain reading of the rule."""

import numpy as np
import pyarrow as pa
import pytest
import simulated

from features.clock import DAY
from features.workspace import Churn, Settings
from training.labels import Life


def naive(rows, rule, cutoff, early=None):
    """customer -> churned, for everyone who counts at the cutoff; rows are (customer, at, known, type)."""
    found = {}
    for customer in {row[0] for row in rows}:
        mine = [row for row in rows if row[0] == customer]
        known = [r for r in mine if cutoff - rule.active_days * DAY <= r[1] < cutoff and r[2] <= cutoff]
        if not any(r[3] in rule.qualifying for r in known) or any(r[3] == rule.event for r in known):
            continue
        until = cutoff + (early or rule.horizon_days) * DAY
        later = [r for r in mine if cutoff <= r[1] < until and (early is None or r[2] <= until)]
        silent = rule.silence and not any(r[3] in rule.qualifying for r in later)
        found[customer] = silent or any(r[3] == rule.event for r in later)
    return found


@pytest.mark.parametrize(("event", "silence"), [(None, True), ("cancelled", True), ("cancelled", False)])
def test_labels_equal_the_rule_read_aloud(event, silence):
    random = np.random.default_rng(3)
    rule = Churn(qualifying=["purchase", "visit"], horizon_days=14, active_days=40, event=event, silence=silence)
    count = 3000
    at = simulated.START + random.integers(0, 120, count) * (DAY // 2)  # many exactly on the cutoffs
    known = at + random.choice([0, 0, DAY, 20 * DAY], count)
    customer = random.integers(0, 150, count)
    kind = random.choice(["purchase", "visit", "page_view", "cancelled"], count, p=[0.3, 0.2, 0.46, 0.04])
    instants = pa.timestamp("us", tz="UTC")
    log = pa.table(
        {
            "customer_id": [f"c{i}" for i in customer],
            "occurred_at": pa.array(at).cast(instants),
            "received_at": pa.array(known).cast(instants),
            "type": kind.tolist(),
        }
    )
    life = Life.of(log, Settings(churn=rule))
    rows = list(zip([f"c{i}" for i in customer], at, known, kind, strict=True))
    outcomes = set()
    for day in (0, 1, 20, 30, 45, 59):
        cutoff = simulated.START + day * DAY
        who, churned = life.population(cutoff), life.churned(cutoff)
        got = dict(zip(life.customers[who], churned[who].tolist(), strict=True))
        assert got == naive(rows, rule, cutoff)
        so_far = dict(zip(life.customers[who], life.churned(cutoff, early=7)[who].tolist(), strict=True))
        assert so_far == naive(rows, rule, cutoff, early=7)
        outcomes |= set(got.values())
    assert outcomes == {True, False}


def test_a_rule_that_nobody_can_meet_is_refused():
    with pytest.raises(ValueError, match="name the `event`"):
        Churn(silence=False)
