"""Sentences against the figures they speak of, for any figures."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.reports import experiment, wording
from training.reports.statistics import Sample
from training.reports.wording import Words

VISIT = Words("visit", "rate")
SPEND = Words("spend", "amount", "EUR")


def rate(n, hits):
    share = hits / n
    return Sample(n, share, share * (1 - share) * n / (n - 1))


rates = st.tuples(st.integers(2, 50_000), st.floats(0, 1)).map(lambda pair: rate(pair[0], round(pair[0] * pair[1])))
amounts = st.builds(Sample, n=st.integers(2, 50_000), mean=st.floats(-100, 5000), variance=st.floats(0, 1e6))
numbers = re.compile(r"[−+]?\d[\d,]*(?:\.\d+)?")


def read(text):
    return [float(found.replace("−", "-").replace(",", "")) for found in numbers.findall(text)]


@pytest.mark.parametrize(("words", "samples"), [(VISIT, rates), (SPEND, amounts)], ids=["rate", "amount"])
def test_the_sentence_says_what_the_figures_say(words, samples):
    @given(samples, samples)
    def holds(control, treated):
        found = experiment.outcome(words, "nothing", {"nothing": control, "mail": treated})
        (one,) = found.comparisons
        said = found.sentence
        if one.effect is None:
            assert said.startswith("Too few to tell")
            return
        shown = one.p_adjusted < 0.05
        assert ("No effect of mail" in said) == (not shown)
        assert (f"mail raised {words.name}" in said) == (shown and one.effect.difference > 0)
        assert (f"mail lowered {words.name}" in said) == (shown and one.effect.difference < 0)
        factor = 100 if words.kind == "rate" else 1
        width = (one.effect.high - one.effect.low) / 2 * factor
        low, high = read(said.split("likely between")[1])[:2]
        ends = sorted([one.effect.low * factor, one.effect.high * factor], key=abs if shown else None)
        if shown:
            ends = [abs(end) for end in ends]
            assert low > 0  # a shown effect never reads as if it might be nothing
        assert low == pytest.approx(ends[0], abs=width)
        assert high == pytest.approx(ends[1], abs=width)

    holds()


@given(st.lists(rates, min_size=2, max_size=6), rates)
def test_every_arm_is_in_the_headline_once_with_its_verdict(arms, control):
    samples = {"none": control} | {f"arm{i}": sample for i, sample in enumerate(arms)}
    found = experiment.outcome(VISIT, "none", samples)
    verdicts = [one.verdict for one in found.comparisons]
    if set(verdicts) == {"too_few"}:
        assert found.sentence.startswith("Too few to tell")
        return
    for name in samples:
        if name != "none":
            assert len(re.findall(rf"\b{name}\b", found.sentence)) == 1
    worked = {"raised", "lowered"} & set(verdicts)
    assert found.sentence.startswith("Nothing worked") == (not worked)
    assert ("raised visit" in found.sentence) == ("raised" in verdicts)
    assert ("lowered visit" in found.sentence) == ("lowered" in verdicts)


@pytest.mark.parametrize(
    ("value", "precision", "signed", "nonzero", "shown"),
    [
        (4.52331, 0.634, False, False, "4.5"),
        (-1234.5, 20, False, False, "−1,234"),
        (0.3, 0.7, True, False, "+0.3"),
        (0.0, 0.7, True, False, "0.0"),
        (-0.004, 0.7, False, False, "0.0"),
        (-0.004, 0.7, False, True, "−0.004"),
        (12.0, 0.0, False, False, "12"),
        (1e-9, 1.0, False, True, "0.000000001"),
    ],
)
def test_digits_follow_what_is_known(value, precision, signed, nonzero, shown):
    assert wording.number(value, precision, signed, nonzero) == shown


@pytest.mark.parametrize(
    ("low", "high", "signed", "shown"),
    [
        (-0.023, 0.00001, True, "−2.3 to 0.0"),  # zero lies inside: its digits tell nothing
        (0.00001, 0.023, True, "+0.001 to +2.300"),  # it does not: a shown effect never reads as nothing
        (-0.052, -0.0004, False, "−5.20 to −0.04"),
        (0.0388, 0.0515, False, "3.9 to 5.1"),
    ],
)
def test_both_ends_of_an_interval_have_the_same_digits(low, high, signed, shown):
    assert VISIT.span(low, high, signed=signed) == shown


@pytest.mark.parametrize(("low", "high", "shown"), [(0.04, 2.34, "0.04 to 2.34"), (-2.3, 0.001, "−2.3 to 0.0")])
def test_cents_are_shown_at_both_ends_or_at_none(low, high, shown):
    assert " to ".join(wording.ends(low, high, (high - low) / 10, money=low > 0)) == shown


@pytest.mark.parametrize(
    ("parts", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (list("abc"), "a, b and c")]
)
def test_lists_read_like_lists(parts, said):
    assert wording.listed(parts) == said


@pytest.mark.parametrize(
    ("p", "said"), [(1e-300, "billions of"), (0.0, "billions of"), (0.00024, "4,000"), (1e-7, "10,000,000")]
)
def test_odds_are_round_numbers(p, said):
    assert wording.odds(p) == said


def test_groups_are_named_inside_the_sentence():
    said = wording.ratio(False, 0.5, [("the holdout", 404, 0.05), ("Contacts", 7_170, 0.95), ("Mail B", 1, 0.0)])
    assert said.endswith("the holdout 404 (expected 379), contacts 7,170 (expected 7,196) and Mail B 1 (expected 0).")


def test_what_an_effect_means_for_a_thousand_customers():
    found = experiment.outcome(VISIT, "none", {"none": rate(21306, 2262), "mail": rate(21387, 3238)})
    assert found.comparisons[0].per_thousand == "That is about 45 more in every 1,000 customers (39 to 52)."
    money = experiment.outcome(SPEND, "none", {"none": Sample(9000, 2.0, 9.0), "mail": Sample(9000, 1.5, 9.0)})
    assert money.comparisons[0].per_thousand == "That is about 500 EUR less for every 1,000 customers (412 to 588)."
