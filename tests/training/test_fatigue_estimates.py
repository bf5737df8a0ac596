"""What contacts cost, where it is known: sums that fade, outcomes of decisions, intervals, curves, spending, levels."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY
from training.fatigue import fading, levels
from training.fatigue.curve import BANDS, KNOTS, Curve, bands, effects, segments, smooth
from training.fatigue.curve import spent as spent_curves
from training.fatigue.differs import FOLDS, Rest, differs, in_turn
from training.fatigue.effects import Effects, Z
from training.fatigue.spending import spending
from training.fatigue.trials import SILENCE, Clock, Decided, Events, Happened, for_later, trials

CHANNELS = ("email", "phone")
LOG = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60), st.floats(0.1, 9)), max_size=25)


def nobody():
    none = np.zeros(0, np.int64)
    return Events.of(none, none)


def happened(until, **events):
    parts = {name: events.get(name, nobody()) for name in ("contacts", "opted_out", "complained", "purchases")}
    return Happened(**parts, until=until)


def decided(who, at, made, chance=0.5, level=1.0):
    """Contacts on the first channel by chance, else silence."""
    who, at, made = (np.asarray(column, np.int64) for column in (who, at, made))
    chances = np.zeros((len(who), 2), np.float32)
    chances[:, 0] = chance
    levels_ = np.broadcast_to(np.float32(level), len(who)).copy()
    return Decided.of(CHANNELS, who, at, made.astype(np.int16), chances, 1.0 - chances[:, 0].astype(float), levels_)


@settings(max_examples=60, deadline=None)
@given(LOG, LOG, st.floats(0.5, 40))
def test_fading_sums_are_what_a_loop_says(log, asked, half):
    who, at, amount = (
        (np.array(column) for column in zip(*sorted(log), strict=True)) if log else (np.zeros(0, int),) * 3
    )
    whom, when = (np.array(column) for column in zip(*sorted((w, t) for w, t, _ in asked), strict=True)) if asked else (
        np.zeros(0, int),) * 2  # fmt: skip
    before = fading.before(who, at, amount.astype(float), whom, when, half)
    after = fading.after(who, at, amount.astype(float), whom, when, half)
    for k in range(len(whom)):
        mine = [(t, a) for w, t, a in log if w == whom[k]]
        assert before[k] == pytest.approx(sum(a * 0.5 ** ((when[k] - t) / half) for t, a in mine if t < when[k]))
        assert after[k] == pytest.approx(sum(a * 0.5 ** ((t - when[k]) / half) for t, a in mine if t > when[k]))


def test_an_opt_out_belongs_to_the_last_decision_before_it_and_soon_after():
    of = decided([0, 0, 1, 2], [0, 10 * DAY, 0, 0], [0, SILENCE, 0, 0])
    out = Events.of(np.array([0, 1, 2]), np.array([11 * DAY, 15 * DAY, DAY]), np.array([1, 0, 0]))
    said = Events.of(np.array([0, 2, 7]), np.array([9 * DAY, -DAY, DAY]))
    found = trials(of, happened(60 * DAY, opted_out=out, complained=said), np.array([0.25, 0.5]), Clock())
    assert found.opted_out.tolist() == [[False, False], [False, True], [False, False], [True, False]]
    assert found.complained.tolist() == [True, False, False, False]


def test_what_follows_a_contact_after_the_next_decision_counts_for_that_one_and_its_share_is_told():
    """Opt-outs: at once; after a silent decision; after another contact; of another channel; too late."""
    who, day = [0, 0, 1, 1, 2, 2, 3, 4], [0, 5, 0, 5, 0, 5, 0, 0]
    of = decided(who, np.array(day) * DAY, [0, SILENCE, 0, SILENCE, 0, 0, 0, 0])
    out = Events.of(np.array([0, 1, 2, 3, 4]), np.array([1, 6, 6, 1, 15]) * DAY, np.array([0, 0, 0, 1, 0]))
    said = Events.of(np.array([1, 3]), np.array([6, 1]) * DAY, np.array([1, 1]))
    log = happened(60 * DAY, opted_out=out, complained=said)
    assert for_later(of, log, 14 * DAY) == {"opt-out": pytest.approx(1 / 3), "complaint": 0.5}
    assert for_later(of, log, 4 * DAY) == {"opt-out": 0.0, "complaint": 0.0}
    assert for_later(of, happened(60 * DAY, opted_out=out), 14 * DAY) == {"opt-out": pytest.approx(1 / 3)}
    quiet = decided(who, np.array(day) * DAY, [SILENCE] * 8)
    assert for_later(quiet, log, 14 * DAY) == {}


def test_pressure_counts_contacts_before_by_weight_and_age():
    of = decided([0, 0, 1], [0, 54 * DAY, DAY], [0, 0, 0])
    touched = Events.of(np.array([0, 0, 1]), np.array([0, 54 * DAY, DAY]), np.array([1, 0, 0]))
    found = trials(of, happened(60 * DAY, contacts=touched), np.array([0.25, 0.5]), Clock())
    assert found.pressure.tolist() == [0.0, 0.25, 0.0]  # a contact at that very instant is the decision's own


def test_with_everybody_at_even_odds_the_interval_is_wilsons():
    rng, n = np.random.default_rng(1), 4000
    made = np.where(rng.random(n) < 0.5, 0, SILENCE)
    opted = (made == 0) & (rng.random(n) < 0.01)
    out = Events.of(np.flatnonzero(opted), np.full(int(opted.sum()), DAY))
    found = trials(decided(np.arange(n), np.zeros(n), made), happened(20 * DAY, opted_out=out), np.ones(2), Clock())
    one = effects(found, "opt-out", 0, np.zeros(n, int), 1)
    count, seen, z2 = int((made == 0).sum()), int(opted.sum()), 1.959964**2
    rate = seen / count
    wilson = (rate + z2 / (2 * count)) / (1 + z2 / count)
    assert one.value[0] == pytest.approx(rate, rel=1e-6)
    assert (one.low[0] + one.high[0]) / 2 == pytest.approx(wilson, rel=0.02)
    nothing = effects(found, "complaint", 0, np.zeros(n, int), 1)
    assert nothing.value[0] == 0
    assert (nothing.low[0], nothing.high[0]) == (pytest.approx(0.0, abs=1e-9), pytest.approx(z2 / count, rel=0.02))


def test_a_customer_who_counts_twice_is_no_two_customers():
    rng, n = np.random.default_rng(2), 3000
    made = np.where(rng.random(n) < 0.5, 0, SILENCE)
    opted = np.flatnonzero((made == 0) & (rng.random(n) < 0.05))
    log = happened(20 * DAY, opted_out=Events.of(opted, np.full(len(opted), DAY)))
    once = trials(decided(np.arange(n), np.zeros(n), made), log, np.ones(2), Clock())
    twice = once.rows(np.repeat(np.arange(n), 2))
    a, b = (effects(one, "opt-out", 0, np.zeros(len(one), int), 1) for one in (once, twice))
    assert (a.value[0], a.variance[0]) == (pytest.approx(b.value[0]), pytest.approx(b.variance[0]))


GAIN, LOSS, SALE, LASTS = 2.0, 6.0, 4, 60


@pytest.fixture(scope="module")
def spent():
    """A world with nothing but what is to be found: a contact sells 2 in all, at once, and costs 6 in all, for long.

    Contacts are fewer after contacts (a cap), and later ones happen to everybody.
    """
    rng, customers, days = np.random.default_rng(3), 500, 120
    who, at, made, chance, buys, contacts = [], [], [], [], [], []
    for i in range(customers):
        effect, last = np.zeros(days + 1), -99
        for day in range(0, 80, 4):
            p = 0.5 if day - last > 8 else 0.1
            contact = rng.random() < p
            who.append(i)
            at.append(day * DAY)
            made.append(0 if contact else SILENCE)
            chance.append(p)
            if contact:
                last = day
                contacts.append((i, day * DAY))
                age = np.arange(days + 1 - day) + 0.5
                effect[day:] += GAIN * np.log(2) / SALE * 0.5 ** (age / SALE)
                effect[day:] -= LOSS * np.log(2) / LASTS * 0.5 ** (age / LASTS)
        buys += [(i, day * DAY + DAY // 2, 3.0 + effect[day] + rng.normal(0, 0.5)) for day in range(days)]
    events = {"contacts": np.array(contacts).T, "purchases": np.array(buys).T}
    log = happened(
        days * DAY,
        contacts=Events.of(*events["contacts"].astype(np.int64)),
        purchases=Events.of(events["purchases"][0].astype(np.int64), events["purchases"][1].astype(np.int64),
                            amount=events["purchases"][2]),
    )  # fmt: skip
    of = decided(who, at, made)
    of.chance[:, 0], of.silent[:] = chance, 1 - np.array(chance)
    return of, log


def test_what_a_contact_sells_and_costs_is_found_under_caps(spent):
    of, log = spent
    clock = Clock(sale=SALE * DAY, half_life=LASTS * DAY)
    found = trials(of, log, np.array([0.25, 0.5]), clock)
    told = spending(found, log.purchases, log.until, clock, np.zeros(len(found), np.int64), 1)
    for one, truth in ((told.gain, GAIN), (told.loss, LOSS)):
        error = np.sqrt(one.variance[0, 0])
        assert error < truth / 6
        assert abs(one.value[0, 0] - truth) < 3 * error
        assert np.isnan(one.value[1, 0])  # nobody was called
    naive = _plain_difference(found, log)
    assert abs(naive - LOSS) > 3 * np.sqrt(told.loss.variance[0, 0])


def _plain_difference(found, log):
    """Later spending of the contacted less that of the others, whatever came in between."""
    span = LASTS * DAY / np.log(2)
    later = fading.after(log.purchases.who, log.purchases.at, log.purchases.amount, found.who, found.at, span)
    made = found.made == 0
    return later[~made].mean() - later[made].mean()


def test_bands_are_told_apart_and_hang_together(spent):
    of, log = spent
    found = trials(of, log, np.array([0.25, 0.5]), Clock())
    told = spending(found, log.purchases, log.until, Clock(), bands(found.pressure), 6)
    some = np.isfinite(told.loss.value[0])
    assert 2 <= some.sum() < 6
    assert np.allclose(np.diag(told.cover[0]).reshape(2, 6)[0][some], told.loss.variance[0][some])
    assert told.exposure.max() <= 0.5


def test_contacts_that_were_certain_or_come_at_the_logs_end_are_not_told(spent):
    """Service calls are never withheld: chance shows nothing of them, and what it shows of e-mail stays told."""
    of, log = spent
    calls = np.flatnonzero(of.at % (24 * DAY) == 0)
    made, chance, silent = of.made.copy(), of.chance.copy(), of.silent.copy()
    made[calls], chance[calls], silent[calls] = 1, [0, 1 - 1e-7], 1e-7
    sure, nobody_ = replace(of, made=made, chance=chance, silent=silent), np.zeros(len(of.who), np.int64)

    def told(decisions, until):
        found = trials(decisions, replace(log, until=until), np.array([0.25, 0.5]), Clock())
        return spending(found, log.purchases, until, Clock(), nobody_, 1)

    for one in ("gain", "loss"):
        cells = getattr(told(sure, log.until), one)
        assert cells.contacts[1, 0] == len(calls)
        assert np.isfinite(cells.value[0, 0])
        assert np.isnan(cells.value[1, 0])
        assert np.isnan(getattr(told(of, 0), one).value).all(), "nothing is known after any decision"


def test_opt_outs_are_told_of_decisions_whose_window_is_over_when_history_ends():
    """A twentieth of contacts end in an opt-out a day later; history's interactions end on day 30, 45 or 60 of 60."""
    rng, n = np.random.default_rng(6), 1500
    who, day = (column.ravel() for column in np.indices((n, 8)))
    at = day * 7 * DAY
    made = np.where(rng.random(len(who)) < 0.5, 0, SILENCE)
    left = (made == 0) & (rng.random(len(who)) < 0.05)
    of = decided(who, at, made)
    for until in (30 * DAY, 45 * DAY, 70 * DAY):
        seen = left & (at + DAY < until)
        log = happened(until, opted_out=Events.of(who[seen], at[seen] + DAY))
        found = trials(of, log, np.ones(2), Clock())
        one = effects(found, "opt-out", 0, np.zeros(len(who), int), 1)
        assert one.low[0] < 0.05 < one.high[0] < 0.06
        assert one.contacts[0] == ((made == 0) & (at + 14 * DAY <= until)).sum()
        # whether there was a later decision is no matter: who opted out may have none
        last = of.rows(~np.isin(who * 8 + day, (who * 8 + day + 1)[left]))
        assert np.array_equal(trials(last, log, np.ones(2), Clock()).known, last.at + 14 * DAY <= until)


def test_a_shape_is_laid_through_cells_of_fewer_customers_than_cells():
    """The sandwich of two customers' sums is of rank two: no inverse of it weighs the cells, their own errors do."""
    rng, shown = np.random.default_rng(7), np.zeros((2, 12))
    shown[:] = rng.normal(size=(2, 12))
    ones = np.ones((2, 6))
    cover = shown.T @ shown
    pressure = np.tile(np.linspace(0, 2, 6), (2, 1))
    spread = Z * np.sqrt(np.diag(cover)).reshape(2, 6)
    cells = Effects(ones, ones - spread, ones + spread, np.diag(cover).reshape(2, 6), 30 * ones, 9 * ones, pressure)
    own = Effects(*(column.mean(axis=1) for column in vars(cells).values()))
    found = smooth(Curve("lost money", cells, own, cover), np.ones(2), drawn_back=False)
    assert found.at(np.zeros(3, int), np.array([0.0, 1.0, 2.0])) == pytest.approx(1.0, rel=1e-6)


def test_what_pressure_takes_from_later_contacts_is_not_counted_as_the_first_ones_loss():
    """A world without any loss: a contact sells, the less the more pressure there is, and nothing else happens."""
    rng, n, days = np.random.default_rng(4), 1500, 100
    spending_a_day = 3.0 + rng.normal(0, 0.3, (n, days))
    load, who, at, made = np.zeros(n), [], [], []
    for day in range(0, 80, 4):
        contact = rng.random(n) < 0.5
        who.append(np.arange(n))
        at.append(np.full(n, day * DAY))
        made.append(np.where(contact, 0, SILENCE))
        sold = contact * 8.0 * np.maximum(0.0, 1 - load / 1.5)
        ages = np.arange(days - day) + 0.5
        spending_a_day[:, day:] += sold[:, None] * np.log(2) / SALE * 0.5 ** (ages / SALE)
        load = (load + 0.25 * contact) * 0.5 ** (4 / 54)
    who, at, made = (np.concatenate(column) for column in (who, at, made))
    whom, day = (column.ravel() for column in np.indices((n, days)))
    contacts = Events.of(who[made == 0], at[made == 0])
    purchases = Events.of(whom, day * DAY + DAY // 2, amount=spending_a_day.ravel())
    log = happened(days * DAY, contacts=contacts, purchases=purchases)
    found = trials(decided(who, at, made), log, np.array([0.25, 0.5]), Clock())

    def told(cell, cells):
        return spending(found, log.purchases, log.until, Clock(), cell, cells)

    one = told(np.zeros(len(found), np.int64), 1).loss.value[0, 0]
    by_band = told(bands(found.pressure), len(BANDS))
    lost, _ = spent_curves(by_band)
    assert one > 4  # what one effect for all bands would say, half a sale and more: this is why there is none
    assert abs(lost.channels.value[0]) < one / 3
    assert lost.channels.low[0] < 0 < lost.channels.high[0]
    assert np.isnan(lost.channels.value[1])  # nobody was called
    some = by_band.loss.weight[0] * np.isfinite(by_band.loss.value[0])
    assert lost.channels.value[0] == pytest.approx(np.nansum(by_band.loss.value[0] * some) / some.sum())


CELL = st.tuples(st.floats(-1, 3), st.integers(0, 400), st.floats(0.0, 3.0))


@settings(max_examples=60, deadline=None)
@given(st.lists(CELL, min_size=12, max_size=12), st.booleans())
def test_a_smooth_curve_never_turns_and_is_never_below_nothing(cells, falling):
    value, contacts, pressure = (np.array(column).reshape(2, 6) for column in zip(*cells, strict=True))
    some = np.where(contacts > 0, value, np.nan)
    weight = np.maximum(contacts, 1e-9) / 2
    measured = Effects(some, some - 1, some + 1, 1 / weight, contacts.astype(float), weight, pressure)
    own = Effects(*(np.nan_to_num(column).mean(axis=1) for column in vars(measured).values()))
    found = smooth(Curve("opt-out", measured, own), np.array([0.25, 0.5]), falling)
    grid = np.linspace(0, 4, 60)
    for channel in range(2):
        curve = found.at(np.full(60, channel), grid)
        assert (curve >= -1e-9).all()
        steps = np.diff(curve)
        assert (steps <= 1e-9).all() if falling else (steps >= -1e-9).all()


def test_segments_walk_the_whole_way():
    walked = segments(np.array([0.0, 0.7, 5.0]))
    assert walked.sum(axis=1).tolist() == [0.0, pytest.approx(0.7), KNOTS[-1]]


def test_levels_tell_what_further_contacts_did_all_together():
    """Each contact adds 1 of spending and a tenth of an opt-out; levels get 1, 2 or 4 of them."""
    rng, n = np.random.default_rng(5), 3000
    level = rng.choice([0.5, 1.0, 2.0], n).astype(np.float32)
    number = rng.poisson(2 * level)
    whom = np.repeat(np.arange(n), number)
    of = decided(np.arange(n), np.zeros(n), np.full(n, SILENCE), level=1.0)
    of.level[:] = level
    money = Events.of(np.arange(n), np.full(n, 5 * DAY), amount=10 + number + rng.normal(0, 1, n))
    out = np.flatnonzero(rng.random(n) < 0.1 * number)
    log = happened(28 * DAY, contacts=Events.of(whom, np.full(len(whom), DAY)), purchases=money,
                   opted_out=Events.of(out, np.full(len(out), 2 * DAY)))  # fmt: skip
    found = levels.compare(trials(of, log, np.ones(2), Clock()), log)
    assert [one.factor for one in found.levels] == [0.5, 1.0, 2.0]
    assert found.uneven_p > 0.001
    for step in found.steps:
        for one, truth in ((step.money, 1.0), (step.opted_out, 0.1)):
            width = one.high - one.low
            assert 0 < width < 0.8 * truth
            assert abs(one.value - truth) < 0.9 * width  # 3.5 standard errors
    alone = trials(decided(np.arange(n), np.zeros(n), np.full(n, SILENCE)), log, np.ones(2), Clock())
    assert levels.compare(alone, log).levels == []


def null_log(seed, differ=0.0):
    """Decisions [n] about 800 customers with 15 inputs: others complain anyway, by the first of these; a contact adds
    .03, by the second where they `differ`. Returns what `differs` is asked with."""
    rng, customers, each = np.random.default_rng(seed), 800, 6
    who, z = np.repeat(np.arange(customers), each), np.repeat(rng.normal(size=(customers, 15)), each, axis=0)
    made = rng.random(len(who)) < 0.4
    harm = 0.03 * np.maximum(1 + differ * z[:, 1], 0.0)
    happens = rng.random(len(who)) < 0.01 * np.exp(0.8 * z[:, 0]) + harm * made
    some = SimpleNamespace(who=who, made=np.where(made, 0, SILENCE), chance=np.full((len(who), 1), 0.4))
    return some, Rest(happens - 0.03 * made, np.ones(len(who))), np.array([0.03]), z


@pytest.mark.slow
def test_where_customers_do_not_differ_they_are_said_to_as_often_as_stated():
    p = np.array([differs(*null_log(seed)).p for seed in range(1500)])
    assert 5 <= (p < 0.01).sum() <= 27  # 15 of 1,500, within three standard errors; folds that teach each other: 50
    assert 50 <= (p < 0.05).sum() <= 100
    shown = [differs(*null_log(seed, 0.8)).shown for seed in range(100)]
    assert sum(shown) > 35


def test_what_is_said_of_a_fold_is_taught_by_the_folds_before_it():
    some, left, means, z = null_log(0, 0.8)
    fold = np.arange(800).repeat(6) % FOLDS
    design = z * ((some.made == 0) - 0.4)[:, None] * means

    def said(rest):
        grams = np.stack([design[fold == f].T @ design[fold == f] for f in range(FOLDS)])
        moments = np.stack([design[fold == f].T @ rest[fold == f] for f in range(FOLDS)])
        return in_turn(fold, design, grams, moments)

    first = said(left.rest)
    assert not first[fold == 0].any()
    for k in range(1, FOLDS):
        other = np.where(fold >= k, 1.0 - left.rest, left.rest)
        assert np.array_equal(said(other)[fold <= k], first[fold <= k])
        assert not np.allclose(said(np.where(fold == k - 1, 1.0 - left.rest, left.rest))[fold == k], first[fold == k])
