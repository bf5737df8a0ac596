"""A person's state is what one state would be, had everything been folded into it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY
from features.identity.merging import merged
from features.online import update
from features.state import Items, State


def items(random, n, days):
    """Rows with ties, of few kinds, money in cents."""
    return Items(
        at=random.integers(0, days * 4, n) * (DAY // 4),
        received=np.zeros(0, np.int64),
        id=random.integers(1, 1 << 62, n).astype(np.uint64),
        key=random.integers(0, 6, n).astype(np.int32),
        value=np.where(random.random(n) < 0.3, np.nan, random.integers(-500, 5000, n) / 100),
        satisfaction=np.zeros(0),
        case=np.zeros(0, np.uint64),
    )


@settings(max_examples=25)
@given(st.integers(0, 1 << 30), st.integers(0, 60), st.integers(1, 1200), st.integers(1, 4))
def test_as_if_it_had_been_one_all_along(seed, n, days, parts):
    random = np.random.default_rng(seed)
    everything = items(random, n, days)
    whose = random.integers(0, parts, n)
    states = [update(State(), everything.take(np.flatnonzero(whose == part)))[0] for part in range(parts)]
    whole = update(State(), everything)[0]
    assert merged(states).to_bytes() == whole.to_bytes()
    assert merged(states[::-1]).to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("sizes", [(3000, 3000), (4096, 10), (5000, 5000, 1)])
def test_beyond_the_bound(sizes):
    random = np.random.default_rng(len(sizes))
    everything = [items(random, n, 300) for n in sizes]
    whole = State()
    for part in everything:
        whole = update(whole, part)[0]
    found = merged([update(State(), part)[0] for part in everything])
    assert found.to_bytes() == whole.to_bytes()
    assert len(found.items) == 4096


def test_nothing_is_nothing():
    assert merged([]).to_bytes() == State().to_bytes()
    assert merged([State(), State()]).to_bytes() == State().to_bytes()
