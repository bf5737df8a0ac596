"""A workspace being served: opened, warmed, refreshed when models or policies change, asked, closed.

Everything runs on one event loop; the store's own thread writes. Requests raise `Problem` for what is wrong with them.
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar, overload

from features import catalogue as catalogues
from features import clock
from features.catalogue import Catalogue
from features.tombstones import Graveyard
from features.workspace import Workspace
from serving import absorb, intake, policy_versions, scoring
from serving.auth import Keyring
from serving.challengers import Rivals
from serving.champions import EFFECTS, KINDS, Champions
from serving.decisions.eligibility import candidates
from serving.engine import contacts, deciding, recording
from serving.engine.policies import Policies
from serving.engine.volumes import Volumes
from serving.engine.waiting import RETRY, Answer, available, done
from serving.nudges.nudger import Nudger
from serving.problems import Problem, invalid
from serving.schemas import DecideRequest, ExplainRequest, OutcomeRequest, ScoreRequest
from serving.store import open_store
from serving.store.protocol import Key, Read, Store

T = TypeVar("T")


class Engine:
    """One workspace being served."""

    def __init__(self, workspace: Workspace, store: Store, catalogue: Catalogue | None = None) -> None:
        catalogue = catalogues.of(workspace) if catalogue is None else catalogue
        self.workspace = workspace
        self.store = store
        self._remote = not workspace.store_url.startswith("sqlite:")  # each question is a journey to a server
        self.volumes = Volumes(store)
        self.clock = workspace.clock()
        self.policies = Policies(workspace)
        self.playbook = self.policies.playbook
        self.vectors = scoring.Vectors(catalogue, workspace.settings, store.vocabulary())
        self.champions = Champions(workspace, catalogue)
        self.rivals = Rivals(workspace, catalogue)
        self.keyring = Keyring(self._keys)
        self.policy_problem: str | None = None
        self._warm = False
        self.nudger = Nudger(self)
        self.graveyard = Graveyard(workspace)
        self.random = random.Random(secrets.randbits(256))  # one seed: asking the system each time costs 80 us

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
        """Loads the champions, asks the store once and compiles what numba compiles: no decision is a first one."""
        self.champions.poll()
        self.rivals.poll()
        values = self.vectors.of(self.read("").state, self.clock.now())
        found = scoring.scores(self.vectors, self.champions.current, values)
        if found.propensity is not None:
            found.propensity(candidates(self.playbook.actions, None))
        policy_versions.keep(self.workspace, self.playbook, self.clock.now())
        self._warm = True

    def refresh(self, models: bool = True) -> bool:
        """Takes up changed policy files and new champions, each as a whole or not at all; True where one changed.

        Files first: a registry that hangs must not keep an old policy in use.
        """
        changed = self.policies.poll()
        if self._warm and self.policies.playbook is not self.playbook:
            policy_versions.keep(self.workspace, self.policies.playbook, self.clock.now())
        self.playbook, self.policy_problem = self.policies.playbook, self.policies.problem
        if models:
            changed = self.champions.poll() or changed
            changed = self.rivals.poll() or changed
        return changed

    def readiness(self) -> Answer:
        """What is there and what is missing; `ready` where a decision would be answered now."""
        missing = self._missing()
        if not self._warm:
            missing.append("the kernel is being compiled")
        if (broken := self.store.ready()) is not None:
            missing.append(f"the store: {broken}")
        used = self.champions.current
        notes = [text for kind, text in self.champions.problems.items() if kind in used or kind in EFFECTS]
        notes += [
            f"{self._problem(kind)}; until then every decision takes {stated:g}, the `fallback` of contact_policy.yaml"
            for kind, stated in self._fallback().items()
            if stated is not None and kind not in used
        ]
        if "uplift" in used and (gone := used["uplift"].effects.unlisted(self.playbook.actions.by_name)):
            notes.append(
                f"uplift: learned for {', '.join(gone[:5])}, which actions.yaml does not list; an action under a new "
                "name goes by the prior until `tactful train uplift` has seen it"
            )
        notes += self.rivals.problems()
        if self.policy_problem is not None:
            notes.append(self.policy_problem)
        return {
            "ready": not missing,
            "missing": missing,
            "notes": notes,
            "workspace": self.workspace.settings.name,
            "now": clock.isoformat(self.clock.now()),
            "versions": self.versions(),
        }

    def close(self) -> None:
        self.volumes.close()
        self.store.close()

    @overload
    async def decide(self, asked: DecideRequest) -> Answer: ...
    @overload
    async def decide(self, asked: DecideRequest, told: Callable[[Answer], T]) -> T: ...
    async def decide(self, asked: DecideRequest, told: Callable[[Answer], Any] = dict) -> Any:
        """The answer, or what `told` makes of it."""
        return await deciding.decide(self, asked, told)

    def explain(self, asked: ExplainRequest, read: Read | None = None) -> Answer:
        """`read`, where the customer was fetched before."""
        return deciding.explain(self, asked, self.read(asked.customer_id) if read is None else read)

    def score(self, asked: ScoreRequest, read: Read | None = None) -> Answer:
        return deciding.score(self, asked, self.read(asked.customer_id) if read is None else read)

    async def record(self, rows: Sequence[Any]) -> Answer:
        return await recording.record(self, rows)

    async def record_attributes(self, rows: Sequence[Any]) -> Answer:
        return await recording.record_attributes(self, rows)

    async def record_links(self, rows: Sequence[Any]) -> Answer:
        return await recording.record_links(self, rows)

    async def outcome(self, told: OutcomeRequest) -> Answer:
        return await recording.outcome(self, told)

    async def claim(self, contact_id: str, claim_id: str | None = None) -> Answer:
        return await contacts.claim(self, contact_id, claim_id)

    async def sent(self, contact_id: str) -> Answer:
        return await contacts.sent(self, contact_id)

    async def failed(self, contact_id: str, detail: str | None) -> Answer:
        return await contacts.failed(self, contact_id, detail)

    def read(self, customer_id: str) -> Read:
        with available():
            return self.store.read(customer_id)

    async def fetch(self, customer_id: str) -> Read:
        """The same, beside other decisions where the answer has to travel."""
        if not self._remote:
            return self.read(customer_id)
        with available():
            fetched = self.store.fetch(customer_id)
        return await done(fetched)

    async def aside(self, ask: Callable[..., T], *arguments: Any) -> T:
        """What a question to the store finds, beside other decisions where the answer has to travel."""
        with available():
            return await asyncio.to_thread(ask, *arguments) if self._remote else ask(*arguments)

    async def written(self, future: "Future[T]") -> T:
        """What a write to the store comes to, once it is on disk."""
        return await done(future)

    def _keys(self) -> list[Key]:
        with available():
            return self.store.keys()

    def _fallback(self) -> dict[str, float | None]:
        """What the policy states in place of each kind of model that a decision needs."""
        stated = self.playbook.policy.fallback
        return {"churn": stated.churn, "propensity": stated.propensity}

    def _lacking(self) -> list[str]:
        """Kinds of model that a decision needs and has not, and for which the policy states no fallback."""
        stated = self._fallback()
        return [kind for kind in KINDS if kind not in self.champions.current and stated[kind] is None]

    def _problem(self, kind: str) -> str:
        return self.champions.problems.get(kind, f"{kind}: no champion yet")

    def _missing(self) -> list[str]:
        """Why no decision can be made for want of models, a line each."""
        return [
            f"{self._problem(kind)}, or state a `fallback: {{{kind}: ...}}` in contact_policy.yaml"
            for kind in self._lacking()
        ]

    def check_ready(self) -> None:
        if not self._warm or self._lacking():
            detail = "; ".join(self._missing()) or "the kernel is being compiled"
            raise Problem("not-ready", detail, headers=RETRY)

    def check_channel(self, channel: str) -> None:
        if channel not in self.workspace.settings.channels:
            raise invalid([intake.unknown_channel(channel, self.workspace.settings.channels)])

    def versions(self) -> Answer:
        models = {kind: champion.describe() for kind, champion in self.champions.current.items()}
        return {"policy": self.playbook.version, "catalogue": self.vectors.catalogue.version, "models": models}
