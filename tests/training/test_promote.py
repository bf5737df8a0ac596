"""The rule of promotion, part by part: each refusal says why, and a refused version plays no part."""

import re
import shutil
import sqlite3
import subprocess
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from feature_engine.encoding import OrdinalEncoder, RareLabelEncoder
from mlflow.exceptions import MlflowException
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier
from typer.testing import CliRunner

from features import catalogue as catalogues
from features.catalogue import DEFAULT, Catalogue
from features.workspace import Workspace, WorkspaceError
from training import calibration, commands, promote, provenance
from training.evaluate import METRICS, evaluate
from training.promote import Reigning, Verdict
from training.tracking import CHALLENGER, CHAMPION, REFUSED, SHADOW, Registry

KIND = "churn"
JUDGED = {name: METRICS[name] for name in ("calibration_slope", "brier_skill", "ece")}


def rows(n, seed, moved=0.0, slope=1.0, each=1):
    """Labels of true probabilities, and what a model says: moved by a constant, or with logits too wide by `slope`.

    `each` rows share a customer and a label.
    """
    random = np.random.default_rng(seed)
    customers = np.repeat(np.arange(n // each), each)
    truth = np.repeat(random.beta(2, 3, n // each), each)
    label = np.repeat(random.random(n // each) < truth[::each], each).astype(float)
    logit = np.log(truth) - np.log1p(-truth)
    said = 1 / (1 + np.exp(-slope * logit))
    return label, np.clip(said - moved, 0.001, 0.999), customers


def faults(n, seed, **changes):
    label, said, customers = rows(n, seed, **changes)
    return calibration.faults(label, said, customers, evaluate(label, said, customers, 60, JUDGED))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "each", "moved", "least", "most"),
    [(300, 1, 0.0, 0, 8), (1500, 1, 0.0, 0, 6), (1500, 5, 0.0, 0, 8), (3000, 1, 0.02, 0, 6), (3000, 1, 0.06, 30, 40)],
)
def test_right_probabilities_are_seldom_called_wrong_and_wrong_ones_mostly(n, each, moved, least, most):
    """Of 40, each asked two questions: one in twenty may be refused by chance where all is right, one in ten of few
    customers, also where rows of a customer go together."""
    assert least <= sum(bool(faults(n, seed, moved=moved, each=each)) for seed in range(40)) <= most


def test_what_is_out_of_calibration_is_told_with_its_interval():
    (wide,) = [found for found in faults(4000, 1, slope=1.6) if "slope" in found]
    assert wide.startswith("calibration slope 0.6")
    assert "outside 0.9 to 1.1" in wide
    moved = faults(4000, 1, moved=0.08)[-1]
    assert moved.startswith("expected calibration error 0.0")
    assert moved.endswith("above 0.02")
    assert faults(4000, 1) == []


class Part(SimpleNamespace):
    def __len__(self):
        return len(self.label)


def fitted(label, said, customers, catalogue=DEFAULT, inputs=None):
    """As much of a fitted model as the rule looks at."""
    names = list(inputs or DEFAULT.names[:3])
    test = Part(label=label, customer=customers, frame=None)
    dataset = SimpleNamespace(kind=KIND, test=test, catalogue=catalogue, action_features=("action_name",))
    model = SimpleNamespace(feature_names_in_=np.array([*names, "action_name"], dtype=object))
    return SimpleNamespace(
        dataset=dataset, probability=said, metrics=evaluate(label, said, customers, 60, JUDGED), pipeline=[model]
    )


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """A workspace whose registry is there, for that takes seconds; read only."""
    folder = tmp_path_factory.mktemp("rule") / "blank"
    folder.mkdir()
    (folder / "tactful.yaml").write_text("name: rule\n")
    Registry(Workspace.open(folder)).experiment()
    return folder


@pytest.fixture
def workspace(blank, tmp_path):
    shutil.copytree(blank, tmp_path / "shop")
    return Workspace.open(tmp_path / "shop")


@pytest.fixture
def registry(workspace):
    return Registry(workspace)


def version(registry, **tags):
    """A registered version whose run says what `tags` say."""
    run = registry.client.create_run(registry.experiment(), tags=tags)
    return str(registry.register(KIND, f"runs:/{run.info.run_id}/model", run.info.run_id).version)


def held(registry, alias):
    found = registry.holder(KIND, alias)
    return None if found is None else str(found.version)


def settled(registry, model, monkeypatch, reigning=None, alarm=None):
    """`reigning` is the champion, whoever was it before."""
    if reigning is not None and held(registry, CHAMPION) != reigning.version:
        registry.appoint(KIND, reigning.version, CHAMPION, "once")
    monkeypatch.setattr(promote, "drift_alarm", lambda *_: alarm)
    monkeypatch.setattr(promote, "reigning_over", lambda *_: reigning)
    new = SimpleNamespace(version=version(registry))
    return new.version, promote.settle(registry, model, new)


def test_each_part_of_the_rule_refuses_and_says_why(registry, monkeypatch):
    label, said, customers = rows(3000, 3)
    good = fitted(label, said, customers)
    first, verdict = settled(registry, good, monkeypatch)
    assert (verdict.alias, verdict.reason) == (CHAMPION, "the first model of its kind")
    reigning = Reigning(first, said)
    random = np.random.default_rng(0)
    worse = fitted(label, np.clip(said + random.normal(0, 0.15, len(said)), 0.01, 0.99), customers)
    wide = fitted(label, 1 / (1 + np.exp(-2 * (np.log(said) - np.log1p(-said)))), customers)
    lacking = fitted(label, said, customers, inputs=[*DEFAULT.names[:2], "of_yesteryear"])
    other = fitted(label, said, customers, catalogue=Catalogue(tuple(DEFAULT)[:-1]))
    for model, alarm, why in (
        (worse, None, f"ranks worse than version {first} on the same 3,000 later rows"),
        (wide, None, "out of calibration on later rows: calibration slope 0.5"),
        (good, "recency moved", "the newest customers differ from those it was judged on: recency moved"),
        (lacking, None, "needs features that the catalogue does not serve: of_yesteryear"),
        (other, None, "learned from another catalogue of features"),
    ):
        new, verdict = settled(registry, model, monkeypatch, reigning, alarm)
        assert verdict.alias == CHALLENGER
        assert why in verdict.reason
        assert held(registry, CHAMPION) == first
        assert registry.holder(KIND, CHALLENGER).tags[REFUSED] == verdict.reason
        assert held(registry, CHALLENGER) == new
    new, verdict = settled(registry, good, monkeypatch, reigning)
    assert (verdict.alias, held(registry, CHAMPION)) == (CHAMPION, new)
    assert verdict.reason.startswith(f"not worse than version {first}")


def test_a_model_that_is_out_may_replace_one_that_is_out_as_far(registry, monkeypatch):
    label, said, customers = rows(3000, 3)
    logit = np.log(said) - np.log1p(-said)
    wide, wider = (1 / (1 + np.exp(-slope * logit)) for slope in (1.6, 2.2))
    one = version(registry)
    assert settled(registry, fitted(label, wide, customers), monkeypatch, Reigning(one, wider))[1].alias == CHAMPION
    verdict = settled(registry, fitted(label, wider, customers), monkeypatch, Reigning(one, wide))[1]
    assert verdict.alias == CHALLENGER


def test_whoever_replaces_a_champion_that_is_gone_is_told_what_to_mind(registry, monkeypatch):
    label, said, customers = rows(3000, 3, slope=2.0)
    gone = Reigning(version(registry), gone="can no longer be loaded: no such file")
    _, verdict = settled(registry, fitted(label, said, customers), monkeypatch, gone, "recency moved")
    assert verdict.alias == CHAMPION
    assert verdict.reason.startswith("version 1 can no longer be loaded: no such file; mind: out of calibration")
    assert verdict.reason.endswith("recency moved")


def test_a_champion_whose_files_are_gone_can_be_replaced_one_that_is_only_away_cannot(registry, monkeypatch):
    label, said, customers = rows(300, 3)
    model = fitted(label, said, customers)
    model.dataset.test.frame = pd.DataFrame({"x": label})
    registry.appoint(KIND, version(registry), CHAMPION, "once")
    assert promote.reigning_over(registry, model).gone.startswith("can no longer be loaded: No such artifact")

    def away(*_, **__):
        raise MlflowException("the server does not answer")

    monkeypatch.setattr("mlflow.artifacts.download_artifacts", away)
    with pytest.raises(WorkspaceError, match="version 1 of `churn` cannot be fetched: the server does not answer"):
        promote.reigning_over(registry, model)


@pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")  # feature-engine over newer pandas
def test_an_attribute_that_no_action_has_any_more_spares_no_comparison(registry, monkeypatch):
    """It is unknown to the champion, as in the service; text stays text where nothing of it is left."""
    label, said, customers = rows(300, 3)
    model = fitted(label, said, customers)
    tone = np.where(np.arange(300) % 2, "loud", "quiet").astype(object)
    frame = pd.DataFrame({"x": said, "action_attribute_tone": tone})
    encoder = RareLabelEncoder(0.01, 0, variables=["action_attribute_tone"], missing_values="ignore")
    names = ["action_attribute_tone"]
    codes = OrdinalEncoder("arbitrary", variables=names, missing_values="ignore", unseen="encode")
    champion = Pipeline([("rare", encoder), ("codes", codes), ("model", DecisionTreeClassifier(max_depth=3))])
    champion.fit(frame, label)
    registry.appoint(KIND, version(registry), CHAMPION, "once")
    monkeypatch.setattr(registry, "load", lambda *_: champion)
    model.dataset.test.frame = frame[["x"]]
    reigning = promote.reigning_over(registry, model)
    assert reigning.gone == ""
    assert len(np.unique(reigning.probability)) > 1
    model.dataset.test.frame = frame[["action_attribute_tone"]]
    assert promote.reigning_over(registry, model).gone == "needs features that are gone: x"


def test_a_refused_version_leaves_a_challenger_that_plays_alone(registry):
    playing, refused = version(registry), version(registry)
    promote.promote(registry, KIND, playing, CHALLENGER)
    assert promote.award(registry, KIND, refused, ["ranks worse"], "", None).alias == ""
    assert held(registry, CHALLENGER) == playing
    assert registry.versions(KIND)[-1].tags[REFUSED] == "ranks worse"
    promote.promote(registry, KIND, refused, CHALLENGER)  # somebody wants it all the same
    assert REFUSED not in registry.holder(KIND, CHALLENGER).tags


def test_whoever_became_champion_by_hand_while_a_model_was_judged_stays(registry, monkeypatch):
    label, said, customers = rows(3000, 3)
    one, byhand = version(registry), version(registry)
    promote.promote(registry, KIND, one)

    def meanwhile(*_):
        promote.promote(registry, KIND, byhand)

    monkeypatch.setattr(promote, "reigning_over", lambda *_: Reigning(one, said))
    monkeypatch.setattr(promote, "drift_alarm", meanwhile)
    new = SimpleNamespace(version=version(registry))
    verdict = promote.settle(registry, fitted(label, said, customers), new)
    assert (verdict.alias, held(registry, CHAMPION)) == (CHALLENGER, byhand)
    assert f"version {byhand} became champion meanwhile, and it was judged against version {one}" in verdict.reason
    assert f"`tactful promote churn --version {new.version}`" in verdict.reason
    assert registry.holder(KIND, CHALLENGER).tags[REFUSED] == verdict.reason
    first = promote.award(registry, KIND, new.version, [], "the first model of its kind", None)
    assert "it was judged as the first model of its kind" in first.reason
    monkeypatch.setattr(promote, "drift_alarm", lambda *_: promote.promote(registry, KIND, new.version) and None)
    assert promote.settle(registry, fitted(label, said, customers), new) == Verdict(CHAMPION, "promoted by hand")
    assert held(registry, CHAMPION) == new.version


def test_aliases_by_hand(registry, workspace):
    one, two = version(registry), version(registry)
    with pytest.raises(WorkspaceError, match="no challenger to promote"):
        promote.promote(registry, KIND)
    promote.promote(registry, KIND, one)
    with pytest.raises(WorkspaceError, match="is the champion; promote another one first"):
        promote.promote(registry, KIND, one, SHADOW)
    promote.promote(registry, KIND, two, SHADOW)
    assert (held(registry, CHAMPION), held(registry, SHADOW)) == (one, two)
    promote.promote(registry, KIND, two, CHALLENGER)  # one alias a version
    assert (held(registry, CHALLENGER), held(registry, SHADOW)) == (two, None)
    assert promote.promote(registry, KIND) == (two, "")
    assert (held(registry, CHAMPION), held(registry, CHALLENGER)) == (two, None)
    assert promote.roll_back(registry, KIND) == (one, two)
    promote.promote(registry, KIND, two, SHADOW)
    assert promote.retire(registry, KIND, SHADOW) == two
    with pytest.raises(WorkspaceError, match="has no shadow"):
        promote.retire(registry, KIND, SHADOW)
    with pytest.raises(WorkspaceError, match="no version 9"):
        promote.promote(registry, KIND, "9")


def test_who_holds_an_alias_already_keeps_what_was_said_of_it(registry, workspace):
    one, two = version(registry), version(registry)
    registry.appoint(KIND, one, CHAMPION, "not worse than version 0")
    said = dict(registry.holder(KIND, CHAMPION).tags)
    shown = CliRunner().invoke(commands.app, ["promote", KIND, "--version", one, "-w", str(workspace.folder)])
    assert shown.exit_code == 0, shown.output
    told = " ".join(shown.output.split())
    assert f"version {one} is champion already, since {said['since'][:16]}: not worse than version 0" in told
    assert told.endswith("nothing was changed")
    assert registry.holder(KIND, CHAMPION).tags == said
    assert registry.champions(KIND) == [one]
    promote.promote(registry, KIND, two, SHADOW)
    assert promote.promote(registry, KIND, two, SHADOW).already.endswith(": shadow by hand")
    promote.promote(registry, KIND, two)
    assert promote.promote(registry, KIND, one) == (one, ""), "one that reigned before is a step on"


def test_a_rollback_or_promotion_that_is_cut_off_at_any_point_loses_no_champion(registry, monkeypatch):
    one, two, three = (version(registry) for _ in range(3))
    for each in (one, two, three):
        promote.promote(registry, KIND, each)

    def cut(*_):
        raise KeyboardInterrupt

    for owner, name, reached in ((registry, "_line", two), (registry, "_name", three)):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, cut)
            with pytest.raises(KeyboardInterrupt):
                promote.roll_back(registry, KIND)
        assert held(registry, CHAMPION) == reached
        assert registry.champions(KIND) == [one, two, three][: int(reached)]
        promote.promote(registry, KIND, three)
    with monkeypatch.context() as patched:
        patched.setattr(registry, "_name", cut)
        with pytest.raises(KeyboardInterrupt):
            promote.promote(registry, KIND, one)
    assert registry.champions(KIND) == [one, two, three]
    assert promote.roll_back(registry, KIND) == (two, three)
    promote.promote(registry, KIND, one)
    assert promote.roll_back(registry, KIND) == (two, one)  # by hand to an old one is a step on, not back


def test_a_registry_that_cannot_be_written_is_an_error_and_no_stack_of_its_own(registry, capfd):
    number = version(registry)
    with sqlite3.connect(registry.uri.removeprefix("sqlite:///")) as base:
        base.execute("drop table model_version_tags")
    with pytest.raises(MlflowException, match="no such table"):
        promote.promote(registry, KIND, number)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("what", ["catalogue_version", "settings_version"])
def test_what_the_service_would_refuse_is_not_promoted_by_hand_nor_rolled_back_to(registry, workspace, what):
    served = {
        "catalogue_version": catalogues.of(workspace).version,
        "settings_version": provenance.settings_version(workspace.settings),
    }
    old, new = version(registry, **served | {what: "elsewhere"}), version(registry, **served)
    with pytest.raises(WorkspaceError, match=f"version {old} of `churn` learned from .* train it again"):
        promote.promote(registry, KIND, old)
    registry.appoint(KIND, old, CHAMPION, "before the catalogue changed")
    promote.promote(registry, KIND, new)
    with pytest.raises(WorkspaceError, match="train it again"):
        promote.roll_back(registry, KIND)
    assert held(registry, CHAMPION) == new


def test_the_code_is_of_a_commit_only_where_the_repository_is_its_own(tmp_path, monkeypatch):
    """An environment often lies, ignored, within a repository of something else."""

    def git(*said):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *said], cwd=tmp_path, check=True)

    own = tmp_path / "provenance.py"
    own.write_text("")
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "theirs")
    monkeypatch.setattr(provenance, "__file__", str(own))
    code = provenance.code_version.__wrapped__
    assert "+" not in code()
    git("add", "provenance.py")
    git("commit", "-q", "-m", "ours")
    assert re.fullmatch(r"[0-9.]+\+[0-9a-f]{12}", code())
