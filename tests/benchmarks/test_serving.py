"""Decisions over HTTP: the first cold one, a thousand in a row, sixteen connections beside an echo, and the headline.

The echo answers the same payload through the same configured service, so the ratio is what deciding costs; absolute
milliseconds belong to the machine, and so do processes sharing its cores with the load generator. The headline is how
many decisions a second one machine makes for as long as $TACTFUL_BENCH_HEADLINE says (10 s), by worker count.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import stores
import uvloop
from running import Running, free_port, running

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]
CONNECTIONS = 16
SECONDS = 8.0
HEADLINE = float(os.environ.get("TACTFUL_BENCH_HEADLINE", 10))
#: Ten times the average of 2019 of a whole hub of Kitewheel's: 8 billion decisions a year.
TEN_HUBS = 2_540

KNOWN = 500  # customers with 200 interactions each


def body(customer, direction="outbound"):
    return {"customer_id": customer, "channel": "email", "direction": direction}


def in_a_row(client, customers, direction):
    """Milliseconds of each decision, one after the other over one connection."""
    took = []
    for customer in customers:
        start = time.perf_counter()
        answer = client.post("/v1/decide", json=body(customer, direction))
        took.append((time.perf_counter() - start) * 1e3)
        assert answer.status_code == 200
    return np.array(took)


async def load(port, key, seconds):
    """Milliseconds of every answer over CONNECTIONS connections that each ask again as soon as they are answered."""
    took = []
    end = time.perf_counter() + seconds

    async def connection(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turn = 0
        while (start := time.perf_counter()) < end:
            turn += 1
            content = b'{"customer_id":"C%d","channel":"email","direction":"inbound"}' % ((number * 7 + turn) % KNOWN)
            head = (
                f"POST /v1/decide HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            )
            writer.write(head.encode() + content)
            header = await reader.readuntil(b"\r\n\r\n")
            assert header.startswith(b"HTTP/1.1 200"), header
            length = int(header.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            took.append((time.perf_counter() - start) * 1e3)
        writer.close()

    await asyncio.gather(*(connection(n) for n in range(CONNECTIONS)))
    return np.array(took)


def workers(process):
    """The processes that answer."""
    family = psutil.Process(process.pid).children(recursive=True)
    return [p for p in family if "_bentoml_impl.worker.service" in p.cmdline()]


def spent(processes):
    """CPU seconds, all threads."""
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


def measured(port, key, process, seconds=SECONDS):
    """(answers a second, p50 ms, p99 ms, process CPU us an answer) under load."""
    uvloop.run(load(port, key, 1.0))
    answering = workers(process)
    before = spent(answering)
    took = uvloop.run(load(port, key, seconds))
    cpu = (spent(answering) - before) * 1e6 / len(took)
    p50, p99 = np.percentile(took, [50, 99])
    return len(took) / seconds, p50, p99, cpu


def echo(tmp_path, key, answer, shop):
    """The echo service, ready."""
    file = tmp_path / "answer.json"
    file.write_bytes(answer)
    port = free_port()
    words = [sys.executable, "-m", "bentoml", "serve", "echo_service:EchoService", "--host", "127.0.0.1"]
    words += ["--port", str(port), "--working-dir", str(Path(__file__).parent)]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "ECHO_KEY": key, "ECHO_ANSWER": str(file), "PYTHONPATH": root}
    environment["BENTOML_HOME"] = str(shop.folder / "state" / "bentoml-echo")
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return process, port
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    raise AssertionError("the echo did not start")


@pytest.fixture(scope="module")
def forty(tmp_path_factory):
    """A shop with 40 actions on 4 channels."""
    import deciding_shop

    return deciding_shop.build(tmp_path_factory.mktemp("forty") / "shop", KNOWN)


@pytest.fixture(params=["sqlite", "postgres"])
def stored(forty, request, tmp_path):
    """The same on each store; PostgreSQL with synchronous_commit and fsync on."""
    from features.workspace import Workspace

    folder = tmp_path / "shop"
    shutil.copytree(forty.folder, folder)
    server = stores.start(tmp_path / "pg") if request.param == "postgres" else None
    if server is not None:
        with (folder / "tactful.yaml").open("a") as file:
            file.write(f"store: {{url: '{server.get_uri()}'}}\n")
    yield Workspace.open(folder)
    if server is not None:
        server.stop()  # not when pytest is done: its folder is closed to the server by then


def test_decisions_over_http(stored, tmp_path):
    shop = stored
    with running(shop) as service:
        with service.client() as client:
            cold = in_a_row(client, ["a-stranger"], "outbound")[0]
            known = in_a_row(client, [f"C{i % KNOWN}" for i in range(1000)], "inbound")
            strangers = in_a_row(client, [f"new-{i}" for i in range(1000)], "outbound")
            sample = client.post("/v1/decide", json=body("C1", "inbound")).content
        ours = measured(service.port, service.key, service.process)
        process, port = echo(tmp_path, service.key, sample, shop)
        try:
            theirs = measured(port, service.key, process)
        finally:
            process.terminate()
            process.wait(timeout=30)
    print(f"\n{shop.settings.store.url.partition(':')[0]}: 10 of 40 actions scored, 200 interactions a customer")
    print(f"first decision, cold profile     {cold:8.1f} ms")
    for name, took in (("1,000 in a row, inbound", known), ("1,000 in a row, reserving", strangers)):
        p50, p99 = np.percentile(took, [50, 99])
        print(f"{name:32} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")
    for name, (rate, p50, p99, cpu) in ((f"{CONNECTIONS} connections, decide", ours), ("the same, echo", theirs)):
        print(f"{name:32} {rate:7.0f}/s   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   {cpu:6.0f} us CPU an answer")
    time_, p99, cpu = theirs[0] / ours[0], ours[2] / theirs[2], ours[3] / theirs[3]
    print(f"{'decide to echo':32} {time_:.1f}x time, {p99:.1f}x p99, {cpu:.1f}x CPU")
    assert known.max() < 10_000


def on_disk(shop):
    """How many decisions the store holds."""
    url = shop.store_url
    place = stores.Place(url.partition(":")[0], url)
    return place.query("SELECT count(*) FROM decisions")[0][0]


@pytest.mark.parametrize("number", [1, 2])
def test_headline(stored, number):
    service = Running(stored, workers=number)
    try:
        service.wait()
        ready = 0
        while ready < 20 * number:  # in a row, each over a connection of its own: whichever worker takes it
            found = service.readiness()
            ready = ready + 1 if found is not None and found.status_code == 200 else 0
            time.sleep(0.02 if ready else 0.3)
        before = on_disk(stored)
        rate, p50, p99, cpu = measured(service.port, service.key, service.process, HEADLINE)
        kept = on_disk(stored) - before
    finally:
        service.kill()
    print(
        f"\n{stored.store_url.partition(':')[0]}, {number} worker{'s' * (number > 1)}, {HEADLINE:g} s, load generator "
        f"on the same {os.cpu_count()} cores: {rate:.0f} decisions/s = {rate / TEN_HUBS:.0%} of {TEN_HUBS:,}/s; "
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, {cpu:.0f} us CPU of the workers each"
    )
    assert kept >= rate * HEADLINE, "acknowledged means on disk"
