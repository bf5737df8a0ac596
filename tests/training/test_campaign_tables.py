"""Campaign tables of strangers: what is read of them is what is in them."""

import numpy as np
import pandas as pd
import pytest

from features.workspace import WorkspaceError
from training.evaluate import Interval
from training.reports import campaign as reports
from training.reports import table
from training.uplift import propensity, wording
from training.uplift.encode import Encoder
from training.uplift.prepare import prepare
from training.uplift.sample import folds


def test_rows_of_a_long_table_stay_together_and_in_order(tmp_path):
    """Several threads read it: an arm or an outcome must not end up in another customer's row."""
    rows, path = np.arange(200_000), tmp_path / "long.parquet"
    written = pd.DataFrame({"arm": (rows % 7 % 2).astype(str), "value": rows, "bought": rows % 11, "place": rows})
    written.to_parquet(path, row_group_size=5_000)
    found = table.customers(path, "arm", "bought")
    assert found.columns.columns.tolist() == ["value", "place"]
    for read, wanted in (
        (found.place, rows),
        (found.columns["place"], rows),
        (found.arm, written["arm"]),
        (found.value, written["bought"]),
        (table.frame(path)["place"], rows),
    ):
        assert np.array_equal(read, wanted)


def test_customers_chosen_from_both_ends_are_no_random_sample():
    """Somebody wrote to the youngest and the oldest: a line through age sees nothing of it."""
    dice = np.random.default_rng(5)
    inputs = dice.uniform(-1, 1, (2_500, 3))
    chance = np.clip(inputs[:, 0] ** 2, 0.1, 0.9)
    chosen = (dice.random(2_500) < chance).astype(int)
    found = propensity.assignment(inputs, chosen, folds(chosen, 5))
    assert not found.randomised
    assert np.corrcoef(found.propensity[:, 1], chance)[0, 1] > 0.9
    drawn = dice.permutation(chosen)
    assert propensity.assignment(inputs, drawn, folds(drawn, 5)).randomised


@pytest.fixture
def by_chance(monkeypatch):
    """That nothing tells the groups apart is known here: looking for it takes longer than reading a table."""
    monkeypatch.setattr(propensity, "assignment", lambda _, arm, *__, **___: propensity.alike(arm, 1.0))


def campaign(rows, seed=3):
    """A table whose `spent` tells all customers apart, with nothing to find."""
    dice = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "customer_id": [f"C{k}" for k in range(rows)],
            "spent": dice.exponential(50, rows),
            "visits": dice.poisson(3, rows),
            "arm": np.where(np.arange(rows) % 2, "mail", "none"),
            "bought": (dice.random(rows) < 0.3).astype(int),
        }
    )


def prepared(frame, path):
    frame.to_csv(path, index=False)
    return prepare(path, "arm", "bought")


def test_rows_that_are_there_twice_count_once(tmp_path, by_chance):
    """Else a model is judged on customers whom it learned from, and finds whom to target where there is nothing."""
    frame = campaign(500)
    thrice = pd.concat([frame] * 3).sample(frac=1, random_state=1)
    for told in (thrice, thrice.drop(columns="customer_id")):
        found = prepared(told, tmp_path / "a.csv")
        assert len(found.sample) == 500
        assert "1,000 of 1,500 rows are there before, alike in every column; each counts once." in found.notes
        assert np.array_equal(told["bought"].to_numpy()[found.place], found.sample.outcome)
        assert plain(told, tmp_path / "a.csv") == (500, ["1,000 of 1,500 rows are there before, alike in every column; "
                                                         "each counts once."])  # fmt: skip
    alike = frame[["visits", "arm", "bought"]]
    assert len(prepared(alike, tmp_path / "a.csv").sample) == 500, "customers may be alike"
    assert plain(alike, tmp_path / "a.csv") == (500, [])


def plain(frame, path):
    """Customers of the report on all, and what it says of rows that are there before."""
    frame.to_csv(path, index=False)
    found = reports.report(path, "arm", ["bought"])
    counted = found.outcomes[0].control.n + found.outcomes[0].comparisons[0].sample.n
    return counted, [note for note in found.notes if "there before" in note]


def test_a_customers_rows_are_in_one_fold(tmp_path, by_chance):
    frame = pd.concat([campaign(600, seed) for seed in (1, 2)])
    found = prepared(frame, tmp_path / "a.csv")
    folds_of = pd.Series(found.fold).groupby(frame["customer_id"].to_numpy()[found.place])
    assert folds_of.nunique().eq(1).all()
    assert np.bincount(found.fold).min() > 150
    assert "customer_id has 600 different values in 1,200 rows" in " ".join(found.notes)


def test_groups_of_planned_unequal_size_are_told_how_to_say_so(tmp_path, by_chance):
    frame = campaign(2_000).assign(arm=np.where(np.arange(2_000) % 10, "mail", "none"))
    frame.to_csv(tmp_path / "a.csv", index=False)
    unplanned = reports.report(tmp_path / "a.csv", "arm", ["bought"])
    assert unplanned.alarm
    asked = "--expected-shares 'mail=0.9,none=0.1'"
    assert asked in unplanned.notes[0]
    shares = reports.parse_shares(asked.split("'")[1])
    planned = reports.report(tmp_path / "a.csv", "arm", ["bought"], shares=shares)
    assert not planned.alarm
    assert "--expected-shares" not in " ".join(planned.notes)


def european(rows=400, seed=3):
    frame = campaign(rows, seed).drop(columns="customer_id")
    day = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.arange(rows) % 300, unit="D")
    return frame.assign(bought=(1234.5 * frame["bought"]).round(2), joined=day.strftime("%d.%m.%Y"))


def test_decimal_commas_are_numbers_where_a_comma_separates_nothing_else(tmp_path, by_chance):
    frame = european()
    frame.to_csv(tmp_path / "a.csv", index=False, sep=";", decimal=",")
    dotted = frame.assign(bought=[f"{one:,.2f}".translate(str.maketrans(",.", ".,")) for one in frame["bought"]])
    assert "1.234,50" in dotted["bought"].tolist()
    dotted.to_csv(tmp_path / "b.csv", index=False, sep=";", decimal=",")
    for name in ("a.csv", "b.csv"):
        found = prepare(tmp_path / name, "arm", "bought")
        assert found.sample.outcome.tolist() == frame["bought"].tolist()
        kinds = {column.name: column.kind for column in found.encoder.columns}
        assert kinds == {"spent": "number", "visits": "number", "joined": "date"}
        spent = found.sample.inputs[:, found.encoder.inputs.index("spent")]
        assert np.corrcoef(spent, frame["spent"])[0, 1] > 0.999


def test_a_comma_that_may_separate_thousands_is_left_alone(tmp_path):
    frame = campaign(400).assign(bought=np.where(np.arange(400) % 3, "1,234", "2,345"))
    frame["spent"] = frame["spent"].round().astype(int)
    frame.to_csv(tmp_path / "a.csv", index=False, sep=";")
    with pytest.raises(WorkspaceError, match=r"'bought' is not a number in 400 rows .for example '1,234'"):
        prepare(tmp_path / "a.csv", "arm", "bought")


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_list_of_numbers_in_a_cell_does_not_make_thousands_of_other_columns(tmp_path, by_chance, separator):
    """1.234 is a thousandth of 1,234, whatever "3,12" in another column means: here it once took every point away."""
    dice = np.random.default_rng(1)
    amount = [f"{one:.3f}" for one in dice.gamma(2, 2, 400)]
    frame = campaign(400).assign(bought=amount, liked=[f"{one},{one + 9}" for one in dice.integers(1, 9, 400)])
    frame.to_csv(tmp_path / "a.csv", index=False, sep=separator)
    found = prepare(tmp_path / "a.csv", "arm", "bought")
    assert found.sample.outcome.tolist() == [float(one) for one in amount]
    named = {column.name: column.kind for column in found.encoder.columns}
    assert named["liked"] == ("label" if separator == "," else "number")


def test_dates_that_may_be_read_in_two_ways_are_left_out_and_it_says_how_to_write_them(tmp_path, by_chance):
    frame = european().assign(seen=[f"{1 + k % 12:02}/{1 + k % 11:02}/{2015 + k % 9}" for k in range(400)])
    frame.to_csv(tmp_path / "a.csv", index=False, sep=";")
    found = prepare(tmp_path / "a.csv", "arm", "bought")
    assert found.left_out["seen"] == "holds dates that may be read in two ways; write them as 2024-04-03"
    days = found.sample.inputs[:, found.encoder.inputs.index("joined")]
    assert days - days.min() == pytest.approx(np.arange(400) % 300, abs=1)  # the ends are pulled in


def test_customers_whom_nothing_tells_apart_are_not_taken_for_rows_that_are_there_twice(tmp_path, by_chance):
    """Of some nothing is known: that they are alike in what is left says nothing."""
    frame = campaign(1_000).assign(visits=1)
    frame.loc[np.random.default_rng(2).random(1_000) < 0.1, ["customer_id", "spent"]] = None
    found = prepared(pd.concat([frame, frame.dropna().head(3)]), tmp_path / "a.csv")
    assert len(found.sample) == 1_000
    assert any(note.startswith("3 of 1,003 rows are there before") for note in found.notes)
    assert plain(pd.concat([frame, frame.dropna().head(3)]), tmp_path / "a.csv")[0] == 1_000


def test_what_all_but_tells_the_outcome_was_recorded_after_it(tmp_path, by_chance):
    dice = np.random.default_rng(1)
    frame = campaign(600)
    frame["basket"] = (50 * frame["bought"] + dice.normal(0, 10, 600)).round(2)
    frame["likely"] = frame["bought"] + dice.normal(0, 0.5, 600)
    found = prepared(frame, tmp_path / "a.csv")
    assert found.left_out["basket"] == "all but tells the outcome"
    assert "likely" in found.encoder.inputs
    amount = 20 + 100 * frame["bought"] + frame["visits"]
    money = frame.assign(bought=amount, paid=1.19 * amount + dice.normal(0, 0.1, 600))
    assert prepared(money, tmp_path / "a.csv").left_out["paid"] == "all but tells the outcome"


@pytest.mark.parametrize(("gain", "kept"), [(0.05, True), (0.0, False)])
def test_last_years_amount_is_an_input_where_the_groups_moved_away_from_it(tmp_path, by_chance, gain, kept):
    """It ranks customers as the outcome does, yet knows nothing of it. Without an effect it may be a copy."""
    dice = np.random.default_rng(4)
    frame = campaign(2_000).assign(before=np.exp(dice.normal(4, 1, 2_000)).round(2))
    drift = dice.normal(0, 0.05, 2_000) + gain * (frame["arm"] != frame["arm"].iloc[0])
    frame["bought"] = (frame["before"] * np.exp(drift)).round(2)
    found = prepared(frame, tmp_path / "a.csv")
    assert ("before" in found.encoder.inputs) == kept
    assert kept or found.left_out["before"] == "all but tells the outcome"


def test_a_rule_that_contacts_nobody_is_worth_nothing_and_says_so_in_a_word():
    assert wording.amount(Interval(0.0, 0.0, 0.0), True) == "+0 percentage points"
    assert wording.amount(Interval(0.045, 0.039, 0.052), True) == "+4.5 (3.9 to 5.2) percentage points"


@pytest.mark.parametrize("written", ["%m.%d.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y 09:30"])
def test_dates_of_either_order_are_read_where_some_day_beyond_the_twelfth_tells_which(tmp_path, by_chance, written):
    day = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.arange(400) % 300, unit="D")
    frame = campaign(400).assign(joined=day.strftime(written))
    found = prepared(frame, tmp_path / "a.csv")
    days = found.sample.inputs[:, found.encoder.inputs.index("joined")]
    assert days - days.min() == pytest.approx(np.arange(400) % 300, abs=1)  # the ends are pulled in
    later = frame.head(3).assign(joined=pd.Series(["2023-02-01", "02/03/2023", "2023-03-02"]))
    again = Encoder.read(found.encoder.as_dict()).transform(later)[:, found.encoder.inputs.index("joined")]
    assert again[1] - again[0] == (29 if written.startswith("%d") else 2)
    assert again[2] - again[0] == 29


@pytest.mark.parametrize("words", [("Y", "N"), ("t", "f"), ("Ja", "Nein"), ("oui", "non"), ("Yes", "No")])
def test_an_outcome_of_yes_and_no_may_be_written_as_people_do(tmp_path, words):
    frame = campaign(400)
    path = tmp_path / "a.csv"
    frame.assign(bought=np.where(frame["bought"] == 1, *words)).to_csv(path, index=False)
    found = table.customers(path, "arm", "bought")
    assert found.binary
    assert found.value.tolist() == frame["bought"].tolist()


@pytest.mark.parametrize(
    ("arms", "control"),
    [
        (("Kontrolle", "Mailing"), "Kontrolle"),
        (("Kontrollgruppe", "Testgruppe"), "Kontrollgruppe"),
        (("groupe témoin", "groupe test"), "groupe témoin"),
        (("Variant A (control)", "Variant B"), "Variant A (control)"),
        (("none", "pest control offer"), "none"),
    ],
)
def test_the_control_goes_by_many_names(tmp_path, arms, control):
    assert reports.control_of(tmp_path, "arm", arms, None) == control


def test_a_folder_of_parts_is_one_table(tmp_path):
    frame = campaign(400).assign(town=np.where(np.arange(400) < 200, "Bern", "Zürich"))
    frame.to_csv(tmp_path / "whole.csv", index=False)
    whole = table.customers(tmp_path / "whole.csv", "arm", "bought")
    for name, write in {
        "parquet": lambda part, path: part.to_parquet(path.with_suffix(".parquet"), index=False),
        "csv": lambda part, path: part.to_csv(path.with_suffix(".csv.gz"), index=False, encoding="latin-1"),
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "_SUCCESS").touch()
        (folder / ".part-0.crc").write_bytes(b"1")
        for k in range(4):
            write(frame[100 * k : 100 * k + 100], folder / f"part-{k}")
        found = table.customers(folder, "arm", "bought")
        assert found.value.tolist() == whole.value.tolist()
        assert found.columns["town"].tolist() == whole.columns["town"].tolist()
        assert np.array_equal(found.columns["visits"], whole.columns["visits"])
        assert table.read(folder, "arm", ["bought"]).counts == whole.counts


def test_a_folder_that_is_no_table_is_said_to_be_a_folder(tmp_path):
    with pytest.raises(WorkspaceError, match="is a folder without parts of a table"):
        table.frame(tmp_path)
    campaign(10).to_csv(tmp_path / "a.csv", index=False)
    campaign(10).drop(columns="visits").to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(WorkspaceError, match=r"b\.csv differs from a\.csv in its first line"):
        table.frame(tmp_path)
    campaign(10).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(WorkspaceError, match=r"is a folder of unlike files .a.csv, c.parquet.; name the file"):
        table.frame(tmp_path)


def test_columns_of_a_csv_are_numbers_where_all_cells_are_and_large_numbers_stay_distinct(tmp_path):
    frame = campaign(300).assign(
        number=10**17 + np.arange(300), zip="01234", half=np.where(np.arange(300) % 2, "1.5", "NA")
    )
    frame["odd"] = np.where(np.arange(300) == 7, "n.k.", "3")
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = table.customers(tmp_path / "a.csv", "arm", "bought").columns
    assert [name for name in found if found[name].dtype == float] == ["spent", "visits", "zip", "half"]
    assert found["number"].nunique() == 300
    assert found["half"].isna().sum() == 150
    assert np.array_equal(found["spent"], frame["spent"])


def chosen(rows, seed=4):
    """Whoever visits often was mailed, and spends more anyway: mail brings 5, the plain difference is far above."""
    dice = np.random.default_rng(seed)
    visits, age = dice.poisson(4, rows), dice.uniform(18, 80, rows).round(1)
    mailed = dice.random(rows) < 1 / (1 + np.exp(4 - visits))
    spent = (10 * visits + dice.normal(0, 5, rows) + 5 * mailed).round(2)
    return pd.DataFrame({"visits": visits, "age": age, "arm": np.where(mailed, "mail", "none"), "spent": spent})


def test_the_plain_report_warns_of_groups_that_are_unlike_in_the_words_of_the_fit(tmp_path):
    frame, path = chosen(2_000), tmp_path / "a.csv"
    frame.to_csv(path, index=False)
    found = reports.report(path, "arm", ["spent"])
    assert found.outcomes[0].comparisons[0].effect.low > 10
    assert "Beware: the groups are unlike" in found.headline
    (warning,) = (note for note in found.notes if note.startswith("Beware: the groups differ"))
    assert "differ in visits." in warning
    assert warning in prepare(path, "arm", "spent").notes
    nothing = frame.assign(arm=np.random.default_rng(1).permutation(frame["arm"]))
    nothing.to_csv(path, index=False)
    found = reports.report(path, "arm", ["spent"])
    assert not any("Beware" in said for said in (found.headline, *found.notes))
    frame.to_csv(path, index=False)
    others = reports.report(path, "arm", ["spent", "visits"])  # an outcome is no ground to compare on
    assert not any("differ in" in note for note in others.notes)


def test_rows_of_a_long_table_are_drawn_together_and_the_same_each_time(tmp_path):
    rows, path = np.arange(50_000), tmp_path / "long.parquet"
    pd.DataFrame({"arm": rows % 2, "bought": rows % 11, "place": rows}).to_parquet(path, row_group_size=5_000)
    first, again = (table.customers(path, "arm", "bought", 2_000) for _ in range(2))
    assert first.columns.equals(again.columns)
    place = first.columns["place"].to_numpy()
    assert len(np.unique(place)) == 2_000
    assert np.array_equal(first.value, place % 11)
    assert np.array_equal(first.arm, (place % 2).astype(str))
    assert place.mean() == pytest.approx(25_000, rel=0.05)
    assert (first.rows, first.counts) == (50_000, {"0": 25_000, "1": 25_000})
