"""A table may be a file or a folder of its parts, as engines write them: of one kind, read in the order of names."""

from pathlib import Path

from features.workspace import WorkspaceError

#: What is read, by how names end.
TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
PARQUET = (".parquet", ".pq")
JSON = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz")


def kind(path: Path) -> tuple[str, ...] | None:
    """The endings of the kind that a name says; None where it is none of them."""
    name = path.name.lower()
    return next((endings for endings in (TEXT, PARQUET, JSON) if name.endswith(endings)), None)


def parts(path: Path) -> list[Path]:
    """The files of a table. Hidden files and those that begin with _ (`_SUCCESS`) are marks of the engine.

    Raises WorkspaceError where there is nothing to read, or no knowing how.
    """
    if not path.is_dir():
        if not path.is_file():
            raise WorkspaceError(f"{path}: no such file")
        if path.stat().st_size == 0:
            raise WorkspaceError(f"{path}: the file is empty")
        if kind(path) is None:
            raise WorkspaceError(f"{path}: not a kind of table that is read here; save it as .csv, .csv.gz or .parquet")
        return [path]
    inner = (one for one in path.rglob("*") if one.is_file() and one.stat().st_size)
    found = sorted(one for one in inner if not any(part[0] in "._" for part in one.relative_to(path).parts))
    kinds = {kind(one) for one in found} - {None}
    if not kinds:
        raise WorkspaceError(f"{path}: is a folder without parts of a table (.csv, .csv.gz, .parquet); name the file")
    if len(kinds) > 1 or None in map(kind, found):
        other = next(one for one in found if kind(one) != kind(found[0]))
        raise WorkspaceError(
            f"{path}: is a folder of unlike files ({found[0].relative_to(path)}, {other.relative_to(path)}); "
            "name the file, or a folder of nothing but one table's parts"
        )
    return found
