"""What reading and scoring one customer costs: the read, the feature vector, both models, what an agent is told.

Customers with 200 interactions and a few contacts, ten candidates; CPU time of one thread, SQLite.
"""

import time

import deciding_shop
import pytest

from serving import scoring
from serving.decisions.eligibility import candidates
from serving.engine import Engine

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
KNOWN, ROUNDS = 200, 15
#: Microseconds: a quarter of what a decision over HTTP may take.
MOST = 150


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    found = Engine.open(deciding_shop.build(tmp_path_factory.mktemp("reading") / "shop", KNOWN))
    found.warm()
    yield found
    found.close()


def best(work) -> float:
    """Microseconds of CPU a customer, the best round."""
    rounds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for number in range(KNOWN):
            work(f"C{number}")
        rounds.append((time.process_time() - begin) / KNOWN * 1e6)
    return min(rounds)


def test_reading_and_scoring_one_customer(engine):
    asked = candidates(engine.playbook.actions, "email")
    assert len(asked) == deciding_shop.PER_CHANNEL
    champions, reads = engine.champions.current, {f"C{i}": engine.read(f"C{i}") for i in range(KNOWN)}
    now = {name: read.customer.now(engine.clock.now()) for name, read in reads.items()}
    values = {name: engine.vectors.of(read.state, now[name]) for name, read in reads.items()}

    def all_of_it(name):
        read = engine.read(name)
        vector = engine.vectors.of(read.state, read.customer.now(engine.clock.now()))
        scoring.scores(engine.vectors, champions, vector).propensity(asked)
        return read.customer.sightings.topics()

    parts = {
        "read": best(engine.read),
        "feature vector": best(lambda name: engine.vectors.of(reads[name].state, now[name])),
        "churn": best(lambda name: scoring.churn(champions, values[name])),
        "propensity of 10": best(lambda name: scoring.Propensities(champions["propensity"], values[name])(asked)),
        "last topics": best(lambda name: reads[name].customer.sightings.topics()),
    }
    whole = best(all_of_it)
    for part, took in parts.items():
        print(f"{part:>18}: {took:6.1f} us")
    print(f"{'all':>18}: {whole:6.1f} us, at most {MOST}")
    assert all_of_it("C0")
    assert whole <= MOST
