"""What a trained model hands to the service: the folder `scorer/` of an MLflow run, with two files.

`model.txt` is a LightGBM booster in text form (binary objective; only its raw score is used).
`scorer.json` is everything else. Keys:

- `format`: 1. A reader refuses any other number.
- `kind`: `churn` (probability that the customer shows no sign of life within the horizon, or leaves by an explicit
  event) or `propensity` (probability that the customer responds within the horizon if the action is offered now).
- `features`: names of the model's inputs, in the order of the booster's columns. Names in `action_features` describe
  the offered action; every other name is a feature of the catalogue, taken as of now.
- `action_features`: a subset of `features`, empty for churn; made by `serving.decisions.attributes.action_inputs`
  from an action and a channel, for training and service alike. One that `action_inputs` does not give is null.
- `categories`: `{feature: {"codes": {label: code}, "other": code or null}}`. A category enters as the code of its
  label; a label not listed (rare or never seen) enters as `other`; null, or an `other` of null, enters as NaN.
- `linear`: `{"intercept": number, "terms": [...]}`, a smooth part beside the booster; `terms` may be empty. A term is
  one of three forms, and contributes

      {"feature": f, "transform": "identity" | "log1p", "knots": [ascending], "values": [one a knot], "null": number}
          null where x is NaN, else np.interp(g(x), knots, values); g(x) = x, or sign(x) * log1p(|x|)
      {"feature": f, "levels": {label: number}, "other": number, "null": number}
          null where the label is null, else levels[label], or `other` for a label that is not listed
      {"habit": {"active_days": f1, "recency": f2, "tenure": f3, "span": days}, "horizon": H,
       "r": r, "alpha": alpha, "a": a, "b": b, "weight": number, "null": number}
          null where one of the three features is NaN, else weight times the logit that BG/NBD gives to silence over
          the next H days (`training/habit.py` has the source); in this order, all numbers in days:

              x = max(f1 - (1 if f3 <= span else 0), 0);  T = min(f3, span);  t = max(T - f2, 0) if x > 0 else 0
              gone = min(log(a / (b + max(x, 1) - 1)) + (r + x) * (log(alpha + T) - log(alpha + t)), 50)
              gone = gone if x > 0 else -50
              quiet = (r + x) * (log(alpha + T) - log(alpha + T + H))
              logit = logaddexp(gone, quiet) - log(-expm1(quiet))

          The three are always among `features`.

- `link`: `{"intercept": a, "linear": b, "booster": c}`, its weights fitted on later time than the parts they weigh
  (which are then learned again from newer rows too, and the weights' common scale and the intercept fitted
  anew, see `training/pipeline.py`), so that

      score = a + b * linear(x) + c * booster.predict(x, raw_score=True)        p = 1 / (1 + exp(-score))

  Where c is 0 the booster need not be evaluated at all.
- `horizon_days`, `catalogue_version`, `mlflow_run_id`, `trained_at` (ISO 8601): said in answers and logs, not used in
  the arithmetic. `base_rate`: mean label in training, for people who read the file. `settings`: the sections of
  tactful.yaml that its features were computed under; the model is refused where they are others. `positives`: for
  propensity, how many responses to each action it learned from; new actions are ramped up by it.

Inputs are float64; +-infinity does not occur. Nothing here depends on scikit-learn or on this package.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

FORMAT = 1


@dataclass(frozen=True)
class Scorer:
    """The content of `scorer.json`; see the module's text for the meaning of each key."""

    kind: str
    features: Sequence[str]
    action_features: Sequence[str]
    categories: Mapping[str, Mapping[str, Any]]
    linear: Mapping[str, Any]
    link: Mapping[str, float]
    horizon_days: int
    catalogue_version: str
    base_rate: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    positives: Mapping[str, int] | None = None
    mlflow_run_id: str = ""
    trained_at: str = ""
    format: int = field(default=FORMAT)


def write(folder: Path, scorer: Scorer, booster: lgb.Booster) -> None:
    """Writes `model.txt` and `scorer.json` into `folder`, which must exist."""
    booster.save_model(str(folder / "model.txt"))
    text = json.dumps(asdict(scorer), indent=1, allow_nan=False)
    (folder / "scorer.json").write_text(text + "\n", encoding="utf-8")


def sigmoid(score: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-score)) without overflow."""
    return 1.0 / (1.0 + np.exp(-np.clip(score, -500.0, 500.0)))
