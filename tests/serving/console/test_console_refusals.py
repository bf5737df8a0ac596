"""Why the guard refused, in a marketer's words: against what the guard itself says."""

from types import SimpleNamespace

import pytest

from serving.console.refusals import refusal
from serving.decisions.guard.pressure import pressed
from serving.decisions.policy import Pressure


def test_pressure_is_told_with_its_own_figures():
    rule = Pressure.model_validate({"limit": 1, "half_life": "30d", "weights": {"phone": 1 / 3}, "other": 0.1})
    trip = pressed(rule, "phone", SimpleNamespace(stands=2.314, falls_to=lambda _: None), 1.0)
    assert refusal(trip.rule, trip.text) == (
        "contacted too much of late: they carry 2.31, one more by phone adds 0.33, and 1 is the most"
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("1 contact on email within 14d, at most 1", "1 contact by e-mail within 14 days, at most 1"),
        ("2 contacts within 7d, at most 2", "2 contacts within 7 days, at most 2"),
        ("1 contact of action big_sale this local week, at most 1", "1 contact of the action big sale in their week, "
         "at most 1"),
        ("consent for mobile_app is unknown", "they never said yes to contacts in the mobile app"),
        ("what nobody foresaw", "what nobody foresaw (rule)"),
        ("", "rule"),
    ],
)  # fmt: skip
def test_what_the_guard_says_is_put_for_a_marketer(said, told):
    assert refusal("rule", said) == told
