"""Rows of one customer tell less than as many customers: intervals and tests against a rival and known truth."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api
from typer.testing import CliRunner
from uplift_tables import lines

from features.workspace import WorkspaceError
from training.reports import campaign as reports
from training.reports.uplift_targeting import campaign as whom
from training.uplift import curves, customers, errors, heterogeneity, nuisance, otherwise, propensity, regress
from training.uplift import fit as fitting
from training.uplift.commands import app
from training.uplift.learners import LEARNERS
from training.uplift.prepare import prepare


@pytest.fixture
def quickest(monkeypatch):
    for name in set(LEARNERS) - {"constant", "linear T"}:
        monkeypatch.delitem(LEARNERS, name)
    monkeypatch.setattr(nuisance, "expected", lines)


def crowd(seed, customers=500, most=12, effect=0.0, by_row=False):
    """Customers of one to `most` rows each, who buy as they like: half of them are mailed, or half of the rows."""
    dice = np.random.default_rng(seed)
    whose = np.repeat(np.arange(customers), dice.integers(1, most + 1, customers))
    likes, age = dice.normal(size=customers)[whose], dice.integers(18, 80, customers)[whose]
    mail = dice.integers(0, 2, len(whose)) if by_row else dice.permutation(np.arange(customers) % 2)[whose]
    chance = 1 / (1 + np.exp(1.0 - 1.5 * likes)) + effect * mail * (age > 50)
    buy = (dice.random(len(whose)) < chance).astype(int)
    return pd.DataFrame(
        {"customer_id": whose, "age": age, "day": dice.integers(0, 7, len(whose)), "mail": mail, "buy": buy}
    )


def fitted(frame, path, **options):
    frame.to_csv(path, index=False)
    found = prepare(path, "mail", "buy", **options)
    return found, fitting.fit(found).report


def figures(interval):
    return interval.value, interval.low, interval.high


def width(interval):
    return interval.high - interval.low


def test_errors_are_those_of_statsmodels():
    dice = np.random.default_rng(0)
    whose = dice.integers(0, 60, 500)
    x, y = dice.normal(size=500) + whose % 5, dice.normal(size=500) + whose % 7
    asked = {"cov_type": "cluster", "cov_kwds": {"groups": whose}}
    rival = statsmodels.api.OLS(y, np.ones(500)).fit(**asked)
    assert errors.of_mean(y, whose) == pytest.approx(rival.bse[0])
    assert errors.of_mean(y) == pytest.approx(scipy.stats.sem(y))
    slope, p = heterogeneity.best_linear_predictor(y, x, np.zeros(500, int), whose)
    rival = statsmodels.api.OLS(y, statsmodels.api.add_constant(x)).fit(**asked)
    assert slope.value == pytest.approx(rival.params[1])
    assert (slope.high - slope.low) / 2 == pytest.approx(1.96 * rival.bse[1], rel=0.1), "t at fewer than 60 degrees"
    assert p == pytest.approx(rival.pvalues[1] / 2, rel=0.2)
    assert errors.of_mean(y, np.zeros(500)) == float("inf"), "one customer tells nothing of others"


def test_rows_written_down_eight_times_say_as_much_as_once(tmp_path, quickest):
    once = crowd(1, customers=1000, most=1, effect=0.15).drop(columns="day")
    _, alone = fitted(once, tmp_path / "once.csv")
    found, again = fitted(
        pd.concat([once] * 8).assign(week=np.repeat(np.arange(8), 1000)), tmp_path / "again.csv", ignored=["week"]
    )
    mail, eight = alone.arms[0], again.arms[0]
    assert found.randomised
    assert any(note.startswith("customer_id has 1,000 different values in 8,000 rows") for note in found.notes)
    assert width(eight.effect) == pytest.approx(width(mail.effect), rel=0.05)
    assert width(eight.calibration_slope) == pytest.approx(width(mail.calibration_slope), rel=0.4)
    assert [width(one.effect) for one in eight.fifths] == pytest.approx(
        [width(one.effect) for one in mail.fifths], rel=0.25
    )
    assert width(eight.qini) == pytest.approx(width(mail.qini), rel=0.25)
    assert [width(one.value) for one in again.rules if one.share == 1] == pytest.approx([width(mail.effect)], rel=0.05)
    for name in ("targeted_over_best", "targeted_over_propensity_first"):
        assert width(getattr(again, name)) == pytest.approx(width(getattr(alone, name)), rel=0.4), name
    gains = [{one.learner: one.standard_error for one in each.losses}["linear T"] for each in (mail, eight)]
    assert gains[1] == pytest.approx(gains[0], rel=0.4)


def test_whether_chance_chose_goes_by_customers():
    """A few more of the old than chance would have mailed: of 400 customers that is luck, of 4,000 it were none."""
    dice = np.random.default_rng(5)
    age = dice.integers(18, 80, 400).astype(float)
    mail, whose = (dice.random(400) < 0.4 + 0.2 * (age > 50)).astype(int), np.arange(400)

    def p(times, customer):
        many = [np.tile(each, times) for each in (age[:, None].T, mail, whose)]
        return propensity.assignment(many[0].T, many[1], many[2] % 5, customer=many[2] if customer else None).p

    assert p(1, False) > 0.01
    assert p(10, True) > 0.01
    assert p(10, False) < propensity.ALARM / 10


def test_areas_are_drawn_by_customer():
    frame = pd.concat([crowd(3, customers=400, most=1)] * 10)
    score, treated = frame["age"].to_numpy(float), frame["mail"].to_numpy()
    asked = score, frame["buy"].to_numpy(float), treated
    by_row, by_customer = curves.qini_interval(*asked), curves.qini_interval(*asked, frame["customer_id"].to_numpy())
    once = curves.qini_interval(*(each[:400] for each in asked))
    assert width(by_customer) == pytest.approx(width(once), rel=0.2)
    assert width(by_row) < 0.5 * width(once)


def test_the_tables_report_says_that_it_counts_rows(tmp_path, quickest):
    path = tmp_path / "a.csv"
    for most, told in ((4, True), (1, False)):
        crowd(7, customers=300, most=most).to_csv(path, index=False)
        found = whom.added(reports.report(path, "mail", ["buy"]), path, "mail", ["buy"], None)
        assert (whom.SEVERAL in found.notes) == told
        said = f"{found.targeting.judged}"
        assert (" rows of " in said) == told, said


def test_a_customer_with_most_of_the_rows_makes_no_fifth_of_their_own(tmp_path, quickest):
    frame = crowd(6, customers=150, most=2, effect=0.2)
    busy = pd.DataFrame(
        {"customer_id": 999, "age": 79, "day": np.arange(600) % 7, "mail": 1, "buy": np.arange(600) % 2}
    )
    _, report = fitted(pd.concat([frame, busy]), tmp_path / "a.csv")
    assert all(np.isfinite(width(one.effect)) for one in [*report.arms[0].fifths, *report.arms[0].tenths])
    assert report.verdict != "target"


def test_a_group_of_few_customers_is_refused_whatever_its_rows(tmp_path):
    frame = crowd(4, customers=400)
    mailed = frame["customer_id"][frame["mail"] == 1].unique()
    few = frame[(frame["mail"] == 0) | frame["customer_id"].isin(mailed[:20])]
    path = tmp_path / "a.csv"
    few.to_csv(path, index=False)
    done = CliRunner().invoke(app, ["fit", "--data", str(path), "--treatment", "mail", "--outcome", "buy"])
    assert done.exit_code == 2
    said = " ".join(done.output.split())
    assert "at least 100 rows of 30 customers each" in said
    assert "'1' 167 of 20 customers, as 'customer_id' numbers them" in said
    third = pd.concat([frame, few[few["mail"] == 1].assign(mail=2, customer_id=few["customer_id"] + 5_000)])
    third.to_csv(path, index=False)
    found = prepare(path, "mail", "buy", "0")
    assert list(found.arms) == ["0", "1"], "the others are told of"
    assert "2: fewer than 100 rows of 30 customers, left out." in found.notes


def test_a_part_of_too_few_customers_teaches_nothing(tmp_path):
    frame = pd.concat([crowd(8, customers=80, most=2).assign(week=k) for k in range(30)])
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(WorkspaceError, match="of 30 customers and 20: raise --rows"):
        prepare(tmp_path / "a.csv", "mail", "buy", most=900)
    assert len(prepare(tmp_path / "a.csv", "mail", "buy").part) == len(frame)


@pytest.mark.parametrize("blank", ["NULL", " ", "n/a", ""])
def test_rows_of_nobody_are_no_one_customers(tmp_path, blank):
    frame = crowd(9, customers=2000, most=1)
    frame["customer_id"] = [f"c{each}" if each % 3 else blank for each in frame["customer_id"]]
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert prepare(tmp_path / "a.csv", "mail", "buy").sample.customer is None
    twice = pd.concat([frame, frame[frame["customer_id"] == "c1"]])
    assert len(np.unique(customers.numbered(twice["customer_id"]))) == 2000


def test_cases_are_customers_not_rows(tmp_path):
    """Two buyers a group with ten purchases each are two cases."""
    frame = pd.DataFrame({"customer_id": np.repeat(np.arange(300), 10)})
    frame["mail"], frame["age"] = frame["customer_id"] % 2, np.random.default_rng(0).integers(18, 80, len(frame))
    frame["buy"] = (frame["customer_id"] < 4).astype(int)
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert "2.0 cases would be expected" in prepare(tmp_path / "a.csv", "mail", "buy").too_few["1"]
    frame["buy"] = 1 - frame["buy"]
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert "2.0 cases without it would be expected" in prepare(tmp_path / "a.csv", "mail", "buy").too_few["1"]


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_what_nearly_everybody_did_now_and_then_is_not_too_common(tmp_path, rate):
    dice = np.random.default_rng(0)
    frame = pd.DataFrame({"customer_id": np.repeat(np.arange(200), 40)})
    frame["mail"], frame["age"] = frame["customer_id"] % 2, dice.integers(18, 80, len(frame))
    frame["buy"] = (dice.random(len(frame)) < rate).astype(int)
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert prepare(tmp_path / "a.csv", "mail", "buy").too_few == {}


def test_effects_among_customers_alike_hold_together_across_groups():
    """A customer's rows may lie on both sides of a gate, and a gate may be one customer's alone."""
    missed, tables = 0, 300
    for seed in range(tables):
        dice = np.random.default_rng(seed)
        whose = np.repeat(np.arange(200), 10)
        arm, gate = dice.integers(0, 2, 200)[whose], dice.random(2000) < 0.5
        value = dice.normal(size=200)[whose] + dice.normal(size=2000)
        effect = otherwise.among_alike([gate], arm, value, whose, ["0", "1"])["1"]
        missed += not effect.low <= 0 <= effect.high
        assert figures(effect) == pytest.approx(
            figures(otherwise.as_they_are(arm, value, whose, ["0", "1"])["1"]), abs=0.1
        )
    assert 3 <= missed <= 28  # of 300 at 5 %: p < .001 beyond
    alone = gate & ((arm == 1) | (whose == whose[arm == 0][0]))
    found = otherwise.among_alike([alone], arm, value, whose, ["0", "1"])["1"]
    assert np.isfinite(figures(found)).all()
    assert otherwise.among_alike([alone[alone]], arm[alone], value[alone], whose[alone], ["0", "1"]) == {}


def test_effects_among_customers_alike_of_a_row_each_are_the_usual_ones():
    dice = np.random.default_rng(1)
    arm, value = dice.integers(0, 2, 500), dice.normal(size=500)
    found = otherwise.as_they_are(arm, value, None, ["0", "1"])["1"]
    rival = scipy.stats.ttest_ind(value[arm == 1], value[arm == 0], equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((rival.low, rival.high), abs=0.002)
    by_customer = otherwise.as_they_are(arm, value, np.arange(500), ["0", "1"])["1"]
    assert figures(by_customer) == pytest.approx(figures(found), abs=0.001)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("by_row", [False, True])
def test_where_nothing_has_an_effect_one_interval_in_twenty_misses_it(tmp_path, quickest, monkeypatch, by_row):
    """By rows, where customers are mailed or not, three in ten do."""
    monkeypatch.setattr(regress, "ROUNDS", 5)
    for name in ("qini_interval", "auuc_interval"):  # what takes longest
        monkeypatch.setattr(fitting.curves, name, lambda *_: None)
    missed = shown = 0
    tables = 150
    for seed in range(tables):
        _, report = fitted(crowd(seed, by_row=by_row), tmp_path / "a.csv")
        mail = report.arms[0]
        missed += not mail.effect.low <= 0 <= mail.effect.high
        shown += mail.test_p < 0.05
        assert report.verdict != "target"
    for count in (missed, shown):
        assert scipy.stats.binomtest(count, tables, 0.05, "greater").pvalue > 0.01, (missed, shown)
