"""What kinds have in common that look at the whole customer within a window of days."""

from dataclasses import dataclass

from features.definitions import Feature, Operation, check_days


@dataclass(frozen=True)
class Period(Feature):
    """Common to all that ask for `days` and for no selector."""

    days: int

    def __post_init__(self) -> None:
        check_days(self.days)

    def operation(self) -> Operation:
        return Operation(days=self.days)
