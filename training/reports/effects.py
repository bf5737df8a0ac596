"""What contacts caused, as data: by action, channel, segment and month against ghosts, and its return.

Part of the uplift report (artefact.py). A *ghost* is a contact that was drawn and then, with a logged probability, not
made; it is the control of the same action. Figures are unrounded; None means "not known", never zero.
"""

from typing import Literal

from pydantic import Field

from features.workspace import Section
from training.reports.statistics import Effect, Sample, Verdict

#: What is compared: reaching the goal, money from goals, opting out or complaining.
Measure = Literal["goal", "money", "opt_out"]
Dimension = Literal["action", "channel", "treatment", "segment", "period"]


class Estimate(Section):
    """A total with its 95% intervals: the usual one, for one look, and the one that holds however often one looks."""

    value: float
    low: float
    high: float
    always_low: float | None = None
    always_high: float | None = None


class Return(Section):
    """What contacts cost and what they brought, `unit` being the workspace's currency.

    `extra` is money customers spent because of the contacts, `kept` what the company keeps of it (`margin`), `profit`
    is kept - cost, `roi` profit / cost (None where nothing was paid). `sentence`, for example:

        "12,304 contacts cost 1,230 USD and brought 9,800 USD more sales (likely between 6,100 and 13,500), of which
        2,940 USD are kept: 1.39 USD gained for each USD spent (likely between 0.49 and 2.29)."
        "Whether 12,304 contacts paid for themselves is open: they cost 1,230 USD, and the extra sales are likely
        between −2,000 and 9,000 USD."
    """

    contacts: int
    cost: float
    margin: float
    unit: str | None
    extra: Estimate
    kept: Estimate
    profit: Estimate
    roi: Estimate | None
    verdict: Literal["paid", "lost", "open"]
    sentence: str


class Found(Section):
    """One measure of one cell: contacts made against ghosts, both `days` after the decision.

    `control` and `treated` are weighted means, `n` counts decisions. `effect` is None where the verdict is `too_few`;
    its difference is for each contact made. `explained`: the share of the noise that what was known before took away
    (CUPED; None where there is no history). `weeks` until an effect of the size worth finding would be shown, at the
    pace of the last four weeks; 0 where it would have been by now, None where there is no pace or it takes more than
    two years. `sentence`, for example:

        "Winback voucher raised orders: 21.4% against 18.9% without it, 2.5 percentage points more (likely between 1.1
        and 3.9)."
        "No effect of App banner on orders is shown yet: 18.2% against 18.0% (likely between −0.9 and +1.3); about 5
        more weeks until we know."
        "Too few to tell whether Loyalty call changed orders: 12 contacts in the smaller group, at least 30 are needed."
    """

    measure: Measure
    name: str
    kind: Literal["rate", "amount"]
    unit: str | None = None
    better: Literal["more", "less"]
    control: Sample
    treated: Sample
    effect: Effect | None
    p_adjusted: float | None = Field(None, description="Holm's over the cells, valid however often one looks")
    verdict: Verdict
    reason: str | None = None
    explained: float | None = None
    weeks: float | None = None
    sentence: str


class Cell(Section):
    """One action, channel, segment or month: what its contacts did. `sentence` is the first measure's that tells most.

    `action` and `channel` are the names in actions.yaml where the cell has them, so that a page can link there.
    """

    name: str
    action: str | None = None
    channel: str | None = None
    contacts: int
    ghosts: int
    customers: int
    weekly: float | None = Field(None, description="contacts drawn a week, made or withheld, in the last four weeks")
    found: list[Found]
    returns: Return | None = None
    sentence: str


class Breakdown(Section):
    """All cells of one dimension, the largest first (months in order). `sentence`, for example:

    "By action: Winback voucher and Replenish raised orders; nothing is shown yet for Newsletter (about 5 more weeks)
    and Event invite; too few to tell for Loyalty call."
    "By month: nothing worked, as far as these figures can tell."
    """

    dimension: Dimension
    title: str = Field(description='e.g. "By action", "By orders in the 90 days before"')
    label: str = Field(description='the heading of the cells\' column, e.g. "Action", "Orders in the 90 days before"')
    cells: list[Cell]
    sentence: str


class GhostCheck(Section):
    """Whether as many drawn contacts were withheld as the logged probabilities say; `alarm` turns the report red."""

    drawn: int
    ghosts: int
    expected: float
    p: float
    alarm: bool
    sentence: str


class Ghosts(Section):
    """Contacts made against contacts drawn and withheld. `total` holds all of them together.

    `headline`, for example: "A contact brought 0.84 USD more sales in 28 days (likely between 0.31 and 1.37). Winback
    voucher earned most; Newsletter shows no effect yet, about 5 more weeks until we know."
    """

    days: int
    contacts: int
    ghosts: int
    waiting: int = Field(description="decisions whose days are not over yet")
    check: GhostCheck
    total: Cell
    breakdowns: list[Breakdown]
    headline: str
    notes: list[str] = Field(default_factory=list)
