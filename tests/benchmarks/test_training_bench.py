"""What a training costs beside a plain LightGBM fit on the same matrix: a million customers, each at one of twelve
cutoffs, 100 features. By default a tenth of it; TACTFUL_BENCH_CUSTOMERS=1000000 for the whole.

The core is what `tactful train` does between the matrix and the registry: a sample of the rows, selections, trees whose
number four folds choose, the habit, the link on later rows, the refit, and figures with intervals on the test cutoff.
"""

import os
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from features.catalogue import DEFAULT
from features.clock import DAY
from features.workspace import Settings
from training.churn import CALIBRATION_ROWS, TRAINING_ROWS
from training.dataset import Dataset, Pairs, Part
from training.train import STAGES, learn
from training.windows import STEP, Windows

CUSTOMERS = int(os.environ.get("TACTFUL_BENCH_CUSTOMERS", 100_000))
FEATURES, CUTOFFS = 100, 12
SETTINGS = Settings()


def matrix(count, seed=0):
    """float64[count, 100] of counts, money, days and nulls, labels that depend on a few of them, and cutoffs."""
    random = np.random.default_rng(seed)
    names = [feature.name for feature in DEFAULT if not feature.categorical]
    habit = habit_of_churn()
    names = list(dict.fromkeys([*habit, *names]))[:FEATURES]
    values = np.empty((count, FEATURES))
    busy = random.gamma(1.0, 1.0, count)
    for j in range(FEATURES):
        if j % 3 == 0:
            values[:, j] = random.poisson(busy * random.uniform(0.2, 6))
        elif j % 3 == 1:
            values[:, j] = random.exponential(30, count) / (0.2 + busy)
        else:
            values[:, j] = np.where(random.random(count) < 0.3, np.nan, random.normal(busy, 1))
    active, recency, tenure = (names.index(name) for name in habit)
    values[:, tenure] = random.uniform(30, 400, count)
    values[:, recency] = values[:, tenure] * random.beta(1, 1 + busy)
    values[:, active] = 1 + random.poisson(busy * values[:, tenure] / 20)
    logit = 0.03 * values[:, recency] - 0.8 * np.log1p(values[:, 3]) + 0.3 * np.nan_to_num(values[:, 5]) - 0.5
    label = (random.random(count) < 1 / (1 + np.exp(-logit))).astype(float)
    return names, values, label, random.integers(0, CUTOFFS, count)


def habit_of_churn():
    from features.own_catalogue import signs_of_life

    return [feature.name for feature in signs_of_life(SETTINGS.churn.qualifying)]


def dataset(names, values, label, cutoff):
    """As training makes it: samples of the earlier cutoffs, the whole last one."""

    def part(cutoffs, most, seed):
        rows = np.flatnonzero(np.isin(cutoff, cutoffs))
        pairs = Pairs(rows, cutoff[rows] * STEP, label[rows])
        pairs = pairs if most is None else pairs.at_most(most, seed)
        frame = pd.DataFrame(values[pairs.customer], columns=names)
        return Part(pairs.customer, pairs.as_of, pairs.label, frame)

    at = [STEP * k for k in range(CUTOFFS)]
    windows = Windows(tuple(at[:7]), (at[7], at[8]), (at[9], at[10]), at[11], 4 * STEP)
    return Dataset(
        "churn",
        part(range(7), TRAINING_ROWS, 0),
        part((7, 8), TRAINING_ROWS, 1),
        part((9, 10), CALIBRATION_ROWS, 2),
        part((11,), None, 3),
        windows,
        4 * STEP // DAY,
        DEFAULT,
        (),
        (),
        "made up",
    )


def measured(work):
    """Wall and CPU seconds, and by how many MB the process's peak rose above what it held before (Linux)."""
    held = in_memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - cpu, in_memory("VmHWM") - held


def in_memory(name):
    """MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def plain():
    """As it comes, but for threads: as many as the core has folds side by side."""
    return lgb.LGBMClassifier(n_jobs=int(os.environ.get("OMP_NUM_THREADS", 2)), verbosity=-1)


@pytest.mark.bench
@pytest.mark.timeout(900)
def test_training_against_a_plain_fit():
    names, values, label, cutoff = matrix(CUSTOMERS)
    told = []

    def core():
        return learn(dataset(names, values, label, cutoff), SETTINGS, tell=told.append)

    fitted, wall, cpu, peak = measured(core)
    looked_at = sum(part.frame.to_numpy().nbytes for part in fitted.dataset.parts.values()) / 1e6
    assert set(told) < set(STAGES)
    frame, sampled = pd.DataFrame(values, columns=names), fitted.dataset.training
    _, wall_plain, cpu_plain, peak_plain = measured(lambda: plain().fit(frame, label))
    _, _, cpu_sampled, _ = measured(lambda: plain().fit(sampled.frame, sampled.label))
    before = cutoff < CUTOFFS - 1
    whole = plain().fit(frame[before], label[before]).predict_proba(fitted.dataset.test.frame)[:, 1]
    late = fitted.dataset.test.label
    ours, theirs = (log_loss(late, probability) for probability in (fitted.probability, whole))
    print(
        f"\n{CUSTOMERS:,} rows x {FEATURES}: train's core {wall:.1f} s wall, {cpu:.1f} s CPU, at most {peak:,.0f} MB"
        f" above the matrix ({values.nbytes / 1e6:,.0f} MB, of which it looks at {looked_at:,.0f});"
        f" plain LightGBM on all rows {wall_plain:.1f} s wall,"
        f" {cpu_plain:.1f} s CPU, {peak_plain:,.0f} MB: {wall / wall_plain:.2f}x and {cpu / cpu_plain:.2f}x;"
        f" {cpu / cpu_sampled:.1f}x the CPU of a plain fit on the {len(sampled):,} rows that it samples;"
        f" {fitted.pipeline[-1].trees_} trees; log loss on the test cutoff {ours:.4f}, of plain LightGBM from all rows"
        f" before it {theirs:.4f}"
    )
    assert ours < theirs + 0.002, "a sample is enough: no worse than all rows without what comes after the trees"
    if CUSTOMERS >= 1_000_000:
        assert cpu <= 1.3 * cpu_plain
        assert peak <= 6 * looked_at, "bounded by the rows that are sampled, however many there are"
