"""Sessions: digital interactions that the customer began, with pauses of 30 minutes at most."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.clock import MINUTE
from features.definitions import last
from features.kernel.jit import inlined
from features.kernel.sequence import SESSION_ROWS, SESSION_TIME, SESSIONS
from features.kinds.period import Period


@dataclass(frozen=True)
class Sessions(Period):
    """How many ended in the window."""

    unit = "sessions"
    needs = frozenset({"sessions"})

    @property
    def name(self) -> str:
        return f"sessions_{self.days}d"

    @property
    def text(self) -> str:
        return f"digital sessions (pauses of 30 minutes at most) that ended in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.steps[a, SESSIONS]


@dataclass(frozen=True)
class SessionMinutes(Period):
    """Mean time from the first to the last interaction of a session."""

    unit = "minutes"
    needs = frozenset({"sessions"})
    null = "no session ended in the window"

    @property
    def name(self) -> str:
        return f"session_minutes_{self.days}d"

    @property
    def text(self) -> str:
        return f"mean length of the digital sessions that ended in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        sessions = acc.steps[a, SESSIONS]
        return acc.steps[a, SESSION_TIME] / MINUTE / sessions if sessions else np.nan


@dataclass(frozen=True)
class SessionDepth(Period):
    """Mean number of interactions in a session."""

    unit = "interactions"
    needs = frozenset({"sessions"})
    null = "no session ended in the window"

    @property
    def name(self) -> str:
        return f"session_depth_{self.days}d"

    @property
    def text(self) -> str:
        return f"mean number of interactions in the digital sessions that ended in {last(self.days)}"

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        sessions = acc.steps[a, SESSIONS]
        return acc.steps[a, SESSION_ROWS] / sessions if sessions else np.nan
