"""Decisions as the service makes them: ghosts that stay, arms that stay, outcomes of every slot, logs that replay."""

import asyncio

import orjson
import pytest
from market import interaction

from features import clock
from features.history import History
from serving import sync
from serving.decisions.arms import arms
from serving.decisions.replay import replay
from serving.engine import Engine
from serving.problems import Problem
from serving.schemas import DecideRequest, OutcomeRequest


@pytest.fixture
def opened(shop):
    """A function that opens the shop with other words in its files."""
    engines = []

    def open_with(policy: tuple[str, str] = ("", ""), actions: tuple[str, str] = ("", "")) -> Engine:
        for name, change in (("contact_policy.yaml", policy), ("actions.yaml", actions)):
            file = shop.folder / name
            file.write_text(file.read_text().replace(*change) if change[0] else file.read_text())
        engines.append(Engine.open(shop))
        engines[-1].warm()
        return engines[-1]

    yield open_with
    for engine in engines:
        engine.close()


def decide(engine, customer="C1", **more):
    return asyncio.run(engine.decide(DecideRequest(customer_id=customer, **more)))


@pytest.mark.parametrize("direction", ["outbound", "inbound"])
def test_what_was_withheld_stays_withheld_through_the_response_window_and_reaches_history(opened, shop, direction):
    engine = opened(("withholding: {share: 0.0}", "withholding: {share: 1.0}"))
    first = decide(engine, channel="email", direction=direction)
    assert (first["action"], first["contact_id"]) == (None, None)
    withheld = [fate["action"] for fate in first["candidates"] if fate["stage"] == "withheld"]
    again = decide(engine, channel="email", direction=direction)
    rules = {fate["action"]: fate.get("suppressed_by", [{"rule": None}])[0]["rule"] for fate in again["candidates"]}
    assert rules[withheld[0]] == "withheld"
    with pytest.raises(Problem, match="withheld to measure"):
        asyncio.run(engine.claim(f"{first['decision_id']}.1"))
    sync.sync(shop, engine.store)
    rows = History(shop).contacts().to_pylist()
    assert {row["status"] for row in rows} == {"ghost"}
    assert all(row["changed_at"] == row["reserved_at"] for row in rows)


def test_every_logged_decision_replays_from_the_store(opened):
    engine = opened(
        (
            "exploration: {epsilon: 0.0}",
            "exploration: {method: thompson, epsilon: 0.3}\nmaturity: {positives: 50}\non_cap: defer",
        )
    )
    asyncio.run(engine.record([interaction("c", "C3", type="complaint", channel="phone", topic="books")]))
    ids = [
        decide(engine, f"C{i % 5}", direction=direction, limit=1 + i % 3)["decision_id"]
        for i in range(12)
        for direction in ("inbound", "outbound")
    ]
    for decision_id in ids:
        logged = orjson.loads(engine.store.decision(decision_id))
        assert orjson.loads(replay(logged, engine.playbook).to_bytes()) == logged


def test_the_arm_is_that_of_the_id_decided_about_first_and_survives_a_merger(opened):
    engine = opened(("holdout: {share: 0.0}", "holdout: {share: 0.5}"))
    policy = engine.playbook.policy
    drawn = {
        arm: [f"n{i}" for i in range(99) if arms(f"n{i}", policy).holdout == arm] for arm in ("treated", "holdout")
    }
    for turn, order in enumerate((("treated", "holdout"), ("holdout", "treated"))):
        first, second = (drawn[arm][turn] for arm in order)
        assert decide(engine, first, channel="email")["arm"] == order[0]
        links = [{"identifier": f"{first}@x", "kind": "email", "customer_id": each} for each in (first, second)]
        asyncio.run(engine.record_links(links))
        assert decide(engine, second, channel="email")["arm"] == order[0]
        assert decide(engine, first, channel="email")["arm"] == order[0]


def test_an_outcome_names_the_slot_that_it_is_of(opened):
    engine = opened()
    decision = decide(engine, limit=2)
    first, second = (slot["action"] for slot in decision["slots"])

    def tell(**more):
        return asyncio.run(
            engine.outcome(OutcomeRequest(decision_id=decision["decision_id"], outcome="clicked", **more))
        )

    assert tell()["accepted"]
    assert not tell(action=first)["accepted"], "the same outcome"
    assert tell(action=second)["accepted"]
    assert not tell(action=second)["accepted"]
    rows = [row for row in engine.store.export("interactions", 0) if row["type"] == "clicked"]
    assert [row["action"] for row in rows] == [first, second]
    assert rows[1]["channel"] == decision["slots"][1]["action_channel"]
    with pytest.raises(Problem) as caught:
        tell(action="unheard_of")
    assert caught.value.errors[0].field == "action"
    assert first in caught.value.errors[0].fix


def test_what_reveals_behaviour_is_neither_shown_nor_scored_by_what_is_fresh(opened):
    reveals = "value: 40, reveals: [{type: purchase, topic: garden}]"
    engine = opened(actions=("value: 40", reveals))
    now = engine.clock.now()

    def fate(name: str) -> dict:
        answer = decide(engine, "fresh", channel="email", dry_run=True)
        return next(each for each in answer["candidates"] if each["action"] == name)

    def buys(number: int, at: int) -> None:
        row = interaction(
            f"g{number}", "fresh", type="purchase", topic="garden", value=99.0, occurred_at=clock.isoformat(at)
        )
        assert asyncio.run(engine.record([row]))["accepted"] == 1

    buys(1, now - 3 * clock.DAY)
    before = {name: fate(name)["factors"]["p"] for name in ("voucher", "winback")}
    assert fate("voucher")["stage"] != "guard"
    for number in range(2, 9):
        buys(number, now - clock.HOUR)
    assert fate("voucher")["factors"]["p"] == pytest.approx(before["voucher"], abs=0.01), "as of a day ago"
    assert fate("winback")["factors"]["p"] != pytest.approx(before["winback"], abs=1e-6), "as of now"
    answer = decide(engine, "fresh", channel="mail")  # the only action there
    assert answer["action"] == "voucher"
    assert answer["says"].startswith("You see this because you bought garden with us in May.")


def test_a_trace_of_the_agents_view_is_in_the_answer(opened):
    engine = opened()
    rows = [interaction("k", "C7", type="complaint", channel="phone", topic="shoes", case_id="K1")]
    asyncio.run(engine.record(rows))
    answer = decide(engine, "C7", channel="phone", direction="inbound")
    assert answer["agent"]["help_first"] is True
    assert answer["agent"]["open"][0]["case_id"] == "K1"
    assert answer["agent"]["probably_about"]["topic"] == "shoes"
    assert answer["action"] in (None, "help_call")
    assert decide(engine, "C7", channel="phone")["agent"] is None


def test_a_live_channel_reserves_and_claims_in_one_call(opened):
    engine = opened()
    answer = decide(engine, channel="email", claim=True, request_id="live-1")
    assert (answer["claimed"], answer["slots"][0]["claimed"]) == (True, True)
    assert engine.store.contact(answer["contact_id"]).state == "claimed"
    assert decide(engine, channel="email", claim=True, request_id="live-1") == answer, "its answer got lost"
    with pytest.raises(Problem, match="is claimed"):
        asyncio.run(engine.claim(answer["contact_id"]))
    sent = asyncio.run(engine.sent(answer["contact_id"]))
    window = clock.parse_instant(sent["respond_by"]) - clock.parse_instant(sent["claimed_at"])
    assert window == 7 * clock.DAY, "silence for so long after it was made is no response"
    only_reserved = decide(engine, "C2", channel="email")
    assert only_reserved["claimed"] is False
    dry = decide(engine, "C2", channel="mail", claim=True, dry_run=True)
    assert dry["claimed"] is False


def test_what_may_not_go_out_any_more_is_not_claimed(opened):
    engine = opened()
    answer = decide(engine, channel="email", request_id="late")
    asyncio.run(engine.record([interaction("no", "C1", type="opted_out", channel="email")]))
    again = decide(engine, channel="email", claim=True, request_id="late")
    assert (again["contact_id"], again["claimed"]) == (answer["contact_id"], False)
    assert "opted out" in again["reasons"][0]
