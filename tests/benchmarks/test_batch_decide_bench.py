"""Batch decide beside bare `Booster.predict` over the same candidate rows, and how both grow with the audience.

TACTFUL_BENCH_AUDIENCE different customers (200,000 is the whole; 3,000 by default), 40 actions each. CPU time of all
threads, for the machine is shared; the model is of LightGBM's default size (200 trees of 31 leaves), on both stores,
and then of the demo's. What PostgreSQL's own processes take is not in it.
"""

import os
import resource
import time
from pathlib import Path

import deciding_shop
import lightgbm as lgb
import market
import numpy as np
import pytest
import stores

from features.workspace import Workspace
from serving.batch_decide import Runner
from serving.batch_decide.runner import BLOCK
from serving.engine import Engine
from serving.grid import gathered

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_600)]
AUDIENCE = int(os.environ.get("TACTFUL_BENCH_AUDIENCE", 3_000))
KNOWN = 500  # customers of the history; the others have what one of these did


SIZES = {"200x31": (200, 31, "sqlite"), "200x31 postgres": (200, 31, "postgres"), "50x7": (50, 7, "sqlite")}


@pytest.fixture(scope="module", params=SIZES.values(), ids=SIZES)
def engine(request, tmp_path_factory):
    trees, leaves, kind = request.param
    honest = lgb.train

    def larger(parameters, data, rounds):
        return honest(parameters | {"num_leaves": leaves}, data, rounds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(market.lgb, "train", larger)
        shop = deciding_shop.build(tmp_path_factory.mktemp("batch") / "shop", KNOWN, trees)
    place = stores.place(kind, tmp_path_factory.mktemp("store"))
    with (shop.folder / "tactful.yaml").open("a") as settings:
        settings.write(f"\nstore: {{url: '{place.url}'}}\n")
    shop = Workspace.open(shop.folder)
    Engine.open(shop).close()
    multiplied(place)
    found = Engine.open(shop)
    found.warm()
    yield found
    found.close()
    if kind == "sqlite":
        Path(place.url.removeprefix("sqlite:///")).unlink()  # gigabytes, where the audience is the whole


def multiplied(place):
    """AUDIENCE customers called A0, A1 ..., each with the state of one of the known."""
    for table, rest in (("customers", "version, seen_to, profile"), ("states", "state")):
        place.query(
            f"WITH RECURSIVE number(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number WHERE i + 1 < {AUDIENCE}) "
            f"INSERT INTO {table} (customer_id, {rest}) SELECT 'A' || i, {rest} FROM number "
            f"JOIN {table} ON customer_id = 'C' || (i % {KNOWN})"
        )


def pieces(customers):
    names = [f"A{i}" for i in range(customers)]
    return [names[i : i + BLOCK] for i in range(0, customers, BLOCK)]


def decided(engine, customers, dry_run):
    """CPU seconds of a whole run, the report's rows included."""
    runner = Runner(engine, f"bench-{time.monotonic_ns()}", dry_run=dry_run)
    begin = time.process_time()
    contacts = sum(
        answer.row()["contact_id"] is not None for piece in runner.run(pieces(customers)) for answer in piece
    )
    took = time.process_time() - begin
    assert runner.tally.customers == customers
    assert contacts == runner.tally.contacts
    assert dry_run or contacts > 0.8 * customers, "nobody was contacted before, so most are now"
    return took


def predicted(engine, customers):
    """CPU seconds of one thread of Booster.predict over the same rows, a block at a time."""
    runner = Runner(engine, "rows", dry_run=True)
    scorer, frame, took = runner.frame.panel.models["propensity"].scorer, runner.frame, 0.0
    of_action = {k: place for place, k in enumerate(k for k, column in enumerate(scorer._columns) if column.index < 0)}
    for piece in pieces(customers):
        rows = gathered(runner.block(piece).known.values, scorer._model)
        grid = np.repeat(rows, len(frame.board), axis=0)
        for column, place in of_action.items():
            grid[:, column] = np.tile(frame.panel.encoded.booster[:, place], len(rows))
        begin = time.process_time()
        scorer._booster.predict(grid, raw_score=True, num_threads=1)
        took += time.process_time() - begin
    return took


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_batch_decide_beside_the_bare_model(engine):
    decided(engine, BLOCK, dry_run=True)
    decided(engine, BLOCK, dry_run=True)
    small = peak()
    half, dry = decided(engine, AUDIENCE // 2, dry_run=True), decided(engine, AUDIENCE, dry_run=True)
    bare = predicted(engine, AUDIENCE)
    whole = decided(engine, AUDIENCE, dry_run=False)
    rows = AUDIENCE * len(Runner(engine, "n", dry_run=True).frame.board)
    trees = engine.champions.current["propensity"].scorer._booster.num_trees()
    print(f"\n{AUDIENCE:,} customers x 40 actions, {trees} trees")
    for name, took in (
        ("bare Booster.predict, 1 thread", bare),
        ("batch decide, judged", dry),
        ("batch decide, on disk as well", whole),
    ):
        each = took / AUDIENCE * 1e6
        print(f"{name:<31}{took:8.2f} CPU s {each:7.0f} us a customer {rows / took:10,.0f} rows/s {bare / took:5.0%}")
    print(f"half the customers take {half / dry:.2f} of the time; peak memory {peak():,.0f} MB, {small:,.0f} MB for "
          f"{BLOCK:,} customers")  # fmt: skip
    assert 0.35 < half / dry < 0.7
    if trees == 200:  # the demo's is so small that deciding itself is what costs
        assert bare / whole > 0.6
