"""Touchpoints: which matter most, how well we do there, and what to improve first."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving.console import figures
from serving.console.blocks import (
    Block,
    Chart,
    Column,
    Empty,
    Estimate,
    Field,
    Finding,
    Kind,
    Notes,
    Page,
    Section,
    Sentences,
    Table,
    Verdict,
)
from serving.console.policy_words import listed
from serving.console.views import Ask

Found = Mapping[str, Any]

#: How an outcome is asked for, and what a difference of it is.
OUTCOMES: Mapping[str, tuple[str, Kind]] = {
    "satisfaction": ("Satisfaction", "points"),
    "churn": ("Leaving", "points"),
    "value": ("Spending", "signed_money"),
}
#: The quarters of the map in words, what to do and how urgent it is.
QUADRANTS = {
    "improve": Verdict("improve", "bad"),
    "keep": Verdict("keep it up", "good"),
    "watch": Verdict("watch", "warn"),
    "fine": Verdict("fine as it is", "muted"),
    "unclear": Verdict("cannot be told", "muted"),
}
VERDICTS = {
    "better": Verdict("goes with better", "good"),
    "worse": Verdict("goes with worse", "bad"),
    "undecided": Verdict("no effect shown", "muted"),
    "differed_before": Verdict("differed before", "info"),
    "too_few": Verdict("too few to tell", "muted"),
}
#: So many touchpoints that are not shown to matter stand on the map beside those that are.
OTHERS = 6


def page(artefact: Found, ask: Ask) -> Page:
    measured = {one["outcome"]: one for one in artefact["outcomes"]}
    outcome = ask.query.get("outcome", "")
    if outcome not in measured:
        outcome = next((name for name, one in measured.items() if one["improve"]), next(iter(measured), ""))
    blocks: list[Block] = []
    if outcome:
        others = [one for name, one in measured.items() if name != outcome]
        blocks = [_map(artefact, outcome), _effects(artefact, measured[outcome], others)]
    blocks += [_doing(artefact), _method(artefact)]
    if not artefact["touchpoints"]:
        blocks = [Empty("No touchpoint yet", "The log holds nothing to compare.", "tactful ingest FILE")]
    options = [(name, OUTCOMES[name][0]) for name in measured]
    return Page(
        title="Touchpoints",
        lead=measured[outcome]["sentence"] if ask.query.get("outcome") and outcome else artefact["headline"],
        blocks=blocks,
        kind="touchpoints",
        known_until=artefact["known_until"],
        created_at=artefact["created_at"],
        source=artefact["source"],
        population="Customers who had a touchpoint, compared with customers alike who had not.",
        filters=[Field("outcome", "What it is to matter for", "select", outcome, options)] if len(options) > 1 else [],
        currency=artefact["currency"],
    )


def _well(artefact: Found, line: Found) -> Found | None:
    """How well we do at a touchpoint, by what tells it here."""
    share: Found | None = line[artefact["performance"]]
    return share


def _surely(effect: Found) -> float:
    """The end of the interval next to nothing, where it is shown; how much it matters at least."""
    if effect["verdict"] not in ("better", "worse"):
        return 0.0
    return min(abs(effect["low"]), abs(effect["high"]))


def _map(artefact: Found, outcome: str) -> Chart:
    """Up is what surely matters, right is where we do well."""
    drawn = [line for line in artefact["touchpoints"] if outcome in line["effects"] and _well(artefact, line)]
    matter = [line for line in drawn if _surely(line["effects"][outcome]) > 0]
    rest = [line for line in drawn if _surely(line["effects"][outcome]) == 0][:OTHERS]
    by_rating = artefact["performance"] == "satisfaction"
    points = [
        figures.Point(
            line["name"],
            _right(artefact, line),
            _surely(line["effects"][outcome]),
            size=line["customers"],
            role=_role(line, outcome),
        )
        for line in [*matter, *rest]
    ]
    x_title = "how satisfied customers are there, of the best rating" if by_rating else "without trouble within a week"
    least = min((_surely(line["effects"][outcome]) for line in matter), default=0.0)
    usual = artefact["average_satisfaction"] if by_rating else 1 - artefact["average_trouble"]
    words = ("Improve", "Keep it up", "Watch", "Fine as it is")
    figure = figures.scatter(
        points, "percent", _plain(outcome), x_title, "how much it matters, at least",
        cross=(usual, least / 2) if matter else None, quadrants=words if matter else None,
    )  # fmt: skip
    rows = [
        [line["name"], QUADRANTS[line["quadrants"][outcome]], _surely(line["effects"][outcome]),
         _right(artefact, line), line["customers"]]
        for line in [*matter, *rest]
    ]  # fmt: skip
    columns = [
        Column("Touchpoint"),
        Column("What to do", "verdict"),
        Column("Matters at least", _plain(outcome), "the end of the interval next to nothing, 0 where none is shown"),
        Column("How well we do", "percent", x_title),
        Column("Customers", "count"),
    ]
    low = [line["name"] for line in matter if line["quadrants"][outcome] == "improve"]
    summary = f"{len(matter)} of {len(drawn)} touchpoints are shown to matter for {OUTCOMES[outcome][0].lower()}. "
    summary += f"Of these we do worse than average at {listed(low[:4])}." if low else "We do none of these badly."
    note = "The size of a point is how many customers had it; grey ones are not shown to matter."
    return Chart(
        "map", "Importance by performance", figure, Table("map-table", "The map", columns, rows, note), summary
    )


def _plain(outcome: str) -> Kind:
    kind = OUTCOMES[outcome][1]
    return "money" if kind == "signed_money" else kind


def _right(artefact: Found, line: Found) -> float:
    """How well we do, the more the better."""
    value: float = line[artefact["performance"]]["value"]
    return value if artefact["performance"] == "satisfaction" else 1 - value


def _role(line: Found, outcome: str) -> str:
    return {"worse": "bad", "better": "good"}.get(line["effects"][outcome]["verdict"], "muted")


def _effects(artefact: Found, measured: Found, others: Sequence[Found]) -> Section:
    outcome, kind = measured["outcome"], OUTCOMES[measured["outcome"]][1]
    lines = [line for line in artefact["touchpoints"] if outcome in line["effects"]]
    lines.sort(key=lambda line: (-_surely(line["effects"][outcome]), -line["customers"]))
    rows = []
    for line in lines:
        effect = line["effects"][outcome]
        known = effect["estimate"] is not None
        rows.append(
            [
                line["name"],
                VERDICTS[effect["verdict"]],
                Estimate(effect["estimate"], effect["low"], effect["high"]) if known else None,
                effect["exposed"],
                Estimate(effect["back"], effect["back_low"], effect["back_high"])
                if effect["back"] is not None
                else None,
                effect["e_value"],
                QUADRANTS[line["quadrants"][outcome]],
                effect["reason"],
            ]
        )
    weeks = artefact["exposure_days"] // 7
    columns = [
        Column("Touchpoint"),
        Column("Finding", "verdict", "corrected for how many touchpoints are compared"),
        Column("Difference", kind, "of customers who had it, against customers alike; 95% interval"),
        Column("Had it", "count", f"rows with the touchpoint in the {weeks} weeks before"),
        Column("Look back", kind, "the same for the touchpoint after the outcome: should be near nothing"),
        Column(
            "E-value", "number", "how strong a hidden cause would have to be, as a ratio of risks; 1 is no strength"
        ),
        Column("What to do", "verdict"),
        Column("Why it cannot be told"),
    ]
    if all(row[-1] is None for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    shown = [line for line in lines if line["effects"][outcome]["verdict"] in ("better", "worse")][:12]
    chart = _intervals(shown, outcome, kind) if shown else []
    title = f"What goes with {measured['words']}"
    note = f"{measured['rows']:,} rows of {measured['customers']:,} customers."
    table = Table("effects", title, columns, rows, note, empty="No touchpoint could be compared.")
    also = (
        [Sentences([Finding(one["sentence"], Verdict(OUTCOMES[one["outcome"]][0])) for one in others])]
        if others
        else []
    )
    return Section("effects-section", "What matters", [*chart, table, *also])


def _intervals(shown: Sequence[Found], outcome: str, kind: Kind) -> list[Block]:
    spans, rows = [], []
    for line in shown:
        effect = line["effects"][outcome]
        spans.append(
            figures.Span(line["name"], effect["estimate"], effect["low"], effect["high"], _role(line, outcome))
        )
        rows.append([line["name"], Estimate(effect["estimate"], effect["low"], effect["high"])])
    table = Table("shown-table", "Shown to matter", [Column("Touchpoint"), Column("Difference", kind)], rows)
    summary = f"The {len(shown)} touchpoints that surely go with the largest differences, with 95% intervals."
    return [
        Chart(
            "shown",
            "Shown to matter",
            figures.intervals(spans, kind, "percentage points" if kind == "points" else ""),
            table,
            summary,
        )
    ]


def _doing(artefact: Found) -> Section:
    rows = []
    for line in artefact["touchpoints"]:
        rated, trouble = line["satisfaction"], line["trouble"]
        rows.append(
            [
                line["name"],
                line["interactions"],
                line["customers"],
                Estimate(rated["value"], rated["low"], rated["high"]) if rated else "too few to tell",
                {"there": "there", "after": "within two weeks after"}[line["rated"]] if rated else None,
                Estimate(trouble["value"], trouble["low"], trouble["high"]) if trouble else "too few to tell",
            ]
        )
    average, bad = artefact["average_satisfaction"], artefact["average_trouble"]
    lead = None
    if average is not None and artefact["performance"] == "satisfaction":
        lead = "How satisfied customers are at each touchpoint or soon after it, and how often trouble follows."
    elif bad is not None:
        lead = "Too few touchpoints are rated, so trouble within a week tells how well we do."
    columns = [
        Column("Touchpoint"),
        Column("Interactions", "count"),
        Column("Customers", "count"),
        Column("Satisfaction", "percent", "of the best rating, with its 95% interval"),
        Column("Rated"),
        Column("Trouble follows", "percent", "a complaint, case, opt-out or refund within a week"),
    ]
    return Section("doing", "How well we do", [Table("performance", "Every touchpoint", columns, rows)], lead)


def _method(artefact: Found) -> Section:
    weeks = artefact["exposure_days"] // 7
    said = [
        *artefact["notes"],
        f"Method: what is left of the outcome against what is left of having had the touchpoint in {weeks} weeks, after"
        " both are predicted from earlier features on other customers (Robinson 1988; Chernozhukov and others 2018);"
        " errors by customer, with Student's t by those who had it; Holm's correction over all touchpoints. Where few"
        " customers make up so much of the outcome that the difference would be drawn skewed (Cochran 1977, 2.15), it"
        " cannot be told.",
        "Look back: the same for the touchpoint after the outcome, which it cannot have caused. E-value: VanderWeele"
        " and Ding 2017.",
        "Improve: shown to matter, done worse than average. Keep it up: shown to matter, done well. Watch: done worse"
        " than average, not shown to matter.",
    ]
    return Section("method", "How to read it", [Notes(said)])
