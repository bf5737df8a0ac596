"""What kinds have in common that look at a window of days of the whole customer, or at two windows."""

from dataclasses import dataclass

from features.definitions import Feature, Operation, Selector, check_days


@dataclass(frozen=True)
class Period(Feature):
    """Common to all that ask for `days` and for no selector."""

    days: int

    def __post_init__(self) -> None:
        check_days(self.days)

    def operation(self) -> Operation:
        return Operation(days=self.days)


@dataclass(frozen=True)
class Comparison(Feature):
    """Common to all that set a shorter window against a longer one."""

    who: Selector
    days: int
    second_days: int

    def __post_init__(self) -> None:
        check_days(self.days, self.second_days)
        if self.days >= self.second_days:
            raise ValueError(f"a trend compares a shorter window with a longer one: {self.days}, {self.second_days}")

    def operation(self) -> Operation:
        return Operation(self.who, days=self.days, second_days=self.second_days)
