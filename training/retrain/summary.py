"""What a retraining came to, as JSON and as text."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from features.workspace import Section


class Model(Section):
    """One kind of model: a new version with its alias, or why there is none."""

    version: str | None = None
    alias: str | None = Field(None, description="champion or challenger; empty: refused, while a challenger plays")
    reason: str
    refused: bool = False
    before: str | None = Field(None, description="the champion's version before the run")
    rows: dict[str, int] = Field(default_factory=dict)
    figures: dict[str, list[float]] = Field(default_factory=dict, description="value, low, high")


class Summary(Section):
    """The whole run."""

    schema_version: Literal[1] = 1
    kind: Literal["retrain"] = "retrain"
    id: str
    started_at: str
    ended_at: str
    outcome: Literal["trained", "nothing_new"]
    taken_up: int = Field(0, description="how often the run was cut off and taken up again")
    mark: str = Field(description="fingerprint of data, settings, catalogue and code that it was trained on")
    basis: dict[str, str] = Field(default_factory=dict, description="the same by name, and the versions themselves")
    rests: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="by kind of model, the basis of the last run that trained it, this or another"
    )
    why: str = Field("", description="why it was trained again; empty: it was not, or for the first time")
    sync: dict[str, str] = Field(default_factory=dict)
    models: dict[str, Model] = Field(default_factory=dict)
    monitor: str | None = None
    rings: list[str] = Field(default_factory=list)
    reports: dict[str, str] = Field(default_factory=dict, description="what each says first, or why there is none")
    broke: list[str] = Field(default_factory=list, description="reports that failed, not for want of data")

    @property
    def alarm(self) -> bool:
        """Whether somebody should look: the monitor rings, a report broke, or a champion's kind cannot be trained."""
        lost = any(model.refused and model.before is not None for model in self.models.values())
        return bool(self.rings or self.broke) or lost

    def lines(self) -> list[str]:
        """For people."""
        found = [f"{log}: {receipt}" for log, receipt in self.sync.items()]
        if self.outcome == "nothing_new":
            found.append("nothing new since the last retraining: no model was trained (--force trains anyway)")
        elif self.why:
            found.append(f"trained again: {self.why}")
        for kind, model in self.models.items():
            if model.refused:
                found.append(f"{kind}: not trained: {model.reason}")
                continue
            found.append(f"{kind} version {model.version}: {model.alias or 'refused'}, {model.reason}")
            figures = "  ".join(f"{name.replace('_', ' ')} {_interval(three)}" for name, three in model.figures.items())
            found += [f"  {figures}"] if figures else []
        if self.outcome == "trained":
            same = [kind for kind in self.basis.get("kinds", "").split() if kind not in self.models]
            found += [f"{kind}: nothing new since it was last trained" for kind in same]
        if self.monitor is not None:
            found.append(f"monitor: {self.monitor}")
            found += [f"  {sentence}" for sentence in self.rings]
        return found + [f"report {kind}: {said}" for kind, said in self.reports.items()]


def _interval(three: list[float]) -> str:
    return f"{three[0]:.3f} ({three[1]:.3f} to {three[2]:.3f})"


def model(kind: str, steps: Mapping[str, Any], before: str | None) -> Model:
    """What the steps of a kind came to."""
    for refused in (steps[name]["refused"] for name in _steps(kind) if "refused" in steps.get(name, {})):
        return Model(reason=refused, refused=True, before=before)
    rows = steps.get(f"{kind}: features", {}).get("rows", {})
    judged = steps[next(name for name in reversed(_steps(kind)) if name in steps)]
    return Model(before=before, rows=rows, **judged)


def _steps(kind: str) -> list[str]:
    return [f"{kind}: {name}" for name in ("features", "train", "promote")]
