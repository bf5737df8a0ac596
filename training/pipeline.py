"""What is learned from data besides the model: which features to keep and which labels are common enough to name.

A scikit-learn Pipeline of feature-engine selections before `HabitTrees`, and its translation for the service.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from feature_engine.encoding import OrdinalEncoder, RareLabelEncoder
from feature_engine.selection import DropConstantFeatures, DropDuplicateFeatures, DropFeatures, DropHighPSIFeatures
from sklearn.pipeline import Pipeline

from features.catalogue import Catalogue
from features.own_catalogue import LIFE_DAYS, signs_of_life
from training import level
from training.artefact import Scorer
from training.dataset import Dataset, Part
from training.model import HABIT, HabitTrees

RARE = "rare"
#: Labels seen in less than this share of the training rows are grouped.
COMMON = 0.01
CONSTANT = 0.999
REFIT_ROWS = 80_000
#: Population stability index between the first and the second half of the training cutoffs above which a feature goes.
#: The usual .25 would drop every window of a young or growing log; this is where hardly any value is shared.
DRIFTED = 4.0
#: Features that are the date itself move by design; the trees may use them all the same.
TIME_ITSELF = ("season_",)


def habit_of(catalogue: Catalogue, qualifying: Sequence[str], horizon_days: int) -> dict[str, Any] | None:
    """The columns that BG/NBD reads, where the catalogue has them for the types that show life; else None.

    A workspace's catalogue always has them (features/own_catalogue.py).
    """
    features = signs_of_life(qualifying)
    if not set(features) <= set(catalogue.features):
        return None
    columns = (feature.name for feature in features)
    return {**dict(zip(HABIT, columns, strict=True)), "span": float(LIFE_DAYS), "horizon": float(horizon_days)}


def selections(part: Part, categories: Sequence[str], habit: Mapping[str, Any] | None) -> Pipeline:
    """What comes before the model, unfitted, for the columns of training rows. Steps they do not allow are left out."""
    frame = part.frame
    empty: list[Any] = [name for name in frame.columns if not frame[name].notna().any()]
    text: list[Any] = [name for name in categories if name not in empty]
    moving: list[Any] = _comparable(part, [*categories, *([habit[name] for name in HABIT] if habit else [])])
    steps: list[tuple[str, Any]] = []
    if empty:
        steps.append(("empty", DropFeatures(empty)))
    if text:
        steps.append(("rare", RareLabelEncoder(COMMON, 0, replace_with=RARE, variables=text, missing_values="ignore")))
        steps.append(("codes", OrdinalEncoder("arbitrary", variables=text, missing_values="ignore", unseen="encode")))
    if moving:
        steps.append(("drifting", DropHighPSIFeatures(threshold=DRIFTED, variables=moving, missing_values="ignore")))
    steps += [
        ("constant", DropConstantFeatures(tol=CONSTANT, missing_values="ignore")),
        ("duplicate", DropDuplicateFeatures(missing_values="ignore")),
    ]
    return Pipeline(steps)


def make(
    dataset: Dataset,
    habit: Mapping[str, Any] | None,
    threads: int = 2,
    parameters: Mapping[str, Any] | None = None,
) -> Pipeline:
    """The unfitted pipeline for the columns of a data set; `parameters` replace some of the trees' defaults."""
    frame = dataset.training.frame
    text = tuple(name for name in dataset.categories if frame[name].notna().any())
    model = HabitTrees(habit, text, threads=threads, parameters=parameters)
    return Pipeline([*selections(dataset.training, dataset.categories, habit).steps, ("model", model)])


def fit(pipeline: Pipeline, dataset: Dataset) -> Pipeline:
    """Learns selections and model on the training window, the link on the calibration window, then the model once more.

    The last step refits trees and habit on all rows whose labels end before the test cutoff: in a young log the newest
    customers' habits are what the oldest rows cannot tell. Scale and level of the link follow the new parts, as they
    score customers that they did not learn from, and the level what is known since the calibration window.
    """
    training, calibration = dataset.training, dataset.calibration
    # of two equal columns the first one stays: it must be the one that the habit reads
    habit = pipeline[-1].habit or {}
    first = [habit[name] for name in HABIT if name in habit]
    columns = [*first, *(name for name in training.frame.columns if name not in first)]
    # the drift check splits by the index
    frame = training.frame[columns].set_axis(training.as_of, axis=0)
    pipeline.fit(frame, training.label, model__customers=training.customer)
    later = pipeline[:-1].transform(calibration.frame[columns])
    pipeline[-1].calibrate(later, calibration.label)
    everything = [training, dataset.embargo, calibration]
    frame = pd.concat([part.frame[columns] for part in everything])
    label, customer = (np.concatenate([getattr(part, name) for part in everything]) for name in ("label", "customer"))
    rows = np.sort(np.random.default_rng(0).permutation(len(label))[:REFIT_ROWS])
    known = pipeline[:-1].transform(frame.iloc[rows])
    score = pipeline[-1].refit(known, label[rows], customer[rows], later, calibration.label, calibration.customer)
    pipeline[-1].level(level.matched(score, calibration.label) + _since(pipeline, dataset, score))
    return pipeline


def _since(pipeline: Pipeline, dataset: Dataset, score: np.ndarray) -> float:
    """How far the level moved since calibration, whose rows have these scores; 0 where no newer rows tell."""
    newest, calibration = dataset.newest, dataset.calibration
    if newest is None or dataset.early is None or not len(newest):
        return 0.0
    columns = newest.frame[list(pipeline.feature_names_in_)]
    now = pipeline.decision_function(columns) - pipeline[-1].link_["intercept"]
    return level.since(score, dataset.early, calibration.customer, now, newest.label, newest.customer)


def dropped(pipeline: Pipeline) -> dict[str, list[str]]:
    """Which features each selection removed."""
    chosen = ((name, getattr(step, "features_to_drop_", [])) for name, step in pipeline.steps[:-1])
    return {name: sorted(map(str, features)) for name, features in chosen if len(features)}


def inputs(frame: pd.DataFrame, model: Pipeline) -> pd.DataFrame:
    """The columns that a pipeline was fitted on, in its order; an action's column that no row has is null."""
    found = frame.reindex(columns=list(map(str, model.feature_names_in_)))
    text = model.named_steps["rare"].variables if "rare" in model.named_steps else []
    return found.astype(dict.fromkeys(text, object))  # a column of nulls alone does not look like text


def probability(pipeline: Pipeline, frame: pd.DataFrame) -> np.ndarray:
    """P(label is 1), float64[n]."""
    return pipeline.predict_proba(frame)[:, 1]


def scorer(
    pipeline: Pipeline, dataset: Dataset, run_id: str, trained_at: str, settings: Mapping[str, Any] | None = None
) -> Scorer:
    """The fitted pipeline as the service reads it."""
    model: HabitTrees = pipeline[-1]
    features = [str(name) for name in model.feature_names_in_]
    terms = [
        _term(model.habit, parameters, weight)
        for parameters, weight in zip(model.habits_, model.link_["habits"], strict=True)
        if model.habit is not None and weight > 0
    ]
    return Scorer(
        kind=dataset.kind,
        features=features,
        action_features=[name for name in features if name in dataset.action_features],
        categories={name: code for name, code in _codes(pipeline).items() if name in features},
        linear={"intercept": 0.0, "terms": terms},
        link={"intercept": model.link_["intercept"], "linear": 1.0, "booster": model.link_["booster"]},
        horizon_days=dataset.horizon_days,
        catalogue_version=dataset.catalogue.version,
        base_rate=model.base_rate_,
        settings=dict(settings or {}),
        positives=_positives(dataset),
        mlflow_run_id=run_id,
        trained_at=trained_at,
    )


def _positives(dataset: Dataset) -> dict[str, int] | None:
    """Responses by action in all rows that the model learned from; None where rows are no offers."""
    parts = [dataset.training, dataset.embargo, dataset.calibration]
    if "action_name" not in parts[0].frame:
        return None
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part.frame["action_name"][np.asarray(part.label) > 0].astype(str))
    return dict(sorted(found.items()))


def _term(habit: Mapping[str, Any], parameters: Sequence[float], weight: float) -> dict[str, Any]:
    names = {name: habit[name] for name in HABIT}
    numbers = dict(zip(("r", "alpha", "a", "b"), parameters, strict=True))
    return {
        "habit": {**names, "span": habit["span"]},
        "horizon": habit["horizon"],
        **numbers,
        "weight": weight,
        "null": 0.0,
    }


def _codes(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """Label to code for each category; a label that was rare in training shares the code of `rare`."""
    if "codes" not in pipeline.named_steps:
        return {}
    frequent, codes = pipeline.named_steps["rare"].encoder_dict_, pipeline.named_steps["codes"].encoder_dict_
    found = {}
    for name, known in codes.items():
        own = {str(label): code for label, code in known.items() if label in frequent[name]}
        found[name] = {"codes": own, "other": known.get(RARE)}
    return found


def _comparable(part: Part, kept: Sequence[str]) -> list[str]:
    """Numbers with several values in the early and in the late half of training: where drift can be measured."""
    frame, early = part.frame, part.as_of <= np.quantile(part.as_of, 0.5)
    return [
        str(name)
        for name in frame.columns
        if name not in kept
        and not str(name).startswith(TIME_ITSELF)
        and min(frame[name][early].nunique(), frame[name][~early].nunique()) > 1
    ]
