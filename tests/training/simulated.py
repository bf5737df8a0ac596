"""Transaction logs with a known world behind them, as interaction tables."""

import numpy as np
import pyarrow as pa

from features import clock
from features.history import conform

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
