"""What the models report says, as data. Figures are those that the training run logged; None is not known."""

from typing import Literal

from pydantic import Field

from features.workspace import Section
from training.evaluate import Interval
from training.monitor.report import MonitorReport
from training.reports.keep import Artefact


class Version(Section):
    """A registered version. `aliases`: champion, challenger, shadow; `figures` by name (auc, brier_skill ...)."""

    version: str
    aliases: list[str]
    since: str | None = Field(description="since when it has its alias")
    reason: str | None = Field(description="why it was promoted or refused")
    refused: bool
    trained_at: str
    run_id: str
    href: str | None = Field(description="the run in MLflow, where that has pages")
    figures: dict[str, Interval]
    calibrated: str | None = Field(None, description="whether its probabilities are on target on later rows, in words")


class Tenth(Section):
    """A tenth of the test rows by predicted probability: the means of what was predicted and what came."""

    predicted: float
    observed: Interval
    rows: int


class Effect(Section):
    """What the champion of `uplift` learned of an action, or the champion of `fatigue` of a channel."""

    name: str
    effect: Interval | None
    verdict: str
    sentence: str


class Kind(Section):
    """One kind of model. `line`: versions in the order in which they became champion, the present one last."""

    kind: str
    champion: str | None
    challenger: str | None
    shadow: str | None
    line: list[str]
    versions: list[Version] = Field(description="the newest first")
    earlier: int = Field(description="older versions that are not listed")
    calibration: list[Tenth] = Field(description="of the champion, on its test rows; empty: its run kept none")
    unit: str | None = Field(description="of effects: responses or money")
    effects: list[Effect]


class Models(Artefact):
    kind: Literal["models"] = "models"
    alarm: bool
    mlflow: str | None = Field(description="where MLflow has pages")
    command: str = Field(description="what shows MLflow otherwise")
    kinds: list[Kind]
    monitor: MonitorReport | None = Field(description="the last look; null: nobody looked yet")
