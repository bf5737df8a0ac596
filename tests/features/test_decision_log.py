"""Decisions in history: everything in columns, whatever version wrote the row."""

import json

import pyarrow as pa
import pytest

from features import clock, decision_log
from features.decision_log import DECISIONS
from features.history import History
from features.workspace import Workspace

AT = clock.parse_instant("2026-05-04T12:00:00Z")
FACTORS = {"p": 0.1, "share": 0.5, "u": 0.05, "learned": False, "c": 1.0, "v": 40.0, "lever": 1.0, "cost": 0.01,
           "harm": 0.2, "expected_value": 1.79, "positives": None}  # fmt: skip
TRIP = {"rule": "total: 2 per 7d", "text": "2 of 2", "passes_at": "2026-05-06T12:00:00Z"}
FATES = [
    {"action": "a", "channel": "email", "stage": "chosen", "reason": "", "probability": 0.9, "factors": FACTORS},
    {"action": "b", "channel": "sms", "stage": "guard", "reason": "2 of 2", "probability": 0.0,
     "suppressed_by": [TRIP], "passes_at": TRIP["passes_at"]},
]  # fmt: skip
CELLS = [
    {"action": "a", "channel": "email", "ghost": False, "probability": 0.9},
    {"action": "a", "channel": "email", "ghost": True, "probability": 0.04},
    {"action": None, "channel": None, "ghost": False, "probability": 0.06},
]
SILENT = {"action": None, "treatment_channel": None}


def logged(number=1, **changes):
    """A decision as the store's log holds it."""
    told = {
        "decision_id": f"d-{number}", "request_id": None, "customer_id": "C1", "channel": None,
        "direction": "outbound", "at": clock.isoformat(AT), "action": "a", "treatment_channel": "email", "ghost": None,
        "ghost_channel": None, "reason": "a on email", "contact_id": "d-1.1", "uniform": 0.5, "distribution": CELLS,
        "intended": None, "candidates": FATES, "arm": "treated", "churn": 0.2, "policy_version": "v1",
        "judged_customer": "C1", "arm_id": "C0",
        "arms": {"holdout": "treated", "experiment": "levers", "cap_level": 2.0}, "more_slots": [],
        "features": [1.0, None], "catalogue_version": "c1",
    }  # fmt: skip
    return told | changes


@pytest.fixture
def history(tmp_path):
    (tmp_path / "tactful.yaml").write_text("name: log\n")
    return History(Workspace.open(tmp_path))


def test_a_row_holds_the_decision_in_columns():
    row = pa.Table.from_pylist([decision_log.row(logged())], DECISIONS).to_pylist()[0]
    assert clock.micros(row["decided_at"]) == AT
    assert (row["experiment"], row["cap_level"], row["arm_id"], row["slots"]) == ("levers", 2.0, "C0", 1)
    assert (row["uniform"], row["distribution"], row["features"]) == (0.5, CELLS, [1.0, None])
    chosen, refused = row["candidates"]
    assert {name: chosen[name] for name in FACTORS} == FACTORS
    assert (refused["rules"], clock.micros(refused["passes_at"])) == ([TRIP["rule"]], AT + 2 * clock.DAY)
    assert refused["p"] is None


@pytest.mark.parametrize(
    ("answer", "probability"),
    [
        ({}, 0.9),
        ({"ghost": "a", "ghost_channel": "email"} | SILENT, 0.04),
        (SILENT, 0.06),
    ],
)
def test_the_probability_is_that_of_the_cell_that_was_drawn(answer, probability):
    assert decision_log.row(logged(**answer))["probability"] == probability


def test_a_document_from_before_a_key_existed_makes_a_row():
    old = {key: value for key, value in logged().items() if key not in ("arms", "arm_id", "more_slots", "candidates")}
    row = decision_log.row(old)
    assert (row["experiment"], row["arm_id"], row["slots"], row["candidates"]) == (None, None, 1, [])


def test_models_and_shadows_stand_in_columns():
    told = {
        "arms": {"holdout": "treated", "challenger": True},
        "models": {"churn": {"version": "2"}, "propensity": {"version": "4", "alias": "challenger"}},
        "shadow": {
            "churn": {"version": "3", "score": 0.5},
            "uplift": {"version": "1", "scores": {"a": {"email": 0.1, "sms": None}}},
        },
    }
    row = pa.Table.from_pylist([decision_log.row(logged(**told))], DECISIONS).to_pylist()[0]
    assert row["challenger"] is True
    assert [tuple(model.values()) for model in row["models"]] == [
        ("churn", "2", "champion"),
        ("propensity", "4", "challenger"),
    ]
    assert [tuple(said.values()) for said in row["shadow"]] == [
        ("churn", "3", None, None, 0.5),
        ("uplift", "1", "a", "email", 0.1),
        ("uplift", "1", "a", "sms", None),
    ]


def test_several_slots_are_counted_and_a_placement_is_named():
    two = logged(placements=[{"name": "hero", "channel": "web", "tags": []}, {"name": "side"}], more_slots=[{}])
    assert {name: decision_log.row(two)[name] for name in ("slots", "placement")} == {"slots": 2, "placement": "hero"}


def test_every_slot_has_a_row_with_its_own_draw_and_what_was_known():
    other = {
        "action": None, "treatment_channel": None, "ghost": "b", "ghost_channel": "sms", "reason": "withheld",
        "contact_id": None, "uniform": 0.97, "intended": None, "candidates": FATES[1:], "says": None,
        "expires_at": None, "distribution": [{"action": "b", "channel": "sms", "ghost": True, "probability": 1.0}],
    }  # fmt: skip
    two = logged(2, placements=[{"name": "hero"}, {"name": "side"}], more_slots=[other])
    rows = [decision_log.row(each) | {"document": json.dumps(each)} for each in (logged(1), two, logged(3))]
    columns = [
        pa.array([each[field.name] for each in rows],
                 pa.int64() if pa.types.is_timestamp(field.type) else field.type).cast(field.type)
        for field in DECISIONS
    ]  # fmt: skip
    table = pa.table(columns, schema=DECISIONS)
    found = decision_log.by_slot(table)
    assert found.schema.equals(DECISIONS)
    assert found["decision_id"].to_pylist() == ["d-1", "d-2", "d-3", "d-2"]
    *first, last = found.to_pylist()
    assert first == table.to_pylist()
    assert (last["placement"], last["ghost"], last["probability"], last["uniform"]) == ("side", "b", 1.0, 0.97)
    assert [each["action"] for each in last["candidates"]] == ["b"]
    for name in ("decided_at", "customer_id", "features", "arm_id", "slots", "document", "models"):
        assert last[name] == first[1][name]
    plain = table.filter(pa.array([True, False, True]))
    assert decision_log.by_slot(plain).equals(plain)


def test_rows_from_before_the_columns_are_completed_as_they_are_read(history):
    """Old files hold the first columns and the document; new ones stand beside them; some logs have no document."""
    first = DECISIONS.names[: DECISIONS.names.index("document") + 1]
    rows = [decision_log.row(logged(i)) | {"document": json.dumps(logged(i))} for i in range(4)]
    old = pa.Table.from_pylist(rows[:2], pa.schema([DECISIONS.field(name) for name in first]))
    history.append_log("decisions", old)
    history.append_log("decisions", pa.Table.from_pylist(rows[2:3], DECISIONS))
    history.append_log("decisions", pa.Table.from_pylist([rows[3] | {"document": None}], DECISIONS))
    found = decision_log.read(history)
    assert found.schema.equals(DECISIONS)
    told = found.drop_columns(["decision_id", "document"]).to_pylist()
    assert len(told) == 4
    assert told[1:] == told[:-1]
    assert sorted(found["decision_id"].to_pylist()) == [f"d-{i}" for i in range(4)]
    narrow = decision_log.read(history, ["uniform", "decision_id"])
    assert narrow.schema.names == ["uniform", "decision_id"]
    assert narrow["uniform"].to_pylist() == [0.5] * 4
    assert decision_log.read(history, ["arm"])["arm"].to_pylist() == ["treated"] * 4


def test_no_decisions_yet_is_an_empty_table(history):
    assert decision_log.read(history).equals(DECISIONS.empty_table())
    assert decision_log.read(history, ["candidates"], until=AT).num_rows == 0
