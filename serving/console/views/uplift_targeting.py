"""Whom contacts move and whom to leave alone: tenths, the curve of gains, groups and what their customers are like."""

from collections.abc import Iterator

from serving.console import figures
from serving.console.blocks import (
    Block,
    Cell,
    Chart,
    Column,
    Details,
    Empty,
    Estimate,
    Finding,
    Grid,
    Link,
    Notes,
    Section,
    Sentences,
    Table,
    Text,
    Verdict,
    href,
)
from serving.console.effects import TOO_FEW, Found, column, estimate, kind, verdict
from serving.console.figures import Bars, Line

GROUPS = {
    "persuadable": Verdict("persuadable", "good"),
    "not_worth_it": Verdict("gain does not pay"),
    "sleeping_dog": Verdict("sleeping dog", "bad"),
}
#: The curve is told for so many possible contacts.
PER = 1000


def section(targeting: Found | None, named: bool = False) -> Block | None:
    """None where the report has no such part. `named`: whether it keeps who stands in which group."""
    if not targeting:
        return None
    if targeting["missing"]:
        command = "tactful train uplift" if "`tactful train uplift`" in targeting["missing"] else None
        empty = Empty("Not known yet", targeting["leave_alone"], command)
        return Section("targeting", "Whom to contact, and whom to leave alone", [empty])
    like = {"kind": targeting["outcome_kind"], "unit": targeting["unit"], "name": targeting["outcome"]}
    first, *rest = targeting["rankings"]
    blocks: list[Block] = [
        Sentences([Finding(targeting["persuadable"], _shown(first, "persuadable"))]),
        Text(f"Judged on {targeting['judged']}: {targeting['model']}.", quiet=True),
        *_ranking(first, like, 1),
    ]
    blocks += [_groups(targeting["rankings"], like, named)]
    blocks += [
        Details(f"{one['name']}: sorted by its expected effect", list(_ranking(one, like, place)))
        for place, one in enumerate(rest, 2)
        if one["tenths"]
    ]
    if targeting["notes"]:
        blocks.append(Notes(targeting["notes"]))
    return Section("targeting", "Whom to contact, and whom to leave alone", blocks, lead=targeting["leave_alone"])


def _shown(ranking: Found, of: str) -> Verdict | None:
    group = next((one for one in ranking["groups"] if one["kind"] == of), None)
    return verdict(group["verdict"]) if group else None


def _ranking(ranking: Found, like: Found, place: int) -> Iterator[Block]:
    yield Sentences([ranking["sentence"]])
    charts: list[Block] = []
    if ranking["tenths"]:
        charts.append(_tenths(ranking, like, place))
    if ranking["curve"]:
        charts.append(_curve(ranking, like, place))
    if charts:
        yield Grid(charts)
    if traits := _traits(ranking, place):
        yield traits


def _tenths(ranking: Found, like: Found, place: int) -> Chart:
    """Expected and measured effect, whoever is expected to gain most first."""
    found = ranking["tenths"]
    names = [_tenth(one, len(found)) for one in found]
    effects = [one["effect"] or {} for one in found]
    bars = [
        Bars("expected by the model", [one["predicted"] for one in found], role="muted"),
        Bars(
            "measured", [one.get("value") for one in effects], role="accent",
            low=[one.get("low") for one in effects], high=[one.get("high") for one in effects],
        ),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [name, one["share"], one["contacts"], one["predicted"], estimate(one["effect"]), verdict(one["verdict"])]
        for name, one in zip(names, found, strict=True)
    ]
    columns = [
        Column("Expected to gain"),
        Column("Share", "percent"),
        Column("Possible contacts", "count"),
        column("Expected", like),
        column("Measured", like),
        Column("Verdict", "verdict"),
    ]
    note = "Customers of whom the same is expected stay together." if len(found) < 10 else None
    title = f"{'Tenths' if len(found) == 10 else 'Customers'} by expected effect: {ranking['name']}"
    table = Table(f"tenths-{place}", title, columns, rows, note=note)
    unit = "percentage points" if like["kind"] == "rate" else like["unit"] or ""
    figure = figures.bars(bars, names, kind(like), title=unit, category_title="expected to gain")
    return Chart(f"tenths-{place}", title, figure, table, _of_tenths(found, like))


def _tenth(one: Found, count: int) -> str:
    if one["place"] == 1:
        return "1 most"
    return f"{one['place']} least" if one["place"] == count else str(one["place"])


def _of_tenths(found: list[Found], like: Found) -> str:
    """How many tenths are shown to gain, to lose, and how many are open."""
    count = {name: sum(one["verdict"] == name for one in found) for name in ("raised", "lowered", "too_few")}
    said = [
        f"{count['raised']} of {len(found)} groups are shown to gain",
        f"{count['lowered']} to lose" if count["lowered"] else "none to lose",
    ]
    if count["too_few"]:
        said.append(f"{count['too_few']} have too few to tell")
    return (
        f"Change of {like['name']} by a contact, among those expected to gain most (left) to least (right): "
        f"{', '.join(said)}. Whiskers are 95% intervals."
    )


def _curve(ranking: Found, like: Found, place: int) -> Chart:
    """Qini: what is gained where only the share expected to gain most is contacted."""
    found = ranking["curve"]
    shares = [one["share"] for one in found]
    gains, low, high = ([one[name] * PER for one in found] for name in ("gain", "low", "high"))
    end = gains[-1]
    lines = [
        Line("by expected effect", shares, gains, low, high, role="accent"),
        Line("as many at random", [0.0, shares[-1]], [0.0, end], role="muted", dashed=True),
    ]
    unit = f"{like['unit']} " if like["kind"] == "amount" and like["unit"] else ""
    what = f"{unit}gained for {PER:,} possible contacts"
    axis = "number" if like["kind"] == "rate" or not like["unit"] else "money"
    rows: list[list[Cell]] = [
        [share, Estimate(gain, bottom, top), end * share / shares[-1]]
        for share, gain, bottom, top in zip(shares, gains, low, high, strict=True)
        if share > 0
    ]
    columns = [
        Column("Contacted", "percent"),
        Column(f"Gain for {PER:,}", axis, unit=like["unit"]),  # type: ignore[arg-type]
        Column("At random", axis, unit=like["unit"]),  # type: ignore[arg-type]
    ]
    title = f"Gain by share contacted (Qini): {ranking['name']}"
    table = Table(f"qini-{place}", title, columns, rows, note="The band holds for the whole curve at once (95%).")
    figure = figures.lines(
        lines, axis, "percent", what, "share contacted, whoever is expected to gain most first", from_zero=False
    )
    return Chart(f"qini-{place}", title, figure, table, ranking["sentence"])


def _groups(rankings: list[Found], like: Found, named: bool) -> Table:
    """Who is persuadable, who is a sleeping dog, for every action; each leads to its customers."""
    rows: list[list[Cell]] = [
        [
            _contact(ranking["name"], one["kind"], named), GROUPS[one["kind"]], one["share"], one["customers"],
            one["predicted"],
            TOO_FEW if one["effect"] is None else estimate(one["effect"]), verdict(one["verdict"]),
        ]
        for ranking in rankings
        for one in ranking["groups"]
    ]  # fmt: skip
    columns = [
        Column("Contact"),
        Column("Expected to be", "verdict"),
        Column("Share of customers", "percent"),
        Column("Customers", "count"),
        column("Expected", like),
        column("Measured", like),
        Column("Verdict", "verdict"),
    ]
    note = (
        "Expected is what the model says; measured is what chance showed among contacts that it had not seen. The "
        "verdicts hold for all rows together."
    )
    return Table("groups-expected", "Persuadable, or better left alone", columns, rows, note=note)


def _contact(name: str, kind: str, named: bool) -> Cell:
    return Link(name, href("uplift", "customers", contact=name, group=kind)) if named else name


def _traits(ranking: Found, place: int) -> Table | None:
    """In what a group's customers differ most from all others."""
    rows: list[list[Cell]] = [
        [trait["text"], GROUPS[one["kind"]], trait["group"], trait["others"], trait["unit"]]
        for one in ranking["groups"]
        for trait in one["traits"]
    ]
    if not rows:
        return None
    columns = [
        Column("On average"),
        Column("Customers", "verdict"),
        Column("They", "number"),
        Column("All others", "number"),
        Column("Unit"),
    ]
    note = (
        "Differences that catch the eye, not reasons: what customers have in common need not be why contacts move them."
    )
    return Table(f"traits-{place}", f"What they are like: {ranking['name']}", columns, rows, note=note)
