"""A data set on disk, between the step that computes it and the step that learns from it: equal to the last bit."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalogue import Catalogue
from training.dataset import Dataset, Part, plain
from training.windows import Windows

#: Of what lies on disk. Another one after an upgrade is not read.
FORMAT = 2
#: Columns beside the features.
KEYS = ("__customer", "__as_of", "__label")
_SAID = ("kind", "horizon_days", "categories", "action_features", "fingerprint", "made_from")


def write(folder: Path, dataset: Dataset) -> None:
    """The folder appears whole or not at all."""
    own = folder.with_name(f"{folder.name}.part")
    for old in (own, folder):
        shutil.rmtree(old, ignore_errors=True)
    own.mkdir(parents=True)
    for name, part in dataset.parts.items():
        table = pa.Table.from_pandas(part.frame, preserve_index=False)
        for key, values in zip(KEYS, (part.customer, part.as_of, part.label), strict=True):
            table = table.append_column(key, pa.array(values))
        pq.write_table(table, own / f"{name}.parquet", compression="zstd")
    said: dict[str, Any] = {"format": FORMAT, "parts": list(dataset.parts)}
    said |= {name: getattr(dataset, name) for name in _SAID}
    said["windows"] = asdict(dataset.windows)
    said["early"] = None if dataset.early is None else dataset.early.tolist()
    (own / "dataset.json").write_text(json.dumps(said), encoding="utf-8")
    own.rename(folder)


def usable(folder: Path) -> bool:
    """Whether `read` can: it is there as a whole, as this code writes it."""
    try:
        said = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        if said["format"] != FORMAT:
            return False
        for name in said["parts"]:
            pq.read_metadata(folder / f"{name}.parquet")
    except (OSError, ValueError, TypeError, KeyError):  # Arrow's own are ValueErrors or OSErrors
        return False
    return True


def read(folder: Path, catalogue: Catalogue) -> Dataset:
    """The data set as it was written."""
    said = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    windows: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in said["windows"].items()
    }
    return Dataset(
        said["kind"],
        **{name: _part(folder / f"{name}.parquet") for name in said["parts"]},
        windows=Windows(**windows),
        horizon_days=said["horizon_days"],
        catalogue=catalogue,
        categories=tuple(said["categories"]),
        action_features=tuple(said["action_features"]),
        fingerprint=said["fingerprint"],
        made_from=said["made_from"],
        early=None if said["early"] is None else np.array(said["early"], float),
    )


def _part(path: Path) -> Part:
    table = pq.read_table(path)
    customer = table[KEYS[0]].to_numpy().astype(object)
    as_of, label = (table[key].to_numpy().astype(kind) for key, kind in zip(KEYS[1:], (np.int64, float), strict=True))
    return Part(customer, as_of, label, plain(table.drop_columns(list(KEYS)).to_pandas()))
