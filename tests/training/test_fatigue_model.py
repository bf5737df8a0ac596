"""Harm as it is served: the file says what the fit says, plans pay, and history is read as it was played."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fatigue_market import REACHED, Book, pressure

from features.clock import DAY
from features.decision_log import DECISIONS
from features.history import History, conform
from features.ingest_decisions import ingest_decisions
from features.interactions import CHANNELS
from features.simulate.capped import Capped
from features.simulate.market import Market
from features.simulate.output import write
from features.simulate.traits import PROFILE
from features.workspace import Workspace, WorkspaceError
from serving.decisions.effects.bound import Standing
from serving.decisions.effects.file import Model
from serving.sync import CONTACTS
from training.fatigue import judge, wording
from training.fatigue.curve import BANDS, LOST, Curve, Smooth, bands, smooth
from training.fatigue.effects import Effects
from training.fatigue.fit import Sample, Stated, fit
from training.fatigue.log import AFTER, NO_CONTACT, read
from training.fatigue.often import NUMBERS, STATUSES, UNTOLD, plan, status
from training.fatigue.report import report
from training.fatigue.saturation import counted, saturation
from training.fatigue.spending import spending
from training.fatigue.trials import SILENCE, Clock, trials

CUSTOMERS, DAYS = 1200, 80


@pytest.fixture(scope="module")
def learned():
    """A small market under cap levels, what was learned of it, and the features that customers had: what they said."""
    market = Market(CUSTOMERS, "plain", seed=11)
    book = Book(market)
    market.run(30, None, book.lived)
    market.run(DAYS, book.of(Capped(0.6, every=2, seed=1)), book.decided_today)
    decided, happened = book.decided()[0], book.happened()
    values = market.traits.profile.astype(float)
    rows = np.arange(len(decided.who))
    sample = Sample(rows, values[decided.who], list(PROFILE), {})
    costs = np.full(len(CHANNELS), 0.05)
    fitted = fit(decided, happened, pressure(), Clock(), Stated(opt_out=3.0, costs=costs), sample)
    return SimpleNamespace(fitted=fitted, decided=decided, happened=happened, values=values, sample=sample)


def model_of(fitted):
    told = {name: {"contacts": 1} for name in fitted.channels}
    return fitted.harm.model(fitted.channels, told, horizon_days=60, catalogue_version="c")


def test_the_file_says_what_was_fitted_for_any_customer_channel_and_contacts(learned, tmp_path):
    harm = learned.fitted.harm
    assert any(one.shown for one in harm.differs.values())
    model_of(learned.fitted).write(tmp_path)
    bound = Model.read(tmp_path).bind(list(PROFILE), {})
    rng, n, now = np.random.default_rng(0), 60, 200 * DAY
    count = rng.integers(0, 9, n)
    start = np.concatenate([[0], np.cumsum(count)])
    channel = rng.choice(REACHED, start[-1])
    at = now - rng.integers(1, 90 * DAY, start[-1])
    named = np.array([bound.channels.index(CHANNELS[c]) for c in channel])
    counts = bound.counted(Standing(start, at, named), np.full(n, now))
    weigh = np.array([harm.pressure.weights[c] for c in channel]) * 0.5 ** ((now - at) / harm.pressure.half_life)
    load = np.array([weigh[a:b].sum() for a, b in pairwise(start)])
    who = rng.integers(0, CUSTOMERS, n)
    z = harm.standard.z(learned.values[who])
    for name in learned.fitted.channels:
        served = bound.effects(learned.values[who], np.array([bound.place("any action", name)]), counts)[:, 0]
        assert np.allclose(served, harm.money(np.full(n, CHANNELS.index(name)), load, z), rtol=1e-9, atol=1e-9)
        assert (served >= 0).all()
    assert len({round(float(one), 9) for one in served}) > 10
    other = bound.effects(learned.values[who], np.array([bound.place(None, "smoke signals")]), counts)
    assert np.isfinite(other).all()


def test_the_number_recommended_is_the_one_that_pays_most(learned):
    fitted, gain = learned.fitted, Smooth(np.full(len(CHANNELS), 6.0), 1.0, np.array([-0.4, -0.4, -0.2]))
    others, checked = np.array([0.0, 0.4, 1.2]), 0
    for c in REACHED.tolist():
        best = plan(fitted.harm, gain, c, 0.05, others)
        week = fitted.harm.pressure.weights[c] * 54 / 7 / np.log(2)
        for k, load in enumerate(others):
            x, which = load + NUMBERS * week, np.full(len(NUMBERS), c)
            each = fitted.harm.prices.margin * gain.at(which, x) - fitted.harm.money(which, x) - 0.05
            worth = NUMBERS * each
            assert best.number[k] == NUMBERS[worth.argmax()]
            assert best.worth[k] == pytest.approx(max(worth.max(), 0.0))
            checked += best.number[k] > 0
    assert checked > 0


def test_statuses_begin_where_they_say():
    now = np.array([0.0, 0.4, 0.5, 0.89, 0.9, 1.09, 1.1, 0.0, 0.25])
    number = np.array([1.0] * 7 + [0.0, 0.0])
    told = [STATUSES[k] for k in status(now, number)]
    assert told == ["under", "under", "on target", "on target", "nearly saturated", "nearly saturated", "saturated",
                    "on target", "saturated"]  # fmt: skip


def test_every_customer_stands_somewhere_on_every_channel_that_is_open_to_them(learned):
    ids = np.array([f"c{k}" for k in range(CUSTOMERS)], object)
    who, until = np.arange(CUSTOMERS), learned.happened.until
    z = learned.fitted.harm.standard.z(learned.values)
    some = learned.fitted.channels[:2]
    told = np.isin(CHANNELS, some)
    advice = replace(learned.fitted.advice, told=told, most=np.full(len(CHANNELS), 7.0))
    table = saturation(replace(learned.fitted, advice=advice), learned.happened, ids, who, until, z)
    out = learned.happened.opted_out
    closed = {(f"c{w}", CHANNELS[c]) for w, c in zip(out.who, out.channel, strict=True)}
    rows = set(zip(table["customer_id"].to_pylist(), table["channel"].to_pylist(), strict=True))
    assert rows == {(one, name) for one in ids for name in learned.fitted.channels} - closed
    touched = learned.happened.contacts
    recent = (touched.at >= until - 28 * DAY) & (touched.channel == CHANNELS.index("email"))
    mine = table.filter([name == "email" for name in table["channel"].to_pylist()])
    found = dict(zip(mine["customer_id"].to_pylist(), mine["contacts_a_week"].to_pylist(), strict=True))
    number = np.bincount(touched.who[recent], minlength=CUSTOMERS) / 4
    assert found == {one: number[int(one[1:])] for one in found}
    assert sum(sum(each.values()) for each in counted(table).values()) == table.num_rows
    counts = counted(table)
    assert sum(counts[name]["saturated"] for name in some) > 0
    rest = [name for name in learned.fitted.channels if name not in some]
    assert rest
    for name in rest:  # the log tells no number: none is recommended, and nobody is called saturated
        assert set(counts[name]) == {UNTOLD}
    number, channel = table["recommended_a_week"].to_pylist(), table["channel"].to_pylist()
    assert all((one is None) == (name in rest) for one, name in zip(number, channel, strict=True))


def test_later_decisions_prefer_the_model_that_is_right_to_its_opposite(learned):
    clock = Clock()
    found = trials(learned.decided, learned.happened, pressure().weights, clock)
    cell = bands(found.pressure)
    spent = spending(found, learned.happened.purchases, learned.happened.until, clock, cell, len(BANDS))
    rows = np.flatnonzero(found.at >= 60 * DAY)
    of = judge.later(found, spent, rows, learned.values[found.who[rows]], list(PROFILE), {}, learned.happened.contacts,
                     learned.fitted.harm.prices)  # fmt: skip
    ours = judge.foretold(of, model_of(learned.fitted))
    true = replace(of, cost=ours + np.random.default_rng(0).normal(0, 5 * ours.std(), len(ours)), cover=0 * of.cover)
    assert judge.better(true, ours, -ours).low > 0
    assert judge.better(true, ours, ours).value == 0
    told = judge.slope(true, ours)
    assert told.low < 1 < told.high < 1.5
    doubled = judge.slope(true, 2 * ours)
    assert doubled.value == pytest.approx(told.value / 2)
    # how unsure later losses are is in the interval: what is left of each decision alone would look far surer
    told, surer = (judge.slope(each, ours) for each in (of, replace(of, cover=0 * of.cover)))
    assert told.value == surer.value
    assert told.high - told.low > 3 * (surer.high - surer.low)


def test_where_chance_decided_nothing_it_says_what_is_missing(learned):
    sure = learned.decided
    always = type(sure)(sure.channels, sure.who, sure.at, sure.made, (sure.chance > 0).astype(np.float32),
                        np.zeros(len(sure.who)), np.ones(len(sure.who), np.float32))  # fmt: skip
    with pytest.raises(WorkspaceError, match=r"0 were contacts that chance .* `withholding`.*`cap_levels`"):
        fit(always, learned.happened, pressure(), Clock())


def test_where_nobody_bought_anything_opt_outs_and_complaints_are_told_alone(learned):
    """Nothing varies in spending then: no equations of it can be solved, and no sum of it is anything but 0."""
    nothing = learned.happened.purchases.of(np.zeros(0, np.int64), np.zeros(0, np.int64))
    fitted = fit(learned.decided, replace(learned.happened, purchases=nothing), pressure(), Clock(),
                 Stated(opt_out=3.0))  # fmt: skip
    spent = fitted.curves[LOST].channels
    assert (spent.contacts[REACHED] > 0).all()
    assert spent.value[REACHED] == pytest.approx(0.0)
    where, load = np.repeat(REACHED, 3), np.tile([0.0, 1.0, 2.0], len(REACHED))
    harm = fitted.harm.money(where, load)
    assert (harm > 0).any()
    opt_outs = 3.0 * fitted.harm.curves["opt-out"].at(where, load) + 5.0 * fitted.harm.curves["complaint"].at(
        where, load
    )
    assert harm == pytest.approx(np.maximum(opt_outs, 0.0))
    assert plan(fitted.harm, fitted.gain, int(REACHED[0]), 0.05, np.zeros(1)).number[0] == 0.0


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A workspace with a played market's log, and the same play kept in arrays."""
    folder = tmp_path_factory.mktemp("played")
    write(folder / "market", Market(150, "usual", seed=4), 50, Capped(0.5, every=3, seed=2), silent=20)
    shop = folder / "shop"
    shop.mkdir()
    (shop / "tactful.yaml").write_text("name: shop\n")
    workspace = Workspace.open(shop)
    for part in sorted((folder / "market" / "interactions").iterdir()):
        History(workspace).append(conform(pq.read_table(part)), part.name)
    ingest_decisions(workspace, [folder / "market" / "decisions.parquet"])
    market = Market(150, "usual", seed=4)
    book = Book(market)
    market.run(20, None, book.lived)
    market.run(30, book.of(Capped(0.5, every=3, seed=2)), book.decided_today)
    return workspace, book


def test_history_is_read_as_it_was_played(played):
    workspace, book = played
    log, (decided, _), happened = read(workspace), book.decided(), book.happened()
    ids = {f"c{k:07}": k for k in range(150)}
    who = np.array([ids[name] for name in log.ids])
    order = np.lexsort((log.decided.at, who[log.decided.who]))
    assert np.array_equal(who[log.decided.who][order], decided.who)
    assert np.array_equal(np.diff(log.decided.at[order]), np.diff(decided.at))
    assert np.array_equal(log.decided.made[order], decided.made)
    assert np.allclose(log.decided.chance[order], decided.chance, atol=1e-6)
    assert np.allclose(log.decided.silent[order], decided.silent, atol=1e-6)
    assert np.array_equal(log.decided.level[order], decided.level)
    for name in ("contacts", "opted_out", "complained", "purchases"):
        ours, theirs = getattr(log.happened, name), getattr(happened, name)
        order = np.lexsort((ours.at, who[ours.who]))
        assert np.array_equal(who[ours.who][order], theirs.who)
        assert np.array_equal(ours.channel[order], theirs.channel)
        if name == "purchases":
            assert np.allclose(ours.amount[order], theirs.amount, atol=0.006)


NOTICE = {
    "actions": [
        {"name": "notice", "issue": "service", "group": "care", "exempt": "hushed", "channels": {"email": {}}},
        {"name": "offer", "issue": "sales", "group": "offers", "channels": {"email": {}, "phone": {}}},
    ]
}


def touched(id, minute, type="sent", channel="email", **more):
    return {"interaction_id": id, "customer_id": "c", "occurred_at": 60_000_000 * minute, "channel": channel,
            "type": type, "direction": "outbound"} | more  # fmt: skip


@pytest.fixture
def hushed(tmp_path):
    """A shop whose notices are no contacts: three decisions, one contact of its own, and what other tools report."""
    (tmp_path / "tactful.yaml").write_text("name: shop\n")
    (tmp_path / "actions.yaml").write_text(json.dumps(NOTICE))
    (tmp_path / "contact_policy.yaml").write_text("exempt: {hushed: {counts: false}}\n")
    history = History(Workspace.open(tmp_path))
    told = [
        touched("a", 1),  # another tool's
        touched("b", 2, decision_id="d9"),
        touched("c", 3, "newsletter", decision_id="d9"),  # the same, told once more
        touched("d", 4, "delivered"),
        touched("e", 5, action="notice"),
        touched("f", 6, decision_id="d1", action="offer"),  # our own, which is in the log of contacts
        touched("g", 7, "call", "phone"),
    ]
    names = ["interaction_id", "customer_id", "occurred_at", "channel", "type", "direction", "decision_id", "action"]
    rows = pa.table({name: pa.array([row.get(name) for row in told]) for name in names})
    instant = rows["occurred_at"].cast(pa.timestamp("us", "UTC"))
    history.append(conform(rows.set_column(2, "occurred_at", instant)), "told")
    sent = {"contact_id": "k", "status": "sent", "changed_at": 60_000_000 * 6, "decision_id": "d1",
            "customer_id": "c", "action": "offer", "channel": "email", "counts": True}  # fmt: skip
    claimed = sent | {"status": "claimed", "changed_at": 60_000_000 * 5}
    own = [
        claimed,
        sent,
        sent | {"contact_id": "l", "changed_at": 60_000_000 * 8, "action": "notice", "counts": False},
        claimed | {"contact_id": "m", "decision_id": "d8", "changed_at": 60_000_000 * 9},  # and never reported
        claimed | {"contact_id": "n", "decision_id": "d7", "changed_at": 60_000_000 * 9},
        sent | {"contact_id": "n", "decision_id": "d7", "status": "failed"},
    ]
    history.append_log("contacts", pa.Table.from_pylist(own, schema=CONTACTS))
    chances = [("offer", "email", 0.3), ("notice", "email", 0.4), (None, None, 0.3)]
    cells = [{"action": a, "channel": c, "probability": p, "ghost": False} for a, c, p in chances]
    lines = [
        {"decision_id": f"d{k}", "customer_id": "c", "decided_at": datetime(1970, 1, 1, 0, k, tzinfo=UTC), "direction":
         "outbound", "action": action, "treatment_channel": action and "email", "arm": "treated", "distribution": cells}
        for k, action in enumerate(["offer", "notice", None])
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "decisions.parquet")
    ingest_decisions(Workspace.open(tmp_path), [tmp_path / "decisions.parquet"])
    return Workspace.open(tmp_path)


def test_contacts_are_those_that_the_guard_counts_each_once_and_notices_that_are_none_teach_nothing(hushed):
    log = read(hushed)
    minutes = log.happened.contacts.at // 60_000_000
    assert minutes.tolist() == [1, 2, 6, 7, 9]
    named = [log.decided.channels[c] for c in log.happened.contacts.channel]
    assert named == ["email", "email", "email", "phone", "email"]
    assert log.left_out == {NO_CONTACT: 1}
    email = log.decided.channels.index("email")
    assert log.decided.made.tolist() == [email, SILENCE]
    assert np.allclose(log.decided.chance[:, email], 0.5)
    assert np.allclose(log.decided.silent, 0.5)


def test_of_several_slots_the_last_teaches_and_what_one_before_it_sent_was_certain(hushed):
    """Else what chance drew there would decide whether the decision is here at all."""
    half = [("offer", "phone", 0.5), (None, None, 0.5)]
    sure = [("offer", "email", 0.9), ("offer", "email", 0.1)]

    def slot(cells, drawn, ghost=False):
        of = [{"action": a, "channel": c, "probability": p, "ghost": k == 1 and a is not None}
              for k, (a, c, p) in enumerate(cells)]  # fmt: skip
        action, channel, _ = cells[drawn]
        made = action if not ghost else None
        return {"action": made, "treatment_channel": made and channel, "ghost": action if ghost else None,
                "ghost_channel": channel if ghost else None, "distribution": of}  # fmt: skip

    def page(number, *slots, told=True):
        first, *others = slots
        whole = first | {"decision_id": f"p{number}", "customer_id": "c", "direction": "outbound", "arm": "treated"}
        at = datetime(1970, 1, 2, 0, number, tzinfo=UTC)
        text = json.dumps(whole | {"at": at.isoformat(), "more_slots": others})
        return whole | {"decided_at": at, "slots": len(slots), "document": text if told else None}

    lines = [
        page(0, slot(sure, 0), slot(half, 1)),  # e-mail, then silence
        page(1, slot(sure, 1, ghost=True), slot(half, 0)),  # withheld, then phone
        page(2, slot(sure, 1, ghost=True), slot(half, 1)),  # withheld, then silence
        page(3, slot(half, 0), slot(half, 0), told=False),
    ]
    History(hushed).append_log("decisions", pa.Table.from_pylist(lines, schema=DECISIONS))
    log = read(hushed)
    channels = log.decided.channels
    email, phone = channels.index("email"), channels.index("phone")
    later = log.decided.rows(log.decided.at >= 24 * 3_600_000_000)
    assert later.made.tolist() == [email, phone, SILENCE]
    assert later.chance[:, email].tolist() == [1, 0, 0]
    assert later.chance[:, phone].tolist() == [0, 0.5, 0.5]
    assert later.silent.tolist() == [0, 0.5, 0.5]
    assert log.left_out == {
        NO_CONTACT: 1, AFTER: 1, "with several slots, which history has no document of": 1
    }  # fmt: skip


def test_a_workspace_without_decisions_says_where_they_come_from(tmp_path):
    (tmp_path / "tactful.yaml").write_text("name: shop\n")
    with pytest.raises(WorkspaceError, match=r"holds no decisions; run `tactful sync`.*`tactful ingest --decisions"):
        read(Workspace.open(tmp_path))


@pytest.mark.parametrize(("error", "kept"), [(0.1, 0.99), (0.9, 0.19), (2.0, 0.0)])
def test_what_hardly_stands_out_from_its_error_hardly_counts_and_that_is_said(learned, error, kept):
    """One channel that costs 1 a contact, give or take: 1 - (error / 1)^2 of it counts (James and Stein)."""
    shape = (len(CHANNELS), len(BANDS))
    one = np.zeros(shape, bool)
    one[REACHED[0], 0] = True
    of = {"value": 1.0, "low": 1 - 2 * error, "high": 1 + 2 * error, "variance": error**2, "contacts": 50.0,
          "weight": 10.0, "pressure": 0.1}  # fmt: skip
    cells = Effects(*(np.where(one, number, 0.0) for number in of.values()))
    channels = Effects(*(column[:, 0] for column in vars(cells).values()))
    found = smooth(Curve(LOST, cells, channels), np.ones(len(CHANNELS)))
    assert found.kept == pytest.approx(kept, abs=0.001)
    curves = {**learned.fitted.harm.curves, LOST: found}
    fitted = replace(learned.fitted, harm=replace(learned.fitted.harm, curves=curves))
    said = list(wording.lines(report(fitted, None, {}), fitted, None))
    assert any(line.startswith(f"mind, of lost money only {kept:.0%}") for line in said) == (kept < 0.5)


def test_how_much_of_what_followed_contacts_is_missed_is_said_where_it_is_much(learned):
    """Every other day somebody is decided about: opt-outs of the same day count, later ones mostly do not."""
    told = report(learned.fitted, None, {})
    assert set(told["for_later_decisions"]) == {"opt-out", "complaint"}
    shares = {"opt-out": 0.36, "complaint": 0.04}
    fitted = replace(learned.fitted, for_later=shares)
    lines = [line for line in wording.lines(report(fitted, None, {}), fitted, None) if "next decision" in line]
    assert [line[:60] for line in lines] == ["mind, of opt-outs within `soon_days` of a contact 36% came a"]
