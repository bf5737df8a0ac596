"""Whom contacts move and whom to leave alone: figures against naive ones, sentences against figures."""

import re
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from targeting_samples import known

from training.evaluate import Interval
from training.reports.statistics import holm
from training.reports.uplift_targeting import bands, measure, people, traits, words
from training.reports.uplift_targeting.artefact import Group, Ranking, Tenth
from training.reports.uplift_targeting.measure import Contacts, Expected
from training.reports.uplift_targeting.traits import Described
from training.reports.wording import Words

RATE = Words("purchase within 7 days", "rate")


# --- tenths and the curve


def curve_by_hand(contacts):
    """(share, gain) for every rule `contact whoever is expected to gain at least c`, by plain sums."""
    rows = list(zip(contacts.expected.predicted, contacts.score, contacts.weight, strict=True))
    total = sum(weight for _, _, weight in rows)
    return {
        cut: (
            sum(weight for predicted, _, weight in rows if predicted >= cut) / total,
            sum(weight * score for predicted, score, weight in rows if predicted >= cut) / total,
        )
        for cut in {predicted for predicted, _, _ in rows}
    }


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([None, 1, 2]))
def test_every_point_of_the_curve_is_a_rule_summed_by_hand(seed, ties):
    contacts = known(persons=40, seed=seed, ties=ties).contacts
    rules = {round(share, 9): gain for share, gain in curve_by_hand(contacts).values()}
    points, _ = measure.curve(contacts)
    assert (points[0].share, points[0].gain) == (0.0, 0.0)
    assert [one.share for one in points] == sorted({one.share for one in points})
    assert points[-1].share == pytest.approx(1.0)
    for one in points[1:]:
        assert one.gain == pytest.approx(rules[round(one.share, 9)])
        assert one.low <= one.gain <= one.high


def test_the_curve_ends_at_the_mean_effect_and_its_band_is_no_narrower_than_one_interval():
    contacts = known().contacts
    points, above = measure.curve(contacts)
    mean = contacts.effect()
    assert points[-1].gain == pytest.approx(mean.value)
    assert points[-1].high - points[-1].low > 2 * 1.96 * mean.error
    shares, gains = zip(*((one.share, one.gain) for one in points), strict=True)
    area = np.trapezoid(gains, shares) - gains[-1] / 2
    assert above.value == pytest.approx(area)
    assert above.low > 0  # the model knows whom contacts move


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([None, 0, 1, 2]))
def test_tenths_hold_everyone_once_and_never_part_whom_the_model_cannot_tell_apart(seed, ties):
    contacts = known(persons=200, seed=seed, ties=ties).contacts
    found = measure.tenths(contacts)
    predicted = contacts.expected.predicted
    if len(np.unique(predicted)) == 1:
        assert found == []
        return
    assert sum(one.contacts for one in found) == len(contacts)
    assert sum(one.share for one in found) == pytest.approx(1.0)
    assert [one.place for one in found] == list(range(1, len(found) + 1))
    means = [one.predicted for one in found]
    assert means == sorted(means, reverse=True)
    start = 0
    for one in found:  # sorted, each group is a run that no tie crosses
        ordered = np.sort(predicted)[::-1]
        end = start + one.contacts
        assert end == len(ordered) or ordered[end - 1] > ordered[end]
        start = end
    if ties is None:
        assert [one.contacts for one in found] == pytest.approx([len(contacts) / 10] * 10, abs=1)


def test_verdicts_of_tenths_are_holms():
    found = measure.tenths(known(persons=4000, spread=0.2).contacts)
    assert [one.p_adjusted for one in found] == holm([one.p for one in found])
    for one in found:
        told = one.p_adjusted < 0.05
        assert one.verdict == ("undecided" if not told else "raised" if one.effect.value > 0 else "lowered")
    assert {"raised", "lowered"} <= {one.verdict for one in found}


def test_where_all_are_expected_to_gain_alike_nothing_is_sorted():
    contacts = known().contacts
    flat = replace(contacts, expected=replace(contacts.expected, predicted=np.full(len(contacts), 0.02)))
    assert measure.tenths(flat) == []
    assert measure.curve(flat) == ([], None)


def test_too_few_get_no_figure():
    contacts = known(persons=20).contacts
    found = measure.measured(contacts, np.ones(len(contacts), bool))
    assert (found.verdict, found.effect, found.p) == ("too_few", None, None)
    assert "at least 30 of each are needed" in found.reason
    rare = known(persons=600).contacts
    silent = replace(rare, score=np.where(np.arange(len(rare)) < 3, 50.0, 0.0))
    assert "fewer than 10 customers" in measure.measured(silent, np.ones(len(rare), bool)).reason


def chance_alone(rng, n, left, rate):
    """Contacts that do nothing, a share `left` of them not made; a share `rate` of the customers buys anyway."""
    came, made = (rng.random(n) < rate) - rate, rng.random(n) >= left
    chances = np.tile([left, 1 - left], (n, 1))
    score = np.where(made, came / (1 - left), -came / left)
    return Contacts(
        Expected(rng.normal(size=n), np.zeros(n), np.arange(n)),
        score,
        np.full(n, left * (1 - left)),
        made,
        ~made,
        chances,
    )


def test_the_skew_is_that_of_chance_deciding_anew():
    """Chances and weights differ; what came of each stays."""
    rng = np.random.default_rng(3)
    n, came = 200, rng.exponential(1.0, 200) - 1
    made = rng.choice([0.8, 0.9, 0.95], n)
    weight = made * (1 - made)
    anew = rng.random((10_000, n)) < made
    scores = np.where(anew, came / made, -came / (1 - made))
    everyone = Expected(np.zeros(n), np.zeros(n), np.arange(n))
    contacts = Contacts(everyone, scores[0], weight, anew[0], ~anew[0], np.column_stack([1 - made, made]))
    drawn = -scipy.stats.skew(scores @ weight)
    assert drawn > 0.15
    assert contacts.skew(np.ones(n, bool)) == pytest.approx(drawn, rel=0.15)
    other = replace(contacts, score=scores[1], made=anew[1], nothing=~anew[1])
    assert other.skew(np.ones(n, bool)) == pytest.approx(contacts.skew(np.ones(n, bool)))


@pytest.mark.parametrize(("n", "left", "rate"), [(10_000, 0.05, 0.02), (4000, 0.1, 0.05), (10_000, 0.95, 0.03)])
def test_few_left_alone_and_a_rare_outcome_are_too_few_to_tell(n, left, rate):
    """Where hardly any of the few left alone would buy, nearly every report said that contacts raise something."""
    found = measure.tenths(chance_alone(np.random.default_rng(5), n, left, rate))
    assert {one.verdict for one in found} == {"too_few"}
    few = "not made" if left < 0.5 else "made"
    assert all(f" contacts {few} are needed, there are " in one.reason for one in found)


def test_a_part_without_a_case_has_nothing_to_tell_it_by():
    contacts = chance_alone(np.random.default_rng(6), 20_000, 0.1, 0.02)
    none = np.where(contacts.made, contacts.score < 0, contacts.score > 0) & (np.arange(20_000) < 500)
    assert measure.measured(contacts, none).verdict == "too_few"
    assert measure.measured(contacts, np.ones(len(contacts), bool)).verdict != "too_few"


def test_what_is_told_holds_where_contacts_do_nothing():
    """Sixteen of those left alone buy in each tenth: as good as all are told, and one report in twenty errs."""
    rng = np.random.default_rng(7)
    found = [measure.tenths(chance_alone(rng, 8000, 0.1, 0.2)) for _ in range(25)]
    told = [one.effect for report in found for one in report if one.effect is not None]
    assert len(told) > 0.95 * 250
    assert np.mean([one.low <= 0 <= one.high for one in told]) > 0.93
    assert np.mean([any(one.verdict in ("raised", "lowered") for one in report) for report in found]) < 0.1


def test_the_curve_begins_where_its_band_holds():
    """Twenty of those left alone buy: a tenth of them, two, would draw the band as narrow as their luck."""
    rng = np.random.default_rng(8)
    found = [measure.curve(chance_alone(rng, 4000, 0.1, 0.05))[0] for _ in range(60)]
    assert all(points[1].share > 0.2 and points[-1].share == pytest.approx(1.0) for points in found)
    assert np.mean([all(one.low <= 0 <= one.high for one in points) for points in found]) > 0.85
    assert measure.curve(chance_alone(rng, 10_000, 0.05, 0.02)) == ([], None), "ten are too few for all of it"


# --- groups


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([None, 1, 2]))
def test_who_stands_in_a_group_is_whom_it_counts(seed, ties):
    contacts = known(persons=40, seed=seed, ties=ties).contacts
    everyone = contacts.expected
    customer = np.array([f"c{person}" for person in everyone.person], object)
    who = people.table("mail", customer, contacts, everyone).to_pandas()
    assert sorted(who.customer_id) == sorted(set(customer))
    counts = {one.kind: one.customers for one in measure.groups(contacts, everyone)}
    assert who.kind.value_counts().to_dict() == counts
    for one in measure.tenths(contacts):
        rows = contacts.expected.predicted[measure.places(contacts, contacts.expected.predicted) == one.place - 1]
        assert len(rows) == one.contacts
        assert who[who.tenth == one.place].predicted.isin(rows).all()
    alike = Expected(np.full(len(contacts), 0.1), everyone.cost, everyone.person)
    same = people.table("mail", customer, replace(contacts, expected=alike), alike)
    assert same["tenth"].null_count == same.num_rows


def test_groups_count_each_customer_once_as_known_last():
    expected = Expected(
        np.array([0.2, -0.1, 0.005, -0.2, 0.3]), np.full(5, 0.01), np.array([0, 0, 1, 2, 2])
    )  # newest: 0 -> -0.1, 1 -> 0.005, 2 -> 0.3
    contacts = Contacts(expected, np.zeros(5), np.ones(5), np.ones(5, bool), np.zeros(5, bool), np.full((5, 2), 0.5))
    found = {one.kind: one for one in measure.groups(contacts, expected)}
    assert {kind: one.share for kind, one in found.items()} == pytest.approx(
        {"sleeping_dog": 1 / 3, "not_worth_it": 1 / 3, "persuadable": 1 / 3}
    )
    assert {one.customers for one in found.values()} == {1}
    assert {one.verdict for one in found.values()} == {"too_few"}


def test_who_is_harmed_is_found_and_who_gains():
    sample = known(persons=4000, spread=0.2)
    found = {one.kind: one for one in measure.settled(measure.groups(sample.contacts, sample.contacts.expected))}
    dogs, moved = found["sleeping_dog"], found["persuadable"]
    assert (dogs.verdict, moved.verdict) == ("lowered", "raised")
    kind = sample.contacts.expected.kind
    for one, place in ((dogs, 2), (moved, 0)):
        assert one.effect.low < sample.effect[kind == place].mean() < one.effect.high


# --- what they are like


def test_traits_are_what_differs_most_each_saying_something_else():
    rng = np.random.default_rng(0)
    group = np.arange(2000) < 500
    one = rng.normal(0, 1, 2000) + 1.0 * group
    values = np.column_stack([one, one + rng.normal(0, 0.1, 2000), rng.normal(0, 1, 2000) - 0.5 * group,
                              rng.normal(0, 1, 2000), np.full(2000, np.nan), np.ones(2000)])  # fmt: skip
    names = ["most", "same as most", "less", "nothing", "unknown", "constant"]
    found = traits.of(Described(values, names, names, [None] * 6), group)
    assert [each.feature for each in found] == ["most", "less"] or [each.feature for each in found] == [
        "same as most",
        "less",
    ]
    assert found[0].difference == pytest.approx(1.0, abs=0.15)
    assert found[1].difference == pytest.approx(-0.5, abs=0.15)
    assert found[0].group == pytest.approx(values[group, names.index(found[0].feature)].mean())


# --- bands


def test_one_estimate_has_the_usual_reach_and_alike_estimates_no_more():
    assert bands.multiplier(np.eye(1) * 4, 0.95) == pytest.approx(1.96, abs=0.05)
    assert bands.multiplier(np.ones((5, 5)), 0.95) == pytest.approx(1.96, abs=0.05)
    assert bands.multiplier(np.eye(20), 0.95) == pytest.approx(3.02, abs=0.08)  # Sidak's
    assert bands.multiplier(np.zeros((3, 3)), 0.95) == 0.0


# --- sentences


def group(kind, share, effect, verdict, p=0.001):
    few = effect is None
    return Group(kind=kind, share=share, customers=round(1000 * share), contacts=500, predicted=0.0, effect=effect,
                 p=None if few else p, verdict=verdict, reason="few" if few else None)  # fmt: skip


def ranking(*groups, name="coupon", last=None):
    found = Interval(0.01, -0.01, 0.03)
    lasts = [] if last is None else [last]
    return Ranking(name=name, customers=1000, contacts=900, effect=found, tenths=lasts, curve=[], over_random=None,
                   groups=list(groups), sentence="")  # fmt: skip


def figures(sentence):
    return [float(one.replace("−", "-")) for one in re.findall(r"[−-]?\d+(?:\.\d+)?", sentence)]


HARM, GAIN, OPEN = Interval(-0.031, -0.05, -0.012), Interval(0.052, 0.03, 0.07), Interval(-0.01, -0.03, 0.01)


def test_leave_alone_names_the_share_and_the_harm_as_measured():
    said, to_do = words.leave_alone(RATE, [ranking(group("sleeping_dog", 0.123, HARM, "lowered"))])
    assert said.startswith("Leave alone 12% of customers: contacts lower purchase")
    assert figures(said)[0] == 12
    assert figures(said)[2:] == pytest.approx([3.1, 1.2, 5.0])
    assert to_do == "leave alone 12% of customers"


def test_where_everybody_is_harmed_it_says_so():
    said, to_do = words.leave_alone(RATE, [ranking(group("sleeping_dog", 1.0, HARM, "lowered"))])
    assert said.startswith("Leave alone everybody: contacts lower")
    assert to_do == "leave alone everybody"


def test_one_action_that_harms_is_named_though_others_do_not():
    best = ranking(group("persuadable", 1.0, GAIN, "raised"), name="the best action for each")
    call = ranking(group("sleeping_dog", 0.3, HARM, "lowered"), name="loyalty call")
    said, to_do = words.leave_alone(RATE, [best, call])
    assert said.startswith("Do not send loyalty call to 30% of customers: it lowers purchase")
    assert "no group is shown to be harmed by every contact" in said
    assert to_do == "do not send loyalty call to 30% of customers"


def test_a_last_tenth_that_is_harmed_though_a_gain_was_expected_is_left_alone():
    tenth = Tenth(
        place=10, share=0.1, customers=90, contacts=100, predicted=0.01, effect=HARM, p=0.001, verdict="lowered"
    )
    said, to_do = words.leave_alone(RATE, [ranking(group("persuadable", 1.0, GAIN, "raised"), last=tenth)])
    assert said.startswith("Leave alone the 10% of customers expected to gain least")
    assert to_do is not None


def test_no_harm_shown_says_what_is_expected_and_how_unsure_it_is():
    said, to_do = words.leave_alone(RATE, [ranking(group("sleeping_dog", 0.2, OPEN, "undecided"))])
    assert said.startswith("No group is shown to be harmed: the model expects coupon to harm 20% of customers")
    assert figures(said)[-2:] == pytest.approx([-3, 1])
    assert to_do is None
    # several were looked at, and one interval alone leaves out zero: said, and why it is not shown
    hint = ranking(group("sleeping_dog", 0.2, HARM, "undecided"), group("persuadable", 0.8, GAIN, "raised"))
    assert "no surprise where 2 groups are looked at" in words.leave_alone(RATE, [hint])[0]
    gain = ranking(group("persuadable", 0.8, GAIN, "undecided"), group("sleeping_dog", 0.2, OPEN, "undecided"))
    assert words.persuadable(RATE, [gain]).endswith("which is no surprise where 2 groups are looked at.")
    alone = ranking(group("persuadable", 1.0, OPEN, "undecided"))
    assert words.persuadable(RATE, [alone]).endswith("which may be chance.")


def test_nobody_expected_to_be_harmed_and_too_few_to_tell():
    nobody = words.leave_alone(RATE, [ranking(group("persuadable", 1.0, GAIN, "raised"))])
    assert nobody == (
        "No group is shown to be harmed, and the model expects no customer to be better left alone.",
        None,
    )
    few = words.leave_alone(RATE, [ranking(group("sleeping_dog", 0.2, None, "too_few"))])[0]
    assert few.startswith("No group is shown to be harmed; the model expects 20% of customers")
    empty = ranking(group("sleeping_dog", 0.2, None, "too_few")).model_copy(update={"effect": None})
    assert words.leave_alone(RATE, [empty])[0].startswith("Too few to tell whom contacts harm")


@pytest.mark.parametrize(
    ("effect", "verdict", "begins"),
    [
        (GAIN, "raised", "Contact 80% of customers with coupon: it raises purchase within 7 days by 5 "),
        (OPEN, "undecided", "Nobody is shown to be persuadable: the model expects 80% of customers to gain by coupon"),
        (HARM, "lowered", "Do not trust the model: it expects 80% of customers to gain by coupon"),
        (None, "too_few", "Too few to tell whether 80% of customers are worth contacting"),
    ],
)
def test_whom_to_contact_in_one_sentence(effect, verdict, begins):
    said = words.persuadable(RATE, [ranking(group("persuadable", 0.8, effect, verdict))])
    assert said.startswith(begins)
    assert said.count(". ") == 0


def test_nobody_gains_enough_to_pay_for_a_contact():
    said = words.persuadable(RATE, [ranking(group("not_worth_it", 1.0, OPEN, "undecided"))])
    assert said == "Nobody is expected to gain enough by a contact to pay for it."


def test_money_is_told_in_its_currency():
    money = Words("money kept from purchase", "amount", "EUR")
    said, _ = words.leave_alone(money, [ranking(group("sleeping_dog", 0.1, Interval(-2.5, -4.0, -1.0), "lowered"))])
    assert "2.50 EUR" in said


def test_verdicts_of_groups_hold_for_all_actions_together():
    """A p of .02 shows harm where it stands alone, and nothing beside nine others."""
    one = group("sleeping_dog", 0.2, HARM, "undecided", p=0.02)
    alone = words.told(RATE, [ranking(one)], "m", "j", [])
    assert alone.rankings[0].groups[0].verdict == "lowered"
    assert alone.to_do is not None
    rest = [ranking(group("persuadable", 1.0, OPEN, "undecided", p=0.5), name=f"a{k}") for k in range(9)]
    among = words.told(RATE, [ranking(one), *rest], "m", "j", [])
    assert among.rankings[0].groups[0].verdict == "undecided"
    assert among.to_do is None


def test_what_is_not_known_says_why_in_both_answers():
    found = words.unknown("no model has been learned yet")
    assert "not known yet: no model has been learned yet." in found.leave_alone
    assert "not known yet: no model has been learned yet." in found.persuadable
    assert found.missing == "no model has been learned yet"


def test_a_group_of_a_few_is_not_nought_per_cent():
    assert [words._share(share) for share in (0.0001, 0.0006, 0.04, 0.12)] == ["less than 0.1%", "0.1%", "4.0%", "12%"]
