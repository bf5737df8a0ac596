"""The marketers' files: the shipped templates are valid, and every mistake is one line with file, key and fix."""

import json
import random
from datetime import date
from importlib.resources import files

import full_policy
import jsonschema
import pytest
import yaml
from pydantic import ValidationError

from features import clock
from features.catalogue import DEFAULT
from features.workspace import Workspace, WorkspaceError, explain, read_yaml
from serving.decisions.policy import (
    Action,
    Actions,
    Cap,
    CapLevels,
    ContactPolicy,
    Experiment,
    Playbook,
    Pressure,
    Quiet,
    Signal,
    Trigger,
    Valid,
    load,
    micros,
)
from serving.decisions.policy.check import check
from serving.decisions.policy.schema import schema
from serving.decisions.policy.triggers import KINDS

TEMPLATES = files("serving.templates")
ACTION = {"name": "x", "issue": "grow", "group": "g", "channels": ["email"]}


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "tactful.yaml").write_text("name: test\n")
    for name in ("actions.yaml", "contact_policy.yaml"):
        (tmp_path / name).write_text((TEMPLATES / name).read_text())
    return Workspace.open(tmp_path)


def test_the_templates_load_and_sell_nothing_without_consent(workspace):
    book = load(workspace)
    assert book.actions.actions
    assert book.policy.caps
    assert book.policy.consent.unknown == "denied"
    assert len(book.version) == 12


def test_the_template_states_the_models_own_defaults(workspace):
    """A marketer who deletes a section gets what the template showed, except what it shows on purpose."""
    told = yaml.safe_load(workspace.policy_file.read_text())
    stated = ContactPolicy.model_validate(told).model_dump()
    default = ContactPolicy().model_dump()
    on_purpose = {"caps", "consent", "harm", "pressure", "quiet", "cool_down"}
    assert {key for key in default if stated[key] != default[key]} == on_purpose
    assert set(told) == set(default)  # nothing is hidden from the marketer


def test_the_version_changes_with_meaning_and_not_with_layout(workspace):
    before = load(workspace).version
    workspace.policy_file.write_text("# a comment\n" + workspace.policy_file.read_text())
    assert load(workspace).version == before
    workspace.policy_file.write_text(workspace.policy_file.read_text().replace("max: 3", "max: 4"))
    assert load(workspace).version != before


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("contact_policy.yaml", "scope: total,", "scope: totl,", "`caps.0.scope`"),
        ("contact_policy.yaml", "window: 7d", "window: 7 days", "write minutes, hours, days or weeks"),
        ("contact_policy.yaml", "name: email,", "name: emial,", "'emial' is no known channel"),
        ("contact_policy.yaml", "share: 0.05", "share: 5", "`holdout.share`"),
        ("contact_policy.yaml", "holdout:", "houldout:", "`houldout` is not a known key"),
        ("contact_policy.yaml", "reservation: {expires: 24h}", "reservation: {expires: 0h}", "longer than zero"),
        ("contact_policy.yaml", "recent: 7d", "recent: 500d", "longer than 400 days"),
        ("contact_policy.yaml", "max: 3", "max: -3", "`caps.0.max`"),
        ("contact_policy.yaml", "max: 3", "max: 3.000", "write one thousand as 1000"),
        ("contact_policy.yaml", "share: 0.05", "share: 5%", "write a share as a number from 0 to 1: 0.05"),
        ("contact_policy.yaml", "share: 0.05", "share: 0,05", "write decimals with a point"),
        ("contact_policy.yaml", 'hours: "21:00-08:00"', "hours: 21:00", "put it in quotes"),
        ("contact_policy.yaml", "country: null", "country: NO", 'put it in quotes, as "NO"'),
        ("contact_policy.yaml", "half_life: 54d", "half_life: 54", "(54d)"),
        ("contact_policy.yaml", "service: [service]", "service: service", "write a list: [service]"),
        ("actions.yaml", "value: 12.0", "value: 12,0", "write it with a point: 12.0"),
        ("actions.yaml", "value: 12.0", "volume: '12,000'", "write it in digits alone: 12000"),
        ("actions.yaml", "{discount: 0.10}", "{discount: [1]}", r"`actions.0.attributes.discount`: is no text, number"),
        ("actions.yaml", "value: 12.0", "value: 12 EUR", "write the number alone: 12"),
        ("actions.yaml", "channels: [email, web, mobile_app]", "channels: email", "write a list: [email]"),
        ("contact_policy.yaml", "channels: {phone: 0.5}", "channels: {phone: .nan}", "`harm.channels.phone`"),
        ("actions.yaml", "web: {cost: 0.0}", "wob: {cost: 0.0}", "'wob' is no known channel"),
        ("actions.yaml", "scores.churn > 0.5", "score.churn > 0.5", "uses score, but a rule sees only"),
        ("actions.yaml", "scores.churn > 0.5", "scores.churn >", "is not a CEL rule"),
        ("actions.yaml", "name: app_tour", "name: thank_you_voucher", "names the action 'thank_you_voucher' twice"),
        ("actions.yaml", "value: 30.0", "value: lots", "`actions.1.value`"),
        ("actions.yaml", "issue: service", "issue: service\n    exempt: safety", "is not under `exempt`"),
        ("actions.yaml", "channels: [email, web, mobile_app]", "channels: []", "`actions.2.channels`"),
    ],
)
def test_a_mistake_names_file_key_and_fix(workspace, file, old, new, message):
    path = workspace.folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(WorkspaceError) as caught:
        load(workspace)
    assert file in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_total_cap_takes_no_name(tmp_path):
    (tmp_path / "p.yaml").write_text("caps: [{scope: total, name: email, max: 1, window: 1d}]")
    with pytest.raises(WorkspaceError, match="takes no `name`"):
        read_yaml(tmp_path / "p.yaml", ContactPolicy)


def test_channels_may_be_a_list_or_treatments():
    listed = Actions.model_validate({"actions": [ACTION]}).actions[0]
    mapped = Actions.model_validate({"actions": [ACTION | {"channels": {"email": None}}]}).actions[0]
    assert listed == mapped


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5_400), ("12h", 43_200), (" 7d ", 604_800), ("2w", 1_209_600)])
def test_durations(text, seconds):
    assert micros(text) == seconds * 1_000_000


def mutated(workspace: Workspace, number: int, seed: int) -> list[str]:
    """Characters swapped, dropped and doubled at random in one of the files: what was said to those refused."""
    chance = random.Random(seed)
    originals = {path: path.read_text() for path in (workspace.actions_file, workspace.policy_file)}
    refusals = []
    for _ in range(number):
        path = chance.choice(sorted(originals))
        body = list(originals[path])
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body))
            body[at] = chance.choice(["", body[at] * 2, chance.choice("{}[]:,-#'\"\t%&*!|>@`\x00\ud7ff0z ")])
        path.write_text("".join(body), encoding="utf-8")
        try:
            book = load(workspace)
        except WorkspaceError as error:
            refusals.append(str(error))
        else:  # whole: what was read says itself again, and everything in it can be asked
            assert ContactPolicy.model_validate(book.policy.model_dump(by_alias=True)) == book.policy
            assert Actions.model_validate(book.actions.model_dump(by_alias=True)) == book.actions
            assert all("\n" not in found.text for found in check(book, workspace.settings, DEFAULT.names, 0))
        finally:
            path.write_text(originals[path])
    return refusals


@pytest.mark.parametrize(
    "number", [80, pytest.param(5_000, marks=[pytest.mark.slow, pytest.mark.timeout(2_400)], id="10,000 in all")]
)
@pytest.mark.parametrize("full", [False, True], ids=["template", "every key"])
def test_mutated_files_are_refused_or_loaded_never_a_traceback(workspace, number, full):
    for path, text in ((workspace.actions_file, full_policy.ACTIONS), (workspace.policy_file, full_policy.POLICY)):
        lines = (text if full else path.read_text()).splitlines()
        path.write_text("\n".join(line for line in lines if not line.lstrip().startswith("#")))
    refusals = mutated(workspace, number, seed=11 + full)
    assert len(refusals) > number / 4
    files = (str(workspace.actions_file), str(workspace.policy_file))  # a renamed group is missed by the other file
    assert [text for text in refusals if not text.startswith(files) or "\n" in text] == []


def test_the_full_files_state_every_key_and_none_at_its_default(workspace):
    """So what is tested with them is tested with everything that a marketer may write."""
    workspace.actions_file.write_text(full_policy.ACTIONS)
    workspace.policy_file.write_text(full_policy.POLICY)
    book = load(workspace)
    first, stated = book.actions.actions[0], book.policy.model_dump()
    assert first.model_fields_set == set(Action.model_fields)
    assert {key for key, value in ContactPolicy().model_dump().items() if stated[key] == value} == set()
    assert {action.trigger.kind for action in book.actions.actions if action.trigger} == set(KINDS)
    assert {cap.scope for cap in book.policy.caps} == {"total", "channel", "tag", "issue", "group", "action"}


@pytest.mark.parametrize("which", ["actions", "policy"])
def test_the_schema_accepts_what_reading_accepts_and_is_strict_about_keys(which):
    validator = jsonschema.Draft202012Validator(schema(which))
    name = {"actions": "actions.yaml", "policy": "contact_policy.yaml"}[which]
    full = {"actions": full_policy.ACTIONS, "policy": full_policy.POLICY}[which]
    for text in (full, (TEMPLATES / name).read_text(), (files("serving.demo") / name).read_text()):
        content = json.loads(json.dumps(yaml.safe_load(text), default=str))  # an editor sees a date as text
        assert [error.message for error in validator.iter_errors(content)] == []
        assert list(validator.iter_errors(content | {"houldout": {}}))
    refused = {
        "actions": ({"volume": -5}, {"response_window": "7 days"}, {"attributes": {"a": None}}),
        "policy": (
            {"caps": [{"scope": "total", "limit": "3/7d"}]}, {"caps": [{"scope": "total", "max": 3}]},
            {"caps": [{"scope": "total", "max": -1, "per": "day"}]},
            {"quiet": {"hours": "9pm-8am"}}, {"reservation": {"expires": "24"}},
        ),
    }  # fmt: skip
    for wrong in refused[which]:
        if which == "actions":
            wrong = {"actions": [{"name": "x", "issue": "i", "group": "g", "channels": ["email"]} | wrong]}
        with pytest.raises(ValidationError):
            (Actions if which == "actions" else ContactPolicy).model_validate(wrong)
        assert list(validator.iter_errors(wrong)), wrong
    described = [text for text in json.dumps(schema(which)).split('"description": ')[1:] if not text.startswith('""')]
    assert len(described) > 20


@pytest.mark.parametrize(
    ("cap", "scale", "label"),
    [
        ({"limit": "3 per 7d"}, 7 * clock.DAY, "cap total: 3 per 7d"),
        ({"limit": "1 per local day"}, "day", "cap total: 1 per local day"),
        ({"limit": "2 per week"}, "week", "cap total: 2 per local week"),
        ({"max": 4, "per": "month"}, "month", "cap total: 4 per local month"),
        ({"max": 4, "window": "36h"}, 36 * clock.HOUR, "cap total: 4 per 36h"),
    ],
)
def test_caps_are_rolling_or_of_the_calendar(cap, scale, label):
    made = Cap.model_validate({"scope": "total"} | cap)
    assert (made.calendar or made.length) == scale
    assert made.label == label
    assert made == Cap.model_validate(made.model_dump())


@pytest.mark.parametrize(
    ("model", "given", "message"),
    [
        (Cap, {"scope": "total", "limit": "3 per fortnight"}, "`limit` is not understood"),
        (Cap, {"scope": "total", "limit": 3}, "`limit` is not understood"),
        (Cap, {"scope": "total", "limit": "3 per 7d", "max": 3}, "`limit` says it all; remove max"),
        (Cap, {"scope": "total", "max": 3}, "either a `window` such as 7d or `per: day`"),
        (Cap, {"scope": "total", "max": 3, "window": "7d", "per": "day"}, "give one of them"),
        (Trigger, {}, "exactly one of stage, stalled, case_closed, abandoned, date; it names none"),
        (Trigger, {"stage": "a", "case_closed": True}, "it names `stage` and `case_closed`"),
        (Trigger, {"case_closed": False}, "it names none"),
        (Signal, {"text": "x"}, "at least one of type, topic, channel"),
        (Quiet, {"hours": "21-8"}, 'write them as "21:00-08:00"'),
        (Quiet, {"hours": "21:00-24:30"}, 'write them as "21:00-08:00"'),
        (Quiet, {"hours": "08:00-08:00"}, "for the whole day write 00:00-24:00"),
        (Quiet, {"weekdays": ["saturday"]}, "'mon', 'tue'"),
        (Experiment, {"arms": [{"name": "a", "share": 0.6, "play": "nothing"}] * 2}, "names an arm twice"),
        (
            Experiment,
            {"arms": [{"name": n, "share": 0.6, "play": "nothing"} for n in "ab"]},
            "the shares add up to 1.2; at most 1",
        ),
        (CapLevels, {"levels": [{"share": 0.6, "factor": 2}] * 2}, "the shares add up to 1.2"),
        (ContactPolicy, {"zone": "Berlin"}, "'Berlin' is no time zone"),
        (ContactPolicy, {"zone": "../../etc/passwd"}, "is no time zone"),
        (Valid, {"from": "yesterday"}, "is not a date"),
    ],
)
def test_a_value_that_makes_no_sense_says_how_to_write_it(model, given, message):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    assert message in "; ".join(explain(caught.value))


def test_days_of_validity_begin_in_the_companys_zone():
    action = ACTION | {"valid": {"from": date(2026, 3, 29), "to": "2026-03-30"}}
    book = Playbook(Actions.model_validate({"actions": [action]}), ContactPolicy(zone="Europe/Berlin"))
    start, end = book.spans["x"]
    assert (start, end) == (clock.parse_instant("2026-03-28T23:00:00Z"), clock.parse_instant("2026-03-29T22:00:00Z"))
    assert end - start == 23 * clock.HOUR  # the clocks went forward
    only = book.actions.by_name["x"]
    assert [book.valid(only, at) for at in (start - 1, start, end - 1, end)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("action", "purpose"),
    [
        ({}, "marketing"),
        ({"issue": "service"}, "service"),
        ({"group": "service"}, "service"),
        ({"issue": "service", "purpose": "marketing"}, "marketing"),
        ({"purpose": "news"}, "news"),
    ],
)
def test_the_purpose_that_consent_is_asked_for(action, purpose):
    book = Playbook(Actions.model_validate({"actions": [ACTION | action]}), ContactPolicy())
    assert book.actions.actions[0].purpose == purpose
    assert Playbook(book.actions, book.policy).version == book.version


def test_quiet_hours_may_pass_midnight_and_last_all_day():
    assert Quiet(hours="21:00-08:00").span == (21 * 60, 8 * 60)
    assert Quiet(hours=" 0:00 - 24:00").span == (0, 24 * 60)
    assert Quiet(weekdays=["sat", "sun"]).days == {5, 6}


def test_pressure_sustains_what_the_study_found():
    """About 3 calls, 4 e-mails or 10 letters a quarter alone: evenly spaced, the sum just before each stays in room."""
    pressure = Pressure()
    for channel, quarter in (("phone", 3), ("email", 4), ("mail", 10)):
        gap = 91 * clock.DAY / quarter
        standing = sum(pressure.weight(channel) * 0.5 ** (n * gap / pressure.half) for n in range(1, 200))
        tighter = sum(pressure.weight(channel) * 0.5 ** (n * gap * 0.8 / pressure.half) for n in range(1, 200))
        assert standing + pressure.weight(channel) <= pressure.limit * 1.06
        assert tighter + pressure.weight(channel) > pressure.limit


def test_a_file_nested_without_end_is_one_line(workspace):
    workspace.policy_file.write_text("caps: " + "[" * 1_000)
    with pytest.raises(WorkspaceError, match="nested too deeply"):
        load(workspace)
