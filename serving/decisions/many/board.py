"""What a playbook says of its treatments, as arrays over m treatments: worked out once for all customers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from serving.decisions import arbitration
from serving.decisions.candidate import Candidate
from serving.decisions.eligibility import offered
from serving.decisions.guard.plan import DRIFT, values
from serving.decisions.policy import Action, Cap, Playbook

ROLLING, DAY, WEEK, MONTH = -1, 0, 1, 2
_PERIODS = {None: ROLLING, "day": DAY, "week": WEEK, "month": MONTH}
TOTAL, CHANNEL, ISSUE, GROUP, ACTION, TAG = range(6)
_SCOPES = {"total": TOTAL, "channel": CHANNEL, "issue": ISSUE, "group": GROUP, "action": ACTION, "tag": TAG}


class Slots(NamedTuple):
    """The caps as they count, one entry for each channel, group ... that one counts by itself.

    `limits` int64[s, 5]: at most so many, how far back in microseconds, period, scope, code of what it counts by.
    Treatment j is bound by `of[start[j]:start[j + 1]]`.
    """

    limits: np.ndarray
    start: np.ndarray
    of: np.ndarray


@dataclass(frozen=True)
class Board:
    """Treatments in the order of the file. Money in float64[m]; `action` and `channel` are positions in the lists.

    `asks` is the position in `consents` of the (channel, purpose) that a treatment needs. `positives` are the responses
    that the model of P learned about its action from, -1 where nobody counted. `contact`: whether the policy counts it
    as one. `withheld` is the share that becomes a ghost. `codes` number, by scope, the names that caps count by.
    """

    playbook: Playbook
    candidates: Sequence[Candidate]
    actions: Sequence[Action]
    channels: Sequence[str]
    consents: Sequence[tuple[str, str]]
    action: np.ndarray
    channel: np.ndarray
    asks: np.ndarray
    sells: np.ndarray
    exempt: np.ndarray
    quiet: np.ndarray
    contact: np.ndarray
    c: np.ndarray
    v: np.ndarray
    lever: np.ndarray
    share: np.ndarray
    cost: np.ndarray
    harm: np.ndarray
    withheld: np.ndarray
    positives: np.ndarray
    pressure: np.ndarray
    slots: Slots
    codes: tuple[Mapping[str, int], ...]

    def __len__(self) -> int:
        return len(self.candidates)

    @cached_property
    def place(self) -> list[int]:
        """`action` as a list."""
        found: list[int] = self.action.tolist()
        return found

    @classmethod
    def of(cls, playbook: Playbook, channel: str | None = None, positives: Mapping[str, int] | None = None) -> "Board":
        """Every treatment offered on `channel`, or on any channel where none is named."""
        policy, found = playbook.policy, offered(playbook.actions, channel)
        actions = list({each.action.name: each.action for each in found}.values())
        channels = list(dict.fromkeys(each.channel for each in found))
        needs = [(each.channel, each.action.purpose) for each in found]
        consents = list(dict.fromkeys(needs))
        place = {action.name: i for i, action in enumerate(actions)}
        slots, codes = _slots(playbook, found)

        def numbers(of: list[float]) -> np.ndarray:
            return np.array(of, np.float64)

        def flags(of: list[bool]) -> np.ndarray:
            return np.array(of, np.bool_)

        sells = [policy.sells(each.action) for each in found]
        terms = [arbitration.terms(each, policy) for each in found]
        weigh = policy.pressure
        return cls(
            playbook=playbook,
            candidates=found,
            actions=actions,
            channels=channels,
            consents=consents,
            action=np.array([place[each.action.name] for each in found], np.int64),
            channel=np.array([channels.index(each.channel) for each in found], np.int64),
            asks=np.array([consents.index(need) for need in needs], np.int64),
            sells=flags(sells),
            exempt=flags([each.action.exempt is not None for each in found]),
            quiet=flags([policy.quiet is not None and policy.quiet.binds(each.channel) for each in found]),
            contact=flags([policy.counts(each.action) for each in found]),
            c=numbers([of.c for of in terms]),
            v=numbers([of.v for of in terms]),
            lever=numbers([of.lever for of in terms]),
            share=numbers([of.share for of in terms]),
            cost=numbers([of.cost for of in terms]),
            harm=numbers([of.harm for of in terms]),
            withheld=numbers([policy.withholding.share if sold else 0.0 for sold in sells]),
            positives=np.array([-1 if positives is None else positives.get(c.action.name, 0) for c in found], np.int64),
            pressure=numbers([0.0 if weigh is None else weigh.weight(each.channel) for each in found]),
            slots=slots,
            codes=codes,
        )


def _slots(playbook: Playbook, found: Sequence[Candidate]) -> tuple[Slots, tuple[Mapping[str, int], ...]]:
    codes: tuple[dict[str, int], ...] = tuple({} for _ in _SCOPES)
    place: dict[tuple[int, str | None], int] = {}
    limits: list[tuple[int, int, int, int, int]] = []
    start, of = [0], list[int]()
    for candidate in found:
        for i, cap in enumerate(playbook.policy.caps if candidate.action.exempt is None else ()):
            for value in values(cap, candidate.action, candidate.channel):
                if (i, value) not in place:
                    place[i, value] = len(limits)
                    limits.append(_limit(cap, value, codes))
                of.append(place[i, value])
        start.append(len(of))
    table = np.array(limits, np.int64).reshape(len(limits), 5)
    return Slots(table, np.array(start, np.int64), np.array(of, np.int64)), codes


def _limit(cap: Cap, value: str | None, codes: tuple[dict[str, int], ...]) -> tuple[int, int, int, int, int]:
    scope = _SCOPES[cap.scope]
    code = -1 if value is None else codes[scope].setdefault(value, len(codes[scope]))
    reach = cap.length + (0 if cap.per is None else DRIFT)
    return cap.max, reach, _PERIODS[cap.per], scope, code
