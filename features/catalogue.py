"""THE list of features. Adding one of a known kind is adding a line to `DEFAULT`."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from features.definitions import Feature, Selector
from features.interactions import CHANNELS, HELP_REQUESTS, NOT_CONTACTS, RESPONSES, SURVEY
from features.kernel.compiled import Compiled
from features.kinds import (
    ActiveDays,
    CasesResolved,
    ChannelEntropy,
    ChannelSwitches,
    ContactLoad,
    Count,
    DaysInStage,
    DayValue,
    DecayedDays,
    DecayedSum,
    DiscountShare,
    DistinctChannels,
    DistinctTopics,
    Escalations,
    GapDeviation,
    GapLongest,
    GapMean,
    GapRatio,
    GapTrend,
    HourShare,
    IgnoredInARow,
    JourneyStage,
    LastChannel,
    LastSatisfaction,
    LifetimeCount,
    LifetimeSum,
    LongestOpen,
    MainChannelShare,
    MeanSatisfaction,
    MeanValue,
    OpenCases,
    PathChannel,
    PathType,
    Pressure,
    Recency,
    RepeatTopics,
    ResolveDays,
    ResponseRate,
    SameHour,
    SameWeekday,
    SatisfactionTrend,
    Season,
    SessionDepth,
    SessionMinutes,
    Sessions,
    Silence,
    StageBefore,
    StageChanges,
    Sum,
    Tenure,
    Transition,
    Trend,
    ValueTrend,
    WeekendShare,
)

if TYPE_CHECKING:
    from features.vocabulary import Entry, Vocabulary
    from features.workspace import Settings, Workspace

#: Raise it when the meaning of an existing kind changes: models trained before then refuse the new numbers.
SEMANTICS = 1


@dataclass(frozen=True)
class Catalogue:
    """Features in column order; names are unique. `source` stands for code that the declarations do not show."""

    features: tuple[Feature, ...]
    source: str = ""

    def __post_init__(self) -> None:
        repeated = {name for name in self.names if self.names.count(name) > 1}
        if repeated:
            raise ValueError(f"the catalogue names {', '.join(sorted(repeated))} twice; keep one of each")

    def __len__(self) -> int:
        return len(self.features)

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """Names of the customer attributes that features read."""
        asked = (feature.operation().attribute for feature in self.features)
        return tuple(dict.fromkeys(name for name in asked if name is not None))

    @cached_property
    def version(self) -> str:
        """A hash of the declarations: equal versions mean equal columns with equal meaning."""
        return hashlib.sha256(f"{SEMANTICS} {self.features!r}{self.source}".encode()).hexdigest()[:12]

    @cached_property
    def matches(self) -> "dict[tuple[Entry, bool], list[int]]":
        """Which selectors an entry of a vocabulary matches, as far as anybody has asked: see kernel/compiled.py."""
        return {}

    def compile(self, vocabulary: "Vocabulary", settings: "Settings") -> Compiled:
        """Look-up tables for the kernel; they follow the vocabulary as it grows."""
        return Compiled(self, vocabulary, settings)


def of(workspace: "Workspace") -> Catalogue:
    """The workspace's catalogue: DEFAULT or its own, and the attributes it declares; see features/own_catalogue.py."""
    from features.own_catalogue import catalogue_of  # it builds on this module

    return catalogue_of(workspace)


def contacts(label: str, channel: str | None = None, own: bool | None = None) -> Selector:
    """Outbound interactions that are contacts, not reports on the fate of one."""
    return Selector(channel, "outbound", without=NOT_CONTACTS, own=own, label=label)


PURCHASE = Selector(type="purchase")
REFUND = Selector(type="refund")
INBOUND = Selector(direction="inbound")
PAGE_VIEW = Selector(type="page_view")
ADD_TO_CART = Selector(type="add_to_cart")
CONTACT = contacts("contact")
OWN_CONTACT = contacts("own_contact", own=True)
OTHER_CONTACT = contacts("other_contact", own=False)
RESPONSE = Selector(types=RESPONSES, label="response")
ACCEPTED = Selector(type="accepted")
REJECTED = Selector(type="rejected")
COMPLAINT = Selector(type="complaint")
HELP_REQUEST = Selector(direction="inbound", types=HELP_REQUESTS, label="help_request")
EXPERIENCE = Selector(without=(SURVEY,), label="experience")
RELATIONSHIP = Selector(type=SURVEY)

DEFAULT = Catalogue(
    (
        # money: how long ago, how long known, how much in all
        Recency(PURCHASE),
        Tenure(PURCHASE),
        LifetimeCount(PURCHASE),
        LifetimeSum(PURCHASE),
        # how often and how much lately
        *(ActiveDays(PURCHASE, days) for days in (7, 30, 90, 180, 365)),
        *(Count(PURCHASE, days) for days in (1, 7, 30, 90, 365)),
        *(Sum(PURCHASE, days) for days in (1, 7, 30, 90, 365)),
        MeanValue(PURCHASE, 365),
        DayValue(PURCHASE, 365),
        DiscountShare(PURCHASE, 90),
        DiscountShare(PURCHASE, 365),
        *(DecayedDays(PURCHASE, half_life) for half_life in (14, 60, 180)),
        *(DecayedSum(PURCHASE, half_life) for half_life in (30, 90)),
        *(DistinctTopics(PURCHASE, days) for days in (90, 365)),
        *(Count(Selector(channel, type="purchase"), 365) for channel in ("web", "store", "mobile_app")),
        Recency(REFUND),
        Count(REFUND, 365),
        Sum(REFUND, 365),
        # against the customer's own habit: the churn signal
        GapMean(PURCHASE),
        GapDeviation(PURCHASE),
        GapLongest(PURCHASE),
        GapRatio(PURCHASE),
        GapTrend(PURCHASE),
        Trend(PURCHASE, 30, 365),
        Trend(PURCHASE, 90, 365),
        ValueTrend(PURCHASE, 90, 365),
        Silence(PURCHASE, 28),
        Silence(PURCHASE, 90),
        # whatever the customer came for
        Recency(INBOUND),
        Tenure(INBOUND),
        *(Count(INBOUND, days) for days in (1, 7, 30, 90, 365)),
        *(ActiveDays(INBOUND, days) for days in (30, 90, 365)),
        *(DecayedDays(INBOUND, half_life) for half_life in (7, 30)),
        GapRatio(INBOUND),
        GapTrend(INBOUND),
        Trend(INBOUND, 30, 365),
        *(Count(PAGE_VIEW, days) for days in (1, 7, 30)),
        *(Count(ADD_TO_CART, days) for days in (1, 7, 30)),
        Recency(ADD_TO_CART),
        # on which channels, and from which to which
        *(Recency(Selector(channel, "inbound")) for channel in CHANNELS),
        *(Count(Selector(channel, "inbound"), 90) for channel in CHANNELS),
        *(Count(Selector(channel, "inbound"), 30) for channel in ("web", "store", "phone", "mobile_app")),
        DistinctChannels(INBOUND, 365),
        ChannelEntropy(),
        MainChannelShare(),
        LastChannel(INBOUND),
        PathChannel(2),
        PathChannel(3),
        PathType(1),
        PathType(2),
        *(ChannelSwitches(days) for days in (30, 90)),
        Transition("web", "store", 90),
        Transition("store", "web", 90),
        Transition("email", "web", 90),
        Transition("web", "phone", 90),
        *(Escalations(days) for days in (30, 90, 365)),
        # when, and for how long
        *(Sessions(days) for days in (7, 30, 90)),
        SessionMinutes(90),
        SessionDepth(90),
        HourShare(6, 12),
        HourShare(12, 18),
        HourShare(18, 24),
        WeekendShare(),
        SameHour(),
        SameWeekday(),
        # where on their journey
        JourneyStage(),
        StageBefore(),
        DaysInStage(),
        StageChanges(90),
        # how we treated them, and what they made of it
        Recency(CONTACT),
        *(Count(CONTACT, days) for days in (1, 7, 30, 90, 365)),
        *(Count(contacts(f"{channel}_contact", channel), 30) for channel in ("email", "phone", "mobile_app", "mail")),
        *(Count(OWN_CONTACT, days) for days in (30, 90)),
        *(Count(OTHER_CONTACT, days) for days in (30, 90)),
        ContactLoad(90),
        Pressure(7),
        Pressure(30),
        *(ResponseRate(days) for days in (90, 365)),
        IgnoredInARow(),
        Recency(RESPONSE),
        *(Count(RESPONSE, days) for days in (90, 365)),
        Count(ACCEPTED, 365),
        Count(REJECTED, 365),
        # service
        Recency(COMPLAINT),
        *(Count(COMPLAINT, days) for days in (30, 90, 365)),
        OpenCases(),
        LongestOpen(),
        CasesResolved(365),
        ResolveDays(365),
        Recency(HELP_REQUEST),
        *(Count(HELP_REQUEST, days) for days in (30, 90)),
        *(RepeatTopics(HELP_REQUEST, days) for days in (30, 90)),
        *(Count(Selector(direction="inbound", topic=topic), 90) for topic in ("billing", "delivery")),
        # satisfaction with single interactions, and with the relationship
        LastSatisfaction(EXPERIENCE),
        MeanSatisfaction(EXPERIENCE, 90),
        MeanSatisfaction(EXPERIENCE, 365),
        SatisfactionTrend(EXPERIENCE, 90, 365),
        LastSatisfaction(RELATIONSHIP),
        MeanSatisfaction(RELATIONSHIP, 365),
        Recency(RELATIONSHIP),
        # the season
        Season("sine"),
        Season("cosine"),
    )
)
