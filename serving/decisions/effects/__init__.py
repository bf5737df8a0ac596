"""Models of effects, as files: what a contact causes (`uplift`) and what one more contact costs (`fatigue`).

A champion of the MLflow model `uplift` or `fatigue` is a run whose folder `scorer/` holds one file, `effects.json`
(`file.py` writes and reads it). Training fits it, this package evaluates it: one customer in the service, a million in
batch, the same compiled code and so the same bits. Keys:

- `format`: 1. A reader refuses any other number.
- `kind`: `uplift` or `fatigue`. `unit`: what an effect is measured in.
  - `uplift`, `responses`: the change of the probability that the customer reaches the action's goal within
    `horizon_days`, if it is offered now instead of nothing. This is U; it may be below 0, and is kept within [-1, 1].
  - `uplift`, `money`: the change of the money that comes in within `horizon_days`, as far as it is kept (the stated
    margin): like cost and harm. U is this over V, the action's value, so that C x V x U x L is C x L x money; an action
    without a value is then not known to the model.
  - `fatigue`, `money`: what one more contact now costs, through opt-out, complaint and lost activity, in expectation.
    This is harm; it is kept at 0 or above, for what a contact earns is U's. Only outbound contacts cost it.
- `arms`: a list of `{"action": name or null, "channel": name or null, "effect": {...}, "told": {...}}`. Null stands for
  any. The arm of a treatment is the first there is of (action, channel), (action, null), (null, channel), (null, null);
  where there is none, the model does not know it and the policy's prior is used. An arm of `uplift` names its action,
  one of `fatigue` does not: it is about the channel. `told` is for people who read the file (how many decisions it
  was learned from, the learner, the verdict in words), never used in the arithmetic.
- `inputs`: a list of what the effects are functions of, in order; each makes one number x. See `inputs.py`:

      {"feature": f, "fill": number, "low": number, "high": number, "transform": "identity" | "log1p"}
          g(min(max(v, low), high)), and `fill` in place of v where it is null; g(v) = v, or sign(v) log1p(|v|)
      {"feature": f, "missing": true}          1 where the feature is null, else 0
      {"feature": f, "label": label}           1 where the (categorical) feature is this label, else 0
      {"contacts": channel or null, "days": d, "low": ..., "high": ..., "transform": ...}
          how many contacts stand that were made in the last d days, on a channel or (null) on any
      {"contacts": channel or null, "half_life_days": h, "low": ..., "high": ..., "transform": ...}
          the same, each counted by 0.5 ** (age / h)
      {"contacts": {channel: weight, ...}, "other": weight, "days": d or "half_life_days": h, ...}
          the same, each counted by its channel's weight as well

  `f` is a feature of the catalogue, as of the decision. Contacts are as the guard counts them (sent, claimed, reserved;
  other tools' touches; not ghosts; a reservation has age 0; an exempt message where the policy counts it), before the
  one that is asked about. Only `fatigue` may ask about contacts: U is a function of the logged feature vector alone.
  With `low` and `high`, a line becomes a spline or a step: a whole number within [1, 2] says "two or more".
- `effect`, an arm's: one of four forms, see `forms.py`. Inputs x [p], intercept first where there are weights:

      {"form": "constant", "value": a, "error": e}                         a
      {"form": "linear", "treated": [1 + p], "control": [1 + p] or null, "logistic": bool, "covariance": null or [[.]]}
          g(treated . (1, x)) - g(control . (1, x)); g is 1 / (1 + exp(-s)) where logistic, else s; no control: 0
      {"form": "trees", "treated": text, "control": text or null}
          the same of two LightGBM models as text: objective `regression` (g is s) or `binary` (g is the logistic)
      {"form": "blend", "weights": [...], "parts": [effect, ...]}          the sum of weights x parts

  So a cost made of several harms is a blend of their probabilities, weighted by what each costs.
- `catalogue_version`, `settings` (sections of tactful.yaml that the features were computed under), `horizon_days`,
  `mlflow_run_id`, `trained_at`: as in `training/artefact.py`. A model of another catalogue or settings is refused.

What the service does with a model that it refuses (damaged, of a feature that the catalogue lacks): it keeps the one
it has, or the priors, and /readyz says in a line what is wrong.
"""

from serving.decisions.effects.bound import Bound as Bound
from serving.decisions.effects.bound import Standing as Standing
from serving.decisions.effects.file import Arm as Arm
from serving.decisions.effects.file import Model as Model
from serving.decisions.effects.forms import Blend as Blend
from serving.decisions.effects.forms import Constant as Constant
from serving.decisions.effects.forms import Effects as Effects
from serving.decisions.effects.forms import Linear as Linear
from serving.decisions.effects.forms import Trees as Trees
from serving.decisions.effects.inputs import Contacts as Contacts
from serving.decisions.effects.inputs import Input as Input
from serving.decisions.effects.inputs import Label as Label
from serving.decisions.effects.inputs import Missing as Missing
from serving.decisions.effects.inputs import Value as Value
