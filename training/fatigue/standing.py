"""The table of `tactful fatigue`: everybody's saturation as of the end of the log."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from features import batch
from features import catalogue as catalogues
from features.clock import DAY
from features.workspace import Workspace
from training.dataset import read as read_past
from training.fatigue.fit import Sample, fit
from training.fatigue.log import features_of, read
from training.fatigue.saturation import counted, saturation
from training.fatigue.train import clock_of, sampled, stated_of

#: Who was neither contacted nor bought anything for so long is no customer any more.
ACTIVE = 365 * DAY


def standing(
    workspace: Workspace, since: int | None, tell: Callable[[str], None] = lambda _: None
) -> tuple[pa.Table, Mapping[str, Mapping[str, int]]]:
    """See saturation.py for the columns; and how many customers have which status, by channel."""
    log, catalogue = read(workspace, since), catalogues.of(workspace)
    tell("features")
    rows = sampled(log.decided, 0)
    found = features_of(workspace, log, rows, catalogue)
    tell("learning what contacts cost")
    fitted = fit(log.decided, log.happened, log.pressure, clock_of(log, workspace.settings), stated_of(workspace, log),
                 Sample(rows, found.values, list(catalogue.names), found.levels))  # fmt: skip
    tell("where customers stand")
    until, happened = log.happened.until, log.happened
    seen = (happened.contacts, happened.purchases)
    who = np.unique(np.concatenate([each.who[each.at >= until - ACTIVE] for each in seen]))
    z = None
    if fitted.harm.standard is not None and any(one.shown for one in fitted.harm.differs.values()):
        now = batch.compute_at(read_past(workspace), log.ids[who], np.full(len(who), until), catalogue,
                               workspace.settings)  # fmt: skip
        z = fitted.harm.standard.z(now.values)
    table = saturation(fitted, happened, log.ids, who, until, z)
    return table, counted(table)
