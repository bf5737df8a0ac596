"""The models: which decide, how good they are, whether they are still well, and where to look further."""

from collections.abc import Mapping, Sequence
from typing import Any

from serving.console import figures
from serving.console.action_blocks import LEARNED, estimate
from serving.console.blocks import (
    Alarm,
    Block,
    Cell,
    Chart,
    Code,
    Column,
    Details,
    Estimate,
    Fact,
    Facts,
    Finding,
    Link,
    Notes,
    Page,
    Section,
    Sentences,
    Table,
    Text,
    Tile,
    Tiles,
    Verdict,
)
from serving.console.policy_words import counted, human, listed
from serving.console.views import Ask

Row = Mapping[str, Any]
#: What each kind of model answers.
QUESTIONS = {
    "churn": "Who will leave?",
    "propensity": "Who will respond?",
    "uplift": "What does an action cause?",
    "fatigue": "What does one more contact cost?",
}
ALIASES = {
    "champion": Verdict("champion", "good"),
    "challenger": Verdict("challenger", "info"),
    "shadow": Verdict("shadow", "muted"),
}
STATUS = {
    "well": Verdict("well", "good"),
    "alarm": Verdict("rings", "bad"),
    "unknown": Verdict("cannot be told yet", "muted"),
}
#: Features that are shown of each model, from the furthest moved on.
FEATURES = 20


def page(artefact: Row, ask: Ask) -> Page:  # noqa: ARG001
    """Everything that the models report found, its sentence first."""
    look = artefact["monitor"]
    ringing = [] if look is None else [each["sentence"] for each in look["checks"] if each["status"] == "alarm"]
    trained = [kind for kind in artefact["kinds"] if kind["versions"]]
    blocks: list[Block] = [_tiles(artefact["kinds"], look), _look(look)]
    blocks += [_kind(kind, look) for kind in trained]
    blocks.append(Section("mlflow", "Look further", _further(artefact, trained)))
    return Page(
        title="Models",
        lead="" if ringing else artefact["headline"],
        blocks=blocks,
        alarm=Alarm(artefact["headline"], ringing) if ringing else None,
        kind="models",
        known_until=artefact["known_until"],
        created_at=artefact["created_at"],
        source=artefact["source"],
    )


def _tiles(kinds: Sequence[Row], look: Row | None) -> Tiles:
    items = []
    for kind in kinds:
        champion = _champion(kind)
        if champion is None:
            words = "stated priors decide" if kind["kind"] in ("uplift", "fatigue") else "no champion yet"
            items.append(Tile(QUESTIONS[kind["kind"]], words, "text", kind["kind"], "muted"))
            continue
        since = f"since {champion['since'][:10]}" if champion["since"] else f"trained {champion['trained_at'][:10]}"
        rings = look is not None and any(
            each["status"] == "alarm" and each["subject"] == kind["kind"] for each in look["checks"]
        )
        told = f"{since}; a check rings" if rings else since
        items.append(
            Tile(QUESTIONS[kind["kind"]], f"{kind['kind']} {kind['champion']}", "text", told, "bad" if rings else None)
        )
    return Tiles(items)


def _champion(kind: Row) -> Row | None:
    return next((each for each in kind["versions"] if each["version"] == kind["champion"]), None)


def _look(look: Row | None) -> Section:
    if look is None:
        text = "Nobody looked yet whether models and data are still well: `tactful monitor` does, every day."
        return Section("well", "Are they still well?", [Text(text)])
    order = {"alarm": 0, "unknown": 1, "well": 2}
    checks = sorted(look["checks"], key=lambda check: order[check["status"]])
    columns = (
        Column("Check"),
        Column("Of"),
        Column("Status", "verdict"),
        Column("Measured", "number"),
        Column("Rings beyond", "number"),
        Column("In words"),
    )
    rows: list[Sequence[Cell]] = [
        (
            human(each["check"]),
            human(each["subject"]),
            STATUS[each["status"]],
            each["value"],
            each["limit"],
            each["sentence"],
        )
        for each in checks
    ]
    known, rings = (sum(each["status"] in some for each in checks) for some in (("well", "alarm"), ("alarm",)))
    lead = f"Looked on {look['as_of'][:10]}: {rings} of {counted(known, 'check')} ring."
    return Section("well", "Are they still well?", [Table("checks", "Checks", columns, rows)], lead)


def _kind(kind: Row, look: Row | None) -> Section:
    champion = _champion(kind)
    blocks: list[Block] = []
    if champion is not None and champion["figures"]:
        blocks.append(Tiles([tile for tile in _figures(champion["figures"]) if tile is not None]))
    if chart := _calibration(kind):
        blocks.append(chart)
    if kind["effects"]:
        blocks.append(_effects(kind))
    blocks += _drift(kind["kind"], look)
    blocks.append(_versions(kind))
    return Section(kind["kind"], f"{QUESTIONS[kind['kind']]} ({kind['kind']})", blocks, _told(kind))


def _told(kind: Row) -> str:
    """Which versions play which part, and why the champion does."""
    if kind["champion"] is None:
        said = ["No version is champion."]
    else:
        champion = _champion(kind)
        why = "" if champion is None or not champion["reason"] else f": {champion['reason']}"
        said = [f"Version {kind['champion']} decides{why}."]
        if champion is not None and champion.get("calibrated"):
            said.append(f"On later rows its probabilities are {champion['calibrated']}.")
    if kind["challenger"] is not None:
        challenger = next(each for each in kind["versions"] if "challenger" in each["aliases"])
        refused = (
            f" was refused, and decides nothing: {challenger['reason']}."
            if challenger["refused"]
            else " is challenger."
        )
        said.append(f"Version {kind['challenger']}{refused}")
    if kind["shadow"] is not None:
        said.append(f"Version {kind['shadow']} is shadow: its scores are logged, and decide nothing.")
    if len(kind["line"]) > 1:
        said.append(f"Champions so far: {listed(kind['line'][-6:])}.")
    return " ".join(said)


def _figures(found: Mapping[str, Row]) -> list[Tile | None]:
    def tile(name: str, label: str, kind: Any, detail: str) -> Tile | None:
        return Tile(label, estimate(found[name]), kind, detail) if name in found else None

    chance = found.get("ece_by_chance")
    least = "" if chance is None else f"; right ones read {chance['low']:.1%} to {chance['high']:.1%} here by chance"
    return [
        tile("auc", "Ranks rightly", "percent", "of two customers, one of whom will, the likelier is told (AUC)"),
        tile("brier_skill", "Better than one rate for all", "percent", "Brier skill: 0% is no better, 100% is perfect"),
        tile("calibration_slope", "Calibration slope", "number", "1 is right; below, it exaggerates"),
        tile("ece", "Off by, on average", "percent", f"between foretold and observed rates (ECE){least}"),
        tile("lift_top_decile", "Lift of the top tenth", "number", "times the mean rate"),
        tile("slope", "Later costs on foretold ones", "number", "1: they cost as much as foretold"),
    ]


def _calibration(kind: Row) -> Chart | None:
    tenths = kind["calibration"]
    if not tenths:
        return None
    predicted, of = [each["predicted"] for each in tenths], [each["observed"] for each in tenths]
    ends = [min([0.0, *predicted]), max([*predicted, *(each["high"] for each in of)])]
    observed = figures.Line(
        "observed", predicted, [o["value"] for o in of], [o["low"] for o in of], [o["high"] for o in of]
    )
    right = figures.Line("as foretold", ends, ends, role="muted", dashed=True)
    figure = figures.lines([observed, right], "percent", "percent", "Observed", "Foretold")
    columns = (Column("Foretold", "percent"), Column("Observed", "percent"), Column("Rows", "count"))
    rows = [(each["predicted"], estimate(each["observed"]), each["rows"]) for each in tenths]
    name = f"calibration-{kind['kind']}"
    note = "Each row is a tenth of the test rows, which are later than all that was learned from; normal 95% intervals."
    title = f"Foretold and observed: {kind['kind']}"
    table = Table(name, title, columns, rows, note)
    hold = sum(o["low"] <= p <= o["high"] for p, o in zip(predicted, of, strict=True))
    summary = (
        f"In {hold} of {len(tenths)} tenths of the test rows, what was foretold lies in the interval of what came."
    )
    return Chart(name, title, figure, table, summary)


def _effects(kind: Row) -> Block:
    if kind["kind"] == "fatigue":
        return Sentences([each["sentence"] for each in kind["effects"]])
    return Sentences(
        [Finding(each["sentence"], LEARNED.get(each["verdict"], Verdict(each["verdict"]))) for each in kind["effects"]]
    )


def _drift(name: str, look: Row | None) -> list[Block]:
    if look is None:
        return []
    looks = [each for each in look["looks"] if each["model"] == name]
    moved = [each for each in look["features"] if each["model"] == name][:FEATURES]
    blocks: list[Block] = []
    if looks:
        blocks.append(_looks(name, looks))
    if moved:
        blocks.append(_features(name, moved))
    return blocks


def _looks(name: str, looks: Sequence[Row]) -> Table:
    columns = (
        Column("As of", "day"),
        Column("Rows", "count"),
        Column("Foretold", "percent"),
        Column("Came true", "percent"),
        Column("AUC", "number"),
        Column("Slope", "number"),
        Column("ECE", "number"),
        Column("Scores moved", "number", "PSI"),
        Column("Features drifted", "count"),
    )
    rows = [
        (
            each["cutoff"][:10], each["rows"], each["predicted"], each["rate"], _three(each["auc"]),
            _three(each["slope"]), each["ece"], each["score_psi"], each["drifted"],
        )
        for each in looks
    ]  # fmt: skip
    return Table(f"looks-{name}", f"{name.capitalize()}, week by week since training", columns, rows)


def _three(found: Sequence[float] | None) -> Estimate | None:
    return None if found is None else Estimate(*found)


def _features(name: str, moved: Sequence[Row]) -> Block:
    columns = (
        Column("Feature"),
        Column("Moved by", "number", "PSI beyond chance"),
        Column("Drifted beyond", "number"),
        Column("Share of what the model goes by", "percent"),
        Column("Status", "verdict"),
    )
    rows = [
        (
            m["feature"],
            m["psi"],
            m["limit"],
            m["gain"],
            Verdict("drifted", "warn") if m["drifted"] else Verdict("steady"),
        )
        for m in moved
    ]
    drifted = [m["feature"] for m in moved if m["drifted"]]
    told = f"drifted: {listed(drifted[:3])}" if drifted else "none drifted"
    title = f"How far features moved since training ({told})"
    return Details(title, [Table(f"features-{name}", "How far features moved since training", columns, rows)])


def _versions(kind: Row) -> Table:
    columns = (
        Column("Version"),
        Column("Plays", "verdict"),
        Column("Since", "instant"),
        Column("Trained", "instant"),
        Column("AUC", "number"),
        Column("Why"),
    )
    rows: list[Sequence[Cell]] = []
    for each in kind["versions"]:
        alias = ALIASES[each["aliases"][0]] if each["aliases"] else None
        if each["refused"]:
            alias = Verdict("refused", "warn")
        name: Cell = Link(each["version"], each["href"]) if each["href"] else each["version"]
        auc = estimate(each["figures"].get("auc"))
        rows.append((name, alias, each["since"] if each["aliases"] else None, each["trained_at"], auc, each["reason"]))
    note = f"{counted(kind['earlier'], 'older version')} not listed." if kind["earlier"] else None
    return Table(f"versions-{kind['kind']}", f"Versions of {kind['kind']}", columns, rows, note)


def _further(artefact: Row, trained: Sequence[Row]) -> list[Block]:
    blocks: list[Block] = []
    if artefact["mlflow"]:
        blocks.append(Text([Link("Every run, with all figures, plots and files: MLflow", artefact["mlflow"]), "."]))
    else:
        blocks += [Text("Every run, with all figures, plots and files, stands in MLflow; in the workspace's folder:"),
                   Code(artefact["command"])]  # fmt: skip
    runs = [Fact(f"{kind['kind']} {champion['version']}", champion["run_id"]) for kind in trained
            if (champion := _champion(kind)) is not None]  # fmt: skip
    return [
        *blocks,
        *([Facts(runs)] if runs else []),
        Notes(["Promotions by hand: `tactful promote`; back again: `tactful promote KIND --rollback`."]),
    ]
