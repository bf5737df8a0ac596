"""The log of decisions in history: its columns, and how they are read off a logged decision.

All that training and off-policy evaluation need stands in columns; `document` is the decision as it was logged, enough
to replay it. Where a decision filled several slots, the columns tell of the first, `slots` says how many there were,
and the others are under `more_slots` in the document: `read_slots` has a row of each. Rows from before a column existed
are completed as they are read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features import clock
from features.history import History
from features.interactions import INSTANT
from features.settings_file import WorkspaceError

#: One cell of the distribution that the answer was drawn from; silence has no action. Cells lie side by side in [0, 1)
#: in this order, the answer is the one that `uniform` falls into.
CELL = pa.struct(
    [
        ("action", pa.string()),
        ("channel", pa.string()),
        ("ghost", pa.bool_()),
        ("probability", pa.float64()),
    ]
)
#: What became of one candidate. `stage`: chosen, withheld, arbitration (another was drawn), holdout, experiment, taken;
#: refused by eligible, applicable, suitable, guard (`rules` names every rule that tripped) or score. `probability`: of
#: being answered. From `p` on: expected value = c v u lever - cost - harm (money; u = p share unless it was `learned`,
#: harm the policy's prior unless `harm_learned`), null where the candidate was not valued: after a refusal.
CANDIDATE = pa.struct(
    [
        ("action", pa.string()),
        ("channel", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("rules", pa.list_(pa.string())),
        ("passes_at", INSTANT),
        ("probability", pa.float64()),
        ("p", pa.float64()),
        ("share", pa.float64()),
        ("u", pa.float64()),
        ("learned", pa.bool_()),
        ("c", pa.float64()),
        ("v", pa.float64()),
        ("lever", pa.float64()),
        ("cost", pa.float64()),
        ("harm", pa.float64()),
        ("expected_value", pa.float64()),
        ("positives", pa.int64()),
        ("harm_learned", pa.bool_()),
    ]
)
#: A model that took part, `alias` champion or challenger: the version whose scores the decision was made by.
MODEL = pa.struct([("kind", pa.string()), ("version", pa.string()), ("alias", pa.string())])
#: What a shadow model said beside, and nothing was decided by: P of a treatment (propensity), U (uplift), harm
#: (fatigue), or the probability that the customer leaves (churn: no action).
SHADOW = pa.struct(
    [
        ("kind", pa.string()),
        ("version", pa.string()),
        ("action", pa.string()),
        ("channel", pa.string()),
        ("score", pa.float64()),
    ]
)
#: `channel` and `placement` are those asked for, `treatment_channel` the answer's. `arm` is treated or holdout,
#: `experiment` the arm of an impact experiment, `cap_level` the factor on caps (null: none), `challenger` whether the
#: customer is in the challenger models' arm. `probability` is that of
#: the cell drawn, ghost or not; `intended`, for a customer in whose arm nothing is sold, what it would have been drawn
#: from. `features` are the catalogue's, in its order (null: missing). `judged_customer` is the id that the person went
#: by, `arm_id` the one that their arms are drawn by.
DECISIONS = pa.schema(
    [
        ("decision_id", pa.string()),
        ("decided_at", INSTANT),
        ("request_id", pa.string()),
        ("customer_id", pa.string()),
        ("channel", pa.string()),
        ("direction", pa.string()),
        ("action", pa.string()),
        ("treatment_channel", pa.string()),
        ("ghost", pa.string()),
        ("ghost_channel", pa.string()),
        ("reason", pa.string()),
        ("contact_id", pa.string()),
        ("arm", pa.string()),
        ("churn", pa.float64()),
        ("policy_version", pa.string()),
        ("document", pa.string()),
        ("judged_customer", pa.string()),
        ("arm_id", pa.string()),
        ("experiment", pa.string()),
        ("cap_level", pa.float64()),
        ("slots", pa.int32()),
        ("placement", pa.string()),
        ("uniform", pa.float64()),
        ("probability", pa.float64()),
        ("distribution", pa.list_(CELL)),
        ("intended", pa.list_(CELL)),
        ("candidates", pa.list_(CANDIDATE)),
        ("catalogue_version", pa.string()),
        ("features", pa.list_(pa.float64())),
        ("challenger", pa.bool_()),
        ("models", pa.list_(MODEL)),
        ("shadow", pa.list_(SHADOW)),
    ]
)
#: Read off the document, where a row is from before they existed; `slots` is null there, and only there.
_LATER = DECISIONS.names[DECISIONS.names.index("document") + 1 :]
WEEK, FOREVER = 7 * clock.DAY, 2**62


class NoDecisions(WorkspaceError):
    """History holds none that could be learned from: nothing is wrong, and it may hold some tomorrow."""


def read(
    history: History,
    columns: Sequence[str] | None = None,
    since: int | None = None,
    until: int | None = None,
    batches: Sequence[str] | None = None,
) -> pa.Table:
    """Decisions with since <= decided_at < until (microseconds UTC), in some of the columns of DECISIONS, or in all.

    `batches` (ids of the log's batches) narrows further.
    """
    names = list(DECISIONS.names if columns is None else columns)
    later = [name for name in names if name in _LATER]
    table = history.decisions(since, until, [*names, "slots"], batches)
    if not later or ("slots" in table.column_names and not table["slots"].null_count):
        return _conform(table, names)
    wanted = [*names, "slots", "document"]
    table = _conform(history.decisions(since, until, wanted, batches), wanted)
    return _completed(table, later).select(names)


def read_slots(
    history: History, columns: Sequence[str], since: int | None = None, until: int | None = None
) -> pa.Table:
    """As `read`, a row for each slot, and in the column `slot` which of its decision's it is, from 0 on.

    Of decisions without a document there is the first slot alone. Documents are read a week at a time, and only of
    weeks in which somebody asked for several slots.
    """
    names = list(dict.fromkeys([*columns, "decided_at", "slots"]))
    first = read(history, names, since, until)
    several = first["decided_at"].filter(pc.greater(pc.fill_null(first["slots"], 1), 1)).cast(pa.int64()).to_numpy()
    first = first.append_column("slot", pa.array(np.zeros(len(first)), pa.int32()))
    parts = [first]
    for week in np.unique(several // WEEK).tolist():
        begin, end = max(week * WEEK, since or 0), min((week + 1) * WEEK, until or FOREVER)
        whole = read(history, None, begin, end)
        told = pc.and_(pc.greater(pc.fill_null(whole["slots"], 1), 1), pc.is_valid(whole["document"]))
        whole = whole.filter(told)
        later = by_slot(whole).slice(len(whole)).select(names)
        numbers = [np.arange(1, number) for number in whole["slots"].to_pylist()]
        parts.append(later.append_column("slot", pa.array(np.concatenate([[], *numbers]), pa.int32())))
    return pa.concat_tables(parts)


def by_slot(table: pa.Table) -> pa.Table:
    """A row for each slot of decisions in all columns of DECISIONS: those after the first come last.

    What was asked and known is the decision's own; action, ghost, uniform, distribution, candidates ... the slot's.
    """
    several = pc.fill_null(pc.greater(table["slots"], 1), False)
    more = [row(each) | {"document": text} for text in table["document"].filter(several).to_pylist()
            for each in each_slot(orjson.loads(text))[1:]]  # fmt: skip
    if not more:
        return table
    columns = []
    for field in DECISIONS:
        values = pa.array([each[field.name] for each in more], pa.int64() if field.type == INSTANT else field.type)
        columns.append(values.cast(field.type))
    return pa.concat_tables([table, pa.table(columns, schema=DECISIONS)])


def each_slot(logged: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A decision once for each of its slots, as if that were what was asked for; `more_slots` stay in each."""
    slots = [{}, *(logged.get("more_slots") or ())]
    placements = logged.get("placements") or [None] * len(slots)
    if len(slots) == 1:
        return [logged]
    return [
        {**logged, **slot, "limit": 1, "placements": [] if placement is None else [placement]}
        for slot, placement in zip(slots, placements, strict=True)
    ]


def _completed(table: pa.Table, later: Sequence[str]) -> pa.Table:
    """The table with what old rows lack of some columns, from their documents."""
    old = pc.and_(pc.is_null(table["slots"]), pc.is_valid(table["document"]))
    told = [row(orjson.loads(document)) for document in table["document"].filter(old).to_pylist()]
    for name in later:
        field = DECISIONS.field(name)
        found = pa.chunked_array([pa.array([each[name] for each in told], field.type)])
        # no kernel replaces by mask in nested columns: old and new side by side, then each row picks its own
        both = pa.chunked_array([*table[name].chunks, *found.chunks], field.type)
        at = np.arange(len(table))
        at[old.to_numpy()] = len(table) + np.arange(len(told))
        table = table.set_column(table.schema.get_field_index(name), field, both.take(pa.array(at)))
    return table


def row(logged: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a decision as logged, but for `document`. Instants are microseconds."""
    arms = logged.get("arms") or {}
    placements = logged.get("placements") or [None]
    first = placements[0]
    told = {name: logged.get(name) for name in DECISIONS.names if name not in ("document", "slots", "placement")}
    return told | {
        "decided_at": clock.parse_instant(logged["at"]),
        "experiment": arms.get("experiment"),
        "cap_level": arms.get("cap_level"),
        "challenger": arms.get("challenger"),
        "slots": 1 + len(logged.get("more_slots") or ()),
        "placement": first.get("name") if isinstance(first, Mapping) else first,
        "probability": _probability(logged),
        "candidates": [_candidate(fate) for fate in logged.get("candidates") or ()],
        "models": [
            {"kind": kind, "version": of.get("version"), "alias": of.get("alias", "champion")}
            for kind, of in (logged.get("models") or {}).items()
        ],
        "shadow": [line for kind, said in (logged.get("shadow") or {}).items() for line in _shadow(kind, said)],
    }


def _shadow(kind: str, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    first = {"kind": kind, "version": said["version"]}
    if "scores" not in said:
        return [first | {"action": None, "channel": None, "score": said["score"]}]
    return [
        first | {"action": action, "channel": channel, "score": score}
        for action, channels in said["scores"].items()
        for channel, score in channels.items()
    ]


def _candidate(fate: Mapping[str, Any]) -> dict[str, Any]:
    passes = fate.get("passes_at")
    return {
        **(fate.get("factors") or {}),
        "action": fate["action"],
        "channel": fate["channel"],
        "stage": fate["stage"],
        "reason": fate["reason"],
        "rules": [trip["rule"] for trip in fate.get("suppressed_by", ())],
        "passes_at": None if passes is None else clock.parse_instant(passes),
        "probability": fate["probability"],
    }


def _probability(logged: Mapping[str, Any]) -> float | None:
    ghost = logged.get("ghost") is not None
    drawn = ("ghost", "ghost_channel") if ghost else ("action", "treatment_channel")
    key = (*(logged.get(name) for name in drawn), ghost)
    cells = logged.get("distribution") or ()
    return next(
        (cell["probability"] for cell in cells if (cell["action"], cell["channel"], cell["ghost"]) == key), None
    )


def _conform(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The named columns with the schema's types; nulls where the table has none of a name."""
    fields = [DECISIONS.field(name) for name in dict.fromkeys(names)]
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in fields
    ]
    return pa.table(columns, schema=pa.schema(fields))
