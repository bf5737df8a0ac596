"""The engine as a plain object: what it does when models, policies or the disk are not as they should be."""

import asyncio
import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import market
import numpy as np
import pytest

from features import clock
from features.catalogue import DEFAULT, Catalogue
from features.workspace import Workspace, WorkspaceError
from serving import batch_score, intake
from serving.champions import EFFECTS, KINDS, Champions
from serving.engine import Engine
from serving.problems import Problem
from serving.schemas import DecideRequest, OutcomeRequest, ScoreRequest
from serving.store.protocol import Commit, Unavailable


def decide(engine, customer="a", **more):
    return asyncio.run(engine.decide(DecideRequest(customer_id=customer, channel="email", **more)))


def failing(error):
    def operation(*_, **__):
        future = Future()
        future.set_exception(error)
        return future

    return operation


def test_a_store_that_cannot_write_is_503_and_nothing_is_acknowledged(engine, monkeypatch):
    monkeypatch.setattr(engine.store, "commit_decision", failing(Unavailable("disk full")))
    with pytest.raises(Problem) as caught:
        decide(engine)
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "1")
    assert "disk full" in caught.value.detail
    monkeypatch.undo()
    assert decide(engine)["action"]


def test_a_lost_race_judges_again_with_the_same_random_number(engine, monkeypatch):
    commit, seen = engine.store.commit_decision, []

    def sometimes(decision):
        seen.append((decision.uniform, decision.decision_id))
        if len(seen) < 3:
            lost = Future()
            lost.set_result(Commit("lost"))
            return lost
        return commit(decision)

    monkeypatch.setattr(engine.store, "commit_decision", sometimes)
    assert decide(engine)["decision_id"] == seen[0][1]
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_fifty_at_once_for_one_customer_respect_the_caps(engine):
    async def crowd():
        ask = [DecideRequest(customer_id="crowd", channel="email") for _ in range(50)]
        return await asyncio.gather(*(engine.decide(one) for one in ask))

    granted = [decision["action"] for decision in asyncio.run(crowd()) if decision["contact_id"]]
    assert sorted(granted) == ["voucher", "winback"], "two contacts a week, each action once in three days"


def test_one_request_id_at_once_gets_one_answer(engine):
    async def crowd():
        ask = DecideRequest(customer_id="twice", channel="email", request_id="same")
        return await asyncio.gather(*(engine.decide(ask) for _ in range(20)))

    answers = asyncio.run(crowd())
    assert all(answer == answers[0] for answer in answers)


def test_the_logged_decision_replays_the_scores(engine):
    decision = decide(engine, "C9", direction="inbound")
    logged = json.loads(engine.store.decision(decision["decision_id"]))
    values = np.array([np.nan if v is None else v for v in logged["features"]])
    assert engine.champions.current["churn"].scorer.customers(values)[0] == decision["churn"]


def test_a_model_of_another_catalogue_is_refused_and_says_what_to_do(shop):
    other = Catalogue(DEFAULT.features[:-1])
    champions = Champions(shop, other)
    champions.poll()
    assert champions.current == {}
    assert "tactful train churn" in champions.problems["churn"]


def test_a_model_of_other_journey_stages_is_refused(shop):
    stages = "{met: [visit], bought: [purchase]}"
    file = shop.folder / "journeys.yaml"
    file.write_text(f"journeys: [{{name: own, customer_stage: true, goal: bought, stages: {stages}}}]")
    champions = Champions(Workspace.open(shop.folder), DEFAULT)
    champions.poll()
    assert champions.current == {}
    assert "under another `journey`" in champions.problems["churn"]


def test_a_champion_that_cannot_be_read_leaves_the_old_one_in_use(engine, shop):
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=shop.tracking_uri, registry_uri=shop.tracking_uri)
    run = client.create_run(client.get_experiment_by_name("tactful").experiment_id)
    version = client.create_model_version("churn", f"{run.info.artifact_uri}/scorer", run.info.run_id)
    client.set_registered_model_alias("churn", "champion", version.version)
    assert engine.refresh() is False
    report = engine.readiness()
    assert report["ready"] is True
    assert "cannot be read" in report["notes"][0]
    assert report["versions"]["models"]["churn"]["version"] == "1"
    assert engine.score(ScoreRequest(customer_id="C1"))["churn"] > 0


def test_a_local_registry_is_asked_only_where_it_was_written_to(shop, monkeypatch):
    file = Path(shop.tracking_uri.removeprefix("sqlite:///"))
    long_ago = time.time_ns() - 60_000_000_000
    os.utime(file, ns=(long_ago, long_ago))
    champions = Champions(shop, DEFAULT)
    assert champions.poll() is True
    asked = []
    find = champions._find
    monkeypatch.setattr(champions, "_find", lambda kind, used: asked.append(kind) or find(kind, used))
    assert champions.poll() is False
    assert asked == []
    os.utime(file, ns=(long_ago + 1, long_ago + 1))
    champions.poll()
    assert asked == [*KINDS, *EFFECTS]
    ahead = time.time_ns() + 3_600_000_000_000
    os.utime(file, ns=(ahead, ahead))  # not long ago: more may come in the same tick of the clock
    champions.poll()
    champions.poll()
    assert len(asked) == 3 * len((*KINDS, *EFFECTS))


def test_without_models_it_is_not_ready_and_batch_scoring_says_what_to_run(tmp_path):
    bare = market.found(tmp_path / "bare")
    engine = Engine.open(bare)
    try:
        engine.warm()
        assert engine.readiness()["ready"] is False
        assert not (bare.folder / "mlflow").exists(), "looking for a model makes no database"
        with pytest.raises(Problem) as caught:
            decide(engine)
        assert caught.value.status == 503
    finally:
        engine.close()
    with pytest.raises(WorkspaceError, match="run `tactful train churn`"):
        batch_score.score(bare, 0)


@pytest.mark.parametrize("first", ["consent", "decision"])
@pytest.mark.parametrize("customer", ["a", "b", "c", "d"])
def test_an_opt_out_is_later_than_a_consent_whose_source_runs_ahead(engine, customer, first):
    ahead = clock.isoformat(engine.clock.now() + 5 * clock.MINUTE)
    consent = market.interaction(customer, customer, type="consent_given", channel="email", occurred_at=ahead)
    if first == "consent":
        asyncio.run(engine.record([consent]))
    decision = decide(engine, customer)
    if first == "decision":
        asyncio.run(engine.record([consent]))
    asyncio.run(engine.outcome(OutcomeRequest(decision_id=decision["decision_id"], outcome="opted_out")))
    with pytest.raises(Problem, match="opted out of email"):
        asyncio.run(engine.claim(decision["contact_id"]))


@pytest.mark.parametrize("name", ["contact_policy.yaml", "actions.yaml"])
def test_a_file_that_is_empty_for_a_moment_is_not_taken_up(engine, shop, name):
    before, file = engine.playbook.version, shop.folder / name
    content = file.read_text()
    file.write_text("")
    engine.refresh()
    assert engine.playbook.version == before
    assert "is empty" in engine.readiness()["notes"][0]
    file.write_text(content + "# reviewed")
    engine.refresh()
    assert (engine.playbook.version, engine.readiness()["notes"]) == (before, [])


def test_a_second_change_within_one_tick_of_the_file_clock_is_seen(engine, shop):
    file, before = shop.policy_file, engine.playbook.version
    stamp = file.stat().st_mtime_ns + 10**9
    for most in ("3", "12"):
        file.write_text(market.POLICY.replace("max: 2", f"max: {most}"))
        os.utime(file, ns=(stamp, stamp))
        engine.refresh()
        assert engine.playbook.version != before
        before = engine.playbook.version


def test_the_same_bad_rows_twice_at_once_are_kept_once(tmp_path):
    refused = [intake.Refused(0, {"interaction_id": "bad" * 100_000}, ())]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: intake.keep(tmp_path, refused, market.START), range(8)))
    assert [file.suffix for file in (tmp_path / "live").rglob("*.*")] == [".jsonl"]
