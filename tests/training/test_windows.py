"""The three windows: embargo always, defaults that fit real logs, errors that say what would fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.clock import DAY, isoformat, parse_instant
from features.workspace import WorkspaceError
from training.windows import plan


def test_default_test_cutoff_of_dates_and_of_timestamps():
    dates = plan(parse_instant("1997-01-01"), parse_instant("1998-06-30"), 90 * DAY)
    assert isoformat(dates.test) == "1998-04-02T00:00:00Z"
    timestamps = plan(parse_instant("2017-01-01T11:53:26"), parse_instant("2018-01-01T04:01:20"), 28 * DAY)
    assert isoformat(timestamps.test) == "2017-12-04T00:00:00Z"


@given(length=st.integers(20, 900), horizon=st.integers(1, 200), ago=st.integers(0, 300))
def test_embargo_whatever_the_length(length, horizon, ago):
    first = parse_instant("2020-03-04T05:06:07")
    last = first + length * DAY
    test = last // DAY * DAY - (horizon + ago) * DAY
    complaint = None
    try:
        windows = plan(first, last, horizon * DAY, test)
    except WorkspaceError as error:
        complaint = str(error)
    if complaint is not None:
        assert length - ago < 3 * horizon + 9
        assert "ingest older interactions" in complaint
        return
    assert windows.training
    assert windows.calibration
    assert list(windows.training) == sorted(set(windows.training))
    assert first + 7 * DAY <= windows.training[0]
    assert windows.training[-1] + windows.horizon <= windows.calibration[0]
    assert windows.calibration[-1] + windows.horizon <= windows.test == test
    # the newest weeks are whole ones, over when training ends, and about three quarters of the horizon
    assert len(windows.newest) == (10 <= horizon <= 60)
    assert all(windows.calibration[-1] < cutoff == test - windows.early_days * DAY for cutoff in windows.newest)
    if windows.newest:
        assert windows.early_days % 7 == 0
        assert 0.75 * horizon - 7 < windows.early_days <= 0.75 * horizon
    assert set(windows.newest) < set(windows.cutoffs)


def test_what_the_error_suggests_works():
    first, last = parse_instant("2024-01-01"), parse_instant("2024-04-01")
    with pytest.raises(WorkspaceError, match=r"at most 28, or ingest older") as caught:
        plan(first, last, 45 * DAY)
    assert "`churn.horizon_days`" in str(caught.value)
    assert plan(first, last, 28 * DAY).training


def test_a_test_cutoff_whose_horizon_is_not_over():
    first, last = parse_instant("2024-01-01"), parse_instant("2024-12-31T23:00:00")
    with pytest.raises(WorkspaceError, match="use 2024-12-03 or earlier"):
        plan(first, last, 28 * DAY, parse_instant("2024-12-20"))
