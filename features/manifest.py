"""What a table of features was computed from: so that two that do not fit together are never mixed.

It lies in `_manifest.json` beside the parts of a folder, or in the metadata of a single Parquet file.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features import clock
from features.catalogue import Catalogue
from features.vocabulary import Vocabulary
from features.workspace import Settings, WorkspaceError

FILE = "_manifest.json"
#: The key in a Parquet file's metadata.
KEY = b"tactful.manifest"
#: Settings that change what a feature means or whose rows it sees.
MATTER = ("channels", "sensitive_topics", "journey", "attributes", "identity")


def meaning(settings: Settings) -> dict[str, Any]:
    """What of tactful.yaml says what a feature of one and the same catalogue means; a model goes with it."""
    return settings.model_dump(mode="json", include={"journey", "sensitive_topics"})


@dataclass(frozen=True)
class Manifest:
    """`levels` are the labels of categorical features; `data` is the fingerprint of the interactions that were read,
    whatever their order; `units` name, by log, the pieces they came in (empty where a source has none);
    `words` are the channels, directions and types that were met."""

    tactful: str
    catalogue: str
    features: tuple[str, ...]
    levels: dict[str, list[str]]
    settings: dict[str, Any]
    cutoffs: tuple[str, ...]
    source: str
    data: str = ""
    units: dict[str, list[str]] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)
    rows: int = 0
    #: Customers are split over this many buckets; `groups` are the row groups of each in a single file.
    buckets: int = 1
    groups: tuple[int, ...] = ()

    @classmethod
    def of(cls, catalogue: Catalogue, settings: Settings, cutoffs: Sequence[int], source: str) -> "Manifest":
        """What a build is about, before anything is read."""
        said = settings.model_dump(mode="json")
        return cls(
            tactful=_version(),
            catalogue=catalogue.version,
            features=catalogue.names,
            levels={name: list(labels) for name, labels in catalogue.compile(Vocabulary(), settings).levels.items()},
            settings={name: said[name] for name in MATTER if name in said},
            cutoffs=tuple(clock.isoformat(cutoff) for cutoff in cutoffs),
            source=source,
        )

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """Of a folder or a Parquet file. Raises WorkspaceError where there is none."""
        try:
            if path.is_dir():
                text: str | bytes = (path / FILE).read_bytes()
            else:
                text = (pq.read_metadata(path).metadata or {})[KEY]
            return cls.from_json(text)
        except FileNotFoundError:
            why = f"it has no {FILE}" if path.is_dir() else "there is no such file"
        except KeyError:
            why = "its metadata have no manifest"
        except (ValueError, TypeError, OSError, pa.ArrowException) as error:
            why = f"its manifest cannot be read ({type(error).__name__})"
        raise WorkspaceError(f"{path} is no table of features: {why}; `tactful features build` writes one")

    @classmethod
    def from_json(cls, text: str | bytes) -> "Manifest":
        """Raises ValueError or TypeError where it is none."""
        said = json.loads(text)
        columns: Any = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
        return cls(**columns)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    def differences(self, other: "Manifest", data: bool = False) -> list[str]:
        """What keeps rows of the two from standing in one table, one phrase each; with `data` also other data."""
        told = []
        if self.catalogue != other.catalogue:
            odd = set(self.features) ^ set(other.features)
            named = ", ".join(sorted(odd)[:3]) + (f" and {len(odd) - 3} more" if len(odd) > 3 else "")
            what = f"not both have {named}" if odd else "the same names are declared differently"
            told.append(f"catalogue {self.catalogue} against {other.catalogue} ({what})")
        changed = [name for name in sorted({*self.settings, *other.settings})
                   if self.settings.get(name) != other.settings.get(name)]  # fmt: skip
        told += [f"`{name}` of tactful.yaml differs" for name in changed]
        if not changed and self.levels != other.levels:
            told.append("categorical features have other labels")
        if self.tactful != other.tactful:
            told.append(f"tactful {self.tactful} against {other.tactful}")
        if data and self.data != other.data:
            told.append("the interactions are others")
        return told

    def check(
        self, where: Path | str, catalogue: Catalogue, settings: Settings, data: "Manifest | None" = None
    ) -> None:
        """Raises WorkspaceError where the table at `where` means something else than this catalogue and settings do.

        `data` is the manifest of a table it is to stand beside: computed from the same interactions.
        """
        told = self.differences(Manifest.of(catalogue, settings, (), self.source))
        if data is not None:
            told += [one for one in self.differences(data, data=True) if one not in told]
        if told:
            raise WorkspaceError(
                f"{where} does not fit: {'; '.join(told)}; build it again with `tactful features build`"
            )

    def same_work(self, other: "Manifest") -> bool:
        """Whether the other says the same of what is to be computed, the data aside."""
        about = ("tactful", "catalogue", "features", "levels", "settings", "cutoffs", "source")
        return all(_plain(getattr(self, name)) == _plain(getattr(other, name)) for name in about)


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(value))


def _version() -> str:
    try:
        return version("tactful")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"
