"""What shadow models add to one decision: ten candidates scored once more, and their scores in the log.

Rounds without and with a shadow take turns, CPU time of one thread; what counts is the difference.
"""

import time
from statistics import median

import deciding_shop
import market
import pytest

from serving.challengers import Rivals
from serving.engine import Engine, deciding
from serving.schemas import DecideRequest

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
KNOWN, ROUNDS = 100, 21
#: Microseconds of CPU; on a busy machine half as much again.
MOST = 45.0


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    shop = deciding_shop.build(tmp_path_factory.mktemp("shadow") / "shop", KNOWN)
    market.register(shop, "propensity", seed=7, trees=50, alias="shadow")
    found = Engine.open(shop)
    found.warm()
    yield found
    found.close()


def test_a_shadow_beside_a_decision(engine, capsys):
    asked = [deciding._request(engine, DecideRequest(customer_id=f"C{i}", channel="email")) for i in range(KNOWN)]
    reads = [engine.read(request.customer_id) for request in asked]
    with_shadow, without = engine.rivals, Rivals(engine.workspace, engine.vectors.catalogue)
    assert set(with_shadow.shadows) == {"propensity"}

    def round_of(rivals):
        engine.rivals = rivals
        started = time.process_time()
        for request, read in zip(asked, reads, strict=True):
            deciding._decided(engine, request, read, read.customer.now(market.START), 0.5).to_bytes()
        return (time.process_time() - started) / KNOWN * 1e6

    plain, shadowed = [], []
    for _ in range(ROUNDS):
        plain.append(round_of(without))
        shadowed.append(round_of(with_shadow))
    more = median(b - a for a, b in zip(plain, shadowed, strict=True))
    least = min(shadowed) - min(plain)
    with capsys.disabled():
        print(
            f"\na decision in process, log entry included: {min(plain):.0f} us CPU; a shadow propensity adds {more:.0f}"
            f" (median of {ROUNDS} rounds that take turns; least against least {least:.0f})"
        )
    assert min(more, least) < MOST
