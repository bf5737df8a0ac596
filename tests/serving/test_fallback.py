"""What the policy states in place of a model: a service that has none decides by it, and says so."""

import asyncio

import nudge_world
import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from features.workspace import WorkspaceError
from serving import batch_score, client
from serving.batch_decide import Runner
from serving.batch_decide.beside import Said
from serving.commands import app
from serving.decisions.policy import ContactPolicy
from serving.decisions.request import Request
from serving.engine import Engine
from serving.policy_try import explained
from serving.problems import Problem
from serving.schemas import DecideRequest, ScoreRequest

ACTIONS = """
actions:
  - {name: stay, issue: sales, group: g, channels: [email], value: 50, suitable: "scores.churn > 0.05"}
  - {name: gone, issue: sales, group: g, channels: [email], value: 90, suitable: "scores.churn > 0.5"}
"""
FALLBACK = "fallback: {propensity: 0.5, churn: 0.1}"


@pytest.fixture
def opened(tmp_path):
    def make(fallback=FALLBACK):
        folder = tmp_path / "shop"
        said = nudge_world.POLICY.replace("fallback: {propensity: 0.5}", fallback)
        found = nudge_world.workspace(folder, said)
        (folder / "actions.yaml").write_text(ACTIONS)
        engine = Engine.open(found)
        engine.clock = nudge_world.Now()
        engine.warm()
        engines.append(engine)
        return engine

    engines: list[Engine] = []
    yield make
    for each in engines:
        each.close()


def test_a_stated_churn_stands_in_for_the_model_and_is_told(opened):
    engine = opened()
    ready = engine.readiness()
    assert ready["ready"]
    assert [note.partition(":")[0] for note in ready["notes"]] == ["churn", "propensity"]
    assert "every decision takes 0.1, the `fallback` of contact_policy.yaml" in ready["notes"][0]
    answer = asyncio.run(engine.decide(DecideRequest(customer_id="C1", channel="email")))
    assert (answer["action"], answer["churn"]) == ("stay", 0.1)
    assert "churn" not in answer["versions"]["models"]
    assert next(fate for fate in answer["candidates"] if fate["action"] == "gone")["stage"] == "suitable"
    score = engine.score(ScoreRequest(customer_id="C1"))
    assert score["churn"] is None
    assert {each["propensity"] for each in score["treatments"]} == {None}


def test_the_command_line_tells_it_and_may_only_ask(opened, monkeypatch):
    engine = opened()

    def ask(workspace, path, body, url):
        assert path == "/v1/decide"
        return asyncio.run(engine.decide(DecideRequest.model_validate(body)))

    monkeypatch.setattr(client, "ask", ask)
    words = ["decide", "C1", "--channel", "email", "--workspace", str(engine.workspace.folder)]
    told = CliRunner().invoke(app, [*words, "--dry-run"])
    assert told.exit_code == 0, told.output
    assert "churn 0.100 (stated in contact_policy.yaml: there is no model)" in told.output
    assert not engine.read("C1").customer.contacts
    CliRunner().invoke(app, words)
    assert len(engine.read("C1").customer.contacts) == 1


def test_a_batch_and_policy_try_go_by_it_too(opened):
    engine = opened()
    ((answer,),) = [block for block in Runner(engine, "job", "email").run([["C1"]]) if block]
    assert orjson.loads(engine.store.decision(answer.row()["decision_id"]))["churn"] == 0.1
    assert answer.row()["action"] == "stay"
    asked = Request(customer_id="C2", decision_id="x-try", channel="email", dry_run=True)
    assert explained(engine.workspace, asked, None)["churn"] == 0.1


@pytest.mark.parametrize(
    ("fallback", "missing"), [("fallback: {propensity: 0.5}", "churn"), ("fallback: {churn: 0.1}", "propensity")]
)
def test_without_model_and_fallback_nothing_is_decided(opened, fallback, missing):
    engine = opened(fallback)
    (told,) = engine.readiness()["missing"]
    assert told == (
        f"{missing}: no champion model `{missing}`: run `tactful train {missing}`, "
        f"or state a `fallback: {{{missing}: ...}}` in contact_policy.yaml"
    )
    with pytest.raises(Problem) as refused:
        engine.score(ScoreRequest(customer_id="C1"))
    assert refused.value.detail == told


def test_only_those_of_whom_no_model_says_it_get_what_is_stated():
    unknown = Said(None, None, None, None)
    assert unknown.or_stated(None, 2) is unknown
    assert np.array_equal(unknown.or_stated(0.1, 2).churn, [0.1, 0.1])
    some = Said(np.array([np.nan, 0.7]), None, None, None)  # a challenger decides for the second alone
    assert np.array_equal(some.or_stated(0.1, 2).churn, [0.1, 0.7])


def test_a_policy_without_a_stated_churn_keeps_the_version_that_its_decisions_carry():
    assert ContactPolicy().version == "0e180a5ef2e0"  # as it was before there was the field
    stated = {"propensity": 0.02}
    assert ContactPolicy.model_validate({"fallback": stated}).version == "2fca8a455465"
    assert ContactPolicy.model_validate({"fallback": stated | {"churn": 0.1}}).version != "2fca8a455465"


def test_scores_of_everyone_want_a_churn_model_and_no_other(opened):
    workspace = opened().workspace
    with pytest.raises(WorkspaceError) as refused:
        batch_score.champions_of(workspace)
    assert str(refused.value) == "churn: no champion model `churn`: run `tactful train churn`"
