"""Logs in which it is known what a touchpoint does to satisfaction."""

import numpy as np
import pyarrow as pa

from features import clock
from features.clock import DAY, HOUR
from features.history import History, conform
from features.scaffold import init_workspace

START = clock.parse_instant("2024-01-01")
MONTHS = 8


def log(folder, effect, customers=160, rated=True, seed=1):
    """A workspace of customers who are asked every four weeks.

    In three weeks before the survey a third, drawn by lot, calls about billing, which changes what they answer by
    `effect`. Who looks around more is happier, and looking around changes nothing.
    """
    draw = np.random.default_rng(seed)
    keen = draw.normal(size=customers)
    rows = []
    for month in range(MONTHS):
        asked = START + (28 * month + 27) * DAY
        billing = draw.random(customers) < 0.33
        for who in range(customers):
            name = f"c{who:04d}"
            looks = draw.poisson(np.exp(0.5 + 0.6 * keen[who]))
            days = sorted(draw.integers(1, 25, looks))
            rows += [(name, asked - int(day) * DAY, "web", "page_view", None, None, None) for day in days]
            rows.append((name, asked - 26 * DAY, "store", "purchase", None, 20.0 + 5 * keen[who], None))
            if billing[who]:
                rows.append((name, asked - int(draw.integers(1, 20)) * DAY, "phone", "call", "billing", None, None))
            said = 0.6 + 0.1 * keen[who] + effect * billing[who] + draw.normal(0, 0.1)
            answer = float(np.clip(said, 0, 1)) if rated else None
            rows.append((name, asked + who * HOUR // 1000, "email", "survey", None, None, answer))
    names = ("customer_id", "occurred_at", "channel", "type", "topic", "value", "satisfaction")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    table = pa.table({name: list(values) for name, values in columns.items() if name != "occurred_at"})
    table = table.append_column("occurred_at", pa.array(columns["occurred_at"], pa.timestamp("us", tz="UTC")))
    table = table.append_column("interaction_id", pa.array([f"i{n}" for n in range(len(rows))]))
    for name, kind in (("topic", pa.string()), ("value", pa.float64()), ("satisfaction", pa.float64())):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    workspace = init_workspace(folder / "shop", {"tactful.yaml": ""})
    History(workspace).append(conform(table), "test")
    return workspace
