"""Will a customer who is alive at a cutoff stay away for the horizon? By the rule in tactful.yaml."""

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from features import batch
from features.catalogue import DEFAULT, Catalogue
from features.clock import DAY
from features.past import Past
from features.workspace import Settings, WorkspaceError
from training.dataset import Compute, Dataset, Pairs, assemble
from training.labels import Life
from training.windows import Windows, latest, plan, require

#: A seeded sample of more: it bounds the time and memory of a training. What more rows would add is not measured.
TRAINING_ROWS = 60_000
CALIBRATION_ROWS = 60_000


def churn(
    past: Past | pa.Table,
    settings: Settings,
    test: int | None = None,
    catalogue: Catalogue = DEFAULT,
    compute: Compute = batch.compute_at,
    built: Collection[int] | None = None,
) -> Dataset:
    """Customers alive at weekly cutoffs, and whether they then stayed away. `test` overrides the test cutoff.

    `built` are the only cutoffs that `compute` knows, where it does not know all; the newest that can be judged is then
    the test cutoff by default.

    Raises WorkspaceError where the log is too short or shows only one of the two outcomes, or cutoffs are lacking.
    """
    past = Past.of(past)
    life = Life.of(past, settings)
    if len(life.signs.at) == 0:
        raise WorkspaceError(
            f"history holds no interaction of the types that show life ({', '.join(settings.churn.qualifying)});"
            " correct `churn.qualifying` in tactful.yaml, or the type in the ingest map"
        )
    horizon = settings.churn.horizon_days * DAY
    first, last = int(life.signs.at[0]), int(life.signs.at[-1])
    if built is not None and test is None:
        test = max((cutoff for cutoff in built if cutoff <= latest(last, horizon)), default=None)
    windows = plan(first, last, horizon, test)
    if built is not None:
        require(windows, built)
    chosen = {
        "training": pairs(life, windows.training).at_most(TRAINING_ROWS, seed=0),
        "embargo": pairs(life, windows.embargo).at_most(TRAINING_ROWS, seed=1),
        "calibration": pairs(life, windows.calibration, windows.test).at_most(CALIBRATION_ROWS, seed=2),
        "test": pairs(life, (windows.test,)),
    }
    early = None
    if windows.newest and arrived(life, windows):
        days = windows.early_days
        chosen["newest"] = pairs(life, windows.newest, windows.test, days).at_most(CALIBRATION_ROWS, seed=3)
        # the same rows as in calibration
        early = pairs(life, windows.calibration, windows.test, days).at_most(CALIBRATION_ROWS, seed=2).label
    return assemble("churn", past, settings, chosen, windows, catalogue, compute, early=early)


def arrived(life: Life, windows: Windows) -> bool:
    """Whether signs of life came in on as many of the newest days as of calibration's, but for one.

    Where they did not, the feed stood still or is late, which nobody's silence tells apart from leaving.
    """
    span = windows.early_days * DAY
    days = [life.signs.days(cutoff, cutoff + span) for cutoff in (*windows.calibration, *windows.newest)]
    return max(days) - min(days) <= 1


def pairs(life: Life, cutoffs: Sequence[int], like: int | None = None, early: int | None = None) -> Pairs:
    """Everyone alive at each cutoff, with what came of them; in the first `early` days, where those are given.

    In a log hardly older than `active_days` nobody has been away too long yet, while at a later instant `like` only the
    livelier are left. Where it is given, a customer must have been alive within the same share of the log's age as
    then, so that a link is fitted to the kind of customers it will be used for; in an old log that changes nothing.
    """
    first, days = life.signs.at[0], life.rule.active_days
    rows = []
    for cutoff in cutoffs:
        share = 1.0 if like is None else (cutoff - first) / (like - first)
        rows.append((cutoff, life.population(cutoff, days * share), life.churned(cutoff, early)))
    if not rows:
        return Pairs(np.empty(0, object), np.empty(0, np.int64), np.empty(0, bool))
    return Pairs(
        np.concatenate([life.customers[who] for _, who, _ in rows]),
        np.concatenate([np.full(len(who), cutoff, np.int64) for cutoff, who, _ in rows]),
        np.concatenate([churned[who] for _, who, churned in rows]),
    )
