"""Decisions and scores: read the customer, judge in plain Python, commit by compare-and-swap, judge again if lost."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from features import clock
from serving import metrics, scoring, shadow, shown
from serving.decisions.arbitration import charged
from serving.decisions.arms import arms
from serving.decisions.decide import decide as decided
from serving.decisions.decision import Decision, Placement, Request
from serving.decisions.eligibility import candidates
from serving.decisions.guard.standing import standing
from serving.engine import contacts
from serving.engine.volumes import limited
from serving.engine.waiting import RACES, RETRY, Answer, done, field
from serving.problems import Problem
from serving.schemas import DecideRequest, ExplainRequest, ScoreRequest
from serving.store.protocol import Read

if TYPE_CHECKING:
    from serving.engine.engine import Engine

T = TypeVar("T")


async def decide(engine: "Engine", asked: DecideRequest, told: Callable[[Answer], T]) -> T:
    """One decision, on disk, with its contacts reserved; for a known request_id the first answer again.

    Returns what `told` makes of the answer, as soon as there is one: see `answered`.
    """
    engine.check_ready()
    request = _request(engine, asked)
    if request.dry_run:
        read = await engine.fetch(request.customer_id)
        return told(shown.decision(explained(engine, request, read).as_dict()))
    if asked.claim:
        return told(await _claimed(engine, await answered(engine, request, shown.decision)))
    return await answered(engine, request, lambda logged: told(shown.decision(logged)))


def explain(engine: "Engine", asked: ExplainRequest, read: Read) -> Answer:
    """What a decision would be, as of now or of a later instant, with everything there is to know; leaves no trace."""
    engine.check_ready()
    return shown.decision(explained(engine, replace(_request(engine, asked), dry_run=True), read, asked.at).as_dict())


def explained(engine: "Engine", request: Request, read: Read, at: int | None = None) -> Decision:
    """A dry run: nothing is reserved, logged, leased, counted or learned."""
    now = read.customer.now(engine.clock.now()) if at is None else at
    if now < read.customer.seen_to:
        known = clock.isoformat(read.customer.seen_to)
        raise field("at", f"lies before what is known of the customer already ({known})", "ask about that or later")
    return _decided(engine, request, read, now, engine.random.random())


async def answered(
    engine: "Engine",
    request: Request,
    told: Callable[[Mapping[str, Any]], T],
    prepared: Callable[[Decision], Decision] | None = None,
) -> T:
    """A decision on disk, and what `told` makes of it as logged. `prepared` has the last word on what is committed
    (the outbox's part of it).

    What is told is made before the disk is waited for, and the decision itself, hundreds of objects, is let go: some
    milliseconds and fifteen other decisions later they would have to be fetched from memory, only to be freed.
    """
    if request.request_id is not None:
        before = await engine.aside(engine.store.find_decision, request.request_id)
        if before is not None:
            fingerprint, first = before
            if fingerprint != request.fingerprint:
                raise _reused(request.request_id)
            return told(orjson.loads(first))
    uniform = engine.random.random()
    for _ in range(RACES):
        read = await engine.fetch(request.customer_id)
        playbook = engine.playbook
        decision = _decided(engine, request, read, read.customer.now(engine.clock.now()), uniform)
        if prepared is not None:
            decision = prepared(decision)
        if not await engine.volumes.take(decision, playbook):
            continue
        committing, counted, answer = (
            engine.store.commit_decision(decision),
            metrics.of(decision),
            told(decision.as_dict()),
        )
        held = decision if limited(decision) else None
        del decision, read
        commit = await done(committing)
        if commit.status == "committed":
            metrics.decided(counted)
            return answer
        if held is not None:
            engine.volumes.give_back(held, playbook)  # where the store fails we cannot know: it stays taken
        if commit.status == "conflict":
            raise _reused(str(request.request_id))
        if commit.status == "repeated" and commit.first is not None:
            return told(orjson.loads(commit.first))
    raise Problem("not-ready", "too many decisions about this customer at once; ask again", headers=RETRY)


async def _claimed(engine: "Engine", answer: Answer) -> Answer:
    """A live channel sends at once: its contacts are claimed, too. Asked again for the same request_id, once only."""
    for slot in answer["slots"]:
        if slot["contact_id"] is not None:
            try:
                await contacts.claim(engine, slot["contact_id"], f"with {slot['contact_id']}")
                slot["claimed"] = True
            except Problem as problem:  # something came in between: it may not go out any more
                if problem.slug != "conflict":
                    raise
                slot["reasons"] = [problem.detail, *slot["reasons"]]
    first = answer["slots"][0]
    return answer | {"claimed": first["claimed"], "reasons": first["reasons"]}


def new_id(engine: "Engine", kind: str = "d") -> str:
    """For a decision: its instant, then 72 random bits.

    In the order of time, so that an index of them grows at its end: of random ids every one would change a page of its
    own, which is written, and read where there are millions.
    """
    return f"{kind}-{engine.clock.now():014x}{engine.random.getrandbits(72):018x}"


def _request(engine: "Engine", asked: DecideRequest) -> Request:
    """Raises Problem where it names a channel that is none of the workspace's."""
    placements = tuple(Placement(each.name, each.channel, tuple(each.tags)) for each in asked.placements)
    for channel in (asked.channel, *(placement.channel for placement in placements)):
        if channel is not None:
            engine.check_channel(channel)
    kind = "x" if asked.dry_run or isinstance(asked, ExplainRequest) else "d"  # no decision of this id is kept
    return Request(
        customer_id=asked.customer_id,
        decision_id=new_id(engine, kind),
        channel=asked.channel,
        direction=asked.direction,
        request_id=asked.request_id,
        context=asked.context,
        limit=asked.limit,
        placements=placements,
        dry_run=asked.dry_run,
    )


def _decided(engine: "Engine", request: Request, read: Read, now: int, uniform: float) -> Decision:
    """One judgement, by what is in use at this moment."""
    playbook, champions, rivals = engine.playbook, engine.champions.current, engine.rivals
    challenged = bool(rivals.challengers) and arms(read.customer.arm_id, playbook.policy).challenger
    models = rivals.playing(champions, challenged)
    values = engine.vectors.of(read.opened, now)
    earlier = now - playbook.policy.signals.age
    delayed = scoring.Delayed(models.get("propensity"), engine.vectors, read.opened, earlier)
    scores = scoring.scores(engine.vectors, models, values, delayed)
    if challenged:
        scores = replace(scores, positives=scoring.positives(champions))
    if rivals.shadows and not request.dry_run:
        scores = shadow.beside(scores, rivals.shadows, values, delayed)
    return decided(request, read.customer, scores, playbook, now, uniform, engine.volumes.spent(playbook, now))


def score(engine: "Engine", asked: ScoreRequest, read: Read) -> Answer:
    """What the champions say as of now of every treatment in actions.yaml."""
    engine.check_ready()
    now = read.customer.now(engine.clock.now())
    values = engine.vectors.of(read.opened, now)
    champions = engine.champions.current
    treatments = candidates(engine.playbook.actions, None)
    chances = scoring.Propensities(champions.get("propensity"), values)(treatments)
    uplift, harm = scoring.uplifts(champions, values), scoring.harms(champions, values)
    unknown = [None] * len(treatments)
    learned = unknown if uplift is None else uplift(treatments)
    stands = standing(read.customer, engine.playbook, now)
    harms = unknown if harm is None else charged(treatments, harm(treatments, stands, now), engine.playbook.policy)
    answer = {
        "customer_id": asked.customer_id,
        "as_of": clock.isoformat(now),
        "known": bool(read.state),
        "churn": scoring.churn(champions, values),
        "treatments": [
            {"action": c.action.name, "channel": c.channel, "propensity": p, "uplift": u, "harm": h}
            for c, p, u, h in zip(treatments, chances, learned, harms, strict=True)
        ],
        "versions": engine.versions(),
    }
    return answer | ({"features": dict(engine.vectors.named(values))} if asked.features else {})


def _reused(request_id: str) -> Problem:
    return field(
        "request_id",
        f"{request_id!r} was used for another question",
        "use a new request_id, or repeat the first question unchanged",
    )
