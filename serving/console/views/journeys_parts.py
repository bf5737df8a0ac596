"""What several sections of the journeys page share: ratings as cells, hours as a map of the week."""

from collections.abc import Mapping
from typing import Any

from serving.console import figures
from serving.console.blocks import Cell, Chart, Column, Estimate, Section, Table, Verdict

Found = Mapping[str, Any]
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def rated(mean: Found) -> Cell:
    """A mean with its interval; nobody rated anything: not known; too few: it says so."""
    if mean["value"] is None:
        return "too few to tell" if mean["ratings"] else None
    return Estimate(mean["value"], mean["low"], mean["high"])


def few(value: float | None) -> Cell:
    """A change, or that there is too little to speak of one."""
    return Verdict("too few to tell") if value is None else value


def ratio(part: float, whole: float) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


def clock_of(clock: Found, shown: str, zone: str) -> Section:
    """When customers do what they do themselves."""
    local = shown != "utc"
    counted = clock["local" if local else "utc"]
    hours = [f"{hour:02}" for hour in range(24)]
    total = sum(map(sum, counted))
    day, hour = max(((d, h) for d in range(7) for h in range(24)), key=lambda cell: counted[cell[0]][cell[1]])
    busiest = f"Most happens on {DAYS[day]} between {hour}:00 and {hour + 1}:00: {counted[day][hour]:,} steps."
    where = f"Hours on the clock where customers live; where that is not known, {zone}." if local else "Hours in UTC."
    title = "Steps that customers took, by weekday and hour"
    table = Table(
        "clock",
        title,
        [Column("Day"), *(Column(name, "count") for name in hours)],
        [[name, *row] for name, row in zip(DAYS, counted, strict=True)],
        note=where,
    )
    figure = figures.heatmap(hours, DAYS, counted, "count", x_title="Hour")
    said = busiest if total else "Customers did nothing themselves."
    return Section("clock-section", "When customers do things", [Chart("clock-map", title, figure, table, said)], where)
