"""Who stands in which group, by name: kept beside the report, for those who may look at customers."""

import numpy as np
import pyarrow as pa

from training.reports.uplift_targeting import measure
from training.reports.uplift_targeting.measure import Contacts, Expected

#: `contact` is the ranking's name, `kind` the group's, `predicted` the expected effect in the outcome's unit, `tenth`
#: the place among `tenths`, null where there are none.
COLUMNS = pa.schema(
    [
        ("contact", pa.string()),
        ("customer_id", pa.string()),
        ("kind", pa.string()),
        ("predicted", pa.float64()),
        ("tenth", pa.int8()),
    ]
)


def table(contact: str, customer: np.ndarray, contacts: Contacts, everyone: Expected) -> pa.Table:
    """As `measure.groups` counts them: each person once, as known last. `customer` has the ids behind `everyone`."""
    last = everyone.last
    predicted = everyone.predicted[last]
    place = measure.places(contacts, predicted)
    columns = {
        "contact": pa.array([contact] * len(last), pa.string()),
        "customer_id": pa.array(customer[last], pa.string()),
        "kind": pa.array([measure.KINDS[k] for k in everyone.kind[last]], pa.string()),
        "predicted": pa.array(predicted),
        "tenth": pa.nulls(len(last), pa.int8()) if place is None else pa.array(place + 1, pa.int8()),
    }
    return pa.table(columns, schema=COLUMNS)
