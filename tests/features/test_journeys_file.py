"""journeys.yaml: what is wrong is told with key and line; one journey gives the customers' stages."""

import json

import jsonschema
import pytest
import yaml
from ingesting import shop
from typer.testing import CliRunner

import tactful
from features.catalogue import DEFAULT
from features.journeys_declared import file
from features.manifest import meaning
from features.scaffold import templates
from features.vocabulary import Vocabulary
from features.workspace import Journey, Workspace, WorkspaceError

PURCHASE = """
journeys:
  - name: purchase
    stages:
      aware: [visit]
      considering: {any: [page_view, {type: call, topic: quotes}], within: 14d, optional: true}
      buying: [purchase]
      leaving: [refund]
    goal: buying
"""


def reopened(folder, text, settings=""):
    (folder / "tactful.yaml").write_text(settings)
    (folder / "journeys.yaml").write_text(text)
    return Workspace.open(folder)


def changed(old, new):
    assert old in PURCHASE
    return PURCHASE.replace(old, new)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (changed("goal: buying", "goal: bought"), "the goal 'bought' is none of its stages: aware"),
        (changed("[visit]", "[]"), "`journeys.0.stages.aware.any`: List should have at least 1 item"),
        (changed("[visit]", "[visit, purchase]"), "type purchase is in aware and buying; a type leads to one stage"),
        (changed("[visit]", "[{topic: quotes}]"), "`journeys.0`: topic quotes is in aware and type page_view"),
        (changed("14d", "14 moons"), "`journeys.0.stages.considering.within`: '14 moons' is not a duration"),
        (changed("optional", "optinal"), "`journeys.0.stages.considering.optinal` is not a known key"),
        (changed("goal: buying", "goal: aware"), "the goal 'aware' is the first stage"),
        (changed("goal: buying", "goal: buying\n    order: [aware, near, buying]"), "`order` names 'near'"),
        (changed("goal: buying", "goal: buying\n    order: [buying, aware]"), "end it with the goal 'buying'"),
        (changed("goal: buying", "goal: buying\n    order: [aware, aware, buying]"), "names a stage twice"),
        (changed("goal: buying", "goal: buying\n    order: [considering, buying]"), "one stage before it, at least"),
        (changed("{type: call, topic: quotes}", "{type: call, channel: telex}"), "'telex' is no known channel"),
        (changed("topic: quotes", "topic: Health"), "'Health' is one of `sensitive_topics`"),
        (PURCHASE + PURCHASE.split("journeys:")[1], "two journeys are called 'purchase'; rename one"),
        (changed("name: purchase", "name: purchase\n    version: 0"), "`journeys.0.version`: Input should be greater"),
    ],
)
def test_a_wrong_journey_names_file_key_line_and_fix(tmp_path, text, told):
    folder = shop(tmp_path).folder
    with pytest.raises(WorkspaceError) as raised:
        reopened(folder, text)
    said = str(raised.value)
    assert said.startswith(f"{folder / 'journeys.yaml'}: `journeys")
    assert told in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (changed("14d", "14 moons"), 6),
        (changed("optional", "optinal"), 6),
        (changed("[visit]", "[visit, 7]"), 5),
        (changed("goal: buying", "goal: bought"), 3),
        (changed("name: purchase", "name: purchase\n    version: 0"), 4),
    ],
)
def test_the_line_is_that_of_the_key(tmp_path, text, line):
    with pytest.raises(WorkspaceError, match=f", line {line}(;|$)"):
        reopened(shop(tmp_path).folder, text)


def test_text_that_is_no_yaml_names_its_line(tmp_path):
    with pytest.raises(WorkspaceError, match=r"journeys.yaml, line 2: not valid YAML"):
        reopened(shop(tmp_path).folder, "journeys:\n  - {name: [}\n")


def test_the_way_is_the_stages_up_to_the_goal_unless_an_order_says_otherwise(tmp_path):
    folder = shop(tmp_path).folder
    (written,) = file.read(folder, reopened(folder, PURCHASE).settings).journeys
    assert written.way == ["aware", "considering", "buying"]
    other = reopened(folder, changed("goal: buying", "goal: buying\n    order: [leaving, aware, buying]"))
    assert file.read(folder, other.settings).journeys[0].way == ["leaving", "aware", "buying"]


def test_the_marked_journey_gives_the_customers_stages_and_changes_no_catalogue(tmp_path):
    folder = shop(tmp_path).folder
    plain = reopened(folder, PURCHASE)
    assert plain.settings.journey == Journey()
    marked = reopened(folder, changed("goal: buying", "goal: buying\n    customer_stage: true"))
    assert list(marked.settings.journey.stages) == ["aware", "considering", "buying", "leaving"]
    levels = [DEFAULT.compile(Vocabulary(), one.settings).levels["journey_stage"] for one in (plain, marked)]
    assert levels[1] == ("aware", "considering", "buying", "leaving") != levels[0]


def test_the_same_stages_in_either_file_mean_the_same(tmp_path):
    folder = shop(tmp_path).folder
    stages = {"aware": ["visit"], "buying": ["purchase"], "leaving": ["refund"]}
    there = reopened(folder, "", yaml.safe_dump({"journey": {"stages": stages}}))
    journey = {"name": "own", "customer_stage": True, "goal": "leaving", "stages": stages}
    here = reopened(folder, yaml.safe_dump({"journeys": [journey]}))
    assert meaning(here.settings) == meaning(there.settings)


def test_stages_in_both_files_and_two_marked_journeys_are_refused(tmp_path):
    folder = shop(tmp_path).folder
    marked = changed("goal: buying", "goal: buying\n    customer_stage: true")
    with pytest.raises(WorkspaceError, match=r"so does `journey` in tactful\.yaml; remove the one or the other"):
        reopened(folder, marked, "journey: {stages: {a: [visit]}}")
    other = marked.split("journeys:")[1].replace("name: purchase", "name: other")
    with pytest.raises(WorkspaceError, match="mark one of purchase, other with `customer_stage`"):
        reopened(folder, marked + other)


def test_without_the_file_nothing_is_written_down(tmp_path):
    opened = shop(tmp_path)
    assert file.read(opened.folder, opened.settings) == file.Journeys()


def test_init_writes_the_file_and_its_schema_with_the_stages_that_are_the_default(tmp_path):
    assert CliRunner().invoke(tactful.app, ["init", str(tmp_path / "new")]).exit_code == 0
    opened = Workspace.open(tmp_path / "new")
    assert opened.settings.journey == Journey()
    first = (opened.folder / "journeys.yaml").read_text().splitlines()[0]
    schema = json.loads((opened.folder / "journeys.schema.json").read_text())
    assert first.endswith(f"$schema={schema['$id']}")
    assert schema == file.schema()


def test_the_schema_accepts_what_reading_accepts_and_refuses_misspellings():
    validator = jsonschema.Draft202012Validator(file.schema())
    validator.check_schema(file.schema())
    for text in (templates("features")["journeys.yaml"], PURCHASE):
        validator.validate(yaml.safe_load(text))
    for wrong in (changed("optional", "optinal"), changed("goal:", "goals:"), changed("[visit]", "[[visit]]")):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(yaml.safe_load(wrong))


def test_words_and_versions_change_no_fingerprint_and_whatever_is_counted_does(tmp_path):
    folder = shop(tmp_path).folder

    def mark(text):
        return file.read(folder, reopened(folder, text).settings).journeys[0].fingerprint

    usual = mark(PURCHASE)
    assert mark(changed("name: purchase", "name: bought\n    version: 3\n    text: on the way")) == usual
    for other in (
        changed("14d", "15d"),
        changed("goal: buying", "goal: buying\n    pause: 9d"),
        changed("visit", "look"),
    ):
        assert mark(other) != usual


def test_policy_check_knows_the_stages_that_are_written_down(tmp_path):
    assert CliRunner().invoke(tactful.app, ["init", str(tmp_path / "new")]).exit_code == 0
    folder = tmp_path / "new"
    (folder / "journeys.yaml").write_text(changed("goal: buying", "goal: buying\n    customer_stage: true"))
    action = "{name: call_back, issue: s, group: g, value: 9, trigger: {stage: STAGE}, channels: [email]}"
    said = {}
    for stage in ("considering", "seeking_help"):
        (folder / "actions.yaml").write_text(f"actions: [{action.replace('STAGE', stage)}]")
        said[stage] = CliRunner().invoke(tactful.app, ["policy", "check", "--workspace", str(folder)])
    assert "waits for the stage" not in said["considering"].output
    wrong = "call_back waits for the stage 'seeking_help'; the journey has aware, considering, buying, leaving"
    assert wrong in said["seeking_help"].output
    assert said["seeking_help"].exit_code == 1
