"""Finding decisions in the log: one that was made alone has a line of its own, those of a batch share lines.

`placed` says in which line, and where in it, a decision of a batch is.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import orjson

from serving.decisions.many import blocks, columns
from serving.decisions.request import Request
from serving.store.tx import Reader

Document = dict[str, Any]
#: Whom a line of several decisions is about, in place of a customer id.
SEVERAL = ""


def lines(body: bytes) -> list[Document]:
    """What a line of any log says: mostly one thing."""
    return blocks.Packed(body).documents() if body.startswith(blocks.MARK) else [columns.read(body)]


def decision(reader: Reader, decision_id: str) -> bytes | None:
    """As JSON."""
    found = reader.execute(
        "SELECT body FROM decisions WHERE decision_id = ? AND customer_id <> ''", (decision_id,)
    ).fetchone()
    if found is not None:
        return columns.plain(found[0])
    batch = _shared(reader, "decision_id = ?", decision_id)
    return orjson.dumps(batch[0]) if batch else None


def action_of(reader: Reader, decision_id: str) -> tuple[str | None] | None:
    """(action,) of a decision of ours; None where it is not ours."""
    found: tuple[str | None] | None = reader.execute(
        "SELECT action FROM decisions WHERE decision_id = ? UNION ALL SELECT action FROM placed WHERE decision_id = ?",
        (decision_id, decision_id),
    ).fetchone()
    return found


def first_answers(reader: Reader, request_ids: Collection[str]) -> dict[str, tuple[str, bytes]]:
    """(fingerprint, decision as JSON) by request_id, of those that were answered before."""
    if not request_ids:
        return {}
    rows = reader.execute(
        "SELECT request_id, fingerprint, body FROM decisions WHERE request_id IN (SELECT value FROM texts(?))",
        (list(request_ids),),
    )
    found = {request_id: (fingerprint, columns.plain(body)) for request_id, fingerprint, body in rows}
    if asked := [part for name in request_ids if name not in found for part in _parts(name)]:
        jobs, customers = (sorted(set(each)) for each in zip(*asked, strict=True))
        some = "customer_id IN (SELECT value FROM texts(?)) AND job IN (SELECT value FROM texts(?))"
        wanted = set(request_ids)
        for document in _shared(reader, some, customers, jobs):
            if (name := document["request_id"]) in wanted:
                found[name] = Request.of(document).fingerprint, orjson.dumps(document)
    return found


def matter(name: str) -> str:
    """Of a job and of all request_ids that may be of its decisions: the text before the first stroke."""
    return f"batch {name.split('/', 1)[0]}"


def _parts(request_id: str) -> list[tuple[str, str]]:
    """The jobs and customers that a request_id may name: either may have a stroke in it."""
    strokes = [i for i, letter in enumerate(request_id) if letter == "/"]
    return [(request_id[:i], request_id[i + 1 :]) for i in strokes]


def of_customers(reader: Reader, customer_ids: Collection[str]) -> list[Document]:
    """All that were made about some ids: first those made alone, each in the order of the log."""
    rows = reader.execute(
        "SELECT body FROM decisions WHERE customer_id IN (SELECT value FROM texts(?)) ORDER BY position",
        (list(customer_ids),),
    )
    return [columns.read(row[0]) for row in rows] + _shared(
        reader, "customer_id IN (SELECT value FROM texts(?))", list(customer_ids)
    )


def _shared(reader: Reader, which: str, *parameters: Any) -> list[Document]:
    """Those of batches, in the order of the log. Each line is opened once."""
    places: dict[int, list[int]] = defaultdict(list)
    asked = f"SELECT position, place FROM placed WHERE {which} ORDER BY position, place"
    for position, place in reader.execute(asked, parameters).fetchall():
        places[position].append(place)
    found: list[Document] = []
    for position, those in places.items():
        row = reader.execute("SELECT body FROM decisions WHERE position = ?", (position,)).fetchone()
        if row is not None:  # or it expired since
            opened = blocks.Packed(row[0])
            found += [document for place in those if (document := opened.document(place)) is not None]
    return found
