"""The file of a model of effects: what is written is read, evaluated as its text says, or refused in a line."""

import json
import math

import effect_models
import lightgbm as lgb
import market
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import clock
from features.catalogue import DEFAULT
from features.workspace import WorkspaceError
from serving.champions import levels
from serving.decisions.effects import Arm, Blend, Constant, Contacts, Label, Linear, Model, Standing, Trees, Value

NOW = clock.parse_instant("2026-05-04T12:00:00Z")
NAMES = ["visits", "spent", "stage"]
LEVELS = {"visits": None, "spent": None, "stage": ("new", "loyal")}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return market.found(tmp_path_factory.mktemp("effects") / "shop")


def model(inputs, effects, kind="uplift", unit="responses", action="a", channel=None):
    return Model(kind, unit, inputs, [Arm(action, channel, effects)], 14, "v")


def value(bound, vectors, which=0, counts=None):
    return bound.effects(np.atleast_2d(vectors), np.array([which]), counts)[:, 0]


def naive_form(told, x):
    """An effect as the package's text says it, one customer at a time."""
    if told["form"] == "constant":
        return told["value"]
    if told["form"] == "linear":
        scores = [
            None if told[side] is None else told[side][0] + sum(w * v for w, v in zip(told[side][1:], x, strict=True))
            for side in ("treated", "control")
        ]
        high, low = (
            0.0 if score is None else 1 / (1 + math.exp(-score)) if told["logistic"] else score for score in scores
        )
        return high - low
    if told["form"] == "trees":
        said = [
            lgb.Booster(model_str=text).predict([x])[0] if text else 0.0 for text in (told["treated"], told["control"])
        ]
        return said[0] - said[1]
    return sum(weight * naive_form(part, x) for weight, part in zip(told["weights"], told["parts"], strict=True))


def naive_input(told, features, contacts, now):
    """An input as the package's text says it; `contacts` are (instant, channel)."""
    if "contacts" in told:
        v = 0.0
        for at, channel in contacts:
            age = (now - at) / clock.DAY
            asked = told["contacts"]
            weight = (
                asked.get(channel, told.get("other")) if isinstance(asked, dict) else float(asked in (None, channel))
            )
            if "days" in told:
                v += weight * (age <= told["days"])
            else:
                v += weight * 0.5 ** (age / told["half_life_days"])
    else:
        v = features[told["feature"]]
        if "missing" in told:
            return float(v is None)
        if "label" in told:
            return float(v == told["label"])
        if v is None:
            return told["fill"]
    v = min(max(v, told.get("low", -math.inf)), told.get("high", math.inf))
    if told.get("transform") == "log1p":
        v = math.copysign(math.log1p(abs(v)), v)
    return v


@pytest.mark.parametrize("kind", ["uplift", "fatigue"])
def test_effects_are_what_the_text_says_and_alone_what_they_are_among_many(kind, workspace, tmp_path):
    getattr(effect_models, kind)(workspace).write(tmp_path)
    told = json.loads((tmp_path / "effects.json").read_text())
    labels = levels(DEFAULT, workspace.settings)
    bound = Model.read(tmp_path).bind(DEFAULT.names, labels)
    random = np.random.default_rng(1)
    n, channels = 120, ["email", "phone", "mail"]
    values = random.gamma(1.0, 4.0, (n, len(DEFAULT.names))).round(2)
    for k, name in enumerate(DEFAULT.names):
        if labels[name]:
            values[:, k] = random.integers(0, len(labels[name]), n)
    values[random.random(values.shape) < 0.3] = np.nan
    owns = [
        [(NOW - int(random.integers(0, 40 * clock.DAY)), str(random.choice(channels))) for _ in range(i % 6)]
        for i in range(n)
    ]
    start = np.cumsum([0, *map(len, owns)])
    places = {name: k for k, name in enumerate(bound.channels)}
    flat = [contact for own in owns for contact in own]
    standing = Standing(start, np.array([at for at, _ in flat]), np.array([places.get(c, -1) for _, c in flat]))
    counts = bound.counted(standing, np.full(n, NOW))
    which = np.array([*range(len(told["arms"])), -1])
    found = bound.effects(values, which, counts)
    inputs = bound.inputs(values, counts)
    low = -1.0 if kind == "uplift" else 0.0
    for i in range(0, n, 7):
        row = dict(zip(DEFAULT.names, (None if v != v else v for v in values[i].tolist()), strict=True))
        row |= {name: None if row[name] is None else labels[name][int(row[name])] for name in row if labels[name]}
        x = [naive_input(one, row, owns[i], NOW) for one in told["inputs"]]
        assert inputs[i] == pytest.approx(x)
        for j, arm in enumerate(told["arms"]):
            assert found[i, j] == pytest.approx(max(low, naive_form(arm["effect"], x)), abs=1e-12)
    assert np.isnan(found[:, -1]).all(), "no arm, no effect"
    assert np.ptp(found[:, :-1], axis=0).min() > 0
    for i in range(n):
        alone = slice(i, i + 1)
        one = Standing(
            np.array([0, len(owns[i])]), standing.at[start[i] : start[i + 1]], standing.channel[start[i] : start[i + 1]]
        )
        again = bound.effects(values[alone], which, bound.counted(one, np.array([NOW])))
        np.testing.assert_array_equal(again, found[alone])


def test_what_training_evaluates_is_what_is_served(workspace):
    served = effect_models.uplift(workspace)
    bound = served.bind(DEFAULT.names, levels(DEFAULT, workspace.settings))
    values = np.random.default_rng(0).integers(0, 2, (50, len(DEFAULT.names))).astype(float)
    inputs = bound.inputs(values)
    for k, arm in enumerate(served.arms):
        assert value(bound, values, k) == pytest.approx(arm.effects.effect(inputs), abs=1e-15)


@given(
    x=st.lists(st.none() | st.floats(-1e6, 1e6), min_size=2, max_size=2),
    weights=st.lists(st.floats(-2, 2), min_size=3, max_size=3),
    low=st.none() | st.floats(-5, 5),
)
def test_a_line_over_bounded_inputs(x, weights, low):
    inputs = [Value("visits", 0.5, low, None), Value("spent", -1.0, None, 3.0)]
    bound = model(inputs, Linear(np.array(weights)), "uplift", "money").bind(NAMES, LEVELS)
    first = 0.5 if x[0] is None else x[0] if low is None else max(x[0], low)
    second = -1.0 if x[1] is None else min(x[1], 3.0)
    vector = [np.nan if v is None else v for v in (*x, None)]
    assert value(bound, vector)[0] == pytest.approx(weights[0] + weights[1] * first + weights[2] * second, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "unit", "stated", "kept"),
    [("uplift", "responses", -3.0, -1.0), ("uplift", "money", -3.0, -3.0), ("fatigue", "money", -0.5, 0.0)],
)
def test_effects_are_kept_within_what_they_can_be(kind, unit, stated, kept):
    action, channel = ("a", None) if kind == "uplift" else (None, "email")
    bound = model([], Constant(stated, 0.1), kind, unit, action, channel).bind(NAMES, LEVELS)
    assert value(bound, [[0.0, 0.0, 0.0]])[0] == kept


def test_the_arm_of_a_treatment_is_the_most_particular_one():
    flat = Constant(0.1, 0.0)
    arms = [Arm("a", None, flat), Arm("a", "email", flat), Arm("b", "phone", flat)]
    bound = Model("uplift", "responses", [], arms, 14, "v").bind(NAMES, LEVELS)
    asked = [("a", "email"), ("a", "web"), ("b", "phone"), ("b", "email"), ("c", "email")]
    assert [bound.place(*key) for key in asked] == [1, 0, 2, -1, -1]
    harm = Model("fatigue", "money", [], [Arm(None, None, flat), Arm(None, "email", flat)], 28, "v").bind(NAMES, LEVELS)
    assert [harm.place("whatever", channel) for channel in ("email", "phone")] == [1, 0]


@pytest.mark.parametrize(
    ("kind", "inputs", "arms", "why"),
    [
        ("uplift", [Contacts("email", days=7.0)], [], "asks about features alone"),
        ("uplift", [], [Arm(None, "email", Constant(0, 0))], "names its action"),
        ("fatigue", [], [Arm("a", "email", Constant(0, 0))], "about the channel alone"),
        ("uplift", [], [Arm("a", None, Constant(0, 0))] * 2, "two arms"),
    ],
)
def test_a_model_that_contradicts_itself_cannot_be_made(kind, inputs, arms, why):
    with pytest.raises(ValueError, match=why):
        Model(kind, "money", inputs, arms, 14, "v")


@pytest.mark.parametrize(
    ("inputs", "effects", "why"),
    [
        ([Value("gone")], Constant(0, 0), "needs features that the catalogue no longer has .gone."),
        ([Value("stage")], Constant(0, 0), "treats stage as a number"),
        ([Label("stage", "asleep")], Constant(0, 0), "none of its labels"),
        ([Value("visits", transform="sqrt")], Constant(0, 0), "transform 'sqrt'"),
        ([Value("visits")], Linear(np.array([0.0, 1.0, 1.0])), "ask about 2 inputs, it states 1"),
        ([], Trees("nonsense"), "objective"),
        ([], Linear(np.array([np.nan])), "no finite number"),
    ],
)
def test_what_cannot_be_served_is_refused_in_a_line_that_says_what_to_do(inputs, effects, why):
    with pytest.raises(WorkspaceError, match=why) as refused:
        model(inputs, effects, unit="money").bind(NAMES, LEVELS)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith("retrain it with `tactful train uplift`")


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda told: json.dumps(told)[:-30],
        lambda _: "[]",
        lambda told: json.dumps(told | {"format": 2}),
        lambda told: json.dumps({key: told[key] for key in told if key != "arms"}),
        lambda told: json.dumps(told | {"kind": "churn"}),
        lambda told: json.dumps(told | {"inputs": [{"colour": "red"}]}),
        lambda told: json.dumps(told | {"inputs": [{"contacts": "email"}]}),
        lambda told: json.dumps(told | {"arms": [{"action": "a", "channel": None, "effect": {"form": "forest"}}]}),
        lambda told: json.dumps(
            told
            | {"arms": [{"action": "a", "channel": None, "effect": {"form": "constant", "value": "x", "error": 0}}]}
        ),
    ],
)
def test_a_damaged_file_is_refused_in_a_line(damage, workspace, tmp_path):
    effect_models.uplift(workspace).write(tmp_path)
    path = tmp_path / "effects.json"
    path.write_text(damage(json.loads(path.read_text())))
    with pytest.raises(WorkspaceError, match="retrain it") as refused:
        Model.read(tmp_path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


def test_what_is_not_served_is_not_written(tmp_path):
    class Forest:
        def as_dict(self):
            return {"form": "forest"}

    with pytest.raises(ValueError, match="form 'forest' are not served"):
        model([], Blend([Forest()], [1.0])).write(tmp_path)
    assert list(tmp_path.iterdir()) == []
