"""A log read in pieces is the log as it is read at once."""

import pyarrow as pa
import pytest
from ingesting import shop

from features import clock
from features.decision_log import DECISIONS
from features.history import History
from features.workspace import WorkspaceError

NOON = clock.parse_instant("2024-05-01T12:00:00Z")


def decided(*numbers):
    rows = [{"decision_id": f"d{n}", "decided_at": NOON + n * clock.HOUR, "document": "x" * n} for n in numbers]
    return pa.Table.from_pylist(rows, DECISIONS)


def test_pieces_are_what_is_read_at_once_in_its_order_and_no_larger_than_asked(tmp_path):
    history = History(shop(tmp_path))
    log = history.logs["decisions"]
    assert list(log.pieces(["decision_id"])) == []
    for numbers in (range(30, 0, -1), range(40, 60), [31, 0]):
        history.append_log("decisions", decided(*numbers))
    columns, since, until = ["document", "decision_id"], NOON + 2 * clock.HOUR, NOON + 50 * clock.HOUR
    for bounds in ((None, None), (since, until)):
        found = list(log.pieces(columns, *bounds, rows=4))
        assert max(len(piece) for piece in found) == 4
        assert pa.concat_tables(found).equals(log.read(columns, *bounds))
    assert list(log.pieces(columns, until + 100 * clock.DAY)) == []


def test_a_damaged_part_is_named_when_it_is_come_to(tmp_path):
    history = History(shop(tmp_path))
    history.append_log("decisions", decided(*range(30)))
    part = sorted(history.folder.glob("decisions/*/*.parquet"))[-1]
    part.write_bytes(b"nothing")
    with pytest.raises(WorkspaceError, match="damaged"):
        list(history.logs["decisions"].pieces(["decision_id"]))
