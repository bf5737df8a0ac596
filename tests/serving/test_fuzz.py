"""schemathesis over the OpenAPI document: whatever is sent, no 5xx, and every answer is one that is documented."""

import os

import market
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from mounted import KEY, mounted
from running import running
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from serving.client import create_key
from serving.engine import Engine

#: Each run asks the same: TACTFUL_FUZZ_SEED=2 asks something else.
SEED = int(os.environ.get("TACTFUL_FUZZ_SEED", 1))
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


def fuzz(schema, key, examples):
    """Sends `examples` valid and as many invalid requests to every operation; their number."""
    sent = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:

            @seed(SEED)
            @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def one(case):
                nonlocal sent
                sent += 1
                case.call_and_validate(headers={"X-API-Key": key}, checks=CHECKS)

            one()
    return sent


def test_briefly(shop_template, tmp_path):
    engine = Engine.open(market.copy(shop_template, tmp_path / "shop"))
    try:
        engine.warm()
        schema = schemathesis.openapi.from_asgi("/v1/openapi.json", mounted(engine))
        assert fuzz(schema, KEY, examples=5) > 100
    finally:
        engine.close()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_at_length_over_http(shop_template, tmp_path):
    shop = market.copy(shop_template, tmp_path / "shop")
    key = create_key(shop, "fuzz", ["admin"])  # which opens every call
    with running(shop) as service:
        schema = schemathesis.openapi.from_url(f"{service.url}/v1/openapi.json")
        assert fuzz(schema, key, examples=40) > 1_000
        service.wait()
