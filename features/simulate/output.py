"""A simulated log on disk: everything to ingest, and the truth beside it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features import clock
from features.decision_log import DECISIONS
from features.interactions import INSTANT
from features.simulate.actions import TEMPLATE
from features.simulate.capped import Capped
from features.simulate.decided import decisions
from features.simulate.log import Writer, customer_ids
from features.simulate.market import Market
from features.simulate.oracle import Oracle
from features.simulate.outcome import Day
from features.simulate.policy import Policy, Silent, Uniform
from features.simulate.state import NEVER
from features.simulate.traits import PROFILE
from features.workspace import WorkspaceError

POLICIES = ("none", "random", "capped", "oracle")
#: Ids hold a day in four digits.
MOST_DAYS = 9_999


def policy_named(name: str, market: Market, rate: float, every: int, seed: int) -> Policy:
    """One of the policies that need no model. Raises WorkspaceError on another name."""
    if name == "random":
        return Uniform(rate, every, seed)
    if name == "capped":
        return Capped(rate, every, seed)
    if name == "oracle":
        return Oracle(market)
    if name == "none":
        return Silent()
    raise WorkspaceError(f"there is no policy {name!r} to play; the policies are {', '.join(POLICIES)}, best")


def write(
    out: Path, market: Market, days: int, policy: Policy, silent: int = 0, tick: Callable[[int], object] | None = None
) -> dict[str, Any]:
    """Plays `days` of the market, the first `silent` without contacts, into the folder `out`, whole or not at all.

    interactions/part-*.parquet in the contract, profiles.parquet (customer attributes), actions.yaml; decisions.parquet
    where there were any, in the columns of history's log; truth.parquet: each customer's traits, the day they left, and
    their true value. Returns what summary.json says. `tick(rows)` is told after every day.
    """
    if days > MOST_DAYS:
        raise WorkspaceError(f"{days:,} days do not fit the ids; play {MOST_DAYS:,} at the most")
    if days < 1 or not 0 <= silent <= days:
        raise WorkspaceError(
            f"{days} days, {silent} of them without contacts: play 1 day or more, and no more silent ones"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise WorkspaceError(f"{out} is there already and not empty; name a new folder")
    out = out.resolve()  # `.` has a name of its own
    partial = out.parent / f".{out.name}.partial"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "interactions").mkdir(parents=True)
        summary = _played(partial, market, days, policy, silent, tick)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except OSError as error:
        raise WorkspaceError(f"{out}: cannot be written: {error.strerror or error}; nothing was kept") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return summary


def _played(
    folder: Path, market: Market, days: int, policy: Policy, silent: int, tick: Callable[[int], object] | None
) -> dict[str, Any]:
    log = Writer(folder / "interactions", market.start)
    decided = _Decisions(folder / "decisions.parquet", policy.name)

    def lived(day: Day) -> None:
        log.add(day.news)
        if tick is not None:
            tick(log.rows)

    def told(day: Day) -> None:
        lived(day)
        decided.add(day)

    market.run(silent, None, lived)
    outcome = market.play(policy, days - silent, sink=lived if isinstance(policy, Silent) else told)
    log.flush()
    decided.close()
    _truth(market, outcome.value, folder)
    shutil.copyfile(TEMPLATE, folder / "actions.yaml")
    summary = {
        "customers": len(market),
        "days": days,
        "without_contacts": silent,
        "setting": market.setting,
        "seed": market.seed,
        "policy": policy.name,
        "interactions": log.rows,
        "decisions": decided.rows,
        "contacts": int(outcome.contacts.sum()),
        "opted_out": int(outcome.opted_out.sum()),
        "complained": int(outcome.complained.sum()),
        "left": int(outcome.left.sum()),
        "money": {
            name: round(float(getattr(outcome, name).sum()), 2)
            for name in ("margin", "cost", "remaining", "permission")
        },
        "parameters": market.parameters._asdict(),
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


class _Decisions:
    """The decision log's file, begun with the first decision."""

    def __init__(self, path: Path, policy: str) -> None:
        self.path, self.policy, self.rows = path, policy, 0
        self._file: pq.ParquetWriter | None = None

    def add(self, day: Day) -> None:
        if self._file is None:
            self._file = pq.ParquetWriter(self.path, DECISIONS, compression="zstd")
        table = decisions(day, self.policy)
        self._file.write_table(table)
        self.rows += table.num_rows

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _truth(market: Market, value: np.ndarray, folder: Path) -> None:
    """profiles.parquet, what a company may know; truth.parquet, what it may not."""
    ids, traits = customer_ids(np.arange(len(market))), market.traits
    joined = pa.array(market.start + traits.joins.astype(np.int64) * clock.DAY).cast(INSTANT)
    said = {name: pa.array(traits.profile[:, k]) for k, name in enumerate(PROFILE)}
    seen = pa.array(traits.joins < market.day)  # who has not come yet is unknown
    pq.write_table(
        pa.table({"customer_id": ids, "valid_from": joined, **said}).filter(seen), folder / "profiles.parquet"
    )
    gone = market.state.gone
    latent = {
        name: pa.array(getattr(traits, name))
        for name in ("rate", "leaving", "basket", "price", "service", "tolerance", "dog", "store", "joins")
    }
    left = pa.array(gone, mask=gone == NEVER)
    pq.write_table(pa.table({"customer_id": ids, **latent, "left": left, "value": value}), folder / "truth.parquet")
