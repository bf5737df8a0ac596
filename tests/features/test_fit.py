"""`tactful features fit`: the numbers come back, go into the catalogue's version, and nothing else moves."""

import numpy as np
import pyarrow as pa
import pytest
from ingesting import shop
from interactions_for_tests import DAY, START, table
from typer.testing import CliRunner

import tactful
from features import batch
from features.catalogue import DEFAULT, PURCHASE, Catalogue, of
from features.clock import isoformat, parse_instant
from features.fit import fit
from features.history import History, conform
from features.ingest import ingest_dataset
from features.kinds import ActiveDays, Recency, Silence, Tenure
from features.kinds.silence import CDNOW
from features.visits import Visits, silence
from features.workspace import Settings, Workspace, WorkspaceError

TRUE = (1.2, 25.0, 0.8, 3.0)
DAYS = 300


def purchases(customers: int = 1500, seed: int = 0) -> pa.Table:
    """BG/NBD's own world: rates gamma(r, alpha), leaving beta(a, b) after each repeat purchase."""
    random = np.random.default_rng(seed)
    r, alpha, a, b = TRUE
    rows = []
    for customer in range(customers):
        day, rate, leaving = random.uniform(0, 150), random.gamma(r, 1 / alpha), random.beta(a, b)
        first = True
        while day < DAYS:
            rows.append((f"c{customer}", START + round(day * DAY)))
            if not first and random.random() < leaving:
                break
            day, first = day + random.exponential(1 / max(rate, 1e-9)), False
    return conform(
        pa.table(
            {
                "interaction_id": [f"p{n}" for n in range(len(rows))],
                "customer_id": [who for who, _ in rows],
                "occurred_at": pa.array([at for _, at in rows], pa.int64()).cast(pa.timestamp("us", tz="UTC")),
                "channel": ["store"] * len(rows),
                "type": ["purchase"] * len(rows),
            }
        )
    )


def run(workspace: Workspace, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(tactful.app, ["features", *arguments, "-w", str(workspace.folder)])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def silences(catalogue: Catalogue) -> set[tuple[float, ...]]:
    return {feature.parameters for feature in catalogue if isinstance(feature, Silence)}


def test_the_numbers_of_the_world_come_back_and_reach_the_catalogue(tmp_path):
    workspace = shop(tmp_path)
    History(workspace).append(purchases(), "test")
    assert of(workspace) is DEFAULT
    said = run(workspace, "fit", "--before", isoformat(START + DAYS * DAY))
    assert "silence of purchase: r " in said
    fitted = of(workspace)
    assert fitted is of(workspace), "the same object while nothing changes"
    (numbers,) = silences(fitted)
    r, alpha, a, b = numbers
    assert r == pytest.approx(TRUE[0], rel=0.25)
    assert alpha == pytest.approx(TRUE[1], rel=0.25)
    assert a / (a + b) == pytest.approx(TRUE[2] / (TRUE[2] + TRUE[3]), abs=0.06)
    assert fitted.names == DEFAULT.names
    assert fitted.version != DEFAULT.version
    assert [f for f in fitted if not isinstance(f, Silence)] == [f for f in DEFAULT if not isinstance(f, Silence)]
    (workspace.folder / "features.yaml").unlink()
    assert of(workspace) is DEFAULT


def test_what_comes_later_is_not_looked_at(tmp_path):
    early, both = shop(tmp_path / "early"), shop(tmp_path / "both")
    rows = purchases(400)
    middle = START + 200 * DAY
    known = rows.filter(pa.compute.less(rows["occurred_at"].cast(pa.int64()), middle))
    History(early).append(known, "test")
    History(both).append(rows, "test")
    assert fit(early, middle) == fit(both, middle)
    assert (early.folder / "features.yaml").read_bytes() == (both.folder / "features.yaml").read_bytes()


def test_mistakes_are_one_line_and_leave_the_file_alone(tmp_path):
    workspace = shop(tmp_path)
    History(workspace).append(purchases(20), "test")
    said = run(workspace, "fit", "--before", "2025-06-01", code=2)
    assert "a fit takes 50: choose a later date or ingest more history" in said
    assert "is not a date" in run(workspace, "fit", "--before", "soon", code=2)
    path = workspace.folder / "features.yaml"
    assert not path.exists()
    path.write_text("before: '2024'\nsilence: {purchase: {r: 1, alpha: -2, a: 1, b: 1}}\n")
    with pytest.raises(
        WorkspaceError, match=r"features.yaml: `silence.purchase.alpha`: Input should be greater than 0"
    ):
        of(workspace)


def test_the_feature_says_what_the_formula_for_columns_says():
    rng = np.random.default_rng(3)
    rows = [
        {
            **dict.fromkeys(("topic", "satisfaction", "case_id"), None),
            **{"customer_id": f"c{rng.integers(200)}", "interaction_id": f"i{n}", "value": 1.0},
            **{"channel": "web", "direction": "inbound", "type": "purchase"},
            **dict.fromkeys(("occurred_at", "received_at"), START + int(rng.integers(0, 700 * DAY))),
        }
        for n in range(900)
    ]
    asked = (Silence(PURCHASE, 28), ActiveDays(PURCHASE, 365), Recency(PURCHASE), Tenure(PURCHASE))
    matrix = batch.compute(table(rows), [START + 700 * DAY], Catalogue(asked), Settings())
    p, active_days, recency, tenure = matrix.values.T
    logit = silence(np.array(CDNOW), Visits.of(active_days, recency, tenure, 365), 28)
    assert len(p) > 150
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-logit)), rtol=1e-9)


def test_the_numbers_that_ship_are_those_of_the_paper(tmp_path, real_data):
    """Fader, Hardie and Lee fitted the first 39 weeks of a tenth of these customers; other tenths differ a little."""
    workspace = shop(tmp_path)
    ingest_dataset(workspace, "cdnow", [real_data("cdnow_master.txt.gz")])
    fitted, customers = fit(workspace, parse_instant("1997-10-01"))["purchase"]
    assert customers == 23_570
    assert fitted.parameters == pytest.approx(CDNOW, rel=0.2)
