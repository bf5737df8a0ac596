"""Transaction logs with a known world behind them, as interaction tables."""

import numpy as np
import pyarrow as pa

from features import attributes, clock
from features.history import conform
from features.identity import links
from features.interactions import CHANNELS
from features.past import Past

START = clock.parse_instant("2024-01-01")


def table(customer, days, value=None, **columns):
    """Purchases of `customer` [n] at `days` [n] after START, in time order."""
    days = np.asarray(days, float)
    order = np.argsort(days, kind="stable")
    at = START + (days[order] * clock.DAY).astype(np.int64)
    count = len(order)
    made = {
        "interaction_id": [f"p{i}" for i in range(count)],
        "customer_id": [f"c{who}" for who in np.asarray(customer)[order]],
        "occurred_at": pa.array(at, pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        "channel": ["store"] * count,
        "type": ["purchase"] * count,
        "value": np.full(count, 10.0) if value is None else np.asarray(value, float)[order],
    }
    return conform(pa.table(made | columns))


def habitual(customers=1000, days=400, seed=0, r=1.2, alpha=25.0, a=0.8, b=3.0, arrivals=200):
    """BG/NBD's own world: customer index and day of each purchase."""
    random = np.random.default_rng(seed)
    who, when = [], []
    rate, leaving = random.gamma(r, 1 / alpha, customers), random.beta(a, b, customers)
    for i, first in enumerate(random.uniform(0, arrivals, customers)):
        day = first
        while day < days:
            who.append(i)
            when.append(day)
            if day > first and random.random() < leaving[i]:  # nobody leaves after their first purchase in this model
                break
            day += random.exponential(1 / max(rate[i], 1e-9))
    return np.array(who), np.array(when)


def seasonal(customers=4000, days=720, seed=1):
    """Customers of limited life, some buying as regularly as a clock, in a yearly season with quiet weekends."""
    random = np.random.default_rng(seed)
    who, when = [], []
    rate, life = random.gamma(0.9, 1 / 25, customers), random.exponential(500, customers)
    first = random.uniform(-200, 500, customers)
    regular = random.random(customers) < 0.3
    for i in range(customers):
        day, end = max(first[i], 0.0), min(first[i] + life[i], days)
        shape = 4 if regular[i] else 1
        while day < end:
            who.append(i)
            when.append(day)
            while day < days:
                day += random.gamma(shape, 1 / (max(rate[i], 1e-6) * 2.2) / shape)
                likely = (1 + np.cos(2 * np.pi * (day - 350) / 365)) / 2.2 * (1 if day % 7 < 5 else 0.6) + 0.09
                if random.random() < likely:
                    break
    return np.array(who), np.array(when)


def invoices(customers=3000, days=374, seed=2):
    """Invoice lines: a seasonal world in office hours, a geometric number of lines on each invoice."""
    random = np.random.default_rng(seed)
    who, when = seasonal(customers, days, seed)
    when = np.floor(when) + np.round(random.uniform(8, 18, len(when)) * 60) / 1440
    lines = 1 + random.geometric(0.06, len(when))
    return np.repeat(who, lines), np.repeat(when, lines), random.gamma(1, 15, lines.sum())


def coupons(customers=600, seed=0):
    """A year of purchases with offers every second week; buyers respond to the generous action three times as often."""
    random = np.random.default_rng(seed)
    who, when = habitual(customers, 365, seed, r=1.5, alpha=15.0, a=0.3, b=4.0, arrivals=60)
    bought = table(who, when)
    rows = []
    for wave in range(70, 360, 14):
        for i in random.choice(customers, 120, replace=False):
            action = random.choice(["generous", "plain"])
            recent = np.sum((who == i) & (when < wave) & (when >= wave - 60))
            chance = min(0.9, (0.12 if action == "generous" else 0.04) * recent)
            rows.append((i, wave, "outbound", "contact", action, f"d{wave}-{i}"))
            if random.random() < chance:
                rows.append((i, wave + random.uniform(1, 20), "inbound", "accepted", action, f"d{wave}-{i}"))
    rows.sort(key=lambda row: row[1])
    count = len(rows)
    who, when, direction, kind, action, decision = zip(*rows, strict=True)
    sent = table(
        who,
        when,
        value=np.zeros(count),
        interaction_id=[f"o{i}" for i in range(count)],
        direction=list(direction),
        type=list(kind),
        action=list(action),
        decision_id=list(decision),
        channel=["email"] * count,
    )
    return pa.concat_tables([bought, sent])


def busy(customers=250, days=240, seed=0):
    """Everything at once: purchases in a habit of their own, and beside them all that a log may hold, some of it late.

    Attributes that change, and pairs of customers who turn out to be one on the way.
    """
    random = np.random.default_rng(seed)
    who, when = habitual(customers, days, seed, r=1.5, alpha=15.0, a=0.3, b=4.0, arrivals=60)
    count = 5 * len(who)
    who = np.concatenate([who, random.integers(0, customers, count)])
    when = np.concatenate([when, random.uniform(0, days, count)])
    kinds = ["visit", "page_view", "add_to_cart", "call", "complaint", "case_closed", "survey", "refund"]
    kinds += ["contact", "clicked", "accepted", "rejected", "sent"]
    kind = np.concatenate([np.repeat("purchase", len(who) - count), random.choice(kinds, count)])
    order = np.argsort(when, kind="stable")
    kind, rows = kind[order], len(order)
    outbound = np.isin(kind, ["contact", "sent"])

    def some(words, share):
        return pa.array(np.where(random.random(rows) < share, random.choice(words, rows), None), pa.string())

    at = START + (when[order] * clock.DAY).astype(np.int64)
    late = random.choice([0, 0, 0, 5 * clock.DAY], rows)
    interactions = table(
        who,
        when,
        value=np.where(np.isin(kind, ["purchase", "refund"]), np.round(random.gamma(2, 10, rows), 2), np.nan)[
            np.argsort(order)
        ],
        received_at=pa.array(at + late).cast(pa.timestamp("us", tz="UTC")),
        channel=random.choice([*CHANNELS, "mail"], rows).tolist(),
        direction=np.where(outbound, "outbound", "inbound").tolist(),
        type=kind.tolist(),
        topic=some(["billing", "delivery", "health"], 0.3),
        satisfaction=np.where(random.random(rows) < 0.2, random.random(rows), np.nan),
        case_id=some(["a", "b"], 0.1),
        decision_id=some(["d1", "d2"], 0.1),
        attributes=some(['{"discount": 1.25}'], 0.2),
    )
    names = [f"c{i}" for i in range(customers)]
    changes = [
        (name, day, kind) for name in names for day, kind in ((-10, "silver"), (random.uniform(0, days), "gold"))
    ]
    records = attributes.conform(
        pa.table(
            {
                "customer_id": [name for name, _, _ in changes],
                "valid_from": pa.array([START + int(day * clock.DAY) for _, day, _ in changes]).cast(
                    pa.timestamp("us", tz="UTC")
                ),
                "attributes": [f'{{"segment": "{kind}", "age": {i % 50}}}' for i, (_, _, kind) in enumerate(changes)],
            }
        )
    )
    pairs = [(f"login {i}", f"c{i + j}") for i in range(0, customers // 5, 2) for j in (0, 1)]
    linked = links.links_from(
        [identifier for identifier, _ in pairs],
        ["login"] * len(pairs),
        [customer for _, customer in pairs],
        [START + int(random.uniform(0, days) * clock.DAY) for _ in pairs],
    )
    return Past(interactions, records, linked)
