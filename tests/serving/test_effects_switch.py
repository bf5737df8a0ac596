"""Champions of effects are exchanged while the service answers: no request is lost, no answer mixes two models."""

import time
from collections import Counter

import effect_models
import market
import mlflow
import pytest
from running import Running
from steady_load import SteadyLoad

from serving.decisions.effects import Arm, Constant, Value

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
#: U that each version says of everyone, by version.
SAID = {"1": 0.25, "2": 0.5}
CONNECTIONS = 4
PATIENCE = 120  # seconds


def told(shop, u):
    arms = [Arm(name, None, Constant(u, 0.01)) for name in ("voucher", "winback", "help_call")]
    return effect_models.uplift(shop, inputs=[Value(effect_models.numbers()[0])], arms=arms)


class Load(SteadyLoad):
    """Keeps every answer that mixes two models."""

    def __init__(self, service, number):
        super().__init__(service, number)
        self.mixed = []

    def look(self, answer):
        model = answer["versions"]["models"].get("uplift")
        version = None if model is None else model["version"]
        self.seen[version] += 1
        learned = {fate["factors"]["u"] for fate in answer["candidates"] if fate.get("factors", {}).get("learned")}
        priors = [fate for fate in answer["candidates"] if fate.get("factors", {}).get("learned") is False]
        right = (not learned) if version is None else (learned <= {SAID[version]} and not priors)
        if not right:
            self.mixed.append((version, learned))


def test_no_request_is_lost_while_champions_of_effects_come_go_and_are_rolled_back(shop):
    service = Running(shop).wait()
    loads = [Load(service, number) for number in range(CONNECTIONS)]

    def until(condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{what} was waited for in vain; {service.readiness()}"
            time.sleep(0.1)

    def all_see(version):
        before = [load.seen[version] for load in loads]
        until(lambda: all(load.seen[version] > was + 3 for load, was in zip(loads, before, strict=True)), version)

    try:
        for load in loads:
            load.start()
        all_see(None)
        client = mlflow.MlflowClient(tracking_uri=shop.tracking_uri, registry_uri=shop.tracking_uri)
        for version in ("1", "2"):
            assert effect_models.register(shop, told(shop, SAID[version])) == version
            all_see(version)
        client.set_registered_model_alias("uplift", "champion", "1")
        all_see("1")
        market.registered(shop, "uplift", damaged)
        until(lambda: (ready := service.readiness()) is not None and "is damaged" in ready.text, "damaged")
        all_see("1")
        client.delete_registered_model_alias("uplift", "champion")
        all_see(None)
    finally:
        for load in loads:
            load.done.set()
        for load in loads:
            load.join(timeout=130)
        service.kill()
    status, seen = sum((load.status for load in loads), Counter()), sum((load.seen for load in loads), Counter())
    assert set(status) == {200}, status
    assert status[200] >= 6 * 4 * CONNECTIONS
    assert set(seen) == {None, "1", "2"}
    assert [found for load in loads for found in load.mixed] == []


def damaged(folder):
    folder.mkdir(parents=True)
    (folder / "effects.json").write_text("{")
