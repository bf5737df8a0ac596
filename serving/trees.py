"""LightGBM's trees as flat tables that compiled code walks: the same sums to the last bit, without a call's overhead.

`Booster.predict` spends 50 us on a single row before the first tree is looked at. Trees that do not ask about the
action are walked once for all candidates of a customer. A model that says something this reading does not know
(linear leaves, random forests, several classes), or whose probes differ in any bit, is left to LightGBM itself.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numba import njit

CATEGORICAL, DEFAULT_LEFT = 1, 2  # bits of decision_type; the two above them say what counts as missing
MISSING_ZERO, MISSING_NAN = 1, 2
ZERO = float(np.float32(1e-35))  # LightGBM's own notion of zero
PROBES = 64
log = logging.getLogger("tactful.scorer")


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees end to end; a child below 0 is leaf `~child`, a feature below 0 is the action's `~feature`.

    `root` [trees] is where each tree starts (below 0: a single leaf), `own` says which ask about the action at all.
    A categorical node's threshold is its place in `bits_at`, which cuts `bits` (32 codes a word) into sets.
    """

    root: np.ndarray
    own: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    decision: np.ndarray
    left: np.ndarray
    right: np.ndarray
    leaf: np.ndarray
    bits_at: np.ndarray
    bits: np.ndarray

    def add(self, rows: np.ndarray, actions: np.ndarray, out: np.ndarray) -> None:
        """Adds the raw score of rows [n, columns] with each of actions [m, own columns] to out [n, m]."""
        _walk(rows, actions, self.root, self.own, self.feature, self.threshold, self.decision, self.left, self.right,
              self.leaf, self.bits_at, self.bits, out)  # fmt: skip


def read(booster: lgb.Booster, of_action: Mapping[int, int]) -> Trees | None:
    """The booster's trees, `of_action` naming the place of each column that the action brings; None: ask LightGBM."""
    try:
        trees = _read(booster.model_to_string(), of_action)
    except (KeyError, ValueError) as error:
        log.info("the model is left to LightGBM: %s", error)
        return None
    columns = booster.num_feature()
    probes = _probes(trees, columns, of_action)
    found = np.zeros((PROBES, 1))
    for i in range(PROBES):
        own = np.array([[probes[i, k] for k in sorted(of_action, key=of_action.__getitem__)]]).reshape(1, -1)
        trees.add(probes[i : i + 1], own, found[i : i + 1])
    if not np.array_equal(found[:, 0], booster.predict(probes, raw_score=True, num_threads=1)):
        log.warning("the model's trees read differently than LightGBM reads them: it is asked itself, which is slower")
        return None
    return trees


def _read(text: str, of_action: Mapping[int, int]) -> Trees:
    """Raises ValueError or KeyError where the text holds what is not known here."""
    head, *parts = re.split(r"^Tree=\d+$", text.split("\nend of trees")[0], flags=re.MULTILINE)
    if "num_tree_per_iteration=1\n" not in head or re.search(r"^average_output", head, re.MULTILINE):
        raise ValueError("it is not a plain sum of trees")
    root, own = [], []
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("feature", "threshold", "decision", "left", "right")}
    leaves, bits_at, bits = [], [np.zeros(1, np.int64)], []
    nodes = leaf = sets = words = 0
    for part in parts:
        said = dict(line.split("=", 1) for line in part.strip().splitlines() if "=" in line)
        if said.get("is_linear", "0") != "0":
            raise ValueError("its leaves are linear")
        values = np.array(said["leaf_value"].split(), np.float64)
        inner = len(values) - 1
        root.append(nodes if inner else ~leaf)
        leaves.append(values)
        if inner:
            feature = np.array(said["split_feature"].split(), np.int64)
            decision = np.array(said["decision_type"].split(), np.int64)
            threshold = np.array(said["threshold"].split(), np.float64)
            threshold[decision & CATEGORICAL > 0] += sets
            for side in ("left", "right"):
                child = np.array(said[f"{side}_child"].split(), np.int64)
                columns[side].append(np.where(child >= 0, child + nodes, child - leaf))
            columns["feature"].append(np.array([~of_action[f] if f in of_action else f for f in feature.tolist()]))
            columns["threshold"].append(threshold)
            columns["decision"].append(decision)
            own.append(bool((columns["feature"][-1] < 0).any()))
            if int(said["num_cat"]):
                ends = np.array(said["cat_boundaries"].split(), np.int64)
                bits_at.append(ends[1:] + words)
                bits.append(np.array(said["cat_threshold"].split(), np.int64))
                sets, words = sets + len(ends) - 1, words + int(ends[-1])
        else:
            own.append(False)
        nodes, leaf = nodes + inner, leaf + len(values)
    flat = {name: np.concatenate(found) if found else np.zeros(0, np.int64) for name, found in columns.items()}
    return Trees(
        np.array(root, np.int64),
        np.array(own, np.bool_),
        flat["feature"].astype(np.int64),
        flat["threshold"].astype(np.float64),
        flat["decision"].astype(np.int64),
        flat["left"].astype(np.int64),
        flat["right"].astype(np.int64),
        np.concatenate(leaves) if leaves else np.zeros(0),
        np.concatenate(bits_at),
        np.concatenate(bits) if bits else np.zeros(0, np.int64),
    )


def _probes(trees: Trees, columns: int, of_action: Mapping[int, int]) -> np.ndarray:
    """Rows of what decides: thresholds and their neighbours, nulls, zeros, codes inside and outside the sets."""
    random = np.random.default_rng(0)
    back = {~place: column for column, place in of_action.items()}
    feature = np.array([back.get(f, f) for f in trees.feature.tolist()], np.int64)
    rows = np.empty((PROBES, columns))
    most = 32.0 * max(1, len(trees.bits))
    for k in range(columns):
        here = feature == k
        codes = trees.decision[here] & CATEGORICAL > 0
        edges = trees.threshold[here][~codes]
        pool = [np.nan, 0.0, -1.0, 1.0, 2.0, 3.0, *edges, *np.nextafter(edges, np.inf), *np.nextafter(edges, -np.inf)]
        if codes.any():
            pool += [*np.arange(0.0, min(most, 64.0)), 1e6]
        rows[:, k] = random.choice(np.array(pool), PROBES)
    return rows


@njit(nogil=True)
def _walk(rows, actions, root, own, feature, threshold, decision, left, right, leaf, bits_at, bits, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """In the order of the trees for every cell, as LightGBM adds them."""
    candidates = out.shape[1]
    for i in range(out.shape[0]):
        for tree in range(root.shape[0]):
            times = candidates if own[tree] else min(1, candidates)
            value = 0.0
            for j in range(times):
                node = root[tree]
                while node >= 0:
                    column = feature[node]
                    v = rows[i, column] if column >= 0 else actions[j, ~column]
                    to_left = _goes_left(v, threshold[node], decision[node], bits_at, bits)
                    node = left[node] if to_left else right[node]
                value = leaf[~node]
                if own[tree]:
                    out[i, j] += value
            if not own[tree]:
                for j in range(candidates):
                    out[i, j] += value


@njit(nogil=True)
def _goes_left(v, threshold, decision, bits_at, bits):  # type: ignore[no-untyped-def]  # pragma: no cover
    missing = decision >> 2 & 3
    null = v != v
    if decision & CATEGORICAL:
        if null or not -1.0 < v < 2.0**31:  # C cuts the fraction off, towards 0
            return False
        code, kind = np.int64(v), np.int64(threshold)
        word = code >> 5
        if word >= bits_at[kind + 1] - bits_at[kind]:
            return False
        return bits[bits_at[kind] + word] >> (code & 31) & 1 == 1
    if -ZERO <= v <= ZERO or (null and missing != MISSING_NAN):
        v, null = 0.0, False
    if null or (missing == MISSING_ZERO and v == 0.0):
        return decision & DEFAULT_LEFT > 0
    return v <= threshold
