"""A workspace's own catalogue: its module, the attributes it declares, and mistakes told in one line."""

import pytest
from ingesting import shop
from typer.testing import CliRunner

import tactful
from features.catalogue import DEFAULT, of
from features.workspace import Workspace, WorkspaceError

PRODUCE = """
from features.catalogue import DEFAULT, Catalogue
from features.definitions import Selector
from features.kinds import ActiveDays

CATALOGUE = Catalogue((*DEFAULT, ActiveDays(Selector(type="purchase", topic="produce"), 33)))
"""


def with_module(folder, text: str, settings: str = "") -> Workspace:
    workspace = shop(folder, settings)
    (workspace.folder / "catalogue.py").write_text(text)
    return workspace


def test_without_a_module_and_attributes_it_is_the_default(tmp_path):
    assert of(shop(tmp_path)) is DEFAULT


def test_a_module_adds_a_feature_of_a_known_kind_in_one_line(tmp_path):
    workspace = with_module(tmp_path, PRODUCE)
    found = of(workspace)
    assert found.names == (*DEFAULT.names, "active_days_purchase_produce_33d")
    assert found.version != DEFAULT.version
    assert of(workspace) is found
    assert of(Workspace.open(workspace.folder)) is found


def test_a_changed_module_is_read_again(tmp_path):
    workspace = with_module(tmp_path, PRODUCE)
    before = of(workspace).version
    (workspace.folder / "catalogue.py").write_text(PRODUCE.replace("33", "34") + "# a comment")
    assert of(workspace).names[-1] == "active_days_purchase_produce_34d"
    assert of(workspace).version != before
    (workspace.folder / "catalogue.py").write_text(PRODUCE + "# only a comment")
    assert of(workspace).version == before


def test_a_plain_list_of_features_will_do(tmp_path):
    text = "from features.catalogue import DEFAULT\nCATALOGUE = [f for f in DEFAULT if f.name == 'season_sine']"
    assert of(with_module(tmp_path, text)).names == ("season_sine",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\nCATALOGUE = (", "catalogue.py, line 2: '(' was never closed"),
        ("x = 1\n\nprint(nothing)", "catalogue.py, line 3: NameError: name 'nothing' is not defined"),
        ("from features.kinds import Cuont", "catalogue.py, line 1: ImportError: cannot import name 'Cuont'"),
        ("CATALOG = 1", "catalogue.py: defines no CATALOGUE"),
        ("CATALOGUE = ['recency']", "catalogue.py: entry 1 of CATALOGUE is 'recency', no feature"),
        (
            "from features.catalogue import DEFAULT\nCATALOGUE = (*DEFAULT, *DEFAULT)",
            "catalogue.py: the catalogue names",
        ),
        (
            "from features.catalogue import DEFAULT, Catalogue\n\n\nCATALOGUE = Catalogue((*DEFAULT, *DEFAULT))",
            "catalogue.py, line 4: ValueError: the catalogue names",
        ),
        ("import sys\nsys.exit(3)", "catalogue.py, line 2: SystemExit: 3"),
    ],
)
def test_a_mistake_is_one_line_that_says_where(tmp_path, text, told):
    workspace = with_module(tmp_path, text)
    with pytest.raises(WorkspaceError) as error:
        of(workspace)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    shown = CliRunner().invoke(tactful.app, ["features", "list", "--workspace", str(workspace.folder)])
    assert shown.exit_code == 2


def test_declared_attributes_are_features(tmp_path):
    workspace = shop(tmp_path, "attributes: {age: number, segment: [gold, silver], kids: [0, 1, yes]}")
    found = of(workspace)
    assert found.names == (*DEFAULT.names, "attribute_age", "attribute_segment", "attribute_kids")
    assert found.features[-1].labels == ("0", "1", "true")  # what YAML makes of yes
    assert of(with_module(tmp_path / "b", PRODUCE, "attributes: {age: number}")).names[-2:] == (
        "active_days_purchase_produce_33d",
        "attribute_age",
    )


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("{health: number}", "'health' is about 'health', one of `sensitive_topics`"),
        ("{health_plan: number}", "'health_plan' is about 'health'"),
        ("{life: [Money-Trouble, fine]}", "'Money-Trouble' is about 'money_trouble'"),
        ("{age: numeric}", "`age` is `number` or a list of labels"),
        ("{segment: []}", "`segment` is `number` or a list of labels"),
        ("{segment: [a, a]}", "lists a label twice"),
        ("{post code: number}", "'post code' cannot name a feature"),
        ("[age]", "is a list of `name: number` or"),
    ],
)
def test_a_wrong_declaration_is_told(tmp_path, section, told):
    with pytest.raises(WorkspaceError, match="`attributes`") as error:
        shop(tmp_path, f"attributes: {section}")
    assert told in str(error.value)


def test_the_sensitive_list_is_the_workspaces_own(tmp_path):
    workspace = shop(tmp_path, "sensitive_topics: [faith]\nattributes: {health: number}")
    assert of(workspace).names[-1] == "attribute_health"
    with pytest.raises(WorkspaceError, match="'faith'"):
        shop(tmp_path / "b", "sensitive_topics: [Faith]\nattributes: {faith: number}")


def test_features_list_shows_the_workspaces_own(tmp_path):
    workspace = with_module(tmp_path, PRODUCE, "attributes: {segment: [gold, silver]}")
    shown = CliRunner().invoke(tactful.app, ["features", "list", "--workspace", str(workspace.folder)])
    assert shown.exit_code == 0, shown.output
    assert "active_days_purchase_produce_33d" in shown.output
    assert "the customer's segment as last recorded: gold, silver" in shown.output
    assert of(workspace).version in shown.output
