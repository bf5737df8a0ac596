"""What `tactful policy check` finds is true: each contradiction by an example, caps and rules against brute force."""

import json
from itertools import combinations_with_replacement
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import tactful
from features import clock
from features.workspace import Settings
from serving.decisions.policy import Actions, Cap, ContactPolicy, Playbook
from serving.decisions.policy.check import check
from serving.decisions.policy.impossible import impossible
from serving.decisions.policy.moot import makes_moot, moot, never_binds
from serving.decisions.rules import Facts, compiled

NOW = clock.parse_instant("2026-05-04T12:00:00Z")
FEATURES = ("spend_30d", "visits")
PLAIN = {"name": "x", "issue": "grow", "group": "g", "channels": ["email", "web"], "value": 10.0}


def found(action: dict[str, object] | None = None, notes: bool = False, **policy: object) -> list[str]:
    """The findings on one action and a policy, as `file key: text`."""
    book = Playbook(
        Actions.model_validate({"actions": [PLAIN | (action or {})]}),
        ContactPolicy.model_validate({"consent": {"unknown": "granted"}} | policy),
    )
    settings = Settings.model_validate({"journey": {"stages": {"new": ["visit"], "old": ["purchase"]}}})
    return [f"{one.file} {one.key}: {one.text}" for one in check(book, settings, FEATURES, NOW) if one.note == notes]


def test_two_sound_files_have_no_findings():
    assert found(caps=[{"scope": "total", "limit": "3 per 7d"}, {"scope": "channel", "max": 1, "per": "day"}]) == []


@pytest.mark.parametrize(
    ("action", "policy", "expected"),
    [
        (
            {},
            {"caps": [{"scope": "total", "limit": "0 per 7d"}]},
            "actions actions.0: no customer can ever be contacted",
        ),
        ({"channels": ["email"]}, {"caps": [{"scope": "channel", "name": "email", "max": 0, "per": "day"}]}, "ever be"),
        ({"tags": ["t"]}, {"caps": [{"scope": "tag", "name": "t", "max": 0, "window": "1d"}]}, "tag t: 0 per 1d"),
        ({"valid": {"from": "2026-06-01", "to": "2026-05-30"}}, {}, "actions.0.valid: x is offered from 2026-06-01"),
        ({"valid": {"to": "2026-05-04"}}, {}, "actions actions.0.valid: x was offered until 2026-05-04, which is over"),
        ({"volume": 0}, {}, "a volume of 0"),
        ({}, {"pressure": {"weights": {"emial": 1.0}}}, "policy pressure.weights.emial: 'emial' is no channel here"),
        ({"value": 0.0}, {}, "silence always wins"),
        ({"lever": 0.0}, {}, "silence always wins"),
        ({"channels": {"email": {"cost": 10.0}}}, {}, "silence always wins"),
        ({"stages": ["newest"]}, {}, "actions.0.stages: x waits for the stage 'newest'; the journey has new, old"),
        ({"trigger": {"stalled": {"stage": "odd", "for": "3d"}}}, {}, "trigger.stalled: x waits for the stage 'odd'"),
        ({"reveals": [{"topic": "health"}]}, {}, "actions.0.reveals.0: x would show 'health'"),
        ({"eligible": "features.spent > 5.0"}, {}, "asks for features.spent, which does not exist"),
        ({"suitable": "scores.propensity > 0.1"}, {}, "asks for scores.propensity, which does not exist; churn"),
        ({"eligible": "features.visits > 5 && features.visits < 3"}, {}, "leaves features.visits no value at all"),
        (
            {"eligible": "features.visits > 5", "suitable": "features.visits < 3"},
            {},
            "`eligible` and `suitable` leaves",
        ),
        ({"eligible": "scores.churn > 1.0"}, {}, "leaves scores.churn no value"),
        ({"eligible": "false"}, {}, "is never true"),
        ({"stages": ["new"], "applicable": "journey.stage == 'old'"}, {}, "leaves journey.stage no value"),
        ({"eligible": "request.direction == 'sideways'"}, {}, "leaves request.direction no value"),
        ({}, {"quiet": {"hours": "00:00-24:00"}}, "policy quiet: the quiet hours and days cover the whole week"),
        ({}, {"quiet": {"weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}}, "cover the whole week"),
        ({}, {"holdout": {"share": 1}}, "policy holdout.share: everyone is held out"),
        ({}, {"withholding": {"share": 1}}, "withholding.share"),
        ({}, {"experiment": {"arms": [{"name": "n", "share": 1, "play": "nothing"}]}}, "an arm that plays nothing"),
        ({}, {"challenger": {"share": 1}}, "nobody is left to compare with"),
        ({}, {"challenger": {}, "cap_levels": {"levels": [{"share": 1, "factor": 2}]}}, "decide for nobody"),
        ({}, {"challenger": {"salt": "tactful"}}, "policy challenger.salt: is that of `holdout`"),
        ({}, {"challenger": {"salt": "cap-levels"}, "cap_levels": {}}, "salt: is that of `cap_levels`"),
        ({}, {"exempt": {"safety": {}}}, "policy exempt.safety: no action is of the class 'safety'"),
        ({}, {"pressure": {"limit": 0.05}}, "weighs more than the whole of `pressure.limit`"),
        (
            {},
            {"caps": [{"scope": "total", "limit": "2 per 7d"}, {"scope": "channel", "limit": "3 per 1d"}]},
            "policy caps.1: `cap channel: 3 per 1d` never matters: `cap total: 2 per 7d` always refuses first",
        ),
    ],
)
def test_each_contradiction_is_one_line_with_its_key(action, policy, expected):
    lines = found(action, **policy)
    assert len([line for line in lines if expected in line]) == 1, lines
    assert all("\n" not in line for line in lines)


@pytest.mark.parametrize(
    "action",
    [
        {"eligible": "features.visits > 3 || features.visits < 3"},
        {"eligible": "features.visits == null", "suitable": "scores.churn == null || scores.churn < 0.5"},
        {"applicable": "journey.stage in ['new', 'old']", "stages": ["new"]},
        {"valid": {"from": "2026-01-01", "to": "2026-05-05"}},
        {"exempt": "safety"},
    ],
)
def test_what_some_customer_may_get_is_no_finding(action):
    assert found(action, exempt={"safety": {}} if "exempt" in action else {}) == []


def test_notes_say_what_not_to_expect():
    caps = [{"scope": "total", "limit": "1 per 1d"}, {"scope": "total", "limit": "50 per 7d"}]
    lines = found(notes=True, caps=caps, quiet={"hours": "21:00-08:00"}, consent={"unknown": "denied"})
    assert [line.split(":")[0] for line in lines] == ["policy caps.1", "policy consent", "policy unknown_zone"]
    assert found(notes=True, service=["grow", "helpp"]) == [
        "policy service.1: no action has the issue or group 'helpp', so it names nothing; there are g, grow"
    ]


# Caps against brute force: a world of few instants, every set of contacts in it.
HOURS = [clock.parse_instant("2026-05-30T20:00:00Z") + i * 4 * clock.HOUR for i in range(13)]
ZONE = ZoneInfo("UTC")


def refuses(cap: Cap, contacts: list[tuple[int, str]], now: int, channel: str) -> bool:
    """Whether one more contact at `now` on `channel` is refused, counted by hand."""
    mine = [at for at, on in contacts if at <= now and (cap.scope == "total" or (on == channel))]
    if cap.scope == "channel" and cap.name not in (None, channel):
        return False
    if cap.calendar is None:
        return sum(at >= now - cap.length for at in mine) >= cap.max
    return sum(period(at, cap.calendar) == period(now, cap.calendar) for at in mine) >= cap.max


def period(at: int, which: str) -> tuple[int, ...]:
    day = clock.instant(at).astimezone(ZONE).date()
    return {"day": (day.toordinal(),), "week": day.isocalendar()[:2], "month": (day.year, day.month)}[which]


caps = st.builds(
    lambda scope, name, most, window: Cap.model_validate(
        {"scope": scope, "max": most, **window} | ({"name": name} if scope == "channel" and name else {})
    ),
    st.sampled_from(["total", "channel"]),
    st.sampled_from([None, "email", "phone"]),
    st.integers(0, 3),
    st.sampled_from([{"window": "4h"}, {"window": "12h"}, {"window": "25h"}, {"window": "30h"}, {"window": "45d"}])
    | st.sampled_from([{"per": "day"}, {"per": "week"}, {"per": "month"}]),
)
histories = st.lists(st.tuples(st.sampled_from(HOURS), st.sampled_from(["email", "phone"])), max_size=6)


@settings(max_examples=600, deadline=None)
@given(caps, caps, histories, st.sampled_from(HOURS), st.sampled_from(["email", "phone"]))
def test_a_moot_cap_never_refuses_alone(strict, cap, history, now, channel):
    """Whoever made the contacts, ours or another tool past every cap."""
    if makes_moot(strict, cap) and refuses(cap, history, now, channel):
        assert refuses(strict, history, now, channel)


def test_a_cap_that_is_called_binding_does_refuse_alone_somewhere():
    """The other half: of rolling and daily caps on one thing, none is left out that brute force shows to be moot."""
    windows = [{"window": "4h"}, {"window": "12h"}, {"per": "day"}, {"window": "30h"}]
    rules = [Cap.model_validate({"scope": "total", "max": n} | w) for n in (1, 2) for w in windows]
    several = [list(times) for n in range(4) for times in combinations_with_replacement(HOURS, n)]
    for strict in rules:
        for cap in rules:
            alone = any(
                refuses(cap, [(at, "email") for at in times], now, "email")
                and not refuses(strict, [(at, "email") for at in times], now, "email")
                for times in several
                for now in HOURS
            )
            assert alone != makes_moot(strict, cap), (strict.label, cap.label)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 2), st.integers(1, 4), st.sampled_from([4, 8, 12]), st.sampled_from([4, 8, 12, 16, 24]))
def test_a_cap_that_never_binds_is_never_reached_by_contacts_that_pass_the_other(most, above, short, long):
    """Every schedule on the grid that the strict cap lets through, made as dense as it may be."""
    strict = Cap(scope="total", max=most, window=f"{short}h")
    cap = Cap(scope="total", max=above, window=f"{long}h")
    made: list[tuple[int, str]] = []
    reached = False
    for now in sorted(at + extra for at in HOURS for extra in (0, 1, 2, 3)):
        for _ in range(most):
            if not refuses(strict, made, now, "email"):
                reached = reached or refuses(cap, made, now, "email")
                made.append((now, "email"))
    assert reached != never_binds(strict, cap)


def test_of_two_equal_caps_the_later_is_moot():
    twice = [Cap(scope="total", max=1, window="7d"), Cap(scope="total", max=1, window="1w")]
    assert list(moot(twice)) == [(1, 0)]


# Rules against brute force: what is called impossible holds for nobody.
terms = st.builds(
    lambda name, operator, value, turned: f"{value} {operator} {name}" if turned else f"{name} {operator} {value}",
    st.sampled_from(["features.visits", "features.spend_30d"]),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.sampled_from(["0.0", "1", "2.0", "-1", "null", "'a'"]),
    st.booleans(),
)
listed = st.sampled_from(["features.visits in [0.0, 1]", "features.visits in [2]", "true", "!true"])
texts = st.recursive(
    terms | listed,
    lambda inner: st.one_of(
        st.builds(lambda a, o, b: f"({a} {o} {b})", inner, st.sampled_from(["&&", "||"]), inner),
        st.builds(lambda a: f"!({a})", inner),
    ),
    max_leaves=6,
)
VALUES = [None, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, "a", "b"]
EVERYBODY = [Facts({"visits": visits, "spend_30d": spend}, {}, {}, {}, {}, {}) for visits in VALUES for spend in VALUES]


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, min_size=1, max_size=2))
def test_rules_called_impossible_hold_for_nobody(rules):
    if impossible([compiled(text).tree for text in rules], {}) is not None:
        assert not any(all(facts.judged(text) is True for text in rules) for facts in EVERYBODY)


@pytest.mark.parametrize(
    "rule", ["{0} != 0.0 && {0} == 0.0", "{0} >= 2 && {0} <= 2 && {0} != 2", "{0} in [1] && {0} != 1"]
)
def test_a_value_that_was_ruled_out_before_is_none(rule):
    text = rule.format("features.purchases_30d")
    assert impossible([compiled(text).tree], {}) == "features.purchases_30d"


@settings(max_examples=200, deadline=None)
@given(st.lists(terms.filter(lambda text: "'" not in text), min_size=1, max_size=3).map(" && ".join))
def test_of_plain_conjunctions_all_that_hold_for_nobody_are_found(text):
    if not any(facts.judged(text) is True for facts in EVERYBODY):
        assert impossible([compiled(text).tree], {}) is not None


@pytest.fixture
def made(tmp_path):
    result = CliRunner().invoke(tactful.app, ["init", str(tmp_path / "shop")])
    assert result.exit_code == 0
    return tmp_path / "shop"


def invoke(*arguments: object):
    return CliRunner().invoke(tactful.app, ["policy", *(str(argument) for argument in arguments)])


def test_the_command_says_clean_contradicted_broken(made):
    clean = invoke("check", "-w", made)
    assert clean.exit_code == 0
    assert "3 actions, 4 caps, no contradictions" in clean.output
    path = made / "contact_policy.yaml"
    sound = path.read_text()
    path.write_text(sound.replace("{share: 0.05, salt: tactful}", "{share: 1.0}"))
    wrong = invoke("check", "-w", made, "--json")
    assert wrong.exit_code == 1
    assert [one["key"] for one in json.loads(wrong.output) if not one["note"]] == ["holdout.share"]
    path.write_text(sound.replace("holdout:", "houldout:"))
    broken = invoke("check", "-w", made)
    assert broken.exit_code == 2
    assert "`houldout` is not a known key" in broken.output


@pytest.mark.parametrize(("which", "file"), [("actions", "actions"), ("policy", "contact_policy")])
def test_init_writes_the_schema_that_the_file_points_at(made, which, file):
    head = (made / f"{file}.yaml").read_text().splitlines()[0]
    assert head == f"# yaml-language-server: $schema={file}.schema.json"
    printed = invoke("schema", which)
    assert printed.exit_code == 0
    assert json.loads((made / f"{file}.schema.json").read_text()) == json.loads(printed.output)
