"""What a look found, as data: written as JSON, for the page, for Prometheus and for whoever comes next.

`unknown` is an answer: too few rows, no labels yet, no model. It never rings. Figures are unrounded, None is unknown.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from features.whole import whole
from features.workspace import Section

Status = Literal["well", "alarm", "unknown"]


class Check(Section):
    """One question. `value` rings beyond `limit`."""

    check: str
    subject: str = Field(description="the model, the channel, or `all`")
    status: Status
    value: float | None = None
    limit: float | None = None
    sentence: str


def unknown(check: str, subject: str, why: str) -> Check:
    """A question without an answer."""
    return Check(check=check, subject=subject, status="unknown", sentence=why)


def answered(ringing: bool, check: str, subject: str, value: float, limit: float, sentence: str) -> Check:
    """A question with one."""
    status: Status = "alarm" if ringing else "well"
    return Check(check=check, subject=subject, status=status, value=value, limit=limit, sentence=sentence)


class Feature(Section):
    """One input of a model at the newest cutoff, against its training run."""

    model: str
    feature: str
    psi: float
    limit: float
    gain: float
    drifted: bool


class Look(Section):
    """One model as of one cutoff; calibration and AUC where the labels are known."""

    model: str
    cutoff: str
    rows: int
    score_psi: float | None = None
    drifted: int | None = None
    furthest: str | None = None
    furthest_psi: float | None = None
    rate: float | None = None
    predicted: float | None = None
    auc: tuple[float, float, float] | None = None
    slope: tuple[float, float, float] | None = None
    ece: float | None = None


class MonitorReport(Section):
    """The whole look."""

    schema_version: Literal[1] = 1
    kind: Literal["monitor"] = "monitor"
    created_at: str
    as_of: str
    workspace: str
    headline: str
    alarm: bool
    models: dict[str, str] = Field(description="champions by kind: their version")
    checks: list[Check]
    looks: list[Look]
    features: list[Feature]

    def write(self, path: Path) -> None:
        """As JSON, atomically."""
        with whole(path) as own:
            own.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def headline(checks: list[Check]) -> str:
    """The answer in one sentence."""
    ringing = [check for check in checks if check.status == "alarm"]
    known = sum(check.status != "unknown" for check in checks)
    untold = f"; {len(checks) - known} cannot be told yet" if known < len(checks) else ""
    if ringing:
        first = f"{ringing[0].check} of {ringing[0].subject}"
        more = f" and {len(ringing) - 1} more" if len(ringing) > 1 else ""
        return f"{len(ringing)} of {known} checks ring: {first}{more}{untold}"
    return f"all is well: {known} checks{untold}"
