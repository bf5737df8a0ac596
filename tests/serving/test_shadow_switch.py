"""Under load over HTTP, `tactful promote`, --rollback, a challenger and a shadow come and go; no request is lost."""

import time
from collections import Counter

import market
import mlflow
import pytest
from awaited import NEVER
from running import Running
from steady_load import SteadyLoad
from typer.testing import CliRunner

from training.commands import app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]
CONNECTIONS = 4
KIND = "propensity"


class Load(SteadyLoad):
    """`seen` are the versions that answers name."""

    def look(self, answer):
        model = answer["versions"]["models"][KIND]
        self.seen[model["version"], model.get("alias"), answer["arms"]["challenger"]] += 1


def tactful(shop, *words):
    shown = CliRunner().invoke(app, [*words, "-w", str(shop.folder)], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output


def test_models_are_switched_and_rolled_back_without_losing_a_request(shop):
    file = shop.folder / "contact_policy.yaml"
    file.write_text(file.read_text() + "challenger: {share: 0.4}\n")
    second = market.register(shop, KIND, seed=7, alias="shadow")
    client = mlflow.MlflowClient(tracking_uri=shop.tracking_uri, registry_uri=shop.tracking_uri)
    client.delete_registered_model_alias(KIND, "shadow")
    service = Running(shop).wait()
    loads = [Load(service, number) for number in range(CONNECTIONS)]

    def seen():
        return sum((load.seen for load in loads), Counter())

    def until(*expected):
        """Waits until every connection's answers name what is expected, and nothing else any more."""
        deadline = time.monotonic() + NEVER
        while time.monotonic() < deadline:
            for load in loads:
                load.seen = Counter()
            time.sleep(1.0)
            if set(seen()) == set(expected):
                return
        raise AssertionError(f"expected {expected}, answers name {seen()}")

    champion, rest = ("1", None, True), ("1", None, False)
    try:
        for load in loads:
            load.start()
        until(champion, rest)
        tactful(shop, "promote", KIND, "--version", second, "--as", "challenger")
        until((second, "challenger", True), rest)
        tactful(shop, "promote", KIND, "--version", second, "--as", "shadow")
        until(champion, rest)
        tactful(shop, "promote", KIND, "--version", second)
        until((second, None, True), (second, None, False))
        tactful(shop, "promote", KIND, "--rollback")
        until(champion, rest)
    finally:
        for load in loads:
            load.done.set()
        for load in loads:
            load.join(timeout=NEVER)
        stopped = service.stop()
    assert stopped == 0
    status = sum((load.status for load in loads), Counter())
    assert set(status) == {200}
    assert status[200] > 100
