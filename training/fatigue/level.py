"""One randomised cap level, and the step from one to the next."""

from dataclasses import dataclass

from training.evaluate import Interval


@dataclass(frozen=True)
class Level:
    """Of a customer and week under one level: contacts, opt-outs, complaints, money spent; in that order their standard
    errors, and the third central moments of customers' linearised values. `weeks`: of the mean customer."""

    factor: float
    customers: int
    weeks: float
    contacts: float
    opted_out: float
    complained: float
    money: float
    errors: tuple[float, float, float, float]
    thirds: tuple[float, float, float, float]


@dataclass(frozen=True)
class Step:
    """Per further contact from one level to the next; `contacts` a week lie in between. None where the two have too few
    customers to tell."""

    lower: float
    upper: float
    contacts: float
    opted_out: Interval | None
    complained: Interval | None
    money: Interval | None
