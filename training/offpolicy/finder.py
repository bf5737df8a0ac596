"""Whom a policy leaves without any good action: nothing survives its rules that is worth more than silence.

A person counts as served if any of their decisions had a good action. Groups are the leaves of a small tree over the
features of their newest decision, so that a marketer reads who is missed, and why.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features import catalogue as catalogues
from features.workspace import Workspace
from serving.decisions.fate import Fate
from training.offpolicy.logbook import Logbook
from training.offpolicy.rejudging import Rejudged

DEPTH, SMALLEST, GROUPS = 2, 50, 5
_SURVIVED = ("chosen", "withheld", "arbitration", "holdout", "experiment", "taken")


@dataclass(frozen=True)
class Group:
    """Persons alike: how many, how many of them without a good action, and what mostly stood in the way."""

    text: str
    customers: int
    without: int
    why: str


@dataclass(frozen=True)
class Found:
    """Of all persons decided about. `why` counts the persons by what stood in the way most often."""

    customers: int
    without: int
    why: dict[str, int]
    groups: Sequence[Group]


def good(fate: Fate) -> bool:
    """A survivor that is worth more than silence."""
    return fate.stage in _SURVIVED and fate.factors is not None and fate.factors.expected_value > 0.0


def find(log: Logbook, judged: Sequence[Rejudged], workspace: Workspace) -> Found:
    """Over the decisions that were judged again."""
    served: dict[int, bool] = {}
    blocked: dict[int, Counter[str]] = {}
    newest: dict[int, int] = {}
    for row, each in enumerate(judged):
        if each.unknown is not None:
            continue
        who = int(log.who[row])
        newest[who] = row
        served[who] = served.get(who, False) or any(map(good, each.fates))
        blocked.setdefault(who, Counter()).update(_reason(fate) for fate in each.fates if fate.stage != "taken")
    people = list(newest)
    missed = np.array([not served[who] for who in people], bool)
    why = [_most(blocked[who]) for who in people]
    counts = Counter(reason for reason, miss in zip(why, missed, strict=True) if miss)
    rows = [newest[who] for who in people]
    return Found(len(people), int(missed.sum()), dict(counts.most_common()), _groups(log, rows, missed, why, workspace))


def _reason(fate: Fate) -> str:
    """In a word or two: the rule that tripped, the stage that refused, or that it is not worth it."""
    if fate.stage == "guard":
        return fate.trips[0].rule
    if fate.stage in _SURVIVED:
        return "worth less than silence"
    return {"score": "no score"}.get(fate.stage, f"not {fate.stage}")


def _most(counts: Counter[str]) -> str:
    return counts.most_common(1)[0][0] if counts else "no action on the channel asked for"


def _groups(
    log: Logbook, rows: Sequence[int], missed: np.ndarray, why: Sequence[str], workspace: Workspace
) -> list[Group]:
    """Leaves in which more than the average is missed, worst first; none where nothing tells people apart."""
    named = catalogues.of(workspace)
    told = [log.documents[row] for row in rows]
    if len(rows) < 2 * SMALLEST or missed.all() or not missed.any():
        return []
    if any(each.get("catalogue_version") != named.version for each in told):
        return []
    from sklearn.tree import DecisionTreeClassifier

    features = np.array(
        [[np.nan if value is None else value for value in each["features"]] for each in told], np.float32
    )
    tree = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=SMALLEST, random_state=0).fit(features, missed)
    leaf = tree.apply(features)
    found = []
    for number in np.unique(leaf):
        here = leaf == number
        if missed[here].mean() > missed.mean():
            reasons = Counter(reason for reason, inside in zip(why, here & missed, strict=True) if inside)
            text = _path(tree.tree_, int(number), named.names)
            found.append(Group(text, int(here.sum()), int(missed[here].sum()), _most(reasons)))
    return sorted(found, key=lambda group: -group.without)[:GROUPS]


def _path(tree: object, leaf: int, names: Sequence[str]) -> str:
    """The questions that lead to a leaf, as text; a missing value goes the way most do."""
    left, right = tree.children_left, tree.children_right  # type: ignore[attr-defined]
    feature, threshold = tree.feature, tree.threshold  # type: ignore[attr-defined]
    parents = {int(child): (node, sign) for node in range(len(left)) for child, sign in
               ((left[node], "<="), (right[node], ">")) if child >= 0}  # fmt: skip
    parts: list[str] = []
    while leaf in parents:
        leaf, sign = parents[leaf]
        parts.append(f"{names[feature[leaf]]} {sign} {threshold[leaf]:.4g}")
    return " and ".join(reversed(parts)) or "everybody"
