"""Touchpoints: known effects are found, differences that were there before are not called effects, sentences agree."""

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from touchpoint_logs import START, log
from typer.testing import CliRunner

import tactful
from features.clock import DAY
from features.history import History, conform
from features.scaffold import init_workspace
from features.workspace import Workspace, WorkspaceError
from training.reports.touchpoints import adjusted, doing, job, wording
from training.reports.touchpoints.artefact import Effect, Line
from training.reports.touchpoints.job import report
from training.reports.touchpoints.panel import EXPOSURE, Came, Panel
from training.reports.touchpoints.trail import Trail

TRUE = -0.2


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return report(log(tmp_path_factory.mktemp("hurts"), TRUE)).artefact


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    return report(log(tmp_path_factory.mktemp("nothing"), 0.0)).artefact


def line(artefact, name):
    return next(one for one in artefact.touchpoints if one.name == name)


@pytest.mark.parametrize("name", ["call by phone", "topic billing"])
def test_a_known_effect_lies_in_its_interval(found, name):
    effect = line(found, name).effects["satisfaction"]
    assert effect.verdict == "worse"
    assert effect.low < TRUE < effect.high
    assert effect.high - effect.low < 0.06
    assert effect.back_low < 0 < effect.back_high
    assert effect.e_value > 3
    assert line(found, name).quadrants["satisfaction"] == "improve"


def test_what_only_goes_with_being_keen_is_no_effect(found):
    effect = line(found, "page view on the web").effects["satisfaction"]
    assert effect.verdict in ("undecided", "differed_before")


def test_the_goal_is_no_touchpoint_for_what_it_is_made_of(found):
    assert set(line(found, "purchase in the store").effects) == {"satisfaction"}


def test_the_headline_says_what_to_improve_with_the_figures_behind_it(found):
    measured = found.outcomes[0]
    assert measured.improve in ("call by phone", "topic billing")
    assert found.headline == measured.sentence
    first = line(found, measured.improve)
    effect, rated = first.effects["satisfaction"], first.satisfaction
    assert found.headline == (
        f"Improve {first.name} first: customers who had it were {-100 * effect.estimate:.1f} percentage points less"
        f" satisfied (likely between {-100 * effect.high:.1f} and {-100 * effect.low:.1f}) than customers alike who had"
        f" not, and gave {100 * rated.value:.1f}% of the best rating soon after it against"
        f" {100 * found.average_satisfaction:.1f}% on average; this is what goes together, not proof of cause."
    )


def test_where_nothing_matters_the_headline_says_so(nothing):
    assert line(nothing, "topic billing").effects["satisfaction"].verdict == "undecided"
    tested = sum(one.effects["satisfaction"].verdict != "too_few" for one in nothing.touchpoints)
    assert nothing.outcomes[0].improve is None
    expected = f"None of {tested} touchpoints is shown to matter for satisfaction; nothing has to be improved first."
    assert nothing.outcomes[0].sentence == expected


@pytest.mark.slow
def test_without_ratings_churn_and_value_are_told(tmp_path):
    artefact = report(log(tmp_path, 0.0, customers=80, rated=False)).artefact
    assert [one.outcome for one in artefact.outcomes] == ["churn", "value"]
    assert artefact.performance == "trouble"
    assert "Too few customers rate anything to say what satisfaction goes with." in artefact.notes
    assert all(one.satisfaction is None for one in artefact.touchpoints)


def test_one_touchpoint_is_no_plural():
    only = Effect(verdict="undecided", exposed=50, rows=90, estimate=0.1, low=-0.1, high=0.3)
    line = Line(name="a", interactions=60, customers=50, effects={"churn": only}, quadrants={"churn": "fine"})
    told = wording.measured("churn", [line], None, None, "USD")
    assert told.startswith("The one touchpoint that can be compared is not shown to matter for whether customers leave")


def test_an_empty_history_is_an_error(tmp_path):
    with pytest.raises(WorkspaceError, match="no interactions to report on"):
        report(init_workspace(tmp_path / "shop", {"tactful.yaml": ""}))


@pytest.mark.parametrize("type_", ["survey", "page_view"])
def test_a_log_of_next_to_nothing_tells_nothing(tmp_path, type_):
    workspace = init_workspace(tmp_path / "shop", {"tactful.yaml": ""})
    many = 150 if type_ == "survey" else 1
    days = [START + 2 * (k + 1) * DAY for k in range(many)]
    table = pa.table(
        {
            "customer_id": [f"c{k % 9}" for k in range(many)],
            "interaction_id": [f"i{k}" for k in range(many)],
            "occurred_at": pa.array(days, pa.timestamp("us", tz="UTC")),
            "channel": ["email"] * many,
            "type": [type_] * many,
            "satisfaction": [0.5] * many,
        }
    )
    History(workspace).append(conform(table), "test")
    artefact = report(workspace).artefact
    assert artefact.headline.startswith("Too few to tell which touchpoint")
    assert len(artefact.touchpoints) == (type_ == "page_view")


def test_sensitive_topics_are_not_even_named(tmp_path):
    workspace = log(tmp_path, -0.3, customers=40)
    settings = workspace.folder / "tactful.yaml"
    settings.write_text(settings.read_text() + "\nsensitive_topics: [' Billing']\n")
    names = {each.name for each in Trail.read(Workspace.open(workspace.folder)).touchpoints(["purchase"])}
    assert names == {"page view on the web", "purchase in the store"}


def trail(rows):
    """Of (customer, day, satisfaction), customers a few."""
    rows = sorted(rows, key=lambda row: row[:2])
    column = [np.array(values) for values in zip(*rows, strict=True)]
    return Trail(
        np.array(["a", "b", "c"], object),
        [("web", "inbound", "look", None), ("web", "inbound", "complaint", None)],
        column[0],
        (column[1] * DAY).astype(np.int64) + 1,
        (np.arange(len(rows)) % 2).astype(np.int32),
        np.full(len(rows), np.nan),
        column[2].astype(float),
        10_000 * DAY,
    )


rated_rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 60), st.sampled_from([0.0, 0.5, 1.0, np.nan])), min_size=1, max_size=30
)


@settings(max_examples=150, deadline=None)
@given(rated_rows, st.integers(0, 2), st.integers(0, 70), st.integers(0, 30))
def test_windows_hold_what_a_loop_finds_there(rows, who, day, length):
    found = trail(rows)
    marked = found.code == 1
    asked = np.array([who]), np.array([day * DAY]), np.array([(day + length) * DAY])
    expected = any(
        c == who and day * DAY <= at < (day + length) * DAY
        for c, at, mark in zip(found.customer, found.at, marked, strict=True)
        if mark
    )
    assert found.within(marked, *asked).tolist() == [expected]


@settings(max_examples=150, deadline=None)
@given(rated_rows)
def test_the_next_rating_and_trouble_are_those_a_loop_finds(rows):
    found = trail(rows)
    told = doing.ratings(found)
    for i in range(len(found.at)):
        later = [
            j for j in range(i + 1, len(found.at))
            if found.customer[j] == found.customer[i] and not np.isnan(found.satisfaction[j])
        ]  # fmt: skip
        soon = later and found.at[later[0]] - found.at[i] <= doing.RATED_AFTER
        np.testing.assert_equal(told[i], found.satisfaction[later[0]] if soon else np.nan)


def panel(draw, effect, customers=150, each=4):
    """Exposure and outcome both follow what is known, and each row's outcome its customer's own luck."""
    cluster = np.repeat(np.arange(customers), each)
    x = draw.normal(size=(len(cluster), 6))
    luck = draw.normal(size=customers)[cluster]
    exposed = draw.random(len(cluster)) < 1 / (1 + np.exp(-x[:, 0] + 0.5 * x[:, 1]))
    y = effect * exposed + 0.8 * x[:, 0] + 0.3 * x[:, 2] + 0.5 * luck + draw.normal(size=len(cluster))
    return x, y, exposed, cluster


def estimate(draw, effect):
    x, y, exposed, cluster = panel(draw, effect)
    left = adjusted.residuals(adjusted.prepared(x), np.column_stack([y, exposed.astype(float)]), cluster)
    return adjusted.slope(left[:, 0], left[:, 1], exposed, cluster), y, exposed


@pytest.mark.parametrize(("rate", "customers"), [(0.02, 60), (0.005, 200), (0.3, 100)])
def test_intervals_of_trouble_hold_the_truth_also_where_it_is_rare(rate, customers):
    draw, who = np.random.default_rng(6), np.repeat(np.arange(customers), 2)
    shares = [doing.share((draw.random(len(who)) < rate).astype(float), who) for _ in range(400)]
    assert sum(one.low <= rate <= one.high for one in shares) >= 0.9 * len(shares)
    assert all(one.low < one.high for one in shares)  # nobody met trouble: still no certainty


def test_adjusting_removes_what_a_bare_comparison_gets_wrong():
    draw = np.random.default_rng(3)
    bare, found = [], []
    for _ in range(20):
        slope, y, exposed = estimate(draw, 0.5)
        bare.append(y[exposed].mean() - y[~exposed].mean())
        found.append(slope.estimate)
    assert abs(np.mean(found) - 0.5) < 0.06
    assert np.mean(bare) > 0.8


@pytest.mark.slow
def test_intervals_cover_the_truth_and_chance_alone_is_seldom_called_an_effect():
    draw = np.random.default_rng(11)
    runs, held, alarms = 600, 0, 0
    for _ in range(runs):
        low, high = estimate(draw, 0.4)[0].ends(0.95)
        held += low < 0.4 < high
        alarms += estimate(draw, 0.0)[0].p < 0.05
    assert scipy.stats.binomtest(held, runs, 0.95).pvalue > 0.001, held
    assert scipy.stats.binomtest(alarms, runs, 0.05).pvalue > 0.001, alarms


def told(draw, outcome, exposed, effect=0.0, customers=2000, touchpoints=20, each=4):
    """A report's effects: money of which few customers spend most, or a rare case; each touchpoint by lot."""
    who = np.repeat(np.arange(customers), each)
    spent = draw.lognormal(3, 1, customers)[who] * draw.lognormal(0, 0.5, len(who)) * (draw.random(len(who)) < 0.3)
    y = spent if outcome == "value" else (draw.random(len(who)) < 0.05).astype(float)
    had = np.zeros((len(who), touchpoints), bool)
    for j in range(touchpoints):
        had[draw.choice(customers, exposed, replace=False) * each + draw.integers(0, each, exposed), j] = True
    y = y + effect * y.std() * had[:, 0]
    panel = Panel(who, np.zeros(len(who)), np.zeros(len(who)), (Came(outcome, y, outcome),))
    now = job._slopes(draw.normal(size=(len(who), 3)), y[:, None], had, who)[0]
    return job._effects(panel.outcomes[0], panel, had, now, [None] * touchpoints, [False] * touchpoints)


@pytest.mark.parametrize(
    ("outcome", "exposed", "why"),
    [
        ("value", 30, r"a few customers make up so much of it that about \d,?\d+ who had it are needed, 30 are there"),
        ("churn", 150, r"so few customers leave that about \d,?\d+ who had it are needed, 150 are there"),
    ],
)
def test_what_few_customers_make_up_is_too_few_to_tell_and_how_many_are_needed_is_said(outcome, exposed, why):
    found = told(np.random.default_rng(2), outcome, exposed)
    assert all(one.verdict == "too_few" and re.fullmatch(why, one.reason) for one in found)


@pytest.mark.parametrize("outcome", ["value", "churn"])
def test_with_thousands_who_had_it_a_skewed_outcome_is_told(outcome):
    found = told(np.random.default_rng(3), outcome, 2500, effect=0.2, customers=6000, touchpoints=2)
    assert [one.verdict for one in found] == ["worse" if outcome == "churn" else "better", "undecided"]


@pytest.mark.slow
@pytest.mark.parametrize(("outcome", "exposed"), [("value", 1200), ("churn", 400)])
def test_few_reports_on_skewed_outcomes_find_what_is_not_there(outcome, exposed):
    draw = np.random.default_rng(4)
    reports = [told(draw, outcome, exposed) for _ in range(100)]
    shown = [one for each in reports for one in each if one.verdict != "too_few"]
    assert len(shown) > 500
    assert sum(any(one.verdict in ("better", "worse") for one in each) for each in reports) <= 12
    held = sum(one.low < 0 < one.high for one in shown)
    assert 0.93 < held / len(shown) < 0.97


def test_a_slope_is_drawn_as_skewed_as_it_says():
    draw, who = np.random.default_rng(5), np.repeat(np.arange(400), 3)
    exposed = who < 40
    exposure = exposed - exposed.mean()
    outcome = draw.exponential(size=(400, 4000))[who]  # each customer's own luck
    drawn = exposure @ outcome
    said = adjusted.slope(outcome[:, 0], exposure, exposed, who)
    assert said.customers == 40
    told = np.mean([adjusted.slope(y, exposure, exposed, who).skew for y in outcome.T[:100]])
    assert told == pytest.approx(scipy.stats.skew(drawn), 0.2)
    lot = exposure - draw.permutation(exposure)  # as many each way
    assert adjusted.drawn_skew(outcome[:, 0], lot) < 0.1 * adjusted.drawn_skew(outcome[:, 0], exposure)


def test_the_fewer_customers_had_it_the_wider_the_interval():
    ends = [adjusted.Slope(1.0, 0.5, n, 900, n, 0.0) for n in (30, 3000)]
    assert ends[0].ends(0.95) == pytest.approx((1 - 2.045 * 0.5, 1 + 2.045 * 0.5), abs=1e-3)
    assert ends[1].ends(0.95) == pytest.approx((1 - 1.961 * 0.5, 1 + 1.961 * 0.5), abs=1e-3)
    assert ends[0].p > ends[1].p


def test_a_look_back_that_is_too_skewed_decides_nothing():
    found = adjusted.Slope(1.0, 0.1, 900, 9000, 900, 0.1)
    came = Came("value", np.arange(9.0), "money")
    back = adjusted.Slope(1.0, 0.1, 40, 9000, 40, 0.2)
    assert job._effect(came, found, 0.001, back).verdict == "differed_before"
    skewed = job._effect(came, found, 0.001, replace(back, skew=0.3))
    assert (skewed.verdict, skewed.back) == ("better", None)


@pytest.mark.parametrize("low", [0.1, 0.5, 1.0])
def test_the_e_value_is_the_published_formula(low):
    ratio = np.exp(0.91 * low)
    assert adjusted.e_value(low, low + 1, 1.0) == pytest.approx(ratio + np.sqrt(ratio * (ratio - 1)))
    assert adjusted.e_value(-low - 1, -low, 1.0) == adjusted.e_value(low, low + 1, 1.0)
    assert adjusted.e_value(-low, low, 1.0) == 1.0


def test_columns_that_say_nothing_are_left_out_and_what_is_missing_is_said():
    values = np.column_stack([np.arange(4.0), np.full(4, 7.0), np.full(4, np.nan), [1.0, np.nan, 3.0, np.nan]])
    assert adjusted.prepared(values).shape == (4, 3)
    np.testing.assert_allclose(adjusted.prepared(values).std(0), 1.0)


@pytest.mark.parametrize(
    ("outcome", "low", "high", "told"),
    [
        ("churn", 0.04, 0.16, "left more often by 10 percentage points (likely between 4 and 16)"),
        ("churn", -0.16, -0.04, "left less often by 10 percentage points (likely between 4 and 16)"),
        ("value", -8.0, -2.0, "spent 5.00 USD less (likely between 2.00 and 8.00)"),
        (
            "satisfaction",
            0.02,
            0.06,
            "were 4.0 percentage points more satisfied (likely between 2.0 and 6.0)",
        ),
    ],
)
def test_an_effect_in_words(outcome, low, high, told):
    found = Effect(verdict="worse", exposed=50, rows=500, estimate=(low + high) / 2, low=low, high=high)
    assert wording.effect(outcome, found, "USD") == told


def test_too_few_everywhere_is_said():
    few = Effect(verdict="too_few", reason="3 customers had it, at least 30 are needed", exposed=3, rows=9)
    only = Line(
        name="call by phone", interactions=3, customers=3, effects={"churn": few}, quadrants={"churn": "unclear"}
    )
    assert wording.measured("churn", [only], None, None, "USD") == (
        "Too few to tell which touchpoint matters for whether customers leave: of call by phone, 3 customers had it, at"
        " least 30 are needed."
    )
    assert wording.headline([]).startswith("Too few to tell which touchpoints matter")
    assert EXPOSURE == 28 * DAY


@pytest.mark.parametrize(
    ("quadrant", "why"),
    [("keep", "we do no worse there than elsewhere"), ("unclear", "how well we do there is not known")],
)
@pytest.mark.parametrize("others", [[], ["better"]])
def test_what_hurts_is_named_also_where_nothing_is_to_be_improved(quadrant, why, others):
    def one(verdict, quadrant, sign):
        ends = sorted((sign * 0.02, sign * 0.06))
        effect = Effect(verdict=verdict, exposed=50, rows=500, estimate=sign * 0.04, low=ends[0], high=ends[1])
        return Line(name=verdict, interactions=50, customers=50, effects={"satisfaction": effect},
                    quadrants={"satisfaction": quadrant})  # fmt: skip

    lines = [one("worse", quadrant, -1), *(one(verdict, "fine", 1) for verdict in others)]
    assert wording.measured("satisfaction", lines, None, 0.7, "USD") == (
        "No touchpoint is to be improved first: customers who had worse were 4.0 percentage points less satisfied "
        f"(likely between 2.0 and 6.0) than customers alike who had not, but {why}; {wording.ASSOCIATED}."
    )


@pytest.mark.slow
def test_in_the_simulated_market_incidents_and_contacts_hurt_and_looking_around_does_not(tmp_path):
    """There dissatisfaction comes from incidents (cases about delivery and orders) and from contacts, nothing else."""
    run = CliRunner().invoke
    asked = ["--customers", "4000", "--days", "270", "--policy", "random", "--every", "7", "--rate", "0.3"]
    made = run(tactful.app, ["simulate", str(tmp_path / "market"), *asked])
    assert made.exit_code == 0, made.output
    workspace = init_workspace(tmp_path / "shop", {"tactful.yaml": ""})
    files = sorted(str(path) for path in (tmp_path / "market" / "interactions").glob("*.parquet"))
    assert run(tactful.app, ["ingest", *files, "--workspace", str(workspace.folder)]).exit_code == 0
    artefact = report(workspace).artefact
    verdicts = {one.name: one.effects["satisfaction"].verdict for one in artefact.touchpoints}
    for name in ("topic delivery", "case closed by phone", "contact by phone"):
        assert verdicts[name] == "worse", name
    looks = [name for name in verdicts if name.startswith(("page view", "visit", "ad click", "add to cart"))]
    assert len(looks) >= 5
    shown = [name for name in looks if verdicts[name] in ("better", "worse")]
    assert len(shown) <= 1  # who looks around more on a channel is contacted on it more: traits that no log tells
    for name in looks:
        effect = line(artefact, name).effects["satisfaction"]
        assert effect.estimate is None or abs(effect.estimate) < 0.05
    assert line(artefact, "topic delivery").effects["satisfaction"].high < -0.1
    assert artefact.outcomes[0].improve is not None
