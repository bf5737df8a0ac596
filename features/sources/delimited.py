"""CSV and its kin: any delimiter, any encoding, quoted line breaks, ragged rows told apart."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from features.sources.chunks import Chunk
from features.sources.form import Format
from features.sources.streams import Text
from features.workspace import WorkspaceError

DELIMITERS = (",", ";", "\t", "|")
#: No row of a real table is longer; what looks longer is a quotation mark that never closes.
LONGEST_ROW = 16 << 20


class Delimited:
    """A delimited text file, opened: `columns` are the header's names, or the map's."""

    def __init__(self, path: Path, form: Format) -> None:
        self.path, self.form = path, form
        squeeze = form.delimiter == "whitespace"
        self.quote = "" if squeeze else form.quote
        self._text = lambda: Text(path, form.encoding, self.quote, squeeze)
        sample = self._sample()
        self.delimiter = "\t" if squeeze else form.delimiter or sniff(sample, self.quote)
        records = list(_records(sample, self.delimiter, self.quote))
        if not records:
            raise WorkspaceError(f"{path} holds no rows, only blank lines")
        self.columns = list(form.columns) if form.columns else _named(records[0])
        if not form.columns and len(records) == 1 and self._whole:
            raise WorkspaceError(f"{path} has a header and no rows")

    def chunks(self, wanted: list[str]) -> Iterator[Chunk]:  # noqa: ARG002  every column is needed for the content
        text = self._text()
        skipped = [f"c{i}" for i in range(len(self.columns))]
        ragged: list[tuple[int, int, str]] = []
        header = 0 if self.form.columns else 1

        def refuse(row: Any) -> str:
            ragged.append((row.number - header, row.actual_columns, row.text))
            return "skip"

        try:
            stream = io.BufferedReader(text, 1 << 20)
            for _ in range(self.form.skip):
                stream.readline()
            batches = arrow_csv.open_csv(
                stream,
                arrow_csv.ReadOptions(
                    column_names=skipped, skip_rows_after_names=header, use_threads=False, block_size=LONGEST_ROW
                ),
                arrow_csv.ParseOptions(
                    delimiter=self.delimiter,
                    quote_char=self.quote or False,
                    double_quote=True,
                    escape_char=self.form.escape or False,
                    newlines_in_values=bool(self.quote),
                    invalid_row_handler=refuse,
                ),
                arrow_csv.ConvertOptions(
                    check_utf8=False, strings_can_be_null=False, column_types=dict.fromkeys(skipped, pa.binary())
                ),
            )
            yield from self._numbered(batches, ragged, text)
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            raise WorkspaceError(f"{self.path}: {self._why(error)}") from None

    def _numbered(self, batches: Any, ragged: list[tuple[int, int, str]], text: Text) -> Iterator[Chunk]:
        """Chunks whose positions count the ragged rows between the good ones."""
        good = told = 0
        last = None
        for batch in batches:
            if last is not None:
                yield last
            numbers = np.array([number for number, _, _ in ragged], np.int64)
            at = good + np.arange(batch.num_rows)
            positions = at + 1 + np.searchsorted(numbers - 1 - np.arange(len(numbers)), at, side="right")
            due = int(np.searchsorted(numbers, positions[-1] if len(positions) else 0))
            last = self._chunk(batch, positions, ragged[told:due])
            good, told = good + batch.num_rows, max(told, due)
        if last is None:
            last = self._chunk(pa.record_batch([pa.array([], pa.binary())] * len(self.columns), self._keys()),
                               np.empty(0, np.int64), [])  # fmt: skip
        last.damaged += self._damaged(ragged[told:])
        if text.quotes % 2 and (broken := self._swallowed(last)):
            raise WorkspaceError(
                f"{self.path}: row {broken} opens a quotation mark that is never closed, so that the rest"
                " of the file is one field; mend it there, or say format: {quote: none} in the map"
            )
        yield last

    def _swallowed(self, last: Chunk) -> int | None:
        """The position of the file's last row, where it runs over several lines: the mark of an open quotation."""
        ends = [(int(last.positions[-1]), b"".join(c[-1].as_py() for c in last.columns.values()))] if last.rows else []
        ends += [(position, raw.encode()) for position, _, raw in last.damaged[-1:]]
        position, content = max(ends, default=(0, b""))
        return position if b"\n" in content.rstrip(b"\r\n") or b"\r" in content.rstrip(b"\r\n") else None

    def _keys(self) -> list[str]:
        return [f"c{i}" for i in range(len(self.columns))]

    def _chunk(self, batch: pa.RecordBatch, positions: np.ndarray, ragged: list[tuple[int, int, str]]) -> Chunk:
        columns = dict(zip(self.columns, batch.columns, strict=True))

        def raw(row: int) -> dict[str, str]:
            return {name: column[row].as_py().decode("utf-8", "replace") for name, column in columns.items()}

        return Chunk(columns, batch.num_rows, positions, pa.Table.from_batches([batch]), raw, self._damaged(ragged))

    def _damaged(self, ragged: list[tuple[int, int, str]]) -> list[tuple[int, str, Any]]:
        whose = "the map names" if self.form.columns else "the header has"
        width = len(self.columns)
        return [(number, f"the row has {found} fields where {whose} {width}", line) for number, found, line in ragged]

    def _why(self, error: Exception) -> str:
        text = str(error).splitlines()[0]
        if "straddling object" in text or "out of sync" in text:
            return (
                f"a row is longer than {LONGEST_ROW >> 20} MB: either a quotation mark is never closed"
                " (say format: {quote: none} in the map if quotes mean nothing), or this is no delimited text"
            )
        if "Empty CSV" in text:
            return "no rows"
        return f"cannot be read as delimited text: {text}"

    def _sample(self) -> str:
        stream = io.BufferedReader(self._text(), 1 << 20)
        for _ in range(self.form.skip):
            stream.readline(LONGEST_ROW)
        block = stream.read(1 << 20).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
        self._whole = not stream.read(1)
        if not self._whole:
            block = block[: block.rfind("\n") + 1] or block
        return block.replace("\r\n", "\n").replace("\r", "\n")


def sniff(sample: str, quote: str) -> str:
    """The delimiter by which the first rows fall into the same number of fields, the more the better."""
    best, most = ",", 1
    for delimiter in DELIMITERS:
        widths = Counter(len(record) for record in _records(sample, delimiter, quote, 200))
        if not widths:
            continue
        width, rows = widths.most_common(1)[0]
        if width > most and rows >= 0.6 * sum(widths.values()):
            best, most = delimiter, width
    return best


def _records(sample: str, delimiter: str, quote: str, most: int = 3) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST_ROW)
    style: dict[str, Any] = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    try:
        for record in csv.reader(io.StringIO(sample), delimiter=delimiter, **style):
            if record:
                yield record
                most -= 1
            if not most:
                return
    except csv.Error:  # the sample ends within a field, or holds no text: the real reader will say it better
        return


def _named(header: list[str]) -> list[str]:
    """Distinct names: blanks become column_N, repetitions name.2, name.3."""
    names: list[str] = []
    for position, name in enumerate(header, 1):
        name = name.strip() or f"column_{position}"
        again, unique = 1, name
        while unique in names:
            again += 1
            unique = f"{name}.{again}"
        names.append(unique)
    return names
