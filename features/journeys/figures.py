"""What journeys come to, as data: unrounded, None where not known. Names are of steps as in `names.py`."""

from typing import Literal

from pydantic import Field

from features.settings_file import Section

#: `left` ends what came before leaving; the others are how a journey ended.
Ending = Literal["goal", "quiet", "open", "left"]


class Mean(Section):
    """A mean of ratings 0..1 with the usual 95 % interval by customer; None where these are too few."""

    value: float | None
    low: float | None
    high: float | None
    ratings: int
    customers: int


class Totals(Section):
    """Journeys chosen; `over` have ended, `reached` of these at the goal."""

    journeys: int
    customers: int
    reached: int
    over: int
    customers_reached: int
    steps: int
    satisfaction: Mean
    seconds_to_goal: float | None = Field(description="median, from the first step to the goal's")
    first: str | None = Field(description="when the first of them began")
    last: str | None


class Link(Section):
    """From a step on one layer to a step on the next, or to an ending. Keys name steps in addresses."""

    layer: int
    source: str
    source_key: str
    target: str
    target_key: str
    journeys: int
    customers: int


class Flow(Section):
    """`sequences` journeys (or departures) of `customers`; layers count from 0."""

    links: list[Link]
    sequences: int
    customers: int


class Path(Section):
    """The first steps and the end of a journey; `more` steps lay between. `months` as in Figures.months."""

    steps: list[str]
    more: bool
    ending: Ending
    journeys: int
    customers: int
    satisfaction: Mean
    months: list[int]
    ratings: list[float | None] = Field(description="mean satisfaction by month")
    change: float | None = Field(description="of journeys a month, lately against before; 0.1 is a tenth more")


class StepCount(Section):
    """A step, in how many journeys and of how many customers; `change` of the share of journeys, lately v. before."""

    step: str
    key: str
    own: bool
    steps: int
    journeys: int
    customers: int
    satisfaction: Mean
    change: float | None


class Stall(Section):
    """What customers did after a step: `moved` on by doing something later on the journey, or did nothing more.

    Then it was the goal itself, or the journey went quiet, or is open. `stuck` is quiet / (moved + quiet). Seconds are
    from the step to the next thing that they did themselves.
    """

    step: str
    key: str
    own: bool
    visits: int
    moved: int
    goal: int
    quiet: int
    open: int
    stuck: float | None
    median_seconds: float | None
    slow_seconds: float | None = Field(description="one in ten takes longer")
    returns: int = Field(description="journeys that come back to it")


class Loop(Section):
    """From `step` to `over` and back again."""

    step: str
    over: str
    times: int


class Move(Section):
    source: str
    target: str
    times: int


class Month(Section):
    """Journeys that began in a month (UTC); `whole` where the log covers all of it."""

    month: str
    whole: bool
    journeys: int
    customers: int
    reached: int
    over: int
    steps: int
    channels: int = Field(description="channels a journey, summed")
    rating: float | None
    ratings: int


class Stretch(Section):
    """Journeys that began in some months: how many a month, the share of the ended ones that reached the goal."""

    months: list[str]
    journeys: float
    reached: float | None
    channels: float = Field(description="channels a journey")
    satisfaction: Mean


class Channel(Section):
    """Journeys with a step on it; `months` as in Figures.months, `change` of its share of journeys."""

    channel: str
    journeys: int
    share: float
    months: list[int]
    change: float | None


class Clock(Section):
    """Customers' own steps by weekday (Monday first) and hour."""

    utc: list[list[int]]
    local: list[list[int]]
    zones: int = Field(description="distinct places that customers say they live in")


class Figures(Section):
    """Everything that the page shows of the journeys chosen."""

    totals: Totals
    first_steps: Flow
    before_goal: Flow
    before_leaving: Flow
    paths: list[Path]
    other_paths: int = Field(description="journeys on any other path")
    steps: list[StepCount]
    stalls: list[Stall]
    loops: list[Loop]
    moves: list[Move]
    looping: int = Field(description="journeys that come back to some step")
    months: list[Month]
    trend: tuple[Stretch, Stretch] | None = Field(
        description="before and lately, which every `change` compares; None where the log is too short"
    )
    channels: list[Channel]
    breadth: list[int] = Field(description="journeys with 0, 1, 2 ... channels")
    clock: Clock
