"""A table of a database as a source of interactions, with or without a map (URLs as in features/tables)."""

from collections.abc import Iterator

import pyarrow as pa

from features.sources.chunks import Chunk
from features.sources.columnar import chunk_of
from features.sources.form import Format
from features.tables import open_table


class Database:
    """A table, opened. Databases keep no order: the position of a refused row holds for this reading only."""

    def __init__(self, url: str, form: Format) -> None:
        self._table, self.form = open_table(url), form
        self.columns = self._table.columns

    def chunks(self, wanted: list[str]) -> Iterator[Chunk]:
        position = 0
        for batch in self._table.batches(self.columns):
            yield chunk_of(pa.table(batch), position, wanted, self.form.keyed)
            position += batch.num_rows
