"""Any campaign table through `uplift fit`: what is read, what is concluded, what is refused, what is kept."""

import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner
from uplift_tables import lines, table

from features.workspace import Workspace, WorkspaceError
from training.evaluate import Interval
from training.reports.uplift_targeting import campaign
from training.tracking import Registry
from training.uplift import choose, nuisance, propensity, wording
from training.uplift import fit as fitting
from training.uplift.commands import app
from training.uplift.learners import LEARNERS
from training.uplift.model import Model
from training.uplift.prepare import prepare
from training.uplift.register import register
from training.uplift.report import RuleValue

SIMPLE = ("constant", "linear T", "doubly robust, linear", "additive T")


@pytest.fixture(scope="module")
def quick():
    """Without the learners that take longest: what is tested here holds for any list of learners."""
    with pytest.MonkeyPatch.context() as patched:
        for name in set(LEARNERS) - set(SIMPLE):
            patched.delitem(LEARNERS, name)
        yield


@pytest.fixture
def quickest(quick, monkeypatch):
    """With the two simplest, and lines behind the scores: for what does not depend on how well effects are told."""
    for name in SIMPLE[2:]:
        monkeypatch.delitem(LEARNERS, name)
    monkeypatch.setattr(nuisance, "expected", lines)


def run(made, path, cost=0.0, **options):
    return fitting.fit(prepare(made.write(path), "arm", "bought", **options), cost)


@pytest.fixture(scope="module")
def strong(tmp_path_factory, quick):
    """A third of the customers are harmed by the mail; read only."""
    made = table(3000, "strong", 1)
    return made, run(made, tmp_path_factory.mktemp("strong") / "a.csv")


def test_strong_heterogeneity_is_found_and_targeting_pays(strong):
    """Targeting leaves out who is harmed."""
    made, fitted = strong
    report = fitted.report
    assert (report.verdict, report.randomised) == ("target", True)
    assert report.headline.startswith("Target: contacting the ")
    rules = [one.model_copy(update={"share": 1.0}) if one.rule == "targeted by effect" else one for one in report.rules]
    everyone = wording.headline(report.model_copy(update={"rules": rules}))
    assert everyone.startswith("Target: giving each what moves them most brings +")
    assert report.targeted_over_best.low > 0
    mail = report.arms[0]
    assert mail.heterogeneity_shown
    assert mail.qini.low > 0
    assert 0.5 < mail.calibration_slope.value < 1.6
    assert mail.fifths[0].effect.value < 0 < mail.fifths[-1].effect.value
    assert report.left_out == {"customer_id": "looks like an identifier or free text"}
    assert report.inputs == ["age", "city", "joined", "visits"]
    assert np.corrcoef(fitted.model.effect(made.frame)["mail"], made.effect[:, 0])[0, 1] > 0.8
    assert report.budgets[-1].uplift.value == pytest.approx(mail.effect.value)
    assert report.budgets[4].uplift.value > report.budgets[4].random.value


def test_without_heterogeneity_all_or_none_are_treated(tmp_path, quick, monkeypatch):
    prepared = prepare(table(1500, "none", 2).write(tmp_path / "a.csv"), "arm", "bought")
    fitted = fitting.fit(prepared)
    everyone = fitted.report
    assert everyone.verdict == "treat all"
    assert "heterogeneity is not shown" in everyone.headline
    assert not everyone.arms[0].heterogeneity_shown
    # the cost changes nothing of what is learned
    monkeypatch.setattr(choose, "cross_fit", lambda *_, **__: fitted.crossed)
    monkeypatch.setattr(choose, "in_turn", lambda *_: fitted.in_turn[1])
    dear = fitting.fit(prepared, cost=0.3).report
    assert dear.verdict == "treat none"
    assert "treating them costs more than it brings" in dear.headline


def test_the_best_of_many_groups_needs_more_than_its_own_interval_to_be_called_a_gain():
    no_more, best = Interval(0.0, -1.0, 1.0), RuleValue(rule="all get mail", share=1.0, value=Interval(1.0, 0.1, 1.9))
    assert fitting._verdict(False, no_more, best, 1) == "treat all"
    assert fitting._verdict(False, no_more, best, 10) == "treat none"


@pytest.mark.slow
def test_several_arms_and_money(tmp_path, quick):
    made = table(4500, "strong", 3, arms=2, money=True)
    fitted = run(made, tmp_path / "a.csv")
    report = fitted.report
    assert report.outcome_kind == "amount"
    assert [one.arm for one in report.arms] == ["call", "mail"]
    assert report.arms[0].auuc is None  # defined for yes/no outcomes
    found = fitted.model.effect(made.frame)
    truth = {"mail": made.effect[:, 0], "call": made.effect[:, 1]}
    for one in report.arms:
        assert one.effect.low < truth[one.arm].mean() < one.effect.high
    # the effects of the two go opposite ways with age; money this heavy-tailed hides less than all of it
    assert np.corrcoef(found["mail"] - found["call"], truth["mail"] - truth["call"])[0, 1] > 0.5
    assert [one.rule for one in report.rules][:2] == ["all get call", "all get mail"]


def test_chosen_customers_are_noticed_and_corrected_for(tmp_path, quick, monkeypatch):
    """Frequent visitors were mailed, and buy more anyway: the plain difference is far off, the scores are not."""
    for name in SIMPLE[2:]:  # the mean effect is that of the scores, whatever learns from them
        monkeypatch.delitem(LEARNERS, name)
    made = table(4000, "none", 4, chosen=True)
    report = run(made, tmp_path / "a.csv").report
    frame = made.frame
    naive = frame.bought[frame.arm == "mail"].mean() - frame.bought[frame.arm == "none"].mean()
    assert naive > 0.095
    assert not report.randomised
    assert abs(report.arms[0].effect.value - 0.08) < abs(naive - 0.08)
    assert report.arms[0].effect.low < 0.08 < report.arms[0].effect.high
    assert report.arms[0].qini is None
    assert "visits" in report.inputs
    assert "unlike in visits alone, so this holds only if that was known before the assignment." in report.headline


def test_customers_who_could_only_be_in_one_group_are_left_out(tmp_path):
    made = table(3000, "none", 5, chosen=True)
    frame = made.frame
    sure = frame["age"] > 70
    frame.loc[sure, "arm"] = "mail"
    frame.loc[sure, "city"] = "Graz"
    frame.loc[~sure & (frame["city"] == "Graz"), "city"] = "Lyon"
    prepared = prepare(made.write(tmp_path / "a.csv"), "arm", "bought", inputs=["age", "visits", "city"])
    assert prepared.trimmed >= sure.sum() * 0.9
    assert sure[prepared.place].mean() < 0.2 * sure.mean()
    assert "all but sure to be in one group" in " ".join(prepared.notes)


def rare(path, seed=1, rate=0.05, **sizes):
    """Customers in groups of these sizes, of whom so many buy whatever is done."""
    dice, count = np.random.default_rng(seed), sum(sizes.values())
    arm, age = np.repeat(list(sizes), list(sizes.values())), dice.uniform(18, 80, count).round(2)
    frame = pd.DataFrame({"age": age, "arm": arm, "bought": (dice.random(count) < rate).astype(int)})
    frame.to_csv(path, index=False)
    return frame


def test_a_group_too_small_for_a_rare_outcome_is_not_told_of_and_the_others_are(tmp_path, quickest, monkeypatch):
    for name in ("qini_interval", "auuc_interval"):  # what takes longest
        monkeypatch.setattr(fitting.curves, name, lambda *_: None)
    frame = rare(tmp_path / "a.csv", none=500, mail=500, call=110)
    prepared = prepare(tmp_path / "a.csv", "arm", "bought", chances="shares")
    fitted = fitting.fit(prepared)
    report = fitted.report
    call, mail = report.arms
    assert (call.effect, call.fifths, call.heterogeneity_shown) == (None, [], False)
    assert call.sentence.startswith("Too few to tell whether call changed bought: the outcome is so rare that ")
    assert "cases would be expected in the smaller group, at least" in call.sentence
    assert report.headline.startswith("Treat none: no gain is shown (mail: ")
    assert report.headline.endswith("Too few customers to tell for call.")
    assert report.rules[0].rule == "all get mail"
    assert report.rules[0].value == mail.effect
    assert list(fitted.model.effect(frame)) == ["mail"]
    assert call.sentence in list(wording.lines(report))
    whom = campaign.of(prepared, fitted)
    assert [one.name for one in whom.rankings] == ["mail"]
    assert call.sentence in whom.notes


def test_a_holdout_too_small_for_a_rare_outcome_tells_nothing(tmp_path, quickest, monkeypatch):
    """Without a case in it, its interval would have hardly any width: one such campaign in five was told to treat all
    where nothing has an effect."""
    for name in ("qini_interval", "auuc_interval"):
        monkeypatch.setattr(fitting.curves, name, lambda *_: None)
    frame = rare(tmp_path / "a.csv", none=150, mail=1500, rate=0.03)
    asked = ["--data", str(tmp_path / "a.csv"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, ["fit", *asked, "--treatment", "arm", "--outcome", "bought"])
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["verdict"], report["rules"], report["targeted_over_best"]) == ("too few", [], None)
    assert report["headline"] == report["arms"][0]["sentence"]
    assert Model.read(tmp_path / "out").effect(frame) == {}
    scored = CliRunner().invoke(
        app, ["score", "--model", str(tmp_path / "out"), *asked[:3], str(tmp_path / "scores.csv")]
    )
    assert scored.exit_code == 2
    assert "tells no effect" in scored.output
    whom = campaign.targeting(lambda: prepare(tmp_path / "a.csv", "arm", "bought"))
    assert "too few to tell (mail: the outcome is so rare" in whom.model_dump_json()


def test_few_who_spend_most_of_it_tell_nothing_of_a_small_group(tmp_path, quickest):
    frame = rare(tmp_path / "a.csv", none=150, mail=1500)
    spent = frame["bought"] * np.random.default_rng(2).lognormal(3, 1.2, len(frame)).round(2)
    frame.assign(bought=spent).to_csv(tmp_path / "a.csv", index=False)
    prepared = prepare(tmp_path / "a.csv", "arm", "bought")
    assert "customers are needed in the smaller group, which has 150" in prepared.too_few["mail"]


def test_who_could_not_be_in_a_group_is_told_by_its_share():
    """Of two alike 5 %; of a small group nobody is probable."""
    chance = np.array([0.5, 0.06, 0.04])
    alike = propensity.Assignment(np.column_stack([1 - chance, chance]), False, 0.0, np.array([0.5, 0.5]))
    assert alike.overlapping.tolist() == [True, True, False]
    few = np.array([0.04, 0.005, 0.003, 0.92])
    small = propensity.Assignment(np.column_stack([1 - few, few]), False, 0.0, np.array([0.96, 0.04]))
    assert small.overlapping.tolist() == [True, True, False, False]


def test_a_small_group_that_few_could_have_been_in_does_not_stop_the_others_from_being_compared(tmp_path):
    frame = rare(tmp_path / "a.csv", rate=0.3, none=1500, mail=1500)
    old = np.flatnonzero(frame["age"] > 77)
    frame.loc[old, "arm"] = "call"
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert 100 < len(old) < 200
    prepared = prepare(tmp_path / "a.csv", "arm", "bought")
    assert (prepared.arms, prepared.trimmed) == (["none", "mail"], 0)
    assert "call: too few customers of other groups could have been in it, left out." in prepared.notes


def test_what_was_recorded_afterwards_is_left_out_and_confounders_are_not(tmp_path):
    made = table(3000, "strong", 6)
    frame = made.frame
    rng = np.random.default_rng(0)
    frame["spent"] = frame["bought"] * rng.gamma(2, 10, len(frame))
    frame["arm_code"] = frame["arm"].map({"none": 7, "mail": 9})
    frame["opened"] = np.where(frame["arm"] == "mail", rng.random(len(frame)) < 0.3, False)
    prepared = prepare(made.write(tmp_path / "a.csv"), "arm", "bought")
    assert prepared.left_out["spent"] == "is there only where the outcome is"
    assert prepared.left_out["arm_code"] == "says which group the customer was in"
    assert prepared.left_out["opened"] == "is there in one group only"
    assert [column.name for column in prepared.encoder.columns] == ["age", "city", "joined", "visits"]
    named = prepare(tmp_path / "a.csv", "arm", "bought", inputs=["age", "opened"], ignored=["age"])
    assert [column.name for column in named.encoder.columns] == ["opened"]
    confounded = prepare(table(3000, "none", 7, chosen=True).write(tmp_path / "b.csv"), "arm", "bought")
    assert "visits" not in confounded.left_out
    assert any(note.startswith("Beware: the groups differ in visits") for note in confounded.notes)


def test_parquet_gaps_labels_never_seen_and_odd_columns(tmp_path):
    made = table(1500, "strong", 8)
    frame = made.frame.assign(
        flag=made.frame["age"] > 40,
        same=1,
        tags=[["a", "b"]] * 1500,
        contact=[["a", "b"]] * 1500,  # named as if it told customers apart
        row=np.arange(1500),
        empty=None,
        note=[f"said {k}" for k in range(1500)],
        until=["9999-12-31", "2024-05-01", "2024-06-01"] * 500,  # for ever, as databases put it
        limit=[1.7e308, 1.0, 2.0] * 500,
    )
    frame.to_parquet(tmp_path / "a.parquet")
    prepared = prepare(tmp_path / "a.parquet", "arm", "bought")
    assert set(prepared.left_out) == {"same", "tags", "contact", "row", "empty", "note", "customer_id"}
    assert "visits is missing" in prepared.encoder.inputs
    later = frame.head(3).assign(
        city=["Oslo", None, "Turin"], visits=[None, "", "4"], joined="soon", flag=[True, None, 0]
    )
    assert {"until", "limit", "limit is missing"} <= set(prepared.encoder.inputs)
    frame.to_csv(tmp_path / "a.csv", index=False)  # the same customers as text
    read = pd.read_csv(tmp_path / "a.csv", dtype=str)
    np.testing.assert_allclose(prepared.encoder.transform(read), prepared.encoder.transform(frame))
    encoded = prepared.encoder.transform(later)
    assert np.isfinite(encoded).all()
    cities = [k for k, name in enumerate(prepared.encoder.inputs) if name.startswith("city=")]
    assert encoded[0, cities].sum() == encoded[1, cities].sum() == 0
    assert encoded[2, prepared.encoder.inputs.index("city=Turin")] == 1


def test_chosen_customers_are_told_of_though_chance_was_said_and_lost_outcomes_that_differ_by_group(tmp_path):
    made = table(1500, chosen=True)
    said = prepare(made.write(tmp_path / "a.csv"), "arm", "bought", chances="shares")
    assert said.randomised
    assert said.assignment_p < 0.001
    assert any(note.startswith("Beware") and "visits" in note for note in said.notes)
    even = table(1500)
    lost = np.random.default_rng(0).random(1500) < 0.1 * (even.frame["arm"] == "mail")
    even.frame["bought"] = even.frame["bought"].mask(lost)
    note = prepare(even.write(tmp_path / "b.csv"), "arm", "bought").notes[0]
    assert note.startswith(f"Beware: {lost.sum()} customers have no value in bought")
    assert "none 0.0%" in note


@pytest.mark.parametrize("digits", [str, int])
def test_customers_who_are_there_twice_are_warned_of_and_their_number_is_no_input(tmp_path, digits):
    made = table(400).frame
    again = made.assign(visits=made["visits"] + 1)
    twice = pd.concat([made, again]).assign(customer_id=[digits(k + 10**6) for k in range(400)] * 2)
    twice.to_parquet(tmp_path / "a.parquet")
    prepared = prepare(tmp_path / "a.parquet", "arm", "bought")
    assert prepared.left_out["customer_id"].startswith("looks like an identifier")
    assert any("customer_id has 400 different values in 800 rows" in note for note in prepared.notes)
    made.to_parquet(tmp_path / "b.parquet")
    assert prepare(tmp_path / "b.parquet", "arm", "bought").notes == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.head(150), "at least 100 customers each; 'arm' has 'mail'"),
        (lambda f: f.assign(bought=0), "'bought' is 0 for all but 0 customers"),
        (lambda f: f.assign(bought=3.5), "'bought' is 3.5 for every customer"),
        (lambda f: f.assign(bought=2 - f.bought), "just two numbers, 1 and 2, and neither says that it means yes"),
        (lambda f: f.assign(arm="mail"), "just one value"),
        (lambda f: f.assign(bought=f.bought + 1e200 * f.index), "no amount of anything"),
        (lambda f: f[["arm", "bought"]], "it has no other column"),
        (lambda f: f[["customer_id", "arm", "bought"]], "customer_id: looks like an identifier"),
        (lambda f: f.assign(bought="lots"), "not a number"),
        (lambda f: f.assign(arm=f.arm.map({"none": "A", "mail": "B"})), "Say it with --control"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, change, says):
    change(table(400).frame).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(WorkspaceError, match=says) as caught:
        prepare(tmp_path / "a.csv", "arm", "bought")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "a.csv"))


def test_columns_that_are_not_there_are_named(tmp_path):
    path = table(400).write(tmp_path / "a.csv")
    with pytest.raises(WorkspaceError, match="no column 'colour' to use; the columns are: customer_id, age"):
        prepare(path, "arm", "bought", inputs=["colour"])


def test_the_commands_write_a_model_that_scores(tmp_path, quickest):
    made = table(1000, "strong", 9)
    path, out = made.write(tmp_path / "a.csv"), tmp_path / "out"
    asked = ["fit", "--data", str(path), "--treatment", "arm", "--outcome", "bought", "--out", str(out)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert json.loads((out / "report.json").read_text())["headline"] in done.output
    with gzip.open(tmp_path / "new.csv.gz", "wt") as file:
        made.frame.drop(columns=["arm", "bought"]).to_csv(file, index=False)
    expected = Model.read(out).effect(made.frame)["mail"]
    for name, read in {"s.csv": pd.read_csv, "s.csv.gz": pd.read_csv, "s.parquet": pd.read_parquet}.items():
        scores = tmp_path / name
        asked = ["score", "--model", str(out), "--data", str(tmp_path / "new.csv.gz"), "--out", str(scores)]
        scored = CliRunner().invoke(app, asked)
        assert scored.exit_code == 0, scored.output
        assert read(scores)["mail"].to_numpy() == pytest.approx(expected, abs=1e-9)
        assert read(scores)["row"].tolist() == list(range(1000))


@pytest.mark.slow
def test_a_registered_model_can_be_fetched_by_its_version(tmp_path, empty_workspace, quickest):
    import mlflow

    folder = tmp_path / "shop"
    shutil.copytree(empty_workspace.folder, folder)
    workspace, made = Workspace.open(folder), table(1000, "strong", 9)
    made.frame["arm"] = made.frame["arm"].replace("mail", "10% off")  # no name that MLflow would take
    fitted = run(made, tmp_path / "a.csv")
    assert register(workspace, "spring", fitted) == "1"
    assert register(workspace, "spring", fitted) == "2"
    registry = Registry(workspace)
    figures = registry.metrics(registry.versions("uplift-spring")[-1])
    assert figures["effect_1"] == pytest.approx(fitted.report.arms[0].effect.value)
    local = mlflow.artifacts.download_artifacts("models:/uplift-spring/2", tracking_uri=registry.uri)
    found = Model.read(tmp_path / local).effect(made.frame)["10% off"]
    assert found == pytest.approx(fitted.model.effect(made.frame)["10% off"])


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["fit", "--data", "no.csv", "--treatment", "a", "--outcome", "b"], "no such file"),
        (["fit", "--data", "a.csv", "--treatment", "arm", "--outcome", "bought", "--propensity", "x"], "choose auto"),
        (["fit", "--data", "a.csv", "--treatment", "arm", "--outcome", "bought", "--out", "a.csv"], "name a folder"),
        (["fit", "--data", "a.csv", "--treatment", "arm", "--outcome", "bought", "--cost", "nan"], "a finite amount"),
        (
            ["fit", "--data", "a.csv", "--treatment", "arm", "--outcome", "bought", "--register", "a/b"],
            "letters, digits",
        ),
        (["score", "--model", "nowhere", "--data", "a.csv", "--out", "a.csv"], "is the table itself"),
        (["score", "--model", "nowhere", "--data", "a.csv", "--out", "s.xlsx"], "ends in .csv, .csv.gz or .parquet"),
        (["score", "--model", "nowhere", "--data", "a.csv", "--out", "s.csv"], "`tactful uplift fit` writes it"),
        (["score", "--model", "a.csv", "--data", "a.csv", "--out", "s.csv"], "is no model of effects"),
    ],
)
def test_a_wrong_call_gets_one_line_and_exit_code_2(tmp_path, monkeypatch, asked, says):
    monkeypatch.chdir(tmp_path)
    table(300).write(tmp_path / "a.csv")
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 2
    assert says in done.output
    assert "Traceback" not in done.output


def test_a_table_without_the_models_columns_is_refused(strong):
    made, fitted = strong
    with pytest.raises(WorkspaceError, match="the table lacks 'age'"):
        fitted.model.effect(made.frame.drop(columns=["age"]))


@pytest.mark.slow
def test_the_same_data_give_the_same_report(tmp_path, quick):
    made = table(400, "weak", 10)
    first, second = (run(made, tmp_path / "a.csv").report for _ in range(2))
    assert first.model_copy(update={"created_at": ""}) == second.model_copy(update={"created_at": ""})


def test_a_loss_is_written_with_a_true_minus_sign():
    assert wording.amount(Interval(-0.004, -0.012, 0.004), rate=True) == "−0.4 (−1.2 to 0.4) percentage points"
    assert wording.amount(Interval(-0.5, -0.5, -0.5), rate=False) == "−0.5"
