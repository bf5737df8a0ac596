"""The simulated market: the same for a seed, true to its equations, and known to the last effect."""

import doctest

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.simulate import events as ev
from features.simulate import policy as policies
from features.simulate.actions import CHANNEL_OF, FIT_OF, RECOVERY, TREATMENTS
from features.simulate.market import Market
from features.simulate.oracle import Oracle
from features.simulate.parameters import SETTINGS, setting
from features.simulate.policy import SILENCE, Choice, Scored, Silent, Uniform
from features.simulate.traits import draw_traits
from features.workspace import WorkspaceError

CUSTOMERS = 8_000


class Once:
    """One treatment for everybody on one day."""

    name = "once"

    def __init__(self, treatment, day):
        self.treatment, self.day = treatment, day

    def decide(self, view):
        n = view.customers
        return Choice(np.full(n, self.treatment if view.day == self.day else SILENCE, np.int16), np.ones(n, np.float32))


@pytest.fixture(scope="module")
def lived():
    """A market after 90 days, the last 30 with random contacts; to be copied."""
    market = Market(CUSTOMERS, "usual", seed=5)
    market.run(60)
    market.run(30, Uniform(0.03))
    return market


def rows_of(market, days, policy=None):
    found = []
    market.run(days, policy, lambda day: found.append(day.news))
    return ev.together(found)


def same(a, b):
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in zip(a, b, strict=True))


@settings(max_examples=10)
@given(st.integers(0, 2**31), st.integers(1, 300), st.integers(1, 40))
def test_traits_are_the_same_whoever_is_drawn_with_them(seed, first, n):
    p = SETTINGS["usual"]
    whole = draw_traits(p, seed, 0, first + n)
    for column, part in zip(whole, draw_traits(p, seed, first, n), strict=True):
        assert np.array_equal(column[first:], part)


def test_the_same_seed_gives_the_same_log_whatever_the_room_and_another_seed_another():
    def log(seed, room=None):
        market = Market(600, "usual", seed)
        if room:
            market._room = ev.room(room)
        return rows_of(market, 20, Uniform(0.1))

    assert same(log(3), log(3, room=2 * ev.MOST_A_DAY))
    assert not same(log(3), log(4))


def test_customers_live_the_same_in_a_larger_market():
    small, large = rows_of(Market(300, seed=7), 30), rows_of(Market(500, seed=7), 30)
    assert same(small, large.rows(large.customer < 300))


def test_a_copy_goes_its_own_way(lived):
    before = lived.state.copy()
    lived.copy().play(Uniform(0.5), 3)
    assert same(before, lived.state)
    assert same(rows_of(lived.copy(), 3), rows_of(lived.copy(), 3))


def test_whoever_is_not_contacted_has_the_same_luck_under_any_policy(lived):
    half = np.arange(CUSTOMERS) % 2 == 0

    class Half:
        name = "half"

        def decide(self, view):
            return Choice(np.where(half, 0, SILENCE).astype(np.int16), np.ones(view.customers, np.float32))

    quiet, spoken = (lived.copy().play(policy, 10) for policy in (Silent(), Half()))
    assert np.array_equal(quiet.value[~half], spoken.value[~half])
    assert (quiet.value[half] != spoken.value[half]).mean() > 0.5


def test_doing_nothing_twice_differs_by_nothing(lived):
    a, b = (lived.copy().play(policy, 10) for policy in (Silent(), Uniform(0.0)))
    assert a.above(b) == (0.0, 0.0)
    assert a.contacts.sum() == a.opted_out.sum() == a.complained.sum() == 0


def test_nobody_who_opted_out_or_is_unknown_is_reached(lived):
    market = lived.copy()
    for _ in range(15):
        view = market.view()
        everybody = Choice(np.full(CUSTOMERS, 0, np.int16), np.ones(CUSTOMERS, np.float32))
        made = market.step(everybody)
        assert np.array_equal(made != SILENCE, view.reachable[:, 0])
    assert (market.view().closed >> CHANNEL_OF[0] & 1).sum() > 20  # an e-mail a day drives people away


def test_a_choice_that_does_not_fit_is_refused(lived):
    for treatment in (np.zeros(3, np.int16), np.full(CUSTOMERS, len(TREATMENTS), np.int16)):
        with pytest.raises(ValueError, match="one treatment for each of 8,000"):
            lived.copy().step(Choice(treatment, np.ones(len(treatment), np.float32)))


def test_treatments_that_are_no_whole_numbers_are_refused_instead_of_rounded(lived):
    """1.7 was taken for treatment 1, and 65,536 for 0."""
    n = CUSTOMERS
    for treatment in (np.full(n, 1.7), np.full(n, np.nan), np.full(n, 1 << 16), np.full((n, 1), 0), ["x"] * n):
        with pytest.raises(ValueError, match="a whole number from -1"):
            lived.copy().step(Choice(treatment, np.ones(n)))
    with pytest.raises(ValueError, match="one probability for each"):
        lived.copy().step(Choice(np.full(n, -1), np.ones(3)))
    for answer in (None, np.full(n, -1)):
        with pytest.raises(TypeError, match="answers with a Choice"):
            lived.copy().step(answer)


def test_a_policy_may_answer_with_lists_and_any_whole_numbers(lived):
    class Listed:
        name = "listed"

        def decide(self, view):
            return Choice([0] * view.customers, [1.0] * view.customers)

    listed, once = (lived.copy().play(policy, 1) for policy in (Listed(), Once(0, lived.day)))
    assert np.array_equal(listed.value, once.value)
    assert np.array_equal(listed.log.probability, once.log.probability)


def test_the_policy_of_the_docstring_plays_as_it_says():
    found = doctest.DocTestFinder(recurse=False).find(policies.Policy, "Policy", globs=vars(policies).copy())
    assert len(found) == 1
    assert doctest.DocTestRunner().run(found[0]).failed == 0


def test_a_view_tells_nothing_latent(lived):
    view = lived.view()
    assert set(vars(view)) == {"day", "at", "known", "closed", "profile", "news"}
    gone = lived.state.gone < lived.day
    told = view.closed == 255
    assert gone.sum() > 2 * told.sum() > 0  # most leave without a word, and stay known
    assert view.known[gone].all()
    assert view.table().num_rows == len(view.news.customer) > 0


def test_a_uniform_policy_draws_with_the_probabilities_that_it_states(lived):
    outcome = lived.copy().play(Uniform(0.3, every=5), 10, distributions=True)
    log = outcome.log
    assert len(log) == pytest.approx(2 * lived.view().known.sum(), rel=0.02)  # each customer twice
    assert np.allclose(log.distribution.sum(axis=1), 1.0, atol=1e-5)
    assert np.allclose(log.probability, log.distribution[np.arange(len(log)), log.treatment])  # -1 is the last
    counts = np.bincount(log.treatment + 1, minlength=len(TREATMENTS) + 1)
    expected = np.roll(log.distribution.sum(axis=0), 1)
    assert np.all(np.abs(counts - expected) < 4.5 * np.sqrt(expected))


def test_a_scored_policy_takes_the_best_that_is_worth_it(lived):
    view = lived.view()
    scores = np.tile(np.linspace(-1, 1, len(TREATMENTS)), (CUSTOMERS, 1))
    choice = Scored("best", lambda _: scores, above=0.0, explore=0.1).decide(view)
    reached = view.reachable[:, -1]
    assert np.allclose(choice.distribution.sum(axis=1), 1.0, atol=1e-5)
    assert (choice.treatment[reached] == len(TREATMENTS) - 1).mean() == pytest.approx(0.9, abs=0.03)
    silent = Scored("none", lambda _: scores, above=2.0).decide(view)
    assert (silent.treatment == SILENCE).all()


def test_the_truth_is_what_playing_each_contact_adds(lived):
    """Played with common random numbers: 30 days and what remains, against the closed form."""
    market, days = lived, 30
    truth, reach = market.truth(), market.view().reachable
    silent = market.copy().play(Silent(), days)
    for treatment in (0, 3, 10, 14, 20, 22):
        outcome = market.copy().play(Once(treatment, market.day), days)
        money = (outcome.margin + outcome.remaining) - (silent.margin + silent.remaining)
        expected = np.where(reach[:, treatment], (truth.gain - truth.harm)[:, treatment], 0.0)
        error = (money - expected).std(ddof=1) / np.sqrt(CUSTOMERS)
        assert abs(money.mean() - expected.mean()) < 3.5 * error + 0.01, TREATMENTS[treatment]
        after = market.copy()
        after.step(Once(treatment, market.day).decide(market.view()))
        assert np.array_equal(outcome.contacts == 1, reach[:, treatment])


def test_what_the_load_and_opting_out_take_is_what_permission_loses(lived):
    truth, reach = lived.truth(), lived.view().reachable
    silent = lived.copy().play(Silent(), 1)
    outcome = lived.copy().play(Once(0, lived.day), 1)
    lost = np.where(reach[:, 0], (truth.price + truth.lost)[:, 0], 0.0)
    room = silent.permission > 1.5 * lost  # where the load does not use it up
    seen = (silent.permission - outcome.permission)[room]
    error = (seen - lost[room]).std(ddof=1) / np.sqrt(room.sum())
    assert abs(seen.mean() - lost[room].mean()) < 3.5 * error + 0.02 * lost[room].mean()
    assert lost[room].mean() > 0.05


def test_effects_differ_and_some_dogs_had_better_sleep():
    truth = Market(20_000, seed=1).truth()
    adds = FIT_OF != RECOVERY
    assert (truth.added[:, adds].max(axis=1) > 0.01).mean() > 0.5
    email = truth.treatments.index(("newsletter", "email"))
    harmed = truth.harm[:, email] + truth.lost[:, email] > truth.gain[:, email]
    known = truth.gain[:, email] > 0
    assert 0.08 < harmed[known].mean() < 0.25  # an eighth are dogs; a few more hardly react at all
    spread = truth.added[:, adds].std(axis=0) / truth.added[:, adds].mean(axis=0)
    assert (spread > 0.5).all()


def test_the_oracle_beats_doing_nothing_and_random_contacts(lived):
    silent = lived.copy().play(Silent(), 20)
    random = lived.copy().play(Uniform(0.02), 20)
    knowing = lived.copy()
    oracle = knowing.play(Oracle(knowing), 20)
    gain, error = oracle.above(silent)
    assert gain > 5 * error
    assert random.above(silent)[0] < 0  # a random one is as often a call as an e-mail
    with pytest.raises(ValueError, match="another market"):
        Oracle(lived).decide(knowing.view())


def test_a_market_says_what_is_wrong_with_its_size_and_setting():
    with pytest.raises(WorkspaceError, match="the settings are plain, usual, barely"):
        setting("usuall")
    with pytest.raises(WorkspaceError, match="1 to 10,000,000 customers"):
        Market(0)
    for wrong in ({"rate": 1.5}, {"rate": 0.1, "every": 0}):
        with pytest.raises(WorkspaceError):
            Uniform(**wrong)


def test_settings_differ_only_in_what_shows():
    plain, barely = (draw_traits(SETTINGS[name], 1, 0, 500) for name in ("plain", "barely"))
    for name in ("rate", "price", "service", "tolerance", "dog", "affinity", "joins"):
        assert np.array_equal(getattr(plain, name), getattr(barely, name))
    assert not np.array_equal(plain.profile, barely.profile)
