"""A workspace: the folder that holds one company's settings, history, store and models."""

import os
import re
import secrets
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from features import clock as clocks
from features import declared
from features.clock import Clock
from features.interactions import CHANNELS
from features.journeys_declared import file as journeys_file
from features.settings_file import Section as Section
from features.settings_file import WorkspaceError as WorkspaceError
from features.settings_file import explain as explain
from features.settings_file import read_yaml as read_yaml
from features.stages import Journey as Journey


class NoWorkspace(WorkspaceError):
    """None was named, and there is none around."""


class Churn(Section):
    """A customer has churned at t: no qualifying interaction in [t, t + horizon), or an explicit event there."""

    qualifying: list[str] = Field(["purchase"], min_length=1, description="interaction types that show life")
    horizon_days: int = Field(28, ge=1, le=730)
    active_days: int = Field(365, ge=1, le=400, description="who counts as a customer at t: alive this recently")
    event: str | None = Field(None, description="a type that says the customer left, e.g. contract_cancelled")
    silence: bool = Field(True, description="whether silence is leaving; false: only the event is")

    @model_validator(mode="after")
    def _some_rule(self) -> "Churn":
        if not self.silence and self.event is None:
            raise ValueError("`silence: false` leaves no rule for leaving; name the `event` that says so")
        return self


class Propensity(Section):
    """Given that an action was offered at t, does the customer respond in [t, t + horizon)?"""

    horizon_days: int = Field(28, ge=1, le=730)
    offers: list[str] = Field(["contact"], min_length=1, description="outbound types that offer an action")
    responses: list[str] = Field(["accepted", "clicked"], min_length=1)


class Fatigue(Section):
    """What one more contact costs, in money: what no log says is stated here. `tactful train fatigue` reads it."""

    margin: float = Field(0.3, gt=0, le=1, description="what is kept of a unit of money that a customer spends")
    complaint: float = Field(5.0, ge=0, description="what handling a complaint about a contact costs")
    opt_out: float | None = Field(
        None, ge=0, description="what an opt-out costs; none: what a year of contacts on the channel is found to earn"
    )
    sale_days: float = Field(4, ge=0.5, le=60, description="half of what a contact sells comes within these days")
    lasts_days: float = Field(60, ge=2, le=365, description="half of the activity that a contact costs is back by then")
    soon_days: float = Field(
        14,
        ge=1,
        le=60,
        description="opt-outs and complaints count so long after a contact, until the customer's next decision at most",
    )

    @model_validator(mode="after")
    def _apart(self) -> "Fatigue":
        if self.lasts_days < 3 * self.sale_days:
            raise ValueError("`lasts_days` is three times `sale_days` at least: else gains and losses cannot be told")
        return self


class ClockSettings(Section):
    """`system`, or a start instant that runs on from the first time the workspace is used."""

    start: str = "system"

    @field_validator("start", mode="before")
    @classmethod
    def _as_text(cls, written: Any) -> Any:
        """YAML reads a date without quotes as a date."""
        return written.isoformat() if isinstance(written, date) else written

    @field_validator("start")
    @classmethod
    def _readable(cls, text: str) -> str:
        if text != "system":
            clocks.parse_instant(text)
        return text


#: The kind of the ids that name customers themselves: always there, and above all others.
CUSTOMER = "customer"


class Identity(Section):
    """Kinds of identifiers, the weightiest first: one strong identifier with two customers makes them one person.

    A weak one never does: it follows the one person it is linked to, and nobody once it is linked to two.
    """

    kinds: dict[str, Literal["strong", "weak"]] = Field(
        {
            "crm": "strong",
            "login": "strong",
            "email": "strong",
            "phone": "strong",
            "device": "weak",
            "cookie": "weak",
            "anonymous": "weak",
        },
        max_length=32,
    )

    @field_validator("kinds")
    @classmethod
    def _no_customer(cls, kinds: dict[str, str]) -> dict[str, str]:
        if CUSTOMER in kinds:
            raise ValueError(f"{CUSTOMER!r} is always strong and first; take it off the list")
        return kinds


class Store(Section):
    """Where live decisions, contacts and interactions are kept; a relative path of SQLite starts at the workspace."""

    url: str = Field("sqlite:///state/tactful.db", pattern=r"^(sqlite:///|postgres(ql)?://)")


class Webhook(Section):
    """A channel system that is called when something waits for it, instead of asking `GET /v1/outbox` itself."""

    url: str = Field(
        pattern=r"^https?://[^\s/@?#]+(/\S*)?$", description="called with POST; redirects are not followed"
    )
    channels: list[str] | None = Field(None, description="what it sends; none: every channel")
    secret_env: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="the environment variable that holds the shared secret"
    )
    private: bool = Field(False, description="whether it may be an address of our own network")


def _days(text: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,4}d", text):
        raise ValueError(f"{text!r} is no number of days; write e.g. 800d")
    return text


Days = Annotated[str, AfterValidator(_days)]


class Retention(Section):
    """How long rows are kept, by age; what is not named is kept for good. `tactful sync` deletes what is older."""

    interactions: Days | None = Field(None, description="interactions; at least 400d, for features look back that far")
    decisions: Days | None = Field(None, description="decisions and what became of their contacts")
    quarantine: Days | None = Field(None, description="rows that broke the contract")

    @field_validator("interactions")
    @classmethod
    def _long_enough(cls, text: str | None) -> str | None:
        if text is not None and int(text[:-1]) < 400:
            raise ValueError("features look back 400 days; keep interactions for 400d or longer")
        return text

    def days(self, kind: str) -> int | None:
        text: str | None = getattr(self, kind)
        return None if text is None else int(text[:-1])


class Monitor(Section):
    """When `tactful monitor` rings; each check must also be more than chance would bring about once in 1,000 looks."""

    psi: float = Field(0.25, gt=0, le=10, description="population stability index above which a feature has drifted")
    gain: float = Field(0.1, ge=0, le=1, description="share of what the model goes by that drifted features must hold")
    auc_drop: float = Field(0.03, gt=0, lt=1, description="AUC lower than when the model was trained")
    slope: tuple[float, float] = Field((0.8, 1.25), description="calibration slopes that are well; 1 is right")
    ece: float = Field(0.05, gt=0, lt=1, description="expected calibration error")
    effect_slope: tuple[float, float] = Field(
        (0.5, 2.0), description="how many times what was foretold effects and harm may be; 1 is right"
    )
    response_drop: float = Field(0.2, gt=0, lt=1, description="relative fall of the response rate in a week")
    response_days: int = Field(3, ge=1, le=60, description="days in which an answer to a contact counts here")
    silent_days: float = Field(2.0, gt=0, le=60, description="days without any data")

    @field_validator("slope", "effect_slope")
    @classmethod
    def _around_one(cls, slope: tuple[float, float]) -> tuple[float, float]:
        if not 0 < slope[0] < 1 < slope[1]:
            raise ValueError("write a slope below 1 and one above, e.g. [0.8, 1.25]")
        return slope


class Mlflow(Section):
    """Where models are tracked and registered; relative SQLite URLs start at the workspace."""

    tracking_uri: str = "sqlite:///mlflow/mlflow.db"
    experiment: str = "tactful"


class Settings(Section):
    """`tactful.yaml`: what engineers decide."""

    name: str = "workspace"
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$")
    channels: list[str] = Field(list(CHANNELS), min_length=1, max_length=64)
    sensitive_topics: list[str] = Field(
        ["health", "pregnancy", "money_trouble", "minors"],
        description="rows on these topics never reach a feature",
    )
    clock: ClockSettings = ClockSettings()
    churn: Churn = Churn()
    propensity: Propensity = Propensity()
    fatigue: Fatigue = Fatigue()
    journey: Journey = Journey()
    attributes: Annotated[declared.Declared, BeforeValidator(declared.checked)] = Field(
        {}, description="customer attributes that are features: `number`, or the labels to tell apart"
    )
    goal: list[str] = Field(["purchase"], min_length=1, description="interaction types that reports count as success")
    identity: Identity = Identity()
    store: Store = Store()
    mlflow: Mlflow = Mlflow()
    monitor: Monitor = Monitor()
    webhooks: list[Webhook] = Field([], max_length=64)
    retention: Retention = Retention()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("attributes")
    @classmethod
    def _nothing_sensitive(cls, attributes: declared.Declared, info: ValidationInfo) -> declared.Declared:
        declared.refuse_sensitive(attributes, info.data.get("sensitive_topics", ()))
        return attributes

    @field_validator("webhooks")
    @classmethod
    def _known_channels(cls, webhooks: list[Webhook], info: ValidationInfo) -> list[Webhook]:
        for webhook in webhooks:
            for channel in webhook.channels or ():
                if channel not in info.data.get("channels", ()):
                    raise ValueError(f"{webhook.url}: {channel!r} is no channel of this workspace")
        return webhooks

    @field_validator("channels")
    @classmethod
    def _distinct(cls, channels: list[str]) -> list[str]:
        if len(set(channels)) != len(channels):
            raise ValueError("names a channel twice; remove the repetition")
        return channels


@dataclass(frozen=True)
class Workspace:
    """The folder and its settings. `Workspace.open` is the only way in."""

    folder: Path
    settings: Settings

    @classmethod
    def open(cls, folder: Path | str) -> "Workspace":
        """Raises WorkspaceError where `folder` is no workspace or its settings are wrong."""
        folder = Path(folder).resolve()
        if not _is_workspace(folder):
            raise WorkspaceError(
                f"{folder} is not a workspace (it has no tactful.yaml); create one with `tactful init {folder}`"
            )
        return cls(folder, journeys_file.with_stages(folder, read_yaml(folder / "tactful.yaml", Settings)))

    @property
    def history(self) -> Path:
        """Interactions, decisions and contacts as Parquet by day."""
        return self.folder / "history"

    @property
    def quarantine(self) -> Path:
        """Rows that broke the contract, with reason and position."""
        return self.folder / "quarantine"

    @property
    def reports(self) -> Path:
        """What reports found, as JSON artefacts, for the console; see training/reports/keep.py."""
        return self.folder / "reports"

    @property
    def actions_file(self) -> Path:
        return self.folder / "actions.yaml"

    @property
    def policy_file(self) -> Path:
        return self.folder / "contact_policy.yaml"

    @property
    def store_path(self) -> Path:
        """The SQLite file behind `store.url`."""
        return self._below(self.settings.store.url.removeprefix("sqlite:///"))

    @property
    def store_url(self) -> str:
        """`store.url`, with the whole path of an SQLite file."""
        url = self.settings.store.url
        return f"sqlite:///{self.store_path}" if url.startswith("sqlite:///") else url

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking URI; a relative SQLite path starts at the workspace."""
        uri = self.settings.mlflow.tracking_uri
        if uri.startswith("sqlite:///"):
            return f"sqlite:///{self._below(uri.removeprefix('sqlite:///'))}"
        return uri

    @property
    def artifact_root(self) -> str:
        """Where MLflow keeps artefacts when the tracking URI is a local database."""
        return (self.folder / "mlflow" / "artifacts").as_uri()

    def clock(self) -> Clock:
        """The workspace's clock; a start instant begins to run when it is first asked for."""
        if self.settings.clock.start == "system":
            return Clock()
        start = clocks.parse_instant(self.settings.clock.start)
        anchor = self.folder / "state" / f"clock-{start}"
        if not anchor.exists():
            _write_once(anchor, str(Clock().now()))
        return Clock(start, int(anchor.read_text()))

    def _below(self, path: str) -> Path:
        return (self.folder / path).resolve()


def _write_once(path: Path, text: str) -> None:
    """Writes a whole file, on disk, unless there is one: of processes starting together the first one wins.

    Also of threads of one process, and of containers, whose processes have the same number.
    """
    path.parent.mkdir(exist_ok=True)
    own = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
    with own.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    finally:
        own.unlink()


def _is_workspace(folder: Path) -> bool:
    try:
        return (folder / "tactful.yaml").is_file()
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise WorkspaceError(f"{folder} cannot be looked into: {error.strerror}") from None


def locate(folder: Path | None) -> Workspace:
    """The workspace asked for, else $TACTFUL_WORKSPACE, else the nearest one at or above the working directory."""
    if folder is not None:
        return Workspace.open(folder)
    if named := os.environ.get("TACTFUL_WORKSPACE"):
        return Workspace.open(named)
    here = Path.cwd()
    for candidate in (here, *here.parents):
        if (candidate / "tactful.yaml").is_file():
            return Workspace.open(candidate)
    raise NoWorkspace(
        f"no workspace at or above {here}; create one with `tactful init DIR`, or name one with --workspace DIR"
    )
