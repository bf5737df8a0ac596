"""Long tables: a part drawn by chance teaches, all rows tell the mean effects."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner
from uplift_tables import lines, table

from training.uplift import fit as fitting
from training.uplift import nuisance, part
from training.uplift.commands import app
from training.uplift.learners import LEARNERS
from training.uplift.prepare import prepare


@pytest.fixture
def quick(monkeypatch):
    """The simplest learners, and lines behind the scores: what is tested here holds for any."""
    for name in set(LEARNERS) - {"constant", "linear T"}:
        monkeypatch.delitem(LEARNERS, name)
    monkeypatch.setattr(nuisance, "expected", lines)


def campaign(rows, rate, control=0.15):
    """Arms and outcomes of a table in which one row of so many in the control responds."""
    count = np.arange(rows)
    return (count % 100 >= 100 * control).astype(int), (count // 100 % round(1 / rate) == 0).astype(float)


def test_up_to_three_hundred_thousand_rows_all_teach():
    arm, outcome = campaign(300_000, 0.001)
    assert part.drawn(arm, outcome, True, None, None, 0).taught.all()
    assert part.drawn(*campaign(900_000, 0.001), True, None, 0, 0).taught.all(), "0 rows are all"


@pytest.mark.parametrize(
    ("rate", "control", "taught"),
    [
        (0.2, 0.5, 300_000),
        (0.1, 0.15, 333_333),  # as many as bring 5,000 responders in the smaller group
        (0.01, 0.15, 500_000),  # no more for that
        (0.002, 0.15, 666_667),  # but never fewer than 200 of them
    ],
)
def test_the_rarer_the_outcome_the_more_rows_teach(rate, control, taught):
    arm, outcome = campaign(1_000_000, rate, control)
    found = part.drawn(arm, outcome, True, None, None, 0)
    assert found.taught.sum() == pytest.approx(taught, rel=0.01)
    assert f"{found.taught.sum():,} of 1,000,000 rows drawn by chance" in found.said
    assert part.drawn(arm, 1 - outcome, True, None, None, 0).taught.sum() == found.taught.sum(), (
        "who did not is as rare"
    )


def test_a_small_group_keeps_a_thousand_customers():
    arm, outcome = campaign(1_000_000, 0.5)
    arm[:1_500] = 2
    found = part.drawn(arm, outcome, True, None, None, 0)
    assert np.bincount(arm[found.taught])[2] == pytest.approx(1_000, rel=0.1)


def test_every_row_is_as_likely_drawn_and_customers_are_drawn_whole():
    arm, outcome = campaign(10_000, 0.1)
    often = sum(part.drawn(arm, outcome, True, None, 2_500, seed).taught for seed in range(400))
    assert often.mean() == 100
    assert often.std() == pytest.approx(np.sqrt(400 * 0.25 * 0.75), rel=0.05)  # as chance has it
    customer = np.random.default_rng(0).integers(0, 3_000, 10_000)
    found = part.drawn(arm, outcome, True, customer, 2_500, 0)
    assert 2_480 < found.taught.sum() <= 2_500
    assert not set(customer[found.taught]) & set(customer[~found.taught])
    assert np.array_equal(found.taught, part.drawn(arm, outcome, True, customer, 2_500, 0).taught)
    assert "rows, by customer, drawn" in found.said


@pytest.mark.parametrize("chosen", [False, True])
def test_a_part_teaches_and_all_rows_tell_the_mean_effect(tmp_path, quick, chosen):
    made = table(4_000, "strong", 1, chosen=chosen)
    path = made.write(tmp_path / "a.csv")
    whole = fitting.fit(prepare(path, "arm", "bought")).report
    fitted = fitting.fit(prepare(path, "arm", "bought", most=1_000))
    found, mail = fitted.report, fitted.report.arms[0]
    customers = 4_000 - found.trimmed
    assert (found.customers, found.taught, len(fitted.effects)) == (customers, 1_000, 1_000)
    assert (whole.customers, whole.taught) == (customers, customers)
    assert mail.customers == whole.arms[0].customers
    assert sum(one.customers for one in mail.fifths) == pytest.approx(0.6 * 1_000, rel=0.1)
    assert mail.effect.low < made.effect.mean() < mail.effect.high
    error = (whole.arms[0].effect.high - whole.arms[0].effect.low) / 2
    assert mail.effect.value == pytest.approx(whole.arms[0].effect.value, abs=error / 4)  # of a part: 2 errors off
    assert (mail.effect.high - mail.effect.low) / 2 == pytest.approx(error, rel=0.05)
    assert found.rules[0].value == mail.effect
    assert any(note.startswith(f"To save time 1,000 of {customers:,} rows") for note in found.notes)
    assert np.corrcoef(fitted.model.effect(made.frame)["mail"], made.effect[:, 0])[0, 1] > 0.8


def test_the_command_draws_as_told_and_scores_all(tmp_path, quick):
    made = table(3_000, "strong", 2)
    made.write(tmp_path / "a.csv")
    asked = ["fit", "--data", str(tmp_path / "a.csv"), "--treatment", "arm", "--outcome", "bought"]
    done = CliRunner().invoke(app, [*asked, "--rows", "1000", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "To save time 1,000 of 3,000 rows drawn by chance taught" in done.output.replace("\n", " ")
    assert json.loads((tmp_path / "report.json").read_text())["taught"] == 1_000
    scores = ["score", "--model", str(tmp_path), "--data", str(tmp_path / "a.csv"), "--out", str(tmp_path / "s.csv")]
    assert CliRunner().invoke(app, scores).exit_code == 0
    assert pd.read_csv(tmp_path / "s.csv")["mail"].notna().sum() == 3_000
    few = CliRunner().invoke(app, [*asked, "--rows", "150"])
    assert few.exit_code == 2
    assert "raise --rows, or take all with --rows 0" in few.output.replace("\n", " ")
