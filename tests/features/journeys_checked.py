"""Holds figures against the naive count, family by family; where a list is cut, the part that is shown."""

from collections import Counter

import journeys_naive as naive
import pyarrow as pa

from features.journeys.figures import Figures
from features.journeys.layout import Layout

_COLUMNS = ["interaction_id", "customer_id", "occurred_at", "channel", "direction", "type", "topic", "satisfaction"]


def rows(table: pa.Table) -> list[dict]:
    """A history's interactions as dicts, instants in microseconds."""
    table = table.select(_COLUMNS)
    place = table.column_names.index("occurred_at")
    return table.set_column(place, "occurred_at", table["occurred_at"].cast(pa.int64())).to_pylist()


def naively(layout: Layout, rows: list[dict]) -> list[dict]:
    by = layout.rules
    known = [row for row in rows if row["occurred_at"] < layout.known_until]
    meant = {*by.goal, *by.signs, by.departure}
    return naive.journeys(known, set(by.goal), by.pause_days, set(by.sensitive), {"survey"} - meant, by.departure)


def check(
    layout: Layout, figures: Figures, found: list[dict], everyone: list[dict] | None = None, zone_of=None
) -> None:
    """Raises AssertionError where a count differs. `found` are the journeys chosen, of `everyone`."""
    by, until = layout.rules, layout.known_until
    wanted = naive.counts(found, by.pause_days, until, zone_of)
    ends = Counter(naive.ending(journey, by.pause_days, until) for journey in found)
    totals = figures.totals
    assert totals.journeys == len(found)
    assert totals.customers == len({journey["customer"] for journey in found})
    assert (totals.reached, totals.over) == (ends["goal"], ends["goal"] + ends["quiet"])
    assert totals.customers_reached == len({j["customer"] for j in found if j["reached"]})
    assert totals.satisfaction.ratings == sum(len(step["ratings"]) for j in found for step in j["steps"])
    _lists(figures, wanted)
    _flows(layout, figures, found, found if everyone is None else everyone)
    for clock, name in ((figures.clock.utc, "utc"), (figures.clock.local, "local")):
        cells = {(day, hour): n for day, row in enumerate(clock) for hour, n in enumerate(row) if n}
        assert cells == wanted[name], name


def _lists(figures: Figures, wanted: dict) -> None:
    shown = {step.key: (step.steps, step.journeys, step.customers) for step in figures.steps}
    order = sorted(wanted["steps"], key=lambda key: (-wanted["steps"][key][0], key))[:24]
    assert list(shown) == order
    assert shown == {key: wanted["steps"][key] for key in order}
    for stall in figures.stalls:
        assert (stall.visits, stall.moved, stall.goal, stall.quiet, stall.open) == wanted["visits"][stall.key], (
            stall.key
        )
        assert stall.returns == wanted["back"].get(stall.key, 0)
        if stall.median_seconds is not None and wanted["median"][stall.key] > 1:
            exact = wanted["median"][stall.key]
            assert stall.moved < 30 or 0.97 < stall.median_seconds / exact < 1.03, stall.key
    assert figures.looping == wanted["looping"]
    keys = {step.step: step.key for step in figures.steps}
    if len(wanted["steps"]) <= 24:  # else those that are not shown by name stand in no pair
        assert _top(((keys[m.source], keys[m.target]), m.times) for m in figures.moves) == _most(wanted["pairs"])
        assert _top(((keys[m.step], keys[m.over]), m.times) for m in figures.loops) == _most(wanted["loops"])
        shown = {(tuple(keys[s] for s in p.steps), p.more, p.ending): (p.journeys, p.customers) for p in figures.paths}
        assert sum(count for count, _ in shown.values()) + figures.other_paths == figures.totals.journeys
        assert {path: wanted["paths"][path] for path in shown} == shown
        assert sorted(n for n, _ in shown.values())[::-1] == sorted(n for n, _ in wanted["paths"].values())[::-1][:12]
    fields = ("journeys", "customers", "reached", "over", "steps", "channels", "ratings")
    for month in figures.months:
        expected = wanted["months"].get(month.month, Counter())
        assert {name: getattr(month, name) for name in fields} == {name: expected.get(name, 0) for name in fields}
    assert {channel.channel: channel.journeys for channel in figures.channels} == wanted["channels"]
    assert {k: n for k, n in enumerate(figures.breadth) if n} == wanted["breadth"]


def _top(pairs) -> list:
    return sorted(((n, pair) for pair, n in pairs), key=lambda each: (-each[0], each[1]))


def _most(pairs: dict) -> list:
    """The twelve commonest, keys in the order that ties are broken by."""
    return sorted(((n, pair) for pair, n in pairs.items()), key=lambda each: (-each[0], each[1]))[:12]


def _flows(layout: Layout, figures: Figures, found: list[dict], everyone: list[dict]) -> None:
    by, until = layout.rules, layout.known_until
    whole = [
        (j["customer"], [step["key"] for step in j["steps"]], naive.ending(j, by.pause_days, until)) for j in found
    ]
    left = naive.departures(everyone, set(by.signs), by.departure, by.silence, by.pause_days, until)
    picked = {id(journey) for journey in found}
    leaving = [
        (everyone[number]["customer"], [step["key"] for step in steps], "left")
        for steps, number in left
        if id(everyone[number]) in picked
    ]
    reached = [(who, keys, end) for who, keys, end in whole if end == "goal"]
    for flow, sequences, from_left in (
        (figures.first_steps, whole, True),
        (figures.before_goal, reached, False),
        (figures.before_leaving, leaving, False),
    ):
        got = {(ln.layer, ln.source_key, ln.target_key): (ln.journeys, ln.customers) for ln in flow.links}
        assert got == naive.flow(sequences, from_left)
        assert (flow.sequences, flow.customers) == (len(sequences), len({who for who, _, _ in sequences}))
