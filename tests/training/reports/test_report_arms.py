"""The impact experiment: who is in which arm, and that next best action is compared with each of them as assigned."""

from dataclasses import replace

import numpy as np
import pytest
from ghost_logs import START, decision, log_decisions, log_interactions, shop

from features.clock import DAY
from features.workspace import Workspace
from serving.decisions.arms import arms as arms_of
from serving.decisions.policy import load
from training.reports import experiment, keep
from training.reports.artefact import Rival
from training.reports.effects import Found
from training.reports.overview import job as overview
from training.reports.statistics import AlwaysValid, Effect, Sample
from training.reports.uplift import arms, holdout, job
from training.reports.uplift.log import Log

DAYS = 28
EXPERIMENT = """experiment:
  salt: spring
  arms:
    - {name: chance, share: 0.3, play: random_eligible}
    - {name: quiet, share: 0.2, play: nothing}
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    made = shop(tmp_path_factory.mktemp("arms") / "shop", 0.1)
    text = made.policy_file.read_text()
    assert "\nexperiment: null" in text
    made.policy_file.write_text(text.replace("\nexperiment: null", f"\n{EXPERIMENT}# "))
    return Workspace.open(made.folder)


@pytest.fixture(scope="module")
def world(workspace):
    """Next best action sells twice as often as chance; nobody in the quiet arm is contacted."""
    policy, rng = load(workspace).policy, np.random.default_rng(1)
    chances = {None: 0.5, "chance": 0.25, "quiet": 0.24}
    decisions, rows, counts = [], [("watcher", 60.0, "page_view", None)], {}
    for i in range(1500):
        name = f"c{i}"
        mine = arms_of(name, policy)
        arm = None if mine.experiment is None else mine.experiment.name
        made = decision(name, float(rng.integers(1, 5)), "winback", withheld=0.0)
        if arm == "quiet" or mine.holdout == "holdout":
            made |= {"intended": made["distribution"], "action": None, "treatment_channel": None}
        decisions.append(made | {"arm": mine.holdout, "experiment": arm})
        if mine.holdout == "treated":
            counts[arm] = counts.get(arm, 0) + 1
            if rng.random() < chances[arm]:
                rows.append((name, 10.0, "purchase", 10.0))
    early = decision("early", -3.0, "winback", withheld=0.0)  # before the experiment began
    log_decisions(workspace, [*decisions, early])
    log_interactions(workspace, rows)
    return counts


def test_customers_count_as_assigned_from_the_beginning_of_the_experiment(workspace, world):
    found = arms.report(Log.read(workspace), DAYS, 0.1)
    sizes = {arm.name: arm.customers for arm in found.assignment.arms}
    assert sizes == {arms.OURS: world[None], "chance": world["chance"], "quiet": world["quiet"]}
    assert not found.assignment.alarm
    assert found.since == "2024-01-02T00:00:00Z"


def test_next_best_action_is_compared_with_each_rival(workspace, world):
    found = arms.report(Log.read(workspace), DAYS, 0.1)
    assert [(rival.arm, rival.play) for rival in found.rivals] == [("chance", "random_eligible"), ("quiet", "nothing")]
    for rival, truth in zip(found.rivals, (0.25, 0.26), strict=True):
        goal = rival.found[0]
        assert goal.verdict == "raised"
        assert goal.effect.always.low <= truth <= goal.effect.always.high
        assert rival.sentence.startswith(f"Next best action beats {rival.title} on purchase within {DAYS} days: ")
        assert rival.found[2].verdict == "too_few"
        assert "Too few to tell next best action from" in rival.found[2].sentence
    assert found.headline == "Next best action beats random eligible and nothing at all."


def test_a_pair_is_planned_and_waited_for_by_its_own_customers(workspace, world, monkeypatch):
    seen, outcome = {}, experiment.outcome

    def watched(words, rival, *rest):
        seen[rival] = rest[-1]
        return outcome(words, rival, *rest)

    monkeypatch.setattr(experiment, "outcome", watched)
    log = Log.read(workspace)
    arms.report(replace(log, known_until=START + 25 * DAY), 7, 0.1)
    pairs = {rival: world[None] + world[rival] for rival in ("chance", "quiet")}
    assert seen == {rival: experiment.Ongoing(n, n / 4, 2) for rival, n in pairs.items()}


def test_the_uplift_report_holds_the_experiment(workspace, world):
    found = job.report(workspace)
    assert found.arms == arms.report(Log.read(workspace), DAYS, 0.1)
    assert any("impact experiment" in line for line in found.method)


def test_where_nobody_is_held_out_the_arm_with_nothing_at_all_tells_the_total(workspace, world, monkeypatch):
    monkeypatch.setattr(holdout, "assignment", lambda _: None)
    uplift = job.make(workspace)
    assert uplift.artefact.assignment is None
    told = next(rival.sentence for rival in uplift.artefact.arms.rivals if rival.play == "nothing")
    assert uplift.artefact.headline == told
    assert overview.report(workspace).headline.startswith("The total effect is not known yet")
    keep.write(workspace, uplift)
    assert overview.report(workspace).headline.startswith(told)


def test_a_rival_that_only_drives_more_customers_away_is_not_called_alike():
    def one(measure, verdict, better):
        return Found.model_construct(measure=measure, verdict=verdict, better=better)

    same, fewer = one("goal", "undecided", "more"), one("opt_out", "lowered", "less")
    rival = Rival.model_construct(title="propensity only", found=[same, same, fewer])
    assert arms._headline([rival]) == "Next best action causes fewer opt-outs than propensity only."


def test_why_an_interval_that_leaves_out_zero_shows_nothing_is_said():
    always = AlwaysValid(0.002, 0.118, 0.03)
    one = Found(
        measure="goal", name="purchase", kind="rate", better="more", control=Sample(500, 0.2, 0.16),
        treated=Sample(5000, 0.26, 0.19), effect=Effect(0.06, 0.02, 0.10, None, None, None, 0.003, always),
        p_adjusted=0.09, verdict="undecided", weeks=4.0, sentence="",
    )  # fmt: skip
    said = "Next best action is not shown to differ from random eligible on purchase: 26% against 20% (likely between "
    why = "its own interval leaves out zero, but with several arms compared one such result is no surprise"
    assert arms._sentence("random eligible", one) == f"{said}+0.2 and +11.8); {why}."
    open_ = one.model_copy(update={"effect": replace(one.effect, always=AlwaysValid(-0.01, 0.13, 0.1))})
    assert arms._sentence("random eligible", open_) == f"{said}−1 and +13); about 4 more weeks until we know."


def test_without_an_experiment_there_is_no_such_section(tmp_path):
    workspace = shop(tmp_path / "shop")
    log_decisions(workspace, [decision("c1", 1, "winback")])
    log_interactions(workspace, [("c1", 20, "purchase", 5.0)])
    assert arms.report(Log.read(workspace), DAYS, 0.1) is None
