"""What a page is made of: frozen, without markup, so that one page is rendered for the browser, a file and a test.

Raw values with a kind: `percent` and `points` are shares (0.045 is 4.5%), `duration` is seconds, `instant` an ISO
string with a zone or a datetime, `day` an ISO date. None is "not known" and is shown as a dash, never as zero.
Links that start with / lead to console pages (`href` quotes what stands in them), with ? to the same page, with # to
a section; https:// leads out. Anything else is shown as text.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal
from urllib.parse import urlencode

from serving.console import addresses

Kind = Literal[
    "text",
    "count",
    "number",
    "percent",
    "points",
    "money",
    "signed_money",
    "instant",
    "day",
    "duration",
    "verdict",
    "interval",
]
#: What a colour would say; every tone also stands in words.
Tone = Literal["good", "bad", "warn", "info", "muted"]


def href(*parts: object, **query: object) -> str:
    """The address of a console page, quoted; query values that are None or empty are left out.

    >>> href("customers", "b c"), href("journeys", channel="e-mail", segment=None)
    ('/customers/b%20c', '/journeys?channel=e-mail')
    """
    asked = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    return "/" + "/".join(addresses.part(str(part)) for part in parts) + (f"?{asked}" if asked else "")


@dataclass(frozen=True)
class Link:
    text: str
    href: str


@dataclass(frozen=True)
class Interval:
    """Two ends, in the kind of the column that they stand in (plain numbers in a column of kind `interval`)."""

    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; an end that is not known is None."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Verdict:
    """A chip: words, and a tone for the eye."""

    words: str
    tone: Tone = "muted"


#: The tokens of artefacts, as chips. Where more is worse, give `Verdict("raised", "bad")` instead of the token.
VERDICTS: Mapping[str, Verdict] = {
    "raised": Verdict("raised", "good"),
    "lowered": Verdict("lowered", "bad"),
    "undecided": Verdict("no effect shown", "muted"),
    "too_few": Verdict("too few to tell", "muted"),
}

Cell = str | int | float | bool | date | datetime | Link | Interval | Estimate | Verdict | None


@dataclass(frozen=True)
class Column:
    """`unit` is a currency where `kind` is money and another is meant than the page's, else a word after the figure."""

    name: str
    kind: Kind = "text"
    help: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Table:
    """Rows of cells, one a column; the first column names the row. `empty` is shown where there is no row."""

    id: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str | None = None
    empty: str = "Nothing to show yet."


@dataclass(frozen=True)
class Chart:
    """A figure from `figures`; `summary` says in words what it shows, `table` holds the same figures."""

    id: str
    title: str
    figure: Mapping[str, Any]
    table: Table
    summary: str


@dataclass(frozen=True)
class Tile:
    """One large figure: an `Estimate` brings its interval; a str, such as "too few to tell", is shown as it is."""

    label: str
    value: Cell
    kind: Kind = "number"
    detail: str | None = None
    tone: Tone | None = None
    unit: str | None = None
    href: str | None = None


@dataclass(frozen=True)
class Tiles:
    items: Sequence[Tile]


@dataclass(frozen=True)
class Text:
    """A paragraph; `code` in backticks, and links between plain strings."""

    parts: str | Sequence[str | Link]
    quiet: bool = False


@dataclass(frozen=True)
class Notes:
    """A list of sentences that qualify the figures."""

    items: Sequence[str]


@dataclass(frozen=True)
class Finding:
    """A sentence with its chip, and what follows from it in a quieter voice."""

    text: str
    verdict: Verdict | str | None = None
    so: str | None = None
    href: str | None = None


@dataclass(frozen=True)
class Sentences:
    items: Sequence[Finding | str]


@dataclass(frozen=True)
class Fact:
    term: str
    value: Cell
    kind: Kind = "text"
    unit: str | None = None


@dataclass(frozen=True)
class Facts:
    items: Sequence[Fact]


@dataclass(frozen=True)
class Event:
    """One thing on a timeline; `facts` are shown below its text."""

    at: str | datetime
    title: str
    channel: str | None = None
    text: str | None = None
    tone: Tone | None = None
    facts: Sequence[Fact] = ()
    href: str | None = None


@dataclass(frozen=True)
class Timeline:
    """Events in the order given, headed by day."""

    events: Sequence[Event]
    empty: str = "Nothing has happened yet."


@dataclass(frozen=True)
class Code:
    """Text as it was written; lines of a `diff` are marked by their first character."""

    text: str
    kind: Literal["plain", "diff"] = "plain"


@dataclass(frozen=True)
class Empty:
    """What to do where there is nothing to show; `command` is what writes it."""

    title: str
    text: str
    command: str | None = None


@dataclass(frozen=True)
class Pager:
    """Links to what is newer and older, None at an end; `where` says what is shown."""

    newer: str | None
    older: str | None
    where: str = ""


@dataclass(frozen=True)
class Field:
    """One question of a form. `options` of a select are (value, words); `value` is what is chosen now."""

    name: str
    label: str
    kind: Literal["select", "date", "search", "text", "number", "password", "hidden"] = "text"
    value: str = ""
    options: Sequence[tuple[str, str]] = ()
    help: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class Form:
    """Works without a script; a file has no server to ask, so it leaves forms out.

    `action` is an address as in a link, "" this page. Only signing in and out are asked by post.
    """

    fields: Sequence[Field]
    submit: str = "Show"
    action: str = ""
    method: Literal["get", "post"] = "get"
    label: str = ""


@dataclass(frozen=True)
class Details:
    """Closed until asked for; open on paper."""

    summary: str
    blocks: Sequence["Block"]
    open: bool = False


@dataclass(frozen=True)
class Grid:
    """Blocks beside each other where there is room, below each other on a phone."""

    blocks: Sequence["Block"]


@dataclass(frozen=True)
class Section:
    id: str
    title: str
    blocks: Sequence["Block"]
    lead: str | None = None


Block = (
    Section
    | Grid
    | Tiles
    | Table
    | Chart
    | Text
    | Notes
    | Sentences
    | Facts
    | Timeline
    | Code
    | Empty
    | Pager
    | Form
    | Details
)


@dataclass(frozen=True)
class Alarm:
    """Takes the lead's place in red: why the figures below are not to be believed, and what to do."""

    title: str
    sentences: Sequence[str]


@dataclass(frozen=True)
class Page:
    """`lead` is one sentence, made from the figures, that answers the page's question.

    `known_until` and `created_at` are instants of the artefact, `population` says who is counted, `filters` are asked
    above the blocks. `currency` is that of cells of kind money, the workspace's where None. `names` are the customers
    of a list on the page: each of them is told that they were looked at.
    """

    title: str
    lead: str
    blocks: Sequence[Block]
    alarm: Alarm | None = None
    kind: str | None = None
    known_until: str | None = None
    created_at: str | None = None
    population: str | None = None
    filters: Sequence[Field] = field(default_factory=tuple)
    currency: str | None = None
    source: str | None = None
    names: Sequence[str] = ()


def tables(blocks: Sequence[Block]) -> Iterator[Table]:
    """Every table of a page, those behind charts too, in the order shown."""
    for block in blocks:
        match block:
            case Table():
                yield block
            case Chart():
                yield block.table
            case Section() | Grid() | Details():
                yield from tables(block.blocks)


def table(page: Page, name: str) -> Table | None:
    """The table whose id is `name`, None where the page has none."""
    return next((one for one in tables(page.blocks) if one.id == name), None)
