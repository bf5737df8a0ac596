"""Targeting against known effects: bands hold the truth, harm is found where it is and hardly elsewhere."""

import numpy as np
import orjson
import pyarrow as pa
import pytest
import scipy.stats
import uplift_tables
from targeting_samples import known

from features import clock
from features.clock import DAY
from features.decision_log import DECISIONS
from features.history import History, conform
from features.interactions import INSTANT
from features.scaffold import init_workspace, templates
from features.workspace import Workspace
from training.reports.overview import job as overview
from training.reports.uplift_targeting import campaign, log, measure, words
from training.reports.wording import Words
from training.uplift.logged import train as trains
from training.uplift.prepare import prepare

RATE = Words("purchase", "rate")
REPEATS = 400


def least(share, repeats=REPEATS):
    """What a share of this size falls below once in a thousand times by chance."""
    return scipy.stats.binom.ppf(0.001, repeats, share) / repeats


@pytest.mark.slow
def test_the_band_holds_the_whole_curve_and_intervals_their_tenth():
    """Against the true gain of each rule among these contacts, and against that in a market of 400,000."""
    whole = known(persons=160_000, seed=9999)
    order = np.argsort(-whole.contacts.expected.predicted)
    market = np.cumsum(whole.effect[order]) / len(order)
    here = there = tenths = 0
    for seed in range(REPEATS):
        sample = known(persons=1200, seed=seed)
        predicted, effect = sample.contacts.expected.predicted, sample.effect
        ranked = effect[np.argsort(-predicted, kind="stable")]
        points, _ = measure.curve(sample.contacts)
        share = np.array([one.share for one in points[1:]])
        low, high = (np.array([getattr(one, end) for one in points[1:]]) for end in ("low", "high"))
        true = np.cumsum(ranked)[np.rint(share * len(ranked)).astype(int) - 1] / len(ranked)
        here += bool(((low <= true) & (true <= high)).all())
        true = market[np.rint(share * len(market)).astype(int) - 1]
        there += bool(((low <= true) & (true <= high)).all())
        for place, one in enumerate(measure.tenths(sample.contacts)):
            own = ranked[place * len(ranked) // 10 : (place + 1) * len(ranked) // 10].mean()
            tenths += one.effect.low <= own <= one.effect.high
    assert here / REPEATS >= least(0.95)
    assert there / REPEATS >= least(0.95) - 0.01  # the market's own cut lies elsewhere: a little is lost
    assert tenths / (10 * REPEATS) >= 0.935


@pytest.mark.slow
def test_where_contacts_do_nothing_hardly_anybody_is_said_to_be_harmed_or_moved():
    harmed = moved = 0
    for seed in range(REPEATS):
        contacts = known(persons=600, seed=seed, spread=0.0, mean=0.0).contacts
        points, above = measure.curve(contacts)
        one = words.ranking(RATE, "mail", None, contacts, measure.tenths(contacts), points, above,
                            measure.groups(contacts, contacts.expected), 600)  # fmt: skip
        told = words.told(RATE, [one], "", "", [])
        harmed += told.to_do is not None
        moved += told.persuadable.startswith("Contact ")
    assert harmed / REPEATS <= 0.05
    assert moved / REPEATS <= 0.05


@pytest.mark.slow
def test_a_campaign_table_tells_whom_it_moved_and_whom_it_harmed(tmp_path):
    """Mail makes the old buy and keeps the young away (effect .08 +- .24 by age)."""
    table = uplift_tables.table(rows=6000, effect="strong")
    path = table.write(tmp_path / "mail.csv")
    found = campaign.targeting(lambda: prepare(path, "arm", "bought"))
    dogs = next(one for one in found.rankings[0].groups if one.kind == "sleeping_dog")
    assert dogs.verdict == "lowered"
    assert dogs.share == pytest.approx((table.effect < 0).mean(), abs=0.07)
    assert found.leave_alone.startswith(f"Leave alone {100 * dogs.share:.0f}% of customers: contacts lower bought")
    assert found.persuadable.startswith("Contact ")
    assert found.rankings[0].over_random.low > 0
    young = next(one for one in dogs.traits if one.feature == "age")
    assert young.group < young.others
    assert any("customer_id" in note for note in found.notes)


def test_a_table_with_nothing_to_sort_by_says_so(tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("arm,bought\n" + "".join(f"{'mail' if k % 2 else 'none'},{k % 3 == 0:d}\n" for k in range(600)))
    found = campaign.targeting(lambda: prepare(path, "arm", "bought"))
    assert "no column says anything about customers" in found.missing
    assert found.rankings == []


# --- from logged decisions

START = clock.parse_instant("2026-03-02T09:00:00Z")
ACTIONS = """
actions:
  - {name: coupon, issue: sales, group: coupons, value: 10, response_window: 3d, channels: {email: {cost: 0.1}}}
"""


def shop(folder, people=600, weeks=5):
    """Half of the customers look around before each decision: a coupon brings those to buy, and keeps others away."""
    workspace = init_workspace(folder, templates("features", "serving"))
    (folder / "actions.yaml").write_text(ACTIONS)
    rng, decided, happened = np.random.default_rng(0), [], []
    cells = [
        {"action": "coupon", "channel": "email", "ghost": False, "probability": 0.4},
        {"action": "coupon", "channel": "email", "ghost": True, "probability": 0.2},
        {"action": None, "channel": None, "ghost": False, "probability": 0.4},
    ]
    for week in range(weeks):
        for who in range(people):
            at, looks = START + 7 * week * DAY + who, who % 2 == 0
            drawn = int(rng.choice(3, p=[0.4, 0.2, 0.4]))
            made, ghost = drawn == 0, drawn == 1
            decided.append(
                {
                    "decision_id": f"{week}-{who}", "decided_at": at, "customer_id": f"c{who}", "slots": 1,
                    "distribution": cells, "action": "coupon" if made else None,
                    "treatment_channel": "email" if made else None, "ghost": "coupon" if ghost else None,
                    "ghost_channel": "email" if ghost else None, "probability": cells[drawn]["probability"],
                }
            )  # fmt: skip
            happened += [(f"c{who}", "page_view", at - DAY)] * (3 if looks else 0)
            if rng.random() < 0.3 + (0.25 if looks else -0.2) * made:
                happened.append((f"c{who}", "purchase", at + DAY))
    happened.append(("late", "page_view", START + 7 * weeks * DAY + 5 * DAY))
    who, kind, at = zip(*happened, strict=True)
    table = {
        "interaction_id": [f"i{k}" for k in range(len(who))], "customer_id": list(who), "type": list(kind),
        "occurred_at": pa.array(at, pa.int64()).cast(INSTANT), "channel": ["web"] * len(who),
        "value": pa.array([10.0 if one == "purchase" else None for one in kind], pa.float64()),
    }  # fmt: skip
    opened = Workspace.open(workspace.folder)
    History(opened).append_log("decisions", pa.Table.from_pylist(decided, DECISIONS))
    History(opened).append(conform(pa.table(table)), "test")
    return opened


def test_without_a_model_of_effects_it_says_which_command_makes_one(tmp_path):
    found, people = log.targeting(init_workspace(tmp_path / "shop", templates("features", "serving")))
    assert "`tactful train uplift`" in found.missing
    assert found.leave_alone.startswith("Whom to leave alone is not known yet")
    assert people.num_rows == 0


def test_the_overview_reads_what_the_others_kept_and_passes_over_what_is_damaged(tmp_path):
    workspace = shop(tmp_path / "shop", people=60, weeks=2)
    (workspace.folder / "contact_policy.yaml").write_text("holdout: {share: 0.0}\n")
    assert overview.report(workspace).next_week.sentence.startswith("Next week: change nothing")
    workspace.reports.mkdir(exist_ok=True)
    alone = {"to_do": "leave alone 12% of customers", "leave_alone": "Leave alone 12% of customers: ..."}
    (workspace.reports / "uplift.json").write_text(orjson.dumps({"kind": "uplift", "targeting": alone}).decode())
    (workspace.reports / "pressure.json").write_text("{")
    found = overview.report(workspace).next_week
    assert found.sentence == "Next week: leave alone 12% of customers."
    assert [one.why for one in found.steps] == [alone["leave_alone"]]


@pytest.mark.slow
def test_from_the_log_half_are_moved_and_half_are_better_left_alone(tmp_path):
    workspace = shop(tmp_path / "shop")
    trains.train(workspace)
    found, people = log.targeting(workspace)
    assert found.missing is None
    (only,) = found.rankings  # one action: it is the best one for each
    groups = {one.kind: one for one in only.groups}
    dogs, moved = groups["sleeping_dog"], groups["persuadable"]
    assert dogs.share == pytest.approx(0.5, abs=0.03)
    assert (dogs.verdict, moved.verdict) == ("lowered", "raised")
    assert dogs.effect.low < -0.2 < dogs.effect.high
    assert moved.effect.low < 0.25 < moved.effect.high
    assert found.to_do.startswith("leave alone ")
    assert found.leave_alone.startswith("Leave alone ")
    smaller, larger = sorted((dogs, moved), key=lambda one: one.share)
    looks = next(one for one in smaller.traits if one.feature.startswith("count_inbound"))
    assert (looks.group > looks.others) is (smaller is moved)
    assert larger.traits == []
    assert "version 1" in found.model
    assert orjson.loads(found.model_dump_json())["rankings"][0]["name"] == "coupon"
    who = people.to_pandas()
    assert who.customer_id.is_unique
    assert who.kind.value_counts().to_dict() == {kind: one.customers for kind, one in groups.items()}
    odd = who.customer_id.str[1:].astype(int) % 2 == 1
    assert (odd == (who.kind == "sleeping_dog")).mean() > 0.95
    assert {1, len(only.tenths)} <= set(who.tenth) <= {one.place for one in only.tenths}
    assert who[who.tenth == 1].predicted.min() >= who[who.tenth == 2].predicted.max()
