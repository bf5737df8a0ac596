"""What customers did and are, on disk: interactions, attributes, decisions and contacts, in day logs (daylog.py)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from features import attributes, physical
from features.arrange import COLUMNS
from features.daylog import Batch, DayLog, Writer
from features.identity import links
from features.interactions import SCHEMA
from features.past import Past
from features.workspace import Workspace


@dataclass(frozen=True)
class Receipt:
    """What became of the rows that came in: received = accepted + duplicates + quarantined, always."""

    received: int = 0
    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0

    def __add__(self, other: "Receipt") -> "Receipt":
        return Receipt(
            self.received + other.received,
            self.accepted + other.accepted,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
        )

    def __str__(self) -> str:
        return (
            f"{self.received:,} received = {self.accepted:,} accepted"
            f" + {self.duplicates:,} duplicates + {self.quarantined:,} quarantined"
        )


#: The other logs: kind -> (columns that identify a row, instant it is filed under). Other columns are free.
#: A contact is logged again at each change of its status: reserved, claimed, sent, failed, expired.
LOGS = {
    "decisions": (("decision_id",), "decided_at"),
    "contacts": (("contact_id", "status"), "changed_at"),
    "restrictions": (("restriction_id",), "changed_at"),
}
#: The logs that a past is read from.
PAST = ("interactions", "attributes", "identifiers")


class History:
    """A workspace's history. Every append is atomic and idempotent; the first row with an id wins."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = workspace.history
        self._interactions = DayLog(
            self.folder / "interactions", ["interaction_id"], "occurred_at", SCHEMA, physical.with_physical
        )
        #: Records of customer attributes (features/attributes.py), filed under the day they were received.
        self.records = DayLog(self.folder / "attributes", ["record_id"], "received_at", attributes.ATTRIBUTES)
        #: Links of identifiers (features/identity/links.py), likewise.
        self.identifiers = DayLog(self.folder / "identifiers", ["link_id"], "received_at", links.LINKS)
        self._logs = {kind: DayLog(self.folder / kind, key, at) for kind, (key, at) in LOGS.items()}

    @property
    def logs(self) -> dict[str, DayLog]:
        """Every log by its kind."""
        own = {"interactions": self._interactions, "attributes": self.records, "identifiers": self.identifiers}
        return own | self._logs

    def append(self, table: pa.Table, source: str, live: bool = False) -> Receipt:
        """Adds interactions (checked ones: see `conform`); ids already known, here or in history, count as duplicates.

        `live` marks a batch that came from the live store, which therefore knows it already.
        """
        with self.writer(source, live) as batch:
            fresh = int(batch.add(conform(table)).sum())
        return Receipt(table.num_rows, fresh, table.num_rows - fresh)

    @contextmanager
    def writer(self, source: str, live: bool = False) -> Iterator[Writer]:
        """One atomic batch of interactions, written chunk by chunk with `.add(table)`."""
        with self._interactions.writer(source, live) as batch:
            yield batch

    def interactions(
        self,
        columns: Sequence[str] | None = None,
        since: int | None = None,
        until: int | None = None,
        customers: Sequence[str] | None = None,
        batches: Sequence[str] | None = None,
    ) -> pa.Table:
        """Interactions with since <= occurred_at < until (microseconds UTC), day by day, in the columns asked for.

        `customers` and `batches` (ids as in `batches()`) narrow further. Raises WorkspaceError on a damaged file.
        """
        where = None if customers is None else pc.field("customer_id").isin(pa.array(list(customers), pa.string()))
        return self._interactions.read(columns, since, until, where, batches)

    def past(
        self,
        until: int | None = None,
        columns: Sequence[str] | None = None,
        batches: Mapping[str, Sequence[str]] | None = None,
        customers: Sequence[str] | None = None,
    ) -> Past:
        """What features before `until` are computed from; `columns` more of the contract than features read.

        `batches`: of interactions, attributes and identifiers, those that are read; the others are as if not there.
        Default: all that are there when it begins, so that what a sync brings meanwhile is in none of the three.
        `customers`: whose interactions are read.
        """
        wanted = list(dict.fromkeys((*COLUMNS, *(columns or ()))))
        if all(batch.physical for batch in self.batches()):
            asked = set(columns or ())
            spared = {name for name in physical.STANDS_FOR.values() if name not in asked}
            wanted = [name for name in wanted if name not in spared] + list(physical.STANDS_FOR)
        ids = self.held(PAST) if batches is None else batches
        return Past(
            self.interactions(wanted, None, until, customers, ids.get("interactions")),
            self.attributes(until, ids.get("attributes")),
            self.links(ids.get("identifiers")),
            ids,
        )

    def held(self, kinds: Iterable[str]) -> dict[str, list[str]]:
        """The batches of some logs that are there now, oldest first."""
        return {kind: [batch.id for batch in self.logs[kind].batches()] for kind in kinds}

    def files(self, until: int | None = None, batches: Sequence[str] | None = None) -> list[Path]:
        """The Parquet files of committed interactions before `until` (to the day), or of some batches, by day."""
        return list(self._interactions._files(None, until, batches))

    def batches(self) -> list[Batch]:
        """Committed batches of interactions, oldest first: id, source, rows, days, and whether they came live."""
        return self._interactions.batches()

    def append_attributes(self, table: pa.Table, source: str, live: bool = False) -> Receipt:
        """Adds records of customer attributes (see `features.attributes.conform`); known ones count as duplicates."""
        with self.records.writer(source, live) as batch:
            fresh = int(batch.add(attributes.conform(table)).sum())
        return Receipt(table.num_rows, fresh, table.num_rows - fresh)

    def attributes(self, until: int | None = None, batches: Sequence[str] | None = None) -> pa.Table:
        """Records of customer attributes that were received by `until` (microseconds), that instant included."""
        return self.records.read(until=None if until is None else until + 1, batches=batches)

    def append_links(self, table: pa.Table, source: str, live: bool = False) -> Receipt:
        """Adds links of identifiers (see `features.identity.links.conform`); known ones count as duplicates."""
        with self.identifiers.writer(source, live) as batch:
            fresh = int(batch.add(links.conform(table)).sum())
        return Receipt(table.num_rows, fresh, table.num_rows - fresh)

    def links(self, batches: Sequence[str] | None = None) -> pa.Table:
        """Who is who, as in features/identity/links.py: the whole log, for an erasure binds every cutoff."""
        return self.identifiers.read(batches=batches)

    def append_log(self, kind: str, table: pa.Table, source: str = "store") -> Receipt:
        """Adds rows to the log `decisions`, `contacts` or `restrictions`; see LOGS for the columns that each needs."""
        key, at = LOGS[kind]
        missing = [name for name in (*key, at) if name not in table.column_names]
        if missing:
            raise ValueError(f"{kind} need the columns {', '.join((*key, at))}; missing: {', '.join(missing)}")
        where = table.schema.get_field_index(at)
        table = table.set_column(where, at, table[at].cast(pa.timestamp("us", tz="UTC")))
        with self._logs[kind].writer(source, live=True) as batch:
            fresh = int(batch.add(table).sum())
        return Receipt(table.num_rows, fresh, table.num_rows - fresh)

    def decisions(
        self,
        since: int | None = None,
        until: int | None = None,
        columns: Sequence[str] | None = None,
        batches: Sequence[str] | None = None,
    ) -> pa.Table:
        """Logged decisions by `decided_at`; a table without columns where there are none yet. See decision_log.py."""
        return self._logs["decisions"].read(columns, since, until, batches=batches)

    def contacts(self, since: int | None = None, until: int | None = None) -> pa.Table:
        """Every status each contact went through, by `changed_at`; a table without columns where there are none yet."""
        return self._logs["contacts"].read(since=since, until=until)


#: What a column holds where a source does not say.
DEFAULTS = {"direction": "inbound", "identified": True, "provenance": "observed"}


def conform(table: pa.Table) -> pa.Table:
    """The table with exactly the contract's columns and types; absent optional columns take their defaults.

    Raises ValueError where a required column is absent or holds nulls: checking rows is the reader's business.
    """
    columns = []
    for field in SCHEMA:
        if field.name in table.column_names:
            column = table[field.name].cast(field.type)
        elif field.name == "received_at" and "occurred_at" in table.column_names:
            column = table["occurred_at"].cast(field.type)
        elif field.name in DEFAULTS:
            column = pa.chunked_array([pa.repeat(pa.scalar(DEFAULTS[field.name], field.type), table.num_rows)])
        elif field.nullable:
            column = pa.chunked_array([pa.nulls(table.num_rows, field.type)])
        else:
            raise ValueError(f"interactions need the column {field.name}")
        if not field.nullable and column.null_count:
            raise ValueError(f"{field.name} is required, yet {column.null_count} rows have none")
        columns.append(column)
    return pa.table(columns, schema=SCHEMA)
