"""History, now and the naive oracle agree on every feature of the catalogue and on every kind there is."""

from itertools import product

import numpy as np
import oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from interactions_for_tests import DAY, START, instants, interactions, table

from features import batch, online
from features.catalogue import COMPLAINT, CONTACT, DEFAULT, INBOUND, PURCHASE, Catalogue
from features.definitions import ANY, Selector
from features.kinds import KINDS
from features.sensitive import sensitive_topics
from features.vocabulary import Vocabulary
from features.workspace import Settings

SETTINGS = Settings()
SENSITIVE = sensitive_topics(SETTINGS)
SELECTORS = (
    PURCHASE,
    INBOUND,
    CONTACT,
    COMPLAINT,
    ANY,
    Selector("web", "inbound", "purchase", "billing"),
    Selector(types=("purchase", "complaint"), own=True),
    Selector(without=("purchase", "accepted"), own=False, label="strange"),
)


#: Odd values for what a declaration may ask for.
PARAMETERS = {
    "who": SELECTORS,
    "days": (1,),
    "second_days": (400,),
    "half_life": (3,),
    "part": ("sine",),
    "labels": (("gold", "silver"),),
    "position": (1, 2, 3),
    "origin": ("web", "carrier pigeon"),
    "target": ("phone",),
    "first": (0, 5),
    "last": (6, 24),
    "horizon": (1,),
    "parameters": ((1.2, 20.0, 0.5, 3.0),),
}


def every_kind() -> Catalogue:
    """The default catalogue and, of every kind, declarations with odd values in every combination."""
    more = {feature.name: feature for feature in DEFAULT}
    for kind in KINDS:
        options = {"key": (kind.__name__,), **PARAMETERS}
        fields = list(kind.__dataclass_fields__)
        for values in product(*(options[name] for name in fields)):
            feature = kind(**dict(zip(fields, values, strict=True)))
            more[feature.name] = feature
    return Catalogue(tuple(more.values()))


CATALOGUE = every_kind()


def assert_same(found: np.ndarray, rows: list, t: int) -> None:
    wanted = oracle.compute(rows, t, CATALOGUE, SETTINGS.channels, SENSITIVE)
    scale = sum(abs(row["value"] or 0) for row in rows)  # fading sums of both signs may cancel
    wrong = ~np.isclose(found, wanted, rtol=1e-9, atol=1e-12 * scale, equal_nan=True)
    assert [(CATALOGUE.names[i], found[i], wanted[i]) for i in np.flatnonzero(wrong)] == []


def now(rows: list, t: int, size: int = 7) -> np.ndarray:
    """Folded in pieces, packed and unpacked in between."""
    words = Vocabulary()
    state = online.State()
    for first in range(0, len(rows), size):
        items = online.items_from_table(table(rows[first : first + size]), words, SENSITIVE)
        state = online.State.from_bytes(online.update(state, items)[0].to_bytes())
    return online.compute(state, t, CATALOGUE.compile(words, SETTINGS))


def test_every_kind_has_an_oracle():
    assert {kind.__name__ for kind in KINDS} == set(oracle.KINDS)
    assert {type(feature) for feature in CATALOGUE} == set(KINDS)


@settings(max_examples=25)
@given(rows=interactions(customers=("ann", "bob", "élodie")), t=instants(days=500))
def test_history_agrees_with_the_oracle_at_any_instant(rows, t):
    matrix = batch.compute(table(rows), [t, t + DAY], CATALOGUE, SETTINGS)
    known = {
        (instant, name)
        for instant in (t, t + DAY)
        for name in ("ann", "bob", "élodie")
        if oracle.known_at([row for row in rows if row["customer_id"] == name], instant, SENSITIVE)
    }
    assert set(zip(matrix.as_of.tolist(), matrix.customer_id.tolist(), strict=True)) == known
    for customer, instant, values in zip(matrix.customer_id, matrix.as_of, matrix.values, strict=True):
        assert_same(values, [row for row in rows if row["customer_id"] == customer], int(instant))


@settings(max_examples=25)
@given(rows=interactions(), later=st.sampled_from((1, DAY, 30 * DAY, 400 * DAY + 1)) | st.integers(1, 800 * DAY))
def test_now_agrees_with_history_and_the_oracle_from_the_newest_interaction_on(rows, later):
    t = max((row["occurred_at"] for row in rows), default=START) + later
    found = now(rows, t)
    past = batch.compute_at(table(rows), ["ann"], np.array([t]), CATALOGUE, SETTINGS).values[0]
    np.testing.assert_array_equal(found, past)
    assert_same(found, rows, t)


@settings(max_examples=15)
@given(rows=interactions(), data=st.data())
def test_the_order_of_arrival_and_repeats_change_nothing(rows, data):
    t = max((row["occurred_at"] for row in rows), default=START) + 30 * DAY
    held = [row for row in rows if row["occurred_at"] >= t - 430 * DAY]  # of what has left the state, the log knows
    repeats = data.draw(st.lists(st.sampled_from(held), max_size=9)) if held else []
    shuffled = data.draw(st.permutations(rows + repeats))
    np.testing.assert_array_equal(now(shuffled, t, size=data.draw(st.integers(1, 12))), now(rows, t))
    np.testing.assert_array_equal(
        batch.compute(table(shuffled), [t], CATALOGUE, SETTINGS).values,
        batch.compute(table(rows), [t], CATALOGUE, SETTINGS).values,
    )
