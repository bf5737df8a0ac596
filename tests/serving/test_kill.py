"""kill -9 under load: whatever was acknowledged is there after the restart, and no contact counts twice."""

import random
import signal
import threading
import time
from collections import Counter

import httpx
import market
import psutil
import pytest
from running import Running

from features.history import History
from serving import sync
from serving.store import open_store

CUSTOMERS = 12  # few, so that they are hot: caps bind and races happen
CAP = 2  # contacts a week in market.POLICY
CLIENTS = 6
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


class Load:
    """Clients that remember what was acknowledged, and nothing else."""

    def __init__(self, service):
        self.service = service
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.interactions, self.decisions, self.outcomes, self.contacts = [], [], [], {}
        self.unexpected = []
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def run(self, number):
        dice = random.Random(number)
        turn = 0
        with self.service.client() as client:
            while not self.stop.is_set():
                turn += 1
                try:
                    self.step(client, dice, f"{id(self)}-{number}-{turn}")
                except httpx.TransportError:
                    time.sleep(0.1)  # killed: nothing was acknowledged, ask again later

    def goes_on(self, seconds):
        """For so long, and until something was acknowledged: on a busy machine seconds may bring nothing."""
        enough, began = len(self.decisions) + 25, time.monotonic()
        time.sleep(seconds)
        while len(self.decisions) < enough:
            assert time.monotonic() < began + 240, "the load is no load"
            time.sleep(0.05)

    def post(self, client, path, body=None):
        answer = client.post(path, json=body)
        if answer.status_code not in (200, 401, 409, 503, 504):
            with self.lock:
                self.unexpected.append((path, answer.status_code, answer.text))
        return answer.json() if answer.status_code == 200 else None

    def step(self, client, dice, name):
        customer = f"hot-{dice.randrange(CUSTOMERS)}"
        rows = [market.interaction(f"{name}-{i}", customer) for i in range(dice.randrange(1, 6))]
        if self.post(client, "/v1/interactions", {"interactions": rows}):
            with self.lock:
                self.interactions += rows
        asked = {"customer_id": customer, "channel": dice.choice(["email", "mail"]), "request_id": f"r-{name}"}
        decision = self.post(client, "/v1/decide", asked)
        if decision is None:
            return
        with self.lock:
            self.decisions.append((asked, decision))
        told = {"decision_id": decision["decision_id"], "outcome": "impression"}
        if self.post(client, "/v1/outcomes", told):
            with self.lock:
                self.outcomes.append(told)
        if (contact := decision["contact_id"]) is None:
            return
        for step in dice.choice((["claim"], ["claim", "sent"], ["claim", "failed"], ["failed"])):
            if done := self.post(client, f"/v1/contacts/{contact}/{step}"):
                with self.lock:
                    self.contacts[contact] = done


def worker_of(service):
    """The process that answers: the one of the group that listens through BentoML's worker script."""
    family = psutil.Process(service.process.pid).children(recursive=True)
    return next(p for p in family if "_bentoml_impl.worker.service" in p.cmdline())


def test_everything_acknowledged_survives_and_nothing_counts_twice(shop):
    service = Running(shop).wait()
    loads = []
    try:
        with Load(service) as load:
            loads.append(load)
            load.goes_on(4)
            worker = worker_of(service)
            worker.send_signal(signal.SIGKILL)  # its parent starts another
            worker.wait(60)
            service.wait()
            load.goes_on(3)
            service.kill()  # parent and worker: as if the power went
        service = Running(shop, service.key).wait()
        with Load(service) as load:
            loads.append(load)
            load.goes_on(2)
            service.kill()
        service = Running(shop, service.key).wait()
        for load in loads:
            assert not load.unexpected
            check(service, load)
    finally:
        service.kill()
    check_log(shop, loads)


def check(service, load):
    """Asks for everything again: what was acknowledged must be known already."""
    with service.client() as client:
        for start in range(0, len(load.interactions), 1000):
            batch = load.interactions[start : start + 1000]
            receipt = client.post("/v1/interactions", json={"interactions": batch}).json()
            assert (receipt["duplicates"], receipt["accepted"]) == (len(batch), 0)
        for asked, decision in load.decisions:
            assert client.post("/v1/decide", json=asked).json() == decision
        for told in load.outcomes:
            assert client.post("/v1/outcomes", json=told).json()["accepted"] is False
        for contact, done in load.contacts.items():
            if done["state"] != "failed":
                assert client.post(f"/v1/contacts/{contact}/claim").status_code == 409
            if done["state"] == "sent":
                assert client.post(f"/v1/contacts/{contact}/sent").json() == done


def check_log(shop, loads):
    """Reads the logs as history keeps them: caps held, every contact once."""
    store = open_store(shop)
    try:
        sync.sync(shop, store)
        held = Counter(
            contact.customer_id
            for customer in range(CUSTOMERS)
            for contact in store.read(f"hot-{customer}").customer.contacts
            if contact.state in ("reserved", "claimed", "sent")
        )
    finally:
        store.close()
    assert held
    assert max(held.values()) <= CAP
    table = History(shop).interactions(["interaction_id", "customer_id", "type", "direction", "decision_id"])
    ids = Counter(table["interaction_id"].to_pylist())
    assert max(ids.values()) == 1
    made = Counter(
        row["decision_id"]
        for row in table.to_pylist()
        if row["direction"] == "outbound" and str(row["customer_id"]).startswith("hot-")
    )
    sent = {d["decision_id"] for load in loads for d in load.contacts.values() if d["state"] == "sent"}
    assert sent <= set(made)
    assert max(made.values()) == 1
