"""Batch decide beside bare `Booster.predict` over the same candidate rows, and how both grow with the audience.

TACTFUL_BENCH_AUDIENCE customers (200,000 is the whole; 4,000 by default), 40 actions each. CPU time of all threads, for
the machine is shared; the model is of LightGBM's default size (200 trees of 31 leaves), and then of the demo's.
"""

import os
import resource
import time

import deciding_shop
import lightgbm as lgb
import market
import numpy as np
import pytest

from serving.batch_decide import Runner
from serving.batch_decide.runner import BLOCK
from serving.engine import Engine

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_600)]
AUDIENCE = int(os.environ.get("TACTFUL_BENCH_AUDIENCE", 4_000))
KNOWN = 500  # customers of the history; the audience is read from it again and again, under other names of a job


@pytest.fixture(scope="module", params=[(200, 31), (50, 7)], ids=["200x31", "50x7"])
def engine(request, tmp_path_factory):
    trees, leaves = request.param
    honest = lgb.train

    def larger(parameters, data, rounds):
        return honest(parameters | {"num_leaves": leaves}, data, rounds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(market.lgb, "train", larger)
        shop = deciding_shop.build(tmp_path_factory.mktemp("batch") / "shop", KNOWN, trees)
    found = Engine.open(shop)
    found.warm()
    yield found
    found.close()


def pieces(customers):
    names = [f"C{i % KNOWN}" for i in range(customers)]
    return [names[i : i + BLOCK] for i in range(0, customers, BLOCK)]


def decided(engine, customers, dry_run):
    """CPU seconds of a whole run."""
    runner = Runner(engine, f"bench-{time.monotonic_ns()}", dry_run=dry_run)
    begin = time.process_time()
    for _ in runner.run(pieces(customers)):
        pass
    took = time.process_time() - begin
    assert runner.tally.customers == customers
    return took


def predicted(engine, customers):
    """CPU seconds of one thread of Booster.predict over the same rows, a block at a time."""
    runner = Runner(engine, "rows", dry_run=True)
    scorer, frame, took = runner.frame.propensity.scorer, runner.frame, 0.0
    for piece in pieces(customers):
        rows = scorer._rows(frame.block(piece).values, scorer._booster_codes)
        grid = np.repeat(rows, len(frame.treatments), axis=0)
        for column, place in scorer._of_action.items():
            grid[:, column] = np.tile(frame.encoded.booster[:, place], len(rows))
        begin = time.process_time()
        scorer._booster.predict(grid, raw_score=True, num_threads=1)
        took += time.process_time() - begin
    return took


def test_batch_decide_beside_the_bare_model(engine):
    decided(engine, 2 * BLOCK, dry_run=True)
    dry, whole = decided(engine, AUDIENCE, dry_run=True), decided(engine, KNOWN, dry_run=False) * AUDIENCE / KNOWN
    bare = predicted(engine, AUDIENCE)
    half = decided(engine, AUDIENCE // 2, dry_run=True)
    rows = AUDIENCE * len(Runner(engine, "n", dry_run=True).frame.treatments)
    trees = engine.champions.current["propensity"].scorer._booster.num_trees()
    print(f"\n{AUDIENCE:,} customers x 40 actions, {trees} trees")
    print(f"bare Booster.predict, 1 thread {bare:8.2f} CPU s   {rows / bare:10,.0f} rows/s")
    print(
        f"batch decide, judged           {dry:8.2f} CPU s   {rows / dry:10,.0f} rows/s   {bare / dry:.0%} of its rate"
    )
    print(f"batch decide, on disk as well  {whole:8.2f} CPU s   {rows / whole:10,.0f} rows/s   {bare / whole:.0%}")
    print(f"half the customers take {half / dry:.2f} of the time; peak memory "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")  # fmt: skip
    assert 0.35 < half / dry < 0.7
