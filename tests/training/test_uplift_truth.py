"""Against known truth and published anchors: coverage, the test's size, Hillstrom. Minutes, so slow."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from serving.decisions.effects.forms import Linear
from training.reports import table
from training.uplift import choose, curves, fit, heterogeneity, nuisance, regress
from training.uplift.learners import LEARNERS
from training.uplift.prepare import prepare
from training.uplift.sample import Sample, folds

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SIMPLE = {name: LEARNERS[name] for name in ("constant", "linear T", "doubly robust, linear", "additive T")}


def world(rows, seed, slope=0.1):
    """A randomised yes/no campaign, 60 % treated: the effect is .1, `slope` more where the first input is positive."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, 3))
    arm = (rng.random(rows) < 0.6).astype(int)
    effect = 0.1 + slope * (inputs[:, 0] > 0)
    outcome = (rng.random(rows) < 0.3 + 0.1 * (inputs[:, 1] > 0) + arm * effect).astype(float)
    chance = np.tile([0.4, 0.6], (rows, 1))
    return Sample(inputs, arm, outcome, chance, np.zeros_like(chance), True), effect


def test_intervals_of_group_effects_cover_the_truth_in_500_replications(monkeypatch):
    """Fixed groups against their population effect, fifths by learned effect against their members' mean effect.

    The models behind the scores are linear here, for time: with known propensities they decide the width, not cover.
    """

    def line(inputs, outcome, binary, of):
        weights = regress.linear(inputs, outcome, False)
        return weights[0] + of @ weights[1:]

    monkeypatch.setattr(nuisance, "expected", line)
    learners = {"constant": LEARNERS["constant"], "ridge T": ridge_t}
    covered = dict.fromkeys(["low", "high", "fifth 1", "fifth 2", "fifth 3", "fifth 4", "fifth 5"], 0)
    replications = 500
    for seed in range(replications):
        data, effect = world(1000, seed)
        crossed = choose.cross_fit(data, folds(data.arm, 5, seed), learners)
        score, positive = crossed.sample.effect_score(1), data.inputs[:, 0] > 0
        judged, learned = choose.in_turn(crossed, ["ridge T"], 1, learners)
        fold, learned = crossed.fold[judged], learned["ridge T"]
        found = {"low": heterogeneity.mean(score[~positive]), "high": heterogeneity.mean(score[positive])}
        truth = {"low": 0.1, "high": 0.2}
        for k, group in enumerate(heterogeneity.groups(score[judged], learned, fold, 5), 1):
            found[f"fifth {k}"] = group.effect
        for k, group in enumerate(heterogeneity.groups(effect[judged], learned, fold, 5), 1):
            truth[f"fifth {k}"] = group.effect.value
        for name, interval in found.items():
            covered[name] += interval.low < truth[name] < interval.high
    print(covered)
    for name, count in covered.items():
        p = scipy.stats.binomtest(count, replications, 0.95).pvalue
        assert p > 0.01, f"{name}: {count} of {replications} intervals hold the truth (p = {p:.4f})"


def ridge_t(sample, arm):
    lines = [regress.linear(sample.inputs[sample.arm == one], sample.outcome[sample.arm == one], False)
             for one in (arm, 0)]  # fmt: skip
    return Linear(*lines)


def examined(crossed, learners):
    told = choose.in_turn(crossed, learners, 1, learners)
    return heterogeneity.examine(crossed, 1, choose.choose(crossed, 1), told)


def test_no_heterogeneity_is_seldom_called_heterogeneity():
    """At 5 % a door, both must open: of 20 tables without any, hardly one passes."""
    shown = 0
    for seed in range(20):
        data, _ = world(800, 1000 + seed, slope=0.0)
        crossed = choose.cross_fit(data, folds(data.arm, 3, seed), SIMPLE)
        shown += examined(crossed, SIMPLE).shown
    assert shown <= 1


def test_the_test_keeps_its_size_in_500_replications_also_where_learners_follow_many_inputs(monkeypatch):
    """Thirty inputs, no effect differs: at most 5 % below .05, where folds that teach each other would find 10 %."""

    def level(inputs, outcome, binary, of):
        return np.full(len(of), outcome.mean())

    monkeypatch.setattr(nuisance, "expected", level)
    learners, replications = {"constant": LEARNERS["constant"], "ridge T": ridge_t}, 500
    rejected, from_both_sides = 0, 0
    for seed in range(replications):
        rng = np.random.default_rng(3000 + seed)
        data, _ = world(600, 3000 + seed, slope=0.0)
        data = replace(data, inputs=rng.normal(size=(len(data), 30)))
        crossed = choose.cross_fit(data, folds(data.arm, 5, seed), learners)
        found = examined(crossed, learners)
        rejected += found.p < 0.05
        score, taught = crossed.sample.effect_score(1), crossed.of("ridge T", 1)
        from_both_sides += heterogeneity.best_linear_predictor(score, taught, crossed.fold)[1] < 0.05
    print(rejected, from_both_sides)
    assert scipy.stats.binomtest(rejected, replications, 0.05).pvalue > 0.01
    assert scipy.stats.binomtest(from_both_sides, replications, 0.05, alternative="greater").pvalue < 0.001


def test_strong_heterogeneity_is_nearly_always_shown():
    shown = 0
    for seed in range(10):
        data, _ = world(3000, 2000 + seed, slope=0.3)
        crossed = choose.cross_fit(data, folds(data.arm, 3, seed), SIMPLE)
        shown += examined(crossed, SIMPLE).shown
    assert shown >= 9


def campaign(real_data, arm, tmp_path):
    """Hillstrom's rows of one arm and of none, and where they were in the file."""
    frame = pd.read_csv(real_data("hillstrom.csv.gz"))
    frame = frame[frame["segment"].isin([arm, "No E-Mail"])]
    path = tmp_path / "campaign.csv"
    frame.to_csv(path, index=False)
    return frame, path


def test_hillstrom_by_ten_splits_is_not_worse_than_linear_t(real_data, tmp_path):
    """Test rows of split s: the first 8 hex digits of sha256("hillstrom|s|row") are odd. The chosen learner's Qini on
    them against that of linear T, paired: .0639 and .0625 when this was written, a published linear T .0628."""
    frame, path = campaign(real_data, "Womens E-Mail", tmp_path)
    whole = prepare(path, "segment", "visit")
    assert set(whole.left_out) == {"conversion", "spend"}
    rows = frame.index.to_numpy()
    learners = {name: learner for name, learner in LEARNERS.items() if name != "causal forest"}  # for time only
    ours, theirs = [], []
    for s in range(10):
        test = (
            np.array([int(hashlib.sha256(f"hillstrom|{s}|{row}".encode()).hexdigest()[:8], 16) % 2 for row in rows])
            == 1
        )
        learn, judged = whole.sample.rows(~test), whole.sample.rows(test)
        crossed = choose.cross_fit(learn, folds(learn.arm, 5), learners)
        chosen = choose.fit(crossed, choose.choose(crossed, 1).name, 1, learners)
        rival = LEARNERS["linear T"](crossed.sample, 1)
        for figures, effects in ((ours, chosen), (theirs, rival)):
            figures.append(curves.qini(effects.effect(judged.inputs), judged.outcome, judged.arm))
    print(f"Qini {np.mean(ours):.4f} +- {np.std(ours, ddof=1):.4f}, linear T {np.mean(theirs):.4f}")
    assert np.mean(theirs) == pytest.approx(0.0628, abs=0.002)
    assert np.mean(ours) > max(np.mean(theirs), 0.0628) - 0.003
    assert min(ours) > 0.03


@pytest.mark.parametrize(("arm", "outcome"), [("Mens E-Mail", "visit"), ("Womens E-Mail", "spend")])
def test_hillstrom_says_where_heterogeneity_is_not_shown(real_data, tmp_path, arm, outcome, monkeypatch):
    monkeypatch.delitem(LEARNERS, "causal forest")
    _, path = campaign(real_data, arm, tmp_path)
    report = fit.fit(prepare(path, "segment", outcome)).report
    assert report.verdict == "treat all"
    assert not report.arms[0].heterogeneity_shown
    assert "heterogeneity is not shown" in report.headline
    assert not {"visit", "conversion", "spend"} & set(report.inputs)


def test_scores_of_new_rows_are_those_of_the_sample(real_data, tmp_path, monkeypatch):
    """What the model says of a table is what its effects say of the encoded rows."""
    for name in set(LEARNERS) - set(SIMPLE):
        monkeypatch.delitem(LEARNERS, name)
    frame, _ = campaign(real_data, "Womens E-Mail", tmp_path)
    path = tmp_path / "part.csv"
    frame.head(3000).to_csv(path, index=False)
    prepared = prepare(path, "segment", "visit")
    model = fit.fit(prepared).model
    again = model.effect(table.frame(path))["Womens E-Mail"]
    assert again[prepared.place] == pytest.approx(model.effects["Womens E-Mail"].effect(prepared.sample.inputs))
