"""Whether two cap levels have customers enough to tell one measure of them apart."""

from training.fatigue.level import Level
from training.reports.statistics import FEWEST_EXPECTED, Sample, too_few

MEASURES = ("contacts", "opted_out", "complained", "money")
#: Those that are few of something, so that a level without any would seem to have no error.
_RARE = ("opted_out", "complained")


def sample(of: Level, measure: str) -> Sample:
    """Customers' values of a measure, a week."""
    place = MEASURES.index(measure)
    variance = of.customers * of.errors[place] ** 2
    skew = of.thirds[place] / variance**1.5 if variance > 0 else 0.0
    return Sample(of.customers, float(getattr(of, measure)), variance, skew)


def untold(one: Level, other: Level, measure: str) -> str | None:
    """Why two levels are too small for an interval of a measure, or None where they are not."""
    if why := too_few(sample(one, measure), sample(other, measure), binary=False):
        return why
    both, smaller = (one, other), min(one.customers, other.customers)
    cases = sum(each.customers * each.weeks * float(getattr(each, measure)) for each in both)
    a_customer = cases / sum(each.customers for each in both)
    return _rare(a_customer, smaller) if measure in _RARE and a_customer * smaller < FEWEST_EXPECTED else None


def _rare(a_customer: float, smaller: int) -> str:
    enough = float(f"{FEWEST_EXPECTED / a_customer:.2g}")
    return (
        f"{a_customer * smaller:.1f} would be expected in the smaller group, which has {smaller:,} customers and needs "
        f"at least about {enough:,.0f}"
    )
