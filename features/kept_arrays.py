"""Arrays of customers kept on disk: written once, and mapped into memory by whoever counts.

    current.json              what is kept, and in which folder
    FOLDER/NAME.npy           an array each, numbers only
    FOLDER/customers.parquet  who is who: `customer`, a position, and `customer_id`, which an erasure looks at

Readers find the old ones or the new ones, never a part: all is complete before `current.json` names it.
"""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def write(folder: Path, stamp: str, arrays: Mapping[str, np.ndarray], names: pa.Array, about: dict[str, Any]) -> None:
    """Keeps arrays, the customers' ids (`names[i]` is customer i, null for none) and what is said `about` them."""
    stamp = f"{stamp}-{uuid.uuid4().hex[:12]}"  # never that of one which is kept or was left half written
    place = folder / stamp
    place.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(place / f"{name}.npy", array)
    table = pa.table({"customer": pa.array(np.arange(len(names), dtype=np.int32)), "customer_id": names})
    pq.write_table(table, place / "customers.parquet", compression="zstd")
    own = folder / f".current.{os.getpid()}.part"
    own.write_text(json.dumps(about | {"folder": stamp, "customers": len(names)}))
    own.replace(folder / "current.json")
    for old in folder.iterdir():
        if old.is_dir() and old.name != stamp:
            shutil.rmtree(old, ignore_errors=True)


def about(folder: Path, version: int) -> dict[str, Any] | None:
    """What `write` noted; None where nothing is kept, or another version kept it, or it is damaged."""
    try:
        found = json.loads((folder / "current.json").read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("version") == version else None


def array(folder: Path, noted: Mapping[str, Any], name: str) -> np.ndarray:
    """One array, mapped and not read: a plain view that cannot be written, which is what compiled code is for.

    Raises OSError or ValueError where it is not there, or not whole.
    """
    try:
        return np.asarray(np.load(folder / noted["folder"] / f"{name}.npy", mmap_mode="r"))
    except EOFError as error:  # an empty file: the disk was full, or the machine lost its power
        raise ValueError(str(error)) from None


def names(folder: Path, noted: Mapping[str, Any] | None) -> np.ndarray | None:
    """object[customers]: the ids of customers, None for who was erased since; None where nothing is kept."""
    try:
        if noted is None:
            return None
        table = pq.read_table(folder / noted["folder"] / "customers.parquet")
        found = np.full(noted["customers"], None, object)
        found[table["customer"].to_numpy()] = table["customer_id"].to_numpy(zero_copy_only=False)
    except (OSError, pa.ArrowInvalid, KeyError, IndexError):
        return None
    return found
