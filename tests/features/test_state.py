"""Packed state: round trips, bounds, registers, and what damage looks like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interactions_for_tests import DAY, START, interactions, table

from features import online
from features.online import Items, State
from features.state import NO_ITEMS
from features.vocabulary import Vocabulary


def purchases(days, first=0, value=1.25, received=None):
    """One purchase at noon of each day."""
    at = START + np.asarray(days, np.int64) * DAY
    return Items(
        at,
        at[:0] if received is None else np.asarray(received, np.int64),
        np.arange(first, first + len(at), dtype=np.uint64),
        np.zeros(len(at), np.int32),
        np.full(len(at), value),
        np.zeros(0),
        np.zeros(0, np.uint64),
    )


def same(left: State, right: State) -> bool:
    return left.to_bytes() == right.to_bytes()


@settings(max_examples=60)
@given(interactions(), st.data())
def test_any_order_any_pieces_any_repeats_give_the_same_bytes(rows, data):
    words = Vocabulary()
    items = online.items_from_table(table(rows), words)
    whole, fresh = online.update(State(), items)
    assert fresh.all()
    held = np.flatnonzero(items.at >= items.at.max() - 400 * DAY) if len(items) else np.zeros(0, np.int64)
    order = data.draw(st.permutations(range(len(items))))
    repeats = data.draw(st.lists(st.sampled_from(held.tolist()), max_size=8)) if len(held) else []
    state, counted = State(), 0
    for position in [*order, *repeats]:
        state, fresh = online.update(state, items.take(np.array([position])))
        counted += int(fresh.sum())
        state = State.from_bytes(state.to_bytes())
    assert counted == len(items)
    assert same(state, whole)


def test_nothing_is_a_state_too():
    empty = State()
    assert same(State.from_bytes(empty.to_bytes()), empty)
    state, fresh = online.update(empty, NO_ITEMS)
    assert state is empty
    assert fresh.shape == (0,)


def test_only_the_newest_4096_are_held_and_registers_keep_the_rest():
    many = purchases(np.arange(5000) / 5000 * 300)
    state, fresh = online.update(State(), many)
    assert fresh.all()
    assert len(state.items) == 4096
    assert state.items.id.min() == 5000 - 4096
    assert state.registers.tolist() == [[0, START, 904, 904 * 1_250_000]]
    one_by_one = State()
    for piece in np.array_split(np.random.default_rng(1).permutation(5000), 37):
        one_by_one = online.update(one_by_one, many.take(piece))[0]
    assert same(one_by_one, state)


def test_what_is_400_days_older_than_the_newest_leaves():
    state, _ = online.update(State(), purchases([0, 1, 400, 401]))
    assert state.items.at.tolist() == [START + DAY, START + 400 * DAY, START + 401 * DAY]
    assert state.registers.tolist() == [[0, START, 1, 1_250_000]]
    late, fresh = online.update(state, purchases([-7], first=99))
    assert fresh.all()
    assert late.registers.tolist() == [[0, START - 7 * DAY, 2, 2_500_000]]
    assert len(late.items) == 3


def test_fresh_says_which_are_new_among_repeats_in_one_batch():
    state, _ = online.update(State(), purchases([0, 1, 2]))
    _, fresh = online.update(state, purchases([2, 3, 3], first=2).take(np.array([0, 1, 1, 2])))
    assert fresh.tolist() == [False, True, False, True]


def test_columns_that_say_nothing_take_no_room():
    plain = online.update(State(), purchases(range(100)))[0].to_bytes()
    assert len(plain) == 16 + 100 * 28
    late = online.update(State(), purchases([0], received=[START + 5]))[0]
    assert len(late.to_bytes()) == 16 + 24 + 8 + 8, "whole words: a single key takes one"
    assert State.from_bytes(late.to_bytes()).items.received.tolist() == [START + 5]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda blob: blob[:9], "at least 16 bytes"),
        (lambda blob: blob[:-1], "multiple of 8"),
        (lambda blob: blob[:-8], "should have"),
        (lambda blob: blob + bytes(8), "should have"),
        (lambda blob: b"\x09" + blob[1:], "format 9"),
    ],
)
def test_damaged_bytes_are_refused(damage, message):
    blob = online.update(State(), purchases([0, 1]))[0].to_bytes()
    with pytest.raises(ValueError, match=message):
        State.from_bytes(damage(blob))


def test_registers_of_huge_and_missing_values():
    state, _ = online.update(State(), purchases([0, 1, 2], value=np.nan))
    state, _ = online.update(state, purchases([900], first=5, value=1e300))
    state, _ = online.update(state, purchases([1800], first=6))
    assert state.registers.tolist() == [[0, START, 4, 9_000_000_000 * 1_000_000]]


def test_a_column_of_another_type_is_refused():
    wrong = purchases([0, 1])
    wrong = Items(wrong.at, wrong.received, wrong.id, wrong.key.astype(np.int64), *wrong.all()[4:])
    with pytest.raises(TypeError, match="key must be int32, not int64"):
        online.update(State(), wrong)
