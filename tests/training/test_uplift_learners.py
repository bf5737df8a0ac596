"""Every learner recovers a known effect, says its error honestly, and is the same after JSON."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from econml.grf import CausalForest
from uplift_tables import lines

from training.uplift import choose, learners, nuisance
from training.uplift.choose import BLEND, cross_fit
from training.uplift.effects import read
from training.uplift.learners import LEARNERS, causal_forest
from training.uplift.sample import Sample, folds


def sample(rows=3000, slope=0.2, seed=0, binary=True):
    """Three inputs; the effect is .1 + slope x the first, of 30 % responses."""
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(-1, 1, (rows, 3))
    arm = rng.integers(0, 2, rows)
    effect = 0.1 + slope * inputs[:, 0]
    level = 0.4 + 0.1 * inputs[:, 1] + arm * effect
    outcome = (rng.random(rows) < level).astype(float) if binary else level + rng.normal(0, 0.4, rows)
    chance = np.full((rows, 2), 0.5)
    bare = Sample(inputs, arm, outcome, chance, np.zeros_like(chance), binary)
    return nuisance.complete(bare, folds(arm, 3)), effect


@pytest.fixture(scope="module")
def taught():
    return sample()


@pytest.fixture(scope="module")
def fitted(taught):
    """What each learner makes of it."""
    return {name: learner(taught[0], 1) for name, learner in LEARNERS.items()}


@pytest.fixture
def plain(monkeypatch):
    """Lines behind the scores, where it does not matter how good those are."""
    monkeypatch.setattr(nuisance, "expected", lines)


@pytest.mark.parametrize("name", [name for name in LEARNERS if name != "constant"])
def test_a_learner_finds_a_strong_effect(taught, fitted, name):
    data, effect = taught
    found = fitted[name].effect(data.inputs)
    assert np.corrcoef(found, effect)[0, 1] > 0.7
    assert abs(found.mean() - 0.1) < 0.06


@pytest.mark.parametrize("name", LEARNERS)
def test_effects_are_the_same_after_json(taught, fitted, name):
    data, _ = taught
    effects = fitted[name]
    again = read(json.loads(json.dumps(effects.as_dict(), allow_nan=False)))
    assert again.effect(data.inputs[:50]) == pytest.approx(effects.effect(data.inputs[:50]), abs=1e-12)
    errors = effects.standard_error(data.inputs[:50])
    assert (errors is None) == (again.standard_error(data.inputs[:50]) is None)


def test_the_forest_in_arrays_is_econmls():
    data, _ = sample(600)
    mixed = (data.means * data.propensity).sum(1)
    theirs = CausalForest(
        n_estimators=100, min_samples_leaf=5, max_samples=0.25, inference=True, n_jobs=1, random_state=0
    ).fit(data.inputs, (data.arm == 1) - 0.5, data.outcome - mixed)
    ours = causal_forest(data, 1).effect(data.inputs)
    assert ours == pytest.approx(theirs.predict(data.inputs).ravel(), abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("binary", [True, False])
def test_errors_of_constant_and_linear_are_near_the_truth(binary):
    """In 40 samples the mean squared error over the stated variance is about 1."""
    ratios = {"constant": [], "doubly robust, linear": []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        inputs = rng.uniform(-1, 1, (600, 1))
        arm = rng.integers(0, 2, 600)
        effect = 0.1 + 0.3 * inputs[:, 0]
        level = 0.5 + arm * effect
        outcome = (rng.random(600) < level).astype(float) if binary else level + rng.normal(0, 0.5, 600)
        half = np.full((600, 2), 0.5)
        data = Sample(inputs, arm, outcome, half, np.column_stack([0.5 + 0 * effect, 0.5 + effect]), binary)
        constant = LEARNERS["constant"](data, 1)
        ratios["constant"].append((constant.value - effect.mean()) ** 2 / constant.error**2)
        linear = LEARNERS["doubly robust, linear"](data, 1)
        place = np.zeros((1, 1))
        ratios["doubly robust, linear"].append(
            float((linear.effect(place) - 0.1)[0] ** 2 / linear.standard_error(place)[0] ** 2)
        )
    for name, found in ratios.items():
        assert 0.4 < np.mean(found) < 1.9, name


SIMPLE = {name: LEARNERS[name] for name in ("constant", "linear T", "doubly robust, linear", "additive T")}


def test_the_blend_fitted_on_all_keeps_the_mean_and_the_weights(plain):
    data, effect = sample(2000, 0.3)
    crossed = cross_fit(data, folds(data.arm, 4), SIMPLE)
    blend = choose.fit(crossed, BLEND, 1, SIMPLE)
    found = blend.effect(data.inputs)
    assert found.mean() == pytest.approx(crossed.sample.effect_score(1).mean(), abs=1e-9)
    assert np.corrcoef(found, effect)[0, 1] > 0.8
    assert 0 < sum(blend.weights[1:]) <= 1 + 1e-9
    again = read(json.loads(json.dumps(blend.as_dict())))
    assert again.effect(data.inputs) == pytest.approx(found)


def test_in_turn_each_learner_is_fitted_once_a_fold_also_for_the_blend(plain):
    data, _ = sample(1000, 0.3)
    crossed = cross_fit(data, folds(data.arm, 5), SIMPLE)
    fitted = Counter()

    def counted(name):
        def learner(rows, arm):
            fitted[name, len(rows)] += 1
            return SIMPLE[name](rows, arm)

        return learner

    judged, every = choose.in_turn(crossed, crossed.effects, 1, {name: counted(name) for name in SIMPLE})
    assert fitted == Counter({(name, rows): 1 for name in SIMPLE for rows in (400, 600)})
    for name in (BLEND, "additive T"):
        alone, found = choose.in_turn(crossed, [name], 1, SIMPLE)
        assert (alone == judged).all()
        assert (found[name] == every[name]).all()


def test_a_forest_tries_all_of_few_inputs_and_some_of_many(monkeypatch):
    tried = []

    class Seen(CausalForest):
        def fit(self, *given, **more):
            tried.append(self.max_features)
            return super().fit(*given, **more)

    monkeypatch.setattr("econml.grf.CausalForest", Seen)
    monkeypatch.setattr(learners, "FOREST_TREES", 4)
    rng = np.random.default_rng(0)
    data, _ = sample(400)
    for inputs in (24, 100):
        causal_forest(replace(data, inputs=rng.normal(size=(400, inputs))), 1)
    assert tried == [24, 30]


def test_no_fold_knows_its_own_outcomes(monkeypatch):
    """Outcomes of one fold changed at will: what is predicted for that fold stays."""
    monkeypatch.setattr(learners, "FOREST_TREES", 12)
    data, _ = sample(900)
    fold = folds(data.arm, 3)
    first = cross_fit(data, fold, LEARNERS)
    own = fold == 1
    changed = data.outcome.copy()
    changed[own] = 1 - changed[own]
    second = cross_fit(Sample(data.inputs, data.arm, changed, data.propensity, data.means, True), fold, LEARNERS)
    for name in LEARNERS:
        assert (first.effects[name][own] == second.effects[name][own]).all(), name
        assert (first.effects[name][~own] != second.effects[name][~own]).any(), name
    assert (first.sample.means[own] == second.sample.means[own]).all()


@pytest.mark.slow
def test_one_effect_for_all_is_chosen_where_there_is_one():
    data, _ = sample(2500, 0.0, seed=2)
    crossed = cross_fit(data, folds(data.arm, 4), SIMPLE)
    choice = choose.choose(crossed, 1)
    assert choice.name == "constant"
    strong, _ = sample(2500, 0.3, seed=2)
    other = choose.choose(cross_fit(strong, folds(strong.arm, 4), SIMPLE), 1)
    assert other.name != "constant"
    assert other.loss(other.best).gain > 2 * other.loss(other.best).error
