"""Uplift from logged decisions, part by part: scores, clusters, levels, learners, judgement."""

from dataclasses import replace

import logged_world
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from serving.decisions.effects import Arm, Constant, Label, Missing, Model, Value
from training.evaluate import Interval
from training.uplift.logged import choose, clusters, inputs, judge, learn, learners, shrink, words
from training.uplift.logged.decisions import NOTHING
from training.uplift.logged.learners import Learned
from training.uplift.logged.pairs import Pairs, pairs
from training.uplift.logged.report import ArmFound, LearnerLoss

# --- scores


@given(st.lists(st.tuples(st.floats(0.05, 0.6), st.floats(0.1, 0.3), st.floats(-2, 2), st.floats(-1, 1)), min_size=1,
                max_size=5), st.floats(-3, 3))  # fmt: skip
def test_scores_have_no_bias_whatever_is_expected(states, expected):
    """Each state is (p of the action, p of nothing, effect, outcome of nothing): summed over what chance could draw,
    the weighted score is the weighted effect, for any expectation m and whatever else could have been drawn."""
    over = under = truth = 0.0
    for made, nothing, effect, base in states:
        chance = np.full(2, made / (made + nothing))
        both = Pairs(np.arange(2), np.zeros(2, int), np.array([True, False]), chance,
                     np.array([base + effect, base]) - expected)  # fmt: skip
        drawn = np.array([made, nothing])
        over += float(drawn @ (both.weight * both.score))
        under += float(drawn @ both.weight)
        truth += float(drawn @ both.weight) * effect
    assert over / under == pytest.approx(truth / under, abs=1e-9)


def test_what_is_thinned_has_its_chances_corrected():
    """A tenth of those to whom nothing was made is left: the mean effect stays, its error hardly grows."""
    world, _, _, _ = logged_world.world(persons=2000, strength=0.0)
    of = world.pairs("letter", [0, 1], np.ones(len(world.inputs), bool))
    luck = np.random.default_rng(1).random(len(world.inputs))
    thin, thinner = of.thinned(0.5, luck), of.thinned(0.25, luck)
    assert set(thinner.row) < set(thin.row) < set(of.row)
    whole, left = (clusters.mean(each.score, each.weight, each.person) for each in (of, thin))
    assert abs(whole.value - left.value) < 2 * left.error
    assert whole.error < left.error < 1.5 * whole.error
    assert thin.treated.sum() == of.treated.sum()


def test_controls_are_those_who_could_have_had_it():
    """Silence and ghosts of any action; nobody for whom the action had no chance, nor those with another action."""
    world, _, _, _ = logged_world.world(persons=40)
    log = world.decisions
    chance = log.chance.reshape(len(log), -1).copy()
    chance[: len(log) // 2, 0] = 0.0
    barred = log.__class__(**{**vars(log), "chance": chance.ravel()})
    of = pairs(barred, [0], np.zeros(len(log)), np.ones(len(log), bool))
    assert of.row.min() >= len(log) // 2
    assert set(barred.drawn[of.row[~of.treated]]) == {NOTHING}
    assert set(barred.drawn[of.row[of.treated]]) == {0}
    assert of.chance == pytest.approx(chance[of.row, 0] / (chance[of.row, 0] + chance[of.row, -1]))


# --- clusters


def test_without_repetition_errors_are_the_usual_ones():
    rng = np.random.default_rng(0)
    values = rng.normal(2, 3, 500)
    found = clusters.mean(values, np.ones(500), np.arange(500))
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(values.std(ddof=1) / np.sqrt(500))
    on = rng.normal(size=500)
    fitted = scipy.stats.linregress(on, values)
    line = clusters.slope(values, on, np.ones(500), np.arange(500))
    assert line.value == pytest.approx(fitted.slope)
    assert line.error == pytest.approx(fitted.stderr, rel=0.1)


def test_a_customer_repeated_says_no_more_than_once():
    values, weight, person = np.arange(40.0), np.linspace(1, 2, 40), np.arange(40)
    once = clusters.mean(values, weight, person)
    often = clusters.mean(np.repeat(values, 5), np.repeat(weight, 5), np.repeat(person, 5))
    assert often.value == pytest.approx(once.value)
    assert often.error == pytest.approx(once.error)


def test_of_too_few_nothing_is_known():
    assert clusters.mean(np.array([1.0]), np.ones(1), np.zeros(1)).interval.high == float("inf")
    assert clusters.mean(np.zeros(0), np.zeros(0), np.zeros(0)) == clusters.UNKNOWN
    assert clusters.slope(np.arange(9.0), np.ones(9), np.ones(9), np.arange(9)) == clusters.UNKNOWN
    few = clusters.mean(np.r_[np.zeros(98), 5.0, 7.0], np.ones(100), np.arange(100))
    assert few.freedom < 5  # two of a hundred carry it all


# --- levels


def test_levels_keep_what_many_data_say_and_take_the_rest_from_their_group():
    value, prior = np.array([0.10, 0.02, 0.06, 0.05]), np.full(4, 0.03)
    group = ["a", "a", "a", "b"]
    sure = shrink.shrunk(value, np.full(4, 1e-6), group, prior, prior)
    assert sure.value == pytest.approx(value, abs=1e-6)
    doubtful = shrink.shrunk(value, np.array([1e-6, 1e-6, 10.0, 10.0]), group, prior, prior)
    assert 0.03 < doubtful.value[2] < 0.07  # between the prior and the group's two others
    assert doubtful.value[3] == pytest.approx(0.03, abs=1e-4)  # alone in its group: the prior
    assert doubtful.own[2] < 0.01 < 0.99 < doubtful.own[0]


def test_shrunk_levels_are_closer_to_the_truth_where_data_are_few():
    rng, raw, held = np.random.default_rng(0), 0.0, 0.0
    group = [f"g{k // 4}" for k in range(12)]
    for _ in range(200):
        true = np.repeat(rng.normal(0.02, 0.02, 3), 4) + rng.normal(0, 0.01, 12)
        error = rng.uniform(0.005, 0.05, 12)
        value = true + rng.normal(0, error)
        raw += float(((value - true) ** 2).sum())
        held += float(
            ((shrink.shrunk(value, error, group, np.full(12, 0.02), np.full(12, 0.02)).value - true) ** 2).sum()
        )
    assert held < 0.5 * raw


def test_data_that_made_an_actions_level_do_not_make_its_channels_levels_once_more():
    """Noisy estimates of actions that are alike on all channels: what is served is as near as the action's level."""
    rng, level, served, own = np.random.default_rng(0), 0.0, 0.0, []
    action = np.array([0, 1, 1, 2, 2, 2])
    for _ in range(300):
        true = rng.normal(0.01, 0.01, 3)
        value = true[action] + rng.normal(0, 0.03, 6)
        mean, error = np.bincount(action, value) / [1, 2, 3], 0.03 / np.sqrt([1, 2, 3])
        of = shrink.shrunk(mean, error, ["g"] * 3, np.full(3, 0.01), np.full(3, 0.01))
        found = shrink.around(value, np.full(6, 0.03), action, shrink.Shrunk(*(column[action] for column in of)))
        level += float(((of.value - true)[action] ** 2).sum())
        served += float(((found.value - true[action]) ** 2).sum())
        own.append(found.own[0])
        assert found.value[0] == of.value[0], "an action on one channel is served at its level"
    assert served < 1.7 * level, "and what channels seem to differ by adds little"
    assert 0 < np.mean(own) < 0.5, "its own weight is said also where nothing is seen to vary"


def test_channels_that_differ_are_told_apart():
    value, error = np.array([0.02, 0.10, 0.05, 0.13]), np.full(4, 0.001)
    found = shrink.around(value, error, ["a", "a", "b", "b"], shrink.Shrunk(*np.full((3, 4), 0.07)))
    assert found.value == pytest.approx(value, abs=1e-3)
    assert found.error == pytest.approx(0.001, rel=0.1)


def test_who_states_that_nothing_is_caused_hears_what_many_data_say():
    world, _, earlier, _ = logged_world.world(persons=400, strength=0.0, actions=("letter",), channels=("email",))
    world = replace(world, shares={"letter": 0.0})
    (found,), (served,), _ = learn.arms(world, earlier)
    assert found.prior == 0.0
    assert found.level == served.level == pytest.approx(found.arm.mean.value, rel=0.5)
    assert served.own == pytest.approx(found.own) == pytest.approx(found.level / found.arm.mean.value)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(1e-3, 1)), min_size=2, max_size=9), st.integers(1, 3))
def test_levels_stay_between_their_own_estimate_the_group_and_the_prior(estimates, groups):
    value, error = (np.array(each) for each in zip(*estimates, strict=True))
    found = shrink.shrunk(
        value, error, [k % groups for k in range(len(value))], np.zeros(len(value)), np.ones(len(value))
    )
    assert found.value.min() >= min(value.min(), 0) - 1e-9
    assert found.value.max() <= max(value.max(), 0) + 1e-9
    assert ((found.own >= 0) & (found.own <= 1)).all()


# --- learners


def test_the_line_is_weighted_ridge_regression_out_of_fold():
    data = logged_world.known(persons=200)
    of, fold = data.pairs, learn.folds(data.pairs.person)
    found, few = learners.lines(data.inputs, of, fold)

    def ridge(rows, penalty):
        w, x, y = of.weight[rows], data.inputs[rows], of.score[rows]
        mean = w @ x / w.sum()
        scale = np.sqrt(w @ (x - mean) ** 2 / w.sum())
        z = (x - mean) / scale
        gram = (z * w[:, None]).T @ z / w.sum() + penalty * np.eye(3)
        slope = np.linalg.solve(gram, (z * w[:, None]).T @ y / w.sum()) / scale
        return np.r_[w @ y / w.sum() - mean @ slope, slope]

    unseen = {}
    for penalty in learners.PENALTIES:
        predicted = np.empty(len(of))
        for k in range(learn.FOLDS):
            weights = ridge(fold != k, penalty)
            predicted[fold == k] = weights[0] + data.inputs[fold == k] @ weights[1:]
        unseen[penalty] = predicted
    best = min(unseen, key=lambda penalty: of.weight @ (of.score - unseen[penalty]) ** 2)
    assert found.unseen == pytest.approx(unseen[best], abs=1e-8)
    whole = ridge(np.ones(len(of), bool), best)
    assert found.effects.effect(data.inputs) == pytest.approx(whole[0] + data.inputs @ whole[1:], abs=1e-8)
    assert np.count_nonzero(few.effects.treated[1:]) < 3


def test_differences_are_learned_where_there_are_some():
    flat, steep = (logged_world.known(persons=1500, seed=2, differs=each) for each in (0.0, 0.2))
    arms = [choose.learn(data.inputs, data.pairs, learn.folds(data.pairs.person)) for data in (flat, steep)]
    assert arms[0].learner == choose.CONSTANT
    assert arms[0].effects(0.07, flat.inputs, flat.pairs) == Constant(0.07, arms[0].mean.error)
    assert arms[1].learner != choose.CONSTANT
    effect = arms[1].effects(0.1, steep.inputs, steep.pairs).effect(steep.inputs)
    assert np.corrcoef(effect, steep.effect)[0, 1] > 0.7
    assert np.average(effect, weights=steep.pairs.weight) == pytest.approx(0.1)
    assert all(weight <= 1.0 + 1e-12 for weight in arms[1].weights.values())


def sides(of):
    """Rows with the action and with nothing, each with the weights that make the two alike."""
    return (of.treated, 1 - of.chance), (~of.treated, of.chance)


def test_the_linear_t_is_two_ridge_regressions_out_of_fold():
    data = logged_world.known(persons=300)
    of, fold, x = data.pairs, learn.folds(data.pairs.person), data.inputs

    def ridge(rows, w, penalty):
        """scikit-learn's, on inputs standardised by weight."""
        mean = np.average(x[rows], axis=0, weights=w[rows])
        scale = np.sqrt(np.average((x[rows] - mean) ** 2, axis=0, weights=w[rows]))
        model = Ridge(alpha=penalty * w[rows].sum())
        model.fit((x[rows] - mean) / scale, of.residual[rows], sample_weight=w[rows])
        return model.predict((x - mean) / scale)

    unseen = []
    for penalty in learners.PENALTIES:
        unseen.append(np.empty(len(of)))
        for k in range(learn.FOLDS):
            made, nothing = (ridge(rows & (fold != k), w, penalty) for rows, w in sides(of))
            unseen[-1][fold == k] = (made - nothing)[fold == k]
    best = min(range(len(unseen)), key=lambda place: of.weight @ (of.score - unseen[place]) ** 2)
    found = learners.linear_t(x, of, fold)
    assert found.unseen == pytest.approx(unseen[best], abs=1e-8)
    made, nothing = (ridge(rows, w, learners.PENALTIES[best]) for rows, w in sides(of))
    assert found.effects.effect(x) == pytest.approx(made - nothing, abs=1e-8)


def test_trees_find_who_gains_and_saw_nothing_of_their_fold():
    data = logged_world.known(persons=600, seed=2, differs=0.25)
    of, fold = data.pairs, learn.folds(data.pairs.person)
    own = fold == 1
    other = of.__class__(**vars(of) | {"residual": np.where(own, 9.0, of.residual)})
    for one, again in zip(*(learners.grown(data.inputs, each, fold) for each in (of, other)), strict=True):
        assert np.corrcoef(one.effects.effect(data.inputs), data.effect)[0, 1] > 0.8, one.name
        assert np.corrcoef(one.unseen, data.effect)[0, 1] > 0.6, one.name
        assert (again.unseen[own] == one.unseen[own]).all()
        assert (again.unseen[~own] != one.unseen[~own]).any()


def test_every_learner_is_tried_where_data_allow_and_can_be_served(tmp_path):
    """By the service's own tables, after a round trip through the model's file."""
    data = logged_world.known(persons=2500, differs=0.2)
    of, fold, names = data.pairs, learn.folds(data.pairs.person), ["a", "b", "c"]
    assert of.treated.sum() >= choose.GROWN_FROM
    arm = choose.learn(data.inputs, of, fold)
    assert list(arm.gains) == ["constant", "linear", "linear, few inputs", "linear T", "LightGBM", "LightGBM T",
                               "LightGBM X", "blend"]  # fmt: skip
    stated = [Value(name, 0.0, -9.0, 9.0) for name in names]
    for part in arm.parts:
        Model("uplift", "responses", stated, [Arm("a", None, part.effects)], 7, "v").write(tmp_path)
        bound = Model.read(tmp_path).bind(names, dict.fromkeys(names))
        served = bound.effects(data.inputs[:50], np.zeros(1, np.int64))[:, 0]
        assert served == pytest.approx(np.clip(part.effects.effect(data.inputs[:50]), -1, 1), abs=1e-9), part.name
    few = logged_world.known(persons=60)
    arm = choose.learn(few.inputs, few.pairs, learn.folds(few.pairs.person))
    assert not set(arm.gains) & {"linear T", "LightGBM", "LightGBM T", "LightGBM X"}, "too few on one side"


def test_a_channel_differs_as_its_action_does_unless_data_say_otherwise():
    world, true, earlier, _ = logged_world.world(persons=2500, strength=0.25)
    actions, treatments, unknown = learn.arms(world, earlier)
    assert not unknown
    by_name = {each.action: each for each in actions}
    assert by_name["letter"].arm.learner == choose.CONSTANT
    coupon = [each for each in treatments if each.action == "coupon"]
    assert {each.channel for each in coupon} == {"email", "phone"}
    for each in coupon:
        effect = each.effects.effect(world.inputs)
        assert np.corrcoef(effect, true[:, each.treatments[0]])[0, 1] > 0.8
    phone, email = (next(each for each in coupon if each.channel == name) for name in ("phone", "email"))
    assert phone.level > email.level


def test_what_was_hardly_tried_is_not_known():
    world, _, earlier, _ = logged_world.world(persons=12)
    actions, treatments, unknown = learn.arms(world, earlier)
    assert not actions
    assert not treatments
    assert set(unknown) == {"letter", "coupon"}
    assert "at least 100 of each are needed" in unknown["letter"]


# --- inputs


def test_inputs_are_bounded_and_tell_gaps_and_labels():
    rng = np.random.default_rng(0)
    n = 4000
    values = np.column_stack([
        rng.normal(size=n), np.full(n, 3.0), np.exp(2 * rng.normal(size=n)), np.where(rng.random(n) < 0.4, np.nan, 1.0),
        rng.choice([0.0, 1.0, 2.0, np.nan], n, p=[0.6, 0.39, 0.001, 0.009]),
    ])  # fmt: skip
    names, levels = ["a", "same", "skewed", "gap", "city"], {"city": ("Lyon", "Graz", "Turin")}
    found = inputs.declared(values, names, levels)
    assert found == [
        Value("a", *(pytest.approx(float(each), abs=1e-9) for each in np.quantile(values[:, 0], [0.5, 0.005, 0.995]))),
        found[1], Missing("gap"), Label("city", "Graz"),
    ]  # fmt: skip
    assert found[1].feature == "skewed"
    assert found[1].transform == "log1p"
    blank = Model("uplift", "responses", found, [], 7, "v")
    x = blank.bind(names, {name: levels.get(name) for name in names}).inputs(values)
    assert np.isfinite(x).all()
    assert x[:, 2] == pytest.approx(np.isnan(values[:, 3]).astype(float))


# --- judgement


def test_later_decisions_judge_what_earlier_ones_taught():
    world, _, earlier, later = logged_world.world(persons=3000, strength=0.25, seed=3)
    actions, _, _ = learn.arms(world, earlier)
    judged = {each.action: judge.judge(world, each, later, 0.05) for each in actions}
    chances = dict(zip(judged, judge.chances(list(judged.values())), strict=True))
    assert judge.differs(judged["coupon"], chances["coupon"])
    assert not judge.differs(judged["letter"], chances["letter"])
    assert judged["letter"].effect.interval.low < 0.1 < judged["letter"].effect.interval.high
    coupon = judged["coupon"]
    assert 0.5 < coupon.slope.value < 1.5
    assert [group.predicted for group in coupon.fifths] == sorted(group.predicted for group in coupon.fifths)
    assert coupon.fifths[-1].effect.low > coupon.fifths[0].effect.high
    assert 0.3 < coupon.share < 0.9
    assert coupon.worth_targeted.value > coupon.worth_all.value
    assert not set(coupon.later.row) & set(np.flatnonzero(earlier))


def test_a_rival_is_beaten_by_as_much_as_it_is_wrong():
    """A loss less by the mean square of the difference between a constant that is wrong and the truth."""
    world, true, _, later = logged_world.world(persons=2000, strength=0.0)
    exact = [
        learn.Found(action, channel, [k], world.pairs(action, [k], ~later),
                    choose.learn(world.inputs, world.pairs(action, [k], ~later), world.fold), true[0, k], 1.0, 0.0,
                    Constant(true[0, k], 0.0))
        for k, (action, channel) in enumerate(world.decisions.treatments)
    ]  # fmt: skip
    judged = [judge.judge(world, each, later, 0.0) for each in exact]
    wrong = judge.better(world, exact, judged, lambda one, row: np.full(len(row), one.level + 0.3))
    assert wrong.interval.low < 0.09 < wrong.interval.high
    assert wrong.interval.low > 0
    same = judge.better(world, exact, judged, lambda one, row: np.full(len(row), one.level))
    assert same.value == 0
    nobody = judge.better(world, exact, judged, lambda _, row: np.full(len(row), np.nan))
    assert nobody is None


def test_of_few_customers_nothing_is_learned_however_often_they_were_decided_about():
    """A log of tests: with three customers all may be in one fold, which leaves nobody to learn from."""
    world, _, earlier, _ = logged_world.world(persons=300)
    log, fold = world.decisions, np.zeros(len(world.inputs), np.int64)
    few = replace(world, decisions=replace(log, person=log.person % 3), fold=fold)
    actions, treatments, unknown = learn.arms(few, earlier)
    assert actions == treatments == []
    assert set(unknown) == {"letter", "coupon"}
    assert unknown["coupon"].startswith("too few customers: 3 in ")
    of = world.pairs("coupon", [2, 3], earlier)
    assert choose.learn(world.inputs, of, fold).learner == "constant"
    left = learn.residual(world.inputs, world.reward[logged_world.GOAL], fold, earlier)
    assert np.array_equal(left[earlier], world.reward[logged_world.GOAL][earlier])


def test_given_deviations_count_as_the_simpler_ones():
    """What the action says on all its channels is taken where a channel's own data say hardly more."""
    data = logged_world.known(persons=1500, seed=2, differs=0.2)
    of, fold = data.pairs, learn.folds(data.pairs.person)
    best = min(learners.lines(data.inputs, of, fold), key=lambda one: of.weight @ (of.score - one.unseen) ** 2)
    arm = choose.learn(data.inputs, of, fold, Learned("given", best.unseen, best.effects))
    assert arm.learner == "given"


def test_of_many_actions_one_is_not_said_to_work_by_chance():
    """Twenty actions that do nothing: of their own, one in twenty would leave out zero; together they rarely do."""
    random, alarms, own = np.random.default_rng(5), 0, 0
    level = clusters.Estimate(0.0, 1.0, 1e6)
    blank = judge.Judged(None, level, level, 1.0, level, [], 0.0, level, level)
    for _ in range(200):
        judged = [replace(blank, effect=level._replace(value=float(each))) for each in random.normal(size=20)]
        said = [words.verdict(one, chance) for one, chance in zip(judged, judge.chances(judged), strict=True)]
        alarms += any(each != "cannot be told" for each in said)
        own += sum(one.effect.not_zero < 0.05 for one in judged)
    assert 0.03 < own / 4000 < 0.07
    assert alarms < 20
    sure = [replace(blank, effect=level._replace(value=value)) for value in (9.0, -9.0, 0.5)]
    told = [words.verdict(one, chance) for one, chance in zip(sure, judge.chances(sure), strict=True)]
    assert told == ["works", "harms", "cannot be told"]


def found(name, verdict, learner="constant", losses=()):
    """An action's part of a report."""
    none = Interval(0.0, 0.0, 0.0)
    told = [LearnerLoss(learner=one, gain=gain, standard_error=error) for one, gain, error in losses]
    return ArmFound(
        action=name, channel=None, treated=9, nothing=9, later=9, effect=none, level=0.0, own=0.0, prior=0.0,
        learner=learner, losses=told, slope=None, slope_p=1.0, fifths=[], share=0.0, worth_all=none,
        worth_targeted=none, p_adjusted=1.0, verdict=verdict, sentence="",
    )  # fmt: skip


def test_a_headline_names_each_action_once_and_says_whether_effects_differ():
    arms = [found("a", "works"), found("b", "differs by customer"), found("c", "cannot be told"), found("d", "harms")]
    assert words.headline(arms, {"e": "too few"}) == (
        "Effects differ by customer: b. Alike for all as far as can be told, and above zero: a. Harmful: d. Cannot be"
        " told yet: c, e."
    )
    assert words.headline(arms[:1]).startswith("That effects differ by customer is not shown.")


def test_what_a_learner_was_chosen_by_is_told():
    tried = [("constant", 0.0, None), ("linear", 0.002, 0.0005), ("blend", 0.003, 0.002)]
    assert "below one effect for all by 0.002, error 0.0005" in words._how(found("a", "works", "linear", tried), True)
    assert "blend: cross-validated loss smaller by 0.003" in words._how(found("a", "works", losses=tried), True)
    worse = [("constant", 0.0, None), ("linear", -0.002, 0.0005)]
    assert "no other learner's" in words._how(found("a", "works", losses=worse), True)
