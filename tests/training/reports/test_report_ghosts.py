"""Contacts against ghosts: known effects are found, small cells say so, and every figure is a naive sum's."""

import math
from dataclasses import replace

import ghost_logs
import numpy as np
import orjson
import pyarrow as pa
import pytest
from ghost_logs import DAY, START, decision, log_decisions, log_interactions, played, shop
from hypothesis import given
from hypothesis import strategies as st

from features.attributes import ATTRIBUTES
from features.history import History
from features.workspace import Workspace
from training.reports import always_valid, statistics
from training.reports.effects import Estimate
from training.reports.uplift import ghosts, job, returns, words
from training.reports.uplift.clustered import Design
from training.reports.uplift.events import Events
from training.reports.uplift.log import Log

DAYS = 14


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    workspace = shop(tmp_path_factory.mktemp("ghosts") / "shop")
    return workspace, *played(workspace)


@pytest.fixture(scope="module")
def found(world):
    return ghosts.report(Log.read(world[0]), DAYS, 0.1)


def by(found, dimension):
    return {cell.name: cell for one in found.breakdowns if one.dimension == dimension for cell in one.cells}


def naive(decisions, rows, chosen, days=DAYS):
    """(contacts, ghosts, weighted rate of buying with and without the contact), one decision after the other."""
    bought = {}
    for name, day, what, _ in rows:
        if what == "purchase":
            bought.setdefault(name, []).append(START + int(day * DAY))
    sums = {True: [0.0, 0.0, 0], False: [0.0, 0.0, 0]}
    for row in decisions:
        if not chosen(row):
            continue
        made = row.get("ghost") is None
        p = {cell["ghost"]: cell["probability"] for cell in row["distribution"] if cell["action"] is not None}
        weight = 1.0 if made else p[False] / p[True]
        at = row["decided_at"]
        success = any(at <= one < at + days * DAY for one in bought.get(row["customer_id"], []))
        sums[made][0] += weight * success
        sums[made][1] += weight
        sums[made][2] += 1
    return sums[True][2], sums[False][2], sums[True][0] / sums[True][1], sums[False][0] / sums[False][1]


def test_known_effects_are_found_and_nothing_else(found):
    cells = by(found, "action")
    assert {name: cell.found[0].verdict for name, cell in cells.items()} == {
        "Winback": "raised",
        "Newsletter": "undecided",
        "Nuisance": "lowered",
    }
    for name, effect in ghost_logs.EFFECTS.items():
        one = cells[words.spoken(name)].found[0].effect
        assert one.always.low <= effect <= one.always.high
        assert one.always.low < one.low < one.high < one.always.high
    assert cells["Nuisance"].found[2].verdict == "raised"
    assert "raised opt-outs" in cells["Nuisance"].sentence
    assert cells["Winback"].found[2].verdict != "raised"
    assert 0 < cells["Winback"].found[0].explained < 1


def test_every_cell_is_the_naive_sum_before_history_is_used(world, found):
    _, decisions, rows = world
    log = Log.read(world[0])
    drawn = ghosts.Drawn.of(log)
    outcomes = ghosts.Outcomes.of(log, drawn, DAYS)
    for action in ghost_logs.EFFECTS:
        ours = drawn.action == action
        design = Design.of(np.zeros(ours.sum(), int), drawn.person[ours], drawn.made[ours], drawn.chance[ours], 1)
        (one,) = design.compare(outcomes.after["goal"][ours])
        contacts, held, with_it, without = naive(
            decisions, rows, lambda row, action=action: action in (row.get("action"), row.get("ghost"))
        )
        cell = by(found, "action")[words.spoken(action)]
        assert (cell.contacts, cell.ghosts) == (contacts, held)
        assert one.treated.mean == pytest.approx(with_it, abs=1e-12)
        assert one.control.mean == pytest.approx(without, abs=1e-12)


def test_all_dimensions_add_up(found):
    for one in found.breakdowns:
        assert sum(cell.contacts for cell in one.cells) == found.contacts == found.total.contacts
        assert sum(cell.ghosts for cell in one.cells) == found.ghosts
    assert [one.dimension for one in found.breakdowns] == ["action", "channel", "treatment", "segment", "period"]
    assert list(by(found, "segment")) == ["none", "1", "2 or 3", "4 or more"]
    assert list(by(found, "period")) == ["January 2024", "February 2024"]
    assert set(by(found, "treatment")) >= {"Winback by phone", "Winback by e-mail"}
    winback = by(found, "treatment")["Winback by phone"]
    assert (winback.action, winback.channel) == ("winback", "phone")


def test_the_headline_names_what_earned_and_what_is_open(found):
    assert found.headline.startswith(words.per_contact(found.total.found[1], DAYS))
    earned = [cell for cell in by(found, "treatment").values() if cell.found[1].verdict == "raised"]
    best = max(earned, key=lambda cell: cell.returns.extra.value)
    assert f"{best.name} earned most" in found.headline
    assert "Winback raised purchase" in found.breakdowns[0].sentence
    assert "Nuisance lowered purchase" in found.breakdowns[0].sentence
    assert "still open: Newsletter" in found.breakdowns[0].sentence


def test_cost_and_return_follow_from_the_effect(found):
    cell = by(found, "treatment")["Winback by phone"]
    back, effect = cell.returns, cell.found[1].effect
    assert back.cost == pytest.approx(2.0 * cell.contacts)
    assert back.extra.value == pytest.approx(effect.difference * cell.contacts)
    assert back.kept.low == pytest.approx(0.3 * effect.low * cell.contacts)
    assert back.profit.always_high == pytest.approx(0.3 * effect.always.high * cell.contacts - back.cost)
    assert back.roi.value == pytest.approx(back.profit.value / back.cost)
    assert back.verdict == ("paid" if back.profit.always_low > 0 else "lost" if back.profit.always_high < 0 else "open")


@pytest.mark.parametrize(
    ("difference", "half", "cost", "verdict", "says"),
    [
        (2.0, 0.5, 10.0, "paid", "gained for each USD spent"),
        (2.0, 0.5, 0.0, "paid", "are kept."),
        (0.1, 0.2, 1000.0, "lost", "more than they brought"),
        (-2.0, 0.5, 10.0, "lost", "took away"),
        (0.1, 2.0, 10.0, "open", "is open"),
    ],
)
def test_what_contacts_returned_is_said_as_it_is(difference, half, cost, verdict, says):
    low, high = difference - half, difference + half
    effect = statistics.Effect(difference, low, high, None, None, None, 0.01)
    found = returns.of(effect, "raised" if low > 0 else "undecided", 100, 100, cost, 0.3, "USD")
    assert found.verdict == verdict
    assert says in found.sentence
    assert (found.roi is None) == (cost == 0)
    assert found.extra == Estimate(value=100 * difference, low=100 * low, high=100 * high)


def test_among_many_compared_one_that_looks_good_has_not_paid_yet(found):
    """Its interval leaves out zero, but not its p-value after Holm's correction."""
    effect = statistics.Effect(2.0, 1.5, 2.5, None, None, None, 0.01)
    told = returns.of(effect, "undecided", 100, 100, 10.0, 0.3, "USD")
    assert told.verdict == "open"
    assert "with several compared one such result is no surprise" in told.sentence
    one = found.total.found[1]
    always = statistics.AlwaysValid(0.2, 3.0, 0.02)
    open_ = one.model_copy(update={"verdict": "undecided", "effect": replace(effect, always=always), "weeks": 3.0})
    assert words.found("E-mail", open_).endswith("with several compared one such result is no surprise.")


def test_small_cells_say_too_few_and_never_a_number(tmp_path):
    workspace = shop(tmp_path / "shop")
    log_decisions(workspace, [decision(f"c{i}", 1, "winback", ghost=i % 5 == 0) for i in range(40)])
    log_interactions(workspace, [(f"c{i}", 2, "purchase", 5.0) for i in range(0, 40, 3)] + [("x", 60, "purchase", 1.0)])
    found = ghosts.report(Log.read(workspace), DAYS, 0.1)
    for one in found.breakdowns:
        for cell in one.cells:
            assert {each.verdict for each in cell.found} == {"too_few"}
            assert all(each.effect is None and each.weeks is None for each in cell.found)
            assert cell.sentence.startswith("Too few to tell")
    assert found.headline.startswith("Too few to tell what a contact brings")
    assert "Too few to tell for Winback" in found.breakdowns[0].sentence


def test_ghosts_that_got_lost_turn_the_report_red(tmp_path):
    workspace = shop(tmp_path / "shop")
    rows = [decision(f"c{i}", 1 + i % 9, "winback", ghost=i % 5 == 0) for i in range(2000)]
    log_decisions(workspace, [row for i, row in enumerate(rows) if row.get("ghost") is None or i % 2])
    log_interactions(workspace, [("x", 60, "purchase", 1.0)])
    found = job.report(workspace)
    assert found.alarm
    assert found.headline.startswith("Do not rely on this report yet: The draws do not fit")


def test_the_check_is_calm_where_all_is_well(found):
    assert not found.check.alarm
    assert found.check.drawn == found.contacts + found.ghosts + found.waiting
    assert found.check.expected == pytest.approx(found.check.ghosts, rel=0.15)


def test_without_ghosts_there_is_no_such_section_and_waiting_ones_are_told(tmp_path):
    workspace = shop(tmp_path / "shop")
    log_interactions(workspace, [("x", 6, "purchase", 1.0)])
    assert ghosts.report(Log.read(workspace), DAYS, 0.1) is None
    log_decisions(workspace, [decision(f"c{i}", 1, "winback", ghost=i % 5 == 0) for i in range(40)])
    found = ghosts.report(Log.read(workspace), DAYS, 0.1)
    assert (found.contacts, found.waiting) == (0, 40)
    assert found.headline == "Too early to tell: the first 14 days after a contact end on 2024-01-16."


def test_a_declared_attribute_is_read_as_of_the_decision(tmp_path):
    workspace = shop(tmp_path / "shop")
    text = (workspace.folder / "tactful.yaml").read_text()
    (workspace.folder / "tactful.yaml").write_text(
        text.replace("attributes: {}", "attributes: {tier: [gold, silver], age: number}")
    )
    workspace = Workspace.open(workspace.folder)
    told = [("c0", -5, "gold"), ("c0", 5, "silver"), ("c1", -5, "silver"), ("c2", -5, "bronze")]
    told.append(("nobody", -5, "gold"))  # who did nothing and was never decided about says nothing of others
    History(workspace).append_attributes(
        pa.Table.from_pylist(
            [
                {"record_id": str(k), "customer_id": who, "valid_from": START + day * DAY, "received_at": START,
                 "attributes": orjson.dumps({"tier": tier}).decode()}
                for k, (who, day, tier) in enumerate(told)
            ],
            ATTRIBUTES,
        ),
        "crm",
    )  # fmt: skip
    log_decisions(workspace, [decision(f"c{i}", day, "winback") for i in range(4) for day in (1, 8)])
    log_interactions(workspace, [("a", 60, "purchase", 1.0)])
    found = ghosts.report(Log.read(workspace), DAYS, 0.1)
    tier = next(one for one in found.breakdowns if one.title == "By tier")
    assert {cell.name: cell.contacts for cell in tier.cells} == {"gold": 1, "silver": 3, "other": 2, "not known": 2}
    assert [cell.name for cell in tier.cells] == ["gold", "silver", "other", "not known"]


@pytest.mark.parametrize("dimension", ["action", "channel", "treatment", "segment", "period"])
def test_sentences_say_what_the_verdicts_say(found, dimension):
    for cell in by(found, dimension).values():
        for one in cell.found:
            says = {
                "raised": " raised ",
                "lowered": " lowered ",
                "undecided": "No effect of ",
                "too_few": "Too few to ",
            }
            assert says[one.verdict] in one.sentence
            if one.verdict in ("raised", "lowered"):
                assert one.effect.always.low > 0 or one.effect.always.high < 0
        assert cell.found[0].sentence in cell.sentence or cell.found[1].sentence in cell.sentence


def test_a_contact_is_said_to_bring_what_it_brings(found):
    total = found.total.found[1]
    raised = total.model_copy(update={"verdict": "raised"})
    size = f"{total.effect.difference:.2f}".replace("-", "")
    assert words.per_contact(raised, DAYS).startswith(f"A contact brought {size} USD more sales in {DAYS} days")
    open_ = total.model_copy(update={"verdict": "undecided", "weeks": 5.0})
    assert words.per_contact(open_, DAYS).endswith("about 5 more weeks until we know.")


def test_a_day_more_equals_a_report_from_scratch(tmp_path):
    workspace = shop(tmp_path / "shop")
    played(workspace, customers=60, days=6)
    job.report(workspace)
    log_decisions(workspace, [decision("c1", 95.0, "winback"), decision("new", 95.0, "winback", ghost=True)])
    log_interactions(workspace, [("new", 96.0, "purchase", 7.0), ("c1", 131.0, "purchase", 7.0)], "later")
    again = job.report(workspace)
    for partial in (workspace.reports / ".partials").iterdir():
        partial.unlink()
    scratch = job.report(workspace)
    assert again.model_copy(update={"created_at": ""}) == scratch.model_copy(update={"created_at": ""})


events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(1, 9)), max_size=30)
windows = st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 55), st.integers(0, 30)), min_size=1, max_size=20)


@given(events, windows)
def test_windows_are_exact_at_both_ends(happened, asked):
    columns = [np.array([one[k] for one in happened], np.int64) for k in range(3)]
    found = Events.of(columns[0], columns[1], columns[2].astype(float), 4)
    person, since, length = (np.array([one[k] for one in asked], np.int64) for k in range(3))
    number, total = found.within(person, since, since + length)
    for k, (who, start, span) in enumerate(asked):
        inside = [value for p, at, value in happened if p == who and start <= at < start + span]
        assert (number[k], total[k]) == (len(inside), sum(inside))


def test_once_drawn_with_equal_shares_it_is_welchs_comparison():
    rng = np.random.default_rng(1)
    made, values = rng.random(500) < 0.8, rng.gamma(1.0, 10.0, 500)
    design = Design.of(np.zeros(500, int), np.arange(500), made, np.full(500, 0.8), 1)
    (one,) = design.compare(values)
    textbook = statistics.compare(*(statistics.Sample.of(values[made == arm]) for arm in (False, True)))
    for name in ("difference", "low", "high", "p"):
        assert getattr(one.effect, name) == pytest.approx(getattr(textbook, name), abs=1e-9)


def test_always_valid_bounds_are_tuned_to_the_plan():
    ratios = always_valid.reach(np.array([0.4, 1.0, 3.0])) / 1.959964
    assert ratios[1] == pytest.approx(1.5485, abs=1e-3)
    assert (ratios <= 1.6).all()
    assert always_valid.reach(1.0) < min(always_valid.reach(0.99), always_valid.reach(1.01)) + 1e-9
    effect = statistics.compare(statistics.Sample(800, 10.0, 90.0), statistics.Sample(7200, 10.4, 90.0))
    beside = always_valid.beside(effect, 1.0)
    assert (beside.high - beside.low) / (effect.high - effect.low) <= 1.6
    assert beside.p > effect.p


@given(st.floats(-6, 6), st.floats(0.01, 50))
def test_an_always_valid_p_value_below_the_level_is_an_interval_without_nothing(z, progress):
    p = always_valid.p_value(z, progress)
    assert 0 <= p <= 1
    assert (p < always_valid.LEVEL) == (abs(z) > always_valid.reach(progress)) or math.isclose(
        abs(z), always_valid.reach(progress), rel_tol=1e-9
    )


def test_weeks_until_known_are_those_that_the_bound_needs():
    error, plan, have = 1.0, 1000, 1000
    weeks = always_valid.weeks(error, 2.0, have, 100.0, plan, 0.8)
    for number, shown in ((weeks, True), (weeks - 1, False)):
        n = have + 100 * number
        needed = (always_valid.reach(n / plan) + 0.8416212) * error * math.sqrt(have / n)
        assert (needed <= 2.0) == shown
    assert always_valid.weeks(error, 10.0, have, 0.0, plan, 0.8) == 0.0
    assert always_valid.weeks(error, 1.0, have, 0.0, plan, 0.8) is None
    assert always_valid.weeks(error, 0.01, have, 100.0, plan, 0.8) is None
