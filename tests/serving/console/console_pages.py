"""A page with one of every block and chart, and names that would like to run, for the tests that render pages."""

from serving.console import figures
from serving.console.blocks import (
    Alarm,
    Chart,
    Code,
    Column,
    Details,
    Empty,
    Estimate,
    Event,
    Fact,
    Facts,
    Field,
    Finding,
    Form,
    Grid,
    Interval,
    Link,
    Notes,
    Page,
    Pager,
    Section,
    Sentences,
    Table,
    Text,
    Tile,
    Tiles,
    Timeline,
    Verdict,
    href,
)

EVIL = '<script>document.title="run"</script>"><img src=x onerror=alert(1)>'
MARKUP = '<a href="https://evil.example">free</a> <b>bold</b> &lt;i&gt;'
FORMULA = '=HYPERLINK("http://evil.example")'
LONG = "A very long campaign name that somebody typed without a thought for phones"
RUNS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "//evil.example",
    "vbscript:x",
]
DAYS = [f"2026-{month:02d}-{day:02d}" for month in (1, 2, 3) for day in range(1, 29)]

EFFECTS = Table(
    "effects",
    "Effect by action",
    [
        Column("Action"),
        Column("Customers", "count"),
        Column("Difference", "points"),
        Column("Extra money", "signed_money"),
        Column("Share", "percent"),
        Column("Between", "interval"),
        Column("Verdict", "verdict"),
        Column("Weeks", "number", help="until we know"),
        Column("Since", "day"),
    ],
    [
        [Link("Winback e-mail", href("actions", "winback")), 12_345, Estimate(0.0452, 0.0389, 0.0515),
         Estimate(1234.5, 800.0, 1700.0), 0.12, Interval(0.5, 2.5), "raised", None, "2026-01-02"],
        [EVIL, 2_345, Estimate(-0.0052, -0.0119, 0.0015), Estimate(-12.5, -80.0, 55.0), 0.03, None, "undecided", 5,
         "2026-01-02"],
        [FORMULA, 12, None, None, None, None, "too_few", None, None],
        [LONG, 99_812, Estimate(-0.021, -0.03, -0.012), Estimate(-912.0, -1200.0, -600.0), 0.081, Interval(-3.0, -1.0),
         Verdict("raised", "bad"), 1.5, "2026-11-22"],
    ],
    note="Money is what is kept: 1,234.5 since 2026-01-01.",
)  # fmt: skip


def chart(name: str, figure: figures.Figure) -> Chart:
    table = Table(f"figures-{name}", f"Figures of {name}", EFFECTS.columns, EFFECTS.rows)
    return Chart(name, f"Chart of {name}", figure, table, f"{MARKUP} raised buying by 4.5 points (3.9 to 5.2).")


def charts() -> dict[str, figures.Figure]:
    """One of every builder of `figures`, by its name, with hostile names and links."""
    wave = [0.1 + 0.001 * (k % 30) for k in range(len(DAYS))]
    return {
        "intervals": figures.intervals(
            [
                figures.Span("Winback e-mail", 0.0452, 0.0389, 0.0515, "good", (0.03, 0.06), "/actions/winback"),
                figures.Span(EVIL, -0.0052, -0.0119, 0.0015, "muted", href=RUNS[0]),
                figures.Span(LONG, None, None, None),
            ],
            "points",
            "Difference, points",
        ),
        "lines": figures.lines(
            [
                figures.Line("Holdout", DAYS, [y - 0.02 for y in wave]),
                figures.Line(MARKUP, DAYS, wave, [y - 0.01 for y in wave], [y + 0.01 for y in wave], dashed=True),
            ],
            "percent",
            title="Share who bought",
            reference=0.1,
        ),
        "bars": figures.bars(
            [figures.Bars("E-mail", [3, 4, None], hrefs=["/actions/x", None, RUNS[0]]), figures.Bars("SMS", [1, 2, 2])],
            ["Monday", EVIL, LONG],
            "count",
            stacked=True,
        ),
        "lying": figures.bars(
            [figures.Bars("Share", [0.3, 0.2, 0.1], low=[0.2, 0.1, 0.0], high=[0.4, 0.3, 0.2])],
            ["Frequency cap", EVIL, LONG],
            "percent",
            horizontal=True,
        ),
        "heatmap": figures.heatmap(range(24), ["Mon", EVIL], [[k % 7 for k in range(24)]] * 2, "count", "Hour"),
        "sankey": figures.sankey(
            [figures.Node("web visit", 0), figures.Node(EVIL, 1, "muted"), figures.Node(LONG, 1, href="/journeys?x=1")],
            [figures.Flow(0, 1, 500, href=href("journeys", flow="0-1")), figures.Flow(0, 2, 300, href=RUNS[0])],
        ),
        "scatter": figures.scatter(
            [figures.Point("billing", 0.3, 0.8, 100), figures.Point(EVIL, 0.9, 0.2, 400, "bad", RUNS[0])],
            "percent", "percent", "How well we do", "How much it matters", (0.5, 0.5),
            ("Fix first", "Keep up", "Leave", "Do not overdo"),
        ),
    }  # fmt: skip


def everything(alarm: bool = False) -> Page:
    """One of every block; hostile text wherever text may stand."""
    return Page(
        title="Uplift",
        lead=f"Nudges brought 412.5 extra orders, {EVIL} earned most (4.5% since 2026-11-01).",
        blocks=[
            Tiles(
                [
                    Tile("Extra orders", Estimate(412, 280, 540), "count", "12.5 per 1,000", "good", href="#by-action"),
                    Tile("Extra money", Estimate(12345.6, 8000.1, 16000.2), "signed_money", tone="good"),
                    Tile("Opt-outs caused", "too few to tell"),
                    Tile(EVIL, None, detail=EVIL),
                ]
            ),
            Section(
                "by-action",
                "By action",
                [
                    Sentences(
                        [
                            Finding("It raised buying: 15.1%.", "raised", "45 more.", href("actions", "x")),
                            Finding(EVIL, Verdict(EVIL, "warn"), EVIL, RUNS[0]),
                            "A plain sentence with `code 1.5`.",
                        ]
                    ),
                    EFFECTS,
                ],
                lead="Two of four actions are shown to work.",
            ),
            Section("charts", "Charts", [Grid([chart(name, figure)]) for name, figure in charts().items()]),
            Section(
                "rest",
                "The rest",
                [
                    Facts([Fact("Known until", "2026-11-22T06:00:00+00:00", "instant"), Fact(EVIL, EVIL)]),
                    Facts([Fact("Link", Link(EVIL, run)) for run in RUNS]),
                    Text(("See ", Link("the register", "https://mlflow.example/x"), f" of {EVIL}.")),
                    Text("Quiet.", quiet=True),
                    Notes([EVIL, "Another, of 1,234 customers."]),
                    Timeline(
                        [
                            Event("2026-11-22T23:30:00Z", "Opened", "email", EVIL, "good", [Fact("P", 0.2, "percent")]),
                            Event("2026-11-22T06:00:00+00:00", EVIL, EVIL, href=RUNS[0]),
                        ]
                    ),
                    Timeline([]),
                    Code(f"--- a\n+++ {EVIL}\n@@ 1 @@\n-  week: 3\n+  week: 2", "diff"),
                    Details("How this was computed", [Text(EVIL), Section("deep", "Deep", [Text("x")])]),
                    Form([Field("q", "Search", "search", EVIL), Field("n", "Number", "number", "1", error=EVIL)], "Go"),
                    Pager(None, "?page=2", "Events 1 to 50 of 1,234"),
                    Empty("No journeys yet", EVIL, "tactful report journeys"),
                    Table("none", "Nothing here", [Column("a")], []),
                    Chart("hollow", "Hollow", {}, Table("figures-hollow", "Hollow", [Column("a")], []), "No figures."),
                ],
            ),
        ],
        alarm=Alarm("Do not rely on this yet", [f"Sizes of {EVIL} do not fit."]) if alarm else None,
        kind="uplift",
        known_until="2026-11-22T06:00:00+00:00",
        created_at="2026-11-22T07:11:00+00:00",
        population=f"6,000 customers of {EVIL}",
        filters=[
            Field("segment", "Segment", "select", "b", [("", "All segments"), ("b", EVIL)]),
            Field("from", "From", "date", "2026-01-01"),
        ],
        currency="USD",
        source=EVIL,
    )  # fmt: skip
