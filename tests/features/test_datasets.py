"""The shipped maps, each on a small file written by hand from its format's documentation."""

import json
from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingesting import balanced, content, refused, rows, shop, write

from features.history import History
from features.ingest import Ingested, ingest_dataset
from features.sources import DATASETS
from features.sources.named import shipped
from features.workspace import WorkspaceError


def take(workspace, name, *paths) -> Ingested:
    """Ingests a data set, and holds the equation for every receipt."""
    done = ingest_dataset(workspace, name, paths)
    for source in (*done.sources, *done.people):
        balanced(source.receipt)
    return done


def lines(*records) -> str:
    return "\n".join(json.dumps(record) for record in records)


def by_id(workspace) -> dict:
    return {row["interaction_id"]: row for row in rows(workspace)}


def told(row, *names):
    return tuple(row[name] for name in names)


def test_every_data_set_is_described_and_every_shipped_map_is_used():
    assert list(DATASETS) == ["segment", "ga4", "shopify", "invoices", "cdnow", "starbucks", "complete_journey"]
    for name, found in DATASETS.items():
        assert found.name == name
        assert found.text
        assert (found.maps is None) != (found.tables is None)
    from importlib import resources

    files = {f.name.removesuffix(".yaml") for f in (resources.files("features.sources") / "maps").iterdir()}
    for name in files:
        assert shipped(name).columns


def test_a_data_set_wants_its_path(tmp_path):
    with pytest.raises(WorkspaceError, match="the data set segment needs a PATH: JSON files, one call a line"):
        take(shop(tmp_path / "one"), "segment")
    (tmp_path / "nothing").mkdir()
    write(tmp_path / "nothing", "_SUCCESS", "")
    with pytest.raises(WorkspaceError, match="nothing: no files in there; ga4 reads events_YYYYMMDD tables"):
        take(shop(tmp_path / "two"), "ga4", tmp_path / "nothing")
    with pytest.raises(WorkspaceError, match="the data set complete_journey takes no PATH"):
        take(shop(tmp_path / "three"), "complete_journey", tmp_path)


# -- Segment --------------------------------------------------------------------------------------------------------

COMMON = {"channel": "browser", "context": {"library": {"name": "analytics.js"}}, "writeKey": "k", "integrations": {}}


def call(kind, number, **more):
    return {
        **COMMON,
        "type": kind,
        "messageId": f"m{number}",
        "anonymousId": "anon-1",
        "timestamp": f"2024-05-01T10:{number:02}:00.250Z",
        "receivedAt": f"2024-05-01T10:{number:02}:05.000Z",
        **more,
    }


SEGMENT = [
    call("page", 1, name="Home", properties={"path": "/", "url": "https://shop.example/"}, userId=None),
    call("track", 2, event="Product Viewed", properties={"product_id": "p1", "category": "Games", "price": 18.99}),
    call("identify", 3, userId="u1", traits={"email": "Ann@Example.com", "plan": "gold", "age": 40}),
    call("track", 4, userId="u1", event="Order Completed", properties={
        "order_id": "o-1", "total": 27.5, "revenue": 25, "discount": 2.5, "currency": "USD",
        "products": [{"product_id": "p1", "category": "Games"}, {"product_id": "p2", "category": "Books"}]}),
    call("track", 5, userId="u1", event="Order Refunded", properties={"order_id": "o-1", "total": "27.50"}),
    call("screen", 6, userId="u1", name="Cart", context={"device": {"type": "ios"}}),
    call("track", 7, userId="u1", event="Email Delivered", properties={"campaign_name": "spring"}, anonymousId=None),
    call("track", 8, userId="u1", event="Email Link Clicked", properties={"campaign_name": "spring"}, anonymousId=None),
    call("track", 9, userId="u2", event="Order Completed", properties={"total": 10, "currency": "EUR"}),
    call("alias", 10, userId="u1", previousId="old-1", anonymousId=None),
    call("track", 11, event="Unsubscribed", userId="u1"),
    call("track", 12, event=None, userId="u1"),
    call("group", 13, userId="u1", groupId="g1"),
]  # fmt: skip


def test_segment(tmp_path):
    workspace = shop(tmp_path)
    done = take(workspace, "segment", write(tmp_path, "calls.json.gz", lines(*SEGMENT)))
    (source,) = done.sources
    assert str(source.receipt) == "10 received = 8 accepted + 0 duplicates + 2 quarantined"
    assert source.aside == (("identify, alias and group calls: they say who is who", 3),)
    found = by_id(workspace)
    page = found["m1"]
    assert told(page, "customer_id", "type", "channel", "identified") == ("anon-1", "page_view", "web", False)
    assert page["occurred_at"] == datetime(2024, 5, 1, 10, 1, 0, 250_000, tzinfo=UTC)
    assert page["received_at"] == datetime(2024, 5, 1, 10, 1, 5, tzinfo=UTC)
    assert json.loads(page["attributes"]) == {"page": "/"}
    assert told(found["m2"], "type", "topic", "value") == ("product_viewed", "games", None)
    order = found["m4"]
    assert told(order, "customer_id", "type", "value", "topic") == ("u1", "purchase", 27.5, "games")
    assert order["identified"] is True
    assert json.loads(order["attributes"]) == {"discount": 2.5, "order": "o-1", "product": "p1"}
    assert told(found["m5"], "type", "value") == ("refund", -27.5)
    assert told(found["m6"], "type", "channel") == ("screen_view", "mobile_app")
    mailed = told(found["m7"], "type", "channel", "direction", "action")
    assert mailed == ("contact", "email", "outbound", "spring")
    assert told(found["m8"], "type", "channel", "direction", "action") == ("clicked", "email", "inbound", "spring")
    assert told(found["m11"], "type", "channel") == ("opted_out", "email")
    reasons = {row["raw"]["messageId"]: row["reason"] for row in refused(workspace)}
    assert reasons == {
        "m9": "value: is in EUR where tactful.yaml says currency: USD; convert it first",
        "m12": "type: is missing",
    }


def test_segment_says_who_is_who(tmp_path):
    workspace = shop(tmp_path)
    path = write(tmp_path, "calls.json", lines(*SEGMENT))
    done = take(workspace, "segment", path)
    links = {told(row, "identifier", "kind", "customer_id"): row for row in History(workspace).links().to_pylist()}
    assert set(links) == {
        ("anon-1", "anonymous", "u1"),
        ("anon-1", "anonymous", "u2"),
        ("ann@example.com", "email", "u1"),
        ("old-1", "customer", "u1"),
    }
    first = links["anon-1", "anonymous", "u1"]
    assert first["valid_from"] == datetime(2024, 5, 1, 10, 3, 0, 250_000, tzinfo=UTC), "from the identify call on"
    assert first["received_at"] == datetime(2024, 5, 1, 10, 3, 5, tzinfo=UTC)
    (profile,) = History(workspace).attributes().to_pylist()
    assert profile["customer_id"] == "u1"
    assert json.loads(profile["attributes"]) == {"email": "Ann@Example.com", "plan": "gold", "age": 40}
    assert {source.source: source.receipt.accepted for source in done.people} == {"identifiers": 4, "attributes": 1}
    before = content(workspace)
    again = take(workspace, "segment", path)
    assert [source.receipt.accepted for source in (*again.sources, *again.people)] == [0, 0, 0]
    assert content(workspace) == before


def test_segment_in_batches_and_an_identify_without_a_time(tmp_path):
    nameless = {"type": "identify", "userId": "u9", "traits": {"plan": "gold"}}
    strange = call("identify", 1, userId="undefined")
    text = lines(
        {"batch": [SEGMENT[0], SEGMENT[3]], "sentAt": "2024-05-01T11:00:00Z"}, {"batch": [nameless, 7]}, strange
    )
    workspace = shop(tmp_path)
    done = take(workspace, "segment", write(tmp_path, "calls.jsonl", text))
    assert sorted(by_id(workspace)) == ["m1", "m4"]
    reasons = " / ".join(row["reason"] for row in refused(workspace))
    assert "occurred_at: is missing" in reasons, "an identify call that cannot be read is not set aside silently"
    assert "not an object" in reasons
    assert "customer_id: 'undefined' stands for an unknown one" in reasons
    assert {source.source: source.receipt.quarantined for source in done.people} == {"identifiers": 1, "attributes": 0}


# -- Google Analytics 4 ---------------------------------------------------------------------------------------------


def param(key, **value):
    full = {"string_value": None, "int_value": None, "float_value": None, "double_value": None, **value}
    return {"key": key, "value": full}


def ga(name, number, **more):
    return {
        "event_date": "20240501",
        "event_timestamp": 1_714_557_600_000_000 + number,
        "event_name": name,
        "event_params": [
            param("page_location", string_value="https://shop.example/"),
            param("ga_session_id", int_value=1714557600),
        ],
        "event_bundle_sequence_id": 77,
        "event_server_timestamp_offset": 2_000_000,
        "user_id": None,
        "user_pseudo_id": "1234.5678",
        "user_properties": [],
        "platform": "WEB",
        "ecommerce": {"purchase_revenue": None, "refund_value": None, "transaction_id": None},
        "items": [],
        "batch_page_id": 5,
        "batch_ordering_id": 1,
        "batch_event_index": number,
        **more,
    }


PRICED = [param("currency", string_value="USD"), param("value", double_value=31.0), param("discount", double_value=4.0)]
BOUGHT = {"purchase_revenue": 30.5, "refund_value": None, "transaction_id": "T1"}
ITEMS = [{"item_id": "sku1", "item_category": "Shoes"}, {"item_id": "sku2", "item_category": "Hats"}]
TIER = [{"key": "tier", "value": {"string_value": "gold", "int_value": None, "set_timestamp_micros": 5}}]
GA4 = [
    ga("page_view", 1),
    ga("scroll", 2, event_params=[param("percent_scrolled", int_value=90)]),
    ga("purchase", 3, user_id="u1", ecommerce=BOUGHT, items=ITEMS, event_params=PRICED, user_properties=TIER),
    ga("refund", 4, user_id="u1", ecommerce={**BOUGHT, "purchase_revenue": None, "refund_value": 30.5}),
    ga("screen_view", 5, platform="IOS", user_pseudo_id="device-9", user_id="u1"),
    ga("notification_receive", 6, platform="ANDROID", event_params=[param("message_name", string_value="sale")]),
    ga("page_view", 7, user_pseudo_id=None),
    ga("purchase", 8, event_params=[param("currency", string_value="GBP"), param("value", int_value=3)]),
]


def ga4_json(folder):
    """As BigQuery writes JSON: whole numbers as text, nulls left out."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(part) for key, part in value.items() if part is not None}
        if isinstance(value, list):
            return [plain(part) for part in value]
        return str(value) if isinstance(value, int) else value

    return write(folder, "events_20240501.json", lines(*(plain(event) for event in GA4)))


def ga4_parquet(folder):
    value = pa.struct(
        [("string_value", pa.string()), ("int_value", pa.int64()), ("float_value", pa.float64()),
         ("double_value", pa.float64()), ("set_timestamp_micros", pa.int64())]
    )  # fmt: skip
    pairs = pa.list_(pa.struct([("key", pa.string()), ("value", value)]))
    table = pa.Table.from_pylist(GA4)
    for name in ("event_params", "user_properties"):
        column = pa.array([event[name] for event in GA4], pairs)
        table = table.set_column(table.schema.get_field_index(name), name, column)
    pq.write_table(table, folder / "events_20240501.parquet", row_group_size=3)
    return folder / "events_20240501.parquet"


@pytest.mark.parametrize("form", [ga4_json, ga4_parquet])
def test_ga4(tmp_path, form):
    workspace = shop(tmp_path)
    done = take(workspace, "ga4", form(tmp_path))
    assert str(done.total) == "8 received = 6 accepted + 0 duplicates + 2 quarantined"
    view, scroll, bought, refund, screen, push = rows(workspace)
    assert told(view, "customer_id", "type", "channel", "identified") == ("1234.5678", "page_view", "web", False)
    assert view["occurred_at"] == datetime(2024, 5, 1, 10, 0, 0, 1, tzinfo=UTC)
    assert view["received_at"] == datetime(2024, 5, 1, 10, 0, 2, 1, tzinfo=UTC)
    assert json.loads(view["attributes"]) == {"page": "https://shop.example/", "session": "1714557600"}
    assert scroll["type"] == "scroll"
    assert told(bought, "customer_id", "type", "value", "topic") == ("u1", "purchase", 30.5, "shoes")
    assert bought["identified"] is True
    assert json.loads(bought["attributes"]) == {"discount": 4.0, "order": "T1"}
    assert told(refund, "type", "value") == ("refund", -30.5)
    assert told(screen, "customer_id", "type", "channel") == ("u1", "screen_view", "mobile_app")
    assert told(push, "type", "channel", "direction", "action") == ("contact", "mobile_app", "outbound", "sale")
    reasons = [row["reason"] for row in refused(workspace) if "file" in row]
    assert any("did not consent to be recognised" in reason for reason in reasons)
    assert any("is in GBP where tactful.yaml says currency: USD" in reason for reason in reasons)
    links = {told(row, "identifier", "kind", "customer_id") for row in History(workspace).links().to_pylist()}
    assert links == {("1234.5678", "cookie", "u1"), ("device-9", "device", "u1")}
    (profile,) = History(workspace).attributes().to_pylist()
    assert told(profile, "customer_id", "attributes") == ("u1", '{"tier":"gold"}')


def test_ga4_as_json_and_as_parquet_is_the_same_once(tmp_path):
    workspace = shop(tmp_path)
    take(workspace, "ga4", ga4_json(tmp_path))
    done = take(workspace, "ga4", ga4_parquet(tmp_path))
    assert (done.total.accepted, done.total.duplicates) == (0, 6)


# -- Shopify --------------------------------------------------------------------------------------------------------

ORDERS_CSV = """Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,\
Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,\
Lineitem price,Lineitem sku,Billing Name,Notes,Cancelled at,Payment Method,Refunded Amount,Vendor,Id,Tags,Source,Phone
#1001,Ann@Example.com,paid,2024-05-01 10:00:00 +0200,fulfilled,,yes,USD,90.00,5.00,8.00,95.00,SPRING,10.00,Standard,\
2024-05-01 09:59:00 +0200,1,Lamp,60.00,L-1,Ann,"two
lines",,Cash,0.00,Acme,450789469,,web,
#1001,Ann@Example.com,,,,,,,,,,,,,,2024-05-01 09:59:00 +0200,2,Bulb,20.00,B-1,,,,,,Acme,,,,
#1002,,partially_refunded,2024-05-02 10:00:00 +0200,,,no,USD,20.00,0.00,0.00,20.00,,0.00,,2024-05-02 10:00:00 +0200,\
1,Bulb,20.00,B-1,Bob,,2024-05-03 10:00:00 +0200,Cash,5.00,Acme,450789470,,pos,+4915550001
#1003,cy@example.com,voided,,,,no,USD,20.00,0.00,0.00,20.00,,0.00,,2024-05-02 11:00:00 +0200,1,Bulb,20.00,B-1,Cy,,,,,\
Acme,450789471,,web,
#1004,,paid,,,,no,USD,20.00,0.00,0.00,20.00,,0.00,,2024-05-02 12:00:00 +0200,1,Bulb,20.00,B-1,,,,,,Acme,450789472,,web,
"""


def test_shopify_csv(tmp_path):
    workspace = shop(tmp_path)
    path = write(tmp_path, "orders_export.csv", ORDERS_CSV)
    done = take(workspace, "shopify", path)
    assert str(done.total) == "5 received = 4 accepted + 0 duplicates + 1 quarantined"
    assert done.sources[0].aside == (("further lines of an order", 1),)
    found = by_id(workspace)
    ann = found["shopify-450789469"]
    assert told(ann, "customer_id", "type", "channel", "value") == ("ann@example.com", "purchase", "web", 95.0)
    assert ann["occurred_at"] == datetime(2024, 5, 1, 7, 59, tzinfo=UTC)
    assert json.loads(ann["attributes"]) == {"discount": 10.0, "order": "#1001", "code": "SPRING"}
    bob = found["shopify-450789470"]
    assert told(bob, "customer_id", "channel", "value") == ("+4915550001", "store", 20.0)
    back = found["shopify-cancelled-450789470"]
    assert told(back, "type", "value") == ("refund", -5.0)
    assert back["occurred_at"] == datetime(2024, 5, 3, 8, tzinfo=UTC)
    assert told(found["shopify-450789471"], "type", "value") == ("order_voided", None)
    (guest,) = refused(workspace)
    assert (guest["reason"], guest["row"]) == ("customer_id: is missing", 5)
    before = content(workspace)
    assert take(workspace, "shopify", path).total.accepted == 0
    assert content(workspace) == before


ORDERS = [
    {
        "id": 450789469, "name": "#1001", "email": "Ann@Example.com", "created_at": "2024-05-01T09:59:00+02:00",
        "processed_at": "2024-05-01T09:58:00+02:00", "cancelled_at": None, "currency": "USD", "total_price": "95.00",
        "total_discounts": "10.00", "financial_status": "partially_refunded", "source_name": "web", "test": False,
        "customer": {"id": 207119551, "email": "ann@example.com"}, "discount_codes": [{"code": "SPRING"}],
        "line_items": [{"id": 1, "price": "60.00", "quantity": 1}, {"id": 2, "price": "20.00", "quantity": 2}],
        "refunds": [
            {"id": 509, "created_at": "2024-05-09T10:00:00+02:00", "transactions": [
                {"id": 1, "kind": "refund", "status": "success", "amount": "20.00", "currency": "USD",
                 "created_at": "2024-05-09T10:00:00+02:00"},
                {"id": 2, "kind": "refund", "status": "failure", "amount": "5.00", "currency": "USD"}]},
            {"id": 510, "created_at": "2024-05-11T10:00:00+02:00", "transactions": [
                {"id": 3, "kind": "refund", "status": "success", "amount": "1.00"}]},
            {"id": 511, "created_at": "2024-05-12T10:00:00+02:00", "transactions": []},
        ],
    },
    {
        "id": 450789470, "name": "#1002", "email": "", "created_at": "2024-05-02T10:00:00+02:00", "currency": "USD",
        "cancelled_at": "2024-05-03T10:00:00+02:00", "cancel_reason": "customer", "total_price": "20.00",
        "financial_status": "paid", "source_name": "pos", "test": False, "customer": {"id": 7}, "refunds": [],
    },
    {"id": 3, "name": "#1003", "email": "t@example.com", "created_at": "2024-05-02T10:00:00+02:00", "currency": "USD",
     "total_price": "1.00", "test": True},
]  # fmt: skip


@pytest.mark.parametrize("form", ["page", "indented page", "array", "lines"])
def test_shopify_json(tmp_path, form):
    text = {
        "page": json.dumps({"orders": ORDERS}),
        "indented page": json.dumps({"orders": ORDERS}, indent=2),
        "array": json.dumps(ORDERS),
        "lines": lines(*ORDERS),
    }[form]
    workspace = shop(tmp_path)
    done = take(workspace, "shopify", write(tmp_path, "orders.json", text))
    assert (done.total.accepted, done.total.quarantined) == (5, 1)
    found = by_id(workspace)
    ann = found["shopify-450789469"]
    assert told(ann, "customer_id", "type", "channel", "value") == ("ann@example.com", "purchase", "web", 95.0)
    assert ann["occurred_at"] == datetime(2024, 5, 1, 7, 58, tzinfo=UTC)
    assert json.loads(ann["attributes"]) == {"discount": 10.0, "order": "#1001", "code": "SPRING"}
    first, second = found["shopify-refund-1"], found["shopify-refund-3"]
    assert told(first, "type", "value", "customer_id") == ("refund", -20.0, "ann@example.com")
    assert told(second, "value", "occurred_at") == (-1.0, datetime(2024, 5, 11, 8, tzinfo=UTC))
    assert told(found["shopify-450789470"], "customer_id", "channel") == ("7", "store")
    cancelled = found["shopify-cancelled-450789470"]
    assert told(cancelled, "type", "value", "occurred_at") == (
        "order_cancelled", None, datetime(2024, 5, 3, 8, tzinfo=UTC))  # fmt: skip
    links = [told(row, "identifier", "kind", "customer_id") for row in History(workspace).links().to_pylist()]
    assert links == [("207119551", "crm", "ann@example.com")]
    assert refused(workspace)[0]["reason"] == "refused: a test order"


def test_shopify_csv_and_json_meet(tmp_path):
    workspace = shop(tmp_path)
    take(workspace, "shopify", write(tmp_path, "orders.json", json.dumps({"orders": ORDERS[:1]})))
    take(workspace, "shopify", write(tmp_path, "orders.csv", ORDERS_CSV))
    bought = [row["interaction_id"] for row in rows(workspace) if row["type"] == "purchase"]
    assert sorted(bought) == ["shopify-450789469", "shopify-450789470"]


# -- any table of invoices ------------------------------------------------------------------------------------------


def at(*moment):
    return datetime(*moment, tzinfo=UTC)


INVOICES = {
    "uci": (
        "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
        "489434,85048,LIGHTS,12,12/1/2009 7:45,6.95,13085.0,United Kingdom\n"
        "C489449,22087,BUNTING,-12,12/13/2009 10:33,2.95,16321.0,Australia\n",
        [("13085", 83.4, "purchase", at(2009, 12, 1, 7, 45)),
         ("16321", -35.4, "refund", at(2009, 12, 13, 10, 33))],
    ),
    "german": (
        "Rechnungsnummer;Datum;Kundennummer;Menge;Einzelpreis\n1;31.01.2024;K1;2;1.234,50\n2;01.02.2024;K2;1;0,99\n",
        [("K1", 2469.0, "purchase", at(2024, 1, 31)), ("K2", 0.99, "purchase", at(2024, 2, 1))],
    ),
    "iso": (
        "order_id,order_date,user_id,amount,category,discount\n7,2024-01-31T10:00:00Z,u,10.5,Shoes,-2\n",
        [("u", 10.5, "purchase", at(2024, 1, 31, 10))],
    ),
    "compact": (
        "household_id|date|sales_value|basket_id\n9|20240131|3.5|1\n9|20240201|0|2\n",
        [("9", 3.5, "purchase", at(2024, 1, 31)), ("9", 0.0, "purchase", at(2024, 2, 1))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INVOICES)
def test_any_invoice_table(tmp_path, name):
    text, wanted = INVOICES[name]
    workspace = shop(tmp_path)
    done = take(workspace, "invoices", write(tmp_path, f"{name}.csv", text))
    found = [told(row, "customer_id", "value", "type", "occurred_at") for row in rows(workspace)]
    assert [(who, round(value, 9), kind, at) for who, value, kind, at in found] == wanted
    assert done.sources[0].told.startswith("read as customer_id = ")
    if name == "iso":
        (row,) = rows(workspace)
        assert row["topic"] == "shoes"
        assert json.loads(row["attributes"]) == {"invoice": "7", "discount": 2.0}


def test_an_invoice_table_as_parquet(tmp_path):
    frame = pd.DataFrame(
        {"CustomerID": [1.0, 2.0], "InvoiceDate": pd.to_datetime(["2024-01-02", "2024-01-03"]), "Total": [1.5, 2.5]}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    workspace = shop(tmp_path)
    take(workspace, "invoices", tmp_path / "t.parquet")
    assert [told(row, "customer_id", "value") for row in rows(workspace)] == [("1", 1.5), ("2", 2.5)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("when,who\n2024,x\n", "Looked for the customer: customerid, customerno"),
        ("customer,date,quantity\nx,2024-01-01,2\n", "an amount (or quantity and price): linetotal"),
        ("customer,date,total\nx,01/02/2024,2\n", "can be read day first or month first; say which in a map"),
        ("customer,date,total\nx,yesterday,2\n", "'yesterday' in 'date' is not a date that is understood"),
        ("customer,date,total\nx,,2\n", "the column 'date' holds no date"),
    ],
)
def test_an_invoice_table_that_needs_a_map_is_told_so(tmp_path, text, words):
    workspace = shop(tmp_path)
    with pytest.raises(WorkspaceError) as error:
        take(workspace, "invoices", write(tmp_path, "t.csv", text))
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert rows(workspace) == []


# -- CDNOW, Starbucks -----------------------------------------------------------------------------------------------

CDNOW = " 00001 19970101  1   11.77\r\n 00002 19970112  5   77.00\r\n 00002 19970112  5   77.00\r\n"


@pytest.mark.parametrize("head", ["", " customer_id  date number_of_cds  dollar_value\r\n"])
def test_cdnow(tmp_path, head):
    workspace = shop(tmp_path)
    done = take(workspace, "cdnow", write(tmp_path, "CDNOW_master.txt", head + CDNOW))
    assert str(done.total) == "3 received = 3 accepted + 0 duplicates + 0 quarantined"
    first = rows(workspace)[0]
    assert told(first, "customer_id", "value", "attributes") == ("00001", 11.77, '{"cds":1.0}')
    assert first["occurred_at"] == datetime(1997, 1, 1, tzinfo=UTC)


PORTFOLIO = [
    {
        "reward": 5,
        "channels": ["web", "email", "mobile"],
        "difficulty": 5,
        "duration": 7.0,
        "offer_type": "bogo",
        "id": "b5",
    },
    {"reward": 2, "channels": ["web", "email"], "difficulty": 10, "duration": 10, "offer_type": "discount", "id": "d2"},
]
PROFILE = [
    {"gender": "F", "age": 55, "id": "p1", "became_member_on": "20170715", "income": 112000},
    {"gender": None, "age": 118, "id": "p2", "became_member_on": 20170212, "income": None},
]
TRANSCRIPT = [
    {"person": "p1", "event": "offer received", "value": {"offer id": "b5"}, "time": 0},
    {"person": "p1", "event": "offer viewed", "value": {"offer id": "b5"}, "time": 6},
    {"person": "p1", "event": "offer received", "value": {"offer id": "b5"}, "time": 168},
    {"person": "p1", "event": "transaction", "value": {"amount": 19.5}, "time": 170},
    {"person": "p1", "event": "offer completed", "value": {"offer_id": "b5", "reward": 5}, "time": 170},
    {"person": "p2", "event": "offer viewed", "value": {"offer id": "d2"}, "time": 3},
    {"person": "p2", "event": "transaction", "value": {"amount": 1.25}, "time": 3},
    {"person": "p2", "event": "transaction", "value": {"amount": 1.25}, "time": 3},
]


def starbucks(folder, transcript=TRANSCRIPT):
    folder.mkdir()
    for name, records in (("portfolio", PORTFOLIO), ("profile", PROFILE), ("transcript", transcript)):
        write(folder, f"{name}.json", lines(*records))
    return folder


def test_starbucks(tmp_path):
    workspace = shop(tmp_path)
    folder = starbucks(tmp_path / "starbucks")
    done = take(workspace, "starbucks", folder)
    assert str(done.total) == "8 received = 8 accepted + 0 duplicates + 0 quarantined"
    frame = pd.DataFrame(rows(workspace)).sort_values(["customer_id", "occurred_at", "type"], ascending=[1, 1, 0])
    ann = frame[frame["customer_id"] == "p1"]
    assert list(ann["type"]) == ["contact", "impression", "contact", "purchase", "accepted"]
    assert list(ann["channel"]) == ["mobile_app", "mobile_app", "mobile_app", "store", "store"]
    assert list(ann["direction"]) == ["outbound", "inbound", "outbound", "inbound", "inbound"]
    assert set(ann["action"].dropna()) == {"bogo_5_7d"}
    one, seen, two, bought, done_ = ann.to_dict("records")
    assert seen["decision_id"] == one["decision_id"] != two["decision_id"] == done_["decision_id"]
    assert bought["value"] == 19.5
    assert bought["occurred_at"] == datetime(2018, 8, 3, 2, tzinfo=UTC), "170 hours after the start"
    assert json.loads(done_["attributes"]) == {"discount": 5.0}
    bob = frame[frame["customer_id"] == "p2"]
    assert list(bob["type"]) == ["purchase", "purchase", "impression"]
    assert bob["decision_id"].isna().all(), "a view of an offer that was never received answers nothing"
    assert list(bob["channel"]) == ["store", "store", "email"]
    (profile,) = History(workspace).attributes().to_pylist()
    assert profile["customer_id"] == "p1", "of p2 nothing is known"
    assert json.loads(profile["attributes"]) == {"age": 55, "gender": "F", "income": 112000}
    assert profile["valid_from"] == datetime(2017, 7, 15, tzinfo=UTC)
    before = content(workspace)
    assert take(workspace, "starbucks", folder).total.accepted == 0
    assert content(workspace) == before


def test_starbucks_files_that_are_not_there_or_not_right(tmp_path):
    workspace = shop(tmp_path)
    with pytest.raises(WorkspaceError, match=r"is no folder; the data set starbucks is a folder with transcript.json"):
        take(workspace, "starbucks", write(tmp_path, "x.json", "{}"))
    with pytest.raises(WorkspaceError, match="takes one PATH"):
        take(workspace, "starbucks")
    lacking = starbucks(tmp_path / "lacking")
    (lacking / "profile.json").unlink()
    with pytest.raises(WorkspaceError, match=r"has no file profile.json"):
        take(workspace, "starbucks", lacking)
    odd = starbucks(tmp_path / "odd", [*TRANSCRIPT, {"person": "p", "event": "slept", "value": {}, "time": 1}])
    with pytest.raises(WorkspaceError, match="row 9 has the event 'slept'"):
        take(workspace, "starbucks", odd)
    broken = starbucks(tmp_path / "broken")
    with open(broken / "transcript.json", "a") as file:
        file.write("\n{oops\n")
    with pytest.raises(WorkspaceError, match=r"transcript.json: row 9 is not valid JSON"):
        take(workspace, "starbucks", broken)
    assert rows(workspace) == []
    assert History(workspace).attributes().num_rows == 0
