"""Contacts that were drawn and might have been withheld, and what came of them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.clock import DAY
from training.reports.effects import Measure
from training.reports.uplift.log import Log

#: What is known before a contact, for CUPED and for segments, is read off so many days.
BEFORE = 90


@dataclass(frozen=True)
class Drawn:
    """n drawn contacts that might have been withheld: `made` bool, `chance` of being made, `cost` of each treatment."""

    person: np.ndarray
    at: np.ndarray
    action: np.ndarray
    channel: np.ndarray
    made: np.ndarray
    chance: np.ndarray
    cost: np.ndarray

    def __len__(self) -> int:
        return len(self.at)

    def rows(self, chosen: np.ndarray) -> "Drawn":
        """The same of some of them."""
        return Drawn(*(column[chosen] for column in vars(self).values()))

    @classmethod
    def of(cls, log: Log) -> "Drawn":
        """All of a log, in order of time."""
        table = log.decided
        both = pc.and_(pc.greater(table["made_chance"], 0), pc.greater(table["ghost_chance"], 0))
        table = table.filter(pc.fill_null(both, False)).sort_by([("at", "ascending"), ("decision_id", "ascending")])
        made, ghost = (table[name].to_numpy() for name in ("made_chance", "ghost_chance"))
        action = _texts(table["drawn"])
        channel = _texts(table["channel"])
        cost = pd.Series(list(zip(action, channel, strict=True)), dtype=object).map(costs(log))
        return cls(
            person=log.person(table["customer_id"]) if table.num_rows else np.zeros(0, np.int64),
            at=table["at"].to_numpy(),
            action=action,
            channel=channel,
            made=~table["withheld"].to_numpy(zero_copy_only=False).astype(bool),
            chance=made / (made + ghost),
            cost=cost.fillna(0.0).to_numpy(np.float64),
        )


def costs(log: Log) -> dict[tuple[str, str], float]:
    """(action, channel) -> money for each contact, as actions.yaml says now."""
    return {
        (action.name, channel): of.cost
        for action in log.playbook.actions.actions
        for channel, of in action.channels.items()
    }


def _texts(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.to_pylist(), object)


@dataclass(frozen=True)
class Outcomes:
    """What came of each drawn contact within the days, and what was known before it; float64[n] by measure."""

    after: dict[Measure, np.ndarray]
    before: dict[Measure, np.ndarray]

    @classmethod
    def of(cls, log: Log, drawn: Drawn, days: int) -> "Outcomes":
        """Counts of the goal as yes or no, money, opt-outs as yes or no; before: how often and how much in BEFORE."""
        end, start = drawn.at + days * DAY, drawn.at - BEFORE * DAY
        number, money = log.goals.within(drawn.person, drawn.at, end)
        earlier, spent = log.goals.within(drawn.person, start, drawn.at)
        left, _ = log.opt_outs.within(drawn.person, drawn.at, end)
        return cls(
            {"goal": (number > 0).astype(np.float64), "money": money, "opt_out": (left > 0).astype(np.float64)},
            {"goal": earlier, "money": spent},
        )
