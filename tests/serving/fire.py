"""A process of the fire: decides, claims and reports on hot customers, many requests at once, by a clock that is given.

    python fire.py URL FOLDER WORKER SEED

FOLDER/plan.json says how much there is to do. Every request is written to FOLDER/WORKER-SEED.log before it is asked
("ask") and once it is acknowledged ("ack"), so that the parent knows what was promised, whenever it kills us. The clock
is the progress of all processes together, from START over SPAN, and they disagree about it by up to half an hour.
"""

import asyncio
import heapq
import json
import mmap
import os
import random
import struct
import sys
import time
from pathlib import Path

import patience

from features.clock import DAY, HOUR, MINUTE, parse_instant
from serving.decisions.decide import decide
from serving.decisions.decision import Request, Scores
from serving.decisions.guard import judge_claim, stamp
from serving.decisions.policy import Actions, ContactPolicy, Playbook
from serving.store import open_url
from serving.store.protocol import Conflict, Store, Verdict

START = parse_instant("2026-10-03T00:00:00Z")
#: Clocks change on Lord Howe (by half an hour), in Berlin and in New York while it burns.
SPAN = 30 * DAY
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
)
WORKERS = 8

ACTIONS = [
    {"name": "offer", "issue": "grow", "group": "g", "channels": ["email", "phone"], "value": 60},
    {"name": "upgrade", "issue": "grow", "group": "g", "channels": ["phone", "email"], "value": 50, "tags": ["news"]},
    {"name": "letter", "issue": "keep", "group": "h", "channels": ["email"], "value": 40, "tags": ["news", "long"]},
    {"name": "call", "issue": "keep", "group": "h", "channels": ["phone"], "value": 30},
    {"name": "survey", "issue": "keep", "group": "k", "channels": ["email", "phone"], "value": 20},
]
CAPS = [
    {"scope": "total", "max": 3, "window": "7d"},
    {"scope": "total", "max": 1, "per": "day"},
    {"scope": "channel", "name": "email", "max": 2, "per": "week"},
    {"scope": "channel", "name": "phone", "max": 2, "window": "10d"},
    {"scope": "group", "max": 4, "per": "month"},
    {"scope": "tag", "name": "news", "max": 2, "window": "15d"},
    {"scope": "action", "max": 1, "window": "36h"},
]
BOOK = Playbook(
    Actions.model_validate({"actions": ACTIONS}),
    ContactPolicy.model_validate(
        {
            "caps": CAPS,
            "consent": {"unknown": "granted"},
            "holdout": {"share": 0.0},
            "withholding": {"share": 0.0},
            "exploration": {"epsilon": 0.0},
            "fallback": {"propensity": 0.5},
            "reservation": {"expires": "12h"},
        }
    ),
)


def zone_of(customer: int) -> str:
    return ZONES[customer % len(ZONES)]


def light(store: Store, customers: int) -> None:
    """Tells the store where every customer lives."""
    rows = [
        {
            "record_id": f"home-{i}",
            "customer_id": f"C{i}",
            "valid_from": START - 9 * DAY,
            "received_at": START - 9 * DAY,
            "attributes": json.dumps({"time_zone": zone_of(i)}),
        }
        for i in range(customers)
    ]
    assert store.record_attributes(rows).result().accepted == customers


class Progress:
    """How many requests each process has asked, and how many all may ask by now, in a file that outlives it."""

    def __init__(self, folder: Path) -> None:
        path = folder / "progress"
        if not path.exists():
            path.write_bytes(bytes(8 * (WORKERS + 1)))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * (WORKERS + 1))

    def total(self) -> int:
        return sum(struct.unpack(f"{WORKERS}q", self._map[: 8 * WORKERS]))

    def step(self, worker: int) -> int:
        (done,) = struct.unpack_from("q", self._map, 8 * worker)
        struct.pack_into("q", self._map, 8 * worker, done + 1)
        return int(done) + 1

    def allow(self, requests: int) -> None:
        struct.pack_into("q", self._map, 8 * WORKERS, requests)

    def allowed(self) -> int:
        return int(struct.unpack_from("q", self._map, 8 * WORKERS)[0])


def recheck(customer, contact, now):
    why = "; ".join(trip.text for trip in judge_claim(customer, contact, BOOK, now)) or None
    return Verdict(why, *stamp(customer, BOOK, now))


class Worker:
    def __init__(self, store: Store, folder: Path, worker: int, seed: int) -> None:
        plan = json.loads((folder / "plan.json").read_text())
        self.requests, self.customers, self.at_once = plan["requests"], plan["customers"], plan["at_once"]
        self.store, self.worker, self.name = store, worker, f"{worker}-{seed}"
        self.chance = random.Random(f"{plan['seed']}-{self.name}")
        self.progress = Progress(folder)
        self.log = os.open(folder / f"{self.name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.later: list[tuple[int, int, list, str]] = []  # due when, tie, what follows, whose
        self.made = 0
        self.claimed: set[str] = set()
        self.resume(folder)

    def write(self, kind: str, what: str, **more: object) -> None:
        line = {"kind": kind, "what": what, "seq": time.monotonic_ns(), "time": self.time(), **more}
        os.write(self.log, json.dumps(line).encode() + b"\n")

    def time(self) -> int:
        return START + int(min(self.progress.total() / self.requests, 1.0) * SPAN)

    def clock(self) -> int:
        return self.time() + self.chance.randint(-30 * MINUTE, 30 * MINUTE)

    def course(self) -> list[tuple[str, float]]:
        """What the channel will do with a contact, if it gets one: each with the hours that it waits before."""
        dice, after = self.chance.random(), self.chance.random()
        wait = 16.0 * self.chance.random()
        if dice > 0.9:  # sent without a claim, given up, or forgotten
            return [("sent", wait)] if dice < 0.92 else [("failed", wait)] if dice < 0.96 else []
        course = [("claim", wait if dice < 0.5 else 0.0)]
        if self.chance.random() < 0.1:
            course.append(("claim", 0.0))  # twice
        if after < 0.8:
            course.append(("sent", 0.0 if after < 0.7 else 9 * 24.0 * self.chance.random()))  # in time, or late
            if self.chance.random() < 0.15:  # and again
                course.append(("sent" if dice < 0.4 else "failed", 48.0 * self.chance.random()))
        elif after < 0.9:
            course.append(("failed", 24.0 * self.chance.random()))
        return course  # the rest is never reported

    def plan(self, course: list[tuple[str, float]], contact_id: str, since: int) -> None:
        if course:
            self.made += 1
            heapq.heappush(self.later, (since + int(course[0][1] * HOUR), self.made, course, contact_id))

    def resume(self, folder: Path) -> None:
        """The channel remembers what it was about to do when our forerunner was killed."""
        courses, since = {}, {}
        for path in sorted(folder.glob(f"{self.worker}-*.log")):
            for text in path.read_text().splitlines(keepends=True):
                line = json.loads(text) if text.endswith("\n") else {"kind": "torn"}
                if line["kind"] == "ask" and line["what"] == "decide":
                    courses[f"{line['id']}.1"] = line["course"]
                elif line["kind"] == "ack" and line["what"] == "decide" and line["granted"]:
                    since[line["granted"]] = line["time"]
                elif line["kind"] == "ack" and line["what"] in ("claim", "sent", "failed"):
                    since[line["id"]], courses[line["id"]] = line["time"], courses[line["id"]][1:]
                    if line["what"] == "claim" and line["refused"] and line["id"] not in self.claimed:
                        courses[line["id"]] = []
                    elif line["what"] == "claim":
                        self.claimed.add(line["id"])
        for contact_id, at in since.items():
            self.plan(courses[contact_id], contact_id, at)

    async def run(self) -> None:
        await asyncio.gather(*(self.connection() for _ in range(self.at_once)))

    async def connection(self) -> None:
        while (asked := self.progress.total()) < self.requests:
            if asked >= self.progress.allowed():  # whoever kills us comes late: it shall not be over by then
                await asyncio.sleep(0.01)
                continue
            self.progress.step(self.worker)
            if self.later and self.later[0][0] <= self.time():
                _, _, course, contact_id = heapq.heappop(self.later)
                await self.follow(course, contact_id)
            elif self.chance.random() < 0.04:
                await self.interaction()
            else:
                await self.decide()

    async def decide(self) -> None:
        self.made += 1
        decision_id = f"d-{self.name}-{self.made}"
        customer_id, channel = f"C{self.chance.randrange(self.customers)}", self.chance.choice(["email", "phone", None])
        again = self.chance.random() < 0.05
        asked = Request(customer_id, decision_id, channel, request_id=f"r-{decision_id}" if again else None)
        clock, uniform, course = self.clock(), self.chance.random(), self.course()
        told = {"customer": customer_id, "channel": channel, "clock": clock, "course": course}
        self.write("ask", "decide", id=decision_id, **told)
        granted, lost = await self.ask(asked, clock, uniform)
        self.write("ack", "decide", id=decision_id, granted=granted, lost=lost)
        if again:  # the same request twice is one decision
            repeat = Request(customer_id, decision_id + "-again", channel, request_id=asked.request_id)
            self.write("ack", "repeated", id=decision_id, same=await self.ask(repeat, clock, uniform) == (None, 0))
        if granted is not None:
            self.plan(course, granted, self.time())

    async def ask(self, asked: Request, clock: int, uniform: float) -> tuple[str | None, int]:
        """(the contact that was reserved, how many races were lost)."""
        scores = Scores(propensity=lambda candidates: [0.5] * len(candidates))
        for lost in range(1_000):
            customer = self.store.read(asked.customer_id).customer
            decision = decide(asked, customer, scores, BOOK, customer.now(clock), uniform)
            commit = await asyncio.wrap_future(self.store.commit_decision(decision))
            if commit.status == "repeated":
                return None, 0
            if commit.status == "committed":
                return next((contact.contact_id for contact in decision.contacts), None), lost
        raise AssertionError("a thousand races lost in a row")

    async def follow(self, course: list[tuple[str, float]], contact_id: str) -> None:
        """The next thing that happens to a contact; after a claim that was refused, nothing does."""
        what, now = course[0][0], self.clock()
        self.write("ask", what, id=contact_id, clock=now)
        asked = (
            self.store.claim(contact_id, now, recheck)
            if what == "claim"
            else getattr(self.store, what)(contact_id, now)
        )
        try:
            await asyncio.wrap_future(asked)
        except Conflict as error:
            self.write("ack", what, id=contact_id, refused=str(error))
            if what == "claim" and contact_id not in self.claimed:
                return
        else:
            self.write("ack", what, id=contact_id, refused=None)
            if what == "claim":
                self.claimed.add(contact_id)
        self.plan(course[1:], contact_id, self.time())

    async def interaction(self) -> None:
        self.made += 1
        now, interaction_id = self.clock(), f"i-{self.name}-{self.made}"
        row = {
            "interaction_id": interaction_id,
            "customer_id": f"C{self.chance.randrange(self.customers)}",
            "occurred_at": now,
            "received_at": now,
            "channel": "web",
            "direction": "inbound",
            "type": "page_view",
            "identified": True,
            "provenance": "observed",
        }
        self.write("ask", "interaction", id=interaction_id, customer=row["customer_id"], clock=now)
        await asyncio.wrap_future(self.store.record([row]))
        self.write("ack", "interaction", id=interaction_id)


if __name__ == "__main__":
    patience.patient_store()
    store = open_url(sys.argv[1])
    try:
        asyncio.run(Worker(store, Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])).run())
    finally:
        store.close()
