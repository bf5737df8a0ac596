"""The log of a decision with its candidates as columns: written from arrays, and a fraction of the size.

What follows from the rest (expected values, the ghosts' share of each probability, most reasons) is not written;
`expanded` works it out again, to the last bit, and gives the document that `Decision.as_dict` would have. They are
logged a block at a time (blocks.py); each in a line of its own was how they were logged before, and `read` still reads.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from serving.decisions import phrases
from serving.decisions.many import draw
from serving.decisions.many.board import Board
from serving.decisions.many.draw import Cells, Drawn

#: How a line of one decision in columns begins.
_MARK = b'{"columns":'
#: By letter: the stage, and the reason where it is the same for everyone.
_STAGES: tuple[tuple[str, str | None], ...] = (
    ("chosen", phrases.CHOSEN),
    ("withheld", phrases.WITHHELD),
    ("guard", None),
    ("score", phrases.NO_SCORE),
    ("holdout", phrases.HELD_OUT),
    ("experiment", None),
    ("arbitration", phrases.WORTH_LESS),
    ("arbitration", None),
    ("arbitration", phrases.NOT_DRAWN),
    ("eligible", None),
    ("applicable", None),
    ("suitable", None),
)
_A = ord("a")


class Columns:
    """Writes the decisions about one board. `logged` is what all of them share besides."""

    def __init__(self, board: Board, logged: Mapping[str, Any]) -> None:
        counted = [None if number < 0 else number for number in board.positives.tolist()]
        columns: dict[str, list[Any]] = {
            "action": [candidate.action.name for candidate in board.candidates],
            "channel": [candidate.channel for candidate in board.candidates],
            "share": board.share.tolist(),
            "c": board.c.tolist(),
            "v": board.v.tolist(),
            "lever": board.lever.tolist(),
            "cost": board.cost.tolist(),
            "harm": board.harm.tolist(),
            "withheld": board.withheld.tolist(),
            "positives": counted,
        }
        #: What the log says once of all decisions of a block.
        self.shared = {"columns": {name: _short(column) for name, column in columns.items()}, **logged}
        self._rising = board.playbook.policy.harm.rising

    def block(self, found: Drawn) -> "Rows":
        """The rows of one block, ready to be written."""
        letters = (found.stage + _A).astype(np.uint8)
        p = np.where(found.scored, found.p, np.nan)
        stated = found.scored & (found.positives < 0) if any_counted(found) else np.zeros_like(found.scored)
        return Rows(self, found, letters, p, stated, (1.0 + self._rising * found.recent).tolist())


def _short(column: list[Any]) -> Any:
    """What all have alike is said once; names are told apart from it by being a list."""
    return column[0] if len(column) > 1 and all(value == column[0] for value in column) else column


def any_counted(found: Drawn) -> bool:
    """Whether a model counted the responses to anything: then where nobody did, P is the policy's fallback."""
    return bool((found.positives >= 0).any())


class Rows:
    """What became of the candidates, customer by customer."""

    def __init__(
        self, columns: Columns, found: Drawn, letters: np.ndarray, p: np.ndarray, stated: np.ndarray, rise: list[float]
    ) -> None:
        self._columns, self._found, self._letters, self._p, self._rise = columns, found, letters, p, rise
        self._stated = {i: np.flatnonzero(stated[i]).tolist() for i in np.flatnonzero(stated.any(axis=1)).tolist()}

    def settle(self, i: int, j: int, stage: int) -> None:
        """What the arrays knew only to be refused, was refused at this stage."""
        self._letters[i, j] = _A + stage

    def fates(
        self, i: int, told: Mapping[str, str], tripped: tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]]
    ) -> dict[str, Any]:
        """What JSON says. `told` are reasons that are the customer's own, `tripped` the guard's trips and whose they
        are, both by position of the candidate."""
        found = self._found
        meant = None if found.meant is None or not found.silent[i] else _cells(found.meant, i)
        return {
            "fates": self._letters[i].tobytes().decode(),
            "rise": self._rise[i],
            "stated": self._stated.get(i, ()),
            "told": told,
            "tripped": tripped,
            "number": int(found.cells.number[i]),
            "silence": float(found.cells.silence[i]),
            "meant": meant,
        }

    def matrices(self, places: Sequence[int]) -> dict[str, np.ndarray]:
        """What is a number for each candidate, of some customers."""
        found, cells = self._found, self._found.cells
        matrices = {
            "p": self._p[places],
            "order": np.where(
                np.arange(cells.order.shape[1]) < cells.number[places, None], cells.order[places], 0
            ).astype(np.uint16),
            "chance": cells.chance[places],
        }
        for name, values, learned in (("u", found.u, found.learned), ("harm", found.harm, found.harmed)):
            if learned is not None:  # said only where a model says it
                matrices[name] = np.where(learned[places] & ~np.isnan(self._p[places]), values[places], np.nan)
        return matrices


def _cells(of: Cells, i: int) -> tuple[np.ndarray, np.ndarray, float]:
    number = of.number[i]
    return of.order[i, :number], of.chance[i, :number], float(of.silence[i])


def plain(body: bytes) -> bytes:
    """A decision's log as JSON, whichever way it was written."""
    return orjson.dumps(expanded(orjson.loads(body))) if body.startswith(_MARK) else body


def read(body: bytes) -> dict[str, Any]:
    """Any log's line, and of a decision the whole document."""
    line: dict[str, Any] = orjson.loads(body)
    return expanded(line) if body.startswith(_MARK) else line


def expanded(logged: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a decision as `Decision.as_dict` has it; what was never in columns comes back as it is."""
    document = dict(logged)
    if (columns := document.pop("columns", None)) is None:
        return document
    own = {key: document.pop(key) for key in ("fates", "p", "rise", "stated", "told", "tripped", "drawn", "meant")}
    own |= {key: document.pop(key) for key in ("u", "harm") if key in document}
    columns = {
        name: column if isinstance(column, list) else [column] * len(own["fates"]) for name, column in columns.items()
    }
    keys = list(zip(columns["action"], columns["channel"], strict=True))
    document["distribution"] = _distribution(keys, columns["withheld"], own["drawn"])
    document["intended"] = None if own["meant"] is None else _distribution(keys, columns["withheld"], own["meant"])
    chance = {
        (cell["action"], cell["channel"]): cell["probability"] for cell in document["distribution"] if not cell["ghost"]
    }
    arm = document["arms"]["experiment"]
    document["candidates"] = [
        _fate(j, key, columns, own, chance.get(key, 0.0), phrases.in_arm(arm)) for j, key in enumerate(keys)
    ]
    return document


def _fate(
    j: int, key: tuple[str, str], columns: Mapping[str, Any], own: Mapping[str, Any], probability: float, arm: str
) -> dict[str, Any]:
    code = ord(own["fates"][j]) - _A
    stage, reason = _STAGES[code]
    listed, whose = own["tripped"]
    which, passes_at = whose.get(str(j), ((), None))
    trips = [listed[k] for k in which]
    if code == draw.GUARD:
        reason = "; ".join(trip["text"] for trip in trips)
    elif code == draw.EXPERIMENT:
        reason = arm
    elif reason is None:
        reason = own["told"][str(j)]
    found = {"action": key[0], "channel": key[1], "stage": stage, "reason": reason, "probability": probability}
    if trips:
        found |= {"suppressed_by": trips, "passes_at": passes_at}
    if (p := own["p"][j]) is not None:
        found["factors"] = _factors(j, p, columns, own)
    return found


def _factors(j: int, p: float, columns: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    share, c, v, lever, cost, harm = (columns[name][j] for name in ("share", "c", "v", "lever", "cost", "harm"))
    learned, harmed = own["u"][j] if "u" in own else None, own["harm"][j] if "harm" in own else None
    u = p * share if learned is None else learned
    harm = harm * own["rise"] if harmed is None else harmed
    found = {
        "p": p,
        "share": share,
        "u": u,
        "learned": learned is not None,
        "c": c,
        "v": v,
        "lever": lever,
        "cost": cost,
        "harm": harm,
        "expected_value": c * v * u * lever - cost - harm,
        "positives": None if j in own["stated"] else columns["positives"][j],
    }
    return found if harmed is None else found | {"harm_learned": True}


def _distribution(
    keys: list[tuple[str, str]], withheld: list[float], of: tuple[Any, Any, float]
) -> list[dict[str, Any]]:
    order, chances, silence = of
    cells: list[dict[str, Any]] = []
    for j, chance in zip(order, chances, strict=True):
        action, channel = keys[j]
        for ghost, share in ((False, 1.0 - withheld[j]), (True, withheld[j])):
            if (probability := chance * share) > 0.0:
                cells.append({"action": action, "channel": channel, "ghost": ghost, "probability": probability})
    if silence > 0.0 or not cells:
        cells.append({"action": None, "channel": None, "ghost": False, "probability": silence})
    return cells
