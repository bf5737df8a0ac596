"""What differs by group: a reason for the choice stays, what was recorded after the assignment is left out."""

import numpy as np
import pandas as pd
import pytest
from uplift_tables import lines

from training.evaluate import Interval
from training.uplift import collider, nuisance, regress, wording
from training.uplift import fit as fitting
from training.uplift.learners import LEARNERS
from training.uplift.prepare import prepare

ROWS = 12_000


def chance(log_odds):
    return 1 / (1 + np.exp(-log_odds))


def customers(seed=0, rows=ROWS):
    """Activity that nobody sees, and columns that go with it."""
    dice = np.random.default_rng(seed)
    activity = dice.normal(size=rows)
    frame = pd.DataFrame(
        {
            "orders": dice.poisson(np.exp(0.6 * activity)),
            "spent": np.exp(0.7 * activity + dice.normal(0, 0.6, rows)).round(2),
            "recency": dice.exponential(60 * np.exp(-0.4 * activity)).round(),
            "age": dice.integers(18, 80, rows),
            "region": np.where(activity + dice.normal(0, 1.5, rows) > 0.5, "north", "south"),
        }
    )
    return dice, activity, frame


def randomised(seed=0, goes_with=1.0):
    """The truth is about +.05; page views were counted after the mailing, by activity as far as it `goes_with` it."""
    dice, activity, frame = customers(seed)
    frame["mail"] = dice.integers(0, 2, ROWS)
    frame["bought"] = (dice.random(ROWS) < 0.15 + 0.05 * frame["mail"]).astype(int)
    rate = np.exp(0.4 * goes_with * activity) * (1 + 0.5 * frame["mail"]) + 2 * frame["bought"]
    return frame.assign(views=dice.poisson(rate))


def prepared(frame, path, **options):
    frame.to_csv(path, index=False)
    return prepare(path, "mail", "bought", **options)


def test_what_was_counted_afterwards_is_left_out_of_a_randomised_table(tmp_path, monkeypatch):
    monkeypatch.setattr(regress, "ROUNDS", 20)  # lines see it as well as trees
    frame = randomised()
    found = prepared(frame, tmp_path / "a.csv")
    assert found.left_out == {"views": collider.RECORDED_LATER}
    assert (found.randomised, found.unlike, found.notes) == (True, [], [])
    asked = prepared(frame, tmp_path / "a.csv", inputs=["orders", "spent", "recency", "views"])
    assert "views" in asked.encoder.inputs, "who names the inputs has said when they were recorded"


def by_orders(dice, frame):
    return dice.random(ROWS) < chance(frame["orders"] - 1.2)


def by_something_else(dice, frame):
    frame["score"] = dice.normal(size=ROWS).round(3)
    return dice.random(ROWS) < chance(frame["score"])


def best_of_each_region(dice, frame):
    wanted = frame["spent"] * np.exp(dice.normal(0, 1, ROWS))
    return wanted > wanted.groupby(frame["region"]).transform("median")


def oldest(dice, frame):
    return dice.random(ROWS) < chance((frame["age"] - 48) / 18)


@pytest.mark.parametrize("choose", [by_orders, by_something_else, best_of_each_region, oldest])
@pytest.mark.parametrize("seed", range(3))
def test_no_reason_for_a_choice_is_taken_for_what_came_of_it(choose, seed):
    """Also where only one column besides is told apart: without asking whether the others are alike."""
    dice, _, frame = customers(seed)
    arm = np.asarray(choose(dice, frame)).astype(int)
    numbers = {name: pd.get_dummies(frame[[name]]).to_numpy(np.float64) for name in frame}
    differing = collider.unlike(numbers, arm)
    assert differing
    assert len(differing) < len(numbers)
    assert collider.recorded_later(numbers, arm, differing) == {}


def test_where_nobody_can_tell_both_answers_are_given(tmp_path, monkeypatch):
    """Views that go with nothing but the outcome and the mail: they may be why somebody was mailed."""
    for name in set(LEARNERS) - {"constant", "linear T"}:
        monkeypatch.delitem(LEARNERS, name)
    monkeypatch.setattr(nuisance, "expected", lines)
    found = prepared(randomised(1, goes_with=0.0).head(4_000), tmp_path / "a.csv")
    assert found.unlike == ["views"]
    report = fitting.fit(found).report
    assert report.arms[0].effect.high < 0.04, "compared among customers of as many views, the mail does little"
    assert report.otherwise["1"].low < 0.05 < report.otherwise["1"].high
    told = wording.amount(report.otherwise["1"], True)
    assert report.headline.endswith(
        "the groups are unlike in views alone, so this holds only if that was known before the assignment. If it was"
        f" recorded afterwards, leave it out (--ignore views); effects are then 1 {told}."
    )
    assert report.headline.startswith("Treat none: ")
    low = Interval(-0.04, -0.05, -0.03)
    rules = [one.model_copy(update={"value": low}) for one in report.rules]
    said = wording.headline(report.model_copy(update={"rules": rules, "verdict": "treat none"}))
    assert said.startswith("Treat none: it lowers bought, of which more was taken for better (1: ")
