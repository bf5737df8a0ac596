"""What a rule may cost is bounded before it is ever asked; what slips in with a customer's data refuses, quickly."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from quickness import quick

from serving.decisions.rules import Facts, compiled
from serving.decisions.rules.grammar import DEEPEST, Unreadable, parse, walk
from serving.decisions.rules.names import needed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("context.l.map(x, context.s).size() > 0", "uses .map(), which copies"),
        ("context.l.all(x, context.l.all(y, x + y > 0))", "has a macro inside .all()"),
        ("context.l.filter(x, x > 1).exists(y, y > 2)", "has a macro inside .exists()"),
        ("context.s.matches(context.p)", "takes a pattern written out in the rule"),
        ('context.s.matches("(a?){1000}a{1000}")', "without { } and \\"),
        (r'context.s.matches("\\w\\w\\w\\w")', "write [0-9] for \\d"),
        ('context.s.matches("' + "a*" * 40 + '")', "at most 64 characters"),
        ("[" + "1," * 150 + "1].exists(x, x > 1)", "a list of 151 elements beside a macro"),
        ("(" * 60 + "true" + ")" * 60, f"nested more than {DEEPEST} deep"),
        ("!" * 60 + "true", f"nested more than {DEEPEST} deep"),
        ("[" * 60 + "]" * 60 + " == []", f"nested more than {DEEPEST} deep"),
        ("features.x" + ".y" * 60 + " == 1", f"nested more than {DEEPEST} deep"),
        ("1" + " + 1" * 60 + " == 61", f"chains more than {DEEPEST} operators"),
        ("true ? true : " * 60 + "true", f"nested more than {DEEPEST} deep"),
        ("true" + " || true" * 400, "is too long; at most 2000"),
        ("features.x > ", "is not a CEL rule"),
        ("features.x > 1 $", "is not a CEL rule"),
        ("score.churn > 0.5", "uses score, but a rule sees only"),
    ],
)
def test_a_rule_that_costs_too_much_is_refused_when_it_is_read(text, why):
    def refused():
        with pytest.raises(ValueError) as caught:
            compiled(text)
        return str(caught.value)

    told = quick(refused, 5)
    assert why in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "text",
    [
        "context.l.exists(x, context.s.contains(string(x)))",
        "context.l.filter(x, x in context.l).size() > 1000",
        "context.l.all(x, " + " && ".join(["x in context.l"] * 80) + ")",
        "context.l.exists(x, (" + "+".join(["context.s"] * 24) + ").size() == x)",
        "(" + "+".join(["context.s"] * 24) + ').matches("(a*)*(a*)*(a*)*$")',
        " && ".join(['context.s.matches("(a|aa)+$")'] * 60),
        "context.n.exists(k, context.n[k].all == k)",
    ],
)
def test_the_worst_a_context_of_16_kb_can_do_to_a_rule_is_soon_over(text):
    for size in (100, 4_000):
        context = {"l": list(range(size)), "s": "a" * (10 * size // 100), "n": {str(i): {"all": i} for i in range(100)}}
        facts = Facts({}, {}, context, {})
        facts.refusal("true")
        quick(lambda facts=facts: facts.refusal(text), 2)


def test_a_list_too_long_for_a_macro_refuses_and_says_so():
    text = "context.l.exists(x, x > 1)"
    assert Facts({}, {}, {"l": [0, 2]}, {}).refusal(text) is None
    why = Facts({}, {}, {"l": list(range(101))}, {}).refusal(text)
    assert why == f"`{text}` cannot be answered: a list of 101 is too long for a rule with a macro; at most 100"
    assert Facts({}, {}, {"l": list(range(5_000))}, {}).refusal("4999 in context.l") is None


def test_the_tree_says_what_is_asked_for():
    names = needed(
        parse("features.a > 1 && (features['b'] in [1] || has(context.c)) && scores[context.d] > features.a")
    )
    assert names.names == {("features", "a"), ("features", "b"), ("context", "c"), ("context", "d")}
    assert names.whole == {"scores"}
    assert (names.of("scores"), names.of("features"), names.of("journey")) == (None, {"a", "b"}, frozenset())


alphabet = st.sampled_from(
    [
        *"()[]{}.,?:!<>=+-*/%&|'\"\\ 01x\n",
        "&&",
        "||",
        "features.a",
        "context.l",
        ".exists(x, ",
        "matches(",
        "null",
        "in ",
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(alphabet, max_size=25).map("".join))
@example("'''")
@example("features.a.")
@example("0x")
@example("1e")
@example("\\")
@example("{1:}")
def test_any_text_is_a_rule_or_a_reason_never_a_traceback(text):
    try:
        rule = compiled(text)
    except ValueError as error:
        reason = str(error)
    else:
        reason = Facts({"a": 1.0}, {}, {"l": [1]}, {}).refusal(text) or "it holds"
        assert list(walk(rule.tree))
    assert "\n" not in reason.replace(text, "")


@pytest.mark.parametrize(
    "text",
    [
        "features.a == 1.0 ? 'x' == 'y' : true",
        'r"\\d" == "\\\\d" && """a "quoted" b""" != \'\'',
        "{'a': 1, 'b': [1, 2,],}.a == 1 && 0xFF == 255 && 1u < 2u && 1e3 > .5",
        "features.a > 0.0 // a word on this\n && true",
        "-features.a < -(-1.0) && !!true",
        'context.l[0] == 1 && size("abc") == 3 && b"abc" == b"abc"',
        "timestamp('2026-01-01T00:00:00Z') < timestamp('2027-01-01T00:00:00Z')",
        "context.l.exists_one(x, x == 1) && 1 in context.l",
    ],
)
def test_what_cel_reads_this_reading_reads_too(text):
    assert compiled(text).tree == parse(text)
    assert isinstance(Facts({"a": 1.0}, {}, {"l": [1]}, {}).judged(text), bool)


def test_what_is_no_cel_has_no_tree():
    with pytest.raises(Unreadable, match="ends where a value is expected"):
        parse("features.a >")
