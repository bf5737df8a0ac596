"""`tactful policy simulate` against a market whose truth is known, and where the log cannot say."""

import json
import tracemalloc
from functools import partial

import numpy as np
import offpolicy_world as world
import pyarrow as pa
import pytest
from offpolicy_world import ACTIONS, DAY, POLICY, START
from scipy.stats import binomtest
from typer.testing import CliRunner

from features.workspace import WorkspaceError
from tactful import app
from training.offpolicy import commands, intervals, logbook, outcomes, whatif
from training.offpolicy.changes import changes
from training.offpolicy.hearing import cases, hear
from training.offpolicy.rejudging import cells
from training.offpolicy.whatif import Unsupported, simulate

BEFORE = world.playbook()
#: Changes that the log can tell of: (actions, policy).
OTHERS = {
    "fewer mails": (ACTIONS, POLICY.replace("max: 4", "max: 2")),
    "three a local week": (ACTIONS, POLICY.replace("caps:", "caps:\n  - {scope: total, limit: 3 per local week}")),
    "pressure": (ACTIONS, POLICY + "pressure: {limit: 0.6, half_life: 7d}\n"),
    "a lever": (ACTIONS.replace("value: 6,", "value: 6, lever: 3,"), POLICY),
    "dear mail": (ACTIONS.replace("email: {cost: 0.1}", "email: {cost: 0.6}"), POLICY),
    "harm": (
        ACTIONS,
        POLICY.replace(
            "harm: {contact: 0.01, rising: 0.2}", "harm: {contact: 0.2, rising: 1.0, channels: {email: 0.9}}"
        ),
    ),
    "less chance": (ACTIONS, POLICY.replace("epsilon: 0.4", "epsilon: 0.1")),
    "no ghosts": (ACTIONS, POLICY.replace("withholding: {share: 0.05}", "withholding: {share: 0.0}")),
    "no tip": (ACTIONS[: ACTIONS.index("  - {name: tip")], POLICY),
    "no mail of coupons": (ACTIONS.replace("{email: {cost: 0.3}, mobile_app", "{mobile_app"), POLICY),
    "half the caps for some": (ACTIONS, POLICY + "cap_levels: {levels: [{share: 0.5, factor: 0.5}]}\n"),
}


def days_known(decision, log):
    until = max(at for _, at in log.purchases)
    return logbook.clock.parse_instant(decision["at"]) + DAY <= until + 1


#: Those that are tried on decisions with two slots, too.
SEVERAL = ("fewer mails", "a lever", "harm", "no ghosts")


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """A log in history, read only. What a policy would have answered there is heard once, whatever is asked of it."""
    workspace = world.open_workspace(tmp_path_factory.mktemp("market") / "shop")
    log = world.play(BEFORE, customers=110, days=14, seed=1)
    log.into(workspace)
    heard = {}

    def once(source, of, before, after, progress=None):
        key = of.folder, before.version, after.version, source.since, source.until
        if key not in heard:
            heard[key] = hear(source, of, before, after, progress)
        return heard[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(whatif, "hear", once)
        yield workspace, log


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """By the number of slots: small logs in history, read only."""
    made = {}
    for slots in (1, 2):
        workspace = world.open_workspace(tmp_path_factory.mktemp("small") / "shop")
        log = world.play(BEFORE, customers=12 // slots, days=10, seed=2, slots=slots)
        log.into(workspace)
        made[slots] = workspace, log
    return made


@pytest.mark.parametrize(("name", "slots"), [*((name, 1) for name in OTHERS), *((name, 2) for name in SEVERAL)])
def test_a_decision_judged_again_has_the_distribution_that_it_would_have_had(name, slots, small):
    other = world.playbook(*OTHERS[name])
    workspace, log = small[slots]
    would = {
        each["decision_id"]: world.given(found, partial(again, other))
        for each, (found, again) in zip(log.decisions, log.asked, strict=True)
    }
    heard = list(cases(logbook.read(workspace, BEFORE.version), workspace, BEFORE, other))
    assert len(heard) == len(log.decisions) > 80 / slots
    moved = 0
    for case in heard:
        assert case.unknown is None
        assert len(case.judged) == slots
        for document, again, drawn in zip(case.documents, case.judged, would[case.decision_id], strict=True):
            if drawn is not None:
                assert again.cells == pytest.approx(cells(drawn))
                moved += cells(drawn) != cells(document["distribution"])
    assert moved > 0


def test_what_history_tells_of_a_policy_that_did_not_change_is_what_was_logged(market):
    workspace, _ = market
    source = logbook.read(workspace, BEFORE.version)
    for case in cases(source, workspace, BEFORE, world.playbook()):
        for document, again in zip(case.documents, case.judged, strict=True):
            assert again.cells == pytest.approx(cells(document["distribution"]))


def test_the_answer_holds_the_truth_where_the_log_stood(tmp_path):
    other = world.playbook(*OTHERS["a lever"])
    workspace = world.open_workspace(tmp_path / "shop")
    log = world.play(BEFORE, customers=120, days=12, seed=4, other=other)
    log.into(workspace)
    found = simulate(workspace, BEFORE, other)
    played, would = 1000 * np.mean(log.truth, axis=0)
    purchase, money = found.views[0].answers[:2]
    assert (purchase.outcome, money.outcome) == ("purchase", "USD")
    assert played in purchase.played
    assert would in purchase.asked
    assert would - played in purchase.change
    gap = purchase.change
    assert gap.high - gap.low < 0.8 * (purchase.asked.high - purchase.asked.low)  # what both share drops out
    assert money.asked.value == pytest.approx(10 * purchase.asked.value)  # every purchase is worth 10
    mailed = {share.channel: share for share in found.views[0].contacts}["email"]
    assert mailed.played > mailed.asked > 0
    assert found.changes == ["`actions.tip.lever`: 1.0 -> 3.0"]
    assert found.decisions == len(log.decisions)


def test_contacts_are_those_that_were_made_and_would_be(market, tmp_path):
    workspace, log = market
    found = simulate(workspace, BEFORE, world.playbook(*OTHERS["fewer mails"]))
    shares = {share.channel: share for share in found.views[0].contacts}
    known = [each for each in log.decisions if days_known(each, log)]
    for channel, share in shares.items():
        drawn = sum(each["treatment_channel"] == channel for each in known) / len(known)
        assert share.played == pytest.approx(1000 * drawn, rel=0.1)
    assert shares["email"].asked < 0.7 * shares["email"].played


def test_customers_living_under_another_policy_are_told_of_or_refused(market):
    workspace, log = market
    found = simulate(workspace, BEFORE, world.playbook(*OTHERS["fewer mails"]))
    assert found.views[0].refused is None
    told = found.views[1]
    assert told.refused is None
    assert "7 days were to be followed back, and this log carries" in told.shortened
    assert "for 7 days before" not in told.per
    assert told.overlap.effective >= whatif.THINNEST * told.overlap.rows
    whole = simulate(workspace, BEFORE, world.playbook(*OTHERS["fewer mails"]), memory=7)
    assert "over 7 days the two part too often" in whole.views[1].refused
    assert not whole.views[1].answers
    mild = simulate(workspace, BEFORE, world.playbook(*OTHERS["no ghosts"]))
    assert mild.views[1].refused is None
    played = mild.views[1].answers[0].played.value
    assert played == pytest.approx(1000 * len(log.purchases) / log.days, rel=0.1)  # days from the first decision on


def test_of_a_part_of_the_log_contacts_are_divided_by_its_own_days(market):
    workspace, log = market
    end = START - START % DAY + 5 * DAY
    found = simulate(workspace, BEFORE, world.playbook(*OTHERS["no ghosts"]), memory=1, until=end)
    mine = [each for each in log.decisions if logbook.clock.parse_instant(each["at"]) < end]
    assert found.decisions == len(mine) < 0.4 * len(log.decisions)
    truly = 1000 * sum(each["action"] is not None for each in mine) / (110 * 5)
    assert sum(share.played for share in found.views[1].contacts) == pytest.approx(truly, rel=0.1)


def test_days_after_another_policy_took_over_are_not_this_ones(tmp_path):
    new = world.playbook(*OTHERS["less chance"])
    workspace, cut = world.open_workspace(tmp_path / "shop"), START + 3 * DAY
    log, later = (world.play(book, customers=12, days=days) for book, days in ((BEFORE, 3), (new, 6)))
    at = {each["decision_id"]: logbook.clock.parse_instant(each["at"]) for each in later.decisions}
    taken_over = [each for each in later.decisions if at[each["decision_id"]] >= cut and each["customer_id"] != "C3"]
    log.decisions += taken_over
    log.purchases.append(("C0", cut + 6 * DAY))
    log.into(workspace)
    source = logbook.read(workspace, BEFORE.version)
    assert source.timeline.until == min(at[each["decision_id"]] for each in taken_over)
    whole = hear(source, workspace, BEFORE, new).whole.log
    end = logbook.after(whole, source.timeline)
    assert (whole.at < cut).all()
    assert (end > whole.at).all()
    assert end.max() == source.timeline.until


def test_a_customers_days_end_with_whatever_decides_next():
    """Two persons decided about by the version asked about (own) and by another; slots of a decision end at once."""
    who, at = np.array([1, 1, 1, 1, 2, 2]), np.array([10, 20, 30, 40, 12, 60])
    own = np.array([True, False, True, True, True, False])
    shuffled = np.array([3, 0, 5, 1, 4, 2])

    def ends(until, mine):
        timeline = logbook.Timeline.of(who[shuffled], at[shuffled], own[shuffled], ~own[shuffled], until)
        slot = np.zeros(len(mine[0]), int)
        log = logbook.Logbook(*map(np.array, mine), slot, slot == 0, slot[:, None], slot, slot, (None,), None)
        return logbook.after(log, timeline).tolist()

    rows = [1, 1, 1, 1, 2], [10, 30, 30, 40, 12]
    assert ends(100, rows) == [20, 30, 40, 60, 60]  # from 60 on another version decides
    assert ends(35, ([1, 1, 2], [10, 30, 12])) == [20, 40, 35]  # up to 35 is asked about, yet 40 was its own, too


@pytest.mark.parametrize(
    ("actions", "policy", "says"),
    [
        (ACTIONS, POLICY.replace("max: 4", "max: 6").replace("max: 5", "max: 9"), "only be tightened in a what-if"),
        (ACTIONS + "  - {name: gift, issue: sales, group: news, channels: [email]}\n", POLICY, "log never tried it"),
        (ACTIONS.replace("mobile_app: {}", "mobile_app: {}, email: {}"), POLICY, "channels.email.*never tried"),
        (ACTIONS, POLICY.replace("unknown: granted", "unknown: denied, assumed: [email]"), "`consent`.*does not hold"),
        (ACTIONS.replace('"features.tenure > 1.0"', '"features.tenure > 2.0"'), POLICY, "`actions.tip.applicable`"),
        (ACTIONS, POLICY.replace("share: 0.05}\nwith", "share: 0.0}\nwith"), "could not have been drawn"),
        (ACTIONS, POLICY, "is the one that was played"),
    ],
)  # fmt: skip
def test_what_the_log_cannot_tell_is_refused_with_what_is_missing(market, actions, policy, says):
    workspace, _ = market
    with pytest.raises(Unsupported, match=says):
        simulate(workspace, BEFORE, world.playbook(actions, policy))


def test_too_few_decisions_are_refused(market):
    workspace, _ = market
    with pytest.raises(Unsupported, match=r"tell as much as .* 200 are needed"):
        simulate(workspace, BEFORE, world.playbook(*OTHERS["a lever"]), until=START + 2 * DAY)
    with pytest.raises(WorkspaceError, match="holds no decisions in that time"):
        simulate(workspace, BEFORE, world.playbook(*OTHERS["a lever"]), until=START - DAY)


def test_decisions_whose_days_are_not_over_are_waited_for(market):
    workspace, _ = market
    found = simulate(workspace, BEFORE, world.playbook(*OTHERS["no ghosts"]), days=200, memory=1)
    assert found.views[0].refused.startswith("the 0 decisions whose 200 days are known tell as much as 0")
    assert found.views[1].refused is None


def test_decisions_under_another_policy_are_not_taken_for_this_one(market):
    workspace, _ = market
    other = world.playbook(*OTHERS["a lever"])
    with pytest.raises(WorkspaceError, match=f"none was made under the policy at hand .{other.version}.*--logged"):
        simulate(workspace, other, BEFORE)


def test_decisions_without_their_document_are_not_judged_again(tmp_path):
    workspace = world.open_workspace(tmp_path / "shop")
    log = world.play(BEFORE, customers=2, days=2)
    rows = [logbook.decision_log.row(document) for document in log.decisions]
    logbook.History(workspace).append_log("decisions", pa.Table.from_pylist(rows, logbook.decision_log.DECISIONS))
    with pytest.raises(WorkspaceError, match=r"none of \d decisions has its `document`"):
        simulate(workspace, BEFORE, world.playbook(*OTHERS["a lever"]))


def test_contacts_that_history_does_not_explain_are_noticed(tmp_path):
    """Without the contacts' log the caps of that time would not have refused anything."""
    workspace = world.open_workspace(tmp_path / "shop")
    log = world.play(BEFORE, customers=20, days=12, seed=4)
    log.contacts.clear()
    log.into(workspace)
    with pytest.raises(Unsupported, match=r"does not give the refusals that were logged.*cap channel email: 4 per 7d"):
        simulate(workspace, BEFORE, world.playbook(*OTHERS["fewer mails"]))


def test_who_is_left_without_a_good_action_is_found(market):
    workspace, _ = market
    dear = ACTIONS.replace("cost: 0.1", "cost: 5").replace("cost: 0.3", "cost: 5").replace("cost: 0.2", "cost: 5")
    found = simulate(workspace, BEFORE, world.playbook(dear, POLICY)).found
    assert found.customers == 110
    assert 20 < found.without < 60  # a third of them have no tenure that the tip fits, and no other action pays
    assert next(iter(found.why)) == "worth less than silence"
    group = found.groups[0]
    assert group.without > 0.8 * found.without
    assert "<=" in group.text


def test_changes_name_the_key_and_both_values():
    actions, policy = OTHERS["dear mail"][0], OTHERS["fewer mails"][1]
    assert [str(each) for each in changes(BEFORE, world.playbook(actions, policy))] == [
        "`caps`: cap channel email: 4 per 7d -> cap channel email: 2 per 7d",
        "`actions.letter.channels.email.cost`: 0.1 -> 0.6",
    ]
    assert changes(BEFORE, world.playbook()) == []


def test_what_never_happened_may_have_been_missed_by_chance(market):
    """The rule of three: none seen, and so up to three in as many days."""
    workspace, log = market
    views = simulate(workspace, BEFORE, world.playbook(*OTHERS["a lever"]), memory=1).views
    for view, number in zip(views, (views[0].overlap.rows, log.days), strict=True):
        of = {answer.outcome: answer for answer in view.answers}
        assert [name for name, answer in of.items() if answer.unseen] == ["opt-out", "complaint"]
        never = of["opt-out"]
        assert (never.played.low, never.asked.low) == (0, 0)
        assert never.played.high == pytest.approx(3000 / number, rel=0.05)
        assert never.asked.high > never.played.high
        assert -never.played.high <= never.change.low < 0 < never.change.high
        assert never.change.high == pytest.approx(never.asked.high - never.played.high)
        assert any(
            "  no opt-out and no complaint in this log, which is too few" in line for line in commands._view(view)
        )


# the command


def run(*arguments):
    return CliRunner().invoke(app, ["policy", "simulate", *map(str, arguments)])


def test_the_command_answers_in_words_and_as_json(market, tmp_path):
    workspace, _ = market
    file = tmp_path / "other.yaml"
    file.write_text(OTHERS["fewer mails"][1])
    told = run("--policy", file, "-w", workspace.folder)
    assert told.exit_code == 0, told.output
    assert "cap channel email: 4 per 7d -> cap channel email: 2 per 7d" in told.output
    assert "contacts on email: " in told.output
    assert "days were to be followed back" in told.output
    assert "no answer: " in run("--policy", file, "--memory", 7, "-w", workspace.folder).output
    found = json.loads(run("--policy", file, "--json", "-w", workspace.folder).stdout)
    assert found["views"][0]["answers"][0]["outcome"] == "purchase"
    assert found["views"][1]["shortened"].startswith("7 days")


@pytest.mark.parametrize(
    ("of", "said"),
    [
        ((12.34567, -3.21, 104.0), "12 (-3 to 104)"),
        ((0.0452, 0.0, 0.09), "0.05 (0.00 to 0.09)"),
        ((1.234, 0.001, 2.5), "1.234 (0.001 to 2.500)"),
        ((-0.01, -1.3, 1.2), "0.0 (-1.3 to 1.2)"),
        ((12345.6, 9000.0, 15000.0), "12,346 (9,000 to 15,000)"),
        ((0.153, 0.153, 0.153), "0.1530 (0.1530 to 0.1530)"),
        ((0.0, 0.0, 0.0), "0 (0 to 0)"),
        ((15.3, -np.inf, np.inf), "15.30 (-inf to inf)"),
    ],
)
def test_an_interval_is_written_with_the_same_digits_throughout(of, said):
    assert commands._figure(intervals.Interval(*of)) == said


def test_a_log_of_customers_under_looser_caps_does_not_answer_either(tmp_path):
    """The advice sends people elsewhere: who lived under the usual caps was refused there, and never scored."""
    levels = "cap_levels: {levels: [{share: 0.5, factor: 2}]}\n"
    before = world.playbook(ACTIONS, POLICY + levels)
    workspace = world.open_workspace(tmp_path / "shop")
    world.play(before, customers=80, days=12, seed=3).into(workspace)
    looser = world.playbook(ACTIONS, POLICY.replace("max: 4", "max: 6").replace("max: 5", "max: 9") + levels)
    with pytest.raises(Unsupported, match=r"no log makes it answer .*`tactful train fatigue`.*`tactful report uplift`"):
        simulate(workspace, before, looser)


def test_a_folder_holds_both_files_and_actions_may_be_given_alone(market, tmp_path):
    workspace, _ = market
    (tmp_path / "actions.yaml").write_text(OTHERS["a lever"][0])
    folder = run("--policy", tmp_path, "--json", "-w", workspace.folder)
    alone = run("--actions", tmp_path / "actions.yaml", "--json", "-w", workspace.folder)
    assert folder.exit_code == 0, folder.output
    assert folder.stdout == alone.stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("caps: [{scope: channel, name: emial, max: 1, window: 7d}]\n", "'emial' is no known channel"),
        ("caps: 7\n", "caps"),
    ],
)
def test_a_broken_file_is_one_line(market, tmp_path, text, says):
    workspace, _ = market
    file = tmp_path / "other.yaml"
    file.write_text(text)
    told = run("--policy", file, "-w", workspace.folder)
    assert told.exit_code == 2
    assert told.stderr.count("\n") == 1
    assert says in told.stderr
    assert str(file) in told.stderr


def test_nothing_asked_is_said(market):
    workspace, _ = market
    told = run("-w", workspace.folder)
    assert told.exit_code == 2
    assert "nothing to ask about" in told.stderr


def test_what_several_slots_would_have_drawn_together_counts_once_for_each_decision(tmp_path):
    other = world.playbook(*OTHERS["a lever"])
    workspace = world.open_workspace(tmp_path / "shop")
    log = world.play(BEFORE, customers=130, days=8, seed=4, other=other, slots=2)
    log.into(workspace)
    found = simulate(workspace, BEFORE, other)
    known = [each for each in log.decisions if days_known(each, log)]
    assert found.decisions == len(log.decisions) > found.views[0].overlap.rows == len(known)
    assert found.left_out == {}
    played, would = 1000 * np.mean(log.truth, axis=0)
    purchase = found.views[0].answers[0]
    assert played in purchase.played
    assert would in purchase.asked
    assert would - played in purchase.change
    made = sum(slot["action"] is not None for each in known for slot in (each, *each["more_slots"]))
    told = sum(share.played for share in found.views[0].contacts)
    assert told == pytest.approx(1000 * made / len(known), rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("slots", [1, 2])
def test_intervals_of_what_if_hold_the_truth(tmp_path, slots):
    """24 logs: of decisions where the log stood, as they are drawn, and of what differs."""
    hits = np.zeros(2, int)
    for seed in range(24):
        name = ("a lever", "fewer mails")[seed % 2]
        other = world.playbook(*OTHERS[name])
        workspace = world.open_workspace(tmp_path / str(seed))
        log = world.play(BEFORE, customers=100, days=12 // slots, seed=100 + seed, other=other, slots=slots)
        log.into(workspace)
        source = logbook.read(workspace, BEFORE.version)
        whole, path = hear(source, workspace, BEFORE, other).whole.ends(whatif.AT_ONCE)
        bought = logbook.events(source.known, workspace.settings)["purchase"]
        reward = logbook.total(bought, whole.who, whole.at, whole.at + DAY)
        change = whole.change(reward, path)
        played, would = np.mean(log.truth, axis=0)
        hits += [would in intervals.interval(change.after), would - played in intervals.interval(change.difference)]
    print(hits / 24)
    assert binomtest(int(hits[0]), 24, 0.95, alternative="less").pvalue > 0.01
    assert binomtest(int(hits[1]), 24, 0.95, alternative="less").pvalue > 0.01


def test_sums_of_very_many_persons_over_a_year_are_their_own():
    """A person times a year in microseconds would overflow from about 290,000 persons on."""
    n, year = 300_000, 365 * DAY
    event = np.arange(n), np.arange(n) * 100_000_000, np.arange(n) + 1.0
    who, start = np.array([n - 1, 3, n - 2, n + 5]), np.zeros(4, np.int64)
    assert logbook.total(event, who, start, start + year).tolist() == [n, 4, n - 1, 0]
    assert logbook.total(event, who, start, start + 300_000_000).tolist() == [0, 0, 0, 0]


@pytest.mark.slow
def test_customers_living_under_another_policy_earn_what_was_foretold(tmp_path):
    """Played over a new market, the other policy earns what the log of the first one said it would."""
    other = world.playbook(*OTHERS["less chance"])
    workspace = world.open_workspace(tmp_path / "shop")
    log = world.play(BEFORE, customers=400, days=25, seed=5)
    log.into(workspace)
    view = simulate(workspace, BEFORE, other).views[1]
    assert (view.refused, view.shortened) == (None, None)
    truth = [1000 * world.play(book, customers=1500, days=25, seed=6).rate for book in (BEFORE, other)]
    purchase = view.answers[0]
    print(purchase, truth)
    assert truth[0] in purchase.played
    assert truth[1] in purchase.asked
    assert truth[1] - truth[0] in purchase.change


def test_documents_are_not_held(market):
    """What grows with the log are some numbers a decision, not its document (tens of kilobytes as Python objects)."""
    workspace, _ = market
    other, peaks, decisions = world.playbook(*OTHERS["a lever"]), [], []
    for until in (START + 2 * DAY, START + 9 * DAY):
        tracemalloc.start()
        heard = hear(logbook.read(workspace, BEFORE.version, until=until), workspace, BEFORE, other)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        decisions.append(heard.whole.log.decisions)
    assert decisions[1] > 4 * decisions[0]
    assert (peaks[1] - peaks[0]) / (decisions[1] - decisions[0]) < 5_000


def test_the_outcome_model_is_the_same_in_blocks():
    random = np.random.default_rng(0)
    inputs, action = random.normal(size=(300, 4)), random.integers(0, 3, 300)
    inputs[random.random(inputs.shape) < 0.1] = np.nan
    reward = inputs[:, 0] * action + random.normal(size=300)
    reward[np.isnan(reward)] = 0.0
    whole, blocks = outcomes.Ridge(), outcomes.Ridge(block=64)
    for model in (whole, blocks):
        model.fit(inputs, action, reward, 3)
    assert blocks.predict(inputs) == pytest.approx(whole.predict(inputs), rel=1e-9)
    assert np.abs(whole.own).max() > 0.1
