"""What is no input: what came of the contact, however it is written, and whose row it is. What is: all else."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner
from uplift_tables import lines

from training.uplift import customers, nuisance, regress, wording
from training.uplift import fit as fitting
from training.uplift.commands import app
from training.uplift.encode import Encoder, column
from training.uplift.learners import LEARNERS
from training.uplift.prepare import prepare

ROWS = 2_000


@pytest.fixture
def quickest(monkeypatch):
    for name in set(LEARNERS) - {"constant", "linear T"}:
        monkeypatch.delitem(LEARNERS, name)
    monkeypatch.setattr(nuisance, "expected", lines)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    """Who was chosen here, lines tell as well."""
    monkeypatch.setattr(regress, "ROUNDS", 5)


def campaign(seed=0, base=0.2, effect=0.08, rows=ROWS):
    dice = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": dice.integers(18, 80, rows), "t": dice.integers(0, 2, rows)})
    return dice, frame.assign(buy=(dice.random(rows) < base + effect * frame["t"]).astype(int))


def prepared(frame, path, **options):
    frame.to_csv(path, index=False)
    return prepare(path, "t", "buy", **options)


def days(dice):
    return (pd.Timestamp("2024-03-01") + pd.to_timedelta(dice.integers(0, 30 * 86_400, ROWS), unit="s")).astype(str)


ONLY, COPY = "is there only where the outcome is", "all but tells the outcome"


def test_what_came_of_the_contact_is_no_input_however_it_is_written(tmp_path):
    dice, frame = campaign()
    bought, amount = frame["buy"] == 1, dice.lognormal(3, 0.5, ROWS).round(2)
    paid = dice.choice(["card", "paypal"], ROWS)
    wrong = dice.random(ROWS) < 0.003
    found = prepared(
        frame.assign(
            order_value=np.where(bought, amount, np.nan),
            order_date=np.where(bought, days(dice), ""),
            paid_by=np.where(bought, paid, ""),
            paid=np.where(bought, paid, "none"),
            order=np.where(bought, [f"o{k}" for k in range(ROWS)], ""),
            coupon=np.where(bought & (dice.random(ROWS) < 0.5), "SAVE", ""),
            why_not=np.where(bought, "", dice.choice(["price", "other"], ROWS)),
            nearly=np.where(bought ^ wrong, amount, np.nan),
        ),
        tmp_path / "a.csv",
    )
    assert found.left_out == {
        "order_value": ONLY, "order_date": ONLY, "paid_by": ONLY, "paid": ONLY, "order": ONLY, "coupon": ONLY,
        "why_not": COPY, "nearly": ONLY,
    }  # fmt: skip
    _, kept = campaign(base=0.6)
    kept["status"] = np.where(kept["buy"] == 1, "active", "closed")
    assert prepared(kept, tmp_path / "a.csv").left_out == {"status": ONLY}, "the commoner label is the yes"


def test_what_only_the_contacted_have_is_no_input(tmp_path):
    dice, frame = campaign()
    treated = frame["t"] == 1
    frame["sent_at"] = np.where(treated, days(dice), "")
    frame["voucher"] = np.where(treated, dice.uniform(5, 20, ROWS).round(2), np.nan)
    frame["opened_at"] = np.where(treated & (dice.random(ROWS) < 0.3), days(dice), "")
    found = prepared(frame, tmp_path / "a.csv")
    told = "says which group the customer was in"
    assert found.left_out == {"sent_at": told, "voucher": told, "opened_at": "is there in one group only"}
    three = frame[["age", "buy"]].assign(t=dice.choice(["control", "mail", "call"], ROWS))
    three["sent_at"] = np.where(three["t"] == "control", "", days(dice))
    assert prepared(three, tmp_path / "a.csv").left_out == {"sent_at": told}


def test_gaps_and_labels_known_before_stay_inputs(tmp_path):
    dice, frame = campaign()
    old = dice.random(ROWS) < 0.6
    frame["buy"] = (dice.random(ROWS) < np.where(old, 0.9, 0.03)).astype(int)
    frame["last_order"] = np.where(old, dice.lognormal(3, 0.5, ROWS).round(2), np.nan)
    frame["plan"] = np.where(old, dice.choice(["basic", "gold"], ROWS), "")
    frame["subscriber"] = np.where(old, "yes", "no")
    frame["store"] = dice.choice([f"s{k}" for k in range(20)], ROWS)
    assert prepared(frame, tmp_path / "a.csv").left_out == {}


def gated(dice, frame, p):
    """Only those with the app can buy in it; who has it was contacted more often, to no effect."""
    has = dice.random(len(frame)) < p
    return frame.assign(
        has_app=has.astype(int),
        t=(dice.random(len(frame)) < np.where(has, 0.65, 0.35)).astype(int),
        buy=(dice.random(len(frame)) < np.where(has, 0.25, 0)).astype(int),
    )


def test_where_nobody_can_tell_a_step_to_the_outcome_from_what_it_needs_both_effects_are_told(tmp_path, quickest):
    dice, frame = campaign()
    found = prepared(gated(dice, frame, 0.4), tmp_path / "a.csv")
    assert (found.left_out, found.unlike) == (
        {"has_app": "is there wherever the outcome is, and differs by group"}, ["has_app"],
    )  # fmt: skip
    assert found.otherwise["1"].low < 0 < found.otherwise["1"].high
    report = fitting.fit(found).report
    assert "Beware: has_app was taken for recorded after the assignment and left out" in report.headline
    assert wording.amount(found.otherwise["1"], True) in report.headline
    assert "as far as the columns but has_app can tell" in " ".join(wording.lines(report))
    estimated = prepare(tmp_path / "a.csv", "t", "buy", chances="estimate")
    assert "has_app" in estimated.encoder.inputs
    assert prepare(tmp_path / "a.csv", "t", "buy", chances="shares").otherwise == {}, "chance chose, it was said"


def test_who_was_chosen_by_what_the_outcome_needs_is_told_by_what_goes_with_it(tmp_path):
    dice, frame = campaign()
    by_age = gated(dice, frame, 1 / (1 + np.exp((frame["age"] - 45) / 10)))
    assert "has_app" in prepared(by_age, tmp_path / "a.csv").encoder.inputs
    chosen = dice.random(ROWS) < 1 / (1 + np.exp((45 - frame["age"]) / 10))
    visit = dice.random(ROWS) < 0.2 + 0.2 * chosen + 0.004 * frame["age"]
    step = frame.assign(t=chosen.astype(int), visit=visit.astype(int), buy=(visit & (dice.random(ROWS) < 0.3)) * 1)
    found = prepared(step, tmp_path / "a.csv")
    assert "visit" in found.left_out
    assert not found.randomised


def test_a_flag_of_one_or_nothing_is_an_input(tmp_path):
    dice, frame = campaign()
    vip = dice.random(ROWS) < 0.3
    frame["vip"] = np.where(vip, 1, np.nan)
    frame["t"] = (dice.random(ROWS) < np.where(vip, 0.8, 0.3)).astype(int)
    frame["few"] = np.where(np.arange(ROWS) < 5, 1, np.nan)
    found = prepared(frame, tmp_path / "a.csv")
    assert found.encoder.inputs == ["age", "vip is missing"]
    assert found.left_out == {"few": "is the same for everyone"}
    assert not found.randomised
    again = Encoder.read(found.encoder.as_dict())
    told = again.transform(pd.DataFrame({"age": [20, 30], "vip": ["1", ""]}))
    assert told[:, 1].tolist() == [0, 1]


@pytest.mark.parametrize("name", ["CustomerID", "customer_id", "HouseholdNo", "Client Number", "user", "crm_member_id"])
@pytest.mark.parametrize("asked", [(), ("age",)])
def test_rows_of_one_customer_are_found_by_the_columns_name(tmp_path, name, asked):
    dice, frame = campaign(rows=300)
    frame[name] = dice.permutation(90_000)[:300]
    many = pd.concat([frame.assign(week=k) for k in range(8)])
    found = prepared(many, tmp_path / "a.csv", inputs=asked)
    assert name not in found.encoder.inputs
    assert pd.Series(found.fold).groupby(many[name].to_numpy()[found.place]).nunique().eq(1).all()
    assert any(note.startswith(f"{name} has 300 different values in 2,400 rows") for note in found.notes)


def test_counts_and_kinds_are_not_taken_for_customers():
    dice = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "household": dice.integers(1, 7, ROWS), "member": dice.integers(0, 2, ROWS),
            "customer": dice.choice(["yes", "no"], ROWS), "user": dice.choice(["free", "paid"], ROWS),
            "number": dice.poisson(4, ROWS), "account_no": dice.integers(1, 4, ROWS),
            "account_age": dice.integers(1, 60, ROWS), "client": dice.normal(size=ROWS),
        }
    )  # fmt: skip
    assert list(customers.naming(frame)) == []


def test_an_input_asked_for_twice_is_one(tmp_path):
    found = prepared(campaign()[1].assign(visits=3 + np.arange(ROWS) % 5), tmp_path / "a.csv", inputs=["age", "age"])
    assert found.encoder.inputs == ["age"]
    assert found.sample.inputs.shape == (ROWS, 1)


def test_scoring_says_how_many_values_it_could_not_read(tmp_path, quickest):
    _, frame = campaign()
    fitted = fitting.fit(prepared(frame, tmp_path / "a.csv"))
    fitted.model.write(tmp_path / "effects.json")
    frame["age"] = [f"{age} y" if k % 2 else (str(age) if k else "") for k, age in enumerate(frame["age"])]
    frame.to_csv(tmp_path / "b.csv", index=False)
    asked = ["score", "--model", str(tmp_path), "--data", str(tmp_path / "b.csv"), "--out", str(tmp_path / "s.csv")]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "Beware: 1,000 of 2,000 values of age cannot be read" in " ".join(done.output.split())
    assert column(pd.Series([1, 5, 7] * 20, name="age")).unread(pd.Series(["", None, "nan", "3"])) == 0
