"""The forty features of the first release, declared as they were then: what later catalogues are measured against."""

from features.catalogue import Catalogue
from features.definitions import Selector
from features.kinds import (
    ActiveDays,
    Count,
    DecayedDays,
    DecayedSum,
    DistinctChannels,
    DistinctTopics,
    GapDeviation,
    GapLongest,
    GapMean,
    GapRatio,
    GapTrend,
    LastChannel,
    LastSatisfaction,
    LifetimeCount,
    LifetimeSum,
    MeanSatisfaction,
    MeanValue,
    OpenCases,
    Recency,
    Season,
    Sum,
    Tenure,
    Trend,
)

PURCHASE = Selector(type="purchase")
INBOUND = Selector(direction="inbound")
OUTBOUND = Selector(direction="outbound")

FIRST = Catalogue(
    (
        Recency(PURCHASE),
        Tenure(PURCHASE),
        LifetimeCount(PURCHASE),
        LifetimeSum(PURCHASE),
        *(ActiveDays(PURCHASE, days) for days in (7, 30, 90, 180, 365)),
        *(Count(PURCHASE, days) for days in (30, 90, 365)),
        *(Sum(PURCHASE, days) for days in (30, 90, 365)),
        MeanValue(PURCHASE, 365),
        DecayedDays(PURCHASE, 14),
        DecayedDays(PURCHASE, 60),
        DecayedSum(PURCHASE, 30),
        DistinctTopics(PURCHASE, 90),
        GapMean(PURCHASE),
        GapDeviation(PURCHASE),
        GapLongest(PURCHASE),
        GapRatio(PURCHASE),
        GapTrend(PURCHASE),
        Trend(PURCHASE, 30, 365),
        Recency(INBOUND),
        Count(INBOUND, 30),
        DistinctChannels(INBOUND, 365),
        LastChannel(INBOUND),
        *(Count(OUTBOUND, days) for days in (30, 90)),
        Count(Selector(type="accepted"), 365),
        Recency(OUTBOUND),
        Count(Selector(type="complaint"), 90),
        OpenCases(),
        MeanSatisfaction(Selector(), 365),
        LastSatisfaction(Selector()),
        Season("sine"),
        Season("cosine"),
    )
)
