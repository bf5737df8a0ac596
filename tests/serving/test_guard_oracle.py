"""The guard against its naive oracle: the same verdicts, and the earliest moment at which all rules pass."""

import guard_oracle as oracle
import pytest
from guard_worlds import EVERY, Moment, customer_of, moments
from hypothesis import given, settings
from hypothesis import strategies as st

from features.clock import DAY
from serving.decisions.guard import Guard

FACTORS = st.sampled_from([1.0, 0.5, 1.5])


def same_verdicts(moment: Moment, inbound: bool, factor: float, claiming: bool) -> None:
    world, now = moment.world, moment.now
    direction = "inbound" if inbound else "outbound"
    guard, again = (Guard(customer_of(world, now), world.playbook, now, direction, factor, claiming) for _ in range(2))
    at_once = guard.all_trips(EVERY)
    for candidate, trips in zip(EVERY, at_once, strict=True):
        expected = oracle.tripped(world, candidate, now, inbound, factor, not claiming)
        assert {trip.rule for trip in trips} == expected
        assert again.trips(candidate) == trips


def earliest_moments(moment: Moment, factor: float, between: list[float]) -> None:
    world, now = moment.world, moment.now
    guard = Guard(customer_of(world, now), world.playbook, now, "outbound", factor)
    for candidate in EVERY:

        def refused(t: int, candidate=candidate) -> set[str]:
            return {_plain(rule) for rule in oracle.tripped(world, candidate, t, factor=factor)}

        passes = guard.passes_at(candidate)
        end = now + 40 * DAY if passes is None else passes
        assert all(refused(now + int(part * (end - now))) for part in between if end > now)
        assert passes is None or not refused(passes)
        assert passes is None or passes == now or refused(passes - 1)
        trips: dict[str, list[int | None]] = {}
        for trip in guard.trips(candidate):
            trips.setdefault(_plain(trip.rule), []).append(trip.passes_at)
        for rule, each in trips.items():
            alone = max((at for at in each if at is not None), default=None)
            if None in each:
                assert rule in refused(now + 30 * DAY) or not steady(world)
            elif alone is not None and steady(world):
                assert rule in refused(alone - 1)
                assert rule not in refused(alone)


def _plain(rule: str) -> str:
    """Quiet hours pass into a quiet day without a moment between."""
    return "quiet" if rule.startswith("quiet") else rule


def steady(world: oracle.World) -> bool:
    """Whether nothing that is already recorded will change what is known of the customer."""
    return all(valid_from <= received for valid_from, received, _ in world.records)


@settings(max_examples=60, deadline=None)
@given(moment=moments(), inbound=st.booleans(), factor=FACTORS, claiming=st.booleans())
def test_same_verdicts(moment, inbound, factor, claiming):
    same_verdicts(moment, inbound, factor, claiming and not inbound)


@settings(max_examples=30, deadline=None)
@given(moment=moments(), factor=FACTORS, between=st.lists(st.floats(0, 1, exclude_max=True), min_size=3, max_size=3))
def test_earliest_moments(moment, factor, between):
    if steady(moment.world):
        earliest_moments(moment, factor, between)


@pytest.mark.slow
@settings(max_examples=2_500, deadline=None)
@given(moment=moments(), inbound=st.booleans(), factor=FACTORS, claiming=st.booleans())
def test_same_verdicts_in_thousands_of_worlds(moment, inbound, factor, claiming):
    same_verdicts(moment, inbound, factor, claiming and not inbound)


@pytest.mark.slow
@settings(max_examples=800, deadline=None)
@given(moment=moments(), factor=FACTORS, between=st.lists(st.floats(0, 1, exclude_max=True), min_size=5, max_size=5))
def test_earliest_moments_in_many_worlds(moment, factor, between):
    if steady(moment.world):
        earliest_moments(moment, factor, between)
