"""What the overview says, as data: this month's contacts against the universal holdout, best and undecided actions."""

from typing import Literal

from pydantic import Field

from features.workspace import Section
from training.reports.artefact import Assignment
from training.reports.effects import Dimension, Estimate, Found
from training.reports.keep import Artefact

What = Literal["orders", "money", "kept", "opt_outs"]


class Total(Section):
    """One total of the month: how many more there were because of contacts.

    `found` is the comparison for each customer (treated against held out, as assigned); `total` is its difference times
    the `customers` who were not held out, None where there are too few to tell. `sentence`, for example:

        orders: "Nudges brought 412 extra orders, likely between 280 and 540."
        money: "Customers spent 9,800 USD more because of contacts, likely between 6,100 and 13,500 USD."
        kept: "Whether contacts kept customers is open: between 40 fewer and 95 more stayed."
        opt_outs: "Contacts caused 61 opt-outs, likely between 38 and 84."
        too few: "Too few to tell whether contacts changed opt-outs: 12 customers in the smaller group, ..."
    """

    what: What
    title: str = Field(description='e.g. "Extra orders"')
    unit: str | None = None
    better: Literal["more", "less"]
    customers: int
    found: Found
    total: Estimate | None
    sentence: str


class Month(Section):
    """A month's total again, for the chart of months; `complete` is False for the one that is still running."""

    month: str = Field(description="YYYY-MM")
    complete: bool
    customers: int
    held_out: int
    orders: Estimate | None
    money: Estimate | None


class Standing(Section):
    """One action on one channel, on money from the goal for each contact; `extra` is of all its contacts.

    `sentence`, for example: "Winback voucher by e-mail earned most: 4,210 USD more sales from 3,104 contacts (likely
    between 1,900 and 6,500)." or "Newsletter in the mobile app shows no effect yet; about 5 more weeks until we know."
    """

    name: str
    action: str | None
    channel: str | None
    dimension: Dimension
    contacts: int
    extra: Estimate | None
    verdict: Literal["raised", "lowered", "undecided", "too_few"]
    weeks: float | None
    sentence: str


class Step(Section):
    """One thing to change: `do` goes on after "Next week: ", `why` is a sentence of the report named by `page`."""

    do: str
    why: str
    page: Literal["overview", "uplift", "pressure", "touchpoints"]


class NextWeek(Section):
    """What to change next week, the most urgent first, and the same in one sentence, also where it is nothing."""

    sentence: str
    steps: list[Step] = Field(default_factory=list)


class OverviewReport(Artefact):
    """The whole overview. `headline`, for example:

    "Nudges brought 412 extra orders, likely between 280 and 540. Winback voucher by e-mail earned most; Newsletter in
    the mobile app shows no effect yet, about 5 more weeks until we know."
    "Nothing is shown to have worked in December 2025: extra orders are likely between −75 and +310."
    "Do not rely on these figures yet: ..." (with `alarm`: the page is red)
    """

    schema_version: Literal[1] = 1
    kind: Literal["overview"] = "overview"
    alarm: bool = False
    alarms: list[str] = Field(default_factory=list, description="why the page is red, each in a sentence")
    month: str | None = Field(None, description="YYYY-MM; None where nothing was decided yet")
    month_name: str | None = Field(None, description='e.g. "December 2025"')
    since: str | None = None
    until: str | None = Field(None, description="the month's end, or until when the log is known")
    complete: bool = False
    population: str
    assignment: Assignment | None = None
    totals: list[Total] = Field(default_factory=list)
    months: list[Month] = Field(default_factory=list)
    best: list[Standing] = Field(default_factory=list, description="shown to earn, the most first")
    worst: list[Standing] = Field(default_factory=list, description="shown to lose, the most first")
    undecided: list[Standing] = Field(default_factory=list, description="nothing shown yet, the soonest known first")
    next_week: NextWeek | None = None
    harmful: list[Standing] = Field(
        default_factory=list, description="shown to cause opt-outs, the most first; `extra` counts opt-outs there"
    )
    notes: list[str] = Field(default_factory=list)
    method: list[str] = Field(default_factory=list)
