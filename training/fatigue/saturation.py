"""Every customer's standing on every channel: how often they are contacted, how often it pays, what one more costs."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from features.clock import DAY
from training.fatigue import fading
from training.fatigue.fit import Fitted
from training.fatigue.often import STATUSES, UNTOLD, plan, status
from training.fatigue.trials import Events, Happened

#: Contacts are counted over these weeks.
WEEKS = 4
COLUMNS = pa.schema(
    [
        ("customer_id", pa.string()),
        ("channel", pa.string()),
        ("contacts_a_week", pa.float64()),
        ("recommended_a_week", pa.float64()),
        ("status", pa.string()),
        ("pressure", pa.float64()),
        ("harm_of_one_more", pa.float64()),
    ]
)


def saturation(
    fitted: Fitted, happened: Happened, ids: np.ndarray, who: np.ndarray, at: int, z: np.ndarray | None = None
) -> pa.Table:
    """Customers `who` int64[n] (ascending) as of `at`, a row a channel; none for channels they opted out of.

    `ids` (object) are the customers' by number, `z` their standardised features. Pressure is in shares of what is
    tolerable, harm in money. Where the log tells no number of contacts (advice.py), none is recommended.
    """
    harm, contacts = fitted.harm, happened.contacts
    when = np.full(len(who), at, np.int64)
    weights, half = harm.pressure.weights, float(harm.pressure.half_life)
    total = fading.before(contacts.who, contacts.at, weights[contacts.channel], who, when, half)
    parts = []
    for name in fitted.channels:
        c = harm.pressure.channels.index(name)
        mine = contacts.channel == c
        own_who, own_at = contacts.who[mine], contacts.at[mine]
        own = fading.before(own_who, own_at, np.full(len(own_who), float(weights[c])), who, when, half)
        recent = (own_at >= at - WEEKS * 7 * DAY) & (own_at < at)
        place = np.minimum(np.searchsorted(who, own_who[recent]), len(who) - 1)
        now = np.bincount(place[who[place] == own_who[recent]], minlength=len(who)) / WEEKS
        told = bool(fitted.advice.told[c])
        most = float(fitted.advice.most[c])
        asked = plan(harm, fitted.gain, c, float(fitted.costs[c]), np.maximum(total - own, 0.0), z, most)
        open_ = ~_opted_out(happened.opted_out, who, c, at)
        found = status(now, asked.number)
        parts.append(
            pa.table(
                [
                    pa.array(ids[who], pa.string()),
                    pa.array([name] * len(who), pa.string()),
                    pa.array(now),
                    pa.array(asked.number) if told else pa.nulls(len(who), pa.float64()),
                    pa.array([STATUSES[k] if told else UNTOLD for k in found], pa.string()),
                    pa.array(total),
                    pa.array(harm.money(np.full(len(who), c), total, z)),
                ],
                schema=COLUMNS,
            ).filter(pa.array(open_))
        )
    return pa.concat_tables(parts) if parts else COLUMNS.empty_table()


def counted(table: pa.Table) -> Mapping[str, Mapping[str, int]]:
    """Customers by channel and status; of channels without a number, how many there are."""
    found: dict[str, dict[str, int]] = {}
    pairs = zip(table["channel"].to_pylist(), table["status"].to_pylist(), strict=True)
    for channel, one in pairs:
        found.setdefault(channel, dict.fromkeys([UNTOLD] if one == UNTOLD else STATUSES, 0))[one] += 1
    return found


def _opted_out(events: Events, who: np.ndarray, channel: int, at: int) -> np.ndarray:
    return np.isin(who, events.who[(events.channel == channel) & (events.at < at)])
