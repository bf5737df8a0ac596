"""What the report on contact pressure found, as data, sentences included."""

from typing import Literal

from pydantic import Field

from features.workspace import Section
from training.reports.artefact import Assignment
from training.reports.keep import Artefact


class Known(Section):
    """An estimate with its 95% interval."""

    value: float
    low: float
    high: float


class Total(Section):
    """A sum with its 95% interval; None where too few tell how far it may be off."""

    value: float
    low: float | None = None
    high: float | None = None


class Reason(Section):
    """Why some customers are to be left alone."""

    name: str
    customers: int


class Alone(Section):
    """Whom to leave alone this week. `by`: what one more contact is known to cost and bring, or the policy's limit."""

    by: Literal["learned", "policy"]
    customers: int
    of: int = Field(description="active customers who may be contacted on some channel")
    reasons: list[Reason]
    sentence: str


class ByChannel(Section):
    """Contacts on one channel over the last `days` of the report."""

    channel: str
    ours: int
    others: int = Field(description="made by other tools")
    customers: int = Field(description="who got one at least")
    most: int = Field(description="the most that one customer got")
    a_week: float = Field(description="per active customer and week")
    before: float = Field(description="the same in the days before these, per customer active then")


class Week(Section):
    """Seven days up to the report's end or a whole number of weeks before; contacts by channel."""

    first: str
    contacts: dict[str, int]
    ours: int
    others: int


class Share(Section):
    """Customers with so many contacts in the days looked at; `up_to` None: any more."""

    contacts: int
    up_to: int | None
    customers: int


class Contacts(Section):
    """How often customers were contacted in the last `days`."""

    total: int
    others: int
    customers: int = Field(description="who got one at least")
    a_week: float = Field(description="per active customer and week")
    before: float | None = Field(description="as in a channel; None where the log begins later")
    most_pressed: float | None = Field(
        description="share of contacts that went to the tenth who got most; None where a tenth is hardly anybody"
    )
    channels: list[ByChannel]
    shares: list[Share]
    weeks: list[Week]
    sentence: str


class Rule(Section):
    """One rule of the guard over the last `days`. `asked`: whether the customer or the law wants it, not we."""

    rule: str
    words: str
    asked: bool
    refused: int = Field(description="candidates, an action on a channel, that it refused")
    decisions: int
    before: int = Field(description="candidates in the days before these")


class Refused(Section):
    """What the guard made of the candidates on one channel or of one action."""

    name: str
    judged: int
    refused: int


class GuardWeek(Section):
    first: str
    decisions: int
    nothing_left: int
    refused: int
    judged: int


class Worth(Section):
    """What was held back by our own rules, by what decisions logged of contacts that passed; one a customer and week.

    `brought`: what they would have brought, cost of contacts taken off. `harm`: what they were expected to cost through
    opt-outs and complaints. `net` = brought - harm.
    """

    customers: int
    contacts: int
    not_worth: int = Field(description="more customer weeks, in which none was worth more than silence")
    brought: Total
    harm: Total
    net: Total
    sentence: str


class Guard(Section):
    """Outbound decisions of the last `days` and what the guard refused in them."""

    decisions: int
    touched: int = Field(description="in which it refused something")
    nothing_left: int = Field(description="in which nothing was left to offer because of it")
    judged: int
    refused: int
    rules: list[Rule]
    channels: list[Refused]
    actions: list[Refused]
    weeks: list[GuardWeek]
    worth: Worth | None
    sentence: str


class Band(Section):
    """Contacts made under so much pressure, in shares of what the policy calls tolerable, and their answers."""

    name: str
    contacts: int
    answered: int
    share: Known | None = Field(None, description="None: too few to tell")


class Response(Section):
    """Answers within `days` of a contact, by the pressure that the customer was under: described, no effect."""

    days: int
    bands: list[Band]
    sentence: str


class Cell(Section):
    """What one contact did, on one channel and under so much pressure, where chance decided whether it was made."""

    channel: str
    band: str
    contacts: int
    opted_out: Known | None
    complained: Known | None
    sold: Known | None = Field(description="money that customers spent because of it")
    lost: Known | None = Field(description="money that tired customers spent less in the weeks after")


class Level(Section):
    """Customers whom chance gave caps `factor` times as loose; a customer and week each, and against factor 1."""

    factor: float
    customers: int
    contacts: float
    opted_out: float
    complained: float
    money: float
    more_contacts: Known | None = None
    more_opted_out: Known | None = None
    more_complained: Known | None = None
    more_money: Known | None = None
    untold: dict[str, str] = Field(
        default_factory=dict, description="by measure (`opted_out`, say) why its difference cannot be told"
    )
    verdict: Literal["usual", "too_few", "better", "worse", "undecided"]
    sentence: str


class Saturation(Section):
    """How often it pays on one channel, and where customers stand: under, on target, nearly saturated, saturated."""

    channel: str
    recommended_a_week: float
    customers: dict[str, int]


class Untold(Section):
    """A channel with contacts for which the log tells no number that pays, and why."""

    channel: str
    present_a_week: float = Field(description="of the mean customer; it is kept")
    sentence: str


class Causal(Section):
    """What chance tells of pressure: contacts that it withheld, and customers whose caps it drew."""

    decisions: int
    cells: list[Cell]
    levels: list[Level]
    uneven: bool = Field(
        description="whether levels differed before, or are not spread as declared: then chance alone did not draw them"
    )
    spread: Assignment | None = Field(None, description="customers by cap level against the declared shares")
    saturation: list[Saturation]
    untold: list[Untold] = Field(default_factory=list)
    sentence: str


class PressureReport(Artefact):
    """The whole report. `days` are looked at for levels, and so many before for the trend."""

    schema_version: Literal[1] = 1
    kind: Literal["pressure"] = "pressure"
    currency: str
    days: int
    customers: int = Field(description="active ones, persons and not ids")
    alone: Alone
    contacts: Contacts
    guard: Guard | None
    response: Response
    causal: Causal | None
    why_not_causal: str | None = None
    limit_stated: bool = Field(description="whether the contact policy states a limit of pressure")
    notes: list[str] = Field(default_factory=list)
    method: list[str] = Field(default_factory=list)
