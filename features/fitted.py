"""Numbers that features bring along, as estimated from a workspace's own history: WORKSPACE/features.yaml.

They are part of the catalogue's version: models trained before a fit refuse the new numbers.
"""

import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from features.catalogue import Catalogue
from features.kinds import Silence
from features.workspace import Section, read_yaml

FILE = "features.yaml"

Number = Annotated[float, Field(gt=0)]


class Fit(Section):
    """BG/NBD of one kind of interaction; alpha in days."""

    r: Number
    alpha: Number
    a: Number
    b: Number

    @property
    def parameters(self) -> tuple[float, float, float, float]:
        return self.r, self.alpha, self.a, self.b


class Fitted(Section):
    """features.yaml: by the name of the interactions, what was estimated."""

    before: str = Field(description="what happened from here on was not looked at")
    silence: dict[str, Fit] = Field({})


def with_fitted(catalogue: Catalogue, folder: Path) -> Catalogue:
    """The catalogue with what WORKSPACE/features.yaml says, if there is one; the same object while it says the same."""
    path = folder / FILE
    if not path.exists():
        return catalogue
    fitted = read_yaml(path, Fitted).silence
    return _replaced(catalogue, tuple((name, numbers.parameters) for name, numbers in sorted(fitted.items())))


@lru_cache(maxsize=64)
def _replaced(catalogue: Catalogue, fitted: tuple[tuple[str, tuple[float, float, float, float]], ...]) -> Catalogue:
    numbers = dict(fitted)
    return Catalogue(
        tuple(
            dataclasses.replace(f, parameters=numbers[f.who.name])
            if isinstance(f, Silence) and f.who.name in numbers
            else f
            for f in catalogue
        ),
        catalogue.source,
    )
