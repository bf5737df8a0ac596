"""Contacts nobody assigned by chance: the figures against a naive count, and what is said of them."""

import numpy as np
import pyarrow as pa
import pytest

from features.clock import DAY
from training.reports import other_contacts

NOW = 400 * DAY
DAYS, ACTIVE = 28, 200


def log(rows, columns):
    """A table with `occurred_at` as an instant."""
    table = pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows])
    at = table.schema.get_field_index("occurred_at")
    return table.set_column(at, "occurred_at", table["occurred_at"].cast(pa.timestamp("us", tz="UTC")))


def market(seed, targeted):
    """300 customers who buy at their own rate; two waves of `coupon` and one of `late`, too near the log's end."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(2, 0.04, 300)
    goals = [
        (f"c{i}", int(day) * DAY + int(rng.integers(DAY)), float(rng.uniform(5, 50)))
        for i, rate in enumerate(rates)
        for day in np.flatnonzero(rng.uniform(size=400) < rate)
    ]
    odds = rates / rates.mean() * 0.3 if targeted else np.full(300, 0.3)
    contacts = [
        (f"c{i}", day * DAY, action, "mail")
        for day, action in ((120, "coupon"), (250, "coupon"), (390, "late"))
        for i in range(300)
        if rng.uniform() < odds[i]
    ]
    return (
        log(goals, ["customer_id", "occurred_at", "value"]),
        log(contacts, ["customer_id", "occurred_at", "action", "channel"]),
        goals,
        contacts,
    )


def naive(goals, contacts, action, days, active):
    """(contacted, others) -> list of (wave size, mean money before, mean visits before, mean money after), by wave."""
    found = []
    for wave in sorted({at // DAY for _, at, name, _ in contacts if name == action}):
        chosen = {customer for customer, at, name, _ in contacts if name == action and at // DAY == wave}
        groups = {True: [], False: []}
        for customer in {customer for customer, _, _ in goals}:
            mine = [(at // DAY, value) for who, at, value in goals if who == customer]
            if not any(wave - active <= day < wave for day, _ in mine):
                continue
            before = [(day, value) for day, value in mine if wave - days <= day < wave]
            after = [value for day, value in mine if wave <= day < wave + days]
            groups[customer in chosen].append(
                (sum(value for _, value in before), len({day for day, _ in before}), sum(after))
            )
        found.append((np.array(groups[True]), np.array(groups[False])))
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_the_figures_are_those_of_a_naive_count(seed):
    goals, contacts, goal_rows, contact_rows = market(seed, targeted=True)
    found = other_contacts.describe(contacts, goals, DAYS, ACTIVE, NOW, "EUR")
    assert found.contacts == contacts.num_rows
    (coupon,) = found.campaigns  # `late` has no complete days after it
    waves = naive(goal_rows, contact_rows, "coupon", DAYS, ACTIVE)
    weights = np.array([len(chosen) for chosen, _ in waves])
    assert (coupon.waves, coupon.contacts) == (2, weights.sum())
    for place, (ours, others) in enumerate(
        [
            (coupon.before[0], coupon.before[1]),
            (coupon.balance[1].contacted.mean, coupon.balance[1].others.mean),
            (coupon.after[0], coupon.after[1]),
        ]
    ):
        assert ours == pytest.approx(np.average([chosen[:, place].mean() for chosen, _ in waves], weights=weights))
        assert others == pytest.approx(np.average([other[:, place].mean() for _, other in waves], weights=weights))
    variance = np.average([chosen[:, 0].var(ddof=1) for chosen, _ in waves], weights=weights)
    assert coupon.balance[0].contacted.variance == pytest.approx(variance)


def test_targeting_is_found_and_called_no_effect():
    goals, contacts, *_ = market(3, targeted=True)
    found = other_contacts.describe(contacts, goals, DAYS, ACTIVE, NOW, "EUR")
    (coupon,) = found.campaigns
    assert coupon.verdict == "targeted"
    assert coupon.balance[0].difference > 0.3
    assert "coupon was targeted: it went to customers who already spent more than the others" in coupon.sentence
    assert "is therefore no effect of the contact" in coupon.sentence
    assert "coupon was targeted" in found.sentence
    assert "Only a random holdout can show that" in found.sentence
    assert any("1 of 3 waves are left out" in note for note in found.notes)


def test_contacts_that_look_random_are_still_no_proof():
    goals, contacts, *_ = market(4, targeted=False)
    contacts = contacts.filter(pa.compute.not_equal(contacts["action"], "late"))
    found = other_contacts.describe(contacts, goals, DAYS, ACTIVE, NOW, None)
    assert found.campaigns[0].verdict in ("alike", "targeted")
    said = {
        seed: other_contacts.describe(*market(seed, False)[1::-1], DAYS, ACTIVE, NOW, None) for seed in range(10, 14)
    }
    alike = [one.campaigns[0] for one in said.values() if one.campaigns[0].verdict == "alike"]
    assert alike, "chance alone should not look targeted every time"
    assert "nothing shows that chance chose them" in alike[0].sentence


def test_a_handful_of_contacts_is_too_few():
    goals, contacts, *_ = market(5, targeted=True)
    found = other_contacts.describe(contacts.slice(0, 10), goals, DAYS, ACTIVE, NOW, None)
    assert [one.verdict for one in found.campaigns] == ["too_few"]
    assert "Too few" in found.sentence


def test_no_contacts_no_section_and_no_goals_no_crash():
    goals, contacts, *_ = market(6, targeted=True)
    assert other_contacts.describe(contacts.slice(0, 0), goals, DAYS, ACTIVE, NOW, None) is None
    assert other_contacts.describe(contacts, goals.slice(0, 0), DAYS, ACTIVE, NOW, None).campaigns == []


def test_a_contact_without_an_action_still_counts():
    goals, contacts, *_ = market(7, targeted=True)
    unnamed = contacts.set_column(2, "action", pa.nulls(contacts.num_rows, pa.string()))
    found = other_contacts.describe(unnamed, goals, DAYS, ACTIVE, NOW, None)
    assert [one.action for one in found.campaigns] == ["(no action)"]
    assert found.campaigns[0].contacts > 0
