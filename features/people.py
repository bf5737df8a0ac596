"""What files of interactions tell beside them: who is who, and what customers are like. Checked, kept in history."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import clock
from features.attributes import document
from features.history import History, Receipt
from features.identity.links import misfit
from features.sources.contract import FUTURE_SLACK
from features.sources.quarantine import Quarantine
from features.tombstones import ERASED, Graveyard
from features.workspace import Settings, Workspace


class People:
    """Collects links and profiles over one ingest; `commit` writes them once the interactions are in."""

    def __init__(self, settings: Settings, now: int) -> None:
        self.settings, self.now = settings, now
        self.profiles: list[pa.Table] = []
        self._links: list[pa.Table] = []

    def take(self, links: pa.Table | None, profiles: pa.Table | None) -> None:
        """What one piece of a file told."""
        self._links += [] if links is None else [links]
        self.profiles += [] if profiles is None else [profiles]

    def commit(self, workspace: Workspace, source: str) -> Iterator[tuple[str, Receipt, Quarantine]]:
        """Writes both logs; yields of each what it is, what became of its rows, and the rows that were refused."""
        history = History(workspace)
        if self._links:
            links = _earliest(pa.concat_tables(self._links))
            good, refused = self._check(workspace, f"{source}.identifiers", links, self._misfit)
            receipt = history.append_links(good, source)
            yield "identifiers", receipt + _refused(refused), refused
        if self.profiles:
            profiles = pa.concat_tables(self.profiles)
            good, refused = self._check(workspace, f"{source}.attributes", profiles, _no_document)
            receipt = history.append_attributes(good, source)
            yield "attributes", receipt + _refused(refused), refused

    def _check(
        self, workspace: Workspace, name: str, table: pa.Table, wrong: Callable[[dict[str, Any]], str | None]
    ) -> tuple[pa.Table, Quarantine]:
        """The rows that fit, and a quarantine of the others, in place."""
        refused = Quarantine(workspace.quarantine, Path(name).name, "")
        gone = Graveyard(workspace).tombstones().rows(table)
        bad = gone.copy()
        for row in np.flatnonzero(gone).tolist():
            refused.add(row + 1, ERASED, None)
        for row, told in enumerate(table.to_pylist() if not gone.all() else []):
            reason = None if gone[row] else wrong(told) or self._untimely(told["valid_from"])
            if reason is not None:
                bad[row] = True
                refused.add(row + 1, reason, told)
        refused.commit()
        return table.filter(pa.array(~bad)), refused

    def _misfit(self, link: dict[str, Any]) -> str | None:
        return misfit(link["identifier"], link["kind"], link["customer_id"], link["op"], self.settings)

    def _untimely(self, moment: Any) -> str | None:
        us = clock.micros(moment)
        if us > self.now + FUTURE_SLACK:
            return f"valid_from: {clock.isoformat(us)} is in the future"
        return f"valid_from: {clock.isoformat(us)} is impossible: not after 1970-01-01" if us <= 0 else None


def _earliest(links: pa.Table) -> pa.Table:
    """Of equal links from several pieces the one that is valid first."""
    order = links.take(pc.sort_indices(links, sort_keys=[("valid_from", "ascending"), ("link_id", "ascending")]))
    row = pa.array(np.arange(order.num_rows))
    firsts = (
        order.append_column("row", row)
        .group_by(["identifier", "kind", "customer_id", "op"])
        .aggregate([("row", "min")])
    )
    return order.take(firsts["row_min"].sort())


def _no_document(profile: dict[str, Any]) -> str | None:
    try:
        document(profile["attributes"])
    except ValueError as error:
        return f"attributes: {error}"
    return None


def _refused(refused: Quarantine) -> Receipt:
    return Receipt(refused.rows, 0, 0, refused.rows)
