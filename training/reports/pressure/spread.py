"""Whether customers are spread over cap levels as the contact policy declares: a sample-ratio check.

A customer counts at their first decision under a policy with these levels, when they were neither held out nor in an
arm of an experiment, for those are drawn before. Shares are those of the policy that decided; decisions whose policy
was not kept say nothing, for their levels may be another system's.
"""

import numpy as np
import pyarrow.compute as pc

from features import decision_log
from features.history import History
from features.workspace import Workspace
from serving.decisions.policy import ContactPolicy
from training.labels import micros
from training.persons import Numbered
from training.reports import experiment, statistics
from training.reports.artefact import Assignment
from training.reports.pressure import words
from training.reports.pressure.log import policy_of
from training.reports.uplift import planned

_COLUMNS = ["decided_at", "customer_id", "policy_version", "arm", "experiment", "cap_level"]
USUAL = 1.0


def spread(workspace: Workspace) -> Assignment | None:
    """None where no levels are declared, or nobody was decided about under them."""
    now = policy_of(workspace)
    declared = {} if now is None else _shares(now)
    if now is None or len(declared) < 2:
        return None
    history = History(workspace)
    table = decision_log.read(history, _COLUMNS)
    if not table.num_rows:
        return None
    stated, which = planned.of_rows(workspace, table["policy_version"], now)
    known = np.array([one is not now and _shares(one).keys() == declared.keys() for one in stated])
    treated = pc.fill_null(pc.equal(table["arm"], "treated"), True).to_numpy()
    rows = np.flatnonzero(known[which] & treated & table["experiment"].is_null().to_numpy())
    if not len(rows):
        return None
    who = Numbered.of([table["customer_id"]], history.links(), workspace.settings).number(table["customer_id"])[rows]
    order = rows[np.lexsort((micros(table["decided_at"])[rows], who))]
    first = order[np.flatnonzero(np.diff(np.sort(who), prepend=-1))]
    factors = sorted(declared, key=lambda factor: (factor != USUAL, factor))
    shares = np.array([[_shares(one).get(factor, 0.0) for factor in factors] for one in stated])[which[first]]
    level = pc.fill_null(table["cap_level"], USUAL).to_numpy()[first]
    times, place = np.unique(shares, axis=0, return_inverse=True)
    counts = np.array([np.bincount(place.ravel()[level == factor], minlength=len(times)) for factor in factors]).T
    names = ["usual caps" if factor == USUAL else words.factor(factor) for factor in factors]
    return experiment.assignment(
        "the cap levels",
        names[0],
        dict(zip(names, counts.sum(axis=0).tolist(), strict=True)),
        dict(zip(names, shares.mean(axis=0).tolist(), strict=True)),
        {},
        p=statistics.sample_ratios(counts, times),
    )


def _shares(policy: ContactPolicy) -> dict[float, float]:
    """Of customers in no other arm, by the factor on their caps; those that nobody is to have are left out."""
    if policy.cap_levels is None:
        return {}
    found: dict[float, float] = {USUAL: 1.0 - sum(level.share for level in policy.cap_levels.levels)}
    for level in policy.cap_levels.levels:
        found[level.factor] = found.get(level.factor, 0.0) + level.share
    return {factor: share for factor, share in found.items() if share > 1e-9}
