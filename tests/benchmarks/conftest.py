"""The benchmarks of the service use the service tests' shop; those of features share logs of some sizes."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))


@pytest.fixture
def shop(tmp_path):
    """A workspace with history and champions."""
    import market

    return market.build(tmp_path / "shop")


@pytest.fixture(scope="session")
def busy(tmp_path_factory):
    """A function from a number of rows to a log of so many, made once; $TACTFUL_BENCH_DATA keeps them for next time."""
    import busy_log

    kept = os.environ.get("TACTFUL_BENCH_DATA")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("logs")

    def log(rows: int) -> str:
        path = folder / f"busy-{rows}.parquet"
        if not path.exists():
            busy_log.write(rows, path.with_suffix(".tmp")).rename(path)
        return str(path)

    yield log
    if not kept:
        for path in folder.iterdir():
            path.unlink()
