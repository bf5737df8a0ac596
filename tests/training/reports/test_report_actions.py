"""The actions report: counts equal to a naive walk, rates with honest intervals, sentences by figures."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest

from features import clock
from features.history import History
from features.interactions import INSTANT
from features.scaffold import init_workspace, templates
from features.step_words import on_channel
from features.workspace import Workspace, WorkspaceError
from serving.console import action_blocks, standalone
from serving.console.blocks import Verdict, table
from serving.console.views import Ask, actions
from training.reports import jobs, keep
from training.reports.actions import job

START = clock.parse_instant("2026-01-01")
ACTIONS = """
actions:
  - {name: letter, title: A letter, issue: grow, group: g, channels: [email], value: 10, response_window: 3d}
  - {name: call, issue: grow, group: g, channels: [phone], value: 5, response_window: 7d}
  - {name: new_one, issue: grow, group: g, channels: [web], value: 5}
"""
TYPES = ("contact", "clicked", "accepted", "opted_out", "complained", "purchase", "impression")


def log(seed, rows=3_000, customers=120):
    """Contacts and answers at random, some without an action, some on actions that nobody lists."""
    random = np.random.default_rng(seed)
    types = random.choice(TYPES, rows, p=[0.5, 0.1, 0.1, 0.05, 0.05, 0.1, 0.1])
    at = START + np.sort(random.integers(0, 60 * 24, rows)) * clock.HOUR + np.arange(rows)
    listed = random.choice(["letter", "call", "forgotten", None], rows, p=[0.5, 0.3, 0.1, 0.1])
    return pa.table(
        {
            "interaction_id": [f"i{k}" for k in range(rows)],
            "customer_id": [f"C{k}" for k in random.integers(0, customers, rows)],
            "occurred_at": pa.array(at).cast(INSTANT),
            "channel": random.choice(["email", "phone"], rows).tolist(),
            "direction": ["outbound" if t in ("contact", "impression") else "inbound" for t in types],
            "type": types.tolist(),
            "action": pa.array(listed.tolist(), pa.string()),
        }
    )


def naive(table):
    """(contacts, answered, opted out, complained) by action, channel and customer, one contact at a time."""
    rows = sorted(table.to_pylist(), key=lambda row: row["occurred_at"])
    windows = {"letter": 3, "call": 7}
    found = {}
    for k, row in enumerate(rows):
        if row["type"] != "contact" or row["action"] is None:
            continue
        totals = found.setdefault((row["action"], row["channel"]), {}).setdefault(row["customer_id"], [0, 0, 0, 0])
        seen = set()
        for later in rows[k + 1 :]:
            days = (later["occurred_at"] - row["occurred_at"]).total_seconds() / 86_400
            if days >= windows.get(row["action"], 7):
                break
            if (later["customer_id"], later["action"]) != (row["customer_id"], row["action"]):
                continue
            if later["type"] == "contact" and later["channel"] == row["channel"]:
                break
            seen.add(later["type"])
        totals[0] += 1
        totals[1] += bool(seen & {"clicked", "accepted"})
        totals[2] += "opted_out" in seen
        totals[3] += "complained" in seen
    return found


@pytest.fixture
def shop(tmp_path):
    workspace = init_workspace(tmp_path / "shop", templates("features", "serving"))
    (workspace.folder / "actions.yaml").write_text(ACTIONS)
    return Workspace.open(workspace.folder)


@pytest.mark.parametrize("seed", range(3))
def test_counts_equal_a_naive_walk(shop, seed):
    table = log(seed)
    History(shop).append(table, "test")
    found = job.report(shop).artefact
    expected = naive(table)
    assert {(each.action, each.channel) for each in found.treatments} == expected.keys()
    for each in found.treatments:
        customers = expected[each.action, each.channel]
        sums = [sum(totals[k] for totals in customers.values()) for k in range(4)]
        assert [each.contacts, each.responses, each.opt_outs, each.complaints] == sums
        assert each.customers == len(customers)
        assert sum(month.contacts for month in each.months) == each.contacts
        if each.rate is not None:
            r = sums[1] / sums[0]
            error = math.sqrt(sum((y - r * n) ** 2 for n, y, *_ in customers.values())) / sums[0]
            assert each.rate.value == pytest.approx(r)
            assert each.rate.low == pytest.approx(max(0, r - 1.959964 * error))
            assert each.rate.high == pytest.approx(min(1, r + 1.959964 * error))
    listed = {each.action: each.listed for each in found.actions}
    assert listed == {"letter": True, "call": True, "new_one": True, "forgotten": False}


def rate(by_customer):
    """As the job has it, from (contacts, responses) of each customer."""
    n, y = np.array(by_customer, int).T
    return job.rate(*(int(sums) for sums in (n.sum(), y.sum(), n @ n, n @ y, y @ y)))


def test_few_contacts_or_answers_are_too_few_to_tell():
    assert rate([[job.LEAST_CONTACTS - 1, job.LEAST_RESPONSES]]) is None
    assert rate([[job.LEAST_CONTACTS, job.LEAST_RESPONSES - 1]]) is None
    assert rate([[1, k < job.LEAST_RESPONSES] for k in range(job.LEAST_CONTACTS)]) is not None


def test_intervals_cover_where_customers_answer_alike():
    """Each customer answers with a chance of their own; intervals by contact would cover far too seldom."""
    random, truth, covered, plain = np.random.default_rng(5), 0.3, 0, 0
    for _ in range(400):
        chance = random.beta(0.6, 1.4, 150)
        contacts = random.integers(1, 12, 150)
        answered = random.binomial(contacts, chance)
        found = rate(np.stack([contacts, answered], 1))
        covered += found.low <= truth <= found.high
        r, n = answered.sum() / contacts.sum(), contacts.sum()
        plain += abs(r - truth) <= 1.96 * math.sqrt(r * (1 - r) / n)
    assert 0.92 * 400 <= covered <= 0.98 * 400
    assert plain < 0.85 * 400, "what the test is about"


def test_the_sentence_goes_by_the_figures(shop):
    History(shop).append(log(0), "test")
    found = job.report(shop).artefact
    best = max((each for each in found.treatments if each.rate), key=lambda each: each.rate.value)
    titles = {"letter": "A letter", "call": "call", "forgotten": "forgotten"}
    assert f"“{titles[best.action]}” {on_channel(best.channel)} is answered most" in found.headline
    assert f"{sum(each.contacts for each in found.treatments):,} contacts" in found.headline
    few = [each.model_copy(update={"rate": None}) for each in found.treatments]
    assert job.headline(few, titles).endswith("too few answers to tell which are answered most.")
    liked = [each.model_copy(update={"opt_outs": 0, "complaints": 0}) for each in found.treatments]
    assert job.headline(liked, titles).endswith("none drew an opt-out or a complaint.")


def test_only_what_went_out_is_counted_as_that(shop):
    History(shop).append(log(0), "test")
    letter = next(each for each in job.report(shop).artefact.treatments if each.action == "letter")
    decided = letter.model_copy(update={"action": "new_one", "contacts": 0, "rate": None, "opt_outs": 0})
    titles = {"letter": "A letter", "new_one": "new one"}
    assert job.headline([letter, decided], titles) == job.headline([letter], titles)
    assert job.headline([letter, decided], titles).startswith("1 action went out in ")
    assert job.headline([decided], titles) == "No action went out yet, so nothing is known of how any is answered."


def test_nothing_that_went_out_is_said_in_one_line(shop):
    with pytest.raises(WorkspaceError, match="nobody was contacted with an action yet"):
        job.report(shop)


def test_the_page_and_the_file_say_too_few_to_tell(shop):
    History(shop).append(log(1, rows=150), "test")
    jobs.make(shop, "actions")
    artefact = json.loads(keep.place(shop, "actions").read_text())
    page = actions.page(artefact, Ask())
    cells = {row[4] for row in table(page, "treatments").rows}
    assert cells == {Verdict("too few to tell")}
    assert "too few to tell" in standalone.html(artefact)
    catalogue = table(page, "catalogue").rows
    assert [row[5].words for row in catalogue][-1] == "not in actions.yaml any more"


def test_on_its_own_page_an_action_is_not_named_again(shop):
    History(shop).append(log(1, rows=150), "test")
    jobs.make(shop, "actions")
    every = json.loads(keep.place(shop, "actions").read_text())["treatments"]
    own = [each for each in every if each["action"] == "letter"]
    table_ = action_blocks.answers(own)
    assert [column.name for column in table_.columns][:2] == ["Channel", "Contacts"]
    assert [row[0] for row in table_.rows] == [each["channel"] for each in own]
    chart = action_blocks.months(own)
    assert {trace["name"] for trace in chart.figure["data"]} == {each["channel"] for each in own}


def test_a_new_action_says_how_much_is_known_of_it():
    def stated(positives):
        return {"positives": positives}

    assert action_blocks.maturity(stated(10), 200).words == "new: 10 of 200 responses"
    assert action_blocks.maturity(stated(200), 200).words == "mature"
    assert action_blocks.maturity(stated(None), 200).words == "not known"
    assert action_blocks.maturity(stated(3), None).words == "offered at once"
