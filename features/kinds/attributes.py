"""What a CRM says of the customer, as of the cutoff."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.definitions import Feature, Operation
from features.kernel.jit import inlined

if TYPE_CHECKING:
    from features.workspace import Settings


@dataclass(frozen=True)
class AttributeNumber(Feature):
    """The number under a key of the newest record that states the key."""

    key: str

    unit = "as recorded"
    null = "never recorded, taken back, or not a number"
    sensitivity = "declared"

    @property
    def name(self) -> str:
        return f"attribute_{self.key}"

    @property
    def text(self) -> str:
        return f"the customer's {self.key.replace('_', ' ')} as last recorded"

    def operation(self) -> Operation:
        return Operation(attribute=self.key)

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.facts[b]


@dataclass(frozen=True)
class AttributeLabel(Feature):
    """The label under a key of the newest record that states the key, as a position among the labels declared."""

    key: str
    labels: tuple[str, ...]

    unit = "label"
    null = "never recorded, taken back, or not among the labels declared"
    sensitivity = "declared"
    categorical = True

    @property
    def name(self) -> str:
        return f"attribute_{self.key}"

    @property
    def text(self) -> str:
        return f"the customer's {self.key.replace('_', ' ')} as last recorded: {', '.join(self.labels)}"

    def operation(self) -> Operation:
        return Operation(attribute=self.key, labels=self.labels)

    def labels_in(self, settings: "Settings") -> tuple[str, ...]:  # noqa: ARG002  the same in every workspace
        return self.labels

    @staticmethod
    @inlined
    def read(acc: Any, t: int, s: int, a: int, b: int) -> float:
        return acc.facts[b]
