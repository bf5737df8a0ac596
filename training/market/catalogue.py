"""The features that policies in the market are learned from: kinds that ship, with windows for 240 days of history."""

from features.catalogue import CONTACT, INBOUND, PURCHASE, RESPONSE, Catalogue, contacts
from features.definitions import Selector
from features.interactions import CHANNELS, SURVEY
from features.kinds import (
    Count,
    DiscountShare,
    LastSatisfaction,
    LifetimeCount,
    LifetimeSum,
    OpenCases,
    Pressure,
    Recency,
    Silence,
    Tenure,
)

#: As the guard's own half-life of pressure.
HALF_LIFE = 54
TROUBLE = Selector(types=("complaint", "case_opened"), label="trouble")
ANSWER = Selector(types=(SURVEY, "case_closed"), label="answer")
OBJECTION = Selector(types=("complained", "opted_out"), label="objection")

CATALOGUE = Catalogue(
    (
        Tenure(INBOUND),
        Recency(PURCHASE),
        Tenure(PURCHASE),
        LifetimeCount(PURCHASE),
        LifetimeSum(PURCHASE),
        *(Count(PURCHASE, days) for days in (30, 90)),
        Silence(PURCHASE, 28),
        DiscountShare(PURCHASE, 365),
        Recency(INBOUND),
        *(Count(INBOUND, days) for days in (30, 90)),
        *(Count(Selector(channel, "inbound"), 365) for channel in CHANNELS),
        *(Count(Selector(topic=topic), 365) for topic in ("offers", "privacy")),
        Count(CONTACT, 30),
        Count(CONTACT, 90),
        *(Count(contacts(f"{channel}_contact", channel), 90) for channel in ("email", "phone", "chat")),
        Pressure(HALF_LIFE),
        Recency(CONTACT),
        Count(RESPONSE, 90),
        Count(OBJECTION, 365),
        OpenCases(),
        Recency(TROUBLE),
        Recency(ANSWER),
        LastSatisfaction(ANSWER),
    )
)
