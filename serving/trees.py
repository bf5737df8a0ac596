"""A booster's trees as tables, where those say what LightGBM says: to the last bit, whatever the row.

A model that says something this reading does not know (linear leaves, random forests, several classes), or whose
probes differ in any bit, is left to LightGBM itself.
"""

import logging
from collections.abc import Mapping

import lightgbm as lgb
import numpy as np

from serving.decisions.effects.nodes import COLUMN, KIND, SET, Nodes, parse

PROBES = 64
log = logging.getLogger("tactful.scorer")


def read(booster: lgb.Booster, of_action: Mapping[int, int]) -> Nodes | None:
    """The booster's trees, `of_action` naming the place of each column that the action brings; None: ask LightGBM."""
    try:
        trees = parse(booster.model_to_string(), of_action)
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


def _probes(trees: Nodes, columns: int, of_action: Mapping[int, int]) -> np.ndarray:
    """Rows of what decides: thresholds and their neighbours, nulls, zeros, codes inside and outside the sets."""
    random = np.random.default_rng(0)
    back = {~place: column for column, place in of_action.items()}
    asked = np.array([back.get(k, k) for k in trees.node[:, COLUMN].tolist()], np.int64)
    sets = trees.node[:, KIND] == SET
    rows = np.empty((PROBES, columns))
    most = 32.0 * max(1, len(trees.bits))
    for k in range(columns):
        edges = trees.threshold[(asked == k) & ~sets]
        pool = [np.nan, 0.0, -1.0, 1.0, 2.0, 3.0, *edges, *np.nextafter(edges, np.inf), *np.nextafter(edges, -np.inf)]
        if (asked[sets] == k).any():
            pool += [*np.arange(0.0, min(most, 64.0)), 1e6]
        rows[:, k] = random.choice(np.array(pool), PROBES)
    return rows
