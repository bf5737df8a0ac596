"""What a decision looks at one by one: the compiled pass over a state against a plain look at every row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.kernel.notable import OUTBOUND, PLAIN, notable
from features.state import Items, State, keys

SORTS = np.array([OUTBOUND, PLAIN, 0, 1, OUTBOUND, 1, 2], np.int64)


def state(codes, at, ids):
    """Rows in order of (at, id), with an optional column and odd numbers of them, so that all words move."""
    rows = sorted(zip(at, ids, codes, strict=True))
    n = len(rows)
    values = np.where(np.arange(n) % 2, np.nan, 1.5)
    none = np.zeros(0)
    return State.of(
        Items(
            np.array([row[0] for row in rows], np.int64), np.zeros(0, np.int64),
            np.array([row[1] for row in rows], np.uint64), keys([row[2] for row in rows], np.arange(n) % 2),
            values, none, np.zeros(0, np.uint64), none,
        ),
        top=len(SORTS) - 1,
    ), rows  # fmt: skip


@given(st.data())
def test_it_is_a_plain_look_at_every_row(data):
    n = data.draw(st.integers(0, 25))
    codes = data.draw(st.lists(st.integers(0, len(SORTS) - 1), min_size=n, max_size=n))
    at = data.draw(st.lists(st.integers(0, 20), min_size=n, max_size=n))
    ids = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=n, max_size=n, unique=True))
    packed, rows = state(codes, at, ids)
    outbound = [row for row in rows if SORTS[row[2]] == OUTBOUND]
    newest = {SORTS[row[2]]: row for row in rows if SORTS[row[2]] >= 0}
    topics = sorted(newest.values(), key=rows.index, reverse=True)
    (first, *_), *found = notable(packed.words, SORTS).tolist()
    assert first == len(outbound)
    assert [(at, id % 2**64, code) for at, code, id in found] == [*outbound, *topics]


@pytest.mark.parametrize("code", [-1, len(SORTS), 1 << 29])
def test_a_damaged_state_is_said_to_be_one(code):
    words = state([0, 1], [1, 2], [3, 4])[0].words
    words.view(np.int32)[-1] = 2 * code
    with pytest.raises(ValueError, match="none of the vocabulary's"):
        notable(words, SORTS)
