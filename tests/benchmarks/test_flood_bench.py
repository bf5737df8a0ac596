"""What is let in while four hundred connections never wait, against sixteen: p99 and rate."""

import json

import numpy as np
import pytest
from flood import flooding
from running import running

#: How much longer the slowest hundredth of what is let in may take under a flood than at a load it can bear.
BEARABLE = 5.0


@pytest.mark.bench
def test_under_a_flood_what_is_let_in_is_answered_in_time(shop):
    with running(shop) as service:

        def measured(connections, seconds):
            return json.loads(flooding(service.port, service.key, connections, seconds).communicate()[0])["200"]

        measured(16, 2)
        ratios, rates = [], []
        for _ in range(3):  # the machine is shared: whoever else works on it may spoil one round
            calm, wild = measured(16, 4), measured(400, 8)
            ratios.append(float(np.percentile(wild, 99) / np.percentile(calm, 99)))
            rates.append(len(wild) / 8 / (len(calm) / 4))
        print(f"\np99 under a flood to p99 at 16 connections: {min(ratios):.1f}x; as many answers: {max(rates):.2f}")
        assert min(ratios) <= BEARABLE, ratios
        assert max(rates) > 0.4, "shedding is cheap"
