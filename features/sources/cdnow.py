"""CDNOW, the classic of customer-base analysis: purchases of one cohort over eighteen months."""

from features.sources.files import Source
from features.sources.mapping import Map
from features.sources.named import Dataset, shipped
from features.sources.streams import Text

_COLUMNS = ["customer_id", "date", "number_of_cds", "dollar_value"]


def maps(source: Source) -> list[Map]:
    """The file goes around with a header and without one."""
    plan = shipped("cdnow")
    if isinstance(source, str) or b"customer_id" in (Text(source, None).read(4096) or b""):
        return [plan]
    return [plan.model_copy(update={"format": plan.format.model_copy(update={"columns": _COLUMNS})})]


DATASET = Dataset("cdnow", "CDNOW purchases, 1997 to 1998", takes="CDNOW_master.txt", maps=maps)
