"""What one decision costs beside the store, the features and the models: rules, guard, worth, draw, fates, documents.

40 actions on 4 channels, 10 of them scored, customers with 200 interactions; CPU time of one thread.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

import deciding_shop
import orjson
import pytest

from serving import metrics, scoring, shown
from serving.decisions.decide import decide
from serving.decisions.eligibility import candidates
from serving.decisions.request import Request
from serving.engine import Engine

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
KNOWN, ROUNDS = 200, 15
MOST = 10  # times what orjson takes to write and read the same documents: a measure of the machine


class Told:
    """Probabilities that are known already."""

    def __init__(self, real, treatments):
        self.known = dict(zip((each.key for each in treatments), real(treatments), strict=True))

    def __call__(self, asked):
        return [self.known[each.key] for each in asked]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    found = Engine.open(deciding_shop.build(tmp_path_factory.mktemp("deciding") / "shop", KNOWN))
    found.warm()
    yield found
    found.close()


def prepared(engine, direction):
    """What a decision about each customer is given."""
    treatments, cases = candidates(engine.playbook.actions, None), []
    for number in range(KNOWN):
        read = engine.read(f"C{number}")
        now = read.customer.now(engine.clock.now())
        scores = scoring.scores(engine.vectors, engine.champions.current, engine.vectors.of(read.state, now))
        told = replace(scores, propensity=Told(scores.propensity, treatments))
        request = Request(f"C{number}", f"d-{number}", "email", direction)
        cases.append((request, read.customer, told, now))
    return cases


def each(of: Callable[..., object], cases) -> float:
    """Microseconds of CPU, the median round."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for case in cases:
            of(*case)
        rounds.append((time.process_time() - started) / len(cases) * 1e6)
    return median(rounds)


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_the_core_of_a_decision(engine, direction, capsys):
    cases = prepared(engine, direction)

    def decided(request, customer, scores, now):
        return decide(request, customer, scores, engine.playbook, now, 0.5)

    def whole(*case):
        decision = decided(*case)
        decision.to_bytes()
        metrics.decided(decision)
        return orjson.dumps(shown.decision(decision.as_dict()))

    documents = [(decided(*case).to_bytes(),) for case in cases]
    alone, told = each(decided, cases), each(whole, cases)
    machine = each(lambda document: orjson.dumps(orjson.loads(document)), documents)
    with capsys.disabled():
        print(
            f"\n{direction}: deciding {alone:.0f} us, with log entry, answer and counters {told:.0f} us "
            f"({told / machine:.1f} times orjson's writing and reading of the entry, {machine:.0f} us)"
        )
    assert told < MOST * machine
