"""A decision is worked out again from its log alone, and is the same to the last digit."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds import NOW, customers, flat, playbook, policies, request

from serving.decisions.candidate import Scores
from serving.decisions.customer import Customer
from serving.decisions.decide import decide
from serving.decisions.decision import Placement
from serving.decisions.policy import ContactPolicy, Playbook
from serving.decisions.replay import AnotherPolicy, replay

placements = st.lists(
    st.builds(Placement, name=st.text(max_size=5), channel=st.sampled_from([None, "email", "web"])), max_size=3
).map(tuple)
requests = st.builds(
    request,
    channel=st.sampled_from([None, "email", "phone"]),
    direction=st.sampled_from(["inbound", "outbound"]),
    limit=st.integers(1, 4),
    placements=placements,
    dry_run=st.booleans(),
    only=st.sampled_from([None, None, None, "a"]),
    context=st.just({"page": "home"}),
)


@st.composite
def chances(draw: st.DrawFn) -> dict[str, object]:
    """The parts of a policy that are left to chance."""
    return {
        "holdout": {"share": draw(st.sampled_from([0.0, 0.5, 1.0]))},
        "withholding": {"share": draw(st.floats(0, 1))},
        "exploration": {"method": draw(st.sampled_from(["epsilon", "thompson"])), "epsilon": draw(st.floats(0, 1))},
        "maturity": draw(st.sampled_from([None, {"positives": 100, "least": 0.05}])),
        "cap_levels": draw(st.sampled_from([None, {"levels": [{"share": 0.5, "factor": 0.5}]}])),
        "on_cap": draw(st.sampled_from(["drop", "defer"])),
        "experiment": draw(
            st.sampled_from(["random_eligible", "propensity_only", "no_levers", "looser_caps", "nothing"]).map(
                lambda play: {"arms": [{"name": play, "share": 0.7, "play": play}]}
            )
            | st.none()
        ),
    }


@given(
    asked=requests,
    customer=customers(),
    plain=policies(),
    chance=chances(),
    p=st.lists(st.none() | st.floats(0, 1), min_size=20, max_size=20),
    learned=st.booleans(),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_a_decision_is_its_log_replayed(asked, customer, plain, chance, p, learned, uniform):
    policy = ContactPolicy.model_validate(plain.model_dump(exclude_unset=True) | chance)
    book = Playbook(playbook().actions, policy)
    scores = Scores(
        churn=0.3,
        propensity=lambda candidates: p[: len(candidates)],
        uplift=(lambda candidates: [0.01] * len(candidates)) if learned else None,
        logged={"features": [1.5, None], "models": {"churn": "3"}},
        positives={"a": 3, "b": 500},
    )
    decision = decide(asked, customer, scores, book, NOW, uniform, spent=("c",))
    logged = orjson.loads(decision.to_bytes())
    again = replay(logged, book)
    assert orjson.loads(again.to_bytes()) == logged
    assert again.contacts == decision.contacts
    assert again.request.fingerprint == decision.request.fingerprint


def test_a_changed_number_in_the_log_is_found_out():
    decision = decide(request(), Customer("C1"), flat(), playbook(), NOW, 0.25)
    logged = orjson.loads(decision.to_bytes())
    logged["candidates"][0]["factors"]["p"] = 0.9
    assert replay(logged, playbook()).as_dict() != logged


def test_another_policy_cannot_replay_it():
    logged = orjson.loads(decide(request(), Customer("C1"), flat(), playbook(), NOW, 0.25).to_bytes())
    with pytest.raises(AnotherPolicy, match="decided under policy"):
        replay(logged, playbook(withholding={"share": 0.5}))
