"""Rules of every form that needs no macro, and customers with nulls, missing names and values of mixed kinds."""

import numpy as np
from hypothesis import strategies as st

from serving.decisions.rules import MISSING

ROWS = 7
numbers = st.sampled_from([0.0, 1.0, -1.0, 0.5, 3.0, 1e308, -0.0, None])
#: A name, and what customers may have under it. Some names mix kinds, some are missing for some customers.
NAMES = {
    "features.a": numbers,
    "features.b": numbers,
    "features.label": st.sampled_from(["x", "y", "é", "", None]),
    "scores.churn": numbers,
    "attributes.vip": st.sampled_from([True, False, None, MISSING]),
    "attributes.age": st.sampled_from([0, 1, 3, None, MISSING]),
    "attributes.odd": st.sampled_from([1, 1.0, "x", True, None, MISSING]),
    "attributes.gone": st.just(MISSING),
    "context.n": st.sampled_from([1, 0]),
    "request.channel": st.sampled_from(["x", "email"]),
}
literals = st.sampled_from(["0", "1", "0.0", "1.0", "0.5", "-1.0", '"x"', '"y"', "true", "false", "null", "3"])
operands = st.sampled_from([*NAMES, "features.unheard_of"]) | literals


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["&&", "||", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"])
    lists = st.lists(inner, min_size=1, max_size=3).map(", ".join)
    return st.one_of(
        st.builds(lambda a, o, b: f"({a} {o} {b})", inner, operators, inner),
        st.builds(lambda a, o, b, c: f"({a} {o} {b} {o} {c})", inner, st.sampled_from(["&&", "||"]), inner, inner),
        st.builds(lambda a: f"!({a})", inner),
        st.builds(lambda a: f"-({a})", inner),
        st.builds(lambda a, b: f"({a} in [{b}])", inner, lists),
        st.builds(lambda a, b, c: f"({a} ? {b} : {c})", inner, inner, inner),
        st.builds(lambda a: f"has({a})", st.sampled_from([*NAMES, "features.unheard_of"])),
    )


tests = st.builds(lambda a, o, b: f"({a} {o} {b})", operands, st.sampled_from(["<", ">=", "==", "!="]), operands)
texts = st.recursive(tests | operands, grown, max_leaves=8)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, object]:
    columns: dict[str, object] = {}
    for name, values in NAMES.items():
        listed = draw(st.lists(values, min_size=ROWS, max_size=ROWS))
        if name.startswith("features.") and name != "features.label":
            columns[name] = np.array([np.nan if value is None else value for value in listed])
        elif name.startswith(("context", "request")):
            columns[name] = listed[0]
        else:
            columns[name] = listed
    return columns
