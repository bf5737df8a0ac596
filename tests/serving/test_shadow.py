"""Challengers decide for their share and no more, shadows are logged and decide nothing, in the service and a batch."""

import asyncio
from dataclasses import replace
from pathlib import Path

import effect_models
import market
import numpy as np
import orjson
import pytest
from worlds import policy

from features import decision_log
from features.history import History
from serving.batch_decide import Runner
from serving.decisions.arms import arms
from serving.decisions.eligibility import candidates
from serving.decisions.policy import ContactPolicy
from serving.decisions.replay import replay
from serving.engine import Engine, deciding
from serving.schemas import DecideRequest, ExplainRequest
from serving.scoring import inputs_of
from serving.sync import sync

SHARE = "challenger: {share: 0.5}\n"


class Frozen:
    """A clock that stands, so that features are the same twice."""

    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


def opened(shop, share=""):
    if share:
        file = shop.folder / "contact_policy.yaml"
        file.write_text(file.read_text() + share)
    engine = Engine.open(shop)
    engine.warm()
    engine.clock = Frozen(market.START)
    return engine


def document(engine, customer, **asked):
    """The decision as logged."""
    question = DecideRequest(customer_id=customer, **({"channel": "email"} | asked))
    answer = asyncio.run(engine.decide(question))
    return orjson.loads(engine.store.decision(answer["decision_id"]))


def versions(logged):
    return {kind: (model["version"], model.get("alias")) for kind, model in logged["models"].items()}


def scored(engine, champions, logged):
    """P of each candidate that was valued, by some models, from the features that were logged."""
    values = np.array([np.nan if value is None else value for value in logged["features"]])
    model = champions["propensity"].scorer
    return {
        each.key: float(model.actions(values, [inputs_of(each)])[0])
        for each in candidates(engine.playbook.actions, None)
    }


def test_the_share_is_sticky_and_a_larger_one_keeps_who_was_in():
    small, large = policy(challenger={"share": 0.1}), policy(challenger={"share": 0.3})
    names = [f"customer-{i}" for i in range(20_000)]
    first, later = ([arms(name, each).challenger for name in names] for each in (small, large))
    assert np.mean(first) == pytest.approx(0.1, abs=0.01)
    assert np.mean(later) == pytest.approx(0.3, abs=0.01)
    assert all(kept for was, kept in zip(first, later, strict=True) if was)
    assert not any(arms(name, policy()).challenger for name in names[:100])


def test_a_file_that_does_not_speak_of_challengers_keeps_its_version():
    """Decisions that were logged under it stay readable: `0e180a5ef2e0` is what it was before there was the key."""
    assert ContactPolicy().version == "0e180a5ef2e0"
    assert ContactPolicy.model_validate({"challenger": None}).version == ContactPolicy().version
    assert ContactPolicy.model_validate({"challenger": {}}).version != ContactPolicy().version


def test_a_challenger_decides_about_its_share_and_a_replay_holds(shop):
    version = market.register(shop, "propensity", seed=7, alias="challenger")
    engine = opened(shop, SHARE)
    try:
        seen = set()
        for customer in market.customers(24):
            logged = document(engine, customer)
            challenged = logged["arms"]["challenger"]
            models = engine.rivals.challengers if challenged else engine.champions.current
            expected = scored(engine, {**engine.champions.current, **models}, logged)
            for fate in logged["candidates"]:
                if "factors" in fate:
                    assert fate["factors"]["p"] == expected[fate["action"], fate["channel"]]
            wanted = (version, "challenger") if challenged else ("1", None)
            assert versions(logged) == {"churn": ("1", None), "propensity": wanted}
            assert orjson.loads(replay(logged, engine.playbook).to_bytes()) == logged
            assert document(engine, customer, channel="web")["arms"] == logged["arms"]
            seen.add(challenged)
        assert seen == {True, False}
    finally:
        engine.close()


def test_who_plays_follows_the_policy_the_alias_and_the_rule_of_promotion(shop):
    """A refused version plays no part until somebody wants it all the same; a shadow that is broken is a note."""
    import mlflow

    version = market.register(shop, "propensity", seed=7, alias="challenger")
    client = mlflow.MlflowClient(tracking_uri=shop.tracking_uri, registry_uri=shop.tracking_uri)
    broken = market.register(shop, "churn", seed=8, alias="shadow")
    folder = client.get_run(client.get_model_version("churn", broken).run_id).info.artifact_uri
    (Path(folder.removeprefix("file://")) / "scorer" / "scorer.json").write_text("{")
    engine, file = opened(shop), shop.folder / "contact_policy.yaml"
    text = file.read_text()

    def plays(changed=True):
        assert engine.refresh() is changed
        return versions(document(engine, "C1"))["propensity"]

    try:
        ready = engine.readiness()
        assert ready["ready"]
        assert any("shadow churn:" in note and "cannot be read" in note for note in ready["notes"])
        assert plays(changed=False) == ("1", None)
        file.write_text(text + "challenger: {share: 0.0}\n")
        assert plays() == ("1", None)
        file.write_text(text + "challenger: {share: 1.0}\n")
        assert plays() == (version, "challenger")
        client.set_model_version_tag("propensity", version, "refused", "ranks worse")
        assert plays() == ("1", None)
        assert not any("challenger" in note for note in engine.readiness()["notes"])
        client.delete_model_version_tag("propensity", version, "refused")
        assert plays() == (version, "challenger")
        client.delete_registered_model_alias("propensity", "challenger")
        assert plays() == ("1", None)
    finally:
        engine.close()


def test_shadows_are_logged_and_decide_nothing(shop):
    plain = opened(shop)
    without = {customer: document(plain, customer) for customer in market.customers(12)}
    plain.close()
    (shop.folder / "state").rename(shop.folder / "state-before")  # the same customers, nobody contacted yet
    market.register(shop, "propensity", seed=7, alias="shadow")
    market.register(shop, "churn", seed=8, alias="shadow")
    engine = opened(shop)
    try:
        differing = 0
        for customer, before in without.items():
            logged = document(engine, customer)
            said = logged.pop("shadow")
            told = [fate for fate in logged["candidates"] if "factors" in fate]
            expected = scored(engine, engine.rivals.shadows, logged)
            assert {(a, c): p for a, row in said["propensity"]["scores"].items() for c, p in row.items()} == {
                (fate["action"], fate["channel"]): expected[fate["action"], fate["channel"]] for fate in told
            }
            differing += sum(expected[fate["action"], fate["channel"]] != fate["factors"]["p"] for fate in told)
            assert 0 <= said["churn"]["score"] <= 1
            assert said["churn"]["score"] != logged["churn"]
            assert versions(logged) == versions(before)
            for key in ("churn", "features", "arms", "policy_version"):
                assert logged[key] == before[key]
            for fate, other in zip(logged["candidates"], before["candidates"], strict=True):
                assert fate.get("factors") == other.get("factors")
            whole = logged | {"shadow": said}
            assert orjson.loads(replay(whole, engine.playbook).to_bytes()) == whole
        assert differing > 10
        answer = asyncio.run(engine.decide(DecideRequest(customer_id="C1", channel="email")))
        assert "shadow" not in answer
        assert engine.explain(ExplainRequest(customer_id="C1"))["versions"]["models"]["churn"]["version"] == "1"
        sync(shop, engine.store)
    finally:
        engine.close()
    rows = decision_log.read(History(shop), ["challenger", "models", "shadow"]).to_pylist()
    assert len(rows) == 13
    assert {row["challenger"] for row in rows} == {False}
    assert {said["kind"] for row in rows for said in row["shadow"]} == {"churn", "propensity"}


def test_a_batch_says_of_challengers_and_shadows_what_the_service_says(shop):
    market.register(shop, "propensity", seed=7, alias="challenger")
    market.register(shop, "churn", seed=9, alias="challenger")
    market.register(shop, "propensity", seed=11, alias="shadow")
    market.register(shop, "churn", seed=8, alias="shadow")
    effect_models.register(shop, effect_models.fatigue(shop))
    effect_models.register(shop, effect_models.uplift(shop), "challenger")
    effect_models.register(shop, effect_models.uplift(shop, seed=5), "shadow")
    effect_models.register(shop, effect_models.fatigue(shop, seed=5), "shadow")
    engine = opened(shop, SHARE)
    try:
        runner, customers = Runner(engine, "spring", None), market.customers(30)
        reads = {customer: engine.read(customer) for customer in customers}
        found = [each.document() for piece in runner.run([customers[:11], customers[11:]]) for each in piece]
        alone = {}
        for each in found:
            customer = each["customer_id"]
            asked = replace(runner.request(customer), decision_id=each["decision_id"])
            made = deciding._decided(engine, asked, reads[customer], market.START, runner.uniform(customer))
            alone[customer] = orjson.loads(made.to_bytes())
        assert {each["customer_id"]: each for each in found} == alone
        logged = [orjson.loads(engine.store.decision(each["decision_id"])) for each in found]
        assert {each["customer_id"]: each for each in logged} == alone
        assert {each["arms"]["challenger"] for each in found} == {True, False}
        assert len({len(each["shadow"]["propensity"]["scores"]) for each in found}) > 1
        learned = harmed = 0
        for each in logged:
            rival = each["arms"]["challenger"]
            assert versions(each)["churn"] == (("2", "challenger") if rival else ("1", None))
            assert versions(each).get("uplift") == (("1", "challenger") if rival else None)
            assert set(each["shadow"]) == {"churn", "propensity", "uplift", "fatigue"}
            learned += sum(fate["factors"]["learned"] for fate in each["candidates"] if "factors" in fate)
            told = [row for of in each["shadow"]["fatigue"]["scores"].values() for row in of.values()]
            harmed += sum(score is not None for score in told)
            assert orjson.loads(replay(each, engine.playbook).to_bytes()) == each
        assert learned > 0
        assert harmed > 0
        dry = Runner(engine, "dry", "email", dry_run=True)
        (piece,) = dry.run([customers[:3]])
        assert all("shadow" not in each.document() for each in piece)
    finally:
        engine.close()
