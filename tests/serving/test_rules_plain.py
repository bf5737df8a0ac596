"""Rules as Python answer what CEL answers, and leave to CEL what they are not sure of."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from rule_worlds import ROWS, texts, worlds

from serving.decisions.rules import MISSING, compiled, facts_of, trees


def agree(text, columns):
    for i in range(ROWS):
        assert facts_of(columns, i).judged(text) == facts_of(columns, i).asked(compiled(text))


@settings(max_examples=120, deadline=None)
@given(texts, worlds())
@example("attributes.odd == 1", {"attributes.odd": [True, 1, 1.0, "x", None, MISSING, False]})
@example("attributes.odd in [1, 0]", {"attributes.odd": [True, 1, 1.0, "x", None, MISSING, False]})
@example("features.a + 1.0 > 0.0", {"features.a": np.full(ROWS, 1e308), "features.b": np.zeros(ROWS)})
@example("features.a - features.a < 1.0", {"features.a": np.full(ROWS, np.inf)})
@example(
    "attributes.big == attributes.bigger", {"attributes.big": [2**53] * ROWS, "attributes.bigger": [2.0**53] * ROWS}
)
@example(
    "attributes.big < attributes.bigger", {"attributes.big": [2**53 + 1] * ROWS, "attributes.bigger": [2.0**53] * ROWS}
)
@example("has(attributes.vip) && attributes.vip == true", {"attributes.vip": [True, False, None, MISSING, 1, "x", 1.0]})
def test_python_and_cel_agree_in_verdict_and_in_words(text, columns):
    agree(text, columns)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None)
@given(texts, worlds())
def test_python_and_cel_agree_about_thousands_of_rules(text, columns):
    agree(text, columns)


@pytest.mark.parametrize(
    "text",
    [
        "features.count_purchase_365d >= 2.0",
        "scores.churn < 0.99 && (features.recency < 300.0 || features.tenure > 4.0)",
        "features.recency == null || features.recency > 30.0",
        "attributes.country in ['DE', 'FR'] && !(context.page == 'basket')",
        "has(context.page) ? context.page != 'basket' : attributes.vip",
        "features.a - features.b * 2.0 > -1.5",
    ],
)
def test_common_rules_need_no_cel(text):
    assert compiled(text).plain is not None


@pytest.mark.parametrize(
    "text",
    [
        "context.list.exists(x, x > features.a)",
        "size(context.list) > 1",
        "features[request.channel] > 0.0",
        "features.a in context.list",
        "features.n % 2 == 0",
        "attributes.name.startsWith('x')",
        "features.a < 9007199254740993",
    ],
)
def test_what_python_would_say_otherwise_or_not_at_all_is_left_to_cel(text):
    assert compiled(text).plain is None


def test_who_is_not_sure_asks_cel_and_says_why_in_its_words():
    facts = facts_of({"features.a": None, "features.b": 2.0}, 0)
    assert facts.refusal("features.a > 1.0") == (
        "`features.a > 1.0` cannot be answered: it compares or adds things that do not go together, "
        "such as a null and a number"
    )
    assert facts.refusal("features.a > 1.0 || features.b > 1.0") is None, "the side that decides absorbs the other"
    assert facts.refusal("features.gone > 1.0") == "`features.gone > 1.0` cannot be answered: 'gone' is not there"


def test_a_rule_looks_up_what_it_needs_and_no_more():
    class Wary(dict):
        def __getitem__(self, name):
            assert name == "a"
            return super().__getitem__(name)

    from serving.decisions.rules import Facts

    assert Facts(Wary(a=1.0, b=2.0), {}, {}, {}).judged("features.a > 0.0 || features.b > 0.0") is True


def test_a_tree_that_python_trips_over_is_made_again():
    """CPython 3.11 may refuse a good tree while another thread makes one."""
    stumbles = iter([SystemError("AST constructor recursion depth mismatch")] * 3)

    def make():
        for error in stumbles:
            raise error
        return "made"

    assert trees.steady(make) == "made"

    def never():
        raise SystemError("broken")

    with pytest.raises(SystemError, match="broken"):
        trees.steady(never)
