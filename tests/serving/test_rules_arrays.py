"""Rules in arrays give the verdicts that one customer at a time gets, whatever the rule and whatever is missing."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from rule_worlds import ROWS, texts, worlds

from serving.decisions.rules import FALSE, HOLDS, UNANSWERED, Facts, compiled, facts_of, refusals_many


def one_by_one(text: str, columns: dict[str, object]) -> list[int]:
    found = [facts_of(columns, i).asked(compiled(text)) for i in range(ROWS)]
    return [HOLDS if each is True else FALSE if each is False else UNANSWERED for each in found]


@settings(max_examples=100, deadline=None)
@given(texts, worlds())
@example("features.a / features.b > 0.0", {"features.a": np.zeros(ROWS), "features.b": np.zeros(ROWS)})
@example("features.a > 1.0 || attributes.vip", {"features.a": np.full(ROWS, np.nan), "attributes.vip": [True] * ROWS})
def test_arrays_and_one_customer_at_a_time_agree(text, columns):
    assert refusals_many(text, columns, ROWS).tolist() == one_by_one(text, columns)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None)
@given(texts, worlds())
def test_arrays_and_one_customer_at_a_time_agree_about_thousands_of_rules(text, columns):
    assert refusals_many(text, columns, ROWS).tolist() == one_by_one(text, columns)


@pytest.mark.parametrize(
    "text",
    [
        "context.list.exists(x, x > features.a)",
        'features.label.startsWith("x")',
        "size(context.list) > 1",
        "features[request.channel] > 0.0",
        "timestamp('2026-01-01T00:00:00Z') < timestamp('2027-01-01T00:00:00Z')",
        "features.a in context.list",
    ],
)
def test_whatever_arrays_cannot_say_is_asked_row_by_row(text):
    columns = {
        "features.a": np.array([0.0, 1.0, 5.0, np.nan, 2.0, 3.0, -1.0]),
        "features.label": ["x", "y", None, "xx", "", "x", "x"],
        "context.list": [[1.0, 2.0, 4.0]] * ROWS,
        "request.channel": "a",
    }
    found = refusals_many(text, columns, ROWS).tolist()
    assert found == one_by_one(text, columns)
    assert HOLDS in found


def test_a_column_of_another_length_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="a column of 3 values beside 4 customers"):
        refusals_many("features.a > 0.0", {"features.a": np.zeros(3)}, 4)


def test_ten_thousand_customers_are_asked_at_once_and_not_one_by_one(monkeypatch):
    text = "features.a > 0.2 && (scores.churn < 0.5 || attributes.country in ['DE', 'FR']) && !(features.b == null)"
    chance = np.random.default_rng(3)
    columns = {
        "features.a": chance.random(10_000),
        "features.b": chance.random(10_000),
        "scores.churn": chance.random(10_000),
        "attributes.country": chance.choice(["DE", "US"], 10_000).tolist(),
    }
    with monkeypatch.context() as nobody:
        nobody.setattr(Facts, "judged", lambda *_: pytest.fail("one customer was asked"))
        verdicts = refusals_many(text, columns, 10_000)
    few = [facts_of(columns, i).judged(text) for i in range(2_000)]
    assert [verdict == HOLDS for verdict in verdicts[:2_000].tolist()] == few


def test_needs_leave_the_rest_unconverted():
    class Wary(dict):
        def __getitem__(self, name):
            assert name == "a"
            return super().__getitem__(name)

    text = "features.a > 0.0"
    assert Facts(Wary(a=1.0, b=2.0), {}, {}, {}, needs=compiled(text).needs).refusal(text) is None
