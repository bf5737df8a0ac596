"""A workspace's own catalogue: its module, the attributes it declares, and mistakes told in one line."""

import numpy as np
import pytest
from ingesting import shop
from interactions_for_tests import DAY, START, table
from typer.testing import CliRunner

import tactful
from features import batch, online
from features.arrange import COLUMNS
from features.catalogue import DEFAULT, Catalogue, of
from features.vocabulary import Vocabulary
from features.workspace import Settings, Workspace, WorkspaceError

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
    life = ("active_days_purchase_365d", "recency_purchase", "tenure_purchase")  # what shows life is always there
    assert of(with_module(tmp_path, text)).names == ("season_sine", *life)


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


KIND = """
from dataclasses import dataclass
from typing import Any

from numba import njit

from features.catalogue import Catalogue
from features.definitions import ANY, Feature, Operation, Selector
from features.kernel.accumulators import COUNT
from features.kinds import Count


@dataclass(frozen=True)
class Squared(Feature):
    \"\"\"A kind of its own.\"\"\"

    who: Selector
    days: int

    unit = "interactions squared"

    @property
    def name(self):
        return f"squared_{self.who.name}_{self.days}d"

    @property
    def text(self):
        return f"the square of the number of {self.who.text} in {self.days} days"

    def operation(self):
        return Operation(self.who, self.days)

    @staticmethod
    @njit
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.windows[s, a, COUNT] ** 2.0


CATALOGUE = Catalogue((Count(ANY, 30), Squared(ANY, 30)))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_module_may_bring_a_kind_of_its_own(tmp_path):
    """It is compiled into a kernel of the workspace's; the shipped kernel beside it stays as it is."""
    catalogue = of(with_module(tmp_path, KIND))
    rows = [row(day) for day in range(3)]
    at = np.array([START + 9 * DAY])
    for found in (catalogue, Catalogue(catalogue.features[:1])):
        words = Vocabulary()
        state, _ = online.update(online.State(), online.items_from_table(table(rows), words))
        values = batch.compute_at(table(rows), ["ann"], at, found, Settings(), workers=1).values[0]
        assert values[:2].tolist() == [3, 9][: len(found)]
        assert online.compute(state, int(at[0]), found.compile(words, Settings())).tolist() == values.tolist()


def row(day):
    return dict.fromkeys(COLUMNS) | {
        "customer_id": "ann", "interaction_id": f"i{day}", "occurred_at": START + day * DAY,
        "received_at": START + day * DAY, "channel": "web", "direction": "inbound", "type": "purchase",
    }  # fmt: skip


def test_the_code_of_an_own_kind_is_in_the_version_but_comments_are_not(tmp_path):
    versions = [
        of(with_module(tmp_path / str(i), text)).version
        for i, text in enumerate((KIND, KIND + "# nothing", KIND.replace("** 2.0", "** 3.0")))
    ]
    assert versions[0] == versions[1] != versions[2]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    @njit\n", "", "the kind Squared has no compiled `read`"),
        (
            "acc.windows[s, a, COUNT]",
            "acc.widnows[s, a, COUNT]",
            "`read` does not compile: Unknown attribute 'widnows'",
        ),
    ],
)
def test_a_mistake_in_an_own_kind_is_one_line(tmp_path, old, new, told):
    with pytest.raises(WorkspaceError) as error:
        of(with_module(tmp_path, KIND.replace(old, new)))
    assert told in str(error.value)
    assert "\n" not in str(error.value)
