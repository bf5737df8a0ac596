"""Decisions and scores: read the customer, judge in plain Python, commit by compare-and-swap, judge again if lost."""

from typing import TYPE_CHECKING

import orjson

from features import clock
from serving import metrics, scoring, shown
from serving.decisions.decide import decide as decided
from serving.decisions.decision import Request
from serving.decisions.eligibility import candidates
from serving.engine.waiting import RACES, RETRY, Answer, available, done, field
from serving.problems import Problem
from serving.schemas import DecideRequest, ScoreRequest

if TYPE_CHECKING:
    from serving.engine.engine import Engine


async def decide(engine: "Engine", asked: DecideRequest) -> Answer:
    """One decision, on disk, with its contact reserved; for a known request_id the first answer again."""
    engine.check_ready()
    if asked.channel is not None:
        engine.check_channel(asked.channel)
    request = Request(
        customer_id=asked.customer_id,
        decision_id=f"d-{engine.random.getrandbits(128):032x}",
        channel=asked.channel,
        direction=asked.direction,
        request_id=asked.request_id,
        context=asked.context,
    )
    if asked.request_id is not None:
        with available():
            before = engine.store.find_decision(asked.request_id)
        if before is not None:
            fingerprint, first = before
            if fingerprint != request.fingerprint:
                raise _reused(asked.request_id)
            return shown.decision(orjson.loads(first))
    uniform = engine.random.random()
    for _ in range(RACES):
        read = engine.read(asked.customer_id)
        now = read.customer.now(engine.clock.now())
        values = engine.vectors.of(read.state, now)
        scores = scoring.scores(engine.vectors, engine.champions.current, values)
        decision = decided(request, read.customer, scores, engine.playbook, now, uniform)
        commit = await done(engine.store.commit_decision(decision))
        if commit.status == "committed":
            metrics.decided(decision)
            return shown.decision(decision.as_dict())
        if commit.status == "conflict":
            raise _reused(str(asked.request_id))
        if commit.status == "repeated" and commit.first is not None:
            return shown.decision(orjson.loads(commit.first))
    raise Problem("not-ready", "too many decisions about this customer at once; ask again", headers=RETRY)


def score(engine: "Engine", asked: ScoreRequest) -> Answer:
    """The champions' probabilities as of now, for every treatment in actions.yaml."""
    engine.check_ready()
    read = engine.read(asked.customer_id)
    now = read.customer.now(engine.clock.now())
    values = engine.vectors.of(read.state, now)
    champions = engine.champions.current
    treatments = candidates(engine.playbook.actions, None)
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
        "versions": engine.versions(),
    }
    return answer | ({"features": dict(engine.vectors.named(values))} if asked.features else {})


def _reused(request_id: str) -> Problem:
    return field(
        "request_id",
        f"{request_id!r} was used for another question",
        "use a new request_id, or repeat the first question unchanged",
    )
