"""What contacts cost and what they brought, with the intervals of the effect they come from."""

from training.reports.effects import Estimate, Return
from training.reports.statistics import Effect, Verdict
from training.reports.uplift import words


def times(effect: Effect, number: float) -> Estimate:
    """The total over so many contacts or customers."""
    always = effect.always
    return Estimate(
        value=effect.difference * number,
        low=effect.low * number,
        high=effect.high * number,
        always_low=None if always is None else always.low * number,
        always_high=None if always is None else always.high * number,
    )


def mapped(one: Estimate, factor: float, less: float = 0.0) -> Estimate:
    """factor x estimate - less; `factor` is above 0."""
    return Estimate(**{name: None if x is None else factor * x - less for name, x in one.model_dump().items()})


def of(
    effect: Effect, verdict: Verdict, number: float, contacts: int, cost: float, margin: float, unit: str | None
) -> Return:
    """`effect` on money for each of `number` contacts (or customers); `contacts` of them cost `cost` in all.

    What has not raised money by its `verdict`, which knows how many are compared, is not said to have paid.
    """
    extra = times(effect, number)
    kept = mapped(extra, margin)
    profit = mapped(kept, 1.0, cost)
    low, high = (profit.low, profit.high) if profit.always_low is None else (profit.always_low, profit.always_high)
    found = Return(
        contacts=contacts,
        cost=cost,
        margin=margin,
        unit=unit,
        extra=extra,
        kept=kept,
        profit=profit,
        roi=mapped(profit, 1 / cost) if cost > 0 else None,
        verdict="paid" if low > 0 and verdict == "raised" else "lost" if high is not None and high < 0 else "open",
        sentence="",
    )
    return found.model_copy(update={"sentence": words.returns(found)})
