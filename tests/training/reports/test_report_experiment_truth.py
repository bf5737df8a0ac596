"""`tactful simulate --experiment`, ingested and reported on: do the arms' intervals hold what the plays really earn?"""

import json

import numpy as np
import pytest
import scipy.stats
from market_truth import entered, lived, within
from typer.testing import CliRunner

import tactful
from features.simulate.experiment import plays
from features.simulate.holding import Holding
from features.simulate.market import Market
from features.simulate.policy import PLAYS
from training.reports.uplift.arms import PLAYS as TITLES

pytestmark = pytest.mark.slow
CUSTOMERS, SILENT, DAYS, EVERY, SHARE = 3000, 30, 75, 7, 0.16


def test_the_arms_of_a_played_market_hold_what_each_play_earns(tmp_path):
    usual, always, effects = [], [], []
    for seed in range(2):
        report = told(tmp_path / str(seed), seed)
        assert not report["alarm"]
        assert [one["play"] for one in report["arms"]["rivals"]] == list(PLAYS)
        truth = earned(seed)
        for rival in report["arms"]["rivals"]:
            assert rival["title"] == TITLES[rival["play"]]
            for found in rival["found"]:
                if found["effect"]:
                    gain = (truth["ours"][found["measure"]] - truth[rival["play"]][found["measure"]]).mean()
                    usual.append(found["effect"]["low"] <= gain <= found["effect"]["high"])
                    always.append(found["effect"]["always"]["low"] <= gain <= found["effect"]["always"]["high"])
                    effects.append(gain)
    print(f"{np.sum(usual)} of {len(usual)} usual intervals, {np.sum(always)} always valid: {np.round(effects, 3)}")
    assert len(usual) >= 18
    assert scipy.stats.binomtest(int(np.sum(usual)), len(usual), 0.95).pvalue > 0.01
    assert all(always)


def told(folder, seed):
    """The report's figures, by the commands that a reader of --help would type."""
    market, shop = folder / "market", folder / "shop"
    run(
        "simulate",
        market,
        "--customers",
        CUSTOMERS,
        "--days",
        DAYS,
        "--silent",
        SILENT,
        "--policy",
        "best",
        "--every",
        EVERY,
        "--experiment",
        SHARE,
        "--seed",
        seed,
    )
    run("init", shop)
    (shop / "actions.yaml").write_text((market / "actions.yaml").read_text())
    policy = shop / "contact_policy.yaml"
    text = policy.read_text().replace("\nexperiment: null", "\n" + (market / "experiment.yaml").read_text() + "#")
    policy.write_text(text.replace("holdout: {share: 0.05", "holdout: {share: 0.0"))
    run("ingest", *sorted((market / "interactions").glob("*.parquet")), "--workspace", shop)
    run("ingest", "--decisions", market / "decisions.parquet", "--workspace", shop)
    run("report", "uplift", "--workspace", shop, "--no-track")
    return json.loads((shop / "reports" / "uplift.json").read_text())


def run(*words):
    result = CliRunner().invoke(tactful.app, [str(word) for word in words])
    assert result.exit_code == 0, result.output


def earned(seed):
    """{play: {measure: what each customer who entered did}} had everybody lived under it, with the same luck."""
    found, since = {}, None
    for name in ("ours", "random_eligible", "propensity_only", "looser_caps", "nothing"):
        market = Market(CUSTOMERS, "usual", seed)
        market.run(SILENT)
        ours, others = plays(market, EVERY, 0.0, seed)
        policy = ours if name == "ours" else others.get(name, Holding(ours, 1 - 1e-12))  # nothing: all are held out
        days, rows = lived(market, policy, DAYS - SILENT)
        since = entered(days, CUSTOMERS, DAYS) if since is None else since
        found[name] = {m: each[since >= 0] for m, each in within(rows, since, CUSTOMERS).items()}
    return {**found, "no_levers": found["ours"]}
