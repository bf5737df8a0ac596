"""The workspace's own uplift: as assigned, from synced history, against a simulated truth."""

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from features import clock
from features.clock import DAY
from features.decision_log import DECISIONS
from features.history import History, conform
from features.scaffold import init_workspace, templates
from features.workspace import WorkspaceError
from serving.decisions import holdout as arms
from serving.decisions import policy
from serving.decisions.decide import decide
from serving.decisions.decision import Request, Scores
from serving.store.sqlite import SqliteStore
from serving.sync import sync
from training.reports.commands import app
from training.reports.overview import job as overview
from training.reports.uplift import holdout, job
from training.reports.uplift.log import Log

START = clock.parse_instant("2024-01-01")
SALT, SHARE = "tactful", 0.05


@pytest.fixture
def workspace(tmp_path):
    files = templates("features", "serving")
    return init_workspace(tmp_path / "shop", files)


def decision(customer, day, possible=True, number=0, share=SHARE, action="offer"):
    """One logged decision; the arm is the product's own."""
    silence = {"action": None, "channel": None, "ghost": False, "probability": 0.02}
    cells = [{"action": action, "channel": "email", "ghost": False, "probability": 0.98}] if possible else []
    arm = arms.arm(customer, SALT, share)
    drawn = {"distribution": [*cells, silence], "intended": None}
    if arm == "holdout":
        drawn = {"distribution": [silence], "intended": [*cells, silence]}
    return {
        "decision_id": f"d-{customer}-{day}-{number}",
        "decided_at": START + int(day * DAY),
        "customer_id": customer,
        "arm": arm,
        "slots": 1,
        **drawn,
    }


def log_decisions(workspace, rows):
    History(workspace).append_log("decisions", pa.Table.from_pylist(rows, DECISIONS))


def log_interactions(workspace, rows):
    """Rows of (customer, day, type, value, extra columns)."""
    table = {
        "interaction_id": [f"i{place}" for place in range(len(rows))],
        "customer_id": [row[0] for row in rows],
        "occurred_at": pa.array([START + int(row[1] * DAY) for row in rows], pa.timestamp("us", tz="UTC")),
        "channel": ["store"] * len(rows),
        "type": [row[2] for row in rows],
        "value": pa.array([row[3] for row in rows], pa.float64()),
    }
    for name in ("direction", "action", "topic", "decision_id"):
        values = [(row[4] if len(row) > 4 else {}).get(name) for row in rows]
        table[name] = ["inbound" if name == "direction" and value is None else value for value in values]
        table[name] = pa.array(table[name], pa.string())
    History(workspace).append(conform(pa.table(table)), "test")


def simulate(workspace, customers, lift, days=100, seed=1):
    """Everyone is decided on in the first ten days; they buy within 28 days with chance .30, or `lift` more."""
    rng = np.random.default_rng(seed)
    decisions, interactions = [], [("watcher", days, "page_view", None)]
    for i in range(customers):
        name, entered = f"c{i}", float(rng.uniform(0, 10))
        decisions += [decision(name, entered), decision(name, entered + 5, number=1)]
        chance = 0.30 + (lift if decisions[-1]["arm"] == "treated" else 0.0)
        if rng.uniform() < chance:
            interactions.append((name, entered + float(rng.uniform(0, 28)), "purchase", float(rng.uniform(10, 30))))
        interactions.append((name, entered - 0.5, "purchase", 99.0))  # before: counts for nothing
        interactions.append((name, entered + 28.0, "purchase", 99.0))  # a moment too late
    log_decisions(workspace, decisions)
    log_interactions(workspace, interactions)
    return decisions, interactions


def naive(decisions, interactions, arm):
    """Each customer's outcome, one by one: did they buy in the 28 days from their first decision?"""
    first = {}
    for row in sorted(decisions, key=lambda row: row["decided_at"]):
        first.setdefault(row["customer_id"], row)
    bought = {name: 0 for name, row in first.items() if row["arm"] == arm}
    for name, day, what, _ in interactions:
        at = START + int(day * DAY)
        if name in bought and what == "purchase" and 0 <= at - first[name]["decided_at"] < 28 * DAY:
            bought[name] = 1
    return np.array(list(bought.values()))


def test_a_known_effect_is_recovered_as_assigned(workspace):
    logs = simulate(workspace, 12_000, lift=0.10, seed=2)
    found = job.report(workspace)
    rate, money = found.outcomes
    assert not found.alarm
    held = {arm.name: arm.customers for arm in found.assignment.arms}
    assert sum(held.values()) == 12_000
    treated, held_out = (naive(*logs, arm) for arm in ("treated", "holdout"))
    assert (rate.control.n, rate.control.mean) == (len(held_out), pytest.approx(held_out.mean()))
    assert rate.comparisons[0].sample.mean == pytest.approx(treated.mean())
    (effect,) = (one.effect for one in rate.comparisons)
    assert effect.low < 0.10 < effect.high
    assert rate.comparisons[0].verdict == "raised"
    assert found.headline.startswith("Contacts raised purchase within 28 days: ")
    assert money.unit == "USD"
    assert money.control.mean == pytest.approx(rate.control.mean * 20, rel=0.15)


def test_nothing_worked_is_said(workspace):
    simulate(workspace, 2_000, lift=0.0)
    found = job.report(workspace)
    assert found.outcomes[0].comparisons[0].verdict == "undecided"
    assert "No effect of contacts on purchase within 28 days is shown" in found.headline
    assert found.outcomes[0].plans[0].needed_customers > 2_000


def test_customers_enter_at_the_first_decision_in_which_a_contact_was_possible(workspace):
    log_decisions(
        workspace,
        [
            decision("late", 3, possible=False),
            decision("late", 7),
            decision("late", 9),
            decision("helped", 3, action="app_tour"),
            decision("never", 3, possible=False),
            decision("once", 2),
        ],
    )
    log_interactions(workspace, [("once", 1, "purchase", 5.0)])
    assert entered_at(workspace) == {"late": START + 7 * DAY, "once": START + 2 * DAY}


def entered_at(workspace):
    """Customer -> when they entered the comparison."""
    log = Log.read(workspace)
    entered = holdout.entries(log)
    return dict(zip(log.persons.ids[entered.person], entered.at.tolist(), strict=True))


def test_decisions_synced_from_the_live_store_are_understood(workspace):
    """The real thing end to end: decide, commit, send, sync; held-out customers enter beside the others."""
    playbook, store = policy.load(workspace), SqliteStore(workspace.store_path)
    scores = Scores(propensity=lambda candidates: [0.5] * len(candidates))
    decided = {}
    for i in range(60):
        request = Request(customer_id=f"c{i}", decision_id=f"d{i}", channel="web", direction="inbound")
        read = store.read(f"c{i}")
        made = decide(request, read.customer, scores, playbook, START + i, 0.3)
        assert store.commit_decision(made).result().status == "committed"
        decided[f"c{i}"] = made.arm
    sync(workspace, store)
    store.close()
    log_interactions(workspace, [("x", 60, "purchase", 5.0)])
    log = Log.read(workspace)
    entered = holdout.entries(log)
    assert dict(zip(log.persons.ids[entered.person], entered.held_out, strict=True)) == {
        customer: arm == "holdout" for customer, arm in decided.items()
    }
    assert set(decided.values()) == {"holdout", "treated"}
    assert sorted(entered.at) == [START + i for i in range(60)]
    assert job.report(workspace).population.startswith("60 customers")


def test_too_early_is_said_with_the_day_it_ends(workspace):
    log_decisions(workspace, [decision(f"c{i}", 2) for i in range(100)])
    log_interactions(workspace, [("c1", 1, "purchase", 5.0), ("c2", 10, "purchase", 5.0)])
    found = job.report(workspace)
    assert found.outcomes == []
    assert found.headline.startswith("Too early to tell: 100 customers are in the comparison")
    assert "the first 28 days end on 2024-01-31" in found.headline
    assert any(note.startswith("100 customers entered less than 28 days ago") for note in found.notes)
    assert job.report(workspace, days=5).outcomes  # a shorter outcome is complete


def test_no_decisions_yet_is_an_answer_and_no_interactions_an_error(workspace):
    with pytest.raises(WorkspaceError, match="there are no interactions to report on"):
        job.report(workspace)
    log_interactions(workspace, [("c1", 1, "purchase", 5.0)])
    found = job.report(workspace)
    assert found.headline.startswith("Nothing to compare yet")
    assert (found.outcomes, found.assignment) == ([], None)


def test_a_holdout_that_lost_customers_turns_the_report_red(workspace):
    """Half of the held-out customers are missing from the log: something chose who is seen."""
    rows = [decision(f"c{i}", 1) for i in range(8_000)]
    log_decisions(workspace, [row for i, row in enumerate(rows) if row["arm"] == "treated" or i % 2])
    log_interactions(workspace, [("c1", 60, "purchase", 5.0)])
    found = job.report(workspace)
    assert found.alarm
    assert found.headline.startswith("Do not rely on this report yet")


def test_without_a_holdout_the_total_cannot_be_known(workspace):
    text = workspace.policy_file.read_text()
    assert "share: 0.05" in text
    workspace.policy_file.write_text(text.replace("share: 0.05", "share: 0.0"))
    log_decisions(workspace, [decision(f"c{i}", 1, share=0.0) for i in range(100)])
    log_interactions(workspace, [("c1", 60, "purchase", 5.0)])
    assert job.report(workspace).headline.startswith("The total effect cannot be known")


def test_a_log_without_anybody_held_out_says_so_and_is_no_alarm(workspace):
    log_decisions(workspace, [decision(f"c{i}", 1, share=0.0) for i in range(300)])
    log_interactions(workspace, [("c1", 60, "purchase", 5.0)])
    found, seen = job.report(workspace), overview.report(workspace)
    for one in (found, seen):
        assert (one.alarm, one.assignment) == (False, None)
        assert "none of the 300 customers in this log was held out. The contact policy now holds out 5%" in one.headline
    assert (found.outcomes, found.notes, seen.totals) == ([], [], [])


def test_a_holdout_that_began_later_than_the_log_counts_from_there(workspace):
    """Who was decided about before it began is not taken for somebody who was not held out."""
    before = [decision(f"c{i}", 1, share=0.0) for i in range(3_000)]
    log_decisions(workspace, before + [decision(f"c{i}", 20 + i / 3_000) for i in range(3_000)])
    log_interactions(workspace, [("c1", 60, "purchase", 5.0)])
    found = job.report(workspace)
    assert not found.alarm
    held = {arm.name: arm.customers for arm in found.assignment.arms}[holdout.CONTROL]
    assert held == sum(arms.arm(f"c{i}", SALT, SHARE) == "holdout" for i in range(3_000))
    assert (
        "The holdout as it is began on 2024-01-21: customers count from their first decision since then." in found.notes
    )
    first = next(i for i in range(3_000) if arms.arm(f"c{i}", SALT, SHARE) == "holdout")
    entered = entered_at(workspace)
    assert len(entered) == 3_000 - first
    assert min(entered.values()) == START + int((20 + first / 3_000) * DAY)


def test_a_few_customers_before_the_first_who_is_held_out_are_chance():
    assert not holdout.unlikely(134, 0.05)
    assert holdout.unlikely(135, 0.05)
    assert not holdout.unlikely(10_000, 0.0)


def test_sensitive_topics_and_other_types_never_count(workspace):
    log_decisions(workspace, [decision(f"c{i}", 1) for i in range(40)])
    rows = [(f"c{i}", 2, "purchase", 5.0, {"topic": " Health"}) for i in range(40)]
    rows += [(f"c{i}", 2, "page_view", 5.0) for i in range(40)]
    log_interactions(workspace, [*rows, ("x", 60, "page_view", None)])
    found = job.report(workspace)
    assert found.outcomes[0].control.mean == 0.0
    assert found.outcomes[0].comparisons[0].sample.mean == 0.0
    assert found.outcomes[0].comparisons[0].verdict == "too_few"


def test_our_own_contacts_are_no_other_tools_contacts(workspace):
    log_decisions(workspace, [decision("c0", 1)])
    sent = {"direction": "outbound", "action": "offer", "decision_id": "d-c0-1-0"}
    theirs = {"direction": "outbound", "action": "leaflet"}
    log_interactions(
        workspace, [("c0", 1, "contact", None, sent), ("c1", 2, "contact", None, theirs), ("c1", 3, "purchase", 1.0)]
    )
    found = job.report(workspace)
    assert found.other_contacts.contacts == 1


def test_the_command_reports_on_a_workspace(workspace, tmp_path):
    simulate(workspace, 1_000, lift=0.2)
    page = tmp_path / "uplift.html"
    done = CliRunner().invoke(app, ["uplift", "--out", str(page), "--workspace", str(workspace.folder)])
    assert done.exit_code == 0, done.output
    assert "Contacts raised purchase within 28 days" in done.output
    assert "Contacts raised purchase" in page.read_text()
