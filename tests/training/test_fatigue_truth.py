"""Against the market's truth: coverage over 500 replications, who is harmed, how often it pays. Minutes, so slow."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from fatigue_market import REACHED, WEIGHTS, Book, block, pressure

from features.clock import DAY
from features.interactions import CHANNELS
from features.simulate.actions import CHANNEL_OF, COST_OF
from features.simulate.capped import Capped
from features.simulate.market import Market
from features.simulate.traits import PROFILE
from training.fatigue import fading
from training.fatigue.curve import BANDS, bands, effects
from training.fatigue.fit import Sample, Stated, fit
from training.fatigue.often import NUMBERS, STATUSES
from training.fatigue.saturation import saturation
from training.fatigue.spending import spending
from training.fatigue.trials import SILENCE, Clock, trials

pytestmark = pytest.mark.slow

REPLICATIONS, CUSTOMERS, TOGETHER = 500, 1000, 25
#: Cells in which so few are expected cannot be covered 95 times in a hundred by any interval of a count.
EXPECTED = 3.0


@pytest.mark.timeout(900)
def test_intervals_of_the_harm_curve_cover_the_truth_in_500_replications():
    """Opt-outs and complaints by channel, by band and by both against the chance that the market's equations give; what
    contacts sell and what activity they cost, by channel, against what all replications together say."""
    counts, money = [], {"gain": [], "loss": []}
    for first in range(0, REPLICATIONS, TOGETHER):
        market = Market(TOGETHER * CUSTOMERS, "usual", seed=1000 + first)
        book = Book(market)
        market.run(10, None, book.lived)
        market.run(60, book.of(Capped(0.5, every=2, seed=first)), book.decided_today)
        decided, happened = book.decided(), book.happened()
        for k in range(TOGETHER):
            own, truth = block(decided, k * CUSTOMERS, (k + 1) * CUSTOMERS)
            log = block(happened, k * CUSTOMERS, (k + 1) * CUSTOMERS)
            found = trials(own, log, WEIGHTS, Clock())
            counts.append(_counts(found, truth))
            spent = spending(found, log.purchases, log.until, Clock(), np.zeros(len(found), np.int64), 1)
            for name, all_of in money.items():
                one = getattr(spent, name)
                all_of.append((one.value[REACHED, 0], one.low[REACHED, 0], one.high[REACHED, 0]))
    inside, expected = (np.array(each) for each in zip(*counts, strict=True))
    common = expected.mean(axis=0) >= EXPECTED
    covered = inside.sum(axis=0)[common]
    assert common.sum() >= 15
    found = {"opt-outs and complaints": covered}
    for name, all_of in money.items():
        value, low, high = (np.array(each) for each in zip(*all_of, strict=True))
        truth = value.mean(axis=0)
        assert (truth > 0).all()
        found[name] = ((low <= truth) & (truth <= high)).sum(axis=0)
    _not_rejected(found)


def _not_rejected(found):
    """No cell by a binomial test (Bonferroni over all cells), nor the cells of any outcome together."""
    cells = sum(len(covered) for covered in found.values())
    for name, covered in found.items():
        p = np.array([scipy.stats.binomtest(int(one), REPLICATIONS, 0.95).pvalue for one in covered])
        share = covered.mean() / REPLICATIONS
        print(f"{name}: {len(covered)} cells, {covered.min()} to {covered.max()} of {REPLICATIONS} hold the truth, mean"
              f" {share:.4f}, least p {p.min():.4f}")  # fmt: skip
        assert p.min() > 0.05 / cells
        assert abs(share - 0.95) < 0.01


def _counts(found, truth):
    """Whether intervals hold the truth, and how many events were to be expected: of each outcome by channel and band,
    by channel, and by band over all channels; of trials that the log does not end too soon for."""
    inside, expected = [], []
    found, truth = found.rows(found.known), truth[found.known]
    band, alike = bands(found.pressure), np.zeros(len(found), np.int64)
    # all channels as one: who is contacted by chance is contacted on each by its share
    chance = found.chance.astype(float)
    mean = (chance * truth).sum(axis=1) / np.maximum(chance.sum(axis=1), 1e-12)
    any_channel = replace(
        found,
        made=np.minimum(found.made, 0),
        chance=found.chance.sum(axis=1, keepdims=True),
        opted_out=found.opted_out.any(axis=1, keepdims=True),
    )
    for name in ("opt-out", "complaint"):
        for some, c, leaves, cell, cells in (
            *((found, c, truth[:, c], band, len(BANDS)) for c in REACHED),
            *((found, c, truth[:, c], alike, 1) for c in REACHED),
            (any_channel, 0, mean, band, len(BANDS)),
        ):
            told = effects(some, name, c, cell, cells)
            pair = (some.chance[:, c] > 0) & ((some.made == c) | (some.made == SILENCE))
            share = some.chance[:, c] / (some.chance[:, c] + some.silent)
            weight = np.where(pair, share * (1 - share), 0.0)
            happens = leaves / 8 if name == "complaint" else 1 - (1 - leaves) * (1 - leaves / 8)
            total = np.bincount(cell, weight, minlength=cells)
            true = np.bincount(cell, weight * happens, minlength=cells) / np.maximum(total, 1e-12)
            inside.append((told.low <= true) & (true <= told.high))
            expected.append(told.contacts * true)
    return np.concatenate(inside), np.concatenate(expected)


def test_who_is_told_to_be_harmed_is_and_who_is_called_saturated_should_be_left_alone():
    customers = 15_000
    market = Market(customers, "usual", seed=7)
    book = Book(market)
    market.run(90, None, book.lived)
    market.run(120, book.of(Capped(0.3, every=3, most=2, window=28, seed=1)), book.decided_today)
    (decided, _), happened = book.decided(), book.happened()
    costs = np.array([COST_OF[c == CHANNEL_OF].mean() if c in REACHED else 0.0 for c in range(len(CHANNELS))])
    before = trials(decided, happened, WEIGHTS, Clock())
    names = [*PROFILE, "spent_14d", "spent_60d", "spent_240d"]
    values = np.column_stack([market.traits.profile[decided.who].astype(float), before.past])
    sample = Sample(np.arange(len(before)), values, names, {})
    fitted = fit(decided, happened, pressure(), Clock(), Stated(costs=costs), sample)
    assert fitted.harm.differs["opt-out"].shown
    # whether the log tells a number is another question: here, who is harmed and by how much
    every = replace(fitted.advice, told=np.ones(len(CHANNELS), bool), most=np.full(len(CHANNELS), NUMBERS[-1]))
    fitted = replace(fitted, advice=every)
    who, truth = np.arange(customers), market.truth()
    at = np.full(customers, market.day * DAY)
    bought, touched = happened.purchases, happened.contacts
    spent = [fading.before(bought.who, bought.at, bought.amount, who, at, float(d * DAY)) / d for d in (14, 60, 240)]
    z = fitted.harm.standard.z(np.column_stack([market.traits.profile.astype(float), *spent]))
    load = fading.before(touched.who, touched.at, WEIGHTS[touched.channel], who, at, 54.0 * DAY)
    table = saturation(fitted, happened, who.astype(str).astype(object), who, int(at[0]), z)
    channel, status = (np.array(table[name].to_pylist()) for name in ("channel", "status"))
    owner = np.array(table["customer_id"].to_pylist()).astype(int)
    here = (market.state.gone > market.day) & (market.traits.joins < market.day)
    compared = 0
    for c in REACHED.tolist():
        mine = np.flatnonzero(c == CHANNEL_OF)
        true = (truth.harm + truth.lost)[:, mine].mean(axis=1)
        some = here & np.isfinite(true)
        told = fitted.harm.money(np.full(customers, c), load, z)
        rank = scipy.stats.spearmanr(told[some], true[some]).statistic
        fifths = [float(true[some][part].mean()) for part in np.array_split(np.argsort(told[some], kind="stable"), 5)]
        worth = (truth.gain - truth.harm - truth.lost)[:, mine].mean(axis=1) - costs[c]
        by = {one: worth[owner[(channel == CHANNELS[c]) & (status == one) & here[owner]]] for one in STATUSES}
        means = {one: (len(of), round(float(of.mean()), 3)) for one, of in by.items() if len(of)}
        print(f"{CHANNELS[c]}: told {told[some].mean():.3f}, true {true[some].mean():.3f}, rank correlation {rank:.2f},"
              f" true harm by fifth told {np.round(fifths, 3)}; true worth of one more by status {means}")  # fmt: skip
        assert rank > 0.35
        assert fifths[4] > 3 * fifths[0]
        assert 0.2 < told[some].mean() / true[some].mean() < 2.5
        if min(len(by["under"]), len(by["saturated"])) > 100:
            compared += 1
            assert by["under"].mean() > by["saturated"].mean()
    assert compared >= 2
