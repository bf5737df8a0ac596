"""A batch decides what the service would decide, customer by customer, and gives volumes to the most valuable first."""

import asyncio
import logging
from collections import Counter
from concurrent.futures import Future

import market
import nudge_world
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.clock import DAY
from features.workspace import WorkspaceError
from serving import scoring
from serving.batch_decide import Runner, audience, report
from serving.batch_decide.allocation import Allocation
from serving.commands import app
from serving.decisions import policy
from serving.decisions.decide import decide
from serving.decisions.many import blocks, columns
from serving.decisions.replay import replay
from serving.engine import Engine
from serving.engine.volumes import day_of
from serving.store.protocol import Commit

ACTIONS = """
actions:
  - {name: voucher, issue: sales, group: coupons, channels: [email, mail], value: 40, volume: 7, attributes: {discount: 0.2}}
  - {name: gold, issue: sales, group: coupons, channels: [email], value: 60, volume: 3, tags: [long],
     eligible: "features.lifetime_count_purchase > 5.0", suitable: "scores.churn < 0.9"}
  - {name: winback, issue: sales, group: winback, channels: {email: {cost: 0.01}, phone: {cost: 2}}, value: 25,
     applicable: "features.recency_purchase > 10.0 && request.channel != 'web'"}
  - {name: over, issue: sales, group: winback, channels: [email], value: 90, valid: {to: 2026-01-01}}
  - {name: odd, issue: sales, group: winback, channels: [email], value: 90, eligible: "context.season == 'summer'"}
  - {name: local, issue: sales, group: winback, channels: [email], value: 30, eligible: "attributes.country == 'AT'"}
  - {name: help_call, issue: service, group: service, channels: [phone, web], value: 5}
"""  # noqa: E501


class Frozen:
    def __init__(self, at):
        self.at = at

    def now(self):
        return self.at


@pytest.fixture
def engine(shop):
    (shop.folder / "actions.yaml").write_text(ACTIONS)
    text = (shop.folder / "contact_policy.yaml").read_text()
    for share in ("holdout: {share: 0.0}", "withholding: {share: 0.0}", "exploration: {epsilon: 0.0}"):
        text = text.replace(share, share.replace("0.0", "0.2"))
    (shop.folder / "contact_policy.yaml").write_text(text)
    found = Engine.open(shop)
    found.warm()
    found.clock = Frozen(found.clock.now())
    yield found
    found.close()


def pieces(customers, size=17):
    return [customers[i : i + size] for i in range(0, len(customers), size)]


def answers(runner, customers, size=17):
    found = [each.document() for piece in runner.run(pieces(customers, size)) for each in piece]
    return {each["customer_id"]: each for each in found}


def today(engine):
    return day_of(engine.playbook, engine.clock.now())


def alone(engine, runner, customer_id, spent=()):
    """The service's way: one customer, by the same random number."""
    read = engine.store.read(customer_id)
    now = read.customer.now(engine.clock.now())
    values = engine.vectors.of(read.state, now)
    champions = engine.champions.current
    earlier = now - engine.playbook.policy.signals.age
    delayed = scoring.Delayed(champions.get("propensity"), engine.vectors, read.state, earlier)
    scores = scoring.scores(engine.vectors, champions, values, delayed)
    uniform = runner.uniform(customer_id)
    return decide(runner.request(customer_id), read.customer, scores, engine.playbook, now, uniform, spent)


@pytest.mark.parametrize("channel", ["email", None])
def test_decision_for_decision_what_the_service_decides(engine, channel):
    rows = [market.interaction(f"x{i}", f"C{i}", type="opted_out", channel="email") for i in range(0, 60, 9)]
    rows += [market.interaction(f"y{i}", f"C{i}", type="complaint", case_id=f"case-{i}") for i in range(0, 60, 7)]
    assert asyncio.run(engine.record(rows))["accepted"] == len(rows)
    stated = [
        {"customer_id": f"C{i}", "valid_from": "2026-05-01", "attributes": {"country": "AT" if i % 2 else "DE"}}
        for i in range(30)
    ]
    assert asyncio.run(engine.record_attributes(stated))["accepted"] == 30
    customers = [*market.customers(), "a-stranger", "another"]
    plain = policy.Actions.model_validate(
        {"actions": [each.model_dump() | {"volume": None} for each in engine.playbook.actions.actions]}
    )
    engine.playbook = policy.Playbook(plain, engine.playbook.policy)
    runner = Runner(engine, "same", channel, dry_run=True)
    found = answers(runner, customers)
    stages = set()
    for customer_id in customers:
        one = alone(engine, runner, customer_id)
        assert found[customer_id] == orjson.loads(one.to_bytes())
        stages |= {fate.stage for slot in one.slots for fate in slot.fates}
    assert {"chosen", "guard", "eligible", "applicable", "arbitration", "holdout"} <= stages


def test_the_reservations_are_on_disk_and_the_same_job_gets_its_first_answers(engine):
    customers = market.customers()
    first = Runner(engine, "spring", "email")
    found = answers(first, customers)
    contacts = [each["contact_id"] for each in found.values() if each["contact_id"]]
    assert first.tally.contacts == len(contacts) > 10
    assert all(engine.store.contact(contact_id).state == "reserved" for contact_id in contacts)
    again = Runner(engine, "spring", "email")
    assert answers(again, customers[::-1]) == found
    assert again.tally.repeated == len(customers)
    other = Runner(engine, "summer", "email")
    answers(other, customers)
    assert other.tally.contacts < first.tally.contacts  # a cap of one action in three days


def test_a_job_that_asked_another_question_answers_nothing(engine):
    answers(Runner(engine, "spring", "email"), ["C1", "C2"])
    runner = Runner(engine, "spring", "phone")
    with pytest.raises(WorkspaceError, match=r"C1 before \(channel email\); give this run a name of its own"):
        answers(runner, ["C1", "C2"])
    assert runner.tally.customers == 0


def test_a_dry_run_leaves_nothing(engine):
    before = len(engine.store.export("decisions", 0)), len(engine.store.export("contacts", 0))
    assert answers(Runner(engine, "dry", "email", dry_run=True), market.customers())
    assert (len(engine.store.export("decisions", 0)), len(engine.store.export("contacts", 0))) == before


def test_volumes_go_to_the_most_valuable_in_whatever_order_they_come(engine):
    customers = market.customers()
    found = answers(Runner(engine, "dry", "email", dry_run=True), customers)
    assert found == answers(Runner(engine, "dry", "email", dry_run=True), customers[::-1], size=5)
    chosen = {name: [each for each in found.values() if each["action"] == name] for name in ("gold", "voucher")}
    assert len(chosen["gold"]) == 3
    assert len(chosen["voucher"]) == 7

    def worth(each):
        return next(f["factors"]["expected_value"] for f in each["candidates"] if f["stage"] == "chosen")

    for name, winners in chosen.items():  # nobody who was turned away is worth more than anyone who was not
        least = min(worth(each) for each in winners)
        turned = [
            customer_id
            for customer_id, each in found.items()
            if any(
                t["rule"].startswith(f"volume {name}") for f in each["candidates"] for t in f.get("suppressed_by", [])
            )
        ]
        runner = Runner(engine, "dry", "email", dry_run=True)
        without = {"gold"} if name == "voucher" else set()
        for customer_id in turned:
            wanted = [alone(engine, runner, customer_id, spent).slots[0] for spent in (set(), without)]
            for slot in wanted:
                if slot.chosen is not None and slot.chosen.action.name == name:
                    fate = next(fate for fate in slot.fates if fate.stage == "chosen")
                    assert fate.factors.expected_value <= least
        assert turned


def test_volumes_are_leased_and_what_is_left_is_given_back(engine):
    runner = Runner(engine, "lease", "email")
    found = answers(runner, market.customers())
    used = {name: sum(each["action"] == name for each in found.values()) for name in ("gold", "voucher")}
    assert used == {"gold": 3, "voucher": 7}
    for name, volume in (("gold", 3), ("voucher", 7)):
        assert engine.store.lease(name, today(engine), 100, volume).result() == volume - used[name]
    later = answers(Runner(engine, "later", "email"), ["C-new-1", "C-new-2"])
    assert not {"gold", "voucher"} & {each["action"] for each in later.values()}


@pytest.mark.parametrize("lost", [False, True])
def test_who_wants_something_else_by_the_time_they_are_settled_gets_no_more_than_there_is(engine, monkeypatch, lost):
    """Time passes between judging and committing: a customer may be drawn another action with a volume by then."""
    runner = Runner(engine, "moved", "email")
    make, settle, commit, turned = runner._made, runner._settled, engine.store.commit_batch, set[str]()
    gold = next(each for each in runner.frame.board.candidates if each.action.name == "gold")

    def moved(customers):
        """Whoever is settled would rather have gold now, as long as it is not given out."""
        found = make(customers)
        for each in found:
            if each.request.customer_id in turned and "gold" not in runner._spent[each.request.customer_id]:
                each.picked, each.is_ghost = gold, False
        return found

    def settled(customers):
        turned.update(customers)
        return settle(customers)

    def once(batched):
        asked = {each.request.customer_id for each in batched.decisions}
        if not lost or asked <= raced:
            return commit(batched)
        raced.update(asked)
        future = Future()
        future.set_result([Commit("lost")] * len(batched.decisions))
        return future

    raced = set[str]()
    monkeypatch.setattr(runner, "_made", moved)
    monkeypatch.setattr(runner, "_settled", settled)
    monkeypatch.setattr(engine.store, "commit_batch", once)
    found = answers(runner, market.customers())
    made = {name: sum(each["action"] == name for each in found.values()) for name in ("gold", "voucher")}
    assert made["gold"] <= 3
    assert made["voucher"] <= 7
    assert turned
    for name, volume in (("gold", 3), ("voucher", 7)):
        assert engine.store.lease(name, today(engine), 100, volume).result() == volume - made[name], "none is lost"


def test_a_lost_race_is_judged_again(engine, monkeypatch):
    honest, lost = engine.store.commit_batch, []

    def overtaken(batched):
        """Something happens to five who are about to be contacted."""
        if not lost:
            lost.extend([each.request.customer_id for each in batched.decisions if each.contacts][:5])
            rows = [market.interaction(f"late-{i}", who, type="page_view") for i, who in enumerate(lost)]
            assert asyncio.run(engine.record(rows))["accepted"] == 5
        return honest(batched)

    monkeypatch.setattr(engine.store, "commit_batch", overtaken)
    runner = Runner(engine, "race", "email")
    found = answers(runner, market.customers(), size=60)
    assert runner.tally.judged_again == 5
    assert len(found) == len(engine.store.export("decisions", 0)) == 60
    for who in lost:
        document = found[who]
        assert orjson.loads(engine.store.decision(document["decision_id"])) == document
        assert document["judged_version"] > 1


def test_its_log_is_read_as_any_other(engine):
    """Hundreds share a line, and whoever reads the log gets the document that a single decision has."""
    runner = Runner(engine, "spring", "email")
    found = answers(runner, market.customers())
    held = engine.store._reader.execute("SELECT body, number FROM decisions").fetchall()
    assert all(body.startswith(blocks.MARK) for body, _ in held)
    assert sum(number for _, number in held) == 60 > 3 * len(held)
    exported = {line.pop("decision_id"): line for line in engine.store.export("decisions", 0)}
    for customer_id, document in found.items():
        again = orjson.loads(engine.store.decision(document["decision_id"]))
        assert again == document
        assert orjson.loads(engine.store.find_decision(f"spring/{customer_id}")[1]) == document
        assert exported[document["decision_id"]]["candidates"] == document["candidates"]
        assert orjson.loads(replay(again, engine.playbook).to_bytes()) == document
    (line,) = engine.store.export_customer(["C1"])["decisions"]
    assert line == found["C1"]
    assert {cell["ghost"] for each in found.values() for cell in each["distribution"]} == {True, False}


ODD = """
  - {name: looks, issue: sales, group: winback, channels: [email], value: 9,
     eligible: "features.exists(name, name == 'tenure_purchase')"}
  - {name: late, issue: sales, group: winback, channels: [email], value: 70, reveals: [{type: purchase}]}
  - {name: stage, issue: sales, group: winback, channels: [email], value: 20, stages: [nowhere]}
"""


@pytest.mark.parametrize("method", ["epsilon", "thompson"])
def test_what_arrays_cannot_say_is_asked_of_each_alone(engine, method):
    """Rules over all features, signals and what may be scored of them, stages, arms, deferring, Thompson's draw."""
    (engine.workspace.folder / "actions.yaml").write_text(ACTIONS + ODD)
    file = engine.workspace.folder / "contact_policy.yaml"
    arm = (
        "experiment: {arms: [{name: none, share: 0.2, play: nothing}, {name: any, share: 0.2, play: random_eligible}]}"
    )
    text = file.read_text().replace("epsilon: 0.2", f"epsilon: 0.2, method: {method}")
    file.write_text(f"{text}\n{arm}\nmaturity: {{positives: 50}}\non_cap: defer\ncap_levels: {{}}\n"
                    "quiet: {hours: '11:00-13:00'}\npressure: {limit: 0.3}\n")  # fmt: skip
    engine.playbook = policy.load(engine.workspace)
    scorer = engine.champions.current["propensity"].scorer
    scorer.positives = {"winback": 3, "voucher": 60}
    stated = [
        {"customer_id": f"C{i}", "valid_from": "2026-05-01",
         "attributes": {"time_zone": "Europe/Berlin" if i % 3 else "Asia/Tokyo", "country": "AT"}}
        for i in range(40)
    ]  # fmt: skip
    assert asyncio.run(engine.record_attributes(stated))["accepted"] == 40
    runner = Runner(engine, method, None, dry_run=True)
    found, stages = answers(runner, market.customers()), Counter()
    for customer_id, document in found.items():
        one = alone(engine, runner, customer_id)
        plain = {name for name, action in engine.playbook.actions.by_name.items() if action.volume is None}
        if (one.chosen is None or one.chosen.action.name in plain) and not runner._spent.get(customer_id):
            assert document == orjson.loads(one.to_bytes())
            stages.update((fate.candidate.action.name, fate.stage) for fate in one.fates)
    assert stages["looks", "guard"] + stages["looks", "arbitration"] > 0
    assert stages["stage", "applicable"] > 5
    assert {stage for _, stage in stages} >= {"guard", "arbitration", "experiment", "holdout", "chosen"}


def test_a_killed_batch_loses_no_more_of_a_volume_than_what_it_was_settling(engine, monkeypatch):
    runner = Runner(engine, "killed", "email")
    leased = []

    def killed(batched):
        if any(each.limited is not None for each in batched.decisions):
            leased.append(engine.store.leased("gold", today(engine)) + engine.store.leased("voucher", today(engine)))
            raise KeyboardInterrupt
        return commit(batched)

    commit = engine.store.commit_batch
    monkeypatch.setattr(engine.store, "commit_batch", killed)
    monkeypatch.setattr("serving.batch_decide.runner.LOT", 2)
    for piece in pieces(market.customers()):
        runner.block(piece)
    assert engine.store.leased("gold", today(engine)) == 0, "deciding holds nothing"
    with pytest.raises(KeyboardInterrupt):
        answers(runner, market.customers())
    assert leased == [2], "no more than a lot"


def test_a_killed_batch_that_is_run_again_gives_out_what_is_left(engine, monkeypatch):
    """Who has their answer already wants no more of a volume, though no cap keeps them from it."""
    file = engine.workspace.folder / "contact_policy.yaml"
    policies = yaml.safe_load(file.read_text()) | {"caps": [], "withholding": {"share": 0.0}, "holdout": {"share": 0.0}}
    file.write_text(yaml.safe_dump(policies))
    engine.playbook = policy.load(engine.workspace)
    commit, settled = engine.store.commit_batch, []

    def killed(batched):
        settled.extend(each.limited for each in batched.decisions)
        if sum(each is not None for each in settled) == 5:
            raise KeyboardInterrupt
        return commit(batched)

    monkeypatch.setattr("serving.batch_decide.runner.LOT", 1)
    monkeypatch.setattr(engine.store, "commit_batch", killed)
    with pytest.raises(KeyboardInterrupt):
        answers(Runner(engine, "again", "email"), market.customers())
    monkeypatch.setattr(engine.store, "commit_batch", commit)
    again = Runner(engine, "again", "email")
    found = answers(again, market.customers())
    assert len(found) == again.tally.customers == 60
    used = Counter(each["action"] for each in found.values())
    assert again.tally.repeated == 54
    assert (used["gold"], used["voucher"]) == (3, 7 - 1), "all but what was being settled"


def test_a_batch_across_midnight_uses_the_volume_of_the_day_it_decides_on(engine, monkeypatch):
    runner = Runner(engine, "midnight", "email")
    before, settle = today(engine), runner._settled

    def later(customers):
        engine.clock.at = engine.clock.at + DAY if today(engine) == before else engine.clock.at
        return settle(customers)

    monkeypatch.setattr(runner, "_settled", later)
    found = answers(runner, market.customers())
    used = Counter(each["action"] for each in found.values())
    assert used["gold"] == 3
    assert engine.store.leased("gold", before) == 0
    assert today(engine) != before
    assert engine.store.leased("gold", today(engine)) == used["gold"]


def test_what_others_were_given_meanwhile_is_not_given_again(engine, monkeypatch):
    """The room is looked up, not held: whoever is let in first may find it taken when they are settled."""
    runner = Runner(engine, "meanwhile", "email")
    settle, first = runner._settled, []

    def raced(customers):
        if not first:
            first.append(engine.store.lease("gold", today(engine), 2, 3).result())
        return settle(customers)

    monkeypatch.setattr(runner, "_settled", raced)
    used = Counter(each["action"] for each in answers(runner, market.customers()).values())
    assert first == [2]
    assert used["gold"] == 1
    assert engine.store.leased("gold", today(engine)) == 3


@pytest.mark.parametrize("damage", [b"nonsense", b"\x00" * 64])
def test_who_cannot_be_read_is_told_and_counted_and_the_others_are_decided_about(engine, shop, tmp_path, damage):
    customers = market.customers()
    fine = answers(Runner(engine, "harmed", "email", dry_run=True), customers)
    harm = "UPDATE states SET state = ? WHERE customer_id = ?"
    for who in ("C7", "C20"):
        engine.store._writer.submit(lambda tx, who=who: tx.execute(harm, (damage, who))).result()
    runner = Runner(engine, "harmed", "email")
    found = {each.row()["customer_id"]: each for piece in runner.run(pieces(customers)) for each in piece}
    assert set(found) == set(fine)
    assert (runner.tally.customers, runner.tally.unread) == (60, 2)
    assert {who for who, each in found.items() if each.row().get("decision_id") is None} == {"C7", "C20"}
    assert found["C7"].row()["reason"].startswith("cannot be read: a packed state")
    assert len(engine.store.export("decisions", 0)) == 58
    same = [who for who in found if who not in ("C7", "C20") and found[who].row()["action"] == fine[who]["action"]]
    assert len(same) > 50, "but for volumes, which others may get"
    listed, target = tmp_path / "audience.csv", tmp_path / "out.csv"
    listed.write_text("customer_id\n" + "\n".join(customers) + "\n")
    words = ["decide", "--customers", str(listed), "--channel", "email", "--out", str(target), "--job", "harmed"]
    result = CliRunner().invoke(app, [*words, "--workspace", str(shop.folder)])
    assert result.exit_code == 0, result.output
    assert "58 answered before, 2 that cannot be read" in " ".join(result.output.split())
    assert sum("cannot be read" in line for line in target.read_text().splitlines()) == 2


@pytest.mark.parametrize("damage", [b"nonsense", b"[]", b'{"paused": 3}', b'{"rejected": {"email": [1, 2, 3, 4]}}'])
def test_a_profile_of_another_shape_ends_no_batch_either(engine, damage):
    harm = "UPDATE customers SET profile = ? WHERE customer_id = 'C7'"
    engine.store._writer.submit(lambda tx: tx.execute(harm, (damage,))).result()
    runner = Runner(engine, "misshapen", "email")
    found = {each.row()["customer_id"]: each for piece in runner.run(pieces(market.customers())) for each in piece}
    assert (runner.tally.customers, runner.tally.unread) == (60, 1)
    assert found["C7"].row()["reason"].startswith("cannot be read: the profile that is kept is damaged")


def test_lines_of_one_decision_as_they_were_logged_before_are_read(engine):
    runner = Runner(engine, "old", "email", dry_run=True)
    for made in runner._made(market.customers()):
        document, rows = made.document(), made.block.rows
        own = {**made.own(), **{name: each[0] for name, each in rows.matrices([made.place]).items()}}
        number = own.pop("number")
        own["drawn"] = own.pop("order")[:number], own.pop("chance")[:number], own.pop("silence")
        told = {name: document[name] for name in ("direction", "channel", "features")}
        shared = {"columns": made.block.known.frame.columns.shared["columns"]}
        line = orjson.dumps(shared | told | own, option=orjson.OPT_SERIALIZE_NUMPY)
        assert line.startswith(b'{"columns":')
        again = columns.read(line)
        assert {name: document[name] for name in again} == again
        assert orjson.loads(columns.plain(line)) == again


worths = st.lists(st.integers(0, 30).map(float), max_size=25)


@given(worths, st.integers(0, 6), st.randoms())
def test_whoever_is_kept_is_worth_no_less_than_whoever_is_not(worth, room, random):
    people = [(f"C{i}", value) for i, value in enumerate(worth)]
    random.shuffle(people)
    allocation = Allocation(lambda _: room)
    out = {who for name, value in people if (who := allocation.propose("a", name, value)) is not None}
    kept = allocation.winners().get("a", [])
    assert len(kept) == min(room, len(people))
    assert out | set(kept) == {name for name, _ in people}
    by_name = dict(people)
    assert [by_name[name] for name in kept] == sorted((by_name[name] for name in kept), reverse=True)
    assert min((by_name[name] for name in kept), default=99) >= max((by_name[name] for name in out), default=-1)


def test_an_audience_is_read_once_each_in_pieces(tmp_path):
    names = [f"C{i % 70}" for i in range(200)]
    for path in (tmp_path / "a.csv", tmp_path / "a.parquet"):
        table = pa.table({"x": list(range(200)), "customer_id": names})
        if path.suffix == ".csv":
            path.write_text("x,customer_id\n" + "".join(f"{i},{name}\n" for i, name in enumerate(names)))
        else:
            pq.write_table(table, path)
        found = list(audience(path, 30))
        assert [len(piece) for piece in found] == [30, 30, 10]
        assert [name for piece in found for name in piece] == names[:70]
    (tmp_path / "ids.csv").write_text("customer_id\n007\n1e5\n")
    assert list(audience(tmp_path / "ids.csv", 9)) == [["007", "1e5"]]  # ids are text


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.csv", "name\nC1\n", "no column customer_id"),
        ("a.csv", "customer_id,b\nC1\n", "cannot be read"),
        ("a.csv", "customer_id,b\n,1\n", "row 1"),
        ("a.parquet", "nonsense", "cannot be read"),
        ("a.csv", "", "cannot be read"),
    ],
)
def test_a_file_that_is_no_audience_is_one_clear_line(tmp_path, name, content, text):
    (tmp_path / name).write_text(content)
    with pytest.raises(WorkspaceError, match=text):
        list(audience(tmp_path / name, 10))
    with pytest.raises(WorkspaceError, match="cannot be read"):
        list(audience(tmp_path / "none.csv", 10))


def test_the_command_writes_a_line_a_customer(shop, tmp_path):
    listed = tmp_path / "audience.csv"
    listed.write_text("customer_id\n" + "\n".join(market.customers()) + "\n")
    target = tmp_path / "out.parquet"
    words = ["decide", "--customers", str(listed), "--channel", "email", "--out", str(target), "--job", "j"]
    result = CliRunner().invoke(app, [*words, "--workspace", str(shop.folder)])
    assert result.exit_code == 0, result.output
    table = pq.read_table(target)
    assert table.schema.equals(report.SCHEMA)
    assert sorted(table["customer_id"].to_pylist()) == sorted(market.customers())
    assert "60 customers" in result.output
    wrong = CliRunner().invoke(app, [*words, "--channel", "fax", "--workspace", str(shop.folder)])
    assert wrong.exit_code == 2
    assert "fax" in wrong.output
    assert "Traceback" not in wrong.output
    before, link = listed.read_bytes(), tmp_path / "link.csv"
    link.symlink_to(listed)
    for same in (listed, link):
        refused = CliRunner().invoke(app, [*words, "--out", str(same), "--workspace", str(shop.folder)])
        assert refused.exit_code == 2
        assert "is the audience itself" in " ".join(refused.output.split())
    assert listed.read_bytes() == before


def test_without_models_it_is_said_once_and_nothing_is_claimed_to_be_decided(tmp_path, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])  # as in a terminal, where nobody set up logging
    shop = nudge_world.workspace(tmp_path / "bare", nudge_world.POLICY.replace("fallback: {propensity: 0.5}", ""))
    (tmp_path / "audience.csv").write_text("customer_id\nC1\n")
    words = ["decide", "--customers", str(tmp_path / "audience.csv"), "--out", str(tmp_path / "out.csv")]
    result = CliRunner().invoke(app, [*words, "--workspace", str(shop.folder)])
    said = " ".join(result.output.split())
    assert result.exit_code == 2
    assert said.count("no champion model `propensity`") == 1
    assert "go on with --job" not in said
