"""Several slots: filled one after the other, no action twice, each from a number of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, spearmanr
from worlds import NOW, contact, flat, playbook, request

from features.clock import DAY, HOUR
from serving.decisions.customer import Customer
from serving.decisions.decide import decide
from serving.decisions.decision import Placement
from serving.decisions.policy import Actions, Playbook
from serving.decisions.slots import uniform_of

RANDOM = {"exploration": {"epsilon": 0.5}, "withholding": {"share": 0.3}}


def names(decision) -> list[str | None]:
    return [slot.chosen.action.name if slot.chosen else None for slot in decision.slots]


def test_the_best_action_takes_the_first_slot_and_none_takes_two():
    decision = decide(request(limit=4), Customer("C1"), flat(), playbook(), NOW, 0.5)
    assert names(decision) == ["c", "b", "a", "help"]
    assert [kept.contact_id for kept in decision.contacts] == ["d1.1", "d1.2", "d1.3", "d1.4"]
    taken = {fate.candidate.action.name for fate in decision.slots[2].fates if fate.stage == "taken"}
    assert taken == {"c", "b"}
    assert (decision.chosen, decision.contact) == (decision.slots[0].chosen, decision.slots[0].contact)


def test_a_slot_is_judged_with_the_contacts_of_those_before_it():
    book = playbook(caps=[{"scope": "channel", "name": "email", "max": 2, "window": "7d"}])
    customer = Customer("C1", contacts=(contact(1, "sent", NOW - DAY),))
    first, second = decide(request(limit=2), customer, flat(), book, NOW, 0.5).slots
    assert (first.chosen.action.name, second.chosen) == ("c", None)
    stages = {fate.candidate.action.name: fate.stage for fate in second.fates}
    assert stages == {
        "c": "taken",
        **dict.fromkeys(["a", "b", "help"], "guard"),
        **dict.fromkeys(["recall", "notice"], "arbitration"),
    }
    everywhere = decide(request(limit=3, channel=None), customer, flat(), book, NOW, 0.5)
    assert [slot.chosen.channel for slot in everywhere.slots if slot.chosen].count("email") == 1


def test_inbound_slots_hold_no_contacts():
    decision = decide(request(limit=3, direction="inbound"), Customer("C1"), flat(), playbook(), NOW, 0.5)
    assert None not in names(decision)[:3]
    assert decision.contacts == ()


def test_a_placement_takes_what_fits_its_channel_and_tags():
    actions = Actions.model_validate(
        {
            "actions": [
                {"name": "a", "issue": "i", "group": "g", "channels": ["web", "email"], "value": 9, "tags": ["hero"]},
                {"name": "b", "issue": "i", "group": "g", "channels": ["web", "email"], "value": 8, "tags": ["foot"]},
                {"name": "c", "issue": "i", "group": "g", "channels": ["email"], "value": 7, "tags": ["foot", "hero"]},
            ]
        }
    )
    asked = request(
        channel="web",
        placements=(Placement("foot", tags=("foot",)), Placement("mail", "email"), Placement("hero", None, ("hero",))),
    )
    decision = decide(asked, Customer("C1"), flat(), Playbook(actions, playbook().policy), NOW, 0.5)
    assert names(decision) == ["b", "a", None]  # a is taken by then, and c is not on the web
    assert [slot.chosen.channel for slot in decision.slots if slot.chosen] == ["web", "email"]
    assert [slot.placement.name for slot in decision.slots if slot.placement] == ["foot", "mail", "hero"]


def test_only_one_action_may_be_asked_about():
    decision = decide(request(only="a"), Customer("C1"), flat(), playbook(), NOW, 0.5)
    assert [fate.candidate.action.name for fate in decision.fates] == ["a"]
    assert decision.chosen is not None
    none = decide(request(only="unheard_of"), Customer("C1"), flat(), playbook(), NOW, 0.5)
    assert none.chosen is None


@given(
    uniform=st.floats(0, 1, exclude_max=True),
    limit=st.integers(1, 6),
    dry_run=st.booleans(),
    direction=st.sampled_from(["inbound", "outbound"]),
)
def test_slots_hold_distinct_actions_and_a_dry_run_nothing(uniform, limit, dry_run, direction):
    asked = request(limit=limit, dry_run=dry_run, direction=direction)
    decision = decide(asked, Customer("C1"), flat(), playbook(**RANDOM), NOW, uniform)
    assert len(decision.slots) == limit
    picked = [slot.chosen or slot.ghost for slot in decision.slots]
    actions = [one.action.name for one in picked if one is not None]
    assert len(set(actions)) == len(actions)
    expected = [
        slot.ghost is not None or (slot.chosen is not None and direction == "outbound") for slot in decision.slots
    ]
    assert len(decision.contacts) == (0 if dry_run else sum(expected))
    assert all(kept.state == "reserved" or kept.expires_at == kept.respond_by for kept in decision.contacts)


def test_a_ghost_is_kept_for_the_response_window_and_takes_no_slot_of_a_cap():
    book = playbook(withholding={"share": 1.0}, caps=[{"scope": "total", "max": 1, "window": "7d"}])
    for direction in ("outbound", "inbound"):
        first = decide(request(channel="phone", direction=direction), Customer("C1"), flat(), book, NOW, 0.5)
        (ghost,) = first.contacts
        assert (ghost.state, ghost.action, ghost.respond_by) == ("ghost", "c", NOW + 7 * DAY)
        assert first.contact is None
        later = Customer("C1", contacts=(ghost,))
        free = playbook(caps=[{"scope": "total", "max": 1, "window": "7d"}])
        again = decide(request(channel="phone", direction=direction), later, flat(), free, NOW + HOUR, 0.5)
        fates = {fate.candidate.action.name: fate for fate in again.fates}
        assert [trip.rule for trip in fates["c"].trips] == ["withheld"]
        assert fates["c"].passes_at == NOW + 7 * DAY
        assert again.chosen is not None, "others may go out: a ghost is no contact"


def test_numbers_of_slots_are_uniform_and_know_nothing_of_each_other():
    first = [(i + 0.5) / 5_000 for i in range(5_000)]
    second, third = ([uniform_of(u, number) for u in first] for number in (1, 2))
    assert [uniform_of(u, 0) for u in first] == first
    for these in (second, third):
        assert kstest(these, "uniform").pvalue > 0.001
        assert abs(spearmanr(first, these).statistic) < 0.05
    assert abs(spearmanr(second, third).statistic) < 0.05


def test_a_volume_given_out_refuses_until_the_companys_midnight():
    actions = Actions.model_validate(
        {"actions": [{"name": "x", "issue": "i", "group": "g", "channels": ["email"], "value": 9, "volume": 10}]}
    )
    book = Playbook(actions, playbook(zone="Europe/Berlin", on_cap="defer").policy)
    decision = decide(request(), Customer("C1"), flat(), book, NOW, 0.5, spent={"x"})
    (fate,) = decision.fates
    assert fate.stage == "guard"
    assert [trip.rule for trip in fate.trips] == ["volume x: 10 a day"]
    midnight = 1_700_002_800_000_000  # 2023-11-15T00:00+01:00
    assert (fate.passes_at, decision.deferred_to) == (midnight, midnight)
    inbound = decide(request(direction="inbound"), Customer("C1"), flat(), book, NOW, 0.5, spent={"x"})
    assert inbound.chosen is not None


@pytest.mark.parametrize(
    ("on_cap", "cap", "deferred"),
    [("drop", 1, None), ("defer", 1, NOW + 6 * DAY + 1), ("defer", 0, None)],
)
def test_what_a_cap_refuses_is_deferred_where_the_policy_says_so(on_cap, cap, deferred):
    book = playbook(on_cap=on_cap, caps=[{"scope": "total", "max": cap, "window": "7d"}])
    customer = Customer("C1", contacts=(contact(1, "sent", NOW - DAY),))
    decision = decide(request(only="a"), customer, flat(), book, NOW, 0.5)
    assert (decision.chosen, decision.deferred_to) == (None, deferred)
    if deferred is not None:
        assert decide(request(only="a"), customer, flat(), book, deferred, 0.5).chosen is not None
        assert decide(request(only="a"), customer, flat(), book, deferred - 1, 0.5).chosen is None
