"""History as the uplift and overview reports need it: kept by day, read as arrays.

Two partial results (training/reports/daily.py): what customers did that counts (goals, opt-outs, signs of life, offers
by other tools), and of each decision what was drawn with which probabilities. Customers are persons: who turned out to
be one counts once, in the arm of their first decision.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import decision_log
from features.clock import DAY
from features.history import History
from features.interactions import OPTED_OUT
from features.kernel.grouping import Names
from features.sensitive import is_sensitive, sensitive_topics
from features.workspace import Settings, Workspace, WorkspaceError
from serving.decisions import policy
from serving.decisions.policy import Playbook
from training.persons import Persons
from training.reports.daily import Partial, Rows, up_to_date
from training.reports.uplift.events import Events

FOREVER = np.iinfo(np.int64).max // 2

#: The first decision of the day, the first in which a contact was possible, and every decision that drew a contact.
#: Cells are (action, channel, ghost, probability); `intended` is logged where an arm changed the distribution.
_DECIDED = f"""
WITH cells AS (
    SELECT *, coalesce(intended, distribution) AS meant FROM decisions
),
told AS (
    SELECT customer_id, epoch_us(decided_at) AS at, decision_id, policy_version, arm, experiment, cap_level,
        challenger,
        len(list_filter(meant, lambda cell:
            cell.action IS NOT NULL AND NOT list_contains($helping, cell.action))) > 0 AS possible,
        coalesce(action, ghost) AS drawn, coalesce(treatment_channel, ghost_channel) AS channel,
        ghost IS NOT NULL AS withheld,
        CASE WHEN coalesce(action, ghost) IS NOT NULL THEN list_filter(distribution, lambda cell:
            cell.action = coalesce(action, ghost)
            AND cell.channel IS NOT DISTINCT FROM coalesce(treatment_channel, ghost_channel)) END AS own
    FROM cells
),
ranked AS (
    SELECT *, "at" // {DAY} AS day,
        row_number() OVER (PARTITION BY customer_id, "at" // {DAY} ORDER BY "at", decision_id) = 1 AS first_seen,
        possible AND row_number() OVER (
            PARTITION BY customer_id, "at" // {DAY}, possible ORDER BY "at", decision_id) = 1 AS first_possible
    FROM told
)
SELECT day, customer_id, "at", decision_id, policy_version, arm, experiment, cap_level, challenger, possible,
    first_seen, drawn, channel, withheld, list_sum([cell.probability FOR cell IN own IF NOT cell.ghost]) AS made_chance,
    list_sum([cell.probability FOR cell IN own IF cell.ghost]) AS ghost_chance
FROM ranked WHERE first_seen OR first_possible OR drawn IS NOT NULL
"""
_DECISIONS = [
    "decision_id", "decided_at", "customer_id", "action", "treatment_channel", "ghost", "ghost_channel",
    "policy_version", "arm", "experiment", "cap_level", "challenger", "distribution", "intended",
]  # fmt: skip


@dataclass(frozen=True)
class Log:
    """A workspace's history: `did` and `decided` are the partial results; `known_until` in microseconds."""

    workspace: Workspace
    playbook: Playbook
    did: pa.Table
    decided: pa.Table
    persons: Persons
    known_until: int
    known_since: int

    @classmethod
    def read(cls, workspace: Workspace) -> "Log":
        """Raises WorkspaceError where there are no interactions."""
        playbook, history = policy.load(workspace), History(workspace)
        did = up_to_date(workspace, _did(workspace.settings))
        days = history.logs["interactions"].days()
        if not days:
            raise WorkspaceError(
                f"{workspace.history}: there are no interactions to report on; `tactful ingest FILE` first"
            )
        newest = history.interactions(["occurred_at"], since=max(days) * DAY)
        known = min(workspace.clock().now(), pc.max(newest["occurred_at"]).cast(pa.int64()).as_py() + 1)
        helping = [action.name for action in playbook.actions.actions if not playbook.policy.sells(action)]
        decided = up_to_date(workspace, _decided(helping))
        if not decided.num_columns:
            decided = _NONE_DECIDED
        did, decided = _coded(did), _coded(decided)
        # sorted, so that sums come out the same whichever day was read first
        ids = pc.unique(pa.concat_arrays([_distinct(did), _distinct(decided)])).sort()
        persons = Persons.of(ids.to_numpy(zero_copy_only=False), history.links(), workspace.settings)
        return cls(workspace, playbook, did, decided, persons, known, min(days) * DAY)

    @property
    def settings(self) -> Settings:
        return self.workspace.settings

    @property
    def people(self) -> int:
        """How many positions persons have."""
        return len(self.persons.ids)

    @cached_property
    def goals(self) -> Events:
        """Goal interactions with their money."""
        return self.events(self.settings.goal)

    @cached_property
    def opt_outs(self) -> Events:
        return self.events([OPTED_OUT])

    @cached_property
    def seen_first(self) -> np.ndarray:
        """int64[k]: when each person who did anything that counts did so first, microseconds."""
        found = np.full(self.people, FOREVER)
        np.minimum.at(found, self.did_by, self.did["at"].to_numpy())
        return found[found < FOREVER]

    def events(self, types: Sequence[str]) -> Events:
        """Those of these types, by person."""
        rows = self._are(types)
        at, value = (self.did[name].to_numpy()[rows] for name in ("at", "value"))
        return Events.of(self.did_by[rows], at, np.nan_to_num(value), self.people)

    def _are(self, types: Sequence[str]) -> np.ndarray:
        """bool[did]: which rows are of these types."""
        return np.asarray(pc.is_in(self.did["type"], pa.array(types)).to_numpy(), bool)

    @cached_property
    def did_by(self) -> np.ndarray:
        """int64[did]: the person of each row."""
        return self.person(self.did["customer_id"])

    def person(self, ids: pa.ChunkedArray) -> np.ndarray:
        """int64[n]: the position of the person behind each id."""
        codes = pc.dictionary_encode(ids).combine_chunks()
        place = pc.index_in(codes.dictionary.cast(pa.large_string()), self._ids).to_numpy(zero_copy_only=False)
        return np.asarray(self.persons.at(FOREVER)[place][codes.indices.to_numpy()], np.int64)

    @cached_property
    def _ids(self) -> pa.Array:
        return pa.array(self.persons.ids, pa.large_string())

    def offers_of_others(self) -> pa.Table:
        """Outbound offers that no decision of ours caused: customer_id (the person), occurred_at, action, channel."""
        offers = self._by_person(["at", "action", "channel", "decision_id"], self.did["offer"])
        if offers.num_rows:
            ours = pc.is_in(offers["decision_id"], self.decided["decision_id"].combine_chunks())
            offers = offers.filter(pc.invert(ours))
        at = offers["at"].cast(_INSTANT)
        return offers.select(["customer_id", "action", "channel"]).append_column("occurred_at", at)

    def goal_rows(self) -> pa.Table:
        """Goal interactions as rows: customer_id (the person), occurred_at, value."""
        rows = self._by_person(["at", "value"], pa.array(self._are(self.settings.goal)))
        return rows.select(["customer_id", "value"]).append_column("occurred_at", rows["at"].cast(_INSTANT))

    def _by_person(self, columns: Sequence[str], chosen: pa.ChunkedArray | pa.Array) -> pa.Table:
        """Some rows and columns of what customers did, the person's position for the customer's id."""
        return self.did.select(columns).append_column("customer_id", pa.array(self.did_by)).filter(chosen)


_INSTANT = pa.timestamp("us", tz="UTC")
_NONE_DECIDED = pa.schema(
    [
        ("day", pa.int32()), ("customer_id", pa.string()), ("at", pa.int64()), ("decision_id", pa.string()),
        ("policy_version", pa.string()), ("arm", pa.string()), ("experiment", pa.string()),
        ("cap_level", pa.float64()), ("challenger", pa.bool_()), ("possible", pa.bool_()), ("first_seen", pa.bool_()),
        ("drawn", pa.string()), ("channel", pa.string()), ("withheld", pa.bool_()), ("made_chance", pa.float64()),
        ("ghost_chance", pa.float64()),
    ]
).empty_table()  # fmt: skip


def _coded(table: pa.Table) -> pa.Table:
    """The same with each customer's id once, in one dictionary."""
    if not table.num_columns:
        return table
    names, chunks = Names(), table["customer_id"].chunks
    place = [names.positions(chunk, np.ones(len(chunk), bool)) for chunk in chunks]
    ids = pa.DictionaryArray.from_arrays(pa.array(np.concatenate([np.zeros(0, np.int32), *place])), names.to_arrow())
    return table.set_column(table.schema.get_field_index("customer_id"), "customer_id", ids)


def _distinct(table: pa.Table) -> pa.Array:
    """The customers of a coded table."""
    return table["customer_id"].chunk(0).dictionary if table.num_columns else pa.array([], pa.large_string())


def _did(settings: Settings) -> Partial:
    """What counts of what customers did; sensitive topics stay out, so that no total leaks them."""
    rule = settings.churn
    types = sorted({*settings.goal, *rule.qualifying, *([rule.event] if rule.event else []), OPTED_OUT})
    offers, sensitive = sorted(settings.propensity.offers), sorted(sensitive_topics(settings))

    def compute(rows: Rows) -> pa.Table:
        topics = rows.sql("SELECT DISTINCT topic FROM log WHERE list_contains($types, type)", types=types)["topic"]
        hidden = [topic for topic in topics.to_pylist() if is_sensitive(topic, sensitive)]
        return rows.sql(
            """SELECT day, customer_id, epoch_us(occurred_at) AS at, type, value,
                   direction = 'outbound' AND list_contains($offers, type) AS offer,
                   CASE WHEN offer THEN action END AS action, CASE WHEN offer THEN channel END AS channel,
                   CASE WHEN offer THEN decision_id END AS decision_id
               FROM log WHERE (list_contains($types, type) AND NOT list_contains($hidden, coalesce(topic, '')))
                   OR (direction = 'outbound' AND list_contains($offers, type))""",
            types=types,
            offers=offers,
            hidden=hidden,
        )

    return Partial("uplift_did", _version(3, types, offers, sensitive), "interactions", compute)


def _decided(helping: Sequence[str]) -> Partial:
    """What was drawn. Actions named in `helping` make no contact possible: held-out customers get those too."""

    def compute(rows: Rows) -> pa.Table:
        table = decision_log.read(History(rows.workspace), _DECISIONS, rows.since, rows.until)
        rows.database.register("decisions", table)
        found: pa.Table = rows.database.sql(_DECIDED, params={"helping": list(helping)}).to_arrow_table()
        return found.cast(_NONE_DECIDED.schema)

    return Partial("uplift_decided", _version(2, sorted(helping)), "decisions", compute)


def _version(number: int, *of: Sequence[str]) -> str:
    """Of the code, and of what else the rows depend on."""
    return f"{number}-{hashlib.sha256(json.dumps(of).encode()).hexdigest()[:12]}"
