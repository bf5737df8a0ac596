"""THE list of features. Adding one of a known kind is adding a line to `DEFAULT`."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from features.definitions import ANY, Feature, Selector
from features.kernel.compiled import Compiled
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

if TYPE_CHECKING:
    from features.vocabulary import Vocabulary
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

    def compile(self, vocabulary: "Vocabulary", settings: "Settings") -> Compiled:
        """Look-up tables for the kernel; they follow the vocabulary as it grows."""
        return Compiled(self, vocabulary, settings)


def of(workspace: "Workspace") -> Catalogue:
    """The workspace's catalogue: DEFAULT or its own, and the attributes it declares; see features/own_catalogue.py."""
    from features.own_catalogue import catalogue_of  # it builds on this module

    return catalogue_of(workspace)


PURCHASE = Selector(type="purchase")
INBOUND = Selector(direction="inbound")
OUTBOUND = Selector(direction="outbound")
ACCEPTED = Selector(type="accepted")
COMPLAINT = Selector(type="complaint")

DEFAULT = Catalogue(
    (
        # how long ago, how long known, how much in all
        Recency(PURCHASE),
        Tenure(PURCHASE),
        LifetimeCount(PURCHASE),
        LifetimeSum(PURCHASE),
        # how often and how much lately
        *(ActiveDays(PURCHASE, days) for days in (7, 30, 90, 180, 365)),
        *(Count(PURCHASE, days) for days in (30, 90, 365)),
        *(Sum(PURCHASE, days) for days in (30, 90, 365)),
        MeanValue(PURCHASE, 365),
        DecayedDays(PURCHASE, 14),
        DecayedDays(PURCHASE, 60),
        DecayedSum(PURCHASE, 30),
        DistinctTopics(PURCHASE, 90),
        # against the customer's own habit: the churn signal
        GapMean(PURCHASE),
        GapDeviation(PURCHASE),
        GapLongest(PURCHASE),
        GapRatio(PURCHASE),
        GapTrend(PURCHASE),
        Trend(PURCHASE, 30, 365),
        # whatever else the customer came for
        Recency(INBOUND),
        Count(INBOUND, 30),
        DistinctChannels(INBOUND, 365),
        LastChannel(INBOUND),
        # how we treated them
        *(Count(OUTBOUND, days) for days in (30, 90)),
        Count(ACCEPTED, 365),
        Recency(OUTBOUND),
        Count(COMPLAINT, 90),
        OpenCases(),
        MeanSatisfaction(ANY, 365),
        LastSatisfaction(ANY),
        Season("sine"),
        Season("cosine"),
    )
)
