"""Decisions while pages are being opened: both through the same app, on one event loop, as a worker has them."""

import asyncio
import time

import httpx
import numpy as np
import pytest
from mounted import KEY, mounted

from serving.engine import Engine
from training.reports import jobs

pytestmark = pytest.mark.slow
ROUNDS, DECISIONS = 15, 20


async def measured(app):
    """Milliseconds of decisions, alone and while one page after the other is opened; and how many pages there were."""
    took = {False: [], True: []}
    opened = 0
    asking = asyncio.Event()

    async def read(client):
        nonlocal opened
        while True:
            await asking.wait()
            answer = await client.get("/console/uplift")
            assert answer.status_code == 200
            opened += 1

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers={"X-API-Key": KEY}) as client:
        reading = asyncio.ensure_future(read(client))
        for busy in (False, True) * ROUNDS:
            if busy:
                asking.set()
            else:
                asking.clear()
            for k in range(DECISIONS):
                body = {"customer_id": f"c{k:07d}", "channel": "email", "dry_run": False}
                start = time.perf_counter()
                answer = await client.post("/v1/decide", json=body)
                took[busy].append((time.perf_counter() - start) * 1e3)
                assert answer.status_code == 200
                await asyncio.sleep(0.002)
        reading.cancel()
    return took, opened


def test_decisions_hardly_wait_for_pages(world):
    """Made on the event loop, one page would hold up a decision for as long as it takes itself."""
    jobs.make(world, "uplift")
    engine = Engine.open(world)
    engine.warm()
    try:
        took, opened = asyncio.run(measured(mounted(engine)))
    finally:
        engine.close()
    alone, beside = (np.percentile(took[busy], [50, 90, 99]) for busy in (False, True))
    print(
        f"\ndecisions: p50, p90, p99 alone {alone.round(1)} ms, while {opened} pages were opened {beside.round(1)} ms"
    )
    assert opened > ROUNDS / 2
    assert beside[0] < 3 * alone[0]
