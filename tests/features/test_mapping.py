"""A stranger's table becomes interactions through a map, and what is wrong with a map is told in one line."""

from datetime import UTC, datetime

import pytest
from ingesting import RETAIL, RETAIL_MAP, ingest, refused, rows, shop, write, write_map

from features.history import History
from features.scaffold import templates
from features.sources.mapping import load
from features.workspace import WorkspaceError


def test_an_invoice_table_becomes_interactions(tmp_path):
    workspace = shop(tmp_path)
    done = ingest(workspace, write(tmp_path, "retail.csv", RETAIL), map=RETAIL_MAP)
    assert str(done.total) == "5 received = 4 accepted + 0 duplicates + 1 quarantined"
    found = rows(workspace)
    assert [row["type"] for row in found] == ["refund", "purchase", "purchase", "purchase"]
    assert found[0]["occurred_at"] == datetime(2010, 7, 13, 8, 41, tzinfo=UTC), "London is an hour ahead in July"
    assert found[1]["occurred_at"] == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert sorted(row["value"] for row in found) == pytest.approx([-15.3, 15.3, 20.34, 20.34])
    assert len({row["interaction_id"] for row in found}) == 4, "identical lines are real purchases"
    assert {row["direction"] for row in found} == {"inbound"}
    assert refused(workspace)[0]["reason"] == "customer_id: is missing"
    assert refused(workspace)[0]["row"] == 5


def test_identical_rows_count_once_where_the_map_says_so(tmp_path):
    done = ingest(shop(tmp_path), write(tmp_path, "r.csv", RETAIL), map={**RETAIL_MAP, "identical_rows": "duplicate"})
    assert str(done.total) == "5 received = 3 accepted + 1 duplicates + 1 quarantined"


def test_own_keys_make_repeated_rows_duplicates(tmp_path):
    columns = {**RETAIL_MAP["columns"], "interaction_id": {"expression": "InvoiceNo || '-' || StockCode"}}
    workspace = shop(tmp_path)
    done = ingest(workspace, write(tmp_path, "r.csv", RETAIL), map={**RETAIL_MAP, "columns": columns})
    assert (done.total.accepted, done.total.duplicates) == (3, 1)
    assert {row["interaction_id"] for row in rows(workspace)} == {"536365-85123A", "536365-71053", "C536379-22752"}


def test_overlapping_exports_meet(tmp_path):
    workspace = shop(tmp_path)
    lines = RETAIL.splitlines(keepends=True)
    ingest(workspace, write(tmp_path, "january.csv", "".join(lines[:3])), map=RETAIL_MAP)
    done = ingest(workspace, write(tmp_path, "february.csv", RETAIL), map=RETAIL_MAP)
    assert (done.total.accepted, done.total.duplicates) == (2, 2)


def test_two_maps_read_one_file_under_two_names(tmp_path):
    workspace = shop(tmp_path)
    file = write(tmp_path, "r.csv", RETAIL)
    ingest(workspace, file, map=RETAIL_MAP)
    assert ingest(workspace, file, map=RETAIL_MAP).total.duplicates == 4
    again = {**RETAIL_MAP, "name": "views", "columns": {**RETAIL_MAP["columns"], "type": {"constant": "page_view"}}}
    assert ingest(workspace, file, map=again).total.accepted == 4


def test_headerless_whitespace_table(tmp_path):
    """CDNOW's layout: blanks of any number, no header."""
    text = " 00001 19970101  1   11.77\n 00002 19970112  5\t77.00 \r\n 00002 19970112  x   77.00\n"
    spec = {
        "format": {"delimiter": "whitespace", "columns": ["customer", "day", "cds", "dollars"]},
        "columns": {
            "customer_id": "customer",
            "occurred_at": {"column": "day", "format": "%Y%m%d"},
            "channel": {"constant": "web"},
            "type": {"constant": "purchase"},
            "value": "dollars",
            "attributes": {"columns": ["cds"]},
        },
    }
    workspace = shop(tmp_path)
    assert ingest(workspace, write(tmp_path, "cdnow.txt.gz", text), map=spec).total.accepted == 3
    assert rows(workspace)[0]["customer_id"] == "00001"
    assert rows(workspace)[0]["value"] == 11.77
    assert rows(workspace)[0]["attributes"] == '{"cds":"1"}'


def test_orders_with_offsets_currency_and_blank_headers(tmp_path):
    """Like a Shopify export: order lines, offsets from UTC, money with a sign, columns with blanks."""
    text = (
        "Name,Email,Created at,Lineitem quantity,Lineitem price,Source,Note\n"
        '#1001,ann@x.org,2024-03-01 10:11:12 -0500,2,"$1,200.50",Online Store,"two\nlines"\n'
        "#1001,ann@x.org,2024-03-01 10:11:12 -0500,1,$5,POS,\n"
        "#1002,bob@x.org,2024-03-02 00:00:00 +0100,1,€5,pos,\n"
    )
    spec = {
        "columns": {
            "customer_id": {"expression": "lower(Email)"},
            "occurred_at": "Created at",
            "channel": {"column": "Source", "values": {"Online Store": "web", "POS": "store", "pos": "store"}},
            "type": {"constant": "purchase"},
            "value": {"expression": '"Lineitem quantity" * `Lineitem price`'},
            "case_id": {"expression": "if(Note is null, null, Name)"},
        }
    }
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "orders.csv", text), map=spec)
    first, second = rows(workspace)
    assert first["occurred_at"] == second["occurred_at"] == datetime(2024, 3, 1, 15, 11, 12, tzinfo=UTC)
    assert {first["value"], second["value"]} == {2401.0, 5.0}
    assert {(row["channel"], row["case_id"]) for row in (first, second)} == {("web", "#1001"), ("store", None)}
    assert "is in € where other rows are in $" in refused(workspace)[0]["reason"]


def test_json_lines_with_nested_keys_and_items(tmp_path):
    text = (
        '{"user": {"id": 7}, "ts": 1714557600, "items": [{"sku": "a", "price": 2.5}, {"sku": "b", "price": 4}]}\n'
        '{"user": {"id": 8}, "ts": 1714557601, "items": []}\n'
        "{broken\n[1, 2]\n\n"
        '{"user": {"id": 9007199254740993}, "ts": 1714557602, "items": [{"sku": "a", "price": null}]}\n'
    )
    spec = {
        "format": {"rows": "items"},
        "columns": {
            "customer_id": "user.id",
            "occurred_at": {"column": "ts", "format": "epoch_s"},
            "channel": {"constant": "mobile_app"},
            "type": {"constant": "purchase"},
            "value": "items.price",
            "topic": "items.sku",
        },
    }
    workspace = shop(tmp_path)
    done = ingest(workspace, write(tmp_path, "orders.jsonl", text), map=spec)
    assert (done.total.accepted, done.total.quarantined) == (3, 3)
    assert {row["customer_id"] for row in rows(workspace)} == {"7", "9007199254740993"}
    assert [row["value"] for row in rows(workspace)] == [2.5, 4.0, None]
    reasons = " / ".join(row["reason"] for row in refused(workspace))
    assert "`items` is not a list with items" in reasons
    assert "is not valid JSON" in reasons
    assert "not an object" in reasons


def test_two_columns_make_an_instant_and_refusals_say_why(tmp_path):
    spec = {
        "columns": {
            "customer_id": "c",
            "occurred_at": {"expression": "day || ' ' || lpad(hour, 4, '0')", "format": ["%d.%m.%y %H%M", "%d.%m.%y"]},
            "channel": {"constant": "Mobile App"},
            "type": {"constant": "call"},
            "satisfaction": {"expression": "(stars - 1) / 4"},
            "identified": "known",
        },
        "refuse": [{"when": "note like 'TEST%'", "because": "a test call"}],
    }
    text = "c,day,hour,stars,known,note\nx,03.02.24,930,5,yes,\nx,03.02.24,930,1,no,TEST 1\nx,03.02.24,930,9,maybe,\n"
    workspace = shop(tmp_path)
    ingest(workspace, write(tmp_path, "calls.csv", text), map=spec)
    (only,) = rows(workspace)
    assert only["occurred_at"] == datetime(2024, 2, 3, 9, 30, tzinfo=UTC)
    assert (only["channel"], only["satisfaction"], only["identified"]) == ("mobile_app", 1.0, True)
    test, wild = refused(workspace)
    assert test["reason"] == "refused: a test call"
    assert "identified: 'maybe' is neither true nor false" in wild["reason"]
    assert "satisfaction: 2 is outside 0 to 1" in wild["reason"]


def test_the_documented_example_is_a_valid_map(tmp_path):
    text = templates("features")["map-example.yaml"]
    example = load(write_map(tmp_path, text))
    assert example.reads()[:2] == ["CustomerID", "InvoiceDate"]
    table = (
        "InvoiceNo;StockCode;Description;Quantity;InvoiceDate;UnitPrice;CustomerID;Country\n"
        "536365;85123A;CAFÉ HEART;6;01/12/2010 08:26;1.002,55;17850;United Kingdom\n"
        "C1;POST;FEE;6;01/12/2010 08:26;2,55;17850;France\n"
    )
    workspace = shop(tmp_path)
    done = ingest(workspace, write(tmp_path, "retail.csv", table.encode("cp1252")), map=text)
    assert (done.total.accepted, done.total.quarantined) == (1, 1)
    assert rows(workspace)[0]["value"] == pytest.approx(6015.3)
    assert "CAFÉ" in rows(workspace)[0]["attributes"]


def change(**columns):
    return {**RETAIL_MAP, "columns": {**RETAIL_MAP["columns"], **columns}}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (change(value="Quantity * UnitPrice"), ["columns.value", "no column 'Quantity * UnitPrice'"]),
        (change(value={"expression": "Quantity *"}), ["columns.value", "ends where a value was expected"]),
        (change(value={"expression": "Quantity ** 2"}), ["columns.value", "'*'"]),
        (change(value={"expression": "system('rm')"}), ["no function system()", "lower"]),
        (change(value={"expression": "(SELECT 1)"}), ["columns.value", "SELECT"]),
        (change(value={"expression": "read_text('/etc/passwd')"}), ["no function read_text()"]),
        (change(value={"expression": "a;b"}), ["cannot read it from ';b'"]),
        (change(value={"expression": "round(UnitPrice, Quantity)"}), ["round() needs a whole number"]),
        (change(value={"expression": "matches(Country, '(')"}), ["matches()"]),
        (change(value={"expression": "(" * 5000 + "1"}), ["columns.value"]),
        (change(value={"expression": "-" * 100_000 + "1"}), ["longer than 400 words"]),
        (change(value={"column": "UnitPrize"}), ["no column 'UnitPrize'", "did you mean 'UnitPrice'?"]),
        (change(type="purchase"), ["no column 'purchase'", "columns.type", "write {constant: purchase}"]),
        (change(value={"colunm": "UnitPrice"}), ["columns.value", "colunm", "not a known key"]),
        (change(value={"column": "UnitPrice", "constant": 1}), ["exactly one of", "column, constant"]),
        (change(price="UnitPrice"), ["`price` is not a column of an interaction", "value"]),
        (change(occurred_at={"column": "InvoiceDate", "format": "dd/mm/yyyy"}), ["'dd/mm/yyyy' is no date format"]),
        (change(occurred_at={"column": "InvoiceDate", "format": "%d/%Q"}), ["no date format: 'Q' is a bad directive"]),
        (change(occurred_at={"column": "InvoiceDate", "format": ["excel", "%d"]}), ["excel stands alone"]),
        (change(occurred_at={"column": "InvoiceDate", "zone": "Europe/Londn"}), ["not a time zone", "Europe/London"]),
        (change(value=["a"]), ["columns.value"]),
        (change(value={"fields": {"a": "Quantity"}}), ["only attributes takes columns: [...] or fields: {...}"]),
        (change(attributes={"fields": {"discount": "Rebate"}}), ["no column 'Rebate'", "columns.attributes"]),
        ({**RETAIL_MAP, "format": {"sparse": True}}, ["format", "`sparse` goes with `rows`"]),
        ({**RETAIL_MAP, "aside": [{"when": "x ="}]}, ["aside.0.when", "ends where a value was expected"]),
        (
            {**RETAIL_MAP, "identifiers": [{"identifier": "Mail", "kind": "email"}]},
            ["no column 'Mail', which the map's identifiers needs"],
        ),
        ({**RETAIL_MAP, "needs": ["Invoice"]}, ["no column 'Invoice'", "did you mean 'InvoiceNo'?"]),
        ({"columns": {"customer_id": "a"}}, ["lacks occurred_at, channel, type", "channel: {constant: store}"]),
        ({**RETAIL_MAP, "formt": {}}, ["`formt` is not a known key"]),
        ({**RETAIL_MAP, "format": {"encoding": "utf-99"}}, ["format.encoding", "not a known encoding"]),
        ({**RETAIL_MAP, "format": {"delimiter": "ab"}}, ["format.delimiter"]),
        ({**RETAIL_MAP, "numbers": {"decimal": ",", "thousands": ","}}, ["cannot be the same mark"]),
        ({**RETAIL_MAP, "refuse": [{"when": "x ="}]}, ["refuse.0", "ends where a value was expected", "because"]),
        ("columns: [", ["map.yaml", "line", "not valid YAML"]),
        ("- a", ["expected `key: value` lines"]),
        ("", ["`columns`: Field required"]),
    ],
)
def test_a_wrong_map_is_told_in_one_line(tmp_path, spec, words):
    workspace = shop(tmp_path)
    with pytest.raises(WorkspaceError) as error:
        ingest(workspace, write(tmp_path, "retail.csv", RETAIL), map=spec)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message
    assert rows(workspace) == []


def test_a_missing_map(tmp_path):
    with pytest.raises(WorkspaceError, match=r"nowhere.yaml: no such map"):
        load(tmp_path / "nowhere.yaml")


def test_yaml_that_reads_no_as_false_is_caught(tmp_path):
    spec = "columns: {customer_id: a, occurred_at: b, type: {constant: x}, channel: {column: d, values: {no: web}}}"
    with pytest.raises(WorkspaceError, match="quote the names under `values`"):
        load(write_map(tmp_path, spec))


def test_what_a_map_may_say_of_money_people_and_rows_that_are_none(tmp_path):
    text = (
        "order,line,who,mail,day,total,money,rebate,traits\n"
        '1,1,u1,Ann@x.org,2024-05-01,10,USD,2.5,"{""plan"": ""gold""}"\n'
        "1,2,u1,,2024-05-01,,,,\n"
        "2,1,u2,bob@x.org,2024-05-02,7,EUR,,\n"
        "3,1,u1,ANN@x.org,2024-05-03,5,usd,0,\n"
    )
    spec = {
        "columns": {
            "interaction_id": {"expression": "digest(order, who)"},
            "customer_id": "who",
            "occurred_at": "day",
            "channel": {"constant": "web"},
            "type": {"constant": "purchase"},
            "value": "total",
            "attributes": {"fields": {"discount": {"expression": "number(rebate)"}, "order": "order"}},
        },
        "currency": "money",
        "aside": [{"when": "total is null", "because": "further lines of an order"}],
        "identifiers": [{"identifier": {"expression": "lower(mail)"}, "kind": "email"}],
        "profile": {"column": "traits"},
    }
    workspace = shop(tmp_path)
    path = write(tmp_path, "orders.csv", text)
    done = ingest(workspace, path, map=spec)
    assert str(done.total) == "3 received = 2 accepted + 0 duplicates + 1 quarantined"
    assert done.sources[0].aside == (("further lines of an order", 1),)
    found = rows(workspace)
    assert [row["attributes"] for row in found] == ['{"discount":2.5,"order":"1"}', '{"discount":0.0,"order":"3"}']
    assert len({row["interaction_id"] for row in found}) == 2
    (euro,) = refused(workspace)
    assert (euro["row"], euro["reason"]) == (
        3,
        "value: is in EUR where tactful.yaml says currency: USD; convert it first",
    )
    links = [(row["identifier"], row["customer_id"]) for row in History(workspace).links().to_pylist()]
    assert sorted(links) == [("ann@x.org", "u1"), ("bob@x.org", "u2")]
    assert History(workspace).attributes()["attributes"].to_pylist() == ['{"plan":"gold"}']
    assert [source.receipt.accepted for source in ingest(workspace, path, map=spec).people] == [0, 0]
