"""From a simulated log under randomised caps to the page on contact pressure, by the commands that people type."""

import json

import duckdb
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tactful import app

pytestmark = pytest.mark.slow


def run(*words):
    found = CliRunner().invoke(app, [str(each) for each in words])
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The shop, the artefact and the page."""
    folder = tmp_path_factory.mktemp("pressure")
    market, shop, page = folder / "market", folder / "shop", folder / "page.html"
    run("simulate", market, "--customers", 800, "--days", 130, "--silent", 40, "--policy", "capped", "--every", 2,
        "--rate", 0.5)  # fmt: skip
    run("init", shop)
    run("ingest", market / "interactions" / "part-0000.parquet", "-w", shop)
    run("ingest", "--decisions", market / "decisions.parquet", "-w", shop)
    said = run("report", "pressure", "--out", page, "--no-track", "-w", shop)
    artefact = json.loads((shop / "reports" / "pressure.json").read_text())
    assert artefact["headline"] in said
    return shop, artefact, page.read_text(encoding="utf-8")


def test_levels_are_what_a_plain_count_gives(told):
    shop, artefact, _ = told
    log = f"read_parquet('{shop}/history/interactions/*/*.parquet')"
    until = duckdb.sql(f"SELECT max(occurred_at) FROM {log}").to_arrow_table()[0][0].as_py()
    counted = duckdb.sql(
        f"""SELECT channel, count(*) AS n FROM {log} WHERE direction = 'outbound' AND type = 'contact'
            AND occurred_at > $until - INTERVAL 28 DAY GROUP BY channel""",
        params={"until": until},
    ).to_arrow_table()
    own = dict(zip(counted["channel"].to_pylist(), counted["n"].to_pylist(), strict=True))
    contacts = artefact["contacts"]
    assert {one["channel"]: one["ours"] + one["others"] for one in contacts["channels"]} == own
    assert contacts["total"] == sum(own.values())
    assert sum(one["customers"] for one in contacts["shares"]) == artefact["customers"]


def test_chance_tells_what_caps_and_contacts_do(told):
    shop, artefact, _ = told
    causal, alone = artefact["causal"], artefact["alone"]
    assert [one["factor"] for one in causal["levels"]] == [0.5, 1.0, 2.0, 4.0]
    assert [one["verdict"] for one in causal["levels"]][1] == "usual"
    tight, _, loose, looser = causal["levels"]
    assert tight["more_contacts"]["high"] < 0 < min(loose["more_contacts"]["low"], looser["more_contacts"]["low"])
    assert not causal["uneven"]
    # in this market a tired customer opts out more easily: that is how it was made (features/simulate)
    assert loose["more_opted_out"]["value"] > 0
    assert {one["band"] for one in causal["cells"]} > {"all", "under 25%"}
    assert alone["by"] == "learned"
    assert artefact["headline"] == alone["sentence"]
    listed = pq.read_table(shop / "reports" / "pressure" / "alone.parquet")
    assert listed.num_rows == alone["customers"] > 0
    assert f"Leave {alone['customers']:,} of {alone['of']:,} customers alone" in artefact["headline"]


def test_the_page_is_small_beside_the_chart_library(told):
    from importlib import resources

    _, artefact, page = told
    library = resources.files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")
    assert len(page.encode()) - len(library.encode()) < 2_000_000
    assert artefact["headline"].split(":")[0] in page
