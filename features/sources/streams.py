"""Bytes of a file: decompressed by their magic number, decoded to UTF-8, and never a traceback."""

import codecs
import io
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.workspace import WorkspaceError

BLOCK = 1 << 20
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
_FOREIGN = {
    b"PK\x03\x04": "an Excel workbook or a zip archive; save the sheet as CSV, or unzip it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"SQLite format 3": "an SQLite database; export the table as CSV",
    b"%PDF": "a PDF",
    b"ARROW1": "an Arrow file; write it as Parquet",
    b"Obj\x01": "an Avro file; write it as Parquet",
    b"ORC": "an ORC file; write it as Parquet",
}
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
          codecs.BOM_UTF16_BE: "utf-16"}  # fmt: skip


def head(path: Path) -> bytes:
    """The first bytes as they stand on disk. Raises WorkspaceError where there are none to be had."""
    try:
        if path.is_dir():
            raise WorkspaceError(f"{path} is a folder; name the files in it, e.g. {path}/*.csv")
        if path.exists() and not path.is_file():
            raise WorkspaceError(f"{path} is no regular file; write what it delivers to one first")
        with open(path, "rb") as file:
            start = file.read(16)
    except FileNotFoundError:
        raise WorkspaceError(f"{path}: no such file") from None
    except OSError as error:
        raise WorkspaceError(f"{path}: cannot be read: {error.strerror}") from None
    if not start:
        raise WorkspaceError(f"{path} is empty (0 bytes)")
    for magic, what in _FOREIGN.items():
        if start.startswith(magic):
            raise WorkspaceError(f"{path} is {what}")
    return start


class Text(io.RawIOBase):
    """A file's text as UTF-8 bytes, whatever its compression and encoding.

    Bytes that do not fit the encoding come through as bytes that are not UTF-8: the row they stand in can be told.
    `quotes` counts quotation marks passed on, `squeeze` turns runs of blanks into one tab.
    """

    def __init__(self, path: Path, encoding: str | None, quote: str = '"', squeeze: bool = False) -> None:
        self.path, self.squeeze = path, squeeze
        self.quotes, self._quote = 0, quote.encode()
        start = head(path)
        compression = next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), None)
        self._stream = pa.input_stream(str(path), compression=compression)
        self._ready, self._ended, self._carry = b"", False, b""
        first = self._read()
        if not first:
            raise WorkspaceError(f"{path} is empty")
        encoding = encoding or next((name for mark, name in _MARKS.items() if first.startswith(mark)), "utf-8")
        self._decoder = None if encoding.lower() in ("utf-8", "utf8") else _decoder(encoding)
        self._accept(first)
        if b"\0" in self._ready[:65536]:
            raise WorkspaceError(
                f"{path} does not look like text: it holds zero bytes."
                " Parquet, CSV and JSON Lines are read; a UTF-16 text needs format: {encoding: utf-16-le} in the map"
            )

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            self._accept(self._read())
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _read(self) -> bytes:
        try:
            return bytes(self._stream.read(BLOCK))
        except (OSError, pa.ArrowInvalid) as error:
            why = str(error).splitlines()[0]
            raise WorkspaceError(f"{self.path}: the compressed data are cut short or damaged ({why})") from None

    def _accept(self, block: bytes) -> None:
        self._ended = not block
        if self._decoder is not None:
            text = self._decoder.decode(block, final=self._ended)
            block = text.encode("utf-8", "surrogatepass")
        if self.squeeze:
            block = self._squeezed(block)
        self.quotes += block.count(self._quote) if self._quote else 0
        self._ready = block

    def _squeezed(self, block: bytes) -> bytes:
        """Whole lines only, so that a run of blanks is never cut in two."""
        block = self._carry + block
        end = len(block) if self._ended else block.rfind(b"\n") + 1
        block, self._carry = block[:end], block[end:]
        return re.sub(rb"[ \t]+", b"\t", re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", block))


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(encoding)(errors="surrogateescape")
