"""One decision of a batch: what the store commits, what the report tells, and its document where somebody reads it."""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import orjson

from features import clock
from serving.batch_decide.block import Block
from serving.batch_decide.rules import ASK
from serving.decisions import explanation, phrases
from serving.decisions.bench import Live, Verdict
from serving.decisions.candidate import Candidate
from serving.decisions.customer import Contact
from serving.decisions.eligibility import STAGES
from serving.decisions.fate import Trip
from serving.decisions.many import blocks, draw
from serving.decisions.policy import Action
from serving.decisions.request import Request
from serving.decisions.slots import contact_of

Row = dict[str, Any]
#: Most of a batch happens at one moment.
_iso = lru_cache(maxsize=4_096)(clock.isoformat)


class Made:
    """Row `i` of a block."""

    def __init__(self, block: Block, i: int) -> None:
        self.block, self.place, self._known, self._drawn = block, i, block.known, block.drawn
        self.request: Request = block.known.requests[i]
        self.at: int = block.known.now[i]
        pick, self.is_ghost, self._why = block.picks[i]
        self.picked: Candidate | None = None if pick < 0 else self._known.frame.board.candidates[pick]

    # what the store commits

    @property
    def decision_id(self) -> str:
        return self.request.decision_id

    @property
    def chosen(self) -> Candidate | None:
        return None if self.is_ghost else self.picked

    @property
    def judged_customer(self) -> str:
        return self._known.customers[self.place].customer_id

    @property
    def judged_version(self) -> int:
        return self._known.customers[self.place].version

    @property
    def arm_id(self) -> str:
        return self._known.customers[self.place].arm_id

    @cached_property
    def contacts(self) -> tuple[Contact, ...]:
        if self.picked is None or self.request.dry_run:
            return ()
        playbook = self._known.frame.playbook
        ghost = self.picked if self.is_ghost else None
        found = contact_of(0, self.chosen, ghost, self.request, playbook, self.at)
        return () if found is None else (found,)

    @property
    def limited(self) -> Action | None:
        """The action with a volume that it uses one of."""
        action = None if self.chosen is None else self.chosen.action
        return None if action is None or action.volume is None else action

    @property
    def worth(self) -> float:
        """The expected value of what was drawn; silence is worth 0."""
        return 0.0 if self.picked is None else float(self._drawn.worth[self.place, self._drawn.pick[self.place]])

    # what the report tells

    @property
    def outcome(self) -> tuple[str | None, str | None]:
        """The action, and the contact that was reserved for it."""
        reserved = self._reserved
        return None if self.chosen is None else self.chosen.action.name, reserved and reserved.contact_id

    def row(self) -> Row:
        """Of the report; see report.SCHEMA."""
        chosen, reserved = self.chosen, self._reserved
        return {
            "customer_id": self.request.customer_id,
            "decision_id": self.decision_id,
            "action": None if chosen is None else chosen.action.name,
            "channel": None if chosen is None else chosen.channel,
            "contact_id": None if reserved is None else reserved.contact_id,
            "expires_at": None if reserved is None else _iso(reserved.expires_at),
            "expected_value": None if chosen is None else self.worth,
            "arm": self._known.crowd.arms[self.place].holdout,
            "deferred_to": self._deferred_to,
            "reason": self._reason,
        }

    # its document

    def own(self) -> Row:
        """What the log says of it alone (see `packed`)."""
        known, i, request = self._known, self.place, self.request
        chosen, reserved, ghost = self.chosen, self._reserved, self.picked if self.is_ghost else None
        head = {
            "decision_id": request.decision_id,
            "request_id": request.request_id,
            "customer_id": request.customer_id,
            "at": _iso(self.at),
            "action": None if chosen is None else chosen.action.name,
            "treatment_channel": None if chosen is None else chosen.channel,
            "ghost": None if ghost is None else ghost.action.name,
            "ghost_channel": None if ghost is None else ghost.channel,
            "reason": self._reason,
            "says": None if chosen is None else self._says(chosen.action),
            "contact_id": None if reserved is None else reserved.contact_id,
            "expires_at": None if reserved is None else _iso(reserved.expires_at),
            "uniform": self.block.uniforms[i],
            "arm": known.crowd.arms[i].holdout,
            "churn": None if known.churn is None else known.churn[i],
            "judged_customer": self.judged_customer,
            "judged_version": self.judged_version,
            "arm_id": self.arm_id,
            "arms": known.crowd.arms[i].as_dict(),
            "deferred_to": self._deferred_to,
        }
        return head | self.block.beside(i) | self.block.rows.fates(i, self._told(), self._tripped())

    def document(self) -> Mapping[str, Any]:
        """All of it, as a single decision would have logged it."""
        (found,) = blocks.Packed(packed([self])).documents()
        return found

    @property
    def _reserved(self) -> Contact | None:
        return None if self.is_ghost or not self.contacts else self.contacts[0]

    @property
    def _reason(self) -> str:
        if self.chosen is not None:
            return phrases.made(self.chosen.action.title or self.chosen.action.name, self.chosen.channel)
        return _REASONS[self._why]

    def _says(self, action: Action) -> str:
        """Asked once for all who are told the same: the action's own words in the default language."""
        known, customer = self._known, self._known.customers[self.place]
        if action.reveals or "language" in customer.profile.facts:
            return explanation.says(action, customer, known.frame.playbook, self.at)
        said = known.frame.said
        if action.name not in said:
            said[action.name] = explanation.says(action, customer, known.frame.playbook, self.at)
        return said[action.name]

    @cached_property
    def _deferred_to(self) -> str | None:
        """The next allowed moment, where the guard alone stood in the way and the policy defers."""
        if self.picked is not None or self._known.frame.playbook.policy.on_cap != "defer":
            return None
        stages = self._drawn.stage[self.place]
        if np.isin(stages, draw.REMAINED).any():
            return None
        refused = np.flatnonzero(stages == draw.GUARD).tolist()
        moments = [at for j in refused if (at := self._verdicts[j].passes_at) is not None]
        return _iso(min(moments)) if moments else None

    @cached_property
    def _verdicts(self) -> dict[int, Verdict]:
        """Why the guard refuses, and until when, by position of the candidate: asked of the customer alone."""
        refused = self.block.guarded[self.place]
        if not refused:
            return {}
        candidates = self._known.frame.board.candidates
        return dict(zip(refused, self._live.judge([candidates[j] for j in refused]), strict=True))

    @cached_property
    def _live(self) -> Live:
        return self._known.live(self.place)

    def _told(self) -> dict[str, str]:
        """Reasons that are the customer's own, by position of the candidate. What was only known to be refused is now
        known to be refused by which stage."""
        i, frame = self.place, self._known.frame
        told: dict[str, str] = {}
        if not (worded := self.block.worded[i]):
            return told
        board, stage = frame.board, self._drawn.stage[i].tolist()
        for j in worded:
            code, k = stage[j], board.place[j]
            if code == draw.TOO_NEW:
                told[str(j)] = phrases.too_new(self._drawn.ramps[i, j])
            elif code < ASK and (i, k) not in self.block.told:
                told[str(j)] = frame.rules.reason(code, k)
            elif code < ASK:
                told[str(j)] = self.block.told[i, k]
            else:
                name, told[str(j)] = self._live.refusals([board.candidates[j]])[board.actions[k].name]
                self.block.rows.settle(i, j, draw.RULE + STAGES.index(name))
        return told

    def _tripped(self) -> tuple[list[Mapping[str, Any]], dict[str, Any]]:
        """The guard's trips, each once; and by position of the candidate which of them are its own, and until when."""
        trips: dict[Trip, int] = {}
        until: dict[int | None, str | None] = {None: None}
        own: dict[str, Any] = {}
        for j, (refusals, passes_at) in self._verdicts.items():
            if passes_at not in until:
                until[passes_at] = _iso(passes_at or 0)
            own[str(j)] = [trips.setdefault(trip, len(trips)) for trip in refusals], until[passes_at]
        return [trip.as_dict() for trip in trips], own


def packed(made: Sequence[Made]) -> bytes:
    """Rows of one block as a line of the log."""
    block, known = made[0].block, made[0].block.known
    places = [each.place for each in made]
    asked = Request("", "", known.frame.channel, context=known.frame.context, dry_run=known.frame.dry_run).as_dict()
    shared = known.frame.columns.shared | {
        **{name: value for name, value in asked.items() if name not in ("request_id", "customer_id")},
        "policy_version": known.frame.playbook.version,
        "agent": None,
        "more_slots": (),
    }
    matrices = {"features": known.values[places], **block.rows.matrices(places)}
    return blocks.packed(shared, [each.own() for each in made], matrices)


class Repeated:
    """The first answer to the same question, as it was logged."""

    def __init__(self, body: bytes) -> None:
        self._document = orjson.loads(body)

    def document(self) -> Mapping[str, Any]:
        return self._document

    @property
    def outcome(self) -> tuple[str | None, str | None]:
        return self._document["action"], self._document["contact_id"]

    def row(self) -> Row:
        logged = self._document
        chosen = (fate for fate in logged["candidates"] if fate["stage"] == "chosen" and "factors" in fate)
        worth = next((fate["factors"]["expected_value"] for fate in chosen), None)
        names = ("customer_id", "decision_id", "action", "contact_id", "expires_at", "arm", "deferred_to", "reason")
        return {name: logged.get(name) for name in names} | {
            "channel": logged["treatment_channel"],
            "expected_value": worth,
        }


class Unread:
    """Of whom what is kept is damaged: nothing is decided about them, and nothing logged."""

    def __init__(self, customer_id: str, why: str) -> None:
        self.customer_id, self._why = customer_id, why

    def row(self) -> Row:
        return {"customer_id": self.customer_id, "reason": f"cannot be read: {self._why}"}


_REASONS = {
    draw.GHOST: phrases.GHOST,
    draw.NOTHING: phrases.NOTHING,
    draw.HELD_OUT: phrases.HOLDOUT,
    draw.IN_ARM: phrases.IN_ARM,
    draw.ALL_REFUSED: phrases.ALL_REFUSED,
    draw.SILENCE_PAYS: phrases.SILENCE_PAYS,
    draw.EXPLORED: phrases.EXPLORED,
}
