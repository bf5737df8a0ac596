"""What the service does, as a plain object: open a workspace, answer requests, watch for new models and policies.

Everything runs on one event loop; the store's own thread writes. Requests raise `Problem` for what is wrong with them.
"""

import asyncio
import logging
import random
import secrets
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson

from features import catalogue as catalogues
from features import clock
from features.catalogue import Catalogue
from features.workspace import Workspace, WorkspaceError
from serving import absorb, intake, scoring, shown
from serving.auth import Keyring
from serving.champions import KINDS, Champions, one_line
from serving.decisions import guard, policy
from serving.decisions.customer import Contact, Customer
from serving.decisions.decide import decide
from serving.decisions.decision import Request
from serving.decisions.eligibility import candidates
from serving.problems import FieldError, Problem, invalid
from serving.schemas import DecideRequest, OutcomeRequest, ScoreRequest
from serving.store import open_store
from serving.store.protocol import Conflict, Read, Store, Unavailable, Unknown

#: How often a decision is judged again after a lost race before the client is asked to come back.
RACES = 50
#: Outcomes that say nothing about the customer coming to us.
_OURS = frozenset({"pending", "no_response"})
Answer = dict[str, Any]
T = TypeVar("T")
log = logging.getLogger("tactful.engine")


class Engine:
    """One workspace being served."""

    def __init__(self, workspace: Workspace, store: Store, catalogue: Catalogue | None = None) -> None:
        catalogue = catalogues.of(workspace) if catalogue is None else catalogue
        self.workspace = workspace
        self.store = store
        self.clock = workspace.clock()
        self.playbook = policy.load(workspace)
        self.vectors = scoring.Vectors(catalogue, workspace.settings, store.vocabulary())
        self.champions = Champions(workspace, catalogue)
        self.keyring = Keyring(self._keys)
        self.policy_problem: str | None = None
        self._files = self._stamps()
        self._warm = False
        self._random = random.Random(secrets.randbits(256))  # one seed: asking the system each time costs 80 us

    @classmethod
    def open(cls, workspace: Workspace) -> "Engine":
        """Opens the store and takes in the history it has not seen. WorkspaceError where something is wrong."""
        store = open_store(workspace)
        try:
            absorb.absorb(workspace, store)
            return cls(workspace, store)
        except BaseException:
            store.close()
            raise

    def warm(self) -> None:
        """Loads the champions and compiles what numba compiles, so that the first decision is like any other."""
        self.champions.poll()
        values = self.vectors.of(b"", self.clock.now())
        found = scoring.scores(self.vectors, self.champions.current, values)
        if found.propensity is not None:
            found.propensity(candidates(self.playbook.actions, None))
        self._warm = True

    def refresh(self) -> bool:
        """Takes up new champions and changed policy files, each as a whole or not at all; True where one changed."""
        changed = self.champions.poll()
        stamps = self._stamps()
        if stamps == self._files:
            return changed
        self._files = stamps
        try:
            self._check_written()
            self.playbook = policy.load(self.workspace)
            self.policy_problem = None
            log.info("policy %s in use", self.playbook.version)
        except WorkspaceError as error:
            self.policy_problem = f"the old policy stays in use: {error}"
            log.error(self.policy_problem)
        return True

    def readiness(self) -> Answer:
        """What is there and what is missing; `ready` where a decision would be answered now."""
        missing = [self.champions.problems.get(kind, f"{kind}: no champion yet") for kind in self._lacking()]
        if not self._warm:
            missing.append("the kernel is being compiled")
        if (broken := self.store.ready()) is not None:
            missing.append(f"the store: {broken}")
        notes = [text for kind, text in self.champions.problems.items() if kind in self.champions.current]
        if self.policy_problem is not None:
            notes.append(self.policy_problem)
        return {
            "ready": not missing,
            "missing": missing,
            "notes": notes,
            "workspace": self.workspace.settings.name,
            "now": clock.isoformat(self.clock.now()),
            "versions": self._versions(),
        }

    def close(self) -> None:
        self.store.close()

    async def decide(self, asked: DecideRequest) -> Answer:
        """One decision, on disk, with its contact reserved; for a known request_id the first answer again."""
        self._check_ready()
        if asked.channel is not None:
            self._check_channel(asked.channel)
        request = Request(
            customer_id=asked.customer_id,
            decision_id=f"d-{self._random.getrandbits(128):032x}",
            channel=asked.channel,
            direction=asked.direction,
            request_id=asked.request_id,
            context=asked.context,
        )
        if asked.request_id is not None:
            with _available():
                before = self.store.find_decision(asked.request_id)
            if before is not None:
                fingerprint, first = before
                if fingerprint != request.fingerprint:
                    raise _reused(asked.request_id)
                return shown.decision(orjson.loads(first))
        uniform = self._random.random()
        for _ in range(RACES):
            read = self._read(asked.customer_id)
            now = read.customer.now(self.clock.now())
            values = self.vectors.of(read.state, now)
            scores = scoring.scores(self.vectors, self.champions.current, values)
            decision = decide(request, read.customer, scores, self.playbook, now, uniform)
            commit = await _done(self.store.commit_decision(decision))
            if commit.status == "committed":
                return shown.decision(decision.as_dict())
            if commit.status == "conflict":
                raise _reused(str(asked.request_id))
            if commit.status == "repeated" and commit.first is not None:
                return shown.decision(orjson.loads(commit.first))
        raise Problem("not-ready", "too many decisions about this customer at once; ask again", headers=_RETRY)

    def score(self, asked: ScoreRequest) -> Answer:
        """The champions' probabilities as of now, for every treatment in actions.yaml."""
        self._check_ready()
        read = self._read(asked.customer_id)
        now = read.customer.now(self.clock.now())
        values = self.vectors.of(read.state, now)
        champions = self.champions.current
        treatments = candidates(self.playbook.actions, None)
        chances = scoring.Propensities(champions.get("propensity"), values)(treatments)
        answer = {
            "customer_id": asked.customer_id,
            "as_of": clock.isoformat(now),
            "known": bool(read.state),
            "churn": scoring.churn(champions, values),
            "treatments": [
                {"action": c.action.name, "channel": c.channel, "propensity": p}
                for c, p in zip(treatments, chances, strict=True)
            ],
            "versions": self._versions(),
        }
        return answer | ({"features": self.vectors.named(values)} if asked.features else {})

    async def record(self, rows: Sequence[Any]) -> Answer:
        """received = accepted + duplicates + quarantined; what is accepted or quarantined is on disk."""
        now = self.clock.now()
        erased = self._erased(intake.named(rows, "customer_id"))
        taken, refused = intake.check(rows, self.workspace.settings.channels, now, erased)
        if refused:
            with _available():
                await asyncio.to_thread(intake.keep, self.workspace.quarantine, refused, now)
        accepted = (await _done(self.store.record(taken))).accepted if taken else 0
        return {
            "received": len(rows),
            "accepted": accepted,
            "duplicates": len(taken) - accepted,
            "quarantined": len(refused),
            "quarantine": [row.as_dict() for row in refused],
        }

    async def record_attributes(self, rows: Sequence[Any]) -> Answer:
        """The same for records of customer attributes."""
        now = self.clock.now()
        taken, refused = intake.check_attributes(rows, now, self._erased(intake.named(rows, "customer_id")))
        if refused:
            with _available():
                await asyncio.to_thread(intake.keep, self.workspace.quarantine, refused, now)
        accepted = (await _done(self.store.record_attributes(taken))).accepted if taken else 0
        return {
            "received": len(rows),
            "accepted": accepted,
            "duplicates": len(taken) - accepted,
            "quarantined": len(refused),
            "quarantine": [row.as_dict("customer_id") for row in refused],
        }

    async def record_links(self, rows: Sequence[Any]) -> Answer:
        """The same for links of identifiers; who is who from the next reading on."""
        now = self.clock.now()
        erased = self._erased(intake.named(rows, "customer_id", "identifier"))
        taken, refused = intake.check_links(rows, self.workspace.settings, now, erased)
        if refused:
            with _available():
                await asyncio.to_thread(intake.keep, self.workspace.quarantine, refused, now)
        accepted = (await _done(self.store.record_links(taken))).accepted if taken else 0
        return {
            "received": len(rows),
            "accepted": accepted,
            "duplicates": len(taken) - accepted,
            "quarantined": len(refused),
            "quarantine": [row.as_dict("identifier") for row in refused],
        }

    async def outcome(self, told: OutcomeRequest) -> Answer:
        """An outcome is an interaction that carries the decision it came from."""
        with _available():
            found = self.store.decision(told.decision_id)
        if found is None:
            raise Problem("not-found", f"no decision {told.decision_id!r} was made here")
        decision = orjson.loads(found)
        if told.outcome in ("sent", "failed"):
            raise Problem("conflict", f"report it as POST /v1/contacts/{{contact_id}}/{told.outcome}")
        channel = told.channel or decision["treatment_channel"] or decision["channel"]
        if channel is None:
            raise _field("channel", "is missing", "the decision was silence on no channel: say where this happened")
        customer = self._read(decision["customer_id"]).customer  # an opt-out is not older than what we know already
        now = customer.now(max(self.clock.now(), clock.parse_instant(decision["at"])))
        occurred_at = now if told.occurred_at is None else told.occurred_at
        problems = intake.misfits(channel, occurred_at, self.workspace.settings.channels, now)
        if problems:
            raise invalid(problems)
        outcome_id = told.outcome_id or f"outcome:{told.decision_id}:{told.outcome}"
        row = {
            "interaction_id": outcome_id,
            "customer_id": decision["customer_id"],
            "occurred_at": occurred_at,
            "channel": channel,
            "direction": "outbound" if told.outcome in _OURS else "inbound",
            "type": told.outcome,
            "value": told.value,
            "topic": None,
            "case_id": None,
            "decision_id": told.decision_id,
            "action": decision["action"],
            "satisfaction": None,
            "identified": True,
            "provenance": "observed",
            "received_at": now,
            "attributes": None,
        }
        receipt = await _done(self.store.record([row]))
        return {
            "outcome_id": outcome_id,
            "decision_id": told.decision_id,
            "customer_id": decision["customer_id"],
            "outcome": told.outcome,
            "accepted": receipt.accepted == 1,
        }

    async def claim(self, contact_id: str) -> Answer:
        """The channel is about to send: judged once more, with what is known by now."""
        return await self._contact(self.store.claim(contact_id, self.clock.now(), self._recheck))

    async def sent(self, contact_id: str) -> Answer:
        return await self._contact(self.store.sent(contact_id, self.clock.now()))

    async def failed(self, contact_id: str, detail: str | None) -> Answer:
        return await self._contact(self.store.failed(contact_id, self.clock.now(), detail or ""))

    def _erased(self, ids: Collection[str]) -> set[str]:
        with _available():
            return self.store.erased(ids) if ids else set()

    def _read(self, customer_id: str) -> Read:
        with _available():
            return self.store.read(customer_id)

    def _recheck(self, customer: Customer, contact: Contact, now: int) -> str | None:
        book = self.playbook
        trips = guard.judge_claim(customer, contact, book.actions, book.policy, now)
        return "; ".join(trip.text for trip in trips) or None

    async def _contact(self, future: "Future[Contact]") -> Answer:
        try:
            contact = await _done(future)
        except Unknown as error:
            raise Problem("not-found", str(error)) from None
        except Conflict as error:
            raise Problem("conflict", str(error)) from None
        return shown.contact(contact)

    def _keys(self) -> dict[str, str]:
        stored = self.store.keys()
        return {key.hash: key.name for key in stored if key.revoked_at is None}

    def _lacking(self) -> list[str]:
        """Kinds of model that a decision needs and has not: a stated fallback stands in for propensity."""
        needed = [kind for kind in KINDS if kind not in self.champions.current]
        if self.playbook.policy.fallback.propensity is not None:
            needed = [kind for kind in needed if kind != "propensity"]
        return needed

    def _check_ready(self) -> None:
        if self._lacking() or not self._warm:
            missing = [self.champions.problems.get(kind, f"{kind}: no champion yet") for kind in self._lacking()]
            detail = "; ".join(missing) or "the kernel is being compiled"
            raise Problem("not-ready", detail, headers=_RETRY)

    def _check_channel(self, channel: str) -> None:
        if channel not in self.workspace.settings.channels:
            raise invalid([intake.unknown_channel(channel, self.workspace.settings.channels)])

    def _versions(self) -> Answer:
        models = {kind: champion.describe() for kind, champion in self.champions.current.items()}
        return {"policy": self.playbook.version, "catalogue": self.vectors.catalogue.version, "models": models}

    def _check_written(self) -> None:
        """An editor empties a file before it fills it; for that moment no cap would bind."""
        for file in (self.workspace.actions_file, self.workspace.policy_file):
            if file.exists() and not file.stat().st_size:
                raise WorkspaceError(f"{file}: is empty; write at least `{{}}` where you mean all defaults")

    def _stamps(self) -> tuple[tuple[int, int] | None, ...]:
        """When each file was written, and its size: two writes can share one tick of the file system's clock."""
        files = (self.workspace.actions_file, self.workspace.policy_file)
        found = (file.stat() if file.exists() else None for file in files)
        return tuple(None if each is None else (each.st_mtime_ns, each.st_size) for each in found)


_RETRY: Mapping[str, str] = {"Retry-After": "1"}


async def _done(future: "Future[T]") -> T:
    """Waits until the store's thread has it on disk; a client that hangs up does not take the write back."""
    with _available():
        return await asyncio.shield(asyncio.wrap_future(future))


@contextmanager
def _available() -> Iterator[None]:
    """503 while the store cannot be read or written (a full disk, a lost file): not our mistake, nor the client's."""
    try:
        yield
    except (Unavailable, sqlite3.Error, OSError) as error:
        log.error("the store: %s", error)
        detail = f"the store is not available ({one_line(error)}); what was not acknowledged may be asked again"
        raise Problem("not-ready", detail, headers=_RETRY) from None


def _reused(request_id: str) -> Problem:
    return _field(
        "request_id",
        f"{request_id!r} was used for another question",
        "use a new request_id, or repeat the first question unchanged",
    )


def _field(name: str, what: str, fix: str) -> Problem:
    return invalid([FieldError(name, what, fix)])
