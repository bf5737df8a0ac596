"""What the guard refused in outbound decisions, by which rule, and what was held back by our own rules.

Rules that a customer or the law wants (consent, an opt-out, a wish to be left alone) are no choice of ours: nothing is
counted as lost to them.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features import clock, decision_log
from features.clock import DAY
from features.history import History
from features.workspace import Workspace
from training.reports import daily
from training.reports.daily import Partial, Rows
from training.reports.database import connect
from training.reports.pressure import words
from training.reports.pressure.artefact import Guard, GuardWeek, Refused, Rule, Worth
from training.reports.pressure.estimates import total

#: Rules that are not ours to loosen, by how their names begin.
ASKED = ("opt-out", "consent", "restricted", "paused", "withheld")
#: Actions and rules shown at most.
MOST = 30
#: Customers are spread over so many parts by their ids, and stay in them: how far means of parts lie apart is how far
#: off they would be with others (random groups; Wolter, Introduction to Variance Estimation, 2007, ch. 2).
PARTS = 64
_COLUMNS = ["decided_at", "customer_id", "direction", "arm", "action", "distribution", "candidates"]

_ROWS = """
WITH outbound AS (
    SELECT epoch_us(decided_at) // 86400000000 AS day, customer_id, candidates, row_number() OVER () AS number,
        len(list_filter(candidates, lambda c: c.stage = 'guard')) AS stopped,
        len(list_filter(distribution, lambda c: c.action IS NOT NULL)) = 0 AS nothing
    FROM decided WHERE direction = 'outbound' AND coalesce(arm, 'treated') = 'treated'
),
fates AS (SELECT day, number, customer_id, nothing, unnest(candidates) AS c FROM outbound),
stopped AS (
    SELECT day, number, customer_id, nothing, c.action AS action, c.channel AS channel, c.rules AS rules,
        len(list_filter(c.rules, lambda rule: {asked})) > 0 AS asked
    FROM fates WHERE c.stage = 'guard'
)
SELECT day, 'decisions' AS what, NULL AS customer_id, NULL AS channel, NULL AS action, NULL AS rule, NULL AS part,
    count(*) AS n,
    count(*) FILTER (stopped > 0) AS other, count(*) FILTER (nothing AND stopped > 0) AS third,
    NULL AS worth, NULL AS harm
    FROM outbound GROUP BY day
UNION ALL
SELECT day, 'fates', NULL, c.channel, c.action, NULL, md5_number_lower(customer_id) % {parts} AS part, count(*),
    count(*) FILTER (c.stage = 'guard'), count(c.expected_value), sum(c.expected_value), sum(c.harm)
    FROM fates GROUP BY day, c.channel, c.action, part
UNION ALL
SELECT day, 'rules', NULL, NULL, NULL, rule, NULL, count(*), count(DISTINCT number), NULL, NULL, NULL
    FROM (SELECT day, number, unnest(rules) AS rule FROM stopped) GROUP BY day, rule
UNION ALL
SELECT day, 'silenced', customer_id, channel, action, NULL, NULL, count(*), NULL, NULL, NULL, NULL
    FROM stopped WHERE nothing AND NOT asked GROUP BY day, customer_id, channel, action
"""


def _compute(rows: Rows) -> pa.Table:
    decided = decision_log.read(History(rows.workspace), _COLUMNS, rows.since, rows.until)
    asked = " OR ".join(f"starts_with(rule, '{name}')" for name in ASKED)
    with connect() as database:
        database.register("decided", decided)
        found: pa.Table = database.sql(_ROWS.format(asked=asked, parts=PARTS)).to_arrow_table()
    return found


#: By day: decisions, candidates by channel, action and part, rules, and by customer what our own rules alone held back.
FATES = Partial("fates", "2", "decisions", _compute)


def guard(workspace: Workspace, until: int, days: int, weeks: int) -> Guard | None:
    """Of the last `days`; None where history holds no decisions. `until` in microseconds."""
    table = daily.up_to_date(workspace, FATES)
    if not table.num_rows:
        return None
    last = (until - 1) // DAY
    recent = _between(table, last - days, last)
    former = _between(table, last - 2 * days, last - days)
    whole = _sums(recent, "decisions", ())
    decisions, touched, nothing = (int(whole[0][k] or 0) for k in ("n", "other", "third")) if whole else (0, 0, 0)
    fates = _sums(recent, "fates", ())
    judged, refused = (int(fates[0][k] or 0) for k in ("n", "other")) if fates else (0, 0)
    rules = _rules(recent, former)
    worth = _worth(recent, table, last, workspace.settings.currency)
    found = Guard(
        decisions=decisions,
        touched=touched,
        nothing_left=nothing,
        judged=judged,
        refused=refused,
        rules=rules[:MOST],
        channels=_refused(recent, "channel"),
        actions=_refused(recent, "action"),
        weeks=_weeks(table, last, weeks),
        worth=worth,
        sentence="",
    )
    return found.model_copy(update={"sentence": words.guard(found, days)})


def _between(table: pa.Table, after: int, last: int) -> pa.Table:
    """Rows of days after one and up to another."""
    day = table["day"]
    return table.filter(pc.and_(pc.greater(day, after), pc.less_equal(day, last)))


def _sums(table: pa.Table, what: str, by: Sequence[str]) -> list[dict[str, Any]]:
    """Sums of a kind of rows by some columns, the largest first."""
    of = table.filter(pc.equal(table["what"], what))
    names = ("n", "other", "third", "worth", "harm")
    grouped = of.group_by(list(by)).aggregate([(name, "sum") for name in names])
    grouped = grouped.rename_columns([name.removesuffix("_sum") for name in grouped.column_names])
    keys = [("n", "descending"), *((name, "ascending") for name in by)]
    rows: list[dict[str, Any]] = grouped.sort_by(keys).to_pylist()
    return [row for row in rows if row["n"]]


def _rules(recent: pa.Table, former: pa.Table) -> list[Rule]:
    before = {row["rule"]: int(row["n"]) for row in _sums(former, "rules", ["rule"])}
    return [
        Rule(
            rule=str(row["rule"]),
            words=words.rule(str(row["rule"])),
            asked=str(row["rule"]).startswith(ASKED),
            refused=int(row["n"]),
            decisions=int(row["other"]),
            before=before.get(row["rule"], 0),
        )
        for row in _sums(recent, "rules", ["rule"])
    ]


def _refused(table: pa.Table, by: str) -> list[Refused]:
    rows = _sums(table, "fates", [by])[:MOST]
    return [Refused(name=str(row[by]), judged=int(row["n"]), refused=int(row["other"] or 0)) for row in rows]


def _weeks(table: pa.Table, last: int, weeks: int) -> list[GuardWeek]:
    """The newest ones, oldest first; none from before the first decision."""
    first = pc.min(table["day"]).as_py()
    found = []
    for back in range(weeks - 1, -1, -1):
        end = last - 7 * back
        if end - 6 < first:
            continue
        week = _between(table, end - 7, end)
        whole, fates = _sums(week, "decisions", ()), _sums(week, "fates", ())
        found.append(
            GuardWeek(
                first=clock.isoformat((end - 6) * DAY)[:10],
                decisions=int(whole[0]["n"]) if whole else 0,
                nothing_left=int(whole[0]["third"]) if whole else 0,
                refused=int(fates[0]["other"]) if fates else 0,
                judged=int(fates[0]["n"]) if fates else 0,
            )
        )
    return found


_WORTH = """
WITH value AS (
    SELECT action, channel, sum(worth) / sum(third) AS worth, sum(harm) / sum(third) AS harm FROM known
    WHERE what = 'fates' GROUP BY action, channel HAVING sum(third) > 0
),
best AS (
    SELECT customer_id, ($last - day) // 7 AS week, max(value.worth) AS worth, arg_max(value.harm, value.worth) AS harm,
        arg_max(value.action, value.worth) AS action, arg_max(value.channel, value.worth) AS channel
    FROM recent JOIN value USING (action, channel) WHERE what = 'silenced' GROUP BY customer_id, week
)
"""
_HELD = """
SELECT customer_id, count(*) FILTER (worth > 0) AS contacts, count(*) FILTER (worth <= 0) AS not_worth,
    coalesce(sum(worth) FILTER (worth > 0), 0) AS net, coalesce(sum(harm) FILTER (worth > 0), 0) AS harm
FROM best GROUP BY customer_id ORDER BY customer_id
"""
#: By part of the customers, how far off what was held back would be if means were its own; where only one part has an
#: action on a channel, nothing tells how far off its mean is, and it may be all of it.
_OFF = """
, held AS (SELECT action, channel, count(*) AS contacts FROM best WHERE worth > 0 GROUP BY action, channel),
valued AS (
    SELECT action, channel, part, sum(third) AS n, sum(worth) AS worth, sum(harm) AS harm,
        count(*) OVER cell AS parts, sum(sum(third)) OVER cell AS whole
    FROM known WHERE what = 'fates' GROUP BY action, channel, part HAVING sum(third) > 0
    WINDOW cell AS (PARTITION BY action, channel)
),
apart AS (
    SELECT part, held.contacts / whole * CASE WHEN parts > 1 THEN sqrt(parts / (parts - 1)) ELSE 1 END AS times,
        valued.worth - CASE WHEN parts > 1 THEN n * value.worth ELSE 0 END AS net,
        valued.harm - CASE WHEN parts > 1 THEN n * value.harm ELSE 0 END AS harm
    FROM valued JOIN held USING (action, channel) JOIN value USING (action, channel)
)
SELECT part, sum(times * net) AS net, sum(times * harm) AS harm FROM apart GROUP BY part ORDER BY part
"""


def _worth(recent: pa.Table, table: pa.Table, last: int, currency: str) -> Worth | None:
    """What our own rules held back; None where no candidate that passed was ever valued.

    Who is refused on Monday is often refused on Tuesday, too: one contact a customer and week counts, the best.
    """
    known = recent if any(row["third"] for row in _sums(recent, "fates", ())) else table
    with connect() as database:
        database.register("known", known)
        database.register("recent", recent)
        found = database.sql(_WORTH + _HELD, params={"last": last}).to_arrow_table()
        off = database.sql(_WORTH + _OFF, params={"last": last}).to_arrow_table()
        valued = database.execute("SELECT coalesce(sum(third), 0) FROM known WHERE what = 'fates'").fetchall()[0][0]
    if not valued:
        return None
    held = found.filter(pc.greater(found["contacts"], 0))
    (net, harm), (net_off, harm_off) = ([of[name].to_numpy().astype(float) for name in ("net", "harm")]
                                        for of in (held, off))  # fmt: skip
    worth = Worth(
        customers=held.num_rows,
        contacts=int(pc.sum(found["contacts"]).as_py() or 0),
        not_worth=int(pc.sum(found["not_worth"]).as_py() or 0),
        brought=total(net + harm, net_off + harm_off),
        harm=total(harm, harm_off),
        net=total(net, net_off),
        sentence="",
    )
    return worth.model_copy(update={"sentence": words.worth(worth, currency)})
