"""Every customer's probabilities in one file: the same numbers as the service's /v1/score, from history."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from features import batch
from features.catalogue import of
from features.clock import isoformat
from features.history import History
from features.workspace import Workspace, WorkspaceError
from serving.champions import Champion, Champions
from serving.decisions import policy
from serving.decisions.eligibility import candidates
from serving.scoring import inputs_of

#: Customers scored at once: bounds the memory of the models' inputs.
BLOCK = 20_000


def champions_of(workspace: Workspace) -> Mapping[str, Champion]:
    """The champions; WorkspaceError says which is missing and what to run.

    Propensity may be untrained, for a log of purchases alone holds no offer to learn from, and models of effects may
    be. A champion that there is but that cannot be used is an error all the same.
    """
    champions = Champions(workspace, of(workspace))
    champions.poll(log_problems=False)  # what is missing is raised, or told behind the scores
    able = champions.current.keys() | (champions.untrained & {"propensity"})
    if missing := {kind: text for kind, text in champions.problems.items() if kind not in able}:
        raise WorkspaceError("; ".join(missing.values()))
    return champions.current


def score(workspace: Workspace, as_of: int, progress: Callable[[int, int], None] | None = None) -> pa.Table:
    """One row a customer known before `as_of`: churn, and propensity_ACTION_CHANNEL for each treatment; for those that
    the uplift champion knows uplift_ACTION_CHANNEL, too.

    No propensity columns where that model was never trained. No harm: it goes by the contacts that stand, which a
    decision knows. `progress(done, total)` counts customers. Raises WorkspaceError without a churn champion, with one
    that cannot be used, or without history.
    """
    champions = champions_of(workspace)
    listed = candidates(policy.load(workspace).actions, None)
    treatments = listed if "propensity" in champions else []
    effects = champions["uplift"].effects if "uplift" in champions else None
    known = [] if effects is None else [each for each in listed if effects.bound.place(*each.key) >= 0]
    past = History(workspace).past(until=as_of)
    if past.interactions.num_rows == 0:
        raise WorkspaceError(f"history holds nothing before {isoformat(as_of)}; `tactful ingest` brings interactions")
    matrix = batch.compute(past, [as_of], of(workspace), workspace.settings)
    values = matrix.values
    threads = os.cpu_count() or 1
    churn = np.empty(len(values))
    offered = np.empty((len(treatments), len(values)))
    caused = np.empty((len(values), len(known)))
    for start in range(0, len(values), BLOCK):
        block = slice(start, start + BLOCK)
        churn[block] = champions["churn"].scorer.customers(values[block], threads=threads)
        for row, treatment in enumerate(treatments):
            offered[row, block] = champions["propensity"].scorer.customers(
                values[block], inputs_of(treatment), threads=threads
            )
        if effects is not None:
            caused[block] = effects.uplift(values[block], known, threads)
        if progress is not None:
            progress(min(start + BLOCK, len(values)), len(values))
    columns = {
        "customer_id": pa.array(matrix.customer_id.tolist(), pa.string()),
        "as_of": pa.array(matrix.as_of, pa.timestamp("us", tz="UTC")),
        "churn": pa.array(churn),
    }
    for row, treatment in enumerate(treatments):
        columns[f"propensity_{treatment.action.name}_{treatment.channel}"] = pa.array(offered[row])
    for column, treatment in enumerate(known):
        columns[f"uplift_{treatment.action.name}_{treatment.channel}"] = pa.array(caused[:, column])
    said = {f"tactful.{kind}": f"version {c.version}, run {c.model.run_id}" for kind, c in champions.items()}
    said["tactful.catalogue"] = matrix.catalogue.version
    return pa.table(columns).replace_schema_metadata(said)


def write(table: pa.Table, target: Path) -> None:
    """CSV where the name says so, else Parquet; whole or not at all: a killed process leaves what was there."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if target.suffix.lower() == ".csv":
            csv.write_csv(table, part)
        else:
            pq.write_table(table, part)
        part.replace(target)
    except OSError as error:
        raise WorkspaceError(f"{target}: cannot be written: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
