"""Any table of invoices, orders or sales lines: its columns are found by their usual names, its dates by looking.

What is found is told with the receipt. Where something cannot be found, or could mean two things, nothing is guessed:
the message says what was looked for, and a map (features/templates/map-example.yaml) says it exactly.
"""

import re
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.sources.chunks import Chunk
from features.sources.files import Source, open_reader, shown
from features.sources.form import Format
from features.sources.mapping import Map, listed
from features.sources.named import Dataset
from features.sources.values import DATE_FORMS, Numbers, text
from features.workspace import WorkspaceError

#: What columns are called, letters and digits only; the first of these names that a table has is taken.
NAMES: dict[str, tuple[str, ...]] = {
    "customer": ("customerid", "customerno", "customernumber", "customercode", "customer", "clientid", "client",
                 "accountid", "accountno", "account", "householdid", "household", "memberid", "userid", "buyerid",
                 "buyer", "custid", "customeremail", "email", "kundennummer", "kunde", "idclient", "cliente"),
    "date": ("invoicedate", "invoicedatetime", "orderdate", "orderdatetime", "transactiondate", "transactiontimestamp",
             "purchasedate", "saledate", "salesdate", "datetime", "timestamp", "date", "orderedat", "createdat",
             "billingdate", "rechnungsdatum", "datum", "fecha"),
    "total": ("linetotal", "totalamount", "totalprice", "invoiceamount", "invoicetotal", "ordertotal", "orderamount",
              "salesvalue", "salesamount", "amount", "total", "revenue", "sales", "turnover", "dollarvalue", "value",
              "betrag", "importe"),
    "quantity": ("quantity", "qty", "units", "numberofunits", "menge", "cantidad"),
    "price": ("unitprice", "priceperunit", "itemprice", "price", "einzelpreis", "precio"),
    "invoice": ("invoiceno", "invoicenumber", "invoiceid", "invoice", "orderid", "orderno", "ordernumber",
                "transactionid", "basketid", "receiptid", "receiptno", "rechnungsnummer"),
    "product": ("stockcode", "productid", "productcode", "sku", "itemid", "itemcode", "product", "item", "description"),
    "category": ("productcategory", "category", "department", "productline", "producttype"),
    "discount": ("discountamount", "discount", "totaldiscount"),
}  # fmt: skip


def maps(source: Source) -> list[Map]:
    """The map that fits the table. Raises WorkspaceError saying what was looked for and not found."""
    reader, path = open_reader(source, Format()), shown(source)
    found = {role: name for role in NAMES if (name := _called(role, reader.columns)) is not None}
    _enough(found, reader.columns, path)
    chunk = next(iter(reader.chunks(list(found.values()))), None)
    if chunk is None or not chunk.rows:
        raise WorkspaceError(f"{path} has no rows")
    factors = ("total",) if "total" in found else ("quantity", "price")
    money = " * ".join(f"number(`{found[role]}`)" for role in factors)
    when = _date_format(chunk.column(found["date"]), found["date"], path)
    fields: dict[str, dict[str, str]] = {
        role: {"column": found[role]} for role in ("invoice", "product") if role in found
    }
    if "discount" in found:
        fields["discount"] = {"expression": f"abs(number(`{found['discount']}`))"}
    columns = {
        "customer_id": _customer(chunk.column(found["customer"]), found["customer"]),
        "occurred_at": {"column": found["date"], **({"format": when} if when else {})},
        "channel": {"constant": "store"},
        "type": {"cases": [{"when": f"{money} < 0", "then": "refund"}], "otherwise": "purchase"},
        "value": {"expression": money},
        **({"topic": {"expression": f"lower(`{found['category']}`)"}} if "category" in found else {}),
        **({"attributes": {"fields": fields}} if fields else {}),
    }
    numbers = {"decimal": _decimal(chunk, [found[role] for role in ("total", "price", "discount") if role in found])}
    date = found["date"] + (f" ({when})" if when else "")
    amount = " * ".join(found[role] for role in factors)
    told = f"read as customer_id = {found['customer']}, occurred_at = {date}, value = {amount}, channel = store"
    return [Map.model_validate({"columns": columns, "numbers": numbers, "description": told})]


def _called(role: str, columns: Sequence[str]) -> str | None:
    plain: dict[str, str] = {}
    for name in columns:
        plain.setdefault(re.sub(r"[\W_]", "", name).lower(), name)
    return next((plain[name] for name in NAMES[role] if name in plain), None)


def _enough(found: dict[str, str], columns: list[str], path: str) -> None:
    lacking = [role for role in ("customer", "date") if role not in found]
    if "total" not in found and not {"quantity", "price"} <= found.keys():
        lacking += ["total"]
    if not lacking:
        return
    what = {"customer": "the customer", "date": "the date", "total": "an amount (or quantity and price)"}
    sought = "; ".join(f"{what[role]}: {', '.join(NAMES[role][:6])} ..." for role in lacking)
    raise WorkspaceError(
        f"{path} is no table of invoices that can be read without a map. Looked for {sought}."
        f" It has {listed(columns)}. Say which is which with --map MAP.yaml (`tactful ingest --help` shows one)"
    )


def _customer(column: pa.Array, name: str) -> dict[str, str]:
    """17850.0, which a missing value made of 17850, is 17850."""
    words = pc.drop_null(text(column)[0])
    if len(words) and pc.all(pc.match_substring_regex(words, r"^\d+\.0$")).as_py():
        return {"expression": f"text(number(`{name}`))"}
    return {"column": name}


def _date_format(column: pa.Array, name: str, path: str) -> str | None:
    """How the dates are written, by the first rows; None where it goes without saying."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return None
    words = pc.drop_null(pc.unique(text(column)[0]))
    if not len(words):
        raise WorkspaceError(f"{path}: the column {name!r} holds no date in the first rows; name another in a map")
    texts = pd.Series(words.to_pandas())
    if _fitting(texts, "ISO8601") and not texts.str.fullmatch(r"\d+").any():
        return None
    for forms in DATE_FORMS:
        fits = {form: share for form in forms if (share := _fitting(texts, form))}
        best = [form for form, share in fits.items() if share == max(fits.values())]
        if len(best) == 2:
            raise WorkspaceError(
                f"{path}: dates such as {texts.iloc[0]!r} in {name!r} can be read day first or month first; say which"
                f" in a map: occurred_at: {{column: {name}, format: '{best[0]}'}} or '{best[1]}'"
            )
        if best:
            return best[0]
    raise WorkspaceError(
        f"{path}: {texts.iloc[0]!r} in {name!r} is not a date that is understood; name its format in a map:"
        f" occurred_at: {{column: {name}, format: ...}}"
    )


def _fitting(texts: pd.Series, form: str) -> float:
    """The share of texts that fit a date format, where nearly all do; else 0."""
    share = float(pd.to_datetime(texts, format=form, errors="coerce", utc=True).notna().mean())
    return share if share >= 0.95 else 0.0


def _decimal(chunk: Chunk, names: list[str]) -> str:
    """The decimal mark by which more of the amounts are numbers; a point where both do."""
    unread = {
        mark: sum(int(Numbers(mark).read(chunk.column(name))[1][0].sum()) for name in names) for mark in (".", ",")
    }
    return "," if unread[","] < unread["."] else "."


DATASET = Dataset(
    "invoices",
    "any table of invoices or sales lines whose columns have usual names",
    takes="a CSV, Parquet or JSON Lines file",
    maps=maps,
)
