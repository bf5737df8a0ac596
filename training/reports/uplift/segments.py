"""Segments known before a contact: how often the customer reached the goal lately, and declared attributes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.clock import DAY
from features.history import History
from training.reports.database import connect
from training.reports.uplift import words
from training.reports.uplift.drawn import BEFORE, Drawn
from training.reports.uplift.log import Log

_BANDS = ("none", "1", "2 or 3", "4 or more")
_EDGES = np.array([1, 2, 4])
#: Of a CRM's many attributes, so many are looked at, in the order of tactful.yaml.
MOST_ATTRIBUTES = 3
_UNKNOWN = "not known"


@dataclass(frozen=True)
class Segment:
    """`of` object[n]: each drawn contact's band; `order` is the one to show them in."""

    title: str
    label: str
    #: What its contacts are called, `{}` being the band.
    whose: str
    of: np.ndarray
    order: tuple[str, ...]


def segments(log: Log, drawn: Drawn) -> list[Segment]:
    """Goals in the BEFORE days before the decision, and each declared attribute with labels as of the decision."""
    number, _ = log.goals.within(drawn.person, drawn.at - BEFORE * DAY, drawn.at)
    goal = " or ".join(log.settings.goal)
    label = f"{words.spoken(goal)} in the {BEFORE} days before"
    bands = np.array(_BANDS, object)[np.searchsorted(_EDGES, number, side="right")]
    whose = f"Contacts to customers with {{}} ({goal} in the {BEFORE} days before)"
    found = [Segment(f"By {goal} in the {BEFORE} days before", label, whose, bands, _BANDS)]
    declared = [(name, kind) for name, kind in log.settings.attributes.items() if not isinstance(kind, str)]
    for name, labels in declared[:MOST_ATTRIBUTES]:
        of = _as_of(log, drawn, name, [str(one) for one in labels])
        order = (*(str(one) for one in labels), "other", _UNKNOWN)
        plain = name.replace("_", " ")
        found.append(Segment(f"By {plain}", words.spoken(name), f"Contacts to customers with {plain} {{}}", of, order))
    return found


def _as_of(log: Log, drawn: Drawn, name: str, labels: list[str]) -> np.ndarray:
    """object[n]: what the attribute was when the decision was made; what is no label is `other`."""
    records = History(log.workspace).attributes()
    with connect() as database:
        database.register("records", records)
        said = database.sql(
            """SELECT customer_id, epoch_us(valid_from) AS moment, json_extract_string(attributes, $path) AS label
               FROM records WHERE json_exists(attributes, $path) ORDER BY moment, record_id""",
            params={"path": f'$."{name}"'},
        ).to_arrow_table()
    there = pc.is_in(said["customer_id"], pa.array(log.persons.ids, pa.string()))
    said = said.filter(there)  # nobody else was ever contacted
    told = pd.DataFrame({"person": log.person(said["customer_id"]), "moment": said["moment"].to_numpy(),
                         "label": said["label"].to_pylist()})  # fmt: skip
    asked = pd.DataFrame({"person": drawn.person, "moment": drawn.at})
    if not len(told):
        return np.full(len(asked), _UNKNOWN, object)
    found = pd.merge_asof(asked, told, on="moment", by="person")["label"]
    known = found.where(found.isin(labels) | found.isna(), "other").fillna(_UNKNOWN)
    return known.to_numpy(object)
