"""Any campaign table through the report: figures, guesses, sentences, and one clear line for what is wrong."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from features.workspace import WorkspaceError
from training.reports import campaign
from training.reports.commands import app


def table(path, arms, outcome="bought", **columns):
    """A CSV with rates per arm: {"control": (n, hits)}."""
    rows = [(arm, int(i < hits)) for arm, (n, hits) in arms.items() for i in range(n)]
    frame = pd.DataFrame(rows, columns=["group", outcome]).assign(**columns)
    frame.to_csv(path, index=False)
    return path


def test_hillstroms_arms_are_the_published_ones(real_data):
    found = campaign.report(real_data("hillstrom.csv.gz"), "segment", ["visit", "spend"])
    assert found.assignment.control == "No E-Mail"
    assert found.assignment.control_guessed
    assert not found.alarm
    visit, spend = found.outcomes
    assert (visit.kind, spend.kind) == ("rate", "amount")
    womens = next(one for one in visit.comparisons if one.arm == "Womens E-Mail").effect
    mens = next(one for one in visit.comparisons if one.arm == "Mens E-Mail").effect
    assert womens.difference == pytest.approx(0.0452331066, abs=1e-9)
    assert womens.low == pytest.approx(0.0388934938, abs=1e-9)
    assert womens.high == pytest.approx(0.0515727194, abs=1e-9)
    assert mens.difference == pytest.approx(0.0765895637, abs=1e-9)
    assert found.headline == (
        "Compared with No E-Mail, Mens E-Mail raised visit by 7.7 percentage points (likely 7.0 to 8.3) "
        "and Womens E-Mail by 4.5 percentage points (3.9 to 5.2)."
    )


def test_every_format_gives_the_same_figures(tmp_path):
    csv = table(tmp_path / "a.csv", {"control": (400, 40), "mail": (400, 80)})
    frame = pd.read_csv(csv)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    frame.to_csv(tmp_path / "semi.csv", sep=";", index=False)
    for name in ("a.csv.gz", "A.CSV.GZ"):
        (tmp_path / name).write_bytes(gzip.compress(csv.read_bytes()))
    frame.assign(bought=frame["bought"].map({1: "Yes", 0: "No"})).to_csv(tmp_path / "words.csv", index=False)
    expected = campaign.report(csv, "group", ["bought"]).outcomes
    for name in ("a.parquet", "a.jsonl", "a.tsv", "semi.csv", "a.csv.gz", "A.CSV.GZ", "words.csv"):
        assert campaign.report(tmp_path / name, "group", ["bought"]).outcomes == expected, name


def test_odd_csv_dialects_lose_no_row(tmp_path):
    path = table(tmp_path / "a.csv", {"control": (40, 4), "mail": (40, 8)})
    text = path.read_text()
    expected = campaign.report(path, "group", ["bought"]).outcomes
    for name, content in {
        "bom.csv": "\ufeff" + text,
        "crlf.csv": text.replace("\n", "\r\n"),
        "quoted.csv": '"group","bought"\n' + text.split("\n", 1)[1],
        "hash.csv": text.replace("mail", "#mail"),
    }.items():
        (tmp_path / name).write_text(content, newline="")
        found = campaign.report(tmp_path / name, "group", ["bought"], control="control").outcomes
        assert found[0].control == expected[0].control, name
        assert found[0].comparisons[0].sample == expected[0].comparisons[0].sample, name
    (tmp_path / "latin.csv").write_bytes(text.replace("mail", "Prämie").encode("latin-1"))
    assert campaign.report(tmp_path / "latin.csv", "group", ["bought"]).outcomes[0].comparisons[0].arm == "Prämie"


def test_a_column_called_arm_and_treatments_spelled_na_change_no_figure(tmp_path):
    path = table(tmp_path / "a.csv", {"control": (400, 40), "mail": (400, 80)})
    expected = campaign.report(path, "group", ["bought"])
    frame = pd.read_csv(path)
    lacking = pd.DataFrame({"group": ["NA", "nan", "", " "] * 30, "bought": 1})
    both = pd.concat([frame, lacking]).assign(arm=np.where(np.arange(920) % 2, "A", None))
    both.to_csv(tmp_path / "b.csv", index=False)
    found = campaign.report(tmp_path / "b.csv", "group", ["bought"])
    assert found.outcomes == expected.outcomes
    assert any("120 of 920 rows have no value in group" in note for note in found.notes)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x1f\x8b\x08\x00" + bytes(30), "cannot be read as a table"),
        (gzip.compress(b"\xef\xbb\xbf", mtime=0), "first line is blank"),
    ],
    ids=["cut short", "only a byte order mark"],
)
def test_a_damaged_archive_is_one_line(tmp_path, content, says):
    (tmp_path / "a.csv.gz").write_bytes(content)
    with pytest.raises(WorkspaceError, match=says) as raised:
        campaign.report(tmp_path / "a.csv.gz", "group", ["bought"])
    assert "\n" not in str(raised.value)


def test_money_yes_no_and_true_false_outcomes(tmp_path):
    rng = np.random.default_rng(2)
    arm = np.repeat([0.0, 1.0], 500)
    money = rng.gamma(2, 10, 1000) + 8 * arm
    frame = pd.DataFrame({"arm": arm, "money": money, "flag": money > 25})
    frame.to_csv(tmp_path / "m.csv", index=False)
    found = campaign.report(tmp_path / "m.csv", "arm", ["money", "flag"])
    assert found.assignment.control == "0"  # 0.0 and 1.0 read as 0 and 1
    assert [one.kind for one in found.outcomes] == ["amount", "rate"]
    assert found.outcomes[0].control.mean == pytest.approx(money[:500].mean(), rel=1e-12)
    assert found.outcomes[0].control.variance == pytest.approx(money[:500].var(ddof=1), rel=1e-12)
    skew = (((money[:500] - money[:500].mean()) / money[:500].std(ddof=1)) ** 3).mean()
    assert found.outcomes[0].control.skew == pytest.approx(skew, rel=1e-9)
    assert found.outcomes[1].control.mean == (money[:500] > 25).mean()
    assert found.headline.startswith("1 raised money: ")


@pytest.mark.parametrize(
    ("arms", "control"),
    [
        (("Mens E-Mail", "Womens E-Mail", "No E-Mail"), "No E-Mail"),
        (("Control", "test"), "Control"),
        (("control_group", "0", "none"), "control_group"),
        (("holdout", "not eligible yet"), "holdout"),
        (("0", "1"), "0"),
        (("false", "true"), "false"),
        (("mail", "nomail"), "nomail"),
        (("mailed", "not mailed"), "not mailed"),
        (("none", "sms"), "none"),
    ],
)
def test_the_control_is_guessed_from_its_name(tmp_path, arms, control):
    assert campaign.control_of(tmp_path, "group", arms, None) == control


@pytest.mark.parametrize("arms", [("A", "B"), ("north", "november"), ("no mail", "no offer"), ("unique", "normal")])
def test_the_control_is_asked_for_where_names_do_not_say(tmp_path, arms):
    with pytest.raises(WorkspaceError, match=f"Say it with --control; the values are '{min(arms)}'"):
        campaign.control_of(tmp_path, "group", arms, None)


def test_the_control_may_be_named(tmp_path):
    path = table(tmp_path / "a.csv", {"A": (300, 30), "B": (300, 60)})
    assert campaign.report(path, "group", ["bought"], control="b").assignment.control == "B"
    with pytest.raises(WorkspaceError, match="no row of 'group' has the control value 'C'; the values are 'A', 'B'"):
        campaign.report(path, "group", ["bought"], control="C")


def test_nothing_worked_is_said_and_planned_for(tmp_path):
    path = table(tmp_path / "a.csv", {"none": (500, 50), "blue": (500, 52), "red": (500, 49)})
    found = campaign.report(path, "group", ["bought"])
    assert found.headline.startswith("Nothing worked, as far as these figures can tell: compared with none on bought")
    assert [one.verdict for one in found.outcomes[0].comparisons] == ["undecided", "undecided"]
    plan = found.outcomes[0].plans[0]
    assert plan.needed_customers > 1000
    assert f"{plan.needed_customers:,} customers" in plan.sentence


def test_harm_is_called_harm(tmp_path):
    path = table(tmp_path / "a.csv", {"none": (2000, 400), "mail": (2000, 300)})
    found = campaign.report(path, "group", ["bought"])
    assert found.outcomes[0].comparisons[0].verdict == "lowered"
    assert "mail lowered bought: 15% against 20% with none, 5 percentage points less" in found.headline


def test_several_arms_are_judged_by_holm(tmp_path):
    """One arm of six at p = .03 is no news, though its interval leaves out zero; the sentence says why."""
    arms = {"none": (2000, 200), "lucky": (2000, 243)} | {f"dud {i}": (2000, 200 + i) for i in range(5)}
    found = campaign.report(table(tmp_path / "a.csv", arms), "group", ["bought"]).outcomes[0]
    lucky = next(one for one in found.comparisons if one.arm == "lucky")
    assert lucky.effect.p < 0.05 < lucky.p_adjusted
    assert lucky.effect.low > 0
    assert lucky.verdict == "undecided"
    assert "with several arms compared one such result is no surprise" in lucky.sentence


def test_tiny_cells_get_words_and_no_figure(tmp_path):
    arms = {"none": (500, 50), "mail": (500, 150), "fax": (12, 6)}
    found = campaign.report(
        table(tmp_path / "a.csv", arms), "group", ["bought"], shares={"none": 500, "mail": 500, "fax": 12}
    )
    fax = next(one for one in found.outcomes[0].comparisons if one.arm == "fax")
    assert (fax.verdict, fax.effect, fax.p_adjusted) == ("too_few", None, None)
    assert "Too few to tell" in fax.sentence
    assert "mail raised bought by" in found.headline
    assert "too few customers to tell for fax" in found.headline


def test_unequal_groups_turn_the_report_red_unless_planned(tmp_path):
    path = table(tmp_path / "a.csv", {"control": (1000, 100), "mail": (9000, 1100)})
    red = campaign.report(path, "group", ["bought"])
    assert red.alarm
    assert red.headline.startswith("Do not rely on this report yet")
    calm = campaign.report(path, "group", ["bought"], shares=campaign.parse_shares("control=0.1,mail=0.9"))
    assert not calm.alarm
    assert "control 1,000 (expected 1,000)" in calm.assignment.sentence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("control", "'control' is not NAME=SHARE"),
        ("control=0,mail=1", "'control=0' is not NAME=SHARE"),
        ("control=inf,mail=1", "'control=inf' is not NAME=SHARE"),
        ("control=1,fax=1", "'fax', which is no group"),
        ("control=1", "nothing of 'mail'"),
    ],
)
def test_shares_that_do_not_fit_are_explained(tmp_path, text, says):
    path = table(tmp_path / "a.csv", {"control": (100, 10), "mail": (100, 10)})
    with pytest.raises(WorkspaceError, match=says):
        campaign.report(path, "group", ["bought"], shares=campaign.parse_shares(text))


def test_missing_values_are_counted_and_said(tmp_path):
    frame = pd.read_csv(table(tmp_path / "a.csv", {"control": (500, 50), "mail": (500, 80)})).astype(object)
    frame.loc[:4, "group"] = None
    frame.loc[10:29, "bought"] = ""
    frame.loc[600:619, "bought"] = "NA"
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = campaign.report(tmp_path / "a.csv", "group", ["bought"])
    notes = " ".join(found.notes)
    assert "5 of 1,000 rows have no value in group and were left out" in notes
    assert "40 customers have no value in bought" in notes
    assert "alike in every group" in notes
    assert "Beware" not in notes
    assert {arm.name: (arm.customers, arm.missing) for arm in found.assignment.arms} == {
        "control": (495, 20),
        "mail": (500, 20),
    }
    assert found.outcomes[0].control.n == 475


def test_outcomes_missing_in_one_arm_raise_a_warning(tmp_path):
    frame = pd.read_csv(table(tmp_path / "a.csv", {"control": (500, 50), "mail": (500, 80)})).astype(object)
    frame.loc[500:699, "bought"] = None
    frame.to_csv(tmp_path / "a.csv", index=False)
    notes = campaign.report(tmp_path / "a.csv", "group", ["bought"]).notes
    assert any(note.startswith("Beware: 200 customers") and "not alike" in note for note in notes)


def _write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "text", "treatment", "outcome", "says"),
    [
        ("a.csv", "", "g", "y", "the file is empty"),
        ("a.csv", "g,y\n", "g", "y", "header but no rows"),
        ("a.csv", "g,y\na,1\nb,0\n", "h", "y", "no column 'h'. The columns are: g, y"),
        ("a.csv", "group,visit\na,1\nb,0\n", "group", "vist", "did you mean 'visit'"),
        ("a.csv", "g,y\na,1\na,0\n", "g", "y", "just one value, 'a'"),
        ("a.csv", "g,y\na,1\n,0\n", "g", "y", "just one value, 'a' and 1 empty cells"),
        ("a.csv", "g,y\na,1\nb,lots\n", "g", "y", "not a number in 1 row \\(for example 'lots'\\)"),
        ("a.csv", "g,y\na,1\nb,inf\n", "g", "y", "not a number in 1 row"),
        ("a.csv", "g,y\na,\nb,\n", "g", "y", "column 'y' has no values"),
        ("a.csv", "g,y\na,1\nb,0\n", "g", "g", "both --treatment and --outcome"),
        ("a.csv", "g,y\n" + "".join(f"arm{i},1\n" for i in range(30)), "g", "y", "more than 20 different values"),
        ("a.xlsx", "g,y\n", "g", "y", "not a kind of table"),
        ("a.csv.gz", "not gzip", "g", "y", "cannot be read as a table"),
        ("a.csv", 'g,y\n"a,1\nb,0\n', "g", "y", "cannot be read"),
        ("a.csv", "\n\n", "g", "y", "the first line is blank"),
        ("a.parquet", "not parquet", "g", "y", "cannot be read as a table"),
        ("a.csv", "g,y\na,1\nb,0,7,8\n", "g", "y", "cannot be read"),
        ("a.csv", "g,y\n" + "a,1\nb,0\n" * 20000 + "b,0,7,8\n", "g", "y", "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, name, text, treatment, outcome, says):
    path = _write(tmp_path / name, text)
    with pytest.raises(WorkspaceError, match=says) as caught:
        campaign.report(path, treatment, [outcome])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file_is_said_in_one_line(tmp_path):
    with pytest.raises(WorkspaceError, match="no such file"):
        campaign.report(tmp_path / "absent.csv", "g", ["y"])


def test_column_names_that_would_break_sql_or_a_page_are_only_names(tmp_path):
    frame = pd.DataFrame({'g" ; DROP': ["control", "x"] * 200, "y'--": [0, 1] * 200})
    frame.to_csv(tmp_path / "a.csv", index=False)
    found = campaign.report(tmp_path / "a.csv", 'g" ; DROP', ["y'--"])
    assert found.outcomes[0].comparisons[0].sample.mean == 1.0


def test_the_command_writes_page_and_figures_and_prints_the_sentence(tmp_path):
    path = table(tmp_path / "a.csv", {"control": (1000, 100), "mail": (1000, 160)})
    page = tmp_path / "uplift.html"
    asked = ["uplift", "--data", str(path), "--treatment", "group", "--outcome", "bought", "--out", str(page)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "uplift.json").read_text())
    assert figures["headline"] in done.output.replace("\n", " ")
    assert figures["outcomes"][0]["comparisons"][0]["effect"]["difference"] == pytest.approx(0.06)
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["--data", "a.csv", "--out", "x.html"], "--treatment COL --outcome COL"),
        (["--data", "a.csv", "--treatment", "g", "--outcome", "y", "--out", "x.pdf"], "name an .html file"),
        (["--data", "a.csv", "--treatment", "g", "--outcome", "y", "--out", "no/x.html"], "there is no folder"),
        (["--treatment", "g", "--out", "x.html"], "belong to --data FILE"),
    ],
)
def test_a_wrong_call_gets_one_line_and_exit_code_2(tmp_path, monkeypatch, asked, says):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["uplift", *asked])
    assert done.exit_code == 2
    assert says in done.output
    assert "Traceback" not in done.output
