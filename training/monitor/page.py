"""The look as a page for people: one self-contained HTML file, like the reports'."""

from pathlib import Path

from training.monitor.report import Look, MonitorReport
from training.reports import html

STATUS = {"well": "well", "alarm": "rings", "unknown": "cannot be told"}
#: Features that are shown of each model, from the furthest moved on.
FEATURES = 20
CHECK_COLUMNS = ("Check", "Of", "Measured", "Rings beyond", "Status")
LOOK_COLUMNS = ("Cutoff", "Rows", "Foretold", "Came true", "AUC", "Slope", "ECE", "Score PSI", "Drifted", "Furthest")
FEATURE_COLUMNS = ("Feature", "PSI beyond chance", "Rings beyond", "Share of gain", "Status")
_DASH = "–"


def render(report: MonitorReport) -> str:
    """The page."""
    order = {"alarm": 0, "unknown": 1, "well": 2}
    checks = sorted(report.checks, key=lambda check: order[check.status])
    return (
        html.environment()
        .get_template("monitor.html")
        .render(
            report=report,
            css=html.template("report.css"),
            ringing=[check.sentence for check in checks if check.status == "alarm"],
            sentences=[check.sentence for check in checks if check.status != "alarm"],
            check_columns=CHECK_COLUMNS,
            checks=[
                [c.check.replace("_", " "), c.subject, _number(c.value), _number(c.limit), STATUS[c.status]]
                for c in checks
            ],
            look_columns=LOOK_COLUMNS,
            looks={model: [_look(look) for look in report.looks if look.model == model] for model in report.models},
            feature_columns=FEATURE_COLUMNS,
            features={model: _features(report, model) for model in report.models},
            most=FEATURES,
        )
    )


def write(report: MonitorReport, path: Path) -> None:
    """The page at `path`, atomically."""
    html.save(render(report), path)


def _look(look: Look) -> list[str]:
    return [
        look.cutoff[:10],
        f"{look.rows:,}",
        _share(look.predicted),
        _share(look.rate),
        _interval(look.auc),
        _interval(look.slope),
        _number(look.ece),
        _number(look.score_psi),
        _DASH if look.drifted is None else str(look.drifted),
        _DASH if look.furthest is None else f"{look.furthest} ({_number(look.furthest_psi)})",
    ]


def _features(report: MonitorReport, model: str) -> list[list[str]]:
    return [
        [f.feature, _number(f.psi), _number(f.limit), _share(f.gain), "drifted" if f.drifted else "steady"]
        for f in report.features
        if f.model == model
    ][:FEATURES]


def _number(value: float | None) -> str:
    return _DASH if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return _DASH if value is None else f"{value:.1%}"


def _interval(three: tuple[float, float, float] | None) -> str:
    return _DASH if three is None else f"{three[0]:.3f} ({three[1]:.3f} to {three[2]:.3f})"
