"""When triggers go off: stage reached, stalled, case closed, abandoned, a date coming up."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.clock import DAY, HOUR, isoformat, parse_instant
from features.state import Items, State, keys
from serving.decisions.policy.triggers import Trigger
from serving.decisions.triggers import FRESH, Lexicon, Occasion, Seen, as_day, due, occasion

NOW = parse_instant("2026-05-04T12:00:00Z")
STAGES = {"aware": ["visit"], "considering": ["page_view", "add_to_cart"], "buying": ["purchase"]}
NEW_YORK = ZoneInfo("America/New_York")


def trigger(**what):
    return Trigger.model_validate(what)


def seen(*rows, attributes=None, zone=UTC, now=NOW):
    """(type, hours before NOW, topic, case) each; later ones may be left out."""
    rows = sorted((((*row, None, 0)[:4] if len(row) < 4 else row) for row in rows), key=lambda row: -row[1])
    entries = [("web", "inbound", type_, topic) for type_, _, topic, _ in rows]
    at = np.array([NOW - int(hours * HOUR) for _, hours, _, _ in rows], np.int64)
    nothing = np.full(len(rows), np.nan)
    items = Items(
        at,
        at,
        np.arange(len(rows), dtype=np.uint64),
        keys(np.arange(len(rows)), np.zeros(len(rows))),
        nothing,
        nothing,
        np.array([case for *_, case in rows], np.uint64),
    )
    return Seen.of(State.of(items).to_bytes() if rows else b"", Lexicon(entries, STAGES), attributes or {}, zone, now)


def hours(found):
    return None if found is None else (NOW - found.at) / HOUR


def test_a_stage_is_reached_when_it_is_entered_not_each_time_it_is_confirmed():
    found = seen(("visit", 9), ("page_view", 5), ("add_to_cart", 3), ("login", 1))
    assert hours(occasion(trigger(stage="considering"), found, NOW)) == 5
    assert occasion(trigger(stage="aware"), found, NOW) is None
    back = seen(("page_view", 9), ("visit", 5), ("page_view", 3))
    assert hours(occasion(trigger(stage="considering"), back, NOW)) == 3


def test_nobody_who_did_nothing_is_nudged():
    for what in ({"stage": "aware"}, {"stalled": {"stage": "aware", "for": "1d"}}, {"case_closed": True}):
        assert occasion(trigger(**what), seen(), NOW) is None


def test_stalled_is_the_stage_entered_that_long_ago_and_not_left():
    three = trigger(stalled={"stage": "considering", "for": "3d"})
    found = occasion(three, seen(("page_view", 80), ("page_view", 10)), NOW)
    assert hours(found) == 80 - 72
    assert found.open(NOW)
    early = occasion(three, seen(("page_view", 71)), NOW)
    assert not early.open(NOW)
    assert early.open(NOW + HOUR)
    assert occasion(three, seen(("page_view", 80), ("purchase", 10)), NOW) is None


def test_a_closed_case_counts_by_its_own_topic_or_that_of_its_opening():
    found = seen(("case_opened", 50, "delivery", 7), ("case_closed", 20, None, 7), ("case_closed", 30, "billing", 8))
    assert hours(occasion(trigger(case_closed=True), found, NOW)) == 20
    assert hours(occasion(trigger(case_closed="delivery"), found, NOW)) == 20
    assert hours(occasion(trigger(case_closed="billing"), found, NOW)) == 30
    assert occasion(trigger(case_closed="shoes"), found, NOW) is None


def test_a_basket_is_abandoned_unless_it_was_bought_then_or_later():
    basket = trigger(abandoned={"type": "add_to_cart", "without": ["purchase"], "after": "4h"})
    assert hours(occasion(basket, seen(("purchase", 9), ("add_to_cart", 6)), NOW)) == 2
    assert occasion(basket, seen(("add_to_cart", 6), ("purchase", 5)), NOW) is None
    assert hours(occasion(basket, seen(("add_to_cart", 6), ("purchase", 5), ("add_to_cart", 1)), NOW)) == -3


def test_what_was_received_or_happens_later_is_not_seen():
    rows = (("add_to_cart", 6), ("purchase", 5))
    basket = trigger(abandoned={"type": "add_to_cart", "without": ["purchase"], "after": "1h"})
    assert occasion(basket, seen(*rows, now=NOW - 5 * HOUR - 1), NOW) is not None
    assert occasion(basket, seen(*rows, now=NOW - 5 * HOUR), NOW) is None


def date(attribute, before, yearly=False):
    return trigger(date={"attribute": attribute, "before": before, "yearly": yearly})


def span(found):
    return isoformat(found.at), isoformat(found.until)


def test_a_date_is_near_from_before_its_first_local_instant_until_its_last():
    told = {"contract_end": "2026-05-18", "birthday": "1990-05-10"}
    found = occasion(date("contract_end", "14d"), seen(attributes=told, zone=NEW_YORK), NOW)
    assert span(found) == ("2026-05-04T04:00:00Z", "2026-05-19T04:00:00Z")
    found = occasion(date("birthday", "1d", yearly=True), seen(attributes=told), NOW)
    assert span(found) == ("2026-05-09T00:00:00Z", "2026-05-11T00:00:00Z")
    assert occasion(date("unknown", "1d"), seen(attributes=told), NOW) is None


def test_a_birthday_in_january_is_seen_in_december_and_29_february_is_kept_on_the_28th():
    december = parse_instant("2026-12-28T12:00:00Z")
    found = occasion(date("b", "14d", yearly=True), seen(attributes={"b": "01-03"}), december)
    assert span(found) == ("2026-12-20T00:00:00Z", "2027-01-04T00:00:00Z")
    leap = seen(attributes={"b": "1992-02-29"})
    assert span(occasion(date("b", "0d", True), leap, parse_instant("2027-02-01"))) == (
        "2027-02-28T00:00:00Z",
        "2027-03-01T00:00:00Z",
    )
    assert isoformat(occasion(date("b", "0d", True), leap, parse_instant("2028-02-01")).at).startswith("2028-02-29")


def test_a_day_without_midnight_begins_at_its_first_instant():
    """Cairo went from 23:59:59 to 01:00 on 26 April 2024."""
    found = occasion(date("b", "0d"), seen(attributes={"b": "2024-04-26"}, zone=ZoneInfo("Africa/Cairo")), NOW)
    assert isoformat(found.at) == "2024-04-25T22:00:00Z"
    assert datetime.fromtimestamp(found.at / 1e6, ZoneInfo("Africa/Cairo")).isoformat() == "2024-04-26T01:00:00+03:00"


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-13-01", "02-30", 7, None, [], "9" * 300, "0001-01-01", "9999-12-31"]
)
def test_what_is_no_date_nudges_nobody_and_breaks_nothing(text):
    for yearly in (False, True):
        found = occasion(date("b", "1d", yearly), seen(attributes={"b": text}), NOW)
        assert found is None or not found.open(NOW)
    assert as_day("soon") is None


@given(day=st.dates(datetime(1900, 1, 1).date(), datetime(2030, 1, 1).date()), now=st.integers(0, 400 * 24))  # noqa: DTZ001
def test_a_yearly_date_is_always_the_next_one_that_has_not_ended(day, now):
    at = NOW + now * HOUR
    found = occasion(date("b", "0d", yearly=True), seen(attributes={"b": day.isoformat()}), at)
    assert at < found.until
    assert found.until - found.at == DAY
    begins = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=found.at)
    assert (begins.month, begins.day) == (day.month, day.day) or (day.month, day.day, begins.day) == (2, 29, 28)
    assert found.at - at <= 366 * DAY


def test_an_occasion_is_acted_on_once_while_it_is_fresh_and_not_soon_after_another():
    found = Occasion(NOW, NOW + FRESH)
    assert due(found, None, 30 * DAY, NOW)
    assert not due(found, None, 30 * DAY, NOW - 1)
    assert not due(found, None, 30 * DAY, NOW + FRESH)
    assert not due(found, NOW, 0, NOW + HOUR)
    assert not due(found, NOW - 10 * DAY, 30 * DAY, NOW)
    assert due(found, NOW - 30 * DAY, 30 * DAY, NOW)
    assert not due(None, None, DAY, NOW)
