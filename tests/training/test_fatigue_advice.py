"""How many contacts a week are recommended: what the log can tell, no more than was tried, else the present number."""

from dataclasses import replace

import numpy as np
import pytest
from fatigue_market import REACHED, WEIGHTS, Book, pressure

from features.clock import DAY
from features.interactions import CHANNELS
from features.simulate.actions import CHANNEL_OF, COST_OF
from features.simulate.capped import Capped
from features.simulate.market import Market
from training.fatigue import wording
from training.fatigue.advice import Asked, advise, lived, year_priced
from training.fatigue.curve import BANDS, COUNTS, GAIN, LOST, OUTCOMES, Curve, smooth
from training.fatigue.differs import Differs
from training.fatigue.effects import Effects, Z
from training.fatigue.fit import Stated, fit
from training.fatigue.harm import Harm, Prices
from training.fatigue.report import report
from training.fatigue.trials import Clock, Events, Trials
from training.reports.pressure.causal import untold

COSTS = np.array([COST_OF[c == CHANNEL_OF].mean() if c in REACHED else 0.0 for c in range(len(CHANNELS))])
SHAPE = (len(CHANNELS), len(BANDS))
MIDDLE = np.array([0.1, 0.4, 0.6, 0.9, 1.2, 2.0])


@pytest.mark.parametrize(("customers", "seed"), [(60, 1), (60, 2), (400, 1), (400, 2), (400, 3)])
def test_a_small_log_keeps_the_present_number_instead_of_an_end_of_the_grid(customers, seed):
    """At the market's costs a call never pays, which even a small log may tell; of the others it tells nothing."""
    market = Market(customers, "usual", seed=seed)
    book = Book(market)
    market.run(40, None, book.lived)
    market.run(80, book.of(Capped(0.3, every=3, most=2, window=28, seed=seed)), book.decided_today)
    (decided, _), happened = book.decided(), book.happened()
    fitted = fit(decided, happened, pressure(), Clock(), Stated(costs=COSTS))
    advice, few = fitted.advice, [c for c in REACHED.tolist() if CHANNELS[c] != "phone"]
    assert not advice.told[few].any()
    assert advice.number[few] == pytest.approx(advice.present[few])
    assert (advice.present[few] > 0).all()
    pages = untold(fitted)
    assert {one.channel for one in pages} >= {CHANNELS[c] for c in REACHED[~advice.told[REACHED]]}
    assert not {one.channel for one in pages} & {CHANNELS[c] for c in np.flatnonzero(advice.told)}
    assert all("cannot be told from this log: " in one.sentence for one in pages)
    said = [line for line in wording.lines(report(fitted, None, {}), fitted, None) if "cannot be told" in line]
    assert len(said) == len(fitted.channels) - int(advice.told.sum())


def known(level, falls, error):
    """Curves of contacts that sell `level`, less by `falls` for a full load, and do no harm; each cell's `error`."""

    def of(name, values, error):
        contacts = np.broadcast_to(np.isin(np.arange(len(CHANNELS)), REACHED)[:, None] * 500.0, SHAPE)
        values, variance = np.broadcast_to(values, SHAPE) * (contacts > 0), np.full(SHAPE, error**2)
        cells = Effects(values, values - Z * error, values + Z * error, variance, contacts, contacts / 4,
                        np.broadcast_to(MIDDLE, SHAPE))  # fmt: skip
        whole = Effects(*(np.average(column, axis=1) for column in vars(cells).values()))
        whole = replace(whole, variance=whole.variance / len(BANDS))
        return Curve(name, cells, whole, None if name in COUNTS else np.diag(variance.ravel()))

    found = {name: of(name, 0.0, 1e-4) for name in COUNTS}
    return found | {LOST: of(LOST, 0.0, error / 10), GAIN: of(GAIN, level - falls * MIDDLE, error)}


def asked(curves, present, most, by_chance=3000):
    free = Prices(0.3, np.zeros(len(CHANNELS)), 5.0)
    shapes = {name: smooth(curves[name], WEIGHTS) for name in OUTCOMES}
    nobody = {name: Differs(np.zeros(0), 1.0, 0.0) for name in OUTCOMES}
    harm = Harm(pressure(), free, shapes, {name: np.zeros(len(CHANNELS)) for name in OUTCOMES}, nobody, None)
    gain = smooth(curves[GAIN], np.ones(len(CHANNELS)), falling=True)
    every = np.ones(len(CHANNELS))
    return advise(harm, gain, curves, Asked(0.3 * every, 0.0), np.isin(np.arange(len(CHANNELS)), REACHED) * by_chance,
                  present * every, most * every)  # fmt: skip


def test_a_log_that_tells_it_recommends_the_number_that_earns_most():
    """Sales of 3 - 1.5 x at a load x, of which 0.3 are kept, at a cost of 0.3: the best load is (3 - 1) / 3."""
    found = asked(known(3.0, 1.5, 0.01), present=0.05, most=7.0)
    email = CHANNELS.index("email")
    best = 2 / 3 / (WEIGHTS[email] * 54 / 7 / np.log(2))
    assert found.told[email]
    assert found.number[email] == pytest.approx(best, abs=0.06)
    assert found.low[email] <= best + 0.05
    assert found.high[email] >= best - 0.05


def test_a_number_is_no_higher_than_what_was_tried():
    found = asked(known(3.0, 0.0, 0.01), present=0.05, most=0.37)
    assert found.told[REACHED].all()
    assert found.number[REACHED] == pytest.approx(0.35)


@pytest.mark.parametrize(("error", "by_chance"), [(20.0, 3000), (0.01, 20)])
def test_wide_errors_or_little_chance_keep_the_present_number(error, by_chance):
    found = asked(known(3.0, 1.5, error), present=0.05, most=7.0, by_chance=by_chance)
    assert not found.told.any()
    assert found.number == pytest.approx(0.05)
    why = found.untold(CHANNELS.index("email"), by_chance)
    if by_chance < 100:
        assert why == "chance decided 20 of its contacts, and at least 100 are needed"
    else:
        assert why.startswith("any number from ")
        assert why.endswith("may be the best, and none surely earns more than the present 0.05")


def test_what_was_tried_is_what_enough_customers_lived_with():
    """100 customers over ten weeks: 60 had none, 30 had one a week and 10 had two."""
    number = np.repeat([0, 10, 20], [60, 30, 10])
    who, at, count = np.arange(100), np.zeros(100, np.int64), len(CHANNELS)
    blank = np.zeros((100, count))
    trials = Trials(CHANNELS, who, at, blank[:, 0], blank, blank[:, 0], blank[:, 0], blank[:, 0], blank, blank[:, 0],
                    blank[:, :3], np.ones(100, bool))  # fmt: skip
    touched = np.repeat(who, number)
    when = np.concatenate([np.arange(k) for k in number]).astype(np.int64) * DAY
    present, most = lived(trials, Events.of(touched, when, np.full(len(touched), 2)), 70 * DAY)
    assert present[2] == pytest.approx(0.5)
    assert most[2] == pytest.approx(1.0)
    assert present[3] == most[3] == 0.0
    few = trials.rows(who >= 80)
    assert lived(few, Events.of(touched, when, np.full(len(touched), 2)), 70 * DAY)[1][2] == 0.0


def test_an_opt_out_costs_a_year_of_what_the_recommended_number_earns():
    curves = known(3.0, 1.5, 0.01)
    shapes = {name: smooth(curves[name], WEIGHTS) for name in OUTCOMES}
    nobody = {name: Differs(np.zeros(0), 1.0, 0.0) for name in OUTCOMES}
    free = Prices(0.3, np.zeros(len(CHANNELS)), 5.0)
    harm = Harm(pressure(), free, shapes, {name: np.zeros(len(CHANNELS)) for name in OUTCOMES}, nobody, None)
    gain, every = smooth(curves[GAIN], np.ones(len(CHANNELS)), falling=True), np.ones(len(CHANNELS))
    number = 0.1 * every
    price = year_priced(harm, gain, Asked(0.3 * every, None), 7 * every, number).prices.opt_out
    email = CHANNELS.index("email")
    load = 0.1 * WEIGHTS[email] * 54 / 7 / np.log(2)
    assert price[email] == pytest.approx(52 * 0.1 * (0.3 * (3.0 - 1.5 * load) - 0.3), rel=0.02)
    assert (year_priced(harm, gain, Asked(0.3 * every, 4.0), 7 * every).prices.opt_out == 4.0).all()
