"""Journeys against a naive count: on drawn logs, under filters, day by day, with late rows, zones and segments."""

import interactions_for_tests as drawn
import journeys_checked
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from features import attributes, clock
from features.clock import DAY, HOUR, MINUTE
from features.history import History, conform
from features.interactions import INSTANT
from features.journeys import build, flows, layout, reading, sentences, summary
from features.journeys.asking import Question
from features.scaffold import init_workspace

START = clock.parse_instant("2024-01-01")
SETTINGS = """
churn: {qualifying: [purchase, login], horizon_days: 7, event: closed}
attributes: {tier: [gold, silver], age: number}
channels: [web, store, email, phone, chat]
"""


def table(events) -> pa.Table:
    """(customer, microseconds after START, type, channel, and what else) as interactions."""
    rows = [
        {"interaction_id": f"i{number}", "customer_id": who, "occurred_at": START + at, "type": kind,
         "channel": channel, "direction": "outbound" if kind == "contact" else "inbound", "topic": None,
         "satisfaction": None} | more
        for number, (who, at, kind, channel, more) in enumerate(
            (*event, {})[:5] if len(event) == 4 else event for event in events
        )
    ]  # fmt: skip
    made = pa.Table.from_pylist(rows)
    made = made.set_column(2, "occurred_at", made["occurred_at"].cast(INSTANT))
    nulls = {"topic": pa.string(), "satisfaction": pa.float64()}
    for name, kind in nulls.items():
        made = made.set_column(made.column_names.index(name), name, made[name].cast(kind))
    return conform(made)


def drawn_log(seed: int, rows: int = 400, days: int = 60, first: int = 0, customers: int = 12) -> list:
    """Events of a few busy customers: loops, pauses, goals, contacts, ratings, ties, a sensitive topic."""
    rng = np.random.default_rng(seed)
    kinds = ["page_view", "page_view", "search", "contact", "contact", "purchase", "login", "call", "closed", "survey"]
    events = []
    for _ in range(rows):
        kind = kinds[rng.integers(len(kinds))]
        at = int(rng.integers(first, first + days)) * DAY + int(rng.choice([0, 0, HOUR, 20 * MINUTE, DAY // 2]))
        more = {
            "satisfaction": float(rng.integers(0, 5)) / 4
            if rng.random() < (0.9 if kind == "survey" else 0.2)
            else None,
            "topic": "health" if rng.random() < 0.05 else None,
        }
        channel = ["web", "store", "email", "phone"][rng.integers(4)]
        events.append((f"c{rng.integers(customers)}", at, kind, channel, more))
    return events


@pytest.fixture
def shop(tmp_path):
    return init_workspace(tmp_path / "shop", {"tactful.yaml": SETTINGS})


def kept(workspace, *tables: pa.Table):
    """History with these tables, and the journeys of it."""
    history = History(workspace)
    for one in tables:
        history.append(one, "test")
    return build.up_to_date(workspace)


def everything(workspace) -> list[dict]:
    return journeys_checked.rows(History(workspace).interactions())


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Journeys of customers of some tiers, and the same as the naive count has them; only read."""
    workspace = init_workspace(tmp_path_factory.mktemp("one") / "shop", {"tactful.yaml": SETTINGS})
    told = [
        {"customer_id": who, "valid_from": START + 10 * DAY, "attributes": {"tier": tier, "age": 7}}
        for who, tier in (("c1", "gold"), ("c2", "gold"), ("c3", "silver"))
    ]
    History(workspace).append_attributes(attributes.records(told), "test")
    found = kept(workspace, table(drawn_log(5)))
    everyone, seen = journeys_checked.naively(found, everything(workspace)), {}
    for journey in everyone:
        journey["nth"] = seen[journey["customer"]] = seen.get(journey["customer"], -1) + 1
    return found, everyone


def test_what_a_step_and_a_journey_are(shop):
    found = kept(
        shop,
        table([
            ("ann", 0, "page_view", "web"),
            ("ann", MINUTE, "page_view", "web"),  # a repeat is the same step
            ("ann", 2 * MINUTE, "page_view", "phone"),  # on another channel it is another
            ("ann", DAY, "purchase", "web"),
            ("ann", DAY + 29 * MINUTE, "page_view", "web"),  # belongs to the goal's visit
            ("ann", DAY + 58 * MINUTE, "login", "web"),
            ("ann", DAY + 89 * MINUTE, "page_view", "web"),  # half an hour later another journey begins
            ("ann", 8 * DAY + 89 * MINUTE, "contact", "email"),  # a pause of just seven days ends nothing
            ("ann", 8 * DAY + 90 * MINUTE, "page_view", "web"),  # our contact is no life: the pause is over
            ("bob", 0, "contact", "email"),
            ("bob", 7 * DAY, "contact", "web"),
            ("bob", 7 * DAY + 1, "contact", "web"),
        ]),
    )  # fmt: skip
    t = found.traced
    spelt = [
        [found.steps[code].type + " " + found.steps[code].channel for code in t.code[a:b]]
        for a, b in zip(t.first[:-1], t.first[1:], strict=True)
    ]
    assert spelt == [
        ["page_view web", "page_view phone", "purchase web"],
        ["page_view web", "contact email"],
        ["page_view web"],
        ["contact email", "contact web"],
        ["contact web"],
    ]
    assert t.reached.tolist() == [True, False, False, False, False]
    assert found.over.tolist() == [True, True, False, True, False]
    assert (t.until - t.at).tolist()[:3] == [MINUTE, 0, 58 * MINUTE]


@pytest.mark.parametrize("at_first", [1, 2, 3])
def test_who_leaves_in_the_visit_of_the_goal_has_left(shop, at_first):
    """What says so is a step of its own, and the first of another journey, also where what was kept is added to."""
    events = [
        ("ann", 0, "purchase", "web"),
        ("ann", MINUTE, "page_view", "web"),
        ("ann", 9 * MINUTE, "closed", "web"),
        ("ann", 9 * MINUTE + 1, "closed", "web"),
    ]
    whole = table(events)
    found = kept(shop, whole.slice(0, at_first))
    found = kept(shop, whole.slice(at_first))
    assert [found.steps[code].type for code in found.traced.code] == ["purchase", "closed"]
    assert found.traced.reached.tolist() == [True, False]
    assert len(flows.sequences(found, np.ones(found.journeys, np.bool_), "leaving")) == 1
    journeys_checked.check(found, summary.figures(found), journeys_checked.naively(found, everything(shop)))


@pytest.mark.parametrize("seed", range(2))
def test_counts_equal_a_naive_count(shop, seed):
    found = kept(shop, table(drawn_log(seed)))
    journeys_checked.check(found, summary.figures(found), journeys_checked.naively(found, everything(shop)))


@given(rows=drawn.interactions(("ann", "bob", "cid"), most=30))
@settings(max_examples=6)
def test_tracing_equals_naive_tracing_also_in_two_parts(rows, tmp_path_factory):
    workspace = init_workspace(tmp_path_factory.mktemp("drawn") / "shop", {"tactful.yaml": SETTINGS})
    log = conform(drawn.table(rows)) if rows else None
    if log is None:
        return
    half = log.num_rows // 2
    found = kept(workspace, log.slice(0, half), log.slice(half))
    wanted = journeys_checked.naively(found, everything(workspace))
    journeys_checked.check(found, summary.figures(found), wanted)


@pytest.mark.parametrize(
    ("question", "fits"),
    [
        (Question(since="2024-01-20"), lambda j: j["began"] >= START + 19 * DAY),
        (Question(until="2024-01-20"), lambda j: j["began"] < START + 20 * DAY),
        (Question(channel="store"), lambda j: any(step["key"][1] == "store" for step in j["steps"])),
        (Question(segment="tier=gold"), lambda j: j["customer"] in ("c1", "c2") and j["began"] >= START + 10 * DAY),
        (Question(segment="first or later journey=first journey"), lambda j: j["nth"] == 0),
        (
            Question("2024-01-05", "2024-02-10", "first or later journey=later journey", "phone"),
            lambda j: START + 4 * DAY <= j["began"] < START + 41 * DAY and j["nth"] > 0
            and any(step["key"][1] == "phone" for step in j["steps"]),
        ),
    ],
)  # fmt: skip
def test_any_filter_is_exact(one, question, fits):
    found, everyone = one
    chosen = [journey for journey in everyone if fits(journey)]
    assert 0 < len(chosen) < len(everyone)
    journeys_checked.check(found, summary.figures(found, question), chosen, everyone)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question(segment="tier=platinum"), "no segment 'tier=platinum'"),
        (Question(channel="pigeon"), "no journey has a step on a channel 'pigeon'"),
        (Question(since="soon"), "'soon' is no day; write e.g. 2024-05-31"),
        (Question(since="2024-99-99"), "2024-99-99"),
    ],
)
def test_a_question_that_cannot_be_asked_says_why(one, question, message):
    with pytest.raises(ValueError, match=message):
        summary.figures(one[0], question)


def test_day_by_day_equals_from_scratch(shop, tmp_path):
    """Also with rows that arrive late, new customers, new steps, and nothing new."""
    days = [table(drawn_log(9, rows=60, days=3, first=3 * k, customers=4 + 2 * k)) for k in range(5)]
    for k, day in enumerate(days):
        ids = pa.array([f"day{k}-{number}" for number in range(day.num_rows)])
        days[k] = day.set_column(0, "interaction_id", ids)
    late = table([("c1", 4 * DAY + HOUR, "call", "chat", {"interaction_id": "late", "satisfaction": 0.5})])
    for day in (*days, late, None):
        found = kept(shop, *([] if day is None else [day]))
        scratch = init_workspace(tmp_path / f"scratch-{len(list(tmp_path.iterdir()))}", {"tactful.yaml": SETTINGS})
        again = kept(scratch, History(shop).interactions())
        assert summary.figures(found) == summary.figures(again)
        journeys_checked.check(found, summary.figures(found), journeys_checked.naively(found, everything(shop)))


def test_a_survey_after_the_goal_is_of_it_whether_or_not_the_goal_was_known_before(shop, tmp_path):
    """The pause begins with the end of the goal's visit, which a receipt of ours prolongs."""
    bought = [("ann", 0, "purchase", "web"), ("ann", 10 * MINUTE, "contact", "email")]
    asked = ("ann", 7 * DAY + 5 * MINUTE, "survey", "email", {"interaction_id": "asked", "satisfaction": 0.5})
    kept(shop, table(bought))
    found = kept(shop, table([asked]))
    scratch = kept(init_workspace(tmp_path / "scratch", {"tactful.yaml": SETTINGS}), table([*bought, asked]))
    assert found.traced.ratings.sum() == scratch.traced.ratings.sum() == 1
    assert found.traced.anchor.tolist() == scratch.traced.anchor.tolist()


def test_only_new_files_are_read_again(shop, monkeypatch):
    kept(shop, table(drawn_log(1, rows=60, days=10)))
    asked = []
    real = reading.tables
    monkeypatch.setattr(reading, "tables", lambda history, batches: asked.append(batches) or real(history, batches))
    kept(shop, table([("c1", 90 * DAY, "login", "web", {"interaction_id": "new"})]))
    kept(shop)
    first, second = asked
    assert first is not None
    assert len(first) == 1
    assert second == []


def test_an_erasure_and_other_rules_begin_anew(shop):
    whole = kept(shop, table(drawn_log(1, rows=150, days=20)))
    History(shop).logs["interactions"].drop(["customer_id"], lambda rows: rows["customer_id"].to_numpy(False) == "c1")
    without = build.up_to_date(shop)
    assert without.journeys < whole.journeys
    assert "c1" not in layout.names(build.folder(shop)).tolist()
    again = type(shop).open(shop.folder)
    object.__setattr__(again, "settings", shop.settings.model_copy(update={"goal": ["page_view"]}))
    assert build.up_to_date(again).traced.reached.sum() > without.traced.reached.sum()


def test_damage_costs_time_and_no_answer(shop):
    whole = summary.figures(kept(shop, table(drawn_log(2, rows=100, days=10))))
    place = build.folder(shop)
    noted = layout.about(place)
    for name, content in ((f"{noted['folder']}/at.npy", b"?"), ("current.json", b"{"), ("current.json", b"[]")):
        (place / name).write_bytes(content)
        assert layout.read(place) is None
        assert summary.figures(build.up_to_date(shop)) == whole


def test_hours_on_the_clock_where_customers_live(shop):
    told = [
        {"customer_id": "c1", "valid_from": START, "attributes": {"time_zone": "America/New_York"}},
        {"customer_id": "c2", "valid_from": START, "attributes": {"time_zone": "Asia/Tokyo"}},
        {"customer_id": "c2", "valid_from": START + DAY, "attributes": {"time_zone": "Asia/Kolkata"}},
        {"customer_id": "c3", "valid_from": START, "attributes": {"time_zone": "Mars/Olympus"}},
    ]
    History(shop).append_attributes(attributes.records(told), "test")
    for one in (table(drawn_log(3, days=150)),):
        History(shop).append(one, "test")
    found = build.up_to_date(shop, "Europe/Berlin")  # its summer begins within the log, and New York's
    zone_of = {f"c{number}": "Europe/Berlin" for number in range(12)}
    zone_of |= {"c1": "America/New_York", "c2": "Asia/Kolkata"}
    journeys_checked.check(
        found, summary.figures(found), journeys_checked.naively(found, everything(shop)), zone_of=zone_of
    )
    assert summary.figures(found).clock.zones == 3


def test_who_is_in_a_flow(one):
    found, _ = one
    figures, everyone = summary.figures(found), np.ones(found.journeys, np.bool_)
    for kind, flow in zip(flows.FLOWS, (figures.first_steps, figures.before_goal, figures.before_leaving), strict=True):
        for link in flow.links:
            who = flows.members(found, everyone, kind, link.layer, link.source_key, link.target_key)
            assert len(who) == link.customers
    with pytest.raises(ValueError, match="no such flow any more"):
        flows.members(found, everyone, "first", 0, "walk|moon|inbound", "goal")


def test_names_are_bounded_and_what_is_not_shown_is_other(shop):
    found = kept(shop, table([(f"c{k % 7}", k * HOUR, f"kind {k % 40} {'x' * 80}", "web") for k in range(300)]))
    figures = summary.figures(found)
    assert len(figures.steps) == 24
    assert max(len(step.step) for step in figures.steps) < 60
    assert {link.source for link in figures.first_steps.links} <= {s.step for s in figures.steps} | {"other"}
    assert sum(link.journeys for link in figures.first_steps.links if link.layer == 0) == figures.totals.journeys


def test_people_who_are_one_are_counted_once(shop):
    """Two ids that a strong identifier links are one customer, also where the second comes in later."""
    from features.identity import links

    kept(shop, table([("ann", 0, "page_view", "web"), ("bob", HOUR, "login", "web")]))
    told = [{"identifier": "a@b.example", "kind": "email", "customer_id": who, "valid_from": START} for who in
            ("ann", "bob")]  # fmt: skip
    History(shop).append_links(links.from_content(told), "test")
    found = kept(shop, table([("bob", 2 * HOUR, "purchase", "web", {"interaction_id": "later"})]))
    assert (found.customers, found.journeys) == (1, 1)
    found = kept(shop, table([("bob", HOUR // 2, "call", "web", {"interaction_id": "late"})]))
    assert [found.steps[code].type for code in found.traced.code] == ["page_view", "call", "login", "purchase"]


def test_sentences_say_what_the_figures_say(shop):
    events = [(f"c{k}", 0, "page_view", "web") for k in range(60)]
    events += [(f"c{k}", 2 * DAY, "purchase", "web") for k in range(45)] + [("zoe", 40 * DAY, "login", "web")]
    figures = summary.figures(kept(shop, table(events)))
    assert sentences.headline(figures, "purchase") == (
        "75% of 60 journeys that ended reached a purchase, half of them within 2 days; "
        "on 100% of the others the last thing that customers do is “page view on the web”."
    )
    assert sentences.headline(figures, "upgrade or order").startswith(
        "75% of 60 journeys that ended reached an upgrade"
    )
    assert sentences.next_week(figures) is None  # 15 journeys are too few to act upon


def test_a_share_that_is_too_high_because_the_quick_end_first_says_so(shop):
    """On one day nothing can end but at the goal."""
    events = [(f"c{k}", 0, "page_view", "web") for k in range(60)]
    events += [(f"c{k}", HOUR, "purchase", "web") for k in range(45)]
    told = sentences.headline(summary.figures(kept(shop, table(events))), "purchase")
    assert told.startswith("100% of 45 journeys that ended reached a purchase (15 more are still open, and the quick")


def test_sentences_when_nothing_worked_or_little_is_known(shop, tmp_path):
    events = [(f"c{k}", 0, "page_view", "web") for k in range(60)] + [("zoe", 40 * DAY, "login", "web")]
    figures = summary.figures(kept(shop, table(events)))
    assert sentences.headline(figures, "purchase") == (
        "None of 60 journeys that ended reached a purchase; "
        "on 100% of them the last thing that customers do is “page view on the web”."
    )
    assert sentences.next_week(figures) == (
        "Give customers a next step after “page view on the web”: 60 journeys stopped there, "
        "100% of those that could have gone on."
    )
    small = init_workspace(tmp_path / "small", {"tactful.yaml": SETTINGS})
    figures = summary.figures(kept(small, table(events[:5])))
    assert sentences.headline(figures, "purchase").startswith("Too few to tell: 0 journeys have ended so far")
    assert sentences.findings(figures, "purchase") == []
