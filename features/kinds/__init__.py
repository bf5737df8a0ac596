"""Every kind of feature. A new file here needs one line below, and the kernel compiles its `read` in."""

from features.definitions import Feature
from features.kinds.attributes import AttributeLabel, AttributeNumber
from features.kinds.habit import GapDeviation, GapLongest, GapMean, GapRatio, GapTrend, Trend
from features.kinds.lasting import LifetimeCount, LifetimeSum, Recency, Tenure
from features.kinds.service import LastChannel, LastSatisfaction, MeanSatisfaction, OpenCases
from features.kinds.time import Season
from features.kinds.totals import (
    ActiveDays,
    Count,
    DecayedDays,
    DecayedSum,
    DistinctChannels,
    DistinctTopics,
    MeanValue,
    Sum,
)

#: In this order the kernel numbers them.
KINDS: tuple[type[Feature], ...] = (
    Count,
    Sum,
    MeanValue,
    ActiveDays,
    DistinctChannels,
    DistinctTopics,
    DecayedDays,
    DecayedSum,
    Recency,
    Tenure,
    LifetimeCount,
    LifetimeSum,
    GapMean,
    GapDeviation,
    GapLongest,
    GapRatio,
    GapTrend,
    Trend,
    LastChannel,
    LastSatisfaction,
    MeanSatisfaction,
    OpenCases,
    Season,
    AttributeNumber,
    AttributeLabel,
)

__all__ = [
    "KINDS",
    "ActiveDays",
    "AttributeLabel",
    "AttributeNumber",
    "Count",
    "DecayedDays",
    "DecayedSum",
    "DistinctChannels",
    "DistinctTopics",
    "GapDeviation",
    "GapLongest",
    "GapMean",
    "GapRatio",
    "GapTrend",
    "LastChannel",
    "LastSatisfaction",
    "LifetimeCount",
    "LifetimeSum",
    "MeanSatisfaction",
    "MeanValue",
    "OpenCases",
    "Recency",
    "Season",
    "Sum",
    "Tenure",
    "Trend",
]
