"""What a look at one champion collects."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from features.clock import isoformat
from features.workspace import Monitor
from training.monitor.drift import Drift
from training.monitor.reference import SCORE
from training.monitor.report import Check, Feature, Look, answered, unknown

BEFORE_KEPT = "was trained before runs kept what their data looked like; train it again"


@dataclass
class Found:
    """`kind` is the model."""

    kind: str
    checks: list[Check] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    features: list[Feature] = field(default_factory=list)

    def unknown(self, why: str, names: Sequence[str] = ("model",)) -> "Found":
        self.checks += [unknown(name, self.kind, f"{self.kind}: {why}") for name in names]
        return self

    def alarm(self, why: str) -> "Found":
        self.checks.append(Check(check="model", subject=self.kind, status="alarm", sentence=why))
        return self

    def moved(self, found: Drift | None, thresholds: Monitor) -> None:
        """What the newest rows say of features and scores."""
        kind = self.kind
        if found is None:
            self.unknown("too few rows are newer than its training to compare", ("drift", "score_drift"))
            return
        self.features += [
            Feature(model=kind, feature=m.name, psi=m.psi, limit=m.limit, gain=m.gain, drifted=m.drifted)
            for m in found.features
        ]
        gain, limit = found.gain, thresholds.gain
        ringing = bool(found.drifted) and gain >= limit
        told = f"{kind}: as of {isoformat(found.cutoff)[:10]}, {found.sentence}"
        if found.drifted:
            told += f" (features ring where they hold {limit:.0%} or more)"
        self.checks.append(answered(ringing, "drift", kind, gain, limit, told))
        score = found.score
        named = score.name.removeprefix(SCORE).strip()
        what = f"scores{f' ({named})' if named else ''} are"
        apart = max(0.0, score.psi)  # beyond chance it may be below 0
        told = f"{kind}: {what} PSI {apart:.3f} from those of training (rings above {score.limit:.3f})"
        self.checks.append(answered(score.drifted, "score_drift", kind, score.psi, score.limit, told))
