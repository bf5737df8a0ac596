"""Everything that is known of one person, read once, aside the event loop: store, history, scores, what is left.

What is about a sensitive topic is left out here, so that no page can show it by mistake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from features import clock
from features.declared import about
from features.sensitive import is_sensitive, sensitive_topics
from serving import scoring
from serving.console import past
from serving.console.left import Left, left
from serving.console.look import Look
from serving.console.past import Days, Only, Row
from serving.console.reasons import Reasons, reasons
from serving.decisions import agent
from serving.decisions.arbitration import charged
from serving.decisions.arms import Arms, arms
from serving.decisions.candidate import Candidate
from serving.decisions.eligibility import candidates
from serving.decisions.guard.standing import standing
from serving.engine import Engine
from serving.store.protocol import Read

#: Events on a page of the timeline.
PAGE = 40
#: Customers that one is compared with; they are drawn from the first so many ids.
OTHERS, POOL = 24, 1_000
#: What `str.strip` takes away.
_BLANKS = "".join(letter for letter in map(chr, range(0x3001)) if letter.isspace())
#: What a timeline may be narrowed to.
KINDS = ("all", "theirs", "ours", "decisions")


@dataclass(frozen=True)
class Wanted:
    """Which part of the timeline: before an instant (microseconds), on a channel, of one of KINDS."""

    before: int
    channel: str = ""
    kind: str = "all"


@dataclass(frozen=True)
class Scored:
    """One treatment: the model's probability of a response, learned effect and harm, each None where unknown."""

    action: str
    channel: str
    propensity: float | None
    uplift: float | None
    harm: float | None


@dataclass(frozen=True)
class Person:
    """`rows` are interactions, `decided` decisions, each newest first; `older` whether the log goes on before them.

    `churn` and `offer` are explained probabilities, None without a model.
    `contacts` are states of our contacts by decision.
    """

    customer_id: str
    ids: Sequence[str]
    read: Read
    now: int
    arms: Arms
    attributes: Mapping[str, Any]
    agent: Mapping[str, Any]
    left: Sequence[Left]
    features: Mapping[str, float | str | None]
    churn: Reasons | None
    scored: Sequence[Scored]
    offer: tuple[Scored, Reasons] | None
    contacts: Mapping[str, str]
    looks: Sequence[Mapping[str, Any]]
    rows: Sequence[Row]
    decided: Sequence[Row]
    older: int | None

    @property
    def known(self) -> bool:
        return bool(self.read.version or self.read.state or self.rows or self.decided)


def person(look: Look, customer_id: str, wanted: Wanted) -> Person:
    """Of somebody whose data may be processed. Slow as pages go (some tenths of a second where history is long): call
    it from a thread."""
    engine = look.engine
    store, playbook = engine.store, engine.playbook
    read = store.read(customer_id)
    customer = read.customer
    now = customer.now(engine.clock.now())
    ids = store.ids_of([customer_id])
    kept = store.export_customer(ids)
    topics = sensitive_topics(engine.workspace.settings)
    rows, decided, older = _log(look, ids, kept, wanted, past.active_days(read.state))
    others = _others(engine, now)
    values = engine.vectors.of(read.state, now)
    scored = _scored(engine, read, values, now)
    known = agent.view(customer, playbook.policy, now)
    return Person(
        customer_id=customer_id,
        ids=ids,
        read=read,
        now=now,
        arms=arms(customer.arm_id, playbook.policy),
        attributes={
            name: value
            for name, value in sorted(customer.attributes(now).items())
            if name != "consent" and not about(topics, name, value)
        },
        agent={**known, "open": [each for each in known["open"] if not is_sensitive(each["topic"], topics)]},
        left=left(customer, playbook, now),
        features=dict(engine.vectors.named(values)),
        churn=_churn(engine, values, others),
        scored=scored,
        offer=_offer(engine, scored, values, others),
        contacts={each["decision_id"]: each["state"] for each in kept["contacts"]},
        looks=sorted(kept["looks"], key=lambda look: -look["at"]),
        rows=rows,
        decided=decided,
        older=older,
    )


def decision(look: Look, ids: Sequence[str], decision_id: str, at: int) -> Row | None:
    """One decision about a person as it was logged, from the store, else from history."""
    logged = look.engine.store.decision(decision_id)
    if logged is None:
        kept: Row | None = look.away(past.decision, look.workspace, ids, decision_id, at)
        return kept
    found: Row = orjson.loads(logged)
    return found if found["customer_id"] in ids else None


def _log(
    look: Look, ids: Sequence[str], kept: Mapping[str, Sequence[Row]], wanted: Wanted, days: Days
) -> tuple[list[Row], list[Row], int | None]:
    """Interactions and decisions of one page, and where the next begins: None at the end."""
    topics = sorted(sensitive_topics(look.workspace.settings))
    rows, decided = [], []
    if wanted.kind != "decisions":
        live = [_live(row) for row in kept["interactions"]]
        only = _of_interactions(wanted, topics)
        logged = look.away(past.interactions, look.workspace, ids, wanted.before, PAGE + 1, only, days)
        rows = _one_each([row for row in live + logged if _fits(row, wanted, topics)], "interaction_id")
    if wanted.kind in ("all", "decisions"):
        live = [_decided(row) for row in kept["decisions"]]
        logged = look.away(past.decisions, look.workspace, ids, wanted.before, PAGE + 1, _of_decisions(wanted))
        decided = _one_each([row for row in live if _is_wanted(row, wanted)] + logged, "decision_id")
    instants = sorted((row["at"] for row in (*rows, *decided)), reverse=True)
    if len(instants) <= PAGE:
        return rows, decided, None
    last = instants[PAGE - 1]  # with all that happened at the same instant
    return [r for r in rows if r["at"] >= last], [r for r in decided if r["at"] >= last], _next(instants, last)


def _next(instants: Sequence[int], last: int) -> int | None:
    return last if instants[-1] < last else None


def _of_interactions(wanted: Wanted, topics: Sequence[str]) -> Only:
    """As `_fits`, in SQL, but for letters whose lower case DuckDB takes for another."""
    said, given = ["TRUE"], list[Any]()
    if topics:
        said.append(f"(topic IS NULL OR lower(trim(topic, ?)) NOT IN ({', '.join('?' * len(topics))}))")
        given += [_BLANKS, *topics]
    if wanted.channel:
        said.append("channel = ?")
        given.append(wanted.channel)
    if wanted.kind in ("theirs", "ours"):
        said.append("direction = ?")
        given.append("inbound" if wanted.kind == "theirs" else "outbound")
    return Only(" AND ".join(said), tuple(given))


def _fits(row: Row, wanted: Wanted, topics: Sequence[str]) -> bool:
    return (
        row["at"] < wanted.before
        and not is_sensitive(row["topic"], frozenset(topics))
        and wanted.channel in ("", row["channel"])
        and {"theirs": "inbound", "ours": "outbound"}.get(wanted.kind, row["direction"]) == row["direction"]
    )


def _of_decisions(wanted: Wanted) -> Only:
    """The same as `_is_wanted`, in SQL: among all events only those decisions that made or withheld something."""
    said, given = ["TRUE" if wanted.kind == "decisions" else "(action IS NOT NULL OR ghost IS NOT NULL)"], list[Any]()
    if wanted.channel:
        said.append("coalesce(treatment_channel, ghost_channel, channel) = ?")
        given.append(wanted.channel)
    return Only(" AND ".join(said), tuple(given))


def _is_wanted(row: Row, wanted: Wanted) -> bool:
    made = row["action"] is not None or row["ghost"] is not None
    channel = row["treatment_channel"] or row["ghost_channel"] or row["channel"]
    return row["at"] < wanted.before and (made or wanted.kind == "decisions") and wanted.channel in ("", channel)


def _live(row: Row) -> Row:
    """A row of the store's log as `past.interactions` has it."""
    return {
        **dict.fromkeys(("value", "topic", "case_id", "decision_id", "action", "satisfaction")),
        **row,
        "at": row["occurred_at"],
    }


def _decided(row: Row) -> Row:
    at = row["at"]
    return row | {"at": at if isinstance(at, int) else clock.parse_instant(at)}


def _one_each(rows: Sequence[Row], key: str) -> list[Row]:
    """Newest first; of two with one id the first in the list, which is the store's."""
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row[key], row)
    return sorted(found.values(), key=lambda row: (-row["at"], row[key]))


def _scored(engine: Engine, read: Read, values: np.ndarray, now: int) -> list[Scored]:
    """What the champions say of every treatment, the likeliest first; as `POST /v1/score` has it."""
    champions, treatments = engine.champions.current, candidates(engine.playbook.actions, None)
    unknown = [None] * len(treatments)
    chances = scoring.Propensities(champions.get("propensity"), values)(treatments)
    uplift, harm = scoring.uplifts(champions, values), scoring.harms(champions, values)
    learned = unknown if uplift is None else uplift(treatments)
    stands = standing(read.customer, engine.playbook, now)
    harms = unknown if harm is None else charged(treatments, harm(treatments, stands, now), engine.playbook.policy)
    found = [
        Scored(each.action.name, each.channel, p, u, h)
        for each, p, u, h in zip(treatments, chances, learned, harms, strict=True)
    ]
    return sorted(found, key=lambda each: (-(each.propensity or 0.0), each.action, each.channel))


def _churn(engine: Engine, values: np.ndarray, others: np.ndarray) -> Reasons | None:
    champion = engine.champions.current.get("churn")
    if champion is None or not len(others):
        return None
    scorer = champion.scorer
    return reasons(scorer.customers, scorer.features, engine.vectors.catalogue, values, others)


def _offer(
    engine: Engine, scored: Sequence[Scored], values: np.ndarray, others: np.ndarray
) -> tuple[Scored, Reasons] | None:
    """The likeliest response, and why."""
    champion = engine.champions.current.get("propensity")
    if champion is None or not len(others) or not scored or scored[0].propensity is None:
        return None
    best, scorer = scored[0], champion.scorer
    inputs = scoring.inputs_of(Candidate(engine.playbook.actions.by_name[best.action], best.channel))
    catalogue = engine.vectors.catalogue
    return best, reasons(lambda rows: scorer.customers(rows, inputs), scorer.features, catalogue, values, others)


def _others(engine: Engine, now: int) -> np.ndarray:
    """Feature vectors float64[K, F] of some customers, always the same ones while the store holds the same."""
    listed = engine.store.candidates_for_nudge(limit=POOL)
    some = listed[:: max(1, len(listed) // OTHERS)][:OTHERS]
    vectors = [engine.vectors.of(read.state, now) for read in engine.store.read_many(some)]
    return np.stack(vectors) if vectors else np.empty((0, 0))
