"""The catalogue of one workspace: the shipped one, or its own `catalogue.py`, and what its settings ask for beside it.

These are the attributes it declares, and three features of the interactions that show life (`churn.qualifying`), which
the churn model reads a customer's habit from.

    # WORKSPACE/catalogue.py
    from features.catalogue import DEFAULT, Catalogue
    from features.definitions import Selector
    from features.kinds import ActiveDays

    CATALOGUE = Catalogue((*DEFAULT, ActiveDays(Selector(type="purchase", topic="produce"), 30)))
"""

import ast
import hashlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
from numba.core.dispatcher import Dispatcher

from features.catalogue import DEFAULT, Catalogue
from features.declared import Declared
from features.definitions import Feature, Selector
from features.fitted import with_fitted
from features.kernel.entries import own_kinds
from features.kinds import ActiveDays, Recency, Tenure
from features.kinds.attributes import AttributeLabel, AttributeNumber
from features.vocabulary import Vocabulary
from features.workspace import Settings, Workspace, WorkspaceError

FILE = "catalogue.py"
#: How far back the days with a sign of life are counted.
LIFE_DAYS = 365


def catalogue_of(workspace: Workspace) -> Catalogue:
    """The same object as long as no file and no setting changes. WorkspaceError says what is wrong where."""
    path = workspace.folder / FILE
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _completed(with_fitted(DEFAULT, workspace.folder), workspace.settings)
    except (OSError, UnicodeDecodeError) as error:
        raise WorkspaceError(f"{path}: cannot be read: {error}") from None
    return _completed(with_fitted(_own(path, source), workspace.folder), workspace.settings)


def attribute_features(declared: Declared) -> tuple[Feature, ...]:
    """One feature for each declared attribute, in their order."""
    return tuple(
        AttributeNumber(name) if isinstance(kind, str) else AttributeLabel(name, kind)
        for name, kind in declared.items()
    )


def signs_of_life(qualifying: Sequence[str]) -> tuple[Feature, Feature, Feature]:
    """Active days within a year, recency and tenure of the types that show life: any of several is a sign.

    A type's name becomes part of names of columns, so punctuation is out.
    """
    types = tuple(dict.fromkeys(qualifying))
    who = Selector(type=types[0]) if len(types) == 1 else Selector(types=types)
    plain = re.sub(r"\W+", "_", who.name)
    if plain != who.name:
        who = replace(who, label=plain)
    return ActiveDays(who, LIFE_DAYS), Recency(who), Tenure(who)


def _completed(base: Catalogue, settings: Settings) -> Catalogue:
    churn = settings.churn
    return _with(base, tuple(settings.attributes.items()), tuple(churn.qualifying) if churn.silence else ())


@lru_cache(maxsize=64)
def _with(base: Catalogue, declared: tuple[Any, ...], qualifying: tuple[str, ...]) -> Catalogue:
    """Where a name is taken, the catalogue's own feature stands."""
    named = set(base.names)
    life = signs_of_life(qualifying) if qualifying else ()
    asked = (*life, *attribute_features(dict(declared)))
    more = [feature for feature in asked if feature.name not in named]
    return Catalogue((*base.features, *more), base.source) if more else base


@lru_cache(maxsize=64)
def _own(path: Path, source: str) -> Catalogue:
    """What the module says under CATALOGUE."""
    module = _run(path, source)
    found = getattr(module, "CATALOGUE", None)
    if isinstance(found, tuple | list):
        found = _listed(path, tuple(found))
    if not isinstance(found, Catalogue):
        raise WorkspaceError(
            f"{path}: defines no CATALOGUE of features; write e.g. CATALOGUE = Catalogue((*DEFAULT, ...)), or remove it"
        )
    _check(path, found.features)
    kinds = own_kinds(found)
    if not kinds:
        return found
    # the declarations do not say what a kind of its own computes: its code does, without comments and layout
    own = Catalogue(found.features, hashlib.sha256(ast.dump(ast.parse(source)).encode()).hexdigest()[:12])
    _compile(path, own, kinds)
    return own


def _compile(path: Path, catalogue: Catalogue, kinds: tuple[type[Feature], ...]) -> None:
    """Each kind's `read` by itself, so that a mistake in it is told as such and not from the depths of the kernel."""
    for kind in kinds:
        where = f"{path}: the kind {kind.__name__}"
        if not isinstance(getattr(kind, "read", None), Dispatcher):
            raise WorkspaceError(f"{where} has no compiled `read`; see features/kinds/time.py for what one looks like")
        try:
            compiled = catalogue.compile(Vocabulary(), Settings())
            acc = compiled.kernel.new_accumulators.py_func(compiled.tables)
            kind.read.compile((numba.typeof(acc), *[numba.int64] * 4))  # type: ignore[attr-defined]
        except Exception as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            why = next((line for line in lines[1:] if not line.startswith("Failed in")), lines[0] if lines else "")
            raise WorkspaceError(f"{where}: its `read` does not compile: {' '.join(why.split())}") from None


def _run(path: Path, source: str) -> ModuleType:
    """The file as a module of its own name; whatever it raises becomes one line that names the file's line."""
    name = f"tactful_catalogue_{hashlib.sha256(f'{path}{source}'.encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        raise WorkspaceError(f"{error.filename}, line {error.lineno}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        where = f"{path}, line {lines[-1]}" if lines else str(path)
        raise WorkspaceError(f"{where}: {type(error).__name__}: {' '.join(str(error).split())}") from None
    return module


def _listed(path: Path, features: tuple[Any, ...]) -> Catalogue:
    _check(path, features)
    try:
        return Catalogue(features)
    except ValueError as error:
        raise WorkspaceError(f"{path}: {error}") from None


def _check(path: Path, features: tuple[Any, ...]) -> None:
    for position, feature in enumerate(features, 1):
        if not isinstance(feature, Feature):
            raise WorkspaceError(
                f"{path}: entry {position} of CATALOGUE is {feature!r}, no feature; see features/kinds/ for the kinds"
            )
