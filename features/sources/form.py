"""How a file is written: delimiter, encoding, lists inside JSON, decimal marks. What is left out is found out."""

import codecs
from typing import Literal

from pydantic import Field, field_validator, model_validator

from features.workspace import Section


class Format(Section):
    """How the file is written; what is left out is found out."""

    kind: Literal["csv", "jsonl", "parquet"] | None = None
    delimiter: str | None = Field(None, description="one character, `tab`, or `whitespace` for runs of blanks")
    encoding: str | None = None
    skip: int = Field(0, ge=0, description="lines before the header")
    quote: str = '"'
    escape: str | None = Field(None, max_length=1)
    columns: list[str] | None = Field(None, min_length=1, description="names, for a file without a header")
    rows: str | None = Field(None, description="JSON: the key of a list whose items become one row each; a.b nests")
    sparse: bool = Field(False, description="with rows: a record whose list is absent or empty has no rows")
    unwrap: str | None = Field(None, description="JSON: the key of a list of records, where records come wrapped")
    keyed: list[str] = Field([], description="JSON, Parquet: lists of {key, value} to be read as objects")

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, text: str | None) -> str | None:
        text = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(text or "", text)
        if text is not None and text != "whitespace" and (len(text) != 1 or ord(text) > 127):
            raise ValueError("is one plain character such as ';', or tab, or whitespace")
        return text

    @field_validator("quote")
    @classmethod
    def _quote(cls, text: str) -> str:
        if text not in ("none", "") and len(text) != 1:
            raise ValueError("is one character, or none")
        return "" if text == "none" else text

    @field_validator("encoding")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        try:
            return name and codecs.lookup(name).name
        except LookupError:
            raise ValueError("is not a known encoding; usual ones are utf-8, cp1252, latin-1, utf-16") from None

    @model_validator(mode="after")
    def _sparse_rows(self) -> "Format":
        if self.sparse and self.rows is None:
            raise ValueError("`sparse` goes with `rows`")
        return self

    @field_validator("columns")
    @classmethod
    def _distinct(cls, names: list[str] | None) -> list[str] | None:
        if names is not None and len(set(names)) != len(names):
            raise ValueError("names a column twice")
        return names


class NumberFormat(Section):
    """How the file writes numbers."""

    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None

    @model_validator(mode="after")
    def _apart(self) -> "NumberFormat":
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands cannot be the same mark")
        return self
