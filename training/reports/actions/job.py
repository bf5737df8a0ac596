"""Makes the actions report: one pass of DuckDB over decisions, one over contacts and their answers.

A contact is an outbound interaction with an action whose type the policy counts as one, whoever made it. It is answered
by the first interaction of the same customer about the same action, of a type that `propensity.responses` (opt-outs,
complaints) names, within the action's response window. Customers answer alike from contact to contact, so the rate's
error is added up by customer: of a ratio r = sum(y) / sum(n) over customers, var(r) = sum((y - r n)^2) / sum(n)^2
(Cochran, Sampling Techniques, 1977, section 6.3).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from features import clock
from features.daylog import DayLog
from features.decision_log import DECISIONS
from features.history import History
from features.interactions import SCHEMA
from features.workspace import Workspace, WorkspaceError
from serving.decisions import policy
from serving.decisions.policy import Playbook
from training.evaluate import Interval
from training.reports import keep
from training.reports.actions.artefact import Actions, Month, Stated, Treatment, Version
from training.reports.database import connect
from training.reports.models import runs
from training.reports.pressure.words import counted
from training.reports.wording import number, percent
from training.tracking import CHAMPION, Registry

#: Fewer contacts, or fewer responses, tell no rate.
LEAST_CONTACTS, LEAST_RESPONSES = 50, 5
#: Of an action that no decision made.
NOTHING = {"decided": 0, "withheld": 0}
_Z = 1.959963984540054
_WINDOW = 7 * clock.DAY  # of actions that are not in actions.yaml

_CONTACTS = """
    WITH contacts AS (
        SELECT customer_id, action, channel, epoch_us(occurred_at) AS t FROM interactions
        WHERE direction = 'outbound' AND action IS NOT NULL AND NOT list_contains($not_contacts, type)
    ), answers AS (
        SELECT customer_id, action, epoch_us(occurred_at) AS t, list_contains($responses, type) AS responded, type
        FROM interactions
        WHERE action IS NOT NULL
            AND (list_contains($responses, type) OR type = 'opted_out' OR type = 'complained')
    ), bounded AS (
        SELECT contacts.*, coalesce(
            lead(t) OVER (PARTITION BY customer_id, action, channel ORDER BY t), 9223372036854775807
        ) AS following, coalesce(windows.length, $window) AS within
        FROM contacts LEFT JOIN windows USING (action)
    ), answered AS (
        SELECT b.customer_id, b.action, b.channel, b.t,
            coalesce(bool_or(a.responded), false)::INT AS responded,
            coalesce(bool_or(a.type = 'opted_out'), false)::INT AS opted_out,
            coalesce(bool_or(a.type = 'complained'), false)::INT AS complained
        FROM bounded AS b LEFT JOIN answers AS a
            ON a.customer_id = b.customer_id AND a.action = b.action
            AND a.t >= b.t AND a.t < b.following AND a.t < b.t + b.within
        GROUP BY ALL
    ), customers AS (
        SELECT action, channel, customer_id, strftime(make_timestamp(t), '%Y-%m') AS month, count(*) AS n,
            sum(responded)::BIGINT AS y, sum(opted_out)::BIGINT AS opted_out, sum(complained)::BIGINT AS complained,
            min(t) AS first, max(t) AS last
        FROM answered GROUP BY ALL
    )
    SELECT * FROM customers ORDER BY action, channel, month, customer_id
"""
_DECIDED = """
    SELECT coalesce(action, ghost) AS action, coalesce(treatment_channel, ghost_channel) AS channel,
        count(*) FILTER (WHERE action IS NOT NULL) AS decided, count(*) FILTER (WHERE action IS NULL) AS withheld
    FROM decisions WHERE action IS NOT NULL OR ghost IS NOT NULL GROUP BY ALL
"""
_POLICIES = """
    SELECT policy_version AS version, count(*) AS decisions, count(*) FILTER (WHERE action IS NULL) AS silent,
        epoch_us(min(decided_at)) AS first, epoch_us(max(decided_at)) AS last
    FROM decisions WHERE policy_version IS NOT NULL GROUP BY ALL ORDER BY last DESC, version
"""


def report(workspace: Workspace) -> keep.Report:
    """Raises WorkspaceError where nothing was contacted or decided yet, or history is damaged."""
    history, playbook = History(workspace), policy.load(workspace)
    try:
        with connect() as database:
            until = _views(database, history)
            contacted = _contacted(database, workspace, playbook)
            decided = _rows(database.sql(_DECIDED))
            policies = _rows(database.sql(_POLICIES))
    except duckdb.Error as error:
        told = str(error).splitlines()[0]
        raise WorkspaceError(f"{history.folder}: history cannot be read: {told}") from None
    treatments = _treatments(contacted, decided)
    if not treatments:
        raise WorkspaceError("nobody was contacted with an action yet, and no decision made one")
    unit, stated = _stated(workspace, playbook, treatments)
    return keep.Report(
        Actions(
            title="Actions",
            headline=headline(treatments, {each.action: each.title for each in stated}),
            created_at=keep.now(),
            known_until=keep.until(until),
            source="contacts, answers and decisions in history",
            actions=stated,
            maturity=None if playbook.policy.maturity is None else playbook.policy.maturity.positives,
            unit=unit,
            treatments=treatments,
            policies=[
                Version(**row | {"first": clock.isoformat(row["first"]), "last": clock.isoformat(row["last"])})
                for row in policies
            ],
            least_contacts=LEAST_CONTACTS,
            least_responses=LEAST_RESPONSES,
        )
    )


def _stated(
    workspace: Workspace, playbook: Playbook, treatments: Sequence[Treatment]
) -> tuple[str | None, list[Stated]]:
    """Every action of the file, then those that only history knows; and the unit of learned effects."""
    registry = Registry(workspace)
    propensity, uplift = (registry.holder(kind, CHAMPION) for kind in ("propensity", "uplift"))
    taught = None if propensity is None else runs.positives(registry, propensity)
    unit, effects = (None, []) if uplift is None else runs.effects(registry, "uplift", uplift)
    learned = {each.name: each for each in effects}
    found = []
    for name in dict.fromkeys([*playbook.actions.by_name, *(each.action for each in treatments)]):
        action = playbook.actions.by_name.get(name)
        found.append(
            Stated(
                action=name,
                title=(action and action.title) or name.replace("_", " "),
                listed=action is not None,
                issue=action and action.issue,
                group=action and action.group,
                value=action and action.value,
                channels=[] if action is None else list(action.channels),
                positives=None if taught is None else taught.get(name, 0),
                learned=learned.get(name),
            )
        )
    return unit, found


def _views(database: duckdb.DuckDBPyConnection, history: History) -> int | None:
    """`interactions` and `decisions` as DuckDB reads them; the newest instant of either, None where both are empty."""
    newest = []
    for name, log, schema in (
        ("interactions", history.logs["interactions"], SCHEMA),
        ("decisions", history.logs["decisions"], DECISIONS),
    ):
        database.register(f"no_{name}", schema.empty_table())
        files = _files(log)
        database.execute(
            f"CREATE VIEW {name} AS SELECT * FROM no_{name}"
            + (
                f" UNION ALL BY NAME SELECT * FROM read_parquet({_listed(files)}, union_by_name = true)"
                if files
                else ""
            )
        )
        found = _rows(database.sql(f"SELECT epoch_us(max({log.at})) AS at FROM {name}"))[0]["at"]
        newest += [found] if found is not None else []
    return max(newest, default=None)


def _files(log: DayLog) -> list[Path]:
    return [file for files in log.days().values() for file in files]


def _listed(files: Sequence[Path]) -> str:
    """A list of files in SQL: a view takes no parameters."""
    return "[" + ", ".join("'" + str(file).replace("'", "''") + "'" for file in files) + "]"


def _contacted(database: duckdb.DuckDBPyConnection, workspace: Workspace, playbook: Playbook) -> list[dict[str, Any]]:
    """A row for each customer, treatment and month: contacts `n`, answered ones `y`, opt-outs, complaints."""
    actions = playbook.actions.actions
    windows = {"action": [each.name for each in actions], "length": [each.response for each in actions]}
    database.register("windows", pa.table(windows, pa.schema([("action", pa.string()), ("length", pa.int64())])))
    given = {
        "not_contacts": playbook.policy.not_contacts,
        "responses": workspace.settings.propensity.responses,
        "window": _WINDOW,
    }
    return _rows(database.sql(_CONTACTS, params=given))


def _treatments(contacted: Sequence[dict[str, Any]], decided: Sequence[dict[str, Any]]) -> list[Treatment]:
    made = {(row["action"], row["channel"]): row for row in decided}
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in contacted:
        rows[row["action"], row["channel"]].append(row)
    return [
        _treatment(action, channel, rows.get((action, channel), []), made.get((action, channel), NOTHING))
        for action, channel in sorted(rows.keys() | {key for key in made if None not in key})
    ]


def _treatment(action: str, channel: str, rows: Sequence[dict[str, Any]], made: dict[str, Any]) -> Treatment:
    by_customer: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    by_month: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        for total in (by_customer[row["customer_id"]], by_month[row["month"]]):
            total[0] += row["n"]
            total[1] += row["y"]
    return Treatment(
        action=action,
        channel=channel,
        decided=made["decided"],
        withheld=made["withheld"],
        contacts=sum(n for n, _ in by_customer.values()),
        customers=len(by_customer),
        responses=sum(y for _, y in by_customer.values()),
        rate=rate(list(by_customer.values())),
        opt_outs=sum(row["opted_out"] for row in rows),
        complaints=sum(row["complained"] for row in rows),
        first=clock.isoformat(min(row["first"] for row in rows)) if rows else None,
        last=clock.isoformat(max(row["last"] for row in rows)) if rows else None,
        months=[Month(month=month, contacts=n, responses=y) for month, (n, y) in sorted(by_month.items())],
    )


def rate(by_customer: Sequence[Sequence[int]]) -> Interval | None:
    """Responses by contact with its 95 % interval, from (contacts, responses) of each customer; None: too few."""
    n, y = sum(each[0] for each in by_customer), sum(each[1] for each in by_customer)
    if n < LEAST_CONTACTS or y < LEAST_RESPONSES:
        return None
    r = y / n
    half = _Z * math.sqrt(sum((each[1] - r * each[0]) ** 2 for each in by_customer)) / n
    return Interval(r, max(0.0, r - half), min(1.0, r + half))


def headline(treatments: Sequence[Treatment], titles: Mapping[str, str]) -> str:
    """How much went out, what was answered most, and what customers minded; one sentence."""
    contacts = sum(each.contacts for each in treatments)
    said = f"{counted(len({each.action for each in treatments}), 'action')} went out in {counted(contacts, 'contact')}"
    known = [(each, each.rate) for each in treatments if each.rate is not None]
    if not known:
        return f"{said}; too few answers to tell which are answered most."
    best, found = max(known, key=lambda one: one[1].value)
    half = (found.high - found.low) / 2
    span = f"{number(found.low * 100, 100 * half)}% to {percent(found.high, half)}"
    said += f"; “{titles[best.action]}” on {best.channel.replace('_', ' ')} is answered most ({span})"
    minded = sorted((each for each in treatments if _minded(each)), key=lambda each: -_minded(each))
    if not minded:
        return f"{said}, and none drew an opt-out or a complaint."
    worst = minded[0]
    where = f"“{titles[worst.action]}” on {worst.channel.replace('_', ' ')}"
    return f"{said}; most opt-outs and complaints ({_minded(worst):,}) followed {where}."


def _minded(treatment: Treatment) -> int:
    return treatment.opt_outs + treatment.complaints


def _rows(found: duckdb.DuckDBPyRelation) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    return rows
