"""Features now: fold interactions into a customer's packed state, and read the catalogue off it."""

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa

from features.arrange import arrange
from features.attributes import fold
from features.clock import DAY
from features.hashing import hash_string, hash_strings
from features.interactions import SCHEMA
from features.kernel.accumulators import BOUND, HORIZON_DAYS, MONEY_LIMIT, MONEY_SCALE
from features.kernel.compiled import Compiled
from features.kernel.folding import FEW, fold_few
from features.kernel.packed import codes
from features.state import Items, State
from features.vocabulary import Vocabulary

__all__ = ["Items", "State", "compute", "fold_table", "items_from_table", "learn", "update", "warm"]


def update(state: State, items: Items) -> tuple[State, np.ndarray]:
    """The state with `items` folded in, and bool[n]: which of them it did not hold yet.

    The result does not depend on the order in which interactions arrive, nor on repeats of what the state still holds.
    A repeat of something that has already left the bound is not recognised: whoever keeps the log must not pass it.
    """
    items.check()
    if 0 < len(items) <= FEW and all(column.flags.c_contiguous and column.flags.writeable for column in items.all()):
        fresh = np.empty(len(items), bool)
        words = fold_few(state.words, items.at, items.received, items.id, items.key, items.value, items.satisfaction,
                         items.case, items.discount, fresh)  # fmt: skip
        if len(words):
            return (State(words) if fresh.any() else state), fresh
    held = state.items
    known = len(held)
    both = held + items
    _, first = np.unique(both.id, return_index=True)  # the earliest position: what is known wins
    fresh = np.zeros(len(both), bool)
    fresh[first] = True
    fresh = fresh[known:]
    if not fresh.any():
        return state, fresh
    merged = both.take(first)
    merged = merged.take(np.lexsort((merged.id, merged.at)))
    oldest = np.searchsorted(merged.at, merged.at[-1] - HORIZON_DAYS * DAY)
    leaving = max(int(oldest), len(merged) - BOUND)
    registers = state.registers
    if leaving:
        registers = _register(registers, merged.take(slice(0, leaving)))
        merged = merged.take(slice(leaving, None))
    top = max(state.top, int(items.code[fresh].max()))
    return State.of(merged, registers, state.facts, top), fresh


def learn(state: State, facts: np.ndarray) -> State:
    """The state with facts of customer attributes folded in, int64[n, 5] as in features/attributes.py."""
    return State.of(state.items, state.registers, fold(state.facts, facts), state.top)


def compute(state: State, as_of: int, compiled: Compiled) -> np.ndarray:
    """float64[features] as of an instant (microseconds); NaN is null, a category is its position in `compiled.levels`.

    Exact for instants from the newest interaction on, and after it where the state is full: of its 4,096 interactions
    those of that very instant are not seen yet. What the state does not hold is unknown to it.
    """
    packed = compiled.packed
    if state.top >= codes(packed):
        ends = codes(packed) - 1
        raise ValueError(f"the state holds code {state.top}, the vocabulary ends at {ends}: load the newest vocabulary")
    out = np.empty(len(compiled.catalogue))
    compiled.kernel.run(state.words, packed, as_of, out)
    return out


def warm(compiled: Compiled) -> None:
    """Compiles or loads everything that `update` and `compute` need, so that the first customer does not wait."""
    nothing = SCHEMA.empty_table()
    items = items_from_table(nothing, Vocabulary())
    hash_string("warm")
    hash_strings(pa.array(["warm"]))
    one = Items(np.zeros(1, np.int64), items.received[:0], np.ones(1, np.uint64), np.zeros(1, np.int32), np.zeros(1),
                items.satisfaction[:0], items.case[:0], items.discount[:0])  # fmt: skip
    update(update(State(), items)[0], one)
    compute(State(), 0, compiled)


def items_from_table(table: pa.Table, vocabulary: Vocabulary, sensitive: Collection[str] = ()) -> Items:
    """One customer's interactions, in order. Sensitive topics (see `sensitive_topics`) are left out."""
    log = arrange(table, vocabulary, sensitive)
    if len(log.customers) > 1:
        raise ValueError(f"expected interactions of one customer, found {len(log.customers)}; use fold_table")
    return log.items(0, len(log.customers))


def fold_table(table: pa.Table, vocabulary: Vocabulary, sensitive: Collection[str] = ()) -> Iterator[tuple[str, Items]]:
    """(customer_id, their interactions in order) for every customer of a table, in order of id."""
    log = arrange(table, vocabulary, sensitive)
    for i, customer in enumerate(log.customers):
        yield customer, log.items(i, i + 1)


def _register(registers: np.ndarray, leaving: Items) -> np.ndarray:
    """The registers with interactions added that leave the bound."""
    money = np.rint(np.clip(np.nan_to_num(leaving.value), -MONEY_LIMIT, MONEY_LIMIT) * MONEY_SCALE).astype(np.int64)
    lines = {line[0]: line for line in registers.tolist()}
    for key, at, units in zip(leaving.key.tolist(), leaving.at.tolist(), money.tolist(), strict=True):
        line = lines.setdefault(key, [key, at, 0, 0])
        line[1], line[2], line[3] = min(line[1], at), line[2] + 1, line[3] + units
    return np.array([lines[key] for key in sorted(lines)], np.int64).reshape(len(lines), 4)
