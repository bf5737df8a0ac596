"""Makes the actions report from contacts, answers and decisions as they are kept by day (daily.py).

A contact is an outbound interaction with an action whose type the policy counts as one, whoever made it. It is answered
by the first interaction of the same customer about the same action, of a type that `propensity.responses` (opt-outs,
complaints) names, within the action's response window. Customers answer alike from contact to contact, so the rate's
error is added up by customer: of a ratio r = sum(y) / sum(n) over customers, var(r) = sum((y - r n)^2) / sum(n)^2
(Cochran, Sampling Techniques, 1977, section 6.3).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from features import clock, decision_log
from features.history import History
from features.step_words import on_channel
from features.workspace import Workspace, WorkspaceError
from serving.decisions import policy
from serving.decisions.policy import Playbook
from training.evaluate import Interval
from training.reports import keep, outreach
from training.reports.actions.artefact import Actions, Month, Stated, Treatment, Version
from training.reports.daily import Partial, Rows, up_to_date
from training.reports.database import connect
from training.reports.models import runs
from training.reports.wording import counted, ends
from training.tracking import CHAMPION, Registry

#: Fewer contacts, or fewer responses, tell no rate.
LEAST_CONTACTS, LEAST_RESPONSES = 50, 5
#: Of an action that no decision made.
NOTHING = {"decided": 0, "withheld": 0}
_Z = 1.959963984540054
_WINDOW = 7 * clock.DAY  # of actions that are not in actions.yaml

_ANSWERED = """
    WITH bounded AS (
        SELECT contacts.*, coalesce(
            lead("at") OVER (PARTITION BY customer_id, action, channel ORDER BY "at"), 9223372036854775807
        ) AS following, coalesce(windows.length, $window) AS within
        FROM contacts LEFT JOIN windows USING (action) WHERE action IS NOT NULL
    )
    SELECT b.customer_id, b.action, b.channel, b.at,
        coalesce(bool_or(list_contains($responses, a.type)), false)::BIGINT AS responded,
        coalesce(bool_or(a.type = 'opted_out'), false)::BIGINT AS opted_out,
        coalesce(bool_or(a.type = 'complained'), false)::BIGINT AS complained
    FROM bounded AS b LEFT JOIN answers AS a
        ON a.customer_id = b.customer_id AND a.action = b.action
        AND a.at >= b.at AND a.at < b.following AND a.at < b.at + b.within
    GROUP BY b.customer_id, b.action, b.channel, b.at
"""
_WHOLE = """
    WITH numbered AS (
        SELECT action, channel, customer_id, count(*) AS n, sum(responded)::BIGINT AS y, sum(opted_out)::BIGINT AS gone,
            sum(complained)::BIGINT AS complained, min("at") AS first, max("at") AS last
        FROM answered GROUP BY action, channel, customer_id
    )
    SELECT action, channel, count(*) AS customers, sum(n)::BIGINT AS n, sum(y)::BIGINT AS y,
        sum(n * n)::BIGINT AS nn, sum(n * y)::BIGINT AS ny, sum(y * y)::BIGINT AS yy, sum(gone)::BIGINT AS opt_outs,
        sum(complained)::BIGINT AS complaints, min(first) AS first, max(last) AS last
    FROM numbered GROUP BY action, channel ORDER BY action, channel
"""
_MONTHS = """
    SELECT action, channel, strftime(make_timestamp("at"), '%Y-%m') AS month, count(*) AS contacts,
        sum(responded)::BIGINT AS responses
    FROM answered GROUP BY ALL ORDER BY action, channel, month
"""
#: By day: decisions by policy and treatment, and when the first and the last were made.
_BY_DAY = """
    SELECT CAST(epoch_us(decided_at) // 86400000000 AS INTEGER) AS day, policy_version AS version,
        coalesce(action, ghost) AS action, coalesce(treatment_channel, ghost_channel) AS channel,
        count(action) AS decided, count(*) - count(action) AS silent,
        epoch_us(min(decided_at)) AS first, epoch_us(max(decided_at)) AS last
    FROM decisions GROUP BY ALL
"""
_DECIDED = """
    SELECT action, channel, sum(decided)::BIGINT AS decided, sum(silent)::BIGINT AS withheld
    FROM decided WHERE action IS NOT NULL GROUP BY ALL
"""
_POLICIES = """
    SELECT version, sum(decided + silent)::BIGINT AS decisions, sum(silent)::BIGINT AS silent, min(first) AS first,
        max(last) AS last
    FROM decided WHERE version IS NOT NULL GROUP BY ALL ORDER BY last DESC, version
"""
_DECISIONS = ["decided_at", "policy_version", "action", "treatment_channel", "ghost", "ghost_channel"]
_NONE_DECIDED = pa.schema(
    [
        ("version", pa.string()),
        ("action", pa.string()),
        ("channel", pa.string()),
        *((name, pa.int64()) for name in ("decided", "silent", "first", "last")),
    ]
)


def _by_day(rows: Rows) -> pa.Table:
    rows.database.register("decisions", decision_log.read(History(rows.workspace), _DECISIONS, rows.since, rows.until))
    found: pa.Table = rows.database.sql(_BY_DAY).to_arrow_table()
    return found


DECIDED = Partial("actions_decided", "1", "decisions", _by_day)


def report(workspace: Workspace) -> keep.Report:
    """Raises WorkspaceError where nothing was contacted or decided yet, or history is damaged."""
    playbook = policy.load(workspace)
    with connect() as database:
        _tables(database, workspace, playbook)
        found, months = _rows(database.sql(_WHOLE)), _rows(database.sql(_MONTHS))
        decided, policies = _rows(database.sql(_DECIDED)), _rows(database.sql(_POLICIES))
        last = _rows(database.sql("SELECT max(last) AS at FROM decided"))[0]["at"]
    treatments = _treatments(found, months, decided)
    if not treatments:
        raise WorkspaceError("nobody was contacted with an action yet, and no decision made one")
    unit, stated = _stated(workspace, playbook, treatments)
    return keep.Report(
        Actions(
            title="Actions",
            headline=headline(treatments, {each.action: each.title for each in stated}),
            created_at=keep.now(),
            known_until=keep.until(_until(History(workspace), last)),
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
    unit, effects = (
        (None, []) if uplift is None else runs.effects(registry, "uplift", uplift, workspace.settings.currency)
    )
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


def _until(history: History, decided: int | None) -> int | None:
    """The newest instant of interactions and of decisions; None where there are none of either."""
    days = history.logs["interactions"].days()
    if not days:
        return decided
    newest = history.interactions(["occurred_at"], since=max(days) * clock.DAY)["occurred_at"]
    return max(pc.max(newest).cast(pa.int64()).as_py(), decided or 0)


def _tables(database: duckdb.DuckDBPyConnection, workspace: Workspace, playbook: Playbook) -> None:
    """`answered`, a row for each contact with an action, and `decided`: from what is kept by day."""
    actions, responses = playbook.actions.actions, workspace.settings.propensity.responses
    windows = {"action": [each.name for each in actions], "length": [each.response for each in actions]}
    database.register("windows", pa.table(windows, pa.schema([("action", pa.string()), ("length", pa.int64())])))
    made = up_to_date(workspace, outreach.contacts(playbook.policy.not_contacts))
    database.register("contacts", outreach.whole(made))
    database.register("answers", outreach.whole(up_to_date(workspace, outreach.answers(responses))))
    found = database.sql(_ANSWERED, params={"responses": responses, "window": _WINDOW}).to_arrow_table()
    database.register("answered", found)
    by_day = up_to_date(workspace, DECIDED)
    database.register("decided", by_day if by_day.num_columns else _NONE_DECIDED.empty_table())


def _treatments(
    found: Sequence[dict[str, Any]], months: Sequence[dict[str, Any]], decided: Sequence[dict[str, Any]]
) -> list[Treatment]:
    made = {(row["action"], row["channel"]): row for row in decided}
    known = {(row["action"], row["channel"]): row for row in found}
    by_month: dict[tuple[str, str], list[Month]] = defaultdict(list)
    for row in months:
        month = Month(month=row["month"], contacts=row["contacts"], responses=row["responses"])
        by_month[row["action"], row["channel"]].append(month)
    return [
        _treatment(*key, known.get(key), by_month[key], made.get(key, NOTHING))
        for key in sorted(known.keys() | {key for key in made if None not in key})
    ]


def _treatment(
    action: str, channel: str, found: dict[str, Any] | None, months: list[Month], made: dict[str, Any]
) -> Treatment:
    sums = found or dict.fromkeys(("n", "y", "nn", "ny", "yy", "customers", "opt_outs", "complaints"), 0)
    return Treatment(
        action=action,
        channel=channel,
        decided=made["decided"],
        withheld=made["withheld"],
        contacts=sums["n"],
        customers=sums["customers"],
        responses=sums["y"],
        rate=rate(*(sums[name] for name in ("n", "y", "nn", "ny", "yy"))),
        opt_outs=sums["opt_outs"],
        complaints=sums["complaints"],
        first=clock.isoformat(found["first"]) if found else None,
        last=clock.isoformat(found["last"]) if found else None,
        months=months,
    )


def rate(n: int, y: int, nn: int, ny: int, yy: int) -> Interval | None:
    """Responses by contact with its 95 % interval; None: too few.

    n contacts and y responses are sums over customers, and so are nn, ny, yy of the products of each one's own.
    """
    if n < LEAST_CONTACTS or y < LEAST_RESPONSES:
        return None
    # the sum of squares of y_i - y / n * n_i in whole numbers, which do not depend on the order of customers
    half = _Z * math.sqrt(yy * n * n - 2 * ny * n * y + nn * y * y) / n / n
    return Interval(y / n, max(0.0, y / n - half), min(1.0, y / n + half))


def headline(treatments: Sequence[Treatment], titles: Mapping[str, str]) -> str:
    """How much went out, what was answered most, and what customers minded; one sentence."""
    sent = [each for each in treatments if each.contacts]
    if not sent:
        return "No action went out yet, so nothing is known of how any is answered."
    contacts = sum(each.contacts for each in sent)
    said = f"{counted(len({each.action for each in sent}), 'action')} went out in {counted(contacts, 'contact')}"
    known = [(each, each.rate) for each in treatments if each.rate is not None]
    if not known:
        return f"{said}; too few answers to tell which are answered most."
    best, found = max(known, key=lambda one: one[1].value)
    half = (found.high - found.low) / 2
    span = "% to ".join(ends(found.low * 100, found.high * 100, 100 * half)) + "%"
    said += f"; “{titles[best.action]}” {on_channel(best.channel)} is answered most ({span})"
    minded = sorted((each for each in treatments if _minded(each)), key=lambda each: -_minded(each))
    if not minded:
        return f"{said}, and none drew an opt-out or a complaint."
    worst = minded[0]
    where = f"“{titles[worst.action]}” {on_channel(worst.channel)}"
    return f"{said}; most opt-outs and complaints ({_minded(worst):,}) followed {where}."


def _minded(treatment: Treatment) -> int:
    return treatment.opt_outs + treatment.complaints


def _rows(found: duckdb.DuckDBPyRelation) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    return rows
