"""More than one type may show life: the habit is read from any of them, in training as in the service."""

import numpy as np
import pytest
import simulated

from features import batch, online
from features.catalogue import DEFAULT, of
from features.interactions import SCHEMA
from features.own_catalogue import signs_of_life
from features.vocabulary import Vocabulary
from features.workspace import Settings, Workspace
from serving.scorer import Scorer
from training import artefact, pipeline
from training.dataset import before
from training.train import fit

TYPES = ["purchase", "Order Completed, by app"]
NAME = "purchase_or_Order_Completed_by_app"
COLUMNS = [f"active_days_{NAME}_365d", f"recency_{NAME}", f"tenure_{NAME}"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two types")
    (folder / "tactful.yaml").write_text(f"churn: {{horizon_days: 30, qualifying: {TYPES}}}\n")
    return Workspace.open(folder)


@pytest.fixture(scope="module")
def log():
    """Half of all visits are of the second type: either alone tells half of a habit."""
    who, when = simulated.habitual(700)
    random = np.random.default_rng(5)
    return simulated.table(who, when, type=random.choice(TYPES, len(who)).tolist())


@pytest.fixture(scope="module")
def fitted(workspace, log):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.churn.TRAINING_ROWS", 8000)
        return fit("churn", log, workspace.settings, catalogue=of(workspace))


def test_the_workspace_s_catalogue_has_the_columns(workspace):
    assert of(workspace).names == (*DEFAULT.names, *COLUMNS)
    assert of(workspace) is of(workspace)
    habit = pipeline.habit_of(of(workspace), TYPES, 30)
    assert [habit[name] for name in ("active_days", "recency", "tenure")] == COLUMNS
    assert pipeline.habit_of(DEFAULT, TYPES, 30) is None


def test_types_are_told_once_and_one_type_keeps_its_names():
    assert [feature.name for feature in signs_of_life(["visit", "visit"])] == [
        "active_days_visit_365d",
        "recency_visit",
        "tenure_visit",
    ]
    assert set(signs_of_life(["purchase"])) <= set(DEFAULT.features)


def test_the_habit_is_that_of_both_types_together(fitted, log, workspace):
    model, test = fitted.pipeline[-1], fitted.dataset.test
    assert model.habits_
    assert {*COLUMNS} <= set(map(str, model.feature_names_in_))
    alike = log.set_column(log.schema.get_field_index("type"), SCHEMA.field("type"), [["purchase"] * len(log)])
    settings = Settings.model_validate({"churn": {"horizon_days": 30}})
    one = batch.compute_at(alike, test.customer, test.as_of, DEFAULT, settings)
    for column, plain in zip(
        COLUMNS, ("active_days_purchase_365d", "recency_purchase", "tenure_purchase"), strict=True
    ):
        np.testing.assert_array_equal(test.frame[column], one.values[:, DEFAULT.names.index(plain)])
    assert fitted.metrics["auc"].value > 0.7


def test_the_service_scores_them_from_packed_state_alike(fitted, log, workspace, tmp_path):
    catalogue, words, test = of(workspace), Vocabulary(), fitted.dataset.test
    artefact.write(tmp_path, pipeline.scorer(fitted.pipeline, fitted.dataset, "", ""), fitted.pipeline[-1].booster)
    as_of = int(test.as_of[0])
    known = before(batch.Past(log), as_of).interactions
    states = {who: online.update(online.State(), items)[0] for who, items in online.fold_table(known, words)}
    compiled = catalogue.compile(words, workspace.settings)
    levels = {name: compiled.levels.get(name) for name in catalogue.names}
    scorer = Scorer.load(tmp_path, catalogue.names, levels)
    vectors = np.array([online.compute(states[who], as_of, compiled) for who in test.customer[:100]])
    np.testing.assert_allclose(scorer.customers(vectors), fitted.probability[:100], rtol=1e-9, atol=1e-12)
    terms = pipeline.scorer(fitted.pipeline, fitted.dataset, "", "").linear["terms"]
    assert all(term["habit"]["recency"] == COLUMNS[1] for term in terms)
    assert terms
