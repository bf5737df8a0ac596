"""Caps under fire: several processes on one store, killed at random; judged from the log by a naive checker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from racer import BOOK
from stores import Place

from features.state import State

HERE = Path(__file__).parent
SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def start(place: Place, seed: int, steps: int, customers: int, processes: int = 1) -> "subprocess.Popen[str]":
    arguments = [sys.executable, str(HERE / "racer.py"), place.url, *map(str, (seed, steps, customers, processes))]
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    return subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def go(process: "subprocess.Popen[str]", processes: int = 1) -> None:
    """Lets all begin at once, as soon as the last of them is ready."""
    assert process.stdout is not None
    assert process.stdin is not None
    for _ in range(processes):
        assert json.loads(process.stdout.readline()) == {"kind": "ready"}
    process.stdin.write("\n" * processes)
    process.stdin.flush()


def lines(text: str) -> list[dict[str, Any]]:
    """Complete lines only: a killed process may leave half of one."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def violations(place: Place) -> list[str]:
    """Every window in which more was claimed than a cap allows. Reads the tables directly; shares no code with us."""
    rows = place.query(
        "SELECT customer_id, action, grp, channel, touched_at FROM contacts WHERE state IN ('claimed', 'sent')"
    )
    by_customer = defaultdict(list)
    for customer, action, group, channel, at in rows:
        by_customer[customer].append({"action": action, "group": group, "channel": channel, "at": at})
    found = []
    for customer, contacts in by_customer.items():
        for cap in BOOK.policy.caps:
            length = int(cap.window[:-1]) * SECONDS[cap.window[-1]] * 1_000_000
            names = {"total"} if cap.scope == "total" else {contact[cap.scope] for contact in contacts}
            for name in names if cap.name is None else {cap.name}:
                at = sorted(c["at"] for c in contacts if cap.scope == "total" or c[cap.scope] == name)
                for last in at:
                    inside = sum(last - length <= each <= last for each in at)
                    if inside > cap.max:
                        found.append(f"{customer}: {inside} within {cap.label} ({name})")
    return found


def check(place: Place, acknowledged: list[dict[str, Any]]) -> None:
    """No cap broken, nothing acknowledged lost, and the log agrees with the tables."""
    assert violations(place) == []
    ids = defaultdict(set)
    for line in acknowledged:
        ids[line["kind"]].add(line.get("id"))
    with place.open() as store:
        assert ids["decision"] <= {line["decision_id"] for line in store.export("decisions", 0)}
        recorded = store.export("interactions", 0)
        assert ids["interaction"] <= {line["interaction_id"] for line in recorded}
        states = {line["id"]: store.contact(line["id"]) for line in acknowledged if line["kind"] == "claim"}
        assert all(contact is not None and contact.touched_at is not None for contact in states.values())
        assert all(states[each].state == "sent" for each in ids["sent"])
        assert all(states[each].state == "failed" for each in ids["failed"])
        held = {line["customer_id"]: State.from_bytes(store.read(line["customer_id"]).state) for line in recorded}
        assert sum(len(state.items) for state in held.values()) == len(recorded)  # no interaction counted twice
    if place.kind == "sqlite":
        assert place.query("PRAGMA integrity_check") == [("ok",)]


def race(place: Place, processes: int, steps: int, customers: int) -> list[dict[str, Any]]:
    place.open().close()
    running = start(place, 0, steps, customers, processes)
    go(running, processes)
    output, _ = running.communicate(timeout=1_000)
    assert running.returncode == 0
    found = lines(output)
    assert [line["kind"] for line in found].count("done") == processes
    return found


def test_processes_racing_for_one_customer_never_exceed_a_cap(place):
    acknowledged = race(place, processes=3, steps=60, customers=3)
    check(place, acknowledged)
    kinds = [line["kind"] for line in acknowledged]
    assert kinds.count("decision") > 72
    assert {"claim", "sent"} <= set(kinds)
    with place.open() as store:  # the caps were worth defending; how many claims they let through is a matter of luck
        assert sum("cap total" in json.dumps(line["candidates"]) for line in store.export("decisions", 0)) > 12


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_eight_processes_racing_on_hot_customers(place):
    acknowledged = race(place, processes=8, steps=1_200, customers=25)
    check(place, acknowledged)
    assert sum(line.get("lost", 0) for line in acknowledged) > 0  # races were lost, and judged again


@pytest.mark.slow
def test_kill_9_loses_nothing_acknowledged(place):
    acknowledged = []
    place.open().close()
    for attempt in range(3):
        with start(place, 100 + attempt, 100_000, 5) as process:
            go(process)
            assert process.stdout is not None
            read = [process.stdout.readline() for _ in range(60)]
            time.sleep(0.05 * attempt)
            process.send_signal(signal.SIGKILL)
            read.append(process.stdout.read())
        assert process.returncode == -signal.SIGKILL
        acknowledged += lines("".join(read))
    assert len(acknowledged) >= 150
    check(place, acknowledged)
