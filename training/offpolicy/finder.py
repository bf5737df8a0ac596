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
from training.offpolicy.weighing import Weighed

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


@dataclass(frozen=True)
class Fates:
    """What became of candidates, of rows [n]: `good` bool[n], whether any was. What stood in the way, one entry a
    candidate: `row` int[k] and `reason` int[k], a position in `words`."""

    good: np.ndarray
    row: np.ndarray
    reason: np.ndarray
    words: Sequence[str]


def reasons(fates: Sequence[Fate]) -> list[str]:
    """What stood in the way of each candidate, in a word or two."""
    return [_reason(fate) for fate in fates if fate.stage != "taken"]


def find(whole: Weighed, fates: Fates, workspace: Workspace) -> Found:
    """Over the decisions that were judged again."""
    people, first, who = np.unique(whole.who, return_index=True, return_inverse=True)
    missed = np.bincount(who, fates.good, len(people)) == 0
    why = _mostly(who[fates.row], fates, missed)
    counts = Counter(reason for reason, miss in zip(why, missed, strict=True) if miss)
    newest = np.append(first[1:], len(who)) - 1
    return Found(
        len(people), int(missed.sum()), dict(counts.most_common()), _groups(whole, newest, missed, why, workspace)
    )


def _mostly(who: np.ndarray, fates: Fates, missed: np.ndarray) -> list[str]:
    """Of each person who is missed what stood in the way most often, the first of those alike; of others, nothing."""
    blocked: dict[int, Counter[int]] = {person: Counter() for person in np.flatnonzero(missed).tolist()}
    mine = np.flatnonzero(missed[who])
    mine = mine[np.argsort(fates.row[mine], kind="stable")]
    for person, reason in zip(who[mine].tolist(), fates.reason[mine].tolist(), strict=True):
        blocked[person][reason] += 1
    return [_most(blocked[person], fates.words) if miss else "" for person, miss in enumerate(missed.tolist())]


def _reason(fate: Fate) -> str:
    """In a word or two: the rule that tripped, the stage that refused, or that it is not worth it."""
    if fate.stage == "guard":
        return fate.trips[0].rule
    if fate.stage in _SURVIVED:
        return "worth less than silence"
    return {"score": "no score"}.get(fate.stage, f"not {fate.stage}")


def _most(counts: Counter[int], words: Sequence[str]) -> str:
    return words[counts.most_common(1)[0][0]] if counts else "no action on the channel asked for"


def _groups(
    whole: Weighed, newest: np.ndarray, missed: np.ndarray, why: Sequence[str], workspace: Workspace
) -> list[Group]:
    """Leaves in which more than the average is missed, worst first; none where nothing tells people apart. `newest`:
    each person's newest row."""
    named, log, rows = catalogues.of(workspace), whole.log, whole.rows[newest]
    if len(rows) < 2 * SMALLEST or missed.all() or not missed.any():
        return []
    if any(log.catalogues[code] != named.version for code in np.unique(log.catalogue[rows]).tolist()):
        return []
    from sklearn.tree import DecisionTreeClassifier

    features = log.features[rows, : len(named.names)].astype(np.float32)
    tree = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=SMALLEST, random_state=0).fit(features, missed)
    leaf = tree.apply(features)
    found = []
    for number in np.unique(leaf):
        here = leaf == number
        if missed[here].mean() > missed.mean():
            reasons = Counter(reason for reason, inside in zip(why, here & missed, strict=True) if inside)
            text = _path(tree.tree_, int(number), named.names)
            found.append(Group(text, int(here.sum()), int(missed[here].sum()), reasons.most_common(1)[0][0]))
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
