"""Stages of a journey: which interactions bring a customer into which one.

A stage lists what belongs to it: a type by its name, or `{type: call, topic: billing}`, where each key that is named
must fit (a list means any of these). Of several that fit, the one that names more keys decides; two that name as many
and could fit one and the same interaction are refused, so that an interaction leads to one stage at most.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from features.settings_file import Section

KEYS = ("type", "channel", "topic")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
        mode="validation",
    ),
]


class Match(Section):
    """What an interaction must be to belong to a stage; each key that is named must fit, a list means any of these."""

    type: _Names = Field((), description="interaction types, e.g. call")
    channel: _Names = Field((), description="channels, e.g. phone")
    topic: _Names = Field((), description="topics, e.g. billing")

    @model_validator(mode="after")
    def _says_something(self) -> "Match":
        if not self.keys:
            raise ValueError(f"names none of {', '.join(KEYS)}; name one, or more to be stricter")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for key in KEYS if getattr(self, key))

    def fits(self, entry: Mapping[str, str | None]) -> bool:
        """Whether an interaction with these channel, type and topic is meant."""
        return all(entry[key] in getattr(self, key) for key in self.keys)

    def clashes(self, other: "Match") -> bool:
        """Whether both could fit one interaction, and neither is stricter."""
        both = set(self.keys) & set(other.keys)
        meet = all(set(getattr(self, key)) & set(getattr(other, key)) for key in both)
        return len(self.keys) == len(other.keys) and meet

    def __str__(self) -> str:
        return ", ".join(f"{key} {' or '.join(getattr(self, key))}" for key in self.keys)


#: What a stage lists: types by name, or stricter descriptions.
Members = list[str | Match]
Stages = dict[str, Members]


def match(member: str | Match) -> Match:
    """A type by its name is a description, too."""
    return Match(type=(member,)) if isinstance(member, str) else member


def refuse_ambiguous(stages: Mapping[str, Sequence[str | Match]]) -> None:
    """Raises ValueError where a stage lists nothing, or an interaction could belong to two."""
    for stage, members in stages.items():
        if not members:
            raise ValueError(f"stage {stage} lists no type; name some or remove it")
    told = [(stage, member) for stage, members in stages.items() for member in members]
    for (one, first), (other, second) in combinations(told, 2):
        if one == other:
            continue
        if first == second and isinstance(first, str):
            raise ValueError(f"type {first} is in {one} and {other}; a type leads to one stage")
        if match(first).clashes(match(second)):
            raise ValueError(
                f"{match(first)} is in {one} and {match(second)} in {other}, and an interaction can be both; "
                "name one more of type, channel, topic in one of them"
            )


class StageOf:
    """Says which stage an interaction belongs to: its position among the stages, -1 for none."""

    def __init__(self, stages: Mapping[str, Sequence[str | Match]]) -> None:
        self._plain: dict[str, int] = {}
        strict: list[tuple[int, int, Match]] = []
        for position, members in enumerate(stages.values()):
            for member in members:
                if isinstance(member, str):
                    self._plain[member] = position
                else:
                    strict.append((len(member.keys), position, member))
        #: The strictest first.
        self._strict = sorted(strict, key=lambda one: -one[0])

    def __call__(self, channel: str, type: str, topic: str | None) -> int:
        entry = {"channel": channel, "type": type, "topic": topic}
        return next((position for _, position, member in self._strict if member.fits(entry)), self._plain.get(type, -1))


class Journey(Section):
    """The customer is in the stage that the newest interaction of any of these belongs to."""

    stages: Stages = Field(
        {
            "aware": ["impression", "ad_click", "email_open", "visit"],
            "considering": ["page_view", "search", "clicked", "email_click", "product_view", "add_to_cart", "login"],
            "buying": ["checkout", "accepted", "purchase"],
            "seeking_help": ["call", "message", "complaint", "case_opened"],
            "leaving": ["refund", "rejected", "opted_out", "complained", "contract_cancelled"],
        },
        min_length=1,
        max_length=32,
        description="stages in order, each a list of interaction types",
    )

    @field_validator("stages")
    @classmethod
    def _one_stage_each(cls, stages: Stages) -> Stages:
        refuse_ambiguous(stages)
        return stages
