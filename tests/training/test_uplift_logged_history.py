"""`tactful train uplift` on a workspace: what history tells, refusals in a line, what is registered and promoted."""

import json
import shutil
from dataclasses import replace

import numpy as np
import orjson
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import tactful
from features import catalogue as catalogues
from features import clock
from features.clock import DAY
from features.decision_log import DECISIONS
from features.history import History, conform
from features.identity import links
from features.interactions import INSTANT
from features.scaffold import init_workspace, templates
from features.workspace import Workspace, WorkspaceError
from serving.champions import Champions
from serving.decisions.effects import Constant
from training.propensity import listed
from training.uplift.logged import decisions, words
from training.uplift.logged import train as trains
from training.uplift.logged.decisions import NOTHING
from training.uplift.logged.outcomes import Events, Goal, goal
from training.uplift.logged.train import learn

START = clock.parse_instant("2026-03-02T09:00:00Z")
SETTINGS = "goal: [purchase, sign_up]\nsensitive_topics: [health]\n"
ACTIONS = """
actions:
  - {name: coupon, issue: sales, group: coupons, value: 10, response_window: 3d, channels: {email: {cost: 0.1}, phone: {cost: 2}}}
  - {name: trial, issue: sales, group: news, value: 10, objective: sign_up, channels: {email: {cost: 0.1}}}
"""  # noqa: E501


def shop(folder):
    workspace = init_workspace(folder, templates("features", "serving"))
    (folder / "tactful.yaml").write_text(SETTINGS)
    (folder / "actions.yaml").write_text(ACTIONS)
    return Workspace.open(workspace.folder)


def cell(action, chance, channel="email", ghost=False):
    return {"action": action, "channel": channel if action else None, "ghost": ghost, "probability": chance}


def decision(number, person, at, drawn, cells, **more):
    """`drawn` is a position in `cells`."""
    answer = cells[drawn]
    ghost = answer["ghost"]
    return {
        "decision_id": f"d{number}", "decided_at": at, "customer_id": person, "slots": 1, "distribution": cells,
        "action": None if ghost else answer["action"], "treatment_channel": None if ghost else answer["channel"],
        "ghost": answer["action"] if ghost else None, "ghost_channel": answer["channel"] if ghost else None,
        "probability": answer["probability"],
    } | more  # fmt: skip


def log(workspace, rows):
    History(workspace).append_log("decisions", pa.Table.from_pylist(rows, DECISIONS))


def happened(workspace, rows):
    """(customer, type, instant) each, and perhaps a value and a topic."""
    columns = list(zip(*[(*row, *(10.0, None)[len(row) - 3 :]) for row in rows], strict=True))
    names = ("customer_id", "type", "occurred_at", "value", "topic")
    table = {name: list(column) for name, column in zip(names, columns, strict=True)}
    table["occurred_at"] = pa.array(table["occurred_at"], pa.int64()).cast(INSTANT)
    made = {"interaction_id": [f"i{k}-{row[0]}" for k, row in enumerate(rows)], "channel": ["store"] * len(rows)}
    History(workspace).append(conform(pa.table(table | made)), "test")


CELLS = [cell("coupon", 0.3), cell("coupon", 0.1, "phone"), cell("coupon", 0.1, ghost=True), cell(None, 0.5)]


@pytest.fixture
def small(tmp_path):
    """Seven decisions, of which two cannot tell, and of one a slot is not known; and what came of them."""
    workspace = shop(tmp_path / "shop")
    rows = [
        decision(0, "a", START, 0, CELLS),
        decision(1, "b", START + 1, 2, CELLS),
        decision(2, "b", START + 2, 3, CELLS),
        decision(3, "c", START + 3, 1, CELLS),
        decision(4, "held out", START + 4, 0, [cell(None, 1.0)]),
        decision(5, "two", START + 5, 0, CELLS, slots=2),
        decision(6, "sure", START + 6, 0, [cell("coupon", 0.6), cell("coupon", 0.4, "phone")]),
    ]
    log(workspace, rows)
    happened(workspace, [
        ("a", "purchase", START, 5.0), ("a", "purchase", START + 3 * DAY, 7.0), ("b", "purchase", START + 1 + 3 * DAY),
        ("b", "sign_up", START + DAY), ("c", "purchase", START + DAY, 9.0, "\tHealth "),
        ("c", "page_view", START + 9 * DAY),
    ])  # fmt: skip
    return workspace


def test_decisions_that_can_tell_are_those_in_which_both_were_possible(small):
    found = decisions.read(small)
    assert found.customer.tolist() == ["a", "b", "b", "c", "two"]
    assert list(found.treatments) == [("coupon", "email"), ("coupon", "phone")]
    assert found.drawn.tolist() == [0, NOTHING, NOTHING, 1, 0]
    assert found.nothing == pytest.approx([*[0.6] * 4, 0])
    assert found.chance_of([0, 1]) == pytest.approx([0.4] * 5)
    assert found.person[1] == found.person[2] != found.person[0]
    assert found.left_out == {
        "of a slot after the first, which history has no document of": 1,
        "in which there was nothing to choose": 1,
    }
    assert found.rows(np.array([False, True, False, True, False])).chance_of([1]) == pytest.approx([0.1, 0.1])


def test_goals_count_in_the_window_alike_for_all(small):
    """[at, at + window): the purchase on the window's first instant counts, that on its end does not; sensitive topics
    never; a window that history does not cover is not known."""
    found = decisions.read(small)
    events = Events(History(small), found, small.settings)
    bought = events.outcome(found, Goal(("purchase",), 3 * DAY))
    assert bought.reached.tolist() == [1, 0, 1, 0, 0]
    assert bought.money.tolist() == [5, 0, 10, 0, 0]
    assert bought.known.all()
    both = events.outcome(found, Goal(("purchase", "sign_up"), 3 * DAY))
    assert both.reached.tolist() == [1, 1, 1, 0, 0]
    assert not events.outcome(found, Goal(("purchase",), 9 * DAY)).known[-1]
    actions = listed(small)
    assert goal(actions["trial"], small.settings).types == ("sign_up",)
    assert goal(actions["coupon"], small.settings) == Goal(("purchase", "sign_up"), 3 * DAY)
    assert goal(None, small.settings).types == ("purchase", "sign_up")


def test_logged_vectors_are_used_where_the_catalogue_is_the_same(small):
    catalogue = catalogues.of(small)
    width = len(catalogue)
    log(small, [
        decision("x", "a", START + DAY, 3, CELLS, features=[7.0, None, *[1.0] * (width - 2)],
                 catalogue_version=catalogue.version),
        decision("y", "a", START + DAY, 3, CELLS, features=[9.0] * width, catalogue_version="another"),
    ])  # fmt: skip
    found = decisions.read(small)
    values = decisions.features_of(found, small, catalogue)
    logged = values[np.flatnonzero(found.at == START + DAY)]
    computed = decisions.features_of(found.rows(found.at == START), small, catalogue)[0]
    assert logged[0][0] == 7.0
    assert np.isnan(logged[0][1])
    assert not (logged[1] == 9.0).any()
    assert len(computed) == width


def test_people_are_who_they_are_known_to_be(small):
    rows = [
        {"identifier": "a@x", "kind": "email", "customer_id": who, "valid_from": clock.instant(START)} for who in "ac"
    ]
    History(small).append_links(links.conform(pa.Table.from_pylist(rows)), "test")
    found = decisions.read(small)
    assert found.person[0] == found.person[3]


def fails(workspace, why, **options):
    with pytest.raises(WorkspaceError) as error:
        learn(workspace, **options)
    assert why in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_missing_is_said_in_a_line(tmp_path, small):
    empty = shop(tmp_path / "empty")
    fails(empty, "holds no decisions; run `tactful sync`")
    log(empty, [decision(0, "a", START, 0, CELLS)])
    fails(empty, "holds no interactions")
    sure = shop(tmp_path / "sure")
    log(sure, [decision(0, "a", START, 0, [cell("coupon", 0.6), cell("coupon", 0.4, "phone")])])
    fails(sure, "state a share of `withholding` or `exploration`")
    fails(small, "no decision is a response window (3 days) older", start=START)
    fails(small, "no decision from 2026-03-06 on, from where effects are judged, is older", start=START + 4 * DAY)
    log(small, [decision(7, "a", START + 5 * DAY, 0, CELLS)])
    fails(small, "too few decisions to tell any effect (coupon: 3 decisions with it", start=START + 4 * DAY)
    happened(sure, [("a", "purchase", START)])
    log(sure, [decision(1, "a", START, 0, CELLS)])
    fails(sure, "no logged decision is older than its response window yet")
    run = CliRunner().invoke(tactful.app, ["train", "uplift", "--unit", "clicks", "--workspace", str(small.folder)])
    assert run.exit_code == 2
    assert "choose responses or money" in run.output
    odd = CliRunner().invoke(tactful.app, ["train", "uplift", "--features", "x", "--workspace", str(small.folder)])
    assert odd.exit_code == 2


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """900 customers asked four times each: the coupon by e-mail brings half of them to buy, by phone nobody."""
    workspace, rng = shop(tmp_path_factory.mktemp("logged") / "shop"), np.random.default_rng(0)
    rows, events = [], []
    for week in range(4):
        for who in range(900):
            at = START + 7 * week * DAY + who
            drawn = int(rng.choice(4, p=[each["probability"] for each in CELLS]))
            rows.append(decision(f"{week}-{who}", f"c{who}", at, drawn, CELLS))
            if rng.random() < (0.6 if drawn == 0 else 0.1):
                events.append((f"c{who}", "purchase", at + DAY))
    log(workspace, rows)
    happened(workspace, [*events, ("late", "page_view", START + 40 * DAY)])
    return workspace


def test_what_was_caused_is_found_by_channel(busy):
    found = learn(busy)
    email, phone = sorted(found.report.treatments, key=lambda each: each.channel)
    assert email.effect.low < 0.5 < email.effect.high
    assert phone.effect.low < 0.0 < phone.effect.high
    assert email.level == pytest.approx(0.5, abs=0.07)
    assert phone.level == pytest.approx(0.0, abs=0.07)
    assert email.verdict == "works"
    assert phone.verdict == "cannot be told"
    assert "Works, alike for all" in email.sentence
    assert "No effect is shown" in phone.sentence
    assert found.over_prior.interval.low > 0
    assert email.worth_all.value == pytest.approx(0.5 - 0.01, abs=0.1)
    assert not found.report.unknown
    coupon = found.report.actions[0]
    assert coupon.learner == "constant"
    assert {"constant", "linear", "linear, few inputs", "blend"} <= {each.learner for each in coupon.losses}
    assert found.report.headline == (
        "That effects differ by customer is not shown. Alike for all as far as can be told, and above zero: coupon."
    )
    told = list(words.lines(found.report))
    assert found.report.headline in told
    assert any("one effect for all (" in line and "cross-validated loss" in line for line in told)
    paid = learn(busy, unit="money")
    # 10 are spent by half of them, and of what is spent the stated margin of .3 is kept
    assert next(each for each in paid.report.treatments if each.channel == "email").level == pytest.approx(1.5, abs=0.2)


def test_what_is_served_is_what_was_learned(busy):
    found = learn(busy)
    which = np.array([found.bound.place("coupon", each.channel) for each in found.treatments])
    asked = found.bound.effects(found.values, which)
    for k, each in enumerate(found.treatments):
        assert np.array_equal(asked[:, k], each.effects.effect(found.world.inputs))
    assert found.bound.place("trial", "email") == -1


@pytest.mark.slow
def test_a_model_is_registered_and_the_better_one_promoted(busy, tmp_path):
    """The first becomes champion; one that learned less must not replace it, the same again may; `--unit money` is no
    rival; the service's reader takes the file."""
    workspace = Workspace.open(shutil.copytree(busy.folder, tmp_path / "shop"))

    def run(*arguments):
        done = CliRunner().invoke(tactful.app, ["train", "uplift", *arguments, "--workspace", str(workspace.folder)])
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    assert "uplift version 1: champion, the first model of its kind" in run()
    assert "uplift version 2: champion, has the same effects as version 1" in run()
    assert "uplift version 3: challenger, its effects are in money" in run("--unit", "money")
    champions = Champions(workspace, catalogues.of(workspace))
    champions.poll()
    assert champions.current["uplift"].version == "2"
    told = CliRunner().invoke(tactful.app, ["models", "--workspace", str(workspace.folder)])
    assert "uplift 2 champion" in " ".join(told.output.split())
    back = CliRunner().invoke(tactful.app, ["promote", "uplift", "--rollback", "--workspace", str(workspace.folder)])
    assert "uplift version 1 is champion again" in back.output
    report = next((workspace.folder / "mlflow").rglob("scorer/report.json"))
    assert orjson.loads(report.read_bytes())["kind"] == "uplift of logged decisions"
    assert json.loads(next((workspace.folder / "mlflow").rglob("scorer/effects.json")).read_text())["kind"] == "uplift"


@pytest.mark.slow
def test_effects_that_fit_worse_than_the_champions_are_not_promoted(busy, tmp_path, monkeypatch):
    workspace = Workspace.open(shutil.copytree(busy.folder, tmp_path / "shop"))
    trains.train(workspace)
    real = trains.arms

    def worse(*arguments):
        actions, treatments, unknown = real(*arguments)
        return actions, [replace(each, effects=Constant(-0.4, 0.1)) for each in treatments], unknown

    monkeypatch.setattr(trains, "arms", worse)
    verdict = trains.train(workspace).verdict
    assert verdict.alias == "challenger"
    assert "fit worse than version 1" in verdict.reason
    assert "worse than the stated prior" in verdict.reason
    with monkeypatch.context() as unjudged:
        judge = trains.judge
        unjudged.setattr(trains, "judge", lambda world, one, later, cost: judge(world, one, later & False, cost))
        verdict = trains.train(workspace).verdict
        assert "no later decision judges its effects" in verdict.reason
    monkeypatch.setattr(trains, "arms", lambda *arguments: (real(*arguments)[0], real(*arguments)[1][:1], {}))
    assert "knows nothing of coupon on phone, of which version 1 does" in trains.train(workspace).verdict.reason
    actions = workspace.actions_file
    actions.write_text(actions.read_text().replace("phone:", "chat:"))
    assert "knows nothing" not in trains.train(workspace).verdict.reason, "nobody is asked to know of what was retired"
