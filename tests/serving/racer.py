"""Processes that decide, claim and report on hot customers at once.

    python racer.py URL SEED STEPS CUSTOMERS [PROCESSES]

Several are forked from one that has imported everything, which takes longer than their race; each has the next seed.

Its clock jumps at random over windows, reservations and expiries; processes disagree about the time on purpose.
Prints one JSON line for each thing the store acknowledged, after it was acknowledged. Begins when it is given a line:
those who started late on a busy machine would race nobody.
"""

import json
import os
import random
import sys

import patience
from worlds import ACTIONS, NOW, flat, policy, request

from features.clock import HOUR
from serving.decisions.decide import decide
from serving.decisions.guard import judge_claim
from serving.decisions.policy import Actions, Playbook
from serving.store import open_url
from serving.store.protocol import Conflict

#: Without the exempt actions, which may pass caps: so that a naive checker needs no exceptions.
CAPPED = Actions(actions=[action for action in ACTIONS.actions if action.exempt is None])
BOOK = Playbook(
    CAPPED,
    policy(
        caps=[
            {"scope": "total", "max": 3, "window": "7d"},
            {"scope": "channel", "name": "email", "max": 2, "window": "3d"},
            {"scope": "action", "max": 1, "window": "2d"},
        ],
        exploration={"epsilon": 0.5},
        withholding={"share": 0.1},
        reservation={"expires": "12h"},
    ),
)


def recheck(customer, contact, now):
    trips = judge_claim(customer, contact, BOOK, now)
    return "; ".join(trip.text for trip in trips) or None


def acknowledged(kind: str, **what: object) -> None:
    sys.stdout.write(json.dumps({"kind": kind, **what}) + "\n")
    sys.stdout.flush()


def run(url: str, seed: int, steps: int, customers: int) -> None:
    chance, held = random.Random(seed), []
    store = open_url(url)
    acknowledged("ready")
    os.read(sys.stdin.fileno(), 1)  # of those who share it, each takes one
    clock, lost = NOW, 0
    for step in range(steps):
        clock += chance.choice([0, 0, HOUR // 4, HOUR, 5 * HOUR])
        mine = clock + chance.randint(-HOUR, HOUR)
        customer_id = f"C{chance.randrange(customers)}"
        dice = chance.random()
        if dice < 0.6:
            uniform = chance.random()
            asked = request(customer_id, f"{seed}-{step}", channel=chance.choice(["email", "phone", None]))
            while True:
                customer = store.read(customer_id).customer
                decision = decide(asked, customer, flat(), BOOK, customer.now(mine), uniform)
                if store.commit_decision(decision).result().status == "committed":
                    break
                lost += 1
            acknowledged("decision", id=asked.decision_id)
            if decision.contact is not None:
                held.append(decision.contact.contact_id)
        elif dice < 0.9 and held:
            chosen = chance.choice(held)
            try:
                claimed = store.claim(chosen, mine, recheck).result()
                acknowledged("claim", id=chosen, at=claimed.touched_at)
            except Conflict:
                held.remove(chosen)
            else:
                if chance.random() < 0.6:
                    store.sent(chosen, mine).result()
                    acknowledged("sent", id=chosen)
                elif chance.random() < 0.5:
                    store.failed(chosen, mine).result()
                    acknowledged("failed", id=chosen)
        else:
            row = {
                "interaction_id": f"r{seed}-{step}",
                "customer_id": customer_id,
                "occurred_at": mine,
                "received_at": mine,
                "channel": "email",
                "direction": "inbound",
                "type": f"kind {chance.randrange(40)}",
                "identified": True,
                "provenance": "observed",
            }
            store.record([row]).result()
            acknowledged("interaction", id=row["interaction_id"])
    acknowledged("done", lost=lost)
    store.close()


if __name__ == "__main__":
    patience.patient_store()
    seed, steps, customers = map(int, sys.argv[2:5])
    processes = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    if processes == 1:
        run(sys.argv[1], seed, steps, customers)
    else:
        open_url(sys.argv[1]).close()  # which imports the rest
        forked = {}
        for each in range(seed, seed + processes):
            if not (child := os.fork()):
                run(sys.argv[1], each, steps, customers)
                sys.exit()
            forked[child] = each
        ends = {seed: os.waitpid(child, 0)[1] for child, seed in forked.items()}
        sys.exit(f"of seeds and how they ended: {ends}" if any(ends.values()) else 0)
