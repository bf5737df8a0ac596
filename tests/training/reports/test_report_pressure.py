"""The report on contact pressure: counted on fingers, in words, incremental, and without those who were erased."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pressure_world import CUSTOMERS, END, build, candidate, contact, customer, decide, decision, event, log
from scipy.stats import binomtest

from features.clock import DAY, HOUR
from features.forgetting import forget_files, forget_history
from features.history import History
from features.identity.links import conform
from features.interactions import INSTANT
from features.workspace import Workspace, WorkspaceError
from training.fatigue.curve import Curve
from training.fatigue.effects import Effects
from training.fatigue.levels import Level as Caps
from training.reports import jobs, keep
from training.reports.pressure import estimates, words
from training.reports.pressure.artefact import Alone, Causal, Contacts, Guard, Known, Level, Reason
from training.reports.pressure.causal import against_usual, tells
from training.reports.pressure.contacts import contacts as often
from training.reports.pressure.job import report
from training.reports.pressure.log import Log
from training.reports.pressure.log import read as read_log


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Read only, with its partial results."""
    workspace = build(tmp_path_factory.mktemp("pressure") / "shop")
    report(workspace)
    return workspace


@pytest.fixture
def shop(built, tmp_path):
    shutil.copytree(built.folder, tmp_path / "shop")  # with the times of files, by which partial results know them
    return Workspace.open(tmp_path / "shop")


def test_contacts_are_counted_once_by_whom_and_against_before(shop):
    found = report(shop).artefact
    contacts = found.contacts
    assert (contacts.total, contacts.others, contacts.customers) == (56, 16, 12)
    assert contacts.a_week == 56 / CUSTOMERS / 4
    assert contacts.before == 10 / CUSTOMERS / 4
    assert {(one.channel, one.ours, one.others, one.customers, one.most) for one in contacts.channels} == {
        ("email", 40, 0, 10, 4),
        ("phone", 0, 16, 2, 8),
    }
    assert [one.customers for one in contacts.shares] == [28, 0, 0, 0, 10, 0, 2, 0]
    assert sum(sum(week.contacts.values()) for week in contacts.weeks) == 66
    assert contacts.sentence == (
        "40 active customers got 0.350 contacts a week each in the last 28 days, 460.0% more than in the 28 days "
        "before; other tools made 28.6% of them; the tenth who got most received 42.9% of all."
    )


def test_the_days_before_are_told_by_the_customers_of_then(shop):
    log(shop, [event(customer(40 + k), END - 20 * DAY, "page_view") for k in range(40)])
    contacts = report(shop).artefact.contacts
    assert (contacts.a_week, contacts.before) == (56 / 80 / 4, 10 / CUSTOMERS / 4)
    assert {one.channel: one.before for one in contacts.channels} == {"email": 10 / CUSTOMERS / 4, "phone": 0.0}


@pytest.mark.parametrize(("now", "then"), [((0, 200), (0, 100)), ((50, 100), (0, 100))])
def test_who_comes_or_goes_changes_nothing_where_everybody_gets_one_contact_a_week(now, then):
    who, at = (np.concatenate(each) for each in zip(
        *((np.repeat(np.arange(*some), 4), np.tile(END - DAY * (back + np.arange(7, 35, 7)), some[1] - some[0]))
          for some, back in ((now, 0), (then, 28))), strict=True))  # fmt: skip
    zeros, ids = np.zeros(len(who), np.int64), np.array([customer(k) for k in range(200)], object)
    of = Log(who, at, zeros, zeros == 0, zeros, ("email",), ids, np.arange(*now), (np.arange(*now), np.arange(*then)),
             frozenset(), END - 90 * DAY, END)  # fmt: skip
    found = often(of, 28, 12)
    assert (found.a_week, found.before, found.channels[0].before) == (1.0, 1.0, 1.0)
    assert "about as many as in the 28 days before" in found.sentence


def test_of_hardly_anybody_no_tenth_is_told(shop):
    of = replace(read_log(shop, 28, 7), active=np.arange(3), alike=(np.arange(3), np.arange(3)))
    some = of.who < 3
    of = replace(of, **{name: getattr(of, name)[some] for name in ("who", "at", "channel", "own", "answered")})
    found = often(of, 28, 12)
    assert found.most_pressed is None
    assert found.total == 12
    assert "tenth" not in found.sentence


def test_without_chance_the_policy_says_whom_to_leave_alone(shop):
    found = report(shop)
    alone = found.artefact.alone
    # twelve calls' worth of pressure: 8 x 0.5, hardly faded; four e-mails weigh 1 and have faded below it
    assert (alone.by, alone.customers, alone.of) == ("policy", 2, CUSTOMERS)
    assert alone.sentence == (
        "Leave 2 of 40 customers alone this week (5.0%): they are already under as much contact pressure as the policy "
        "calls tolerable."
    )
    assert found.artefact.headline == alone.sentence
    assert found.tables["alone"]["customer_id"].to_pylist() == [customer(20), customer(21)]
    assert found.tables["alone"]["contacts_28_days"].to_pylist() == [8, 8]
    assert found.artefact.causal is None
    assert "holds no decisions" in found.artefact.why_not_causal


def test_who_opted_out_of_every_channel_needs_no_leaving_alone(shop):
    log(shop, [event(customer(20), END - DAY, "opted_out", channel) for channel in ("email", "phone")])
    alone = report(shop).artefact.alone
    assert (alone.customers, alone.of) == (1, CUSTOMERS - 1)


def test_response_is_by_the_pressure_before_and_only_where_time_is_up(shop):
    response = report(shop).artefact.response
    assert sum(band.contacts for band in response.bands) == 66 - 4  # the seven days of four are not over
    assert sum(band.answered for band in response.bands) == 5
    assert response.bands[0].answered == 5  # to the first e-mail in two weeks
    assert response.sentence.startswith("Too few contacts or answers to tell")


REFUSED = candidate("guard", ["pressure", "cap total: 3 per 7d"])
ASKED = candidate("guard", ["opt-out", "pressure"])


def guarded(shop):
    """Three decisions make a contact of worth 2, harm 0.5; six customers are refused by us for two days running, one by
    their own opt-out; one inbound and one of the holdout do not count."""
    made = [decision(customer(k), END - 5 * DAY, candidate("chosen", worth=2.0, harm=0.5)) for k in range(3)]
    ours = [decision(customer(k), END - day * DAY, REFUSED) for k in range(10, 16) for day in (3, 4)]
    theirs = [decision(customer(16), END - 3 * DAY, ASKED)]
    apart = [
        decision(customer(17), END - 3 * DAY, REFUSED, direction="inbound"),
        decision(customer(18), END - 3 * DAY, REFUSED, arm="holdout"),
    ]
    decide(shop, [*made, *ours, *theirs, *apart])


def test_what_the_guard_refused_why_and_what_that_was_worth(shop):
    guarded(shop)
    guard = report(shop).artefact.guard
    assert (guard.decisions, guard.touched, guard.nothing_left, guard.judged, guard.refused) == (16, 13, 13, 16, 13)
    assert {rule.rule: (rule.refused, rule.asked) for rule in guard.rules} == {
        "pressure": (13, False),
        "cap total: 3 per 7d": (12, False),
        "opt-out": (1, True),
    }
    worth = guard.worth
    # asked on two days of one week, each of the six is held back one contact
    assert (worth.customers, worth.contacts, worth.not_worth) == (6, 6, 0)
    assert (worth.brought.value, worth.harm.value, worth.net.value) == (15.0, 3.0, 12.0)
    assert worth.sentence.endswith(
        "these would have brought 15.0 EUR and cost 3.00 EUR through opt-outs and complaints, so that the rules cost "
        "12.0 EUR; how far off that may be cannot be told: at least 30 customers who were held back are needed, and "
        "about 45 whose contacts passed."
    )
    assert guard.sentence == (
        "In 13 of 16 outbound decisions of the last 28 days the guard refused something (81.2%), and in 13 nothing was "
        "left to send; the most frequent reason: too much contact pressure across channels (100.0% of what was "
        "refused)."
    )


def test_what_was_held_back_is_as_uncertain_as_who_it_was_and_what_the_others_told(shop):
    """100 customers, whose worth differs, are decided about on three days; 60 are held back once."""
    worth = np.random.default_rng(4).gamma(2, 1, 100)
    made = [decision(customer(100 + k), END - (3 + day) * DAY, candidate("chosen", worth=worth[k], harm=0.5))
            for k in range(100) for day in range(3)]  # fmt: skip
    decide(shop, [*made, *(decision(customer(300 + k), END - 3 * DAY, REFUSED) for k in range(60))])
    found = report(shop).artefact.guard.worth
    mean = worth.mean()
    assert (found.net.value, found.harm.value) == (pytest.approx(60 * mean), pytest.approx(30))
    # three decisions about a customer are no three customers; 64 parts tell the error to a tenth
    error = np.hypot(np.sqrt(60) * mean, 60 * worth.std(ddof=1) / np.sqrt(100))
    assert found.net.high - found.net.value == pytest.approx(1.96 * error, rel=0.15)
    assert found.harm.high - found.harm.value == pytest.approx(1.96 * np.sqrt(60) * 0.5, rel=0.01)
    assert found.brought.low > found.net.low
    assert "cannot be told" not in found.sentence


def test_decisions_that_value_nothing_leave_the_cost_unsaid(shop):
    decide(shop, [decision(customer(1), END - DAY, REFUSED)])
    assert report(shop).artefact.guard.worth is None


def test_a_contact_in_both_logs_counts_once(shop):
    at = pa.array([END - 25 * DAY], INSTANT)
    sent = {"contact_id": ["k"], "status": ["sent"], "changed_at": at, "decision_id": ["d-0-0"],
            "customer_id": [customer(0)], "action": ["offer"], "channel": ["email"]}  # fmt: skip
    History(shop).append_log("contacts", pa.table(sent))
    assert report(shop).artefact.contacts.total == 56


def test_a_claim_that_was_never_reported_is_a_contact_until_it_failed(shop):
    at = pa.array([END - 25 * DAY], INSTANT)
    claim = {"contact_id": ["c"], "status": ["claimed"], "changed_at": at, "decision_id": ["d-9"],
             "customer_id": [customer(0)], "action": ["offer"], "channel": ["email"]}  # fmt: skip
    History(shop).append_log("contacts", pa.table(claim))
    assert report(shop).artefact.contacts.total == 57
    later = {"status": ["failed"], "changed_at": pa.array([END - 20 * DAY], INSTANT)}
    History(shop).append_log("contacts", pa.table(claim | later))
    assert report(shop).artefact.contacts.total == 56


def test_a_person_with_two_ids_is_one(shop):
    at = pa.array([END - 80 * DAY], INSTANT)
    link = {"identifier": [customer(20)], "kind": ["crm"], "customer_id": [customer(21)], "valid_from": at}
    History(shop).append_links(conform(pa.table(link | {"received_at": at})), "a test")
    found = report(shop).artefact
    assert found.customers == CUSTOMERS - 1
    assert max(one.most for one in found.contacts.channels) == 16


def test_one_more_day_costs_that_day_and_equals_a_run_from_scratch(shop, tmp_path):
    guarded(shop)
    report(shop)
    log(shop, [contact(customer(30), END - 2 * HOUR, "email", "late"), event(customer(31), END - HOUR, "clicked")])
    decide(shop, [decision(customer(30), END - 2 * HOUR, candidate("chosen", worth=1.0, harm=0.1), number=1)])
    again = report(shop)
    for path in (shop.reports / ".partials").glob("*.parquet"):
        path.unlink()
    scratch = report(shop)
    told = {"created_at": "", "why_not_causal": ""}
    assert again.artefact.model_copy(update=told) == scratch.artefact.model_copy(update=told)
    assert again.tables["alone"].equals(scratch.tables["alone"])


def test_who_is_erased_is_in_no_report_and_aggregates_stay(shop):
    guarded(shop)
    jobs.make(shop, "pressure")
    before = keep.read(shop, "pressure")
    gone = {customer(20), customer(10)}
    forget_history(shop, gone)
    _, left = forget_files(shop, gone)
    assert left == []
    texts = [str(pq.read_table(path).to_pylist()) for path in shop.reports.rglob("*.parquet")]
    assert len(texts) > 3
    assert not any(name in text for name in gone for text in texts)
    assert keep.read(shop, "pressure") == before
    assert pq.read_table(shop.reports / "pressure" / "alone.parquet")["customer_id"].to_pylist() == [customer(21)]


def test_no_figure_names_a_customer(shop):
    guarded(shop)
    assert "customer-" not in report(shop).artefact.model_dump_json()


def test_an_empty_workspace_says_what_to_do(tmp_path):
    (tmp_path / "tactful.yaml").write_text("")
    with pytest.raises(WorkspaceError, match="there are no interactions to report on; `tactful ingest FILE` first"):
        report(Workspace.open(tmp_path))


# sentences


def alone(customers, of=100, by="learned", reasons=()):
    found = Alone(by=by, customers=customers, of=of, reasons=[Reason(name=n, customers=c) for n, c in reasons],
                  sentence="")  # fmt: skip
    return words.alone(found, True)


def test_nobody_to_leave_alone_is_said_too():
    assert alone(0) == (
        "Nobody needs to be left alone this week: for each of 100 customers one more contact is expected to pay on "
        "some channel."
    )
    assert alone(0, by="policy").endswith(
        "none of 100 customers is under as much contact pressure as the policy calls tolerable."
    )
    assert "no contact with any customer is known" in words.alone(
        Alone(by="policy", customers=0, of=3, reasons=[], sentence=""), False
    )


def test_nothing_worth_making_costs_nothing_and_no_contact_is_no_contact():
    nothing = Contacts(total=0, others=0, customers=0, a_week=0, before=None, most_pressed=None, channels=[], shares=[],
                       weeks=[], sentence="")  # fmt: skip
    assert words.contacts(nothing, 9, 28) == "No customer was contacted in the last 28 days."
    quiet = Guard(decisions=7, touched=0, nothing_left=0, judged=9, refused=0, rules=[], channels=[], actions=[],
                  weeks=[], worth=None, sentence="")  # fmt: skip
    assert words.guard(quiet, 28) == "The guard refused nothing in 7 outbound decisions of the last 28 days."


def level(factor, contacts, opted_out, money):
    """A level by what it changes: value and half-width each."""

    def known(value, half):
        return Known(value=value, low=value - half, high=value + half)

    found = Level(factor=factor, customers=500, contacts=1, opted_out=0, complained=0, money=1,
                  more_contacts=known(*contacts), more_opted_out=known(*opted_out), more_money=known(*money),
                  more_complained=known(0, 1), verdict="too_few", sentence="")  # fmt: skip
    found = found.model_copy(update={"verdict": words.verdict(found, 4)})
    return found.model_copy(update={"sentence": words.level(found, "EUR")})


@pytest.mark.parametrize(
    ("opted_out", "money", "verdict"),
    [
        ((0.005, 0.001), (-0.5, 0.2), "worse"),
        ((0.005, 0.001), (0.5, 0.2), "better"),  # money decides where it is shown
        ((0.005, 0.001), (0.1, 0.2), "worse"),
        ((-0.005, 0.001), (0.1, 0.2), "better"),
        ((0.0, 0.001), (0.1, 0.2), "undecided"),
        ((0.0, 0.001), (0.21, 0.2), "undecided"),  # shown alone, yet not among four comparisons
    ],
)
def test_caps_are_judged_by_money_then_by_opt_outs_allowing_for_comparisons(opted_out, money, verdict):
    assert level(2, (0.1, 0.01), opted_out, money).verdict == verdict


def caps(rng, factor, customers, opted_out, spent=1.0):
    """One level of 13 weeks: contacts alike, opt-outs of that share, spending of gamma's shape 1/2."""
    values = np.column_stack([rng.poisson(10, customers), rng.random(customers) < opted_out, np.zeros(customers),
                              rng.gamma(0.5, 40 * spent, customers)]) / 13  # fmt: skip
    mean, errors = values.mean(0), values.std(0, ddof=1) / np.sqrt(customers)
    thirds = ((values - mean) ** 3).mean(0)
    return Caps(factor, customers, 13.0, *mean.tolist(), tuple(errors.tolist()), tuple(thirds.tolist()))


def judged(rng, usual, others, opted_out, change=1.0):
    """What is said of tight and loose caps; loose ones multiply opt-outs by `change`."""
    of = [
        caps(rng, 0.5, others, opted_out),
        caps(rng, 1.0, usual, opted_out),
        caps(rng, 2.0, others, opted_out * change),
    ]
    return [one for one in against_usual(of, "EUR") if one.verdict != "usual"]


@pytest.mark.parametrize(("usual", "others", "opted_out"), [(800, 100, 0.01), (800, 100, 0.02), (1600, 200, 0.01)])
def test_a_small_level_without_opt_outs_is_not_called_better(usual, others, opted_out):
    """200 logs in which caps do nothing: the error that few opt-outs show finds a difference in 25% to 42%."""
    rng = np.random.default_rng(2)
    found = [judged(rng, usual, others, opted_out) for _ in range(200)]
    false = sum(any(one.verdict in ("better", "worse") for one in each) for each in found)
    assert binomtest(false, 200, 0.05, alternative="greater").pvalue > 0.01
    some = [one for each in found for one in each if "opted_out" in one.untold]
    assert all(one.more_opted_out is None for one in some)
    assert len(some) > 0.9 * 400
    assert sum(one.more_money is not None for one in some) > 0.5 * len(some), "spending is told all the same"


def test_enough_opt_outs_are_told():
    found = judged(np.random.default_rng(1), 8000, 2000, 0.02, change=2.0)
    assert [one.verdict for one in found] == ["undecided", "worse"]
    assert [set(one.untold) for one in found] == [{"complained"}] * 2, "nobody complained"


def test_what_is_too_few_to_tell_is_said_and_how_many_are_needed():
    rng = np.random.default_rng(6)
    rare, _ = judged(rng, 800, 100, 0.02)
    assert ("EUR" in rare.sentence, rare.verdict) == (True, "undecided")
    assert re.search(
        r"; too few to tell of opt-outs: a few customers make up so much of it that about \d+ customers are needed in "
        r"the smaller group, which has 100. Chance alone could make this difference in spending.$",
        rare.sentence,
    )
    alike, _ = judged(rng, 300, 300, 0.01)  # groups of one size are drawn evenly, however rare it is
    said = re.search(r"opt-outs: (\S+) would be expected in the smaller group, which has 300 customers and needs at "
                     r"least about (\d+)\.", alike.sentence)  # fmt: skip
    assert float(said[1]) / 300 * float(said[2]) == pytest.approx(5, rel=0.1)
    nothing = Level(factor=2, customers=40, contacts=1, opted_out=0, complained=0, money=1, verdict="too_few",
                    sentence="", untold=dict.fromkeys(("contacts", "opted_out", "money"), "so it is"))  # fmt: skip
    assert words.level(nothing, "EUR") == (
        "Caps 2 times as loose: too few to tell of contacts: so it is; too few to tell of opt-outs: so it is; too few "
        "to tell of spending: so it is. Whether they are better or worse than the usual caps cannot be told."
    )
    assert causal(USUAL, nothing).startswith("What looser or tighter caps do to spending and opt-outs cannot be told")


def causal(*levels, uneven=False):
    found = Causal(decisions=9, cells=[], levels=list(levels), uneven=uneven, saturation=[], sentence="")
    return words.causal(found)


USUAL = Level(factor=1, customers=9, contacts=1, opted_out=0, complained=0, money=1, verdict="usual", sentence="")


def test_what_caps_do_in_one_sentence():
    worse = level(2, (0.12, 0.01), (0.005, 0.001), (-0.5, 0.2))
    assert causal(USUAL, worse) == (
        "Looser caps do harm: caps 2 times as loose meant, a week and for every 1,000 customers, 120 more contacts "
        "(likely between 110 and 130), 5.0 more opt-outs (likely between 4.0 and 6.0), and 500 EUR less spending "
        "(likely between 300 and 700)."
    )
    nothing = level(2, (0.12, 0.01), (0.0, 0.001), (0.1, 0.2))
    assert causal(USUAL, nothing).startswith("No effect of looser or tighter caps")
    assert causal().startswith("Nobody's caps were drawn by chance")
    assert causal(USUAL, worse, uneven=True).startswith("Do not rely on the comparison of caps")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("cap channel email: 2 per 7d", "at most 2 contacts on email in 7 days"),
        ("cap total: 1 per local day", "at most 1 contact in a local day"),
        ("cap action: 1 per 14d", "at most 1 contact of one action in 14 days"),
        ("cap group vouchers: 3 per 2w", "at most 3 contacts of group vouchers in 2 weeks"),
        ("open complaint", "a complaint is open"),
        ("volume offer: 100 a day", "the day's volume of the action is given out"),
        ("a rule of tomorrow", "a rule of tomorrow"),
    ],
)
def test_rules_in_plain_words(name, plain):
    assert words.rule(name) == plain


@pytest.mark.parametrize(("low", "shown"), [(-0.1, False), (0.1, True)])
def test_nobody_is_left_alone_for_what_chance_has_not_shown(low, shown):
    nothing = Effects(*(np.array([column]) for column in (0.0, -0.1, 0.1, 0.01, 9.0, 9.0, 0.0)))
    some = replace(nothing, low=np.array([low]))
    curves = {"opt-out": Curve("opt-out", nothing, nothing), "gain": Curve("gain", nothing, some)}
    assert tells(curves) is shown


# intervals


def test_intervals_of_shares_hold_the_truth_where_customers_differ():
    """2,000 logs of 200 customers whose own shares of answers vary and who get 1 to 9 contacts."""
    rng, held, truth = np.random.default_rng(0), 0, 0.2
    for _ in range(2000):
        contacts = rng.integers(1, 10, 200)
        own = rng.beta(2, 8, 200)
        who = np.repeat(np.arange(200), contacts)
        known = estimates.share(rng.uniform(size=len(who)) < own[who], who)
        held += known.low <= truth <= known.high
    assert binomtest(held, 2000, 0.95).pvalue > 0.001


def test_too_few_have_no_share():
    assert estimates.share(np.ones(20, bool), np.arange(20)) is None
    assert estimates.share(np.arange(100) < 4, np.arange(100)) is None


def test_a_total_is_as_uncertain_as_the_number_of_customers_and_their_worth():
    nothing_off, off = np.zeros(64), np.full(64, 0.5)
    found = estimates.total(np.full(400, 0.4), nothing_off)  # equal worths, yet others might be held back
    assert (found.value, found.high - found.value) == (pytest.approx(160), pytest.approx(1.959964 * 0.4 * 20))
    wider = estimates.total(np.full(400, 0.4), off)
    assert wider.high - wider.value == pytest.approx(1.959964 * np.sqrt(0.16 * 400 + 0.25 * 64))
    for few in (estimates.total(np.full(1, 0.4), off), estimates.total(np.full(400, 0.4), off[:9])):
        assert (few.low, few.high) == (None, None)
