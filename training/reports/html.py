"""Artefact to one self-contained HTML file: no script, no network, nothing that a name in the data could run."""

import csv
import io
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined

from training.reports import chart, wording
from training.reports.artefact import Campaign, OtherContacts, Outcome, UpliftReport
from training.reports.wording import Words

VERDICTS = {
    "raised": "raised",
    "lowered": "lowered",
    "undecided": "no effect shown",
    "too_few": "too few to tell",
}
_DASH = "–"


def environment() -> Environment:
    """Of the templates: every name is escaped, and a page's own policy forbids scripts and connections."""
    found = Environment(
        loader=FunctionLoader(template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(share=wording.percent, data_uri=_data_uri)
    return found


def render(report: UpliftReport) -> str:
    """The page."""
    others, control = report.other_contacts, report.assignment.control if report.assignment else ""
    return (
        environment()
        .get_template("uplift.html")
        .render(
            report=report,
            css=template("report.css"),
            verdicts=VERDICTS,
            outcomes=[(outcome, _rows(control, outcome), chart.intervals(outcome)) for outcome in report.outcomes],
            bars=chart.before_and_after(others.campaigns, others.unit, others.days) if others else [],
            outcome_columns=_outcome_columns,
            balance_columns=BALANCE_COLUMNS,
            balance_rows=_balance(report),
            arm_columns=ARM_COLUMNS,
            arm_rows=_arms(report),
        )
    )


def write(report: UpliftReport, path: Path) -> None:
    """The page at `path`, atomically."""
    save(render(report), path)


def save(page: str, path: Path) -> None:
    """Whole or not at all."""
    own = path.with_name(path.name + ".part")
    own.write_text(page, encoding="utf-8")
    own.replace(path)


def _outcome_columns(outcome: Outcome) -> tuple[str, ...]:
    level = "Rate" if outcome.kind == "rate" else "Mean"
    difference = "Difference, points" if outcome.kind == "rate" else "Difference"
    return ("Group", "Customers", level, difference, "95% interval", "Lift", "p (Holm)", "Verdict")


def _rows(control: str, outcome: Outcome) -> list[list[str]]:
    """The table beside an outcome's chart, control first; as in the CSV."""
    words = Words(outcome.name, outcome.kind, outcome.unit)
    widths = [wording.half_width(one.effect) for one in outcome.comparisons if one.effect]
    fine = min(widths, default=0.0) / 10 or None
    base = outcome.control
    rows = [[control, f"{base.n:,}", words.level(base.mean, fine), *[_DASH] * 4, "control"]]
    for one in outcome.comparisons:
        cells = [_DASH] * 5
        effect = one.effect
        if effect is not None:
            precision = wording.half_width(effect) / 10
            cells = [
                words.level(one.sample.mean, fine),
                words.tick(effect.difference, precision, True),
                f"{words.tick(effect.low, precision, True)} to {words.tick(effect.high, precision, True)}",
                _DASH if effect.relative is None else _lift(effect.relative),
                _p(one.p_adjusted),
            ]
        rows.append([one.arm, f"{one.sample.n:,}", *cells, VERDICTS[one.verdict]])
    return rows


def _lift(relative: float) -> str:
    return f"{wording.number(relative * 100, 2, signed=True)}%"


def _p(value: float | None) -> str:
    if value is None:
        return _DASH
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


ARM_COLUMNS = ("Group", "Customers", "Share", "Planned share", "Without an outcome")


def _arms(report: UpliftReport) -> list[list[str]]:
    """The groups as assigned."""
    if report.assignment is None:
        return []
    total = sum(arm.customers for arm in report.assignment.arms) or 1
    return [
        [
            arm.name,
            f"{arm.customers:,}",
            wording.percent(arm.customers / total, 0.001),
            wording.percent(arm.expected_share, 0.001),
            f"{arm.missing:,}",
        ]
        for arm in report.assignment.arms
    ]


BALANCE_COLUMNS = ("Measure", "Contacted", "Others", "Standard deviations apart")


def _balance(report: UpliftReport) -> list[list[list[str]]]:
    """One table a campaign: how alike the contacted and the others were before, and the money on both sides."""
    if report.other_contacts is None:
        return []
    return [_balance_rows(one, report.other_contacts) for one in report.other_contacts.campaigns]


def _balance_rows(campaign: Campaign, others: OtherContacts) -> list[list[str]]:
    rows = [
        [
            one.measure,
            *_levels(one.unit, one.contacted.mean, one.others.mean),
            _DASH if one.difference is None else wording.number(one.difference, 0.05, signed=True),
        ]
        for one in campaign.balance
    ]
    after = f"Money a customer in the {others.days} days after"
    return [*rows, [after, *_levels(others.unit, *campaign.after), "no effect"]]


def _levels(unit: str | None, *values: float) -> list[str]:
    words, precision = Words("", "amount", unit), max(map(abs, values)) / 10
    return [words.level(value, precision) for value in values]


def _data_uri(rows: list[list[str]], columns: tuple[str, ...]) -> str:
    """A table as a CSV that the page carries with it; a leading formula sign is defused for spreadsheets."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    writer.writerows([[_harmless(cell) for cell in row] for row in rows])
    return "data:text/csv;charset=utf-8," + quote("\ufeff" + buffer.getvalue())


def _harmless(cell: str) -> str:
    plain = cell.replace("−", "-").replace(_DASH, "")
    number = plain.lstrip("+-").replace(",", "").replace(".", "").rstrip("%").isdigit()
    return "'" + plain if plain[:1] in "=+-@\t\r" and plain and not number else plain


def template(name: str) -> str:
    """The text of a file beside the templates."""
    return (resources.files("training.reports") / "templates" / name).read_text(encoding="utf-8")
