"""`tactful simulate market`, ingested and reported on: do the intervals hold what the contacts really did?

The truth is that of the very market that was played (market_truth.py), so nothing but chance draws, the log, its way
through ingestion and history, and the report lies between them.
"""

import json

import numpy as np
import pytest
import scipy.stats
from market_truth import Programme, of_contacts, of_programme
from typer.testing import CliRunner

import tactful
from features.simulate.market import Market

pytestmark = pytest.mark.slow
CUSTOMERS, SEEDS = 2000, 4


def test_intervals_of_a_played_market_hold_its_true_effects(tmp_path):
    """By action against ghosts, and in total against the holdout: usual intervals in 95 %, the others nearly always."""
    usual, always, errors = [], [], []
    for seed in range(SEEDS):
        plan = Programme(silent=60, days=150, rate=0.6, withhold=0.3, holdout=0.3, seed=seed)
        report = told(tmp_path / str(seed), plan)
        assert not report["alarm"]
        for effect, truth in compared(report, plan):
            usual.append(effect["low"] <= truth <= effect["high"])
            always.append(effect["always"]["low"] <= truth <= effect["always"]["high"])
            errors.append((effect["difference"] - truth) / (effect["high"] - effect["low"]) * 2 * 1.96)
    print(f"{np.sum(usual)} of {len(usual)} usual intervals, {np.sum(always)} always valid; "
          f"errors {np.mean(errors):+.2f} +- {np.std(errors):.2f}")  # fmt: skip
    assert len(usual) > 15 * SEEDS
    assert scipy.stats.binomtest(int(np.sum(usual)), len(usual), 0.95).pvalue > 0.01
    assert np.mean(always) > 0.98
    assert abs(np.mean(errors)) < 3 / len(errors) ** 0.5
    assert 0.8 < np.std(errors) < 1.2


def compared(report, plan):
    """(effect found, true effect) of goal, money and opt-outs by action, and of goal and money in total."""
    market = Market(CUSTOMERS, "usual", plan.seed)
    market.run(plan.silent)
    truth = of_contacts(market, plan)
    by_action = next(one for one in report["ghosts"]["breakdowns"] if one["title"] == "By action")
    assert {cell["action"] for cell in by_action["cells"]} == set(truth)
    found = [
        (one["effect"], truth[cell["action"]][one["measure"]].mean())
        for cell in by_action["cells"]
        for one in cell["found"]
    ]
    counted = {cell["action"]: cell["contacts"] + cell["ghosts"] for cell in by_action["cells"]}
    assert counted == {action: len(by["goal"]) for action, by in truth.items()}
    whole = of_programme(market, plan)
    for outcome, measure in zip(report["outcomes"], ("goal", "money"), strict=True):
        (one,) = outcome["comparisons"]
        assert outcome["control"]["n"] + one["sample"]["n"] == len(whole[measure])
        found.append((one["effect"], whole[measure].mean()))
    return [(effect, true) for effect, true in found if effect]


def told(folder, plan):
    """The report's figures, by the commands that a reader of --help would type."""
    market, shop = folder / "market", folder / "shop"
    run(
        "simulate",
        market,
        "--customers",
        CUSTOMERS,
        "--days",
        plan.days,
        "--silent",
        plan.silent,
        "--policy",
        "random",
        "--every",
        7,
        "--rate",
        plan.rate,
        "--withhold",
        plan.withhold,
        "--holdout",
        plan.holdout,
        "--seed",
        plan.seed,
    )
    run("init", shop)
    (shop / "actions.yaml").write_text((market / "actions.yaml").read_text())
    policy = shop / "contact_policy.yaml"
    policy.write_text(policy.read_text().replace("holdout: {share: 0.05", f"holdout: {{share: {plan.holdout}"))
    run("ingest", *sorted((market / "interactions").glob("*.parquet")), "--workspace", shop)
    run("ingest", "--decisions", market / "decisions.parquet", "--workspace", shop)
    run("report", "uplift", "--workspace", shop, "--no-track")
    return json.loads((shop / "reports" / "uplift.json").read_text())


def run(*words):
    result = CliRunner().invoke(tactful.app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
