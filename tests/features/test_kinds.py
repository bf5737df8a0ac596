"""What single kinds of features say of small stories that a reader can check by hand."""

import numpy as np
import oracle
import pytest
from interactions_for_tests import CHANNELS, DAY, START, TYPES, table

from features import batch, online
from features.catalogue import ADD_TO_CART, CONTACT, DEFAULT, PURCHASE, Catalogue
from features.clock import HOUR, MINUTE, parse_instant
from features.definitions import ANY
from features.kinds import (
    CasesResolved,
    ChannelEntropy,
    ChannelSwitches,
    ContactLoad,
    Count,
    DaysInStage,
    DayValue,
    DiscountShare,
    Escalations,
    HourShare,
    IgnoredInARow,
    JourneyStage,
    LongestOpen,
    MainChannelShare,
    OpenCases,
    PathChannel,
    PathType,
    Pressure,
    RepeatTopics,
    ResolveDays,
    ResponseRate,
    SameHour,
    SatisfactionTrend,
    SessionDepth,
    SessionMinutes,
    Sessions,
    Silence,
    StageBefore,
    StageChanges,
    Transition,
    ValueTrend,
    WeekendShare,
)
from features.sensitive import sensitive_topics
from features.vocabulary import Vocabulary
from features.workspace import Journey, Settings

SETTINGS = Settings()
NOON = 12 * HOUR


def row(at: int, type: str = "page_view", channel: str = "web", direction: str = "inbound", **other):
    """`at` in microseconds after START, a midnight."""
    when = START + at
    nothing = dict.fromkeys(("value", "topic", "satisfaction", "case_id", "decision_id", "attributes"))
    words = {"channel": channel, "direction": direction, "type": type}
    return {"customer_id": "ann", "occurred_at": when, "received_at": when, **nothing, **words, **other}


def read(rows: list, at: int, *features) -> list:
    """Feature values of one customer at `at` after START; labels for categories, None for null."""
    rows = [{"interaction_id": f"i{n:04}", **r} for n, r in enumerate(rows)]
    found = batch.compute_at(table(rows), ["ann"], np.array([START + at]), Catalogue(features), SETTINGS)
    values = found.to_arrow().to_pylist()[0]
    return [values[feature.name] for feature in features]


def test_a_session_ends_with_a_pause_of_more_than_half_an_hour():
    visits = [0, 10 * MINUTE, 40 * MINUTE, 70 * MINUTE + 1]  # the third pause is a microsecond too long
    rows = [row(at) for at in visits] + [row(2 * DAY, channel="mobile_app"), row(2 * DAY, channel="store")]
    assert read(rows, 3 * DAY, Sessions(30), SessionMinutes(30), SessionDepth(30)) == [3, 40 / 3, 5 / 3]
    assert read(rows, 3 * DAY, Sessions(1), SessionMinutes(1), SessionDepth(1)) == [1, 0, 1]
    assert read([row(0, direction="outbound")], DAY, Sessions(1), SessionMinutes(1)) == [0, None]


def test_a_session_is_as_old_as_its_end():
    rows = [row(DAY - 10 * MINUTE), row(DAY + 10 * MINUTE)]
    assert read(rows, 2 * DAY, Sessions(1), SessionMinutes(1), SessionDepth(1)) == [1, 20, 2]


def test_help_within_a_day_of_a_digital_interaction_is_an_escalation():
    asked = (Escalations(30), Transition("web", "phone", 30))
    assert read([row(0), row(24 * HOUR, "call", "phone")], 5 * DAY, *asked) == [1, 1]
    assert read([row(0), row(24 * HOUR + 1, "call", "phone")], 5 * DAY, *asked) == [0, 1]
    again = [row(0), row(HOUR, "call", "phone"), row(2 * HOUR, "message", "chat")]
    assert read(again, 5 * DAY, *asked) == [1, 1], "who calls and then chats about it has escalated once"
    between = [row(0), row(HOUR, "purchase", "store"), row(2 * HOUR, "call", "phone")]
    assert read(between, 5 * DAY, *asked) == [1, 0], "a transition is from one to the next"
    ours = [row(0), row(HOUR, "call", "phone", "outbound")]
    assert read(ours, 5 * DAY, *asked) == [0, 0], "a call that we make is no escalation"


def test_paths_count_repeats_once_and_skip_nothing():
    rows = [
        row(0, "purchase", "store"),
        row(1, "page_view", "web"),
        row(2, "page_view", "web"),
        row(3, "add_to_cart", "web"),
        row(4, "never_seen", "fax"),
        row(5, "purchase", "web"),
    ]
    assert read(rows, DAY, PathChannel(1), PathChannel(2), PathChannel(3)) == ["web", None, "web"]
    assert read(rows, DAY, PathType(1), PathType(2), PathType(3)) == ["purchase", "other", "add_to_cart"]
    assert read(rows, DAY, ChannelSwitches(1), Transition("store", "web", 1), Transition("fax", "web", 1)) == [3, 1, 0]
    assert read(rows, DAY, MainChannelShare()) == [4 / 6]
    even = [row(n, channel=channel) for n, channel in enumerate(("web", "store", "phone", "chat"))]
    assert read(even, DAY, ChannelEntropy()) == [2]
    assert read(even[:1], DAY, ChannelEntropy(), PathChannel(2)) == [0, None]


def test_hours_and_weekdays_count_visits_not_lines():
    monday = parse_instant("2024-03-04") - START
    basket = [row(monday + NOON + n, "purchase", "store") for n in range(30)]
    saturday = [row(monday + 5 * DAY + 20 * HOUR)]
    at = monday + 7 * DAY + 13 * HOUR
    assert read(basket + saturday, at, HourShare(12, 18), HourShare(18, 24), WeekendShare()) == [0.5, 0.5, 0.5]
    assert read(basket + saturday, at, SameHour()) == [0.5]
    assert read(basket + saturday, monday + 7 * DAY, SameHour()) == [0]
    assert read(basket, at - 400 * DAY, SameHour()) == [None]


def test_the_stage_is_that_of_the_newest_and_lasts_since_it_was_entered():
    rows = [row(0, "visit"), row(DAY), row(2 * DAY, "search"), row(2 * DAY + 1, "unstaged"), row(3 * DAY)]
    asked = (JourneyStage(), StageBefore(), DaysInStage(), StageChanges(1), StageChanges(30))
    assert read(rows, 4 * DAY, *asked) == ["considering", "aware", 3, 0, 1]
    assert read(rows[:1], 4 * DAY, *asked) == ["aware", None, 4, 0, 0]
    assert read(rows[3:4], 4 * DAY, *asked) == [None, None, None, 0, 0]
    assert JourneyStage().labels_in(SETTINGS) == tuple(Journey().stages)


def test_a_response_answers_the_newest_contact_before_it():
    mail = [row(day * DAY, "contact", "email", "outbound") for day in (0, 1, 2, 3)]
    asked = (ResponseRate(90), IgnoredInARow(), Count(CONTACT, 90))
    assert read(mail, 9 * DAY, *asked) == [0, 4, 4]
    clicked = [*mail, row(DAY + HOUR, "clicked", "email")]
    assert read(clicked, 9 * DAY, *asked) == [1 / 4, 2, 4]
    echoes = [row(2 * DAY + HOUR, type, "email", "outbound") for type in ("sent", "failed", "impression", "delivered")]
    assert read(clicked + echoes, 9 * DAY, *asked) == [1 / 4, 2, 4], "the fate of a contact is no contact"
    late = [mail[0], row(30 * DAY, "accepted", "web")]
    assert read(late, 31 * DAY, *asked) == [1, 0, 1]
    too_late = [mail[0], row(30 * DAY + 1, "accepted", "web")]
    assert read(too_late, 31 * DAY, *asked) == [0, 0, 1], "a reaction, but hardly to that"
    assert read([*mail, row(5 * DAY, "rejected", "email")], 9 * DAY, *asked) == [0, 0, 4]
    assert read([row(0)], DAY, ResponseRate(90)) == [None]


def test_three_calls_or_four_emails_or_ten_letters_are_one_load():
    for channel, number in (("phone", 3), ("email", 4), ("mail", 10)):
        rows = [row(n * HOUR, "contact", channel, "outbound") for n in range(number)]
        assert read(rows, DAY, ContactLoad(90)) == [pytest.approx(1)]
        assert read(rows, 31 * DAY, Pressure(30), ContactLoad(30)) == [pytest.approx(0.5), 0]


def test_cases_take_from_their_first_opening_to_their_last_closing():
    def case(day, type, name="a"):
        return row(day * DAY, type, "phone", case_id=name)

    asked = (OpenCases(), LongestOpen(), CasesResolved(30), ResolveDays(30))
    story = [case(0, "case_opened"), case(1, "complaint"), case(3, "case_closed")]
    assert read(story, 4 * DAY, *asked) == [0, None, 1, 3]
    reopened = [*story, case(5, "complaint"), case(6, "complaint")]
    assert read(reopened, 8 * DAY, *asked) == [1, 3, 0, None]
    closed = [*reopened, case(10, "case_closed")]
    assert read(closed, 11 * DAY, *asked) == [0, None, 1, 10]
    other = [*closed, case(9, "case_opened", "b"), case(11, "case_closed", "b"), case(4, "case_closed", "unknown")]
    assert read(other, 12 * DAY, *asked) == [0, None, 2, 6]
    assert read(other, 40 * DAY, CasesResolved(30), ResolveDays(30)) == [2, 6]
    assert read(other, 41 * DAY + 1, CasesResolved(30), ResolveDays(30)) == [0, None]


def test_money_saved_trends_and_repeats():
    saved = [
        row(0, "purchase", value=30.0, attributes='{"discount": 10.0}'),
        row(1, "purchase", value=10.0, attributes='{"other": 1}'),
        row(DAY, "purchase", value=40.0, attributes="no JSON"),
    ]
    assert read(saved, 2 * DAY, DiscountShare(PURCHASE, 30), DayValue(PURCHASE, 30)) == [10 / 90, 40]
    assert read(saved, 2 * DAY, DiscountShare(PURCHASE, 1), DiscountShare(ADD_TO_CART, 1)) == [0, None]
    assert read(saved, 100 * DAY, ValueTrend(PURCHASE, 30, 365)) == [0]
    assert read(saved, 2 * DAY, ValueTrend(PURCHASE, 1, 365)) == [(40 / 1) / (80 / 2)], "over the days there were"
    topics = [row(n, topic=topic) for n, topic in enumerate(("billing", "delivery", "billing", None, "billing"))]
    assert read(topics, DAY, RepeatTopics(ANY, 1)) == [2]
    moods = [row(day * DAY, satisfaction=mood) for day, mood in ((0, 1.0), (5, 0.5), (9, None))]
    assert read(moods, 10 * DAY, SatisfactionTrend(ANY, 7, 30)) == [0.5 - 0.75]
    assert read(moods, 10 * DAY, SatisfactionTrend(ANY, 1, 30)) == [None]


def test_silence_grows_with_the_pause_and_shrinks_with_the_horizon():
    often = [row(day * DAY, "purchase", "store") for day in range(0, 100, 5)]
    soon, later = (read(often, (95 + pause) * DAY, Silence(PURCHASE, 28))[0] for pause in (1, 60))
    assert 0 < soon < 0.3 < later < 1
    assert read(often, 100 * DAY, Silence(PURCHASE, 90))[0] < read(often, 100 * DAY, Silence(PURCHASE, 28))[0]
    assert read([row(0)], DAY, Silence(PURCHASE, 28)) == [None]


def test_mistakes_in_declarations_are_explained():
    with pytest.raises(ValueError, match="1 to 3, not 4"):
        PathChannel(4)
    with pytest.raises(ValueError, match="from web to itself"):
        Transition("web", "web", 30)
    with pytest.raises(ValueError, match="first before the last"):
        HourShare(18, 6)
    with pytest.raises(ValueError, match="four numbers above 0"):
        Silence(PURCHASE, 28, (1.0, 2.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="shorter window"):
        SatisfactionTrend(ANY, 90, 30)
    with pytest.raises(ValueError, match="a type leads to one stage"):
        Journey(stages={"a": ["purchase"], "b": ["purchase"]})
    with pytest.raises(ValueError, match="lists no type"):
        Journey(stages={"a": []})


def busy(number: int, seed: int) -> list:
    """A hundred days of everything, with ties and late arrivals."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(number):
        at = int(rng.integers(0, 100)) * DAY + int(rng.integers(0, 48)) * 30 * MINUTE
        late = int(rng.choice([0, 0, 5])) * DAY
        case = rng.choice(["", "", "a", "b", "c"])
        rows.append(
            row(
                at,
                str(rng.choice(TYPES)),
                str(rng.choice(CHANNELS)),
                str(rng.choice(["inbound", "inbound", "outbound"])),
                value=float(rng.integers(0, 400)) / 4,
                topic=[None, "billing", "delivery"][rng.integers(3)],
                satisfaction=float(rng.random()),
                case_id=str(case) or None,
                decision_id="d" if rng.random() < 0.3 else None,
                attributes='{"discount": 0.25}' if rng.random() < 0.3 else None,
                received_at=START + at + late,
            )
        )
    return [{"interaction_id": f"i{n:04}", **r} for n, r in enumerate(rows)]


def now(rows: list, t: int, sensitive: frozenset = frozenset()) -> np.ndarray:
    words = Vocabulary()
    state, _ = online.update(online.State(), online.items_from_table(table(rows), words, sensitive))
    return online.compute(state, t, DEFAULT.compile(words, SETTINGS))


def test_more_than_4096_of_everything_agrees_with_the_oracle_and_the_service():
    rows = busy(4600, 1)
    for day in (99, 105):
        t = START + day * DAY
        wanted = oracle.compute(rows, t, DEFAULT, SETTINGS.channels)
        found = batch.compute_at(table(rows), ["ann"], np.array([t]), DEFAULT, SETTINGS).values[0]
        wrong = ~np.isclose(found, wanted, rtol=1e-9, atol=0, equal_nan=True)
        assert [(DEFAULT.names[i], found[i], wanted[i]) for i in np.flatnonzero(wrong)] == []
    np.testing.assert_array_equal(now(rows, t), found)


def test_sensitive_topics_reach_no_feature_of_history_nor_of_the_service():
    rows, t = busy(300, 2), START + 105 * DAY
    hidden = [r | {"interaction_id": f"h{n}", "topic": "Health "} for n, r in enumerate(busy(300, 3))]
    clean = batch.compute_at(table(rows), ["ann"], np.array([t]), DEFAULT, SETTINGS).values[0]
    mixed = batch.compute_at(table(rows + hidden), ["ann"], np.array([t]), DEFAULT, SETTINGS).values[0]
    np.testing.assert_array_equal(mixed, clean)
    np.testing.assert_array_equal(now(rows + hidden, t), clean)
    np.testing.assert_array_equal(now(rows + hidden, t, sensitive_topics(SETTINGS)), clean)
