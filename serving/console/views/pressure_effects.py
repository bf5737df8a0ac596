"""What pressure does: answers against it, described; what chance tells; and where customers stand."""

from collections.abc import Sequence

from features.step_words import on_channel
from serving.console import figures
from serving.console.blocks import (
    Block,
    Chart,
    Column,
    Estimate,
    Finding,
    Grid,
    Section,
    Sentences,
    Table,
    Text,
    Verdict,
)
from serving.console.figures import Bars, Span
from serving.console.views.pressure_words import Found, capital, known, said, thousand

_STATUSES = ("under", "on target", "nearly saturated", "saturated")
_ROLES = {"under": "muted", "on target": "good", "nearly saturated": "warn", "saturated": "bad"}
_COMPARED = ("more_money", "more_opted_out")
_LEVELS = {
    "usual": Verdict("the usual caps", "muted"),
    "too_few": Verdict("too few to tell", "muted"),
    "better": Verdict("better than usual", "good"),
    "worse": Verdict("worse than usual", "bad"),
    "undecided": Verdict("no difference shown", "muted"),
}


def response(response: Found) -> Section:
    bands = response["bands"]
    table = Table(
        "response-by-pressure",
        f"Contacts answered within {response['days']} days",
        [
            Column("Pressure before the contact", help="as a share of what the contact policy tolerates"),
            Column("Contacts", "count"),
            Column("Answered", "count"),
            Column("Share answered", "percent"),
        ],
        [
            [
                capital(one["name"]),
                one["contacts"],
                one["answered"],
                known(one["share"]) if one["share"] else Verdict("too few to tell"),
            ]
            for one in bands
        ],
    )
    told = [one for one in bands if one["share"]]
    title = "Response against recent pressure"
    if not told:
        return Section("response", title, [Text(response["sentence"]), table])
    shares = [one["share"] for one in told]
    bars = Bars(
        "Share answered",
        [share["value"] for share in shares],
        low=[share["low"] for share in shares],
        high=[share["high"] for share in shares],
    )
    chart = Chart(
        "response-by-pressure-chart",
        "Share of contacts answered, by the pressure before them",
        figures.bars(
            [bars],
            [capital(one["name"]) for one in told],
            "percent",
            category_title="Pressure, as a share of what is tolerable",
        ),
        table,
        response["sentence"],
    )
    return Section("response", title, [chart])


def chance(artefact: Found) -> Section:
    causal, title = artefact["causal"], "What pressure does, where chance decided"
    if causal is None:
        words = "Chance decided too little to tell what contacts and caps do; the figures above describe, and no more."
        return Section("caps", title, [Text(words), Text(artefact["why_not_causal"], quiet=True)])
    return Section("caps", title, [*_levels(causal), *_cells(causal["cells"])])


def _levels(causal: Found) -> list[Block]:
    """Looser and tighter caps against the usual ones."""
    levels = causal["levels"]
    if len(levels) < 2:
        return [Text(causal["sentence"])]
    others = [one for one in levels if one["verdict"] != "usual"]
    blocks: list[Block] = [Sentences([Finding(one["sentence"], _LEVELS[one["verdict"]]) for one in others])]
    if causal["uneven"] or not any(one[name] for one in others for name in _COMPARED):
        return [Text(causal["sentence"]), *blocks, _table(levels)]
    return [*blocks, Grid([_opt_outs(levels, others), _spending(others)])]


def _opt_outs(levels: Sequence[Found], others: Sequence[Found]) -> Block:
    if not any(one["more_opted_out"] for one in others):
        return _table(levels)
    return Chart(
        "cap-levels-opt-outs",
        "Opt-outs against the usual caps",
        figures.intervals([_span(one, "more_opted_out") for one in others], "number"),
        _table(levels),
        "More opt-outs a week for 1,000 customers lie on the right, fewer on the left.",
    )


def _spending(others: Sequence[Found]) -> Block:
    table = Table(
        "cap-levels-money",
        "Spending a week of 1,000 customers, against the usual caps",
        [Column("Caps"), Column("Difference", "signed_money")],
        [[_caps(one), _changed(one, "money")] for one in others],
    )
    if not any(one["more_money"] for one in others):
        return table
    return Chart(
        "cap-levels-spending",
        "Spending against the usual caps",
        figures.intervals([_span(one, "more_money") for one in others], "signed_money"),
        table,
        "More spending a week of 1,000 customers lies on the right, less on the left.",
    )


def _span(level: Found, measure: str) -> Span:
    found = thousand(level[measure])
    if found is None:
        return Span(_caps(level), None, None, None)
    value, low, high = found.value, found.low, found.high
    return Span(_caps(level), value, low, high, role={"better": "good", "worse": "bad"}.get(level["verdict"], "muted"))


def _caps(level: Found) -> str:
    return f"Caps × {level['factor']:g}"


def _changed(level: Found, measure: str) -> Estimate | Verdict | None:
    """None of the usual caps, which are compared with nothing."""
    return _LEVELS["too_few"] if measure in level.get("untold", {}) else thousand(level[f"more_{measure}"])


def _table(levels: Sequence[Found]) -> Table:
    measures = ("contacts", "opted_out", "complained", "money")
    return Table(
        "cap-levels",
        "Caps drawn by chance, for 1,000 customers and a week",
        [
            Column("Caps", help="times the usual ones"),
            Column("Customers", "count"),
            Column("Contacts", "number"),
            Column("More contacts", "number", help="than under the usual caps"),
            Column("More opt-outs", "number"),
            Column("More complaints", "number"),
            Column("More spending", "signed_money"),
            Column("Verdict", "verdict"),
        ],
        [
            [
                _caps(one),
                one["customers"],
                one["contacts"] * 1000,
                *(_changed(one, name) for name in measures),
                _LEVELS[one["verdict"]],
            ]
            for one in levels
        ],
    )


def _cells(cells: Sequence[Found]) -> list[Block]:
    if not cells:
        return []
    columns = [
        Column("Channel"),
        Column("Pressure before"),
        Column("Contacts", "count"),
        Column("Opted out", "percent", help="of the channel, because of one contact"),
        Column("Complained", "percent"),
        Column("Sold", "signed_money", help="money spent because of one contact"),
        Column(
            "Lost later", "signed_money", help="money spent less in the weeks after, because the customer was tired"
        ),
    ]
    rows = [
        [
            said(one["channel"]),
            "any" if one["band"] == "all" else one["band"],
            one["contacts"],
            *(known(one[key]) if one[key] else None for key in ("opted_out", "complained", "sold", "lost")),
        ]
        for one in cells
    ]
    whole = [one for one in cells if one["band"] == "all" and one["opted_out"]]
    table = Table("one-contact", "What one contact does", columns, rows)
    if not whole:
        return [table]
    spans = []
    for one in whole:
        value, low, high = (one["opted_out"][end] for end in ("value", "low", "high"))
        spans.append(Span(said(one["channel"]), value, low, high, role="bad"))
    return [
        Chart(
            "one-contact-chart",
            "Customers who opt out because of one contact, by channel",
            figures.intervals(spans, "percent"),
            table,
            most_opt_out(whole),
        )
    ]


def most_opt_out(whole: Sequence[Found]) -> str:
    """On which of these channels one contact makes most customers opt out, where it is shown that any does."""
    shown = [one for one in whole if one["opted_out"]["low"] > 0]
    if not shown:
        return "On no channel is it shown that one contact makes customers opt out."
    worst = max(shown, key=lambda one: one["opted_out"]["value"])
    return f"Most opt out because of one contact {on_channel(worst['channel'])}: {worst['opted_out']['value']:.1%}."


def standing(causal: Found | None) -> Section | None:
    """Where customers stand against the number of contacts that pays, and on which channels nobody can tell."""
    if causal is None:
        return None
    title = "Who is contacted too often"
    untold: list[Block] = [Text(one["sentence"], quiet=True) for one in causal.get("untold", [])]
    if not any(one["customers"] for one in causal["saturation"]):
        return Section("saturation", title, untold) if untold else None
    of = [one for one in causal["saturation"] if one["customers"]]
    names = [said(one["channel"]) for one in of]
    bars = [Bars(capital(status), [one["customers"].get(status, 0) for one in of], _ROLES[status])
            for status in _STATUSES]  # fmt: skip
    table = Table(
        "saturation",
        "Customers by how often they are contacted against how often it pays",
        [
            Column("Channel"),
            Column("Pays, a week", "number", help="contacts a week that earn most, without other contacts"),
            *(Column(capital(status), "count") for status in _STATUSES),
        ],
        [[said(one["channel"]), one["recommended_a_week"], *(one["customers"].get(status, 0) for status in _STATUSES)]
         for one in of],
        note="Customers who opted out of a channel are not counted there.",
    )  # fmt: skip
    full = sum(one["customers"].get("saturated", 0) for one in of)
    chart = Chart(
        "saturation-chart",
        "Customers by channel and saturation",
        figures.bars(bars, names, "count", stacked=True, horizontal=True, title="Customers"),
        table,
        f"{full:,} times a customer gets more contacts on a channel than pay there.",
    )
    return Section("saturation", title, [chart, *untold])
