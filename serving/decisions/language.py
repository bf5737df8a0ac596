"""The words that customers are shown: the file `language/en.yaml` of a workspace, and one for each other language."""

from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field

from features.workspace import Section, Workspace, WorkspaceError, read_yaml

#: The language where a customer's is not known, or has no file.
DEFAULT = "en"
PLACES = ("topic", "month", "channel", "stop")


def _only_places(text: str) -> str:
    try:
        fields = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise ValueError(f"is not a text with places: {error}; write a brace twice to have it shown") from None
    if unknown := sorted(set(fields) - set(PLACES)):
        raise ValueError(f"has the place {{{unknown[0]}}}; a text knows {', '.join('{' + p + '}' for p in PLACES)}")
    return text


Text = Annotated[str, AfterValidator(_only_places), Field(max_length=1_000)]


class Language(Section):
    """Sentences by what the customer did: `because` by interaction type, and what stands in where nothing fits.

    A sentence is used only where each of its places can be filled: one that names a {topic} needs an interaction that
    has one, so there may be a shorter one under `because_untold`.
    """

    because: dict[str, Text] = Field(
        {
            "purchase": "You see this because you bought {topic} with us in {month}. {stop}",
            "page_view": "You see this because you looked at {topic} on our {channel} in {month}. {stop}",
            "product_view": "You see this because you looked at {topic} on our {channel} in {month}. {stop}",
            "search": "You see this because you searched for {topic} on our {channel} in {month}. {stop}",
            "add_to_cart": "You see this because you put {topic} into your basket in {month}. {stop}",
        },
        description="by interaction type",
    )
    because_untold: dict[str, Text] = Field(
        {
            "purchase": "You see this because you bought from us in {month}. {stop}",
            "add_to_cart": "You see this because you put something into your basket in {month}. {stop}",
        },
        description="by interaction type, where there is no topic to name",
    )
    because_other: Text | None = Field(
        "You see this because you were in touch with us about {topic} in {month}. {stop}",
        description="any other interaction with a topic",
    )
    because_told: Text | None = Field(
        "You see this because you told us about {topic} in {month}. {stop}", description="what the customer declared"
    )
    generic: Text = Field("You see this because you are a customer of ours. {stop}", description="nothing else fits")
    stop: str = Field("Tell us if you would rather not: we stop at once.", max_length=300)
    months: list[str] = Field(
        [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        min_length=12,
        max_length=12,
    )
    topics: dict[str, str] = Field({}, description="how to call a topic; its own name with spaces where left out")
    channels: dict[str, str] = Field({"web": "website", "mobile_app": "app"}, description="how to call a channel")


#: What stands where a workspace has no such file.
ENGLISH = Language()
BUILT_IN = MappingProxyType({DEFAULT: ENGLISH})


def files(workspace: Workspace) -> list[Path]:
    """language/*.yaml of a workspace, in the order of their names."""
    return sorted((workspace.folder / "language").glob("*.yaml"))


def load(workspace: Workspace) -> dict[str, Language]:
    """By language code (the file's name); English is always there. Raises WorkspaceError where a file is wrong."""
    found = {file.stem.lower(): read_yaml(file, Language) for file in files(workspace)}
    if wrong := sorted(code for code in found if not code.replace("-", "").isalnum()):
        raise WorkspaceError(f"{workspace.folder / 'language'}: {wrong[0]!r} is no language code such as en or pt-br")
    return dict(BUILT_IN) | found


def of(languages: Mapping[str, Language], code: object) -> Language:
    """The customer's language: exactly, else without its region, else the default."""
    wanted = code.lower().replace("_", "-") if isinstance(code, str) else DEFAULT
    return languages.get(wanted) or languages.get(wanted.split("-")[0]) or languages.get(DEFAULT, ENGLISH)
