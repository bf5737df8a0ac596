"""Learned U and harm where decisions are made, told and kept: live, in batches, in the log; priors elsewhere."""

import asyncio
import json
from dataclasses import replace

import effect_models
import market
import mlflow
import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

import tactful
from features import decision_log
from features.history import History
from features.workspace import Workspace, WorkspaceError
from serving import batch_score, scoring, sync
from serving.batch_decide import Runner
from serving.champions import levels
from serving.decisions.customer import Customer
from serving.decisions.decide import decide
from serving.decisions.decision import Request, Scores
from serving.decisions.effects import Arm, Constant, Contacts, Value
from serving.decisions.guard.standing import standing
from serving.decisions.many import columns
from serving.decisions.policy import Actions, ContactPolicy, Playbook
from serving.decisions.replay import replay
from serving.engine import Engine
from serving.schemas import DecideRequest, ExplainRequest, ScoreRequest
from training.offpolicy.rejudging import Court

KEYS = [("voucher", "email"), ("voucher", "mail"), ("winback", "email"), ("winback", "phone"), ("help_call", "phone")]


class Frozen:
    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


@pytest.fixture(scope="module")
def taught(shop_template, tmp_path_factory):
    """A shop with champions of effects; read only."""
    shop = market.copy(shop_template, tmp_path_factory.mktemp("taught") / "shop")
    effect_models.register(shop, effect_models.uplift(shop))
    effect_models.register(shop, effect_models.fatigue(shop))
    return shop.folder


@pytest.fixture
def learned_shop(taught, tmp_path):
    return market.copy(taught, tmp_path / "learned")


@pytest.fixture
def learned(learned_shop):
    engine = Engine.open(learned_shop)
    engine.warm()
    engine.clock = Frozen(engine.clock.now())
    yield engine
    engine.close()


def expected(engine, customer_id, key):
    """U and harm of a treatment by the models' own files; None where they do not know it."""
    read = engine.store.read(customer_id)
    now = read.customer.now(engine.clock.now())
    values = engine.vectors.of(read.state, now)[np.newaxis]
    workspace = engine.workspace
    names, labels = engine.vectors.catalogue.names, levels(engine.vectors.catalogue, workspace.settings)
    uplift = effect_models.uplift(workspace).bind(names, labels)
    fatigue = effect_models.fatigue(workspace).bind(names, labels)
    model = engine.champions.current["fatigue"].effects
    stands = model.counted(standing(read.customer, engine.playbook, now), now)
    counts = fatigue.counted(stands, np.array([now]))
    found = [
        uplift.effects(values, np.array([uplift.place(*key)]))[0, 0],
        fatigue.effects(values, np.array([fatigue.place(*key)]), counts)[0, 0],
    ]
    return [None if value != value else value for value in found]


def told(answer):
    return {(fate["action"], fate["channel"]): fate["factors"] for fate in answer["candidates"]}


def test_explained_and_scored_by_what_was_learned_and_by_priors_elsewhere(learned):
    factors = told(learned.explain(ExplainRequest(customer_id="C1")))
    scored = {(t["action"], t["channel"]): t for t in learned.score(ScoreRequest(customer_id="C1"))["treatments"]}
    rule = learned.playbook.policy
    for key in KEYS:
        u, harm = expected(learned, "C1", key)
        of = factors[key]
        assert (of["learned"], of.get("harm_learned", False)) == (u is not None, harm is not None)
        assert of["u"] == (of["p"] * rule.increment.default if u is None else u)
        assert of["harm"] == (rule.harm.contact if harm is None else harm)
        assert of["expected_value"] == of["c"] * of["v"] * of["u"] * of["lever"] - of["cost"] - of["harm"]
        assert (scored[key]["uplift"], scored[key]["harm"]) == (u, harm)
    assert [factors[key]["learned"] for key in KEYS] == [True, True, True, True, False]
    assert [bool(factors[key].get("harm_learned")) for key in KEYS] == [True, False, True, True, True]
    assert set(learned.versions()["models"]) == {"churn", "propensity", "uplift", "fatigue"}


def test_a_showing_to_who_is_here_does_no_harm(learned):
    answer = learned.explain(ExplainRequest(customer_id="C1", direction="inbound", channel="email"))
    factors = told(answer)["voucher", "email"]
    assert factors["learned"]
    assert (factors["harm"], factors.get("harm_learned", False)) == (0.0, False)


def test_a_contact_that_stands_makes_the_next_one_dearer_and_so_does_the_slot_before(learned):
    before = expected(learned, "C2", ("winback", "email"))[1]
    asked = DecideRequest(customer_id="C2", channel="email", limit=2)
    learned.playbook = with_policy(learned.playbook, exploration={"epsilon": 1.0}, caps=[])
    for _ in range(30):  # until chance fills both slots
        answer = learned.explain(ExplainRequest(customer_id="C2", channel="email", limit=2))
        if answer["action"] is not None:
            break
    second = {(fate["action"], fate["channel"]): fate["factors"] for fate in answer["slots"][1]["candidates"]}
    assert told(answer)["winback", "email"]["harm"] == before
    assert second["winback", "email"]["harm"] > before
    for _ in range(30):
        if asyncio.run(learned.decide(asked))["contact_id"] is not None:
            break
    after = expected(learned, "C2", ("winback", "email"))[1]
    assert after > before
    assert told(learned.explain(ExplainRequest(customer_id="C2")))["winback", "email"]["harm"] == after


def with_policy(playbook, **changes):
    plain = playbook.policy.model_dump(exclude_unset=True) | changes
    return Playbook(playbook.actions, ContactPolicy.model_validate(plain))


def test_what_reveals_behaviour_goes_by_the_effect_of_what_is_old_enough():
    actions = {
        "actions": [{"name": "a", "issue": "i", "group": "g", "channels": ["email"], "reveals": [{"type": "x"}]}]
    }
    playbook = Playbook(Actions.model_validate(actions), ContactPolicy())
    scores = Scores(
        propensity=lambda cs: [0.5] * len(cs),
        delayed=lambda cs: [0.5] * len(cs),
        uplift=lambda cs: [0.9] * len(cs),
        delayed_uplift=lambda cs: [0.1] * len(cs),
        harm=lambda cs, *_: [0.25] * len(cs),
    )
    answer = decide(Request("C1", "d", dry_run=True), Customer("C1"), scores, playbook, market.START, 0.5)
    factors = answer.fates[0].factors
    assert (factors.u, factors.learned, factors.harm, factors.harm_learned) == (0.1, True, 0.25, True)


def test_money_is_over_value_and_what_is_worth_nothing_is_not_known(shop):
    arms = [Arm("voucher", None, Constant(3.0, 0.1)), Arm("help_call", None, Constant(3.0, 0.1))]
    effect_models.register(shop, effect_models.uplift(shop, unit="money", arms=arms))
    text = (shop.folder / "actions.yaml").read_text().replace("value: 5}", "value: 0}")
    (shop.folder / "actions.yaml").write_text(text)
    engine = Engine.open(shop)
    engine.warm()
    factors = told(engine.explain(ExplainRequest(customer_id="C1")))
    logged = orjson.loads(alone(engine, Runner(engine, "once", "email"), "C4").to_bytes())
    stood = replace(engine.store.read("C4").customer, contacts=())
    engine.close()
    actions = engine.playbook.actions.model_dump(exclude_unset=True)
    for one in actions["actions"]:
        one["value"] *= 2
    dearer = Playbook(Actions.model_validate(actions), engine.playbook.policy)
    again = {fate.candidate.key: fate.factors for fate in Court(engine.playbook, dearer)(logged, stood).fates}
    before = {(fate["action"], fate["channel"]): fate["factors"] for fate in logged["candidates"]}
    # money that was learned is the same money, whatever an accepted offer is said to be worth
    assert again["voucher", "email"].u == before["voucher", "email"]["u"] / 2
    assert again["voucher", "email"].expected_value == pytest.approx(before["voucher", "email"]["expected_value"])
    assert factors["voucher", "email"]["u"] == 3.0 / 40.0
    assert factors["voucher", "email"]["expected_value"] == pytest.approx(3.0 - 0.001)
    assert factors["help_call", "phone"]["learned"] is False


def alone(engine, runner, customer_id):
    """The service's way: one customer, by the same random number."""
    read = engine.store.read(customer_id)
    now = read.customer.now(engine.clock.now())
    champions, values = engine.champions.current, engine.vectors.of(read.state, now)
    earlier = now - engine.playbook.policy.signals.age
    delayed = scoring.Delayed(champions.get("propensity"), engine.vectors, read.state, earlier)
    scores = scoring.scores(engine.vectors, champions, values, delayed)
    uniform = runner.uniform(customer_id)
    return decide(runner.request(customer_id), read.customer, scores, engine.playbook, now, uniform)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_batch_is_its_decisions_to_the_last_bit(learned, threads):
    learned.playbook = with_policy(learned.playbook, withholding={"share": 0.2}, exploration={"epsilon": 0.3})
    revealing = [
        each.model_dump(exclude_unset=True) | ({"reveals": [{"type": "page_view"}]} if each.name == "winback" else {})
        for each in learned.playbook.actions.actions
    ]
    learned.playbook = Playbook(Actions.model_validate({"actions": revealing}), learned.playbook.policy)
    customers = [*market.customers(), "a-stranger"]
    for day in range(3):  # contacts come to stand on several channels
        for channel in ("email", "phone", "mail"):
            list(Runner(learned, f"before-{day}-{channel}", channel).run([customers]))
        learned.clock = Frozen(learned.clock.now() + 26 * 3600 * 1_000_000)
    runner = Runner(learned, "same", dry_run=True, threads=threads)
    found = {answer["customer_id"]: answer for piece in runner.run([customers]) for answer in map(document, piece)}
    harms = set()
    for customer_id in customers:
        one = orjson.loads(alone(learned, runner, customer_id).to_bytes())
        assert found[customer_id] == one
        harms |= {fate["factors"]["harm"] for fate in one["candidates"] if fate.get("factors", {}).get("harm_learned")}
    assert len(harms) > len(customers), "contacts that stand and features make harm each customer's own"


def document(made):
    return made.document()


def test_what_was_learned_is_kept_in_the_log_in_history_and_in_replays(learned, learned_shop):
    asyncio.run(learned.decide(DecideRequest(customer_id="C3", channel="email")))
    list(Runner(learned, "batch", "email").run([market.customers()]))
    sync.sync(learned_shop, learned.store)
    table = decision_log.read(History(learned_shop))
    kept = [orjson.loads(body) for body in table["document"].to_pylist()]
    assert len(kept) == 61
    valued = 0
    for row, logged in zip(table.to_pylist(), kept, strict=True):
        assert orjson.loads(replay(logged, learned.playbook).to_bytes()) == columns.expanded(logged)
        for candidate in row["candidates"]:
            if candidate["p"] is not None:
                valued += 1
                assert candidate["learned"] is (candidate["action"] != "help_call")
                assert candidate["harm_learned"] is True, "only e-mail was asked for"
    assert valued > 60


def test_judged_again_under_other_priors_what_was_learned_stays(learned):
    logged = orjson.loads(alone(learned, Runner(learned, "once", "email"), "C4").to_bytes())
    after = with_policy(learned.playbook, harm={"contact": 9.0}, increment={"default": 0.9})
    court = Court(learned.playbook, after)
    again = court(logged, replace(learned.store.read("C4").customer, contacts=()))
    assert again.unknown is None
    before = {(fate["action"], fate["channel"]): fate["factors"] for fate in logged["candidates"]}
    for fate in again.fates:
        old, new = before[fate.candidate.key], fate.factors.as_dict()
        assert (new["u"] == old["u"]) is old["learned"]
        assert (new["harm"] == old["harm"]) is old.get("harm_learned", False)
    assert {fate["learned"] for fate in before.values()} == {True}
    assert {fate.get("harm_learned", False) for fate in before.values()} == {True}


def test_batch_scores_are_the_services(learned, learned_shop):
    sync.sync(learned_shop, learned.store)
    table = batch_score.score(learned_shop, learned.clock.now())
    assert "uplift_voucher_mail" in table.column_names
    assert "uplift_help_call_phone" not in table.column_names
    assert table.schema.metadata[b"tactful.uplift"].startswith(b"version 1, run run-uplift-0")
    for row in table.to_pylist()[:20]:
        for t in learned.score(ScoreRequest(customer_id=row["customer_id"]))["treatments"]:
            assert row.get(f"uplift_{t['action']}_{t['channel']}") == t["uplift"]


def test_policy_try_says_what_is_a_prior(learned_shop):
    words = ["policy", "try", "--customer", "C1", "--workspace", str(learned_shop.folder)]
    lines = CliRunner().invoke(tactful.app, words, env={"COLUMNS": "200"}).output.splitlines()
    found = {line.split(":")[0].strip(): line for line in lines if " on " in line and "worth" in line}
    assert "(prior)" not in found["voucher on email"]
    assert found["voucher on mail"].count("(prior)") == 1, "mail's harm was never learned"
    assert "(prior), harm" in found["help_call on phone"]


def client_of(shop):
    return mlflow.MlflowClient(tracking_uri=shop.tracking_uri, registry_uri=shop.tracking_uri)


def test_what_cannot_be_used_is_one_line_in_readiness_and_priors_decide(shop):
    effect_models.register(shop, effect_models.uplift(shop, inputs=[Value("count_of_yesteryear")]))
    effect_models.register(shop, effect_models.fatigue(shop, catalogue_version="another"))
    engine = Engine.open(shop)
    engine.warm()
    answer = engine.readiness()
    assert answer["ready"]
    uplift, fatigue = answer["notes"]
    assert uplift.startswith(
        "uplift: the uplift model is not served: it needs features that the catalogue no longer has"
    )
    assert fatigue.startswith(
        "fatigue: the fatigue champion was trained on another catalogue of features (another, now"
    )
    assert not any("\n" in note or len(note) > 300 for note in answer["notes"])
    assert not any(of["learned"] for of in told(engine.explain(ExplainRequest(customer_id="C1"))).values())
    # one that can be used takes over, a damaged one after it changes nothing
    good = effect_models.register(shop, effect_models.uplift(shop))
    assert engine.refresh()
    assert told(engine.explain(ExplainRequest(customer_id="C1")))["voucher", "email"]["learned"]
    bad = market.registered(shop, "uplift", lambda folder: damaged(folder))
    assert not engine.refresh()
    assert engine.versions()["models"]["uplift"]["version"] == good != bad
    assert "is damaged or no model of effects" in engine.readiness()["notes"][0]
    # and without a champion the priors decide again: that is no problem
    client_of(shop).delete_registered_model_alias("uplift", "champion")
    client_of(shop).delete_registered_model_alias("fatigue", "champion")
    assert engine.refresh()
    assert engine.readiness()["notes"] == []
    assert not any(of["learned"] for of in told(engine.explain(ExplainRequest(customer_id="C1"))).values())
    engine.close()


def damaged(folder):
    folder.mkdir(parents=True)
    (folder / "effects.json").write_text('{"format": 1, "kind": "uplift"')


def test_a_batch_is_not_scored_by_a_model_that_is_broken(shop):
    market.registered(shop, "uplift", damaged)
    with pytest.raises(WorkspaceError, match=r"uplift: .*is damaged"):
        batch_score.champions_of(shop)


def test_an_action_that_was_renamed_goes_by_the_prior_and_a_line_says_so(learned_shop):
    text = (learned_shop.folder / "actions.yaml").read_text().replace("name: voucher", "name: coupon")
    (learned_shop.folder / "actions.yaml").write_text(text)
    engine = Engine.open(Workspace.open(learned_shop.folder))
    engine.warm()
    (note,) = engine.readiness()["notes"]
    assert note.startswith("uplift: learned for voucher, which actions.yaml does not list")
    factors = told(engine.explain(ExplainRequest(customer_id="C1")))
    engine.close()
    assert factors["coupon", "email"]["learned"] is False
    assert factors["winback", "email"]["learned"] is True


def test_harm_that_asks_about_no_contacts_is_served_too(shop):
    arms = [Arm(None, None, Constant(0.125, 0.01))]
    effect_models.register(shop, effect_models.fatigue(shop, inputs=[], arms=arms))
    engine = Engine.open(shop)
    engine.warm()
    factors = told(engine.explain(ExplainRequest(customer_id="C1")))
    found = [each for piece in Runner(engine, "j", dry_run=True).run([["C1", "C2"]]) for each in map(document, piece)]
    engine.close()
    assert {of["harm"] for of in factors.values()} == {0.125}
    assert {fate["factors"]["harm"] for answer in found for fate in answer["candidates"]} == {0.125}


def test_the_file_says_of_each_input_what_it_states(tmp_path, shop):
    model = effect_models.fatigue(shop)
    model.write(tmp_path)
    listed = json.loads((tmp_path / "effects.json").read_text())["inputs"]
    assert listed[0] == {"contacts": "email", "days": 7.0, "transform": "identity"}
    assert type(model).read(tmp_path).inputs == model.inputs
    assert isinstance(model.inputs[0], Contacts)


@pytest.mark.parametrize("counts", [True, False])
def test_an_exempt_message_that_is_no_contact_costs_no_harm_learned_or_stated(learned, counts):
    playbook = with_policy(learned.playbook, exempt={"notice": {"counts": counts}})
    exempt = [
        action.model_copy(update={"exempt": "notice"}) if action.name in ("voucher", "help_call") else action
        for action in playbook.actions.actions
    ]
    learned.playbook = replace(playbook, actions=Actions(actions=exempt))
    factors = told(learned.explain(ExplainRequest(customer_id="C1")))
    scored = {(t["action"], t["channel"]): t for t in learned.score(ScoreRequest(customer_id="C1"))["treatments"]}
    for key in KEYS:
        harm = expected(learned, "C1", key)[1] if counts or key[0] == "winback" else None
        assert scored[key]["harm"] == harm
        stated = learned.playbook.policy.harm.contact if counts else 0.0
        assert factors[key]["harm"] == (stated if harm is None else harm)
        assert factors[key].get("harm_learned", False) == (harm is not None)
    assert factors["winback", "email"]["harm"] > 0
