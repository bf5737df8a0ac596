"""One customer: every event once whatever the page, nothing sensitive, decisions with fates, and every look is kept."""

import asyncio
import json
import shutil

import console_world
import numpy as np
import pyarrow as pa
import pytest

from features import clock
from features.catalogue import DEFAULT
from features.history import History
from features.interactions import INSTANT
from serving.console import render, standalone
from serving.console.blocks import Details, Empty, Pager, Section, Timeline, table, tables
from serving.console.look import Look
from serving.console.person import PAGE, Wanted, person
from serving.console.reasons import OTHERS, SIDES, reasons, side
from serving.console.refusals import refusal
from serving.console.views import Ask, customer, customers
from serving.engine import Engine
from serving.store import open_store

LATEST = customer.LATEST
BUSY = "c0000008"
DECIDED = ["decision_id", "customer_id", "channel", "treatment_channel", "ghost_channel"]
#: A topic that every workspace takes for sensitive, as somebody may have written it.
HIDDEN = "\t Money_Trouble\u2003"


@pytest.fixture(scope="module")
def look(world_template, tmp_path_factory):
    """Somebody who may look at customers, in a world of this file's own."""
    folder = tmp_path_factory.mktemp("customer") / "world"
    shutil.copytree(world_template, folder)
    workspace = console_world.Workspace.open(folder)
    History(workspace).append(_hidden(), "hidden")
    engine = Engine.open(workspace)
    engine.warm()
    yield Look(engine, "anna", frozenset({"customers"}))
    engine.close()


def _hidden():
    """What somebody busy said on a sensitive topic, weeks ago."""
    at = [console_world.END - days * clock.DAY for days in (20, 40, 60)]
    return pa.table(
        {
            "interaction_id": ["hidden-1", "hidden-2", "hidden-3"],
            "customer_id": [BUSY] * 3,
            "occurred_at": pa.array(at).cast(INSTANT),
            "channel": ["phone"] * 3,
            "direction": ["inbound"] * 3,
            "type": ["call", "complaint", "unheard_of_type"],
            "topic": [HIDDEN] * 3,
            "case_id": pa.array([None, "hidden-case", None], pa.string()),
        }
    )


def shown(look, name, **query):
    return asyncio.run(customer.page(look, Ask(path={"customer": name}, query=query)))


def blocks(found, kind):
    def walk(some):
        for block in some:
            if isinstance(block, kind):
                yield block
            if isinstance(block, Section | Details):
                yield from walk(block.blocks)

    return list(walk(found.blocks))


def logged(look, name):
    """Every interaction there is, naively: all of history, then what the store has beside it."""
    rows = History(look.workspace).interactions(customers=[name]).to_pylist()
    ids = {row["interaction_id"] for row in rows}
    live = look.engine.store.export_customer([name])["interactions"]
    return ids | {row["interaction_id"] for row in live}, rows


@pytest.fixture(scope="module")
def timeline(look):
    """From when each page of somebody busy tells backwards, and what it tells."""
    before, found = LATEST, []
    while before is not None:
        found.append((before, person(look, BUSY, Wanted(before))))
        before = found[-1][1].older
    return found


def test_paging_tells_every_interaction_and_every_made_decision_once(look, timeline):
    ids, rows = logged(look, BUSY)
    hidden = {row["interaction_id"] for row in rows if row["topic"] == HIDDEN}
    assert len(hidden) == 3
    seen, decided = [], []
    for before, found in timeline:
        assert all(row["at"] < before for row in (*found.rows, *found.decided))
        seen += [row["interaction_id"] for row in found.rows]
        decided += [row["decision_id"] for row in found.decided]
    assert len(timeline) > 2, "one page would show nothing of paging"
    assert sorted(seen) == sorted(ids - hidden)
    made = History(look.workspace).decisions(columns=["decision_id", "customer_id", "action", "ghost"]).to_pylist()
    theirs = {row["decision_id"] for row in made if row["customer_id"] == BUSY and (row["action"] or row["ghost"])}
    assert theirs
    assert sorted(decided) == sorted(theirs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "channel"), [("theirs", "web"), ("ours", ""), ("decisions", "email"), ("decisions", "")]
)
def test_a_narrowed_timeline_is_what_is_left_of_all(look, kind, channel):
    found, before = [], LATEST
    while before is not None:
        one = person(look, BUSY, Wanted(before, channel, kind))
        found += one.decided if kind == "decisions" else one.rows
        assert not (one.rows if kind == "decisions" else one.decided)
        before = one.older
    if kind == "decisions":
        expected = [
            row
            for row in History(look.workspace).decisions(columns=DECIDED).to_pylist()
            if row["customer_id"] == BUSY
            and channel in ("", row["treatment_channel"] or row["ghost_channel"] or row["channel"])
        ]
    else:
        way = {"theirs": "inbound", "ours": "outbound"}[kind]
        expected = [
            row
            for row in History(look.workspace).interactions(customers=[BUSY]).to_pylist()
            if row["direction"] == way and channel in ("", row["channel"]) and row["topic"] != HIDDEN
        ]
    assert len(found) == len(expected)
    assert expected or channel, "a filter that finds nothing shows nothing of filters"


def test_sensitive_topics_are_nowhere_on_the_page(look, timeline):
    for before, _ in timeline:
        page = shown(look, BUSY, before=str(before))
        text = standalone.file(page).split("<main")[1].split("</main>")[0]
        assert "rouble" not in text
        assert "nheard of type" not in text, "nor is anything that happened about it"


def test_every_look_is_kept_before_anything_is_shown(look):
    before = len(look.engine.store.export_customer([BUSY])["looks"])
    found = shown(look, BUSY)
    looks = look.engine.store.export_customer([BUSY])["looks"]
    assert len(looks) == before + 1
    assert looks[-1]["who"] == "anna"
    assert table(found, "looks").rows[0][0] == "anna"


def test_what_is_nobodys_id_is_not_kept_as_looked_at(look):
    name = "x" * (customers.LONGEST + 1)
    assert shown(look, name).lead == "Nobody is known under this id."
    assert not look.engine.store.export_customer([name])["looks"]


def test_who_cannot_be_logged_is_not_shown(look, monkeypatch):
    def away(*_):
        raise OSError("the disk is gone")

    monkeypatch.setattr(look.engine.store, "looked", away)
    with pytest.raises(OSError, match="the disk is gone"):
        shown(look, BUSY)


def test_the_first_sentence_goes_by_the_figures(look):
    found = person(look, console_world.COMPLAINER, Wanted(LATEST))
    lead = shown(look, console_world.COMPLAINER).lead
    assert lead.startswith(
        f"{console_world.COMPLAINER}: last heard of on {clock.isoformat(found.read.customer.seen_to)[:10]}"
    )
    assert "1 open matter: help first" in lead
    assert "who may not be contacted this week" in lead
    assert all(each.number == 0 for each in found.left)
    assert f"{100 * found.churn.probability:.0f}% likely to leave" in lead
    open_ = person(look, console_world.CONTACTED, Wanted(LATEST))
    most = max(each.number for each in open_.left)
    assert most > 0
    assert f"{most} " in shown(look, console_world.CONTACTED).lead.split("who may get")[1]


def test_a_decision_shows_the_fate_of_every_candidate_with_rules_in_words(look):
    found = person(look, console_world.CONTACTED, Wanted(LATEST, kind="decisions"))
    live = next(row for row in found.decided if row["decision_id"].startswith("d-"))
    one = shown(look, console_world.CONTACTED, decision=live["decision_id"], at=str(live["at"]))
    fates = table(one, "candidates")
    document = json.loads(look.engine.store.decision(live["decision_id"]))
    assert len(fates.rows) == len(document["candidates"]) > 0
    refused = [fate for fate in document["candidates"] if fate.get("suppressed_by")]
    told = " ".join(str(row[3]) for row in fates.rows)
    for fate in refused:
        for trip in fate["suppressed_by"]:
            assert refusal(trip["rule"], trip["text"]) in told
    assert table(shown(look, BUSY, decision=live["decision_id"], at=str(live["at"])), "candidates") is None, "another's"
    assert "no longer kept" in standalone.file(shown(look, BUSY, decision="d-none", at="1"))


def test_a_decision_that_only_history_knows_is_shown_too(look):
    found = person(look, BUSY, Wanted(LATEST, kind="decisions"))
    old = next(row for row in found.decided if not row["decision_id"].startswith("d-"))
    one = shown(look, BUSY, decision=old["decision_id"], at=str(old["at"]))
    assert table(one, "candidates").rows


def test_contacts_of_a_live_decision_say_where_they_stand(look):
    kept = (look.engine.store.export_customer([f"c{k:07d}"])["contacts"] for k in range(3, 46))
    contact = next(each for contacts in kept for each in contacts if each["state"] in ("sent", "failed"))
    events = blocks(shown(look, contact["customer_id"]), Timeline)[0].events
    states = {fact.value.words for event in events for fact in event.facts if fact.term == "Contact"}
    assert contact["state"] in states


def test_strangers_and_nonsense_get_a_designed_page(look):
    found = shown(look, "nobody", before="x", kind="?", decision="d", at="-1")
    assert found.lead == "Nobody is known under this id."
    assert blocks(found, Empty)
    assert blocks(shown(look, BUSY, before="99999999999999999999", kind="?"), Timeline)[0].events


def test_restricted_data_are_kept_and_not_shown(world, look):
    """Not under any id of theirs, in no table, and nothing is read of history; the look itself is kept."""
    with open_store(world) as store:
        store.restrict(BUSY, True, 1).result()
    engine = Engine.open(world)
    engine.warm()

    def refused(*_):
        raise AssertionError("history is read")

    try:
        found = shown(Look(engine, "anna", look.scopes, away=refused), BUSY)
        assert engine.store.export_customer([BUSY])["looks"][-1]["who"] == "anna"
        store = engine.store
        store.restrict(BUSY, False, 2).result()
        assert blocks(shown(Look(engine, "anna", look.scopes), BUSY), Timeline)
    finally:
        engine.close()
    assert found.lead == f"Processing of the data of {BUSY} is restricted, at their wish or until a dispute is settled."
    assert not list(tables(found.blocks))
    assert not blocks(found, Timeline)
    assert "privacy export" in blocks(found, Empty)[0].command


def test_hostile_names_stay_text(look):
    html = standalone.file(shown(look, console_world.EVIL))
    assert console_world.EVIL not in html
    assert "<img src=x" not in html
    page = render.page(shown(look, console_world.EVIL), render.Frame(base="/console"), render.Reader())
    assert "<img src=x" not in page


def test_the_timeline_pages_by_links(look):
    first = shown(look, BUSY)
    pager = blocks(first, Pager)[0]
    assert pager.newer is None
    assert pager.older.startswith(f"/customers/{BUSY}?before=")
    at = pager.older.split("before=")[1].split("#")[0]
    second = blocks(shown(look, BUSY, before=at), Timeline)[0].events
    assert second
    assert max(event.at for event in second) < clock.isoformat(int(at))
    assert len(blocks(first, Timeline)[0].events) >= PAGE


def test_searching_finds_by_id_by_beginning_and_says_where_nobody_is(look):
    def ask(typed):
        return asyncio.run(customers.page(look, Ask(query={"q": typed})))

    assert [row[0].text for row in table(ask(BUSY), "found").rows] == [BUSY]
    begun = table(ask("c000000"), "found").rows
    assert [row[0].text for row in begun] == [f"c000000{k}" for k in range(10)]
    assert ask("c000000").lead == "10 customers found for “c000000”."
    many = ask("c00000")
    assert many.lead == "More than 20 customers found for “c00000”: the first are listed."
    assert len(table(many, "found").rows) == customers.MOST
    assert table(ask("zzz"), "found") is None
    assert "Nobody is known as “zzz”" in ask("zzz").lead
    assert asyncio.run(customers.page(look, Ask())).lead == "Find a customer by id or by any identifier."


def test_an_identifier_finds_the_person_behind_it(world, look):
    engine = Engine.open(world)
    engine.warm()
    try:
        link = {"identifier": "anna@example.org", "kind": "email", "customer_id": BUSY, "op": "link"}
        now = world.clock().now()
        row = {"link_id": "l1", "valid_from": now, "received_at": now, **link}
        engine.store.record_links([row]).result()
        with_link = Look(engine, "anna", look.scopes)
        found = asyncio.run(customers.page(with_link, Ask(query={"q": "anna@example.org"})))
        assert [row[0].text for row in table(found, "found").rows] == [BUSY]
        page = shown(with_link, "anna@example.org")
        assert {row[0] for row in table(page, "ids").rows} >= {BUSY, "anna@example.org"}
        assert blocks(page, Timeline)[0].events
    finally:
        engine.close()


def test_reasons_name_the_side_that_a_model_goes_by():
    place = {name: k for k, name in enumerate([each.name for each in DEFAULT])}
    random = np.random.default_rng(0)
    others, own = random.random((12, len(place))), np.ones(len(place))
    own[place["count_contact_7d"]] = 5.0

    def model(rows):
        return 1 / (1 + np.exp(-rows[:, place["count_contact_7d"]]))

    found = reasons(model, ["count_contact_7d", "recency_purchase"], DEFAULT, own, others)
    assert found.probability == pytest.approx(1 / (1 + np.exp(-5.0)))
    assert found.typical == pytest.approx(model(others).mean())
    assert [each.side for each in found.sides] == ["contacts and their answers", "purchases"]
    assert found.sides[0].without == pytest.approx(model(others).mean())
    assert found.sides[0].feature == "count_contact_7d"
    assert found.sides[1].without == pytest.approx(found.probability), (
        "a side that the model does not go by moves nothing"
    )


def test_every_feature_has_a_side():
    sides = {side(each) for each in DEFAULT}
    assert sides <= {*SIDES, OTHERS}
    assert len(sides) >= 5
