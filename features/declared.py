"""Which customer attributes are features: the section `attributes` of tactful.yaml.

attributes:
  age: number
  segment: [gold, silver, bronze]
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

#: `number`, or the labels to tell apart, in the order in which models know them.
Kind = str | tuple[str, ...]
Declared = dict[str, Kind]

#: A declared name becomes part of a feature's name, so punctuation is out.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
MOST_LABELS = 1_000


def checked(section: Any) -> Declared:
    """The section with labels as text. Raises ValueError saying what is wrong and what to write."""
    if not isinstance(section, Mapping):
        raise ValueError("is a list of `name: number` or `name: [label, label]`")  # noqa: TRY004  for pydantic
    return {_name(name): _kind(name, kind) for name, kind in section.items()}


def refuse_sensitive(declared: Declared, topics: Collection[str]) -> None:
    """Raises ValueError where a name or a label is about a sensitive topic: `health` refuses `health_plan`, too."""
    for name, kind in declared.items():
        for text in (name, *(() if isinstance(kind, str) else kind)):
            about = next((topic for topic in topics if _within(words(topic), words(text))), None)
            if about is not None:
                raise ValueError(
                    f"`{name}`: {text!r} is about {about!r}, one of `sensitive_topics`, which never reach a"
                    " feature; remove the one or the other"
                )


def about(topics: Collection[str], *texts: Any) -> bool:
    """Whether any of some texts is about one of the topics, as `refuse_sensitive` takes it."""
    said = [words(text) for text in texts if isinstance(text, str)]
    return any(_within(words(topic), each) for topic in topics for each in said)


def words(text: str) -> list[str]:
    """`money trouble`, `Money-Trouble` and `money_trouble` are the same two words."""
    return re.findall(r"[^\W_]+", text.lower())


def _within(few: list[str], many: list[str]) -> bool:
    return bool(few) and any(many[i : i + len(few)] == few for i in range(len(many)))


def _name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a feature: letters, digits and _, at most 64, a letter first")
    return name


def _kind(name: str, kind: Any) -> Kind:
    if kind == "number":
        return "number"
    if not isinstance(kind, list | tuple) or not kind or any(isinstance(label, list | dict) for label in kind):
        raise ValueError(f"`{name}` is `number` or a list of labels, e.g. {name}: [gold, silver], not {kind!r}")
    labels = tuple(label_text(label) for label in kind)
    if len(set(labels)) != len(labels) or None in labels:
        raise ValueError(f"`{name}` lists a label twice, or an empty one; remove it")
    if len(labels) > MOST_LABELS:
        raise ValueError(f"`{name}` lists {len(labels):,} labels, at most {MOST_LABELS:,} can be told apart")
    return tuple(label for label in labels if label is not None)


def label_text(value: Any) -> str | None:
    """A plain value as a label: true, 5 and 5.0 are `true`, `5` and `5`; None for what is empty or not plain."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    return (value.strip() or None) if isinstance(value, str) else None
