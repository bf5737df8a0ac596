"""Makes the models report from the registry, the champions' runs, and the last look of `tactful monitor`."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from pydantic import ValidationError

from features import clock
from features.tables import without_password
from features.workspace import Workspace
from training.evaluate import Interval
from training.monitor.kept import FIGURES
from training.monitor.report import Check, MonitorReport
from training.reports import keep
from training.reports.models import runs
from training.reports.models.artefact import Kind, Models, Version
from training.reports.wording import listed
from training.tracking import ALIASES, CHALLENGER, CHAMPION, REFUSED, SHADOW, Registry

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

KINDS = ("churn", "propensity", "uplift", "fatigue")
#: Those that a decision cannot do without: for the others there are stated priors.
NEEDED = ("churn", "propensity")
#: Figures of a run that are shown, each with its interval where it has one.
SHOWN = ("auc", "brier_skill", "calibration_slope", "ece", "ece_by_chance", "lift_top_decile", "log_loss", "slope")
#: Versions that are listed of each kind, the newest.
LISTED = 20


def report(workspace: Workspace, look: MonitorReport | None = None) -> keep.Report:
    """Of an empty registry, too: then it says what to train. `look`: another one than the last."""
    registry = Registry(workspace)
    kinds = [_kind(registry, kind, workspace.settings.currency) for kind in KINDS]
    look = look or _look(workspace)
    return keep.Report(
        Models(
            title="Models",
            headline=headline(kinds, look),
            created_at=keep.now(),
            known_until=None if look is None else look.as_of,
            source="the model registry and the last `tactful monitor`",
            alarm=look is not None and look.alarm,
            mlflow=_pages(registry),
            command=f"mlflow ui --backend-store-uri {without_password(workspace.settings.mlflow.tracking_uri)}",
            kinds=kinds,
            monitor=look,
        )
    )


def _pages(registry: Registry) -> str | None:
    """Where MLflow has pages, None where it is only a database; without the name and password that training signs in
    with, for many read a report."""
    parts = urlsplit(registry.uri)
    if parts.scheme not in ("http", "https"):
        return None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")


def headline(kinds: Sequence[Kind], look: MonitorReport | None) -> str:
    """Whether the models can be relied on, in one sentence."""
    lacking = [kind.kind for kind in kinds if kind.kind in NEEDED and kind.champion is None]
    named = listed([f"{kind.kind} {kind.champion}" for kind in kinds if kind.champion is not None])
    if not named:
        return "No model was trained yet: run `tactful train all`."
    if lacking:
        return f"{named} {_decide(kinds)}; there is no champion of {listed(lacking)} yet."
    if look is None:
        return f"{named} {_decide(kinds)}; nobody looked yet whether they are still well: run `tactful monitor`."
    ringing = [check for check in look.checks if check.status == "alarm"]
    if ringing:
        about = listed(sorted({_check(check) for check in ringing})[:3])
        return f"Look before relying on the models: {about} rang on {look.as_of[:10]}."
    stale = [f"{kind} {version}" for kind, version in look.models.items() if _champion(kinds, kind) != version]
    if stale:
        return f"{named} {_decide(kinds)}; the last look, on {look.as_of[:10]}, was at others ({listed(stale)})."
    return f"{named} {_decide(kinds)}, and nothing rang when they were last looked at, on {look.as_of[:10]}."


def _check(check: Check) -> str:
    """ "no data of email", "drift of churn"; what is about everything says no more."""
    name = check.check.replace("_", " ")
    return name if check.subject == "all" else f"{name} of {check.subject.replace('_', ' ')}"


def _decide(kinds: Sequence[Kind]) -> str:
    return "decide" if sum(kind.champion is not None for kind in kinds) > 1 else "decides"


def _champion(kinds: Sequence[Kind], name: str) -> str | None:
    return next((kind.champion for kind in kinds if kind.kind == name), None)


def _look(workspace: Workspace) -> MonitorReport | None:
    try:
        return MonitorReport.model_validate_json((workspace.folder / "state" / FIGURES).read_bytes())
    except (OSError, ValidationError):
        return None


def _kind(registry: Registry, kind: str, currency: str) -> Kind:
    holders = {alias: registry.holder(kind, alias) for alias in ALIASES}
    versions = list(reversed(registry.versions(kind)))
    champion = holders[CHAMPION]
    unit, effects = (None, []) if champion is None else runs.effects(registry, kind, champion, currency)
    return Kind(
        kind=kind,
        champion=_name(champion),
        challenger=_name(holders[CHALLENGER]),
        shadow=_name(holders[SHADOW]),
        line=registry.champions(kind) if versions else [],
        versions=[_version(registry, each, holders) for each in versions[:LISTED]],
        earlier=max(0, len(versions) - LISTED),
        calibration=[] if champion is None else runs.calibration(registry, champion),
        unit=unit,
        effects=effects,
    )


def _name(holder: "ModelVersion | None") -> str | None:
    return None if holder is None else str(holder.version)


def _version(registry: Registry, version: "ModelVersion", holders: Mapping[str, "ModelVersion | None"]) -> Version:
    run_id = str(version.run_id)
    known = registry.metrics(version)
    pages = _pages(registry)
    return Version(
        version=str(version.version),
        aliases=[alias for alias, holder in holders.items() if holder and holder.version == version.version],
        since=version.tags.get("since"),
        reason=version.tags.get("reason"),
        refused=REFUSED in version.tags,
        trained_at=clock.isoformat(int(version.creation_timestamp) * 1_000),
        run_id=run_id,
        href=f"{pages}/#/experiments/{registry.experiment()}/runs/{run_id}" if pages else None,
        calibrated=registry.calibration(version),
        figures={name: found for name in SHOWN if (found := _figure(known, name)) is not None},
    )


def _figure(known: Mapping[str, float], name: str) -> Interval | None:
    values = [known.get(f"{name}{part}") for part in ("", "_low", "_high")]
    if any(value is None or not math.isfinite(value) for value in values):
        return None
    return Interval(*(float(value) for value in values if value is not None))
