"""The models report: who decides, since when and why, from a real registry; and what the last look says above it."""

import json

import pytest

from features.workspace import Workspace
from serving.console import standalone
from serving.console.blocks import table
from serving.console.views import Ask, models
from training.evaluate import Interval
from training.monitor import kept
from training.monitor.report import Look, MonitorReport, answered, unknown
from training.reports import jobs, keep
from training.reports.models import job, runs
from training.reports.models.artefact import Kind
from training.tracking import CALIBRATED, CHALLENGER, CHAMPION, Registry

TENTHS = [
    {"predicted": 0.1 * k, "observed": {"value": 0.1 * k, "low": 0.1 * k - 0.02, "high": 0.1 * k + 0.02}, "rows": 50}
    for k in range(1, 11)
]
SHOWN = {"value": 0.02, "low": 0.01, "high": 0.03}
NOT_SHOWN = {"value": 0.0, "low": None, "high": None}
UPLIFT = {
    "unit": "responses",
    "actions": [
        {"action": "letter", "effect": SHOWN, "verdict": "works", "sentence": "Works."},
        {"action": "call", "effect": NOT_SHOWN, "verdict": "cannot be told", "sentence": "Nobody knows."},
    ],
}


def look(ringing, version="1"):
    checks = [
        answered(ringing, "drift", "churn", 0.4, 0.1, "churn: the customers moved"),
        unknown("auc", "churn", "no labels yet"),
    ]
    looks = [Look(model="churn", cutoff="2026-05-01T00:00:00Z", rows=9, predicted=0.3, auc=(0.8, 0.7, 0.9))]
    return MonitorReport(
        created_at="2026-05-04T12:00:00Z", as_of="2026-05-04T12:00:00Z", workspace="shop", headline="", alarm=ringing,
        models={"churn": version}, checks=checks, looks=looks, features=[],
    )  # fmt: skip


def registered(registry, kind, figures, **files):
    """A version whose run keeps figures and files."""
    client = registry.client
    run = client.create_run(registry.experiment())
    for name, value in figures.items():
        client.log_metric(run.info.run_id, name, value)
    for name, content in files.items():
        folder, _, file = name.rpartition("__")
        client.log_text(run.info.run_id, json.dumps(content), f"{folder + '/' if folder else ''}{file}.json")
    client.set_terminated(run.info.run_id)
    return str(registry.register(kind, f"runs:/{run.info.run_id}/model", run.info.run_id).version)


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "tactful.yaml").write_text("")
    return Workspace.open(tmp_path)


def page(workspace):
    jobs.make(workspace, "models")
    artefact = json.loads(keep.place(workspace, "models").read_text())
    return models.page(artefact, Ask()), artefact


def test_an_empty_registry_says_what_to_train_and_makes_no_database(shop):
    found, _ = page(shop)
    assert found.lead == "No model was trained yet: run `tactful train all`."
    assert not (shop.folder / "mlflow").exists()
    assert "tactful monitor" in standalone.html(job.report(shop).artefact.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("uri", "pages"),
    [
        ("https://anna:s3cret@mlflow.example:5000/ml/", "https://mlflow.example:5000/ml"),
        ("postgresql://anna:s3cret@db.example/mlflow", None),
    ],
)
def test_passwords_of_the_registry_are_told_nobody(shop, monkeypatch, uri, pages):
    (shop.folder / "tactful.yaml").write_text(f"mlflow: {{tracking_uri: '{uri}'}}\n")
    monkeypatch.setattr(job, "KINDS", ())
    artefact = job.report(Workspace.open(shop.folder)).artefact
    assert artefact.mlflow == pages
    assert "s3cret" not in standalone.html(artefact.model_dump(mode="json"))


@pytest.mark.slow
def test_champions_challengers_and_what_their_runs_kept(shop):
    registry = Registry(shop)
    figures = {"auc": 0.81, "auc_low": 0.78, "auc_high": 0.84, "ece": 0.01}
    first = registered(registry, "churn", figures, calibration={"tenths": TENTHS})
    registry.appoint("churn", first, CHAMPION, "the first model of its kind")
    second = registered(registry, "churn", {})
    registry.appoint("churn", second, CHALLENGER, "ranks worse", refused=True)
    effects = registered(registry, "uplift", {}, scorer__report=UPLIFT)
    registry.appoint("uplift", effects, CHAMPION, "the first model of its kind")

    found, artefact = page(shop)
    assert found.lead == "churn 1 and uplift 1 decide; there is no champion of propensity yet."
    churn = Kind.model_validate(next(kind for kind in artefact["kinds"] if kind["kind"] == "churn"))
    assert (churn.champion, churn.challenger, churn.line) == (first, second, [first])
    assert churn.versions[1].figures == {"auc": Interval(0.81, 0.78, 0.84)}, "no interval, no figure"
    assert [tenth.predicted for tenth in churn.calibration] == [tenth["predicted"] for tenth in TENTHS]
    assert [row[1].words for row in table(found, "versions-churn").rows] == ["refused", "champion"]
    assert table(found, "calibration-churn").rows[0][2] == 50
    html = standalone.html(artefact)
    assert "was refused, and decides nothing: ranks worse." in html
    assert churn.versions[1].calibrated is None, "a run from before it was said"
    assert "no effect shown" in html
    assert str(shop.folder) not in html, "a page that is handed on tells nothing of the machine"

    kept.keep(shop, look(ringing=False))
    champion = registered(registry, "propensity", {})
    registry.appoint("propensity", champion, CHAMPION, "the first model of its kind")
    assert page(shop)[0].lead == (
        "churn 1, propensity 1 and uplift 1 decide, and nothing rang when they were last looked at, on 2026-05-04."
    )
    kept.keep(shop, look(ringing=False, version="9"))
    assert page(shop)[0].lead.endswith("the last look, on 2026-05-04, was at others (churn 9).")
    kept.keep(shop, look(ringing=True))
    rings, _ = page(shop)
    assert rings.alarm.title == "Look before relying on the models: drift of churn rang on 2026-05-04."
    assert rings.alarm.sentences == ["churn: the customers moved"]
    assert table(rings, "looks-churn").rows[0][1] == 9


@pytest.mark.slow
def test_a_champions_probabilities_are_told_to_be_on_target_or_not(shop):
    registry = Registry(shop)
    error = {"ece": 0.024, "ece_low": 0.02, "ece_high": 0.04}
    chance = {"ece_by_chance": 0.018, "ece_by_chance_low": 0.012, "ece_by_chance_high": 0.026}
    version = registered(registry, "churn", error | chance)
    registry.appoint("churn", version, CHAMPION, "the first model of its kind")
    run = registry.client.get_model_version("churn", version).run_id
    registry.client.set_tag(run, CALIBRATED, "not surely off target: a reason")
    html = standalone.html(page(shop)[1])
    assert "On later rows its probabilities are not surely off target: a reason." in html
    assert "right ones read 1.2% to 2.6% here by chance" in html


def test_a_damaged_look_is_none(shop):
    (shop.folder / "state").mkdir()
    (shop.folder / "state" / "monitor.json").write_text("{")
    assert job.report(shop).artefact.monitor is None


def test_what_a_command_did_stands_where_the_report_cannot_be_written(shop, monkeypatch, capsys):
    from training.reports.models.after import after

    def broken(*_):
        raise RuntimeError("the registry\nis away")

    monkeypatch.setattr(jobs, "make", broken)
    after(shop)
    assert "could not be written: the registry is away" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("harm", "a_week", "said"),
    [
        (0.00349, 0.35, "less than 0.01 USD where there was none lately, and 0.24 USD at the most that is tolerable; "
         "about one in 3 weeks pays."),
        (0.02, 0.0, "0.02 USD where there was none lately, and 0.24 USD at the most that is tolerable; "
         "there, no contact pays on average."),
        (0.02, 0.7, "0.02 USD where there was none lately, and 0.24 USD at the most that is tolerable; "
         "about 1 contact a week pays."),
    ],
)  # fmt: skip
def test_what_a_contact_costs_is_said_in_money(harm, a_week, said):
    told = runs._channel("email", {"harm": [harm, 0.1, 0.238], "recommended_a_week": a_week}, "USD").sentence
    assert told == f"One more contact by e-mail costs {said}"


def test_a_number_that_its_log_could_not_tell_is_not_said_to_pay():
    found = {"harm": [0.02, 0.1, 0.238], "recommended_a_week": 0.3, "recommended_told": False}
    told = runs._channel("email", found, "USD").sentence
    assert told.endswith("tolerable; how many pay cannot be told from its log.")


def test_a_model_that_is_not_needed_is_not_called_none():
    kinds = [
        Kind(kind=name, champion="1" if name == "fatigue" else None, challenger=None, shadow=None, line=[], versions=[],
             earlier=0, calibration=[], unit=None, effects=[])
        for name in job.KINDS
    ]  # fmt: skip
    assert job.headline(kinds, None) == "fatigue 1 decides; there is no champion of churn and propensity yet."
