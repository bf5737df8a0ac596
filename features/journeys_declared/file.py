"""journeys.yaml: what we expect customers to do, stage by stage, on the way to a goal.

    journeys:
      - name: purchase
        version: 1
        customer_stage: true
        stages:
          aware: [ad_click, visit]
          considering: {any: [page_view, {type: call, topic: quotes}], within: 14d}
          buying: [purchase]
        goal: buying

At most one journey gives the customers' stages: the features journey_stage*, `journey.stage` in rules, triggers.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from features.durations import Window
from features.sensitive import is_sensitive, sensitive_topics
from features.settings_file import Section, WorkspaceError, read_yaml
from features.stages import Journey, Members, Stages, match, refuse_ambiguous

if TYPE_CHECKING:
    from features.workspace import Settings

FILE, SCHEMA = "journeys.yaml", "journeys.schema.json"
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$")]


class Stage(Section):
    """What brings a customer into a stage, and how soon it is expected."""

    any: Members = Field(min_length=1, description="interaction types, or {type, channel, topic} to be stricter")
    text: str | None = Field(None, max_length=500, description="what it means, in words")
    within: Window | None = Field(None, description="expected at most so long after the stage before it, e.g. 14d")
    optional: bool = Field(False, description="may be left out on the way")


def _short(value: Any) -> Any:
    return {"any": value} if isinstance(value, list) else value


_SHORT = {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/Match"}]}}
_Stage = Annotated[Stage, BeforeValidator(_short)]


class Written(Section):
    """One journey as it is meant to go."""

    name: Name
    version: int = Field(1, ge=1, description="count it up when you change the journey: reports name it")
    text: str | None = Field(None, max_length=1000, description="what it is for, in words")
    customer_stage: bool = Field(False, description="its stages are the customers': features, rules, triggers")
    stages: dict[Name, _Stage] = Field(min_length=2, max_length=32, description="in order")
    goal: Name = Field(description="the stage that the journey is for")
    order: list[Name] | None = Field(
        None, min_length=2, description="the expected way to the goal; left out: the stages as listed, up to the goal"
    )
    pause: Window = Field("30d", description="without any of its interactions for so long, the journey is given up")

    @model_validator(mode="after")
    def _fits(self) -> "Written":
        refuse_ambiguous(self.members)
        if self.goal not in self.stages:
            raise ValueError(f"the goal {self.goal!r} is none of its stages: {', '.join(self.stages)}")
        for name in self.order or ():
            if name not in self.stages:
                raise ValueError(f"`order` names {name!r}, none of its stages: {', '.join(self.stages)}")
        if len(set(self.way)) < len(self.way):
            raise ValueError("`order` names a stage twice; going back is a deviation, not part of the way")
        if self.way[-1] != self.goal:
            raise ValueError(f"`order` ends with {self.way[-1]!r}; end it with the goal {self.goal!r}")
        if len(self.way) < 2:
            raise ValueError(
                f"the goal {self.goal!r} is the first stage: nothing leads to it; list what does before it"
            )
        if all(self.stages[name].optional for name in self.way[:-1]) or self.stages[self.goal].optional:
            raise ValueError("the goal and one stage before it, at least, are not `optional`")
        return self

    @property
    def members(self) -> Stages:
        """What each stage lists."""
        return {name: stage.any for name, stage in self.stages.items()}

    @property
    def way(self) -> list[str]:
        """The stages that lead to the goal, in the order expected; others may come at any time."""
        names = list(self.stages)
        return self.order or names[: names.index(self.goal) + 1]

    @property
    def fingerprint(self) -> str:
        """Changes with whatever changes what is counted; words do not."""
        return hashlib.sha256(self.model_dump_json(exclude={"version", "text", "name"}).encode()).hexdigest()[:12]


class Journeys(Section):
    """`journeys.yaml`."""

    journeys: list[Written] = Field([], max_length=32)

    @field_validator("journeys")
    @classmethod
    def _distinct(cls, journeys: list[Written], info: ValidationInfo) -> list[Written]:
        names = [journey.name for journey in journeys]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two journeys are called {twice!r}; rename one")
        marked = [journey.name for journey in journeys if journey.customer_stage]
        if len(marked) > 1:
            raise ValueError(f"a customer is in one stage: mark one of {', '.join(marked)} with `customer_stage`")
        if info.context is not None:
            _known(journeys, info.context)
        return journeys

    @property
    def of_customers(self) -> Written | None:
        """The journey whose stages are the customers'."""
        return next((journey for journey in self.journeys if journey.customer_stage), None)


def _known(journeys: Sequence[Written], settings: "Settings") -> None:
    """Raises ValueError where a stage waits for what never comes."""
    hidden = sensitive_topics(settings)
    for journey in journeys:
        for name, stage in journey.stages.items():
            for member in stage.any:
                if channel := next((c for c in match(member).channel if c not in settings.channels), None):
                    known = ", ".join(settings.channels)
                    raise ValueError(f"{journey.name}, {name}: {channel!r} is no known channel; known: {known}")
                if topic := next((t for t in match(member).topic if is_sensitive(t, hidden)), None):
                    why = "is one of `sensitive_topics`, which no feature and no report sees; remove it"
                    raise ValueError(f"{journey.name}, {name}: {topic!r} {why}")


def read(folder: Path, settings: "Settings") -> Journeys:
    """What is written down; nothing where there is no file. WorkspaceError names key and line of what is wrong."""
    path = folder / FILE
    return read_yaml(path, Journeys, context=settings) if path.exists() else Journeys()


def with_stages(folder: Path, settings: "Settings") -> "Settings":
    """The settings with the stages of the journey that is marked as the customers', where one is."""
    marked = read(folder, settings).of_customers
    if marked is None:
        return settings
    if "journey" in settings.model_fields_set:
        raise WorkspaceError(
            f"{folder / FILE}: the journey {marked.name!r} gives the customers' stages, and so does `journey` in"
            " tactful.yaml; remove the one or the other"
        )
    return settings.model_copy(update={"journey": Journey(stages=marked.members)})


def write_schema(folder: Path) -> None:
    """The schema next to the file, whose first line points editors at it."""
    try:
        (folder / SCHEMA).write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(f"{folder / SCHEMA}: cannot be written: {error.strerror}") from None


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, for editors. It allows the short forms that reading allows."""
    found = Journeys.model_json_schema()
    by_name = found["$defs"]["Written"]["properties"]["stages"]["patternProperties"]
    for pattern, stage in by_name.items():
        by_name[pattern] = {"anyOf": [stage, _SHORT]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **found}
