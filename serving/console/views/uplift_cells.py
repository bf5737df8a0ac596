"""Contacts made against contacts withheld by chance: by action, channel, segment and month, and what they returned."""

from collections import Counter
from collections.abc import Iterator

from serving.console import effects
from serving.console.blocks import (
    Block,
    Cell,
    Chart,
    Column,
    Details,
    Finding,
    Link,
    Notes,
    Section,
    Sentences,
    Table,
)
from serving.console.effects import TOO_FEW, Found
from serving.console.policy_words import listed

_DIMENSIONS = {"action": "by-action", "channel": "by-channel", "treatment": "by-treatment", "segment": "by-segment"}


def sections(ghosts: Found | None, programme: Found | None) -> Iterator[Block]:
    """One section a dimension, then cost and return; `programme` is the return of all contacts against the holdout."""
    places = Counter[str]()  # there may be several kinds of segments, each with a table of its own
    for breakdown in ghosts["breakdowns"] if ghosts else ():
        place = _DIMENSIONS.get(breakdown["dimension"], f"by-{breakdown['dimension']}")
        places[place] += 1
        yield _breakdown(breakdown, place if places[place] == 1 else f"{place}-{places[place]}")
    if returns := _returns(ghosts, programme):
        yield returns
    if not ghosts:
        return
    check = [Finding(ghosts["check"]["sentence"])] if not ghosts["check"]["alarm"] else []
    yield Section("ghosts", "Contacts made and withheld", [Sentences(check), Notes(ghosts["notes"])])


def _breakdown(found: Found, place: str) -> Section:
    name = found["dimension"]
    cells = found["cells"]
    blocks: list[Block] = []
    if cells and cells[0]["found"]:
        blocks.append(_months(found, place) if name == "period" else _forest(found, place))
        blocks.append(Details("Every measure, and intervals valid at every look", [_measures(found, place)]))
    return Section(place, found["title"], blocks, lead=found["sentence"])


def _forest(found: Found, place: str) -> Chart:
    """The first measure of each cell."""
    like = found["cells"][0]["found"][0]
    spans = [effects.span(cell["name"], cell["found"][0], effects.action_page(cell)) for cell in found["cells"]]
    title = f"Change of {like['name']} because of a contact"
    return effects.chart(place, title, spans, like, _table(found, place, title), _seen(found), "withheld contacts")


def _seen(found: Found) -> str:
    """How many cells are shown to have moved the first measure, and how many are open."""
    verdicts = [cell["found"][0]["verdict"] for cell in found["cells"]]
    count = {name: verdicts.count(name) for name in ("raised", "lowered", "undecided", "too_few")}
    moved = [f"{count[name]} {name} it" for name in ("raised", "lowered") if count[name]]
    said = [f"Of {len(verdicts)}, {listed(moved)}" if moved else f"None of {len(verdicts)} is shown to have changed it"]
    said += [f"{count['undecided']} still open"] if count["undecided"] and (moved or count["too_few"]) else []
    said += [f"{count['too_few']} with too few to tell"] if count["too_few"] else []
    return "; ".join(said) + "."


def _months(found: Found, place: str) -> Chart:
    like = found["cells"][0]["found"][0]
    effect = [cell["found"][0]["effect"] or {} for cell in found["cells"]]
    points = [tuple(one.get(name) for name in ("difference", "low", "high")) for one in effect]
    title = f"Change of {like['name']} because of a contact, month by month"
    unit = "percentage points" if like["kind"] == "rate" else like.get("unit") or ""
    said = f"{_seen(found)} The band is the usual 95% interval of each month."
    names = [cell["name"] for cell in found["cells"]]
    return effects.months(place, title, names, points, effects.kind(like), unit, _table(found, place, title), said)


def _table(found: Found, place: str, title: str) -> Table:
    """The first measure: what a reader looks at first."""
    like = found["cells"][0]["found"][0]
    columns = [
        Column(found["label"]),
        Column("Contacts", "count"),
        Column("Withheld", "count"),
        effects.column("With a contact", like, change=False),
        effects.column("Without", like, change=False),
        effects.column("Difference", like),
        Column("Verdict", "verdict"),
        Column("Weeks until known", "count", effects.PACE),
    ]
    rows: list[list[Cell]] = []
    for cell in found["cells"]:
        one = cell["found"][0]
        few = one["effect"] is None
        rows.append(
            [
                _named(cell), cell["contacts"], cell["ghosts"], None if few else one["treated"]["mean"],
                None if few else one["control"]["mean"], effects.change(one["effect"]),
                effects.verdict(one["verdict"], one["better"]), effects.weeks(one.get("weeks")),
            ]
        )  # fmt: skip
    return Table(place, title, columns, rows, empty="No contact has been withheld here yet.")


def _measures(found: Found, place: str) -> Table:
    """Each measure of each cell in a row of its own; differences in words, for their units differ."""
    columns = [
        Column(found["label"]),
        Column("Measure"),
        Column("Difference", "number", "percentage points, or money"),
        Column("Valid at every look", "interval"),
        Column("p, corrected", "number", "for the number of cells, and for looking often"),
        Column("Verdict", "verdict"),
    ]
    rows: list[list[Cell]] = []
    for cell in found["cells"]:
        for one in cell["found"]:
            scale = 100.0 if one["kind"] == "rate" else 1.0
            rows.append(
                [
                    cell["name"], one["name"], _scaled(one["effect"], scale), _held(one["effect"], scale),
                    one.get("p_adjusted"), effects.verdict(one["verdict"], one["better"]),
                ]
            )  # fmt: skip
    return Table(f"{place}-measures", f"{found['title']}: every measure", columns, rows)


def _scaled(effect: Found | None, scale: float) -> Cell:
    if effect is None:
        return TOO_FEW
    return effects.change({name: effect[name] * scale for name in ("difference", "low", "high")})


def _held(effect: Found | None, scale: float) -> Cell:
    if effect is None or not effect.get("always"):
        return None
    return effects.always({"always": {name: effect["always"][name] * scale for name in ("low", "high")}})


def _returns(ghosts: Found | None, programme: Found | None) -> Section | None:
    """What contacts cost and what they brought: against the holdout, and against withheld contacts, by cell."""
    cells = [ghosts["total"]] if ghosts else []
    for breakdown in ghosts["breakdowns"] if ghosts else ():
        if breakdown["dimension"] in ("action", "treatment"):
            cells += breakdown["cells"]
            break
    told = [cell for cell in cells if cell.get("returns")]
    if programme:
        told.insert(0, {"name": "the whole programme, against the holdout", "returns": programme})
    if not told:
        return None
    unit = told[0]["returns"]["unit"]
    columns = [
        Column("Contacts of"),
        Column("Verdict", "verdict"),
        Column("Contacts", "count"),
        Column("Cost", "money", unit=unit),
        Column("Extra sales", "signed_money", unit=unit),
        Column("Kept of them", "signed_money", unit=unit),
        Column("Profit", "signed_money", unit=unit),
        Column("Gained for each 1 spent", "number"),
    ]
    rows: list[list[Cell]] = []
    for cell in told:
        one = cell["returns"]
        money = [effects.estimate(one[name]) for name in ("extra", "kept", "profit")]
        roi = None if one["roi"] is None else effects.estimate(one["roi"])
        rows.append([_named(cell), effects.paid(one["verdict"]), one["contacts"], one["cost"], *money, roi])
    margin = told[0]["returns"]["margin"]
    note = f"Of extra sales {margin * 100:.6g}% are kept, as stated under `fatigue: margin` in tactful.yaml."
    table = Table("returns", "What contacts cost and brought", columns, rows, note=note)
    return Section("cost", "Cost and return", [table], lead=told[0]["returns"]["sentence"])


def _named(cell: Found) -> Cell:
    target = effects.action_page(cell)
    return cell["name"] if target is None else Link(cell["name"], target)
