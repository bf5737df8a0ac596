"""Where journeys stall: after which step customers do nothing more, how long they take, and where they turn round."""

from collections.abc import Mapping
from typing import Any

from serving.console import figures
from serving.console.blocks import Block, Chart, Column, Grid, Section, Table

Found = Mapping[str, Any]
_SHOWN = 12


def section(found: Found) -> Section:
    stalls = [stall for stall in found["stalls"] if stall["stuck"] is not None]
    own = [stall for stall in stalls if stall["own"]]
    ours = [stall for stall in stalls if not stall["own"]]
    blocks: list[Block] = [_stuck("stalls", "After what customers did themselves", own)]
    if ours:
        blocks.append(_stuck("unanswered", "After what we sent them", ours))
    blocks.append(Grid([_loops(found), _moves(found)]))
    lead = "A journey stalls at a step where the customer does nothing more on it: it reaches no goal and goes quiet."
    return Section("stalls-section", "Where journeys stall", blocks, lead)


def _stuck(name: str, title: str, stalls: list[Found]) -> Chart:
    shown = sorted(stalls, key=lambda stall: (-stall["quiet"], stall["step"]))
    table = Table(
        name,
        f"{title}: how often they stop, and how long they take",
        [
            Column("Step"),
            Column("Times taken", "count"),
            Column("Moved on", "count", "the customer did something later on the same journey"),
            Column("Stopped", "count", "they did nothing more, and the journey went quiet"),
            Column("Share that stops", "percent", "of those that moved on or stopped; open ones are not counted"),
            Column("Next after", "duration", "half of those that moved on had done something more by then"),
            Column("One in ten after", "duration", "one in ten took longer than this"),
            Column("Journeys that come back", "count", "journeys that take this step again after another"),
        ],
        [
            [
                stall["step"], stall["visits"], stall["moved"], stall["quiet"], stall["stuck"],
                stall["median_seconds"], stall["slow_seconds"], stall["returns"],
            ]
            for stall in shown
        ],
        empty="Nothing stopped here yet.",
    )  # fmt: skip
    top = shown[:_SHOWN]
    series = [
        figures.Bars("stopped", [stall["quiet"] for stall in top], role="bad"),
    ]
    figure = figures.bars(series, [stall["step"] for stall in top], "count", horizontal=True, title="Journeys")
    said = "Nothing stopped here yet."
    if top:
        most, likely = top[0], max(top, key=lambda stall: stall["stuck"])
        said = (
            f"Most journeys stop after {most['step']} ({most['quiet']:,}); of those listed, the share that stops is "
            f"highest after {likely['step']} ({100 * likely['stuck']:.0f}%)."
        )
    return Chart(f"chart-{name}", title, figure, table, said)


def _loops(found: Found) -> Table:
    share = found["looping"] / found["totals"]["journeys"]
    return Table(
        "loops",
        "There and back again",
        [Column("From and back to"), Column("Over"), Column("Times", "count")],
        [[loop["step"], loop["over"], loop["times"]] for loop in found["loops"]],
        note=f"On {100 * share:.0f}% of journeys customers come back to a step that they had taken before.",
        empty="Nobody comes back to a step.",
    )


def _moves(found: Found) -> Table:
    return Table(
        "moves",
        "Moves taken most",
        [Column("From"), Column("To"), Column("Times", "count")],
        [[move["source"], move["target"], move["times"]] for move in found["moves"]],
        empty="No journey took two steps.",
    )
