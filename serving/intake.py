"""Rows from the wire, checked one by one, so that a bad one costs only itself and is kept with its reason."""

import hashlib
import json
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from features import attributes, clock
from features.identity import links
from features.workspace import CUSTOMER, Settings
from serving.problems import FieldError, field_errors, shown
from serving.schemas import MAX_FIELDS, AttributeRecord, Identification, Interaction

#: A source's clock may run ahead of ours by this much (microseconds); beyond it the date is impossible.
AHEAD = clock.DAY
_Row = TypeVar("_Row", bound=BaseModel)


_ERASED = FieldError("customer_id", "was erased", "send nothing more about this customer")


@dataclass(frozen=True)
class Refused:
    """A row that broke the contract."""

    position: int
    row: Any
    errors: tuple[FieldError, ...]

    def as_dict(self, key: str = "interaction_id") -> dict[str, Any]:
        """As the answer shows it; `key` names the row."""
        found = self.row.get(key) if isinstance(self.row, dict) else None
        return {
            "position": self.position,
            key: found if isinstance(found, str) else None,
            "errors": [error.as_dict() for error in self.errors],
        }


def check(
    rows: Sequence[Any], channels: Collection[str], now: int, erased: Collection[str] = ()
) -> tuple[list[dict[str, Any]], list[Refused]]:
    """(rows of the contract with instants in microseconds, refused rows); `received_at` is ours, never the client's."""
    taken: list[dict[str, Any]] = []
    refused: list[Refused] = []
    for position, row in enumerate(rows):
        checked = _read(Interaction, row)
        if isinstance(checked, list):
            refused.append(Refused(position, _kept(row, erased), tuple(_placed(e, position) for e in checked)))
            continue
        problems = misfits(checked.channel, checked.occurred_at, channels, now)
        if checked.customer_id in erased:
            known = {"interaction_id": checked.interaction_id}
            refused.append(Refused(position, known, (_placed(_ERASED, position),)))
        elif problems:
            refused.append(Refused(position, _kept(row, erased), tuple(_placed(e, position) for e in problems)))
        else:
            taken.append(_contract(checked, now))
    return taken, refused


def check_attributes(
    rows: Sequence[Any], now: int, erased: Collection[str] = ()
) -> tuple[list[dict[str, Any]], list[Refused]]:
    """(records of customer attributes with instants in microseconds, refused rows); `received_at` is ours."""
    taken: list[dict[str, Any]] = []
    refused: list[Refused] = []
    for position, row in enumerate(rows):
        checked = _read(AttributeRecord, row)
        if isinstance(checked, list):
            refused.append(
                Refused(position, _kept(row, erased), tuple(_placed(e, position, "records") for e in checked))
            )
            continue
        valid = now if checked.valid_from is None else checked.valid_from
        if not attributes.EARLIEST <= valid <= now + attributes.AHEAD:
            ago = FieldError("valid_from", f"is {clock.isoformat(valid)}", "say a date from 1900 to ten years ahead")
            refused.append(Refused(position, _kept(row, erased), (_placed(ago, position, "records"),)))
            continue
        if checked.customer_id in erased:
            refused.append(Refused(position, {}, (_placed(_ERASED, position, "records"),)))
            continue
        taken.append({**checked.__dict__, "valid_from": valid, "received_at": now})
    return attributes.to_rows(attributes.records(taken)), refused


def check_links(
    rows: Sequence[Any], settings: Settings, now: int, erased: Collection[str] = ()
) -> tuple[list[dict[str, Any]], list[Refused]]:
    """(links of identifiers with instants in microseconds, refused rows); none is valid before we know of it."""
    taken: list[dict[str, Any]] = []
    again: list[bool] = []
    refused: list[Refused] = []
    for position, row in enumerate(rows):
        checked = _read(Identification, row)
        if isinstance(checked, list):
            refused.append(
                Refused(position, _kept(row, erased), tuple(_placed(e, position, "identifiers") for e in checked))
            )
            continue
        valid = now if checked.valid_from is None else checked.valid_from
        if checked.op != links.ERASE and erased and {checked.identifier, checked.customer_id} & set(erased):
            refused.append(Refused(position, {}, (_placed(_ERASED, position, "identifiers"),)))
        elif (problem := _misfit(checked, valid, settings, now)) is not None:
            refused.append(Refused(position, _kept(row, erased), (_placed(problem, position, "identifiers"),)))
        else:
            kind = checked.kind if checked.op != links.ERASE else checked.kind or CUSTOMER
            taken.append(checked.__dict__ | {"kind": kind, "valid_from": min(valid, now), "received_at": now})
            again.append(checked.valid_from is None and checked.link_id is None)
    known = links.to_rows(links.from_content(taken))
    return [row | {"unless_linked": each} for row, each in zip(known, again, strict=True)], refused


def _kept(row: Any, erased: Collection[str]) -> Any:
    """A refused row as it came; of who was erased nothing, whatever else is wrong with it."""
    return {} if erased and named([row], "customer_id", "identifier") & set(erased) else row


def _read(model: type[_Row], row: Any) -> _Row | list[FieldError]:
    """The row as the contract has it, or what is wrong with it, twenty things at most."""
    if isinstance(row, dict) and len(row) > MAX_FIELDS:  # naming a hundred thousand unknown fields takes seconds
        return [FieldError("(the whole body)", f"has {len(row):,} fields", "send only those of the contract")]
    try:
        return model.model_validate(row)
    except ValidationError as error:
        return field_errors(error.errors(include_url=False, include_context=False))[:20]


def named(rows: Sequence[Any], *fields: str) -> set[str]:
    """The customers and identifiers that rows from the wire name, checked or not."""
    found = (row.get(field) for row in rows if isinstance(row, dict) for field in fields)
    return {text for text in found if isinstance(text, str) and len(text) <= 200}


def _misfit(row: Identification, valid: int, settings: Settings, now: int) -> FieldError | None:
    if not 0 <= valid <= now + AHEAD:
        return FieldError("valid_from", f"is {clock.isoformat(valid)}", "say a date from 1970 to today")
    said = links.misfit(row.identifier, row.kind, row.customer_id, row.op, settings)
    if said is None:
        return None
    field, _, rest = said.partition(": ")
    what, _, fix = rest.partition("; ")
    return FieldError(field, what, fix or "add it")


def misfits(channel: str, occurred_at: int, channels: Collection[str], now: int) -> list[FieldError]:
    """What only the workspace can tell: unknown channels, impossible dates."""
    found = []
    if channel not in channels:
        found.append(unknown_channel(channel, channels))
    if occurred_at > now + AHEAD:
        found.append(
            FieldError(
                "occurred_at",
                f"lies in the future: {clock.isoformat(occurred_at)}, and it is {clock.isoformat(now)} here",
                "correct the source's clock or zone; without a zone it is taken as UTC",
            )
        )
    elif occurred_at < 0:
        found.append(FieldError("occurred_at", "lies before 1970", "correct the date"))
    return found


def unknown_channel(channel: str, channels: Collection[str]) -> FieldError:
    """The error for a channel that the workspace does not have."""
    listed = ", ".join(sorted(channels))
    return FieldError(
        "channel", f"{shown(channel)} is no channel here", f"use one of {listed}, or add it in tactful.yaml"
    )


def keep(folder: Path, refused: Sequence[Refused], now: int) -> None:
    """Writes refused rows to `folder/live/DAY/HASH.jsonl`, on disk on return; the same rows again are one file."""
    content = b"".join(_line(row) + b"\n" for row in refused)
    name = hashlib.sha256(content).hexdigest()[:24]
    target = folder / "live" / clock.isoformat(now)[:10] / f"{name}.jsonl"
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    written = target.with_suffix(f".{os.getpid()}-{threading.get_ident()}.tmp")  # a client may post it twice at once
    with written.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    written.replace(target)


def _line(refused: Refused) -> bytes:
    reasons = [f"{error.field}: {error.what}" for error in refused.errors]
    if any(error.what == _ERASED.what for error in refused.errors):  # an interaction_id may be made of the customer's
        return orjson.dumps({"position": refused.position, "reasons": reasons, "row": {}})
    try:
        return orjson.dumps({"position": refused.position, "reasons": reasons, "row": refused.row})
    except orjson.JSONEncodeError:  # nested deeper than it writes; it reads deeper
        text = json.dumps(refused.row)
        return orjson.dumps({"position": refused.position, "reasons": reasons, "row": text})


def _placed(error: FieldError, position: int, batch: str = "interactions") -> FieldError:
    whole = error.field == "(the whole body)"
    return FieldError(f"{batch}.{position}" + ("" if whole else f".{error.field}"), error.what, error.fix)


def _contract(row: Interaction, now: int) -> dict[str, Any]:
    content: Mapping[str, Any] = row.__dict__
    attributes = content["attributes"]
    return {
        **content,
        "received_at": now,
        "attributes": None if attributes is None else orjson.dumps(attributes).decode(),
    }
