"""A deliberately naive reading of every feature kind: plain lists, plain loops, nothing shared with the kernel.

An interaction is a dict with the columns of the contract; instants are integers of microseconds.
"""

import json
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise
from typing import Any

import oracle_order

from features.hashing import hash_string
from features.workspace import Journey

DAY = 24 * 3600 * 1_000_000
Row = dict[str, Any]


def known_at(rows: Sequence[Row], t: int, sensitive: Collection[str]) -> list[Row]:
    """What was known at t of one customer, oldest first, each interaction once, sensitive topics gone."""
    seen, known = set(), []
    for row in rows:
        if row["occurred_at"] < t and row["received_at"] <= t and row["interaction_id"] not in seen:
            seen.add(row["interaction_id"])
            if row["topic"] is None or row["topic"].strip().lower() not in sensitive:
                known.append(row)
    return sorted(known, key=lambda row: (row["occurred_at"], hash_string(row["interaction_id"])))


def compute(
    rows: Sequence[Row],
    t: int,
    features: Iterable[Any],
    channels: Sequence[str],
    sensitive: Collection[str] = (),
    records: Sequence[Row] = (),
) -> list[float]:
    """Every feature of one customer at t; NaN is null. `records` are of attributes: valid_from, received_at, object."""
    ever = known_at(rows, t, sensitive)
    remembered = [row for row in ever if row["occurred_at"] >= t - 400 * DAY][-4096:]
    asked: dict[Any, Asked] = {}  # by selector
    answers = []
    for feature in features:
        who = getattr(feature, "who", None)
        if who not in asked:
            asked[who] = Asked(who, ever, remembered, t, channels, records)
        answers.append(KINDS[type(feature).__name__](feature, asked[who]))
    return [math.nan if answer is None else float(answer) for answer in answers]


class Asked:
    """The interactions that a feature's selector means."""

    def __init__(
        self, who: Any, ever: list[Row], remembered: list[Row], t: int, channels: Sequence[str],
        records: Sequence[Row],
    ) -> None:  # fmt: skip
        self.t, self.channels, self.all, self.records = t, channels, remembered, records
        self.stages = Journey().stages
        self.ever = [row for row in ever if matches(who, row)]
        self.rows = [row for row in remembered if matches(who, row)]

    def within(self, days: int) -> list[Row]:
        return [row for row in self.rows if row["occurred_at"] >= self.t - days * DAY]

    def age(self, row: Row) -> int:
        """In whole 24-hour periods counted back from t: 0 is [t - 24 h, t)."""
        return (self.t - row["occurred_at"] - 1) // DAY

    def active(self, rows: list[Row]) -> list[int]:
        """Distinct ages, newest first."""
        return sorted({self.age(row) for row in rows})

    def gaps(self) -> list[int]:
        """Between consecutive active days, newest first."""
        days = self.active(self.rows)
        return [older - newer for newer, older in pairwise(days)]


def matches(who: Any, row: Row) -> bool:
    if who is None:
        return True
    asked = {"channel": who.channel, "direction": who.direction, "type": who.type, "topic": who.topic}
    if who.own is not None and who.own != (row.get("decision_id") is not None):
        return False
    if row["type"] in who.without or (who.types is not None and row["type"] not in who.types):
        return False
    return all(row[name] == want for name, want in asked.items() if want is not None)


def total(rows: list[Row]) -> float:
    return math.fsum(row["value"] for row in rows if row["value"] is not None)


def mean(numbers: Sequence[float]) -> float | None:
    return math.fsum(numbers) / len(numbers) if numbers else None


def present(rows: list[Row], column: str) -> list[Any]:
    return [row[column] for row in rows if row[column] is not None]


def gap_deviation(_: Any, asked: Asked) -> float | None:
    gaps = asked.gaps()
    centre = mean(gaps)
    return None if centre is None else math.sqrt(math.fsum((gap - centre) ** 2 for gap in gaps) / len(gaps))


def gap_trend(_: Any, asked: Asked) -> float | None:
    gaps = asked.gaps()
    return mean(gaps[:3]) / mean(gaps) if len(gaps) >= 2 else None  # type: ignore[operator]


def since(t: int, row: Row) -> float:
    return (t - row["occurred_at"]) / DAY


def trend(feature: Any, asked: Asked) -> float | None:
    short, long = (len(asked.active(asked.within(days))) for days in (feature.days, feature.second_days))
    if not long:
        return None
    return short / long * exposure(feature, asked)


def exposure(feature: Any, asked: Asked) -> float:
    known = 1 + asked.age(asked.ever[0])
    return min(feature.second_days, known) / min(feature.days, known)


def value_trend(feature: Any, asked: Asked) -> float | None:
    short, long = (total(asked.within(days)) for days in (feature.days, feature.second_days))
    return short / long * exposure(feature, asked) if long > 0 else None


def day_value(feature: Any, asked: Asked) -> float | None:
    rows = asked.within(feature.days)
    return total(rows) / len(asked.active(rows)) if rows else None


def discount_share(feature: Any, asked: Asked) -> float | None:
    rows = asked.within(feature.days)
    saved = math.fsum(json.loads(row["attributes"])["discount"] for row in rows if row.get("attributes"))
    price = total(rows) + saved
    return saved / price if price > 0 else None


def satisfaction_trend(feature: Any, asked: Asked) -> float | None:
    short, long = (mean(present(asked.within(days), "satisfaction")) for days in (feature.days, feature.second_days))
    return None if short is None or long is None else short - long


def repeat_topics(feature: Any, asked: Asked) -> int:
    topics = present(asked.within(feature.days), "topic")
    return len(topics) - len(set(topics))


def silence(feature: Any, asked: Asked) -> float | None:
    """Fader, Hardie and Lee: P(no visit in the next days) = P(left) + P(alive) P(silent while alive)."""
    if not asked.ever:
        return None
    r, alpha, a, b = feature.parameters
    tenure = since(asked.t, asked.ever[0])
    age = min(tenure, 365)
    visits = asked.active(asked.within(365))
    repeats = max(len(visits) - (tenure <= 365), 0)
    quiet = ((alpha + age) / (alpha + age + feature.horizon)) ** (r + repeats)
    if not repeats:
        return quiet
    last = max(age - since(asked.t, asked.rows[-1]), 0)
    odds_left = a / (b + repeats - 1) * ((alpha + age) / (alpha + last)) ** (r + repeats)
    alive = 1 / (1 + odds_left)
    return (1 - alive) + alive * quiet


def last_channel(_: Any, asked: Asked) -> float | None:
    if not asked.rows or asked.rows[-1]["channel"] not in asked.channels:
        return None
    return list(asked.channels).index(asked.rows[-1]["channel"])


def open_cases(_: Any, asked: Asked) -> int:
    status = {}
    for row in asked.all:
        if row["case_id"] is not None and row["type"] in ("complaint", "case_opened", "case_closed"):
            status[row["case_id"]] = row["type"] != "case_closed"
    return sum(status.values())


def season(feature: Any, asked: Asked) -> float:
    angle = 2 * math.pi * asked.t / DAY / 365.2425
    return math.sin(angle) if feature.part == "sine" else math.cos(angle)


def faded(half_life: int, age: int) -> float:
    return 0.5 ** (age / half_life)


def stated(key: str, asked: Asked) -> Any:
    """What the newest of the records that mention a key says: of those known by t, the newest that is valid by t."""
    known = [r for r in asked.records if key in r["attributes"] and r["valid_from"] <= asked.t >= r["received_at"]]
    newest = max(known, key=lambda record: (record["valid_from"], record["received_at"]), default=None)
    return None if newest is None else newest["attributes"][key]


def attribute_number(feature: Any, asked: Asked) -> float | None:
    found = stated(feature.key, asked)
    try:
        return None if found is None else float(found)
    except (TypeError, ValueError):
        return None


def attribute_label(feature: Any, asked: Asked) -> int | None:
    found = stated(feature.key, asked)
    text = {True: "true", False: "false"}.get(found) if isinstance(found, bool) else str(found)
    return feature.labels.index(text) if text in feature.labels else None


KINDS: dict[str, Callable[[Any, Asked], float | None]] = {
    **oracle_order.KINDS,
    "DayValue": day_value,
    "DiscountShare": discount_share,
    "RepeatTopics": repeat_topics,
    "SatisfactionTrend": satisfaction_trend,
    "Silence": silence,
    "ValueTrend": value_trend,
    "Count": lambda f, a: len(a.within(f.days)),
    "Sum": lambda f, a: total(a.within(f.days)),
    "MeanValue": lambda f, a: mean(present(a.within(f.days), "value")),
    "ActiveDays": lambda f, a: len(a.active(a.within(f.days))),
    "DistinctChannels": lambda f, a: len({c for c in present(a.within(f.days), "channel") if c in a.channels}),
    "DistinctTopics": lambda f, a: len(set(present(a.within(f.days), "topic"))),
    "DecayedDays": lambda f, a: math.fsum(faded(f.half_life, age) for age in a.active(a.rows)),
    "DecayedSum": lambda f, a: math.fsum(faded(f.half_life, a.age(row)) * (row["value"] or 0) for row in a.rows),
    "Recency": lambda _, a: since(a.t, a.rows[-1]) if a.rows else None,
    "Tenure": lambda _, a: since(a.t, a.ever[0]) if a.ever else None,
    "LifetimeCount": lambda _, a: len(a.ever),
    "LifetimeSum": lambda _, a: total(a.ever),
    "GapMean": lambda _, a: mean(a.gaps()),
    "GapDeviation": gap_deviation,
    "GapLongest": lambda _, a: max(a.gaps(), default=None),
    "GapRatio": lambda _, a: since(a.t, a.rows[-1]) / mean(a.gaps()) if a.gaps() else None,
    "GapTrend": gap_trend,
    "Trend": trend,
    "LastChannel": last_channel,
    "LastSatisfaction": lambda _, a: (present(a.rows, "satisfaction") or [None])[-1],
    "MeanSatisfaction": lambda f, a: mean(present(a.within(f.days), "satisfaction")),
    "OpenCases": open_cases,
    "Season": season,
    "AttributeNumber": attribute_number,
    "AttributeLabel": attribute_label,
}
