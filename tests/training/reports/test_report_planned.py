"""Shares that a policy changed are expected, by the version that each decision names; a broken assignment rings."""

import numpy as np
import pytest
from ghost_logs import START, decision, log_decisions, log_interactions, shop

from features.clock import DAY
from features.workspace import Workspace
from serving.decisions import arms as arms_of
from serving.decisions import holdout as holdouts
from serving.decisions.policy import load
from training.reports.overview import job as overview
from training.reports.statistics import Known, Sample, sample_ratio, sample_ratios
from training.reports.uplift import arms, holdout, job, planned
from training.reports.uplift.log import Log

MANY = 2_500


def keep(workspace, version, text):
    """A version of the contact policy as the service keeps it."""
    folder = workspace.folder / "state" / "policies" / version
    folder.mkdir(parents=True)
    (folder / "contact_policy.yaml").write_text(text)


def held(workspace, share, salt="tactful"):
    return workspace.policy_file.read_text().replace(
        "holdout: {share: 0.1, salt: tactful", f"holdout: {{share: {share}, salt: {salt}"
    )


def rows(version, share, first, day, salt="tactful"):
    """A decision about each of MANY customers, held out as the policy says."""
    made = []
    for i in range(first, first + MANY):
        one = decision(f"c{i}", day + i / 1e6, "winback", withheld=0.0)
        arm = holdouts.arm(f"c{i}", salt, share)
        if arm == "holdout":
            one |= {"intended": one["distribution"], "action": None, "treatment_channel": None}
        made.append(one | {"arm": arm, "policy_version": version})
    return made


@pytest.fixture
def workspace(tmp_path):
    made = shop(tmp_path / "shop", 0.1)
    keep(made, "v1", held(made, 0.05))
    keep(made, "v2", held(made, 0.1))
    return made


def bought(made, chances, lift):
    """Purchases by customers of decisions, by version, `lift` more likely where they were not held out."""
    rng, found = np.random.default_rng(5), [("watcher", 90.0, "page_view", None)]
    for one in made:
        chance = chances[one["policy_version"]] + (lift if one["arm"] == "treated" else 0.0)
        if rng.random() < chance:
            found.append((one["customer_id"], (one["decided_at"] - START) / DAY + 3, "purchase", 10.0))
    return found


def test_a_share_raised_by_the_policy_is_no_mismatch_and_biases_nothing(workspace):
    """Customers of the second policy buy far more: unweighted, those held out would seem to be the better customers."""
    made = rows("v1", 0.05, 0, 1) + rows("v2", 0.1, MANY, 10)
    log_decisions(workspace, made)
    log_interactions(workspace, bought(made, {"v1": 0.1, "v2": 0.7}, 0.05))
    found = job.report(workspace)
    assert not found.alarm
    assert not overview.report(workspace).alarm
    arm = next(one for one in found.assignment.arms if one.name == holdout.CONTROL)
    assert arm.expected_share == pytest.approx(0.075)
    effect = found.outcomes[0].comparisons[0].effect
    assert effect.low < 0.05 < effect.high
    entered = holdout.entries(Log.read(workspace))
    assert entered.since is None
    later, held_out = entered.at >= START + 9 * DAY, entered.held_out
    assert later[held_out].mean() > 0.57  # of those held out, by what else differs: when they came
    standing = np.average(later[held_out], weights=entered.weight[held_out])
    assert standing == pytest.approx(later[~held_out].mean(), abs=0.03)
    assert any(note.startswith("The share held out changed (5% and 10%): ") for note in found.notes)


def test_a_holdout_that_loses_customers_under_one_policy_rings(workspace):
    made = rows("v1", 0.05, 0, 1) + rows("v2", 0.1, MANY, 10)
    lost = [
        one for i, one in enumerate(made) if not (one["arm"] == "holdout" and one["policy_version"] == "v2" and i % 3)
    ]
    log_decisions(workspace, lost)
    log_interactions(workspace, bought(made, {"v1": 0.3, "v2": 0.3}, 0.05))
    assert job.report(workspace).alarm
    assert overview.report(workspace).alarm


@pytest.mark.parametrize(("share", "salt"), [(0.3, "tactful"), (0.1, "autumn")])
def test_where_customers_were_let_go_the_comparison_begins_anew(workspace, share, salt):
    keep(workspace, "v0", held(workspace, share, salt))
    made = rows("v0", share, 0, 1, salt) + rows("v2", 0.1, 0, 20)
    log_decisions(workspace, made)
    log_interactions(workspace, bought(made[MANY:], {"v2": 0.3}, 0.05))
    found = job.report(workspace)
    assert not found.alarm
    assert (
        "The holdout as it is began on 2024-01-21: customers count from their first decision since then." in found.notes
    )
    entered = holdout.entries(Log.read(workspace))
    assert len(entered) == MANY
    assert entered.at.min() == START + 20 * DAY


def test_processes_that_take_a_larger_share_up_one_after_the_other_let_nobody_go():
    """Two of them, some seconds apart: decisions by both policies come in turns, and nothing begins anew."""
    turns = np.array([0.05, 0.05, 0.1, 0.05, 0.1, 0.1])
    at = (np.array([-20, 0, 1, 2, 3, 20]) * DAY / 86_400).astype(np.int64)
    at[[0, -1]] = -20 * DAY, 20 * DAY
    salt = np.full(len(at), "tactful", object)
    assert planned.let_go(turns, salt, at) is None
    assert planned.let_go(turns[::-1], salt, at) == at[4]
    assert planned.let_go(np.full(6, 0.1), np.array(["a", "a", "b", "a", "b", "b"], object), at) == at[4]


def test_a_time_without_a_holdout_does_not_count(workspace):
    keep(workspace, "none", held(workspace, 0.0))
    made = rows("none", 0.0, 0, 1) + rows("v2", 0.1, 0, 20)
    log_decisions(workspace, made)
    log_interactions(workspace, bought(made[MANY:], {"v2": 0.3}, 0.05))
    found = job.report(workspace)
    assert not found.alarm
    assert len(holdout.entries(Log.read(workspace))) == MANY


EXPERIMENT = "\nexperiment: {{salt: {salt}, arms: [{{name: chance, share: {share}, play: random_eligible}}]}}\n#"


def with_experiment(text, share, challenger=None, salt="spring"):
    text = text.replace("\nexperiment: null", EXPERIMENT.format(share=share, salt=salt))
    if challenger:
        assert "\nchallenger: null" in text
        text = text.replace("\nchallenger: null", f"\nchallenger: {{share: {challenger}}}\n#")
    return text


def in_arms(workspace, version, policy, first, day):
    made = []
    for i in range(first, first + MANY):
        mine = arms_of.arms(f"c{i}", policy)
        one = decision(f"c{i}", day + i / 1e6, "winback", withheld=0.0)
        made.append(one | {"arm": mine.holdout, "experiment": mine.experiment and mine.experiment.name,
                           "challenger": mine.challenger, "policy_version": version})  # fmt: skip
    return made


def test_arms_are_expected_as_the_policy_of_the_day_says(workspace):
    """First another experiment, then the present one, then with a challenger that takes half of who is in no arm."""
    text = workspace.policy_file.read_text()
    texts = {"a": with_experiment(text, 0.5, salt="winter"), "b": with_experiment(text, 0.3),
             "c": with_experiment(text, 0.3, 0.5)}  # fmt: skip
    made = []
    for k, (version, said) in enumerate(texts.items()):
        keep(workspace, version, said)
        workspace.policy_file.write_text(said)
        made += in_arms(workspace, version, load(Workspace.open(workspace.folder)).policy, MANY * k, 10 * k)
    workspace = Workspace.open(workspace.folder)
    log_decisions(workspace, made)
    log_interactions(workspace, [("watcher", 90.0, "page_view", None)])
    found = arms.report(Log.read(workspace), 28, 0.1)
    assert not found.assignment.alarm, found.assignment.sentence
    assert found.since.startswith("2024-01-11")
    assert found.assignment.arms[0].expected_share == pytest.approx((0.7 + 0.35) / (1 + 0.65), abs=0.01)
    broken = [one for i, one in enumerate(made) if not (one["experiment"] == "chance" and i % 3 == 0)]
    other = shop(workspace.folder.parent / "other", 0.1)
    for version, said in texts.items():
        keep(other, version, said)
    other.policy_file.write_text(texts["c"])
    other = Workspace.open(other.folder)
    log_decisions(other, broken)
    log_interactions(other, [("watcher", 90.0, "page_view", None)])
    assert arms.report(Log.read(other), 28, 0.1).assignment.alarm


def test_equal_weights_change_nothing():
    rng = np.random.default_rng(2)
    values, before, same = rng.gamma(1.0, 3.0, 60), rng.normal(size=60), np.full(60, 2.5)
    plain, weighed = Sample.of(values), Sample.weighted(values, same)
    assert (weighed.n, weighed.mean) == (60, pytest.approx(plain.mean))
    assert weighed.variance == pytest.approx(plain.variance, rel=1e-12)
    assert weighed.skew == pytest.approx(plain.skew, rel=0.03)
    known, again = Known.of(before, values), Known.weighted(before, values, same)
    assert vars(again) == pytest.approx(vars(known), rel=1e-12)
    assert Sample.weighted(values, None) == plain


def test_a_customer_counted_twice_is_two_in_the_mean_and_not_in_its_error():
    values = np.array([1.0, 2.0, 6.0, 8.0])
    found = Sample.weighted(values, np.array([2.0, 1.0, 1.0, 1.0]))
    assert found.mean == pytest.approx(18 / 5)
    off = values - found.mean
    error = np.sqrt(4 / 3 * (np.array([2.0, 1.0, 1.0, 1.0]) ** 2 / 25) @ off**2)
    assert np.sqrt(found.variance / found.n) == pytest.approx(error)


def test_each_time_counts_in_the_ratio_check():
    shares = np.array([[0.05, 0.95], [0.1, 0.9]])
    assert sample_ratios(np.array([[50, 950]]), shares[:1]) == sample_ratio([50, 950], [0.05, 0.95])
    assert sample_ratios(np.array([[50, 950], [100, 900]]), shares) == pytest.approx(1.0)
    assert sample_ratios(np.array([[90, 910], [60, 940]]), shares) < 1e-8  # as a whole it would fit
    assert sample_ratios(np.array([[1, 9], [2, 8]]), shares) == 1.0
