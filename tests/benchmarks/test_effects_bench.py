"""What learned U and harm add to a decision about ten candidates; CPU time of one thread.

Every candidate has an arm of its own over thirty features; six contacts stand. Lines are what a learner of effects most
often chooses; ten models of forty trees each are the dear end of what may be served.
"""

import time

import effect_models
import market
import numpy as np
import pytest

from features.catalogue import DEFAULT
from features.clock import DAY
from serving import scoring
from serving.caused import Caused
from serving.champions import Champion, levels
from serving.decisions.candidate import Candidate
from serving.decisions.effects import Arm, Blend, Constant, Linear, Trees, Value
from serving.decisions.guard.standing import Standing
from serving.decisions.policy import Actions

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]
CUSTOMERS, ROUNDS, CANDIDATES, FEATURES = 400, 25, 10, 30
#: Microseconds, U by lines and harm together.
MOST = 20
NOW = market.START


def best(work) -> float:
    """Microseconds of CPU a customer, the best round."""
    rounds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for number in range(CUSTOMERS):
            work(number)
        rounds.append((time.process_time() - begin) / CUSTOMERS * 1e6)
    return min(rounds)


def test_learned_effects_of_ten_candidates(tmp_path):
    shop = market.found(tmp_path / "shop")
    random = np.random.default_rng(0)
    labels = levels(DEFAULT, shop.settings)
    numeric = [feature.name for feature in DEFAULT if not feature.categorical][:FEATURES]
    inputs = [Value(name, 0.0, 0.0, 50.0, "log1p") for name in numeric]
    listed = [
        {"name": f"a{k}", "issue": "i", "group": "g", "channels": ["email"], "value": 10} for k in range(CANDIDATES)
    ]
    asked = [Candidate(action, "email") for action in Actions.model_validate({"actions": listed}).actions]

    def line():
        return Linear(random.normal(scale=0.01, size=FEATURES + 1))

    def champion(model):
        return Champion(model.kind, "1", Caused(model, DEFAULT.names, labels))

    forms = {
        "U by lines": lambda _: line(),
        "U by trees": lambda k: Trees(effect_models.trees(FEATURES, k)),
        "U by blends": lambda k: Blend(
            [Constant(0.01, 0.1), line(), Trees(effect_models.trees(FEATURES, k))], [1, 0.5, 0.4]
        ),
    }
    harm = champion(effect_models.fatigue(shop))
    values = random.gamma(1.0, 4.0, (CUSTOMERS, len(DEFAULT.names)))
    stands = [Standing(NOW - 3 * k * DAY, None, "email", None, None, None, (), None, NOW) for k in range(6)]
    took = {"harm": best(lambda i: scoring.Harms(harm, values[i])(asked, stands, NOW))}
    for name, form in forms.items():
        model = champion(
            effect_models.uplift(shop, inputs=inputs, arms=[Arm(f"a{k}", None, form(k)) for k in range(CANDIDATES)])
        )
        took[name] = best(lambda i, model=model: scoring.Uplifts(model, values[i])(asked))
        assert None not in scoring.Uplifts(model, values[0])(asked)
    for part, each in took.items():
        print(f"{part:>12}: {each:6.1f} us")
    whole = took["U by lines"] + took["harm"]
    print(f"{'both':>12}: {whole:6.1f} us, at most {MOST}")
    assert whole <= MOST
