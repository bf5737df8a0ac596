"""Offers, responses and windows of the propensity model against a plain reading; attributes reach new actions."""

import numpy as np
import pyarrow as pa
import pytest
import simulated

from features.clock import DAY
from features.workspace import Settings, WorkspaceError
from serving.decisions.attributes import action_inputs
from serving.decisions.policy import Action
from training.propensity import LEAST, attributes, find, split

SETTINGS = Settings.model_validate({"propensity": {"horizon_days": 10}})


def log(rows):
    """rows: (customer, day, direction, type, action, decision_id)."""
    rows = sorted(rows, key=lambda row: row[1])
    who, day, direction, kind, action, decision = zip(*rows, strict=True)
    return simulated.table(
        who,
        day,
        direction=list(direction),
        type=list(kind),
        action=pa.array(action, pa.string()),
        decision_id=pa.array(decision, pa.string()),
    )


def test_what_counts_as_a_response():
    offers = find(
        log(
            [
                (1, 0, "outbound", "contact", "a", "d1"),  # answered through its decision
                (2, 0, "outbound", "contact", "a", "d2"),  # answered another decision
                (3, 0, "outbound", "contact", "a", None),  # answered by action
                (4, 0, "outbound", "contact", "a", None),  # answered another action
                (5, 0, "outbound", "contact", "a", "d5"),  # answered at the horizon: too late
                (6, 0, "outbound", "contact", None, "d6"),  # no action: not an offer
                (7, 0, "inbound", "contact", "a", "d7"),  # the customer called: not an offer
                (1, 3, "inbound", "accepted", "a", "d1"),
                (2, 3, "inbound", "accepted", "a", "d9"),
                (3, 3, "inbound", "clicked", "a", None),
                (4, 3, "inbound", "accepted", "b", None),
                (5, 10, "inbound", "accepted", "a", "d5"),
            ]
        ),
        SETTINGS,
    )
    assert dict(zip(offers.customer, offers.responded, strict=True)) == {"c1": 1, "c2": 0, "c3": 1, "c4": 0, "c5": 0}


def test_windows_keep_an_embargo_and_enough_of_each_outcome():
    settings = Settings()
    offers = find(simulated.coupons(), settings)
    horizon = settings.propensity.horizon_days * DAY
    last = simulated.START + 365 * DAY
    windows, parts = split(offers, horizon, last)
    assert parts["training"].at.max() + horizon <= parts["calibration"].at.min()
    assert parts["calibration"].at.max() + horizon <= parts["test"].at.min() == windows.test
    assert parts["test"].at.max() + horizon <= last
    assert parts["embargo"].at.max() + horizon <= windows.test
    for name in ("training", "calibration", "test"):
        assert LEAST <= parts[name].responded.sum() <= len(parts[name].at) - LEAST


def test_too_few_responses():
    rows = [(i, i, "outbound", "contact", "a", None) for i in range(200)]
    rows += [(i, i + 1, "inbound", "accepted", "a", None) for i in range(0, 200, 20)]
    offers = find(log(rows), SETTINGS)
    with pytest.raises(
        WorkspaceError, match=r"at least 20 responses and 20 silences in its test window; of 200 offers"
    ):
        split(offers, 10 * DAY, simulated.START + 210 * DAY)


def test_an_action_tells_its_attributes_and_a_new_one_too():
    action = Action.model_validate(
        {
            "name": "coupon",
            "issue": "sales",
            "group": "coupons",
            "value": 9,
            "channels": {"email": {"cost": 0.2, "attributes": {"percent": 30}}, "mail": {}},
            "attributes": {"percent": 20, "seasonal": True, "tone": "warm"},
        }
    )
    by_mail = action_inputs("coupon", "mail", action)
    assert (by_mail["action_cost"], by_mail["action_attribute_percent"]) == (0, 20)
    by_email = action_inputs("coupon", "email", action)
    assert (by_email["action_cost"], by_email["action_attribute_percent"]) == (0.2, 30)
    assert by_email["action_attribute_seasonal"] == 1.0
    assert by_email["action_attribute_tone"] == "warm"
    unknown = action_inputs("gone", "email", None)
    assert unknown["action_name"] == "gone"
    assert unknown["action_value"] is None

    offers = find(
        log([(1, 0, "outbound", "contact", "coupon", None), (1, 1, "outbound", "contact", "gone", None)]), SETTINGS
    )
    frame = attributes(offers, {"coupon": action})
    assert frame["action_name"].tolist() == ["coupon", "gone"]
    assert frame["action_value"].dtype == np.float64
    assert np.isnan(frame["action_value"][1])
