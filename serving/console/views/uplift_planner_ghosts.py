"""How many more weeks until an action's ghosts can tell: each action at its own pace, for the lift asked for.

From what its comparison has left unknown so far: errors fall with the root of the number of contacts drawn, made or
withheld, and what customers did before is taken off already. Another share of ghosts changes them by the usual
1 / (share x (1 - share)).
"""

from collections.abc import Mapping
from typing import Any

from serving.console.blocks import Block, Cell, Column, Table
from serving.decisions import planning

#: Standard errors to either side of a 95 % interval.
_USUAL = 1.96
#: Beyond this nobody waits.
_MOST_WEEKS = 520


def blocks(artefact: Mapping[str, Any], lift: float, power: float) -> list[Block]:
    """The table by action; `lift` and `power` in per cent. None where no action's ghosts can be planned for."""
    ghosts = artefact.get("ghosts")
    if not ghosts:
        return []
    cells = (one["cells"] for one in ghosts["breakdowns"] if one["dimension"] == "action")
    actions: list[Mapping[str, Any]] = next(cells, [])
    rows = [row for cell in actions if (row := _row(cell, lift / 100, power / 100)) is not None]
    if not rows:
        return []
    columns = [
        Column("Action"), Column("Drawn so far", "count"), Column("Drawn a week", "count"),
        Column("Share withheld", "percent"), Column("More weeks", "count"),
        Column("More weeks with twice the ghosts", "count"),
    ]  # fmt: skip
    note = (
        f"For a lift of {lift:.6g}% in {actions[0]['found'][0]['name']}, found with a chance of {power:.6g}% by one "
        "look at the end, at the pace of the last four weeks. 0: enough are there; nothing: more than ten years, or "
        "none come any more."
    )
    return [Table("planner-ghosts", "How long until an action's ghosts can tell", columns, rows, note=note)]


def _row(cell: Mapping[str, Any], lift: float, power: float) -> list[Cell] | None:
    """None where the action is too young for any error to go by."""
    found, have = cell["found"][0], cell["contacts"] + cell["ghosts"]
    effect, level = found["effect"], found["control"]["mean"]
    if effect is None or level <= 0 or not have:
        return None
    error, share = (effect["high"] - effect["low"]) / 2 / _USUAL, cell["ghosts"] / have
    wanted = planning.scaled(have, error, level * lift, power)
    twice = share * (1 - share) / (2 * share * (1 - 2 * share)) if share < 0.25 else None
    weekly = cell.get("weekly")
    return [
        cell["name"], have, None if weekly is None else round(weekly), share, _weeks(wanted - have, weekly),
        None if twice is None else _weeks(wanted * twice - have, weekly),
    ]  # fmt: skip


def _weeks(more: float, weekly: float | None) -> int | None:
    if more <= 0:
        return 0
    found = planning.weeks(round(more), weekly) if weekly else None
    return None if found is None or found > _MOST_WEEKS else found
