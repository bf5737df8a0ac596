"""The estimators against worlds whose truth can be written down."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from training.offpolicy import estimators, intervals, outcomes
from training.offpolicy.diagnostics import overlap
from training.offpolicy.estimators import METHODS, estimate, played
from training.offpolicy.feedback import Feedback
from training.offpolicy.logbook import Logbook
from training.offpolicy.weighing import Weighed

distributions = st.lists(st.integers(1, 9), min_size=3, max_size=3).map(lambda parts: np.array(parts) / sum(parts))


def logged(n=4000, seed=0, predicted=True, cluster=None):
    """Two kinds of customers, three choices; what each choice brings depends on the kind."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 2, n)
    logging = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])[kind]
    target = np.array([[0.1, 0.1, 0.8], [0.5, 0.25, 0.25]])[kind]
    worth = np.array([[0.1, 0.2, 0.3], [0.5, 0.4, 0.1]])[kind]
    action = (logging.cumsum(1) < random.random(n)[:, None]).sum(1)
    reward = (random.random(n) < np.take_along_axis(worth, action[:, None], 1)[:, 0]).astype(float)
    inputs = kind[:, None].astype(float)
    model = outcomes.predicted(inputs, action, reward, 3) if predicted else None
    truth = float((target * worth).sum(1).mean())
    return Feedback(logging, target, action, reward, model, cluster=cluster), truth


@given(distributions, distributions, st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.data())
@settings(max_examples=50, deadline=None)
def test_weighting_is_unbiased_whatever_the_policies_and_the_model(logging, target, worth, data):
    """The expectation over everything that could have been drawn is the target's value, to the last digit."""
    model = np.array(data.draw(st.lists(st.floats(-3, 3), min_size=3, max_size=3)))
    found = dict.fromkeys(("ips", "doubly_robust"), 0.0)
    for drawn in product(range(3), repeat=2):
        action = np.array(drawn)
        one = Feedback(
            np.tile(logging, (2, 1)), np.tile(target, (2, 1)), action, np.array(worth)[action], np.tile(model, (2, 1))
        )
        for method in found:
            found[method] += logging[action].prod() * estimate(one, method).value
    assert found == pytest.approx(dict.fromkeys(found, float(target @ worth)), abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_every_estimator_finds_the_truth(method):
    feedback, truth = logged(40_000)
    found = intervals.interval(estimate(feedback, method))
    assert found.value == pytest.approx(truth, abs=0.02)
    assert method == "direct" or truth in found  # its interval knows nothing of what its model gets wrong


def test_a_policy_judged_by_its_own_log_is_the_mean_of_what_it_earned():
    feedback, _ = logged()
    own = Feedback(feedback.logging, feedback.logging, feedback.action, feedback.reward)
    for method in ("ips", "self_normalised"):
        assert estimate(own, method).terms == pytest.approx(played(own).terms)


def test_clipping_states_a_bias_that_covers_what_it_does():
    feedback, truth = logged(40_000)
    for switch in (False, True):
        for method in ("ips", "doubly_robust"):
            clipped = estimate(feedback, method, clip=1.5, switch=switch)
            free = estimate(feedback, method)
            assert clipped.bias > 0
            assert clipped.error < free.error
            assert abs(clipped.value - truth) <= clipped.bias + 4 * clipped.error
            assert truth in intervals.interval(clipped)
    assert estimate(feedback, "ips", clip=100.0).bias == 0.0


def test_rows_of_one_customer_hang_together():
    """Every row twice tells no more than once."""
    feedback, _ = logged(2000)
    twice = Feedback(
        *(np.repeat(part, 2, axis=0) for part in (feedback.logging, feedback.target, feedback.action, feedback.reward)),
        predicted=np.repeat(feedback.predicted, 2, axis=0),
        cluster=np.repeat(np.arange(2000), 2),
    )
    for method in METHODS:
        one, other = estimate(feedback, method), estimate(twice, method)
        assert (other.value, other.error) == pytest.approx((one.value, one.error))


def test_of_customers_with_more_rows_than_others_the_mean_is_over_rows():
    sizes = np.array([1, 3, 2, 6])
    cluster = np.repeat(np.arange(4), sizes)
    reward = np.arange(12.0)
    table = np.full((12, 2), 0.5)
    feedback = Feedback(table, table, np.zeros(12, int), reward, cluster=cluster)
    found = played(feedback)
    assert len(found.terms) == 4
    assert found.value == pytest.approx(reward.mean())
    sums = np.bincount(cluster, reward) - found.value * sizes  # a ratio's variance (Cochran, 1977, 6.3)
    assert found.error == pytest.approx(np.sqrt((sums**2).sum() / 3 / 4) / sizes.mean())


def test_what_the_log_never_tried_is_told():
    logging = np.tile([0.7, 0.3, 0.0], (100, 1))
    target = np.tile([0.0, 0.6, 0.4], (100, 1))
    action = np.arange(100) % 10 // 7  # 70 and 30 of them
    told = overlap(Feedback(logging, target, action, np.zeros(100)))
    assert told.unsupported == pytest.approx(0.4)
    assert told.heaviest == pytest.approx(2.0)
    assert told.effective == pytest.approx(30.0)
    assert told.mean_weight == pytest.approx(0.6)
    assert told.unbalanced == pytest.approx(0.0, abs=1e-9)
    wrong = Feedback(
        np.tile([0.3, 0.7, 0.0], (1000, 1)), np.tile([0.0, 1.0, 0.0], (1000, 1)), np.ones(1000, int), np.zeros(1000)
    )
    assert overlap(wrong).mean_weight == pytest.approx(1 / 0.7)


def test_probabilities_that_answers_were_not_drawn_with_show_in_the_weights():
    feedback, _ = logged(10_000)
    assert overlap(feedback).unbalanced < 4
    turned = Feedback(feedback.logging[:, [2, 0, 1]], feedback.target, feedback.action, feedback.reward)
    assert overlap(turned).unbalanced > 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": np.full((2, 3), 0.5)}, "both"),
        ({"target": np.full((2, 2), 0.6)}, "no distributions"),
        ({"logging": np.array([[0.0, 1.0], [0.5, 0.5]])}, "probability 0"),
        ({"reward": np.zeros(3)}, "one value a row"),
        ({"predicted": np.zeros((2, 3))}, "predicted"),
    ],
)
def test_what_is_no_log_is_refused(change, says):
    given_ = {
        "logging": np.full((2, 2), 0.5),
        "target": np.full((2, 2), 0.5),
        "action": np.zeros(2, int),
        "reward": np.zeros(2),
    }
    with pytest.raises(ValueError, match=says):
        Feedback(**given_ | change)
    with pytest.raises(ValueError, match="predicted rewards"):
        estimate(Feedback(**given_), "doubly_robust")


def test_intervals_of_light_terms_agree_and_bernstein_is_the_widest():
    terms = np.random.default_rng(1).normal(3.0, 2.0, 2000)
    found = {kind: intervals.interval(estimators.Estimate("ips", terms), kind) for kind in intervals.KINDS}
    usual = found["normal"]
    for kind in ("likelihood", "bootstrap"):
        assert (found[kind].low, found[kind].high) == pytest.approx((usual.low, usual.high), abs=0.01)
    assert found["bernstein"].low < usual.low
    assert usual.high < found["bernstein"].high


def test_the_likelihood_interval_leans_to_where_rare_large_terms_may_be_missing():
    terms = np.concatenate([np.zeros(980), np.full(20, 10.0)])
    found = intervals.likelihood(terms)
    assert found.high - found.value > 1.2 * (found.value - found.low)
    low = intervals._ratio(found.low - terms, found.low)
    high = intervals._ratio(terms - found.high, 10.0 - found.high)
    assert (low, high) == pytest.approx((3.85, 3.85), abs=0.01)  # F(1, 999) at 95 %


def test_what_could_have_been_drawn_and_was_not_widens_the_likelihood_interval():
    terms = np.concatenate([np.zeros(980), np.full(20, 10.0)])
    plain, heavy = intervals.likelihood(terms), intervals.likelihood(terms, support=(0.0, 100.0))
    assert heavy.low == plain.low
    assert heavy.high > 1.3 * plain.high


def test_terms_that_are_all_alike_are_bounded_by_the_rule_of_three():
    nothing = np.zeros(2000)
    found = intervals.interval(estimators.Estimate("ips", nothing, (-1.0, 4.0)))
    assert (found.low, found.value, found.high) == pytest.approx((-3 / 2000, 0.0, 12 / 2000), rel=0.01)
    assert (1 - found.high / 4.0) ** 2000 == pytest.approx(0.05)
    free = intervals.interval(estimators.Estimate("ips", nothing), "cautious")
    assert (free.low, free.high) == (-np.inf, np.inf)


def rarely(random, chance, one=1.0):
    """Of 300 customers three rows each, contacted half the time as played, mostly under the other policy."""
    n = 900
    action = random.integers(0, 2, n)
    target, nothing = np.tile([0.2, 0.8], (n, 1)), np.zeros(n, int)
    log = Logbook(np.repeat(np.arange(300), 3), np.arange(n), nothing, nothing == 0, np.zeros((n, 0)), nothing, nothing,
                  (None,), None)  # fmt: skip
    follows, logging = np.array([0.4, 1.6])[action], np.full((n, 2), 0.5)
    whole = Weighed(log, np.arange(n), [("a", "email")], logging, target, action, follows, np.full(n, 1.36))
    return whole.change((random.random(n) < np.array([0.0, chance])[action]).astype(float), one=one)


def test_what_happens_rarely_is_within_the_interval_of_a_log_in_which_it_did_not():
    """A contact does harm so seldom that every fifth log shows none of it."""
    random, chance, hits, unseen = np.random.default_rng(1), 1.6 / 450, [], 0
    for _ in range(60):
        change = rarely(random, chance)
        unseen += not change.before.terms.any()
        truth = np.array([0.5, 0.8, 0.3]) * chance
        each = (change.before, change.after, change.difference)
        hits.append([value in intervals.interval(one) for value, one in zip(truth, each, strict=True)])
    assert unseen > 5
    for hit in np.array(hits).sum(0).tolist():
        assert binomtest(hit, 60, 0.95, alternative="less").pvalue > 0.01, np.array(hits).mean(0)


def test_what_never_happened_is_bounded_by_what_one_of_it_brings():
    counted, money = (rarely(np.random.default_rng(1), 0.0, one) for one in (1.0, np.inf))
    found = intervals.interval(counted.difference)
    assert (found.low, found.high) == pytest.approx((-0.6 * 3 / 900, 0.6 * 3 / 900), rel=0.01)
    assert intervals.interval(counted.after).high == pytest.approx(1.6 * 3 / 900, rel=0.01)
    found = [intervals.interval(each) for each in (money.before, money.difference)]
    assert [(each.low, each.high) for each in found] == [(0.0, np.inf), (-np.inf, np.inf)]


def test_the_likelihood_ratio_is_what_maximising_by_hand_gives():
    gaps = np.random.default_rng(3).exponential(1.0, 50) - 1.2
    tries = np.linspace(-1 / gaps.max(), 0.0, 100_001)[1:]
    best = max(np.log1p(some[:, None] * gaps).sum(1).max() for some in np.array_split(tries, 20))
    assert intervals._ratio(gaps, gaps.max()) == pytest.approx(2 * best, rel=1e-3)


def test_nobody_is_predicted_by_their_own_rows():
    """A choice's mean over the others' rows alone: what one customer earned moves no prediction of theirs."""
    random = np.random.default_rng(0)
    cluster, action, reward = np.repeat(np.arange(50), 4), random.integers(0, 3, 200), random.random(200)
    before = outcomes.predicted(np.zeros((200, 1)), action, reward, 3, outcomes.Means, cluster)
    changed = reward.copy()
    changed[cluster == 7] += 100.0
    after = outcomes.predicted(np.zeros((200, 1)), action, changed, 3, outcomes.Means, cluster)
    assert (after[cluster == 7] == before[cluster == 7]).all()
    assert (after[cluster != 7] > before[cluster != 7] + 0.1).any()


# Classification as a bandit: choosing the right digit earns 1, and the true value of any policy is known.


@pytest.fixture(scope="module")
def digits():
    inputs, label = load_digits(return_X_y=True)
    small = PCA(12, random_state=0).fit_transform(inputs / 16)
    random = np.random.default_rng(0)

    def policy(rows, temperature, uniform):
        model = LogisticRegression(max_iter=500).fit(inputs[rows] / 16, label[rows])
        chances = np.exp(model.decision_function(inputs / 16) / temperature)
        return (1 - uniform) * chances / chances.sum(1, keepdims=True) + uniform / 10

    few, many = (random.choice(len(label), size, replace=False) for size in (150, 600))
    return {
        "light": (small, label, policy(few, 2.0, 0.1), policy(many, 1.0, 0.05)),
        "heavy": (small, label, policy(few, 0.3, 0.1), policy(many, 0.3, 0.05)),  # weights up to 95
    }


def bandit(digits, n, random, seed):
    small, label, logging, target = digits
    rows = random.integers(0, len(label), n)
    action = (logging[rows].cumsum(1) < random.random(n)[:, None]).sum(1).clip(max=9)
    reward = (action == label[rows]).astype(float)
    model = outcomes.predicted(small[rows], action, reward, 10, seed=seed)
    return Feedback(logging[rows], target[rows], action, reward, model)


def truth_of(digits):
    _, label, _, target = digits
    return target[np.arange(len(label)), label].mean()


def test_digits_are_read_off_another_policys_log(digits):
    truth = truth_of(digits["light"])
    feedback = bandit(digits["light"], 5000, np.random.default_rng(5), 0)
    assert played(feedback).value < truth - 0.3  # the log itself says nothing like it
    for method in ("ips", "self_normalised", "doubly_robust"):
        assert truth in intervals.interval(estimate(feedback, method))
    plain, robust = (estimate(feedback, method).error for method in ("ips", "doubly_robust"))
    assert robust < 0.6 * plain


def covered(digits, methods, kinds):
    """How many of 500 logs of 1,000 answers have an interval that holds the truth."""
    truth, random = truth_of(digits), np.random.default_rng(2026)
    hits = dict.fromkeys([(method, kind) for method in methods for kind in kinds], 0)
    for seed in range(500):
        feedback = bandit(digits, 1000, random, seed)
        for method, kind in hits:
            hits[method, kind] += truth in intervals.interval(estimate(feedback, method), kind)
    print({f"{method}, {kind}": hit / 500 for (method, kind), hit in hits.items()})
    return hits


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say(digits):
    """Neither more nor less often than 95 %."""
    hits = covered(digits["light"], METHODS, ("likelihood", "normal"))
    for (method, kind), hit in hits.items():
        if method == "direct":
            assert hit < 400  # a model alone does not know how wrong it is
        else:  # six tests: one false alarm in twenty runs takes a hundredth each
            assert binomtest(hit, 500, 0.95).pvalue > 0.01, (method, kind, hit)


@pytest.mark.slow
def test_where_weights_are_heavy_the_likelihood_interval_still_covers(digits):
    """Weights that 1,000 answers mostly never show: Student's interval knows nothing of them."""
    hits = covered(digits["heavy"], ("ips", "doubly_robust"), ("likelihood", "normal"))
    for method in ("ips", "doubly_robust"):
        assert binomtest(hits[method, "likelihood"], 500, 0.95, alternative="less").pvalue > 0.01
    assert binomtest(hits["ips", "normal"], 500, 0.95).pvalue < 0.01


def small_change(random):
    """2,000 rows of 200 customers, of which one in twelve would be answered otherwise, by what was rarely drawn."""
    rows, who = 2_000, np.repeat(np.arange(200), 10)
    moved = random.random(rows) < 1 / 12
    logging = np.where(moved[:, None], [0.05, 0.05, 0.9], [0.1, 0.2, 0.7])
    target = np.where(moved[:, None], [0.05, 0.9, 0.05], logging)
    action = (random.random((rows, 1)) > logging.cumsum(1)).sum(1)
    chance = np.array([0.1, 0.15, 0.2])
    reward = (random.random(rows) < chance[action]).astype(float)
    nothing = np.zeros(rows, int)
    log = Logbook(who, np.arange(rows), nothing, nothing == 0, np.zeros((rows, 0)), nothing, nothing, (None,), None)
    taken = [np.take_along_axis(table, action[:, None], 1)[:, 0] for table in (target, logging)]
    square = (target**2 / logging).sum(1)
    whole = Weighed(
        log, np.arange(rows), [("a", "email"), ("b", "email")], logging, target, action, taken[0] / taken[1], square
    )
    return whole.change(reward), float(((target - logging) @ chance).mean())


def test_the_interval_of_a_small_change_allows_for_heavy_answers_that_were_not_drawn():
    random = np.random.default_rng(0)
    runs = [small_change(random) for _ in range(80)]
    hits = sum(truth in intervals.interval(change.difference) for change, truth in runs)
    assert binomtest(hits, 80, 0.95, alternative="less").pvalue > 0.01
    for change, _ in runs:
        low, high = change.difference.support
        assert low <= change.difference.terms.min() <= change.difference.terms.max() <= high
