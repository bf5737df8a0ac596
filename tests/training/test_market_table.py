"""The order of the market table, on a small market: it must hold with room to spare."""

import pytest

from training.market.compare import compared, told


@pytest.mark.slow
def test_the_order_of_the_table():
    rows = list(compared(20_000, "usual", 21, None))
    by = {row.policy: row for row in rows}
    assert list(by) == [
        "nothing", "random", "propensity-first", "uplift without guard", "uplift with guard",
        "all that behaviour tells", "oracle",
    ]  # fmt: skip
    guard, first = by["uplift with guard"], by["propensity-first"]
    assert guard.above > 4 * guard.error
    assert guard.share > 0.2
    assert by["nothing"].above == 0.0
    assert by["random"].above < -4 * by["random"].error
    assert first.above < by["random"].above
    assert by["uplift without guard"].above < first.above
    informed = by["all that behaviour tells"]
    assert by["oracle"].above > 1.1 * informed.above
    assert informed.above > 1.1 * guard.above
    assert abs(first.contacts - guard.contacts) < 0.02 * guard.contacts
    assert guard.objected < 0.5 * first.objected
    assert guard.left < by["uplift without guard"].left
    assert "uplift with guard" in told(rows)
