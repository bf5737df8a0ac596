"""The marketers' files: the shipped templates are valid, and every mistake is one line with file, key and fix."""

import random
from importlib.resources import files

import pytest
import yaml

from features.workspace import Workspace, WorkspaceError, read_yaml
from serving.decisions.policy import Actions, ContactPolicy, load, micros

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


def test_mutated_files_are_refused_or_loaded_never_a_traceback(workspace):
    """Bytes swapped, dropped and doubled at random: a WorkspaceError or a whole playbook, nothing in between."""
    chance = random.Random(11)
    originals = {path: path.read_text() for path in (workspace.actions_file, workspace.policy_file)}
    refusals = []
    for _ in range(300):
        path = chance.choice(sorted(originals))
        text = [line for line in originals[path].splitlines() if not line.lstrip().startswith("#")]
        body = list("\n".join(text))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body))
            body[at] = chance.choice(["", body[at] * 2, chance.choice("{}[]:,-#'\"\t%&*!|>@`\x00\ud7ff0z ")])
        path.write_text("".join(body), encoding="utf-8")
        try:
            load(workspace)
        except WorkspaceError as error:
            refusals.append((path, str(error)))
        finally:
            path.write_text(originals[path])
    assert len(refusals) > 100
    assert all(str(path) in message for path, message in refusals)
