"""Estimates the numbers that features bring along from a workspace's own history: `tactful features fit`.

BG/NBD's four (see features/visits.py) are the only ones so far.
"""

import os
from pathlib import Path

import numpy as np
import yaml

from features import batch, clock
from features.catalogue import Catalogue, of
from features.definitions import Selector
from features.fitted import FILE, Fit, Fitted
from features.history import History
from features.kinds import ActiveDays, Recency, Silence, Tenure
from features.kinds.silence import SPAN
from features.visits import Visits, fit_visits
from features.workspace import Workspace, WorkspaceError

#: Fewer customers who came back tell nothing of how customers come back.
FEWEST = 50


def fit(workspace: Workspace, before: int) -> dict[str, tuple[Fit, int]]:
    """Estimates for every kind of interaction whose silence the catalogue asks for, and from how many customers.

    Only what was known at `before` (microseconds) is looked at. Writes WORKSPACE/features.yaml, whole or not at all.
    Raises WorkspaceError where the catalogue asks for none, or too few customers came back.
    """
    asked: dict[str, Selector] = {f.who.name: f.who for f in of(workspace) if isinstance(f, Silence)}
    if not asked:
        raise WorkspaceError(f"{workspace.folder}: no feature of the catalogue has numbers to fit (see `Silence`)")
    past = History(workspace).past(until=before)
    found = {}
    for name, who in asked.items():
        small = Catalogue((ActiveDays(who, SPAN), Recency(who), Tenure(who)))
        active_days, recency, tenure = batch.compute(past, [before], small, workspace.settings).values.T
        known = ~np.isnan(recency)  # customers of the span: of others the model was not told when they left
        visits = Visits.of(active_days[known], recency[known], tenure[known], SPAN)
        returned = int((visits.repeats > 0).sum())
        if returned < FEWEST:
            raise WorkspaceError(
                f"{workspace.folder}: {returned} customers with more than one day of {who.text} before "
                f"{clock.isoformat(before)}; a fit takes {FEWEST}: choose a later date or ingest more history"
            )
        # what is written is what is used: six digits are more than the data tell
        r, alpha, a, b = (float(f"{number:.6g}") for number in fit_visits(visits))
        found[name] = Fit(r=r, alpha=alpha, a=a, b=b), len(visits.age)
    content = Fitted(before=clock.isoformat(before), silence={name: numbers for name, (numbers, _) in found.items()})
    head = "# Written by `tactful features fit`. Remove the file to go back to the numbers that ship.\n"
    _write(workspace.folder / FILE, head + yaml.safe_dump(content.model_dump(), sort_keys=False))
    return found


def _write(path: Path, text: str) -> None:
    """All of it, on disk, or what was there before."""
    own = path.with_suffix(f".{os.getpid()}")
    try:
        with own.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        own.replace(path)
    except OSError as error:
        own.unlink(missing_ok=True)
        raise WorkspaceError(f"{path} cannot be written: {error.strerror}") from None
