"""What contacts changed: in total, by action, channel, segment and month; whom they move; what it cost and brought."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from serving.console import effects
from serving.console.blocks import (
    Alarm,
    Block,
    Chart,
    Column,
    Details,
    Finding,
    Notes,
    Page,
    Section,
    Sentences,
    Table,
    Text,
    Verdict,
)
from serving.console.effects import Found
from serving.console.views import Ask, uplift_cells, uplift_customers, uplift_others, uplift_planner, uplift_targeting


def page(artefact: Mapping[str, Any], ask: Ask) -> Page:
    """The whole report; a campaign table's has no ghosts, no arms and no returns."""
    parts: list[Block | None] = [
        _answers(artefact),
        _total(artefact),
        *uplift_cells.sections(artefact.get("ghosts"), artefact.get("returns")),
        _arms(artefact.get("arms")),
        uplift_targeting.section(artefact.get("targeting"), uplift_customers.kept(ask)),
        uplift_planner.section(artefact, ask),
        uplift_others.section(artefact.get("other_contacts")),
        _assignment(artefact.get("assignment")),
        _notes(artefact["notes"]),
        _method(artefact),
    ]
    return Page(
        title=artefact["title"],
        lead="" if artefact["alarm"] else artefact["headline"],
        blocks=[part for part in parts if part is not None],
        alarm=_alarm(artefact),
        kind="uplift",
        known_until=artefact.get("known_until"),
        created_at=artefact["created_at"],
        population=artefact["population"],
        currency=_currency(artefact["outcomes"]),
        source=artefact["source"],
    )


def _currency(outcomes: Sequence[Found]) -> str | None:
    return next((one["unit"] for one in outcomes if one["kind"] == "amount" and one.get("unit")), None)


def _alarm(artefact: Found) -> Alarm | None:
    """Red where groups are not as chance should have made them: which, and what to do."""
    if not artefact["alarm"]:
        return None
    checks = [artefact.get("assignment"), (artefact.get("ghosts") or {}).get("check")]
    checks.append((artefact.get("arms") or {}).get("assignment"))
    said = [one["sentence"] for one in checks if one and one["alarm"]]
    return Alarm("Do not rely on this report yet", [*said, _REMEDY if artefact.get("known_until") else _REMEDY_TABLE])


#: What to do; of a workspace, and of a campaign table.
_REMEDY = (
    "Look for what chose who was contacted: a tool that skips customers, a filter after the draw, a share in "
    "`contact_policy.yaml` that was changed on the way."
)
_REMEDY_TABLE = "If other shares were planned, say so with `--expected-shares`."


def _answers(artefact: Found) -> Block | None:
    """The other questions that a reader brings, each answered in one sentence."""
    items: list[Finding] = []
    if ghosts := artefact.get("ghosts"):
        items.append(Finding(ghosts["headline"], href="#by-action"))
    if returns := artefact.get("returns"):
        items.append(Finding(returns["sentence"], href="#cost"))
    if targeting := artefact.get("targeting"):
        said = [targeting["leave_alone"], *([] if targeting["missing"] else [targeting["persuadable"]])]
        items += [Finding(one, href="#targeting") for one in said]
    if arms := artefact.get("arms"):
        items.append(Finding(arms["headline"], href="#arms"))
    title = "In short, if the warning above turns out to be nothing" if artefact["alarm"] else "In short"
    return Section("answers", title, [Sentences(items)]) if items else None


def _total(artefact: Found) -> Block | None:
    """Every arm against control on every outcome, the first one deciding."""
    if not artefact["outcomes"]:
        return None
    control = artefact["assignment"]["control"] if artefact.get("assignment") else "control"
    blocks: list[Block] = []
    for place, outcome in enumerate(artefact["outcomes"], 1):
        said = [
            Finding(one["sentence"], effects.verdict(one["verdict"]), one.get("per_thousand"))
            for one in outcome["comparisons"]
        ]
        blocks.append(Sentences(said))
        blocks.append(_outcome(outcome, control, place))
        blocks.extend(Text(plan["sentence"], quiet=True) for plan in outcome["plans"])
    many = len(artefact["outcomes"]) > 1
    lead = "The first outcome is the one that decides; the others were measured beside it." if many else None
    return Section("total", f"In total, against {control}", [*([Text(lead, quiet=True)] if lead else []), *blocks])


def _outcome(outcome: Found, control: str, place: int) -> Chart:
    found = outcome["comparisons"]
    spans = [effects.span(one["arm"], one) for one in found]
    rows = [
        [
            one["arm"],
            one["sample"]["n"],
            one["sample"]["mean"],
            outcome["control"]["mean"],
            effects.change(one["effect"]),
            effects.always(one["effect"]),
            effects.lift(one["effect"]),
            effects.verdict(one["verdict"]),
        ]
        for one in found
    ]
    columns = [
        Column("Group"),
        Column("Customers", "count"),
        effects.column("Mean", outcome, change=False),
        effects.column(f"Mean of {control}", outcome, change=False),
        effects.column("Difference", outcome),
        effects.column("Valid at every look", outcome),
        Column("Relative", "percent"),
        Column("Verdict", "verdict"),
    ]
    if all(row[5] is None for row in rows):  # a finished campaign is looked at once
        columns, rows = _without(columns, 5), [_without(row, 5) for row in rows]
    name = outcome["name"][0].upper() + outcome["name"][1:]
    table = Table(f"total-{place}", f"{name}, by group", columns, rows, empty="No group to compare yet.")
    seen = f"How far groups differ from {control}, as told above. An interval that crosses the line at 0 may be chance."
    return effects.chart(f"total-{place}", name, spans, outcome, table, seen, control)


def _without(row: Sequence[Any], place: int) -> list[Any]:
    return [one for k, one in enumerate(row) if k != place]


def _arms(arms: Found | None) -> Block | None:
    """Next best action against each plainer play."""
    if not arms or not arms["rivals"]:
        return None
    blocks: list[Block] = [Sentences([Finding(one["sentence"], _beats(one)) for one in arms["rivals"]])]
    for measure in _measures(arms["rivals"]):
        found = [(one["title"], each) for one in arms["rivals"] for each in one["found"] if each["measure"] == measure]
        like = found[0][1]
        table = Table(
            f"arms-{measure}",
            f"Next best action against plainer plays: {like['name']}",
            [
                Column("Against"),
                Column("Customers with it", "count"),
                Column("Customers without", "count"),
                effects.column("Difference", like),
                effects.column("Valid at every look", like),
                Column("Verdict", "verdict"),
            ],
            [
                [
                    title, one["control"]["n"], one["treated"]["n"], effects.change(one["effect"]),
                    effects.always(one["effect"]), effects.verdict(one["verdict"], one["better"]),
                ]
                for title, one in found
            ],
        )  # fmt: skip
        spans = [effects.span(title, one) for title, one in found]
        title = f"Next best action less the rival: {like['name']}"
        blocks.append(effects.chart(f"arms-{measure}", title, spans, like, table, arms["headline"], "the rival"))
    return Section("arms", "Is next best action worth it?", blocks, lead=arms["headline"])


def _beats(rival: Found) -> Verdict:
    """The chip of what its sentence speaks of."""
    told = next((one for one in rival["found"] if one["sentence"] == rival["sentence"]), rival["found"][0])
    found = effects.verdict(told["verdict"], told["better"])
    return Verdict({"good": "better", "bad": "worse"}.get(found.tone, found.words), found.tone)


def _measures(rivals: Sequence[Found]) -> Iterator[str]:
    yield from dict.fromkeys(one["measure"] for rival in rivals for one in rival["found"])


def _assignment(found: Found | None) -> Block | None:
    if not found:
        return None
    total = sum(one["customers"] for one in found["arms"])
    table = Table(
        "groups",
        f"Groups as assigned by {found['column']}",
        [Column("Group"), Column("Customers", "count"), Column("Expected", "count"), Column("No outcome", "count")],
        [
            [one["name"], one["customers"], round(one["expected_share"] * total), one["missing"]]
            for one in found["arms"]
        ],
    )
    said = "No: see the warning at the top." if found["alarm"] else found["sentence"]
    return Section("assignment", "Were the groups formed as planned?", [Text(said), table])


def _notes(notes: Sequence[str]) -> Block | None:
    return Section("notes", "What else to know", [Notes(notes)]) if notes else None


def _method(artefact: Found) -> Block:
    said = [*artefact["method"], *((artefact.get("targeting") or {}).get("method") or [])]
    return Details("How this was computed", [Text(one) for one in said])
