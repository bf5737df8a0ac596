"""A small, rich workspace for the console: a simulated market's half year, then live decisions with all that follows.

400 customers on eight channels, contacts at random under sticky cap levels, a holdout, ghosts, complaints and cases;
two champions; on the last evening a channel system asks, claims, sends and reports. One customer's id, a topic and an
action's title are hostile: they would run wherever a page forgot to quote them.
"""

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import market
import pyarrow as pa
import pyarrow.parquet as pq

from features import clock
from features.history import History
from features.ingest import ingest_files
from features.ingest_attributes import ingest_attributes
from features.ingest_decisions import ingest_decisions
from features.interactions import INSTANT
from features.simulate.capped import Capped
from features.simulate.holding import Holding
from features.simulate.market import START, Market
from features.simulate.output import write
from features.simulate.withholding import Withholding
from features.workspace import Workspace
from serving.engine import Engine
from serving.schemas import DecideRequest, OutcomeRequest
from serving.store import open_store
from serving.sync import sync
from training.reports import jobs

CUSTOMERS, DAYS, SILENT = 400, 200, 80
END = START + DAYS * clock.DAY + 18 * clock.HOUR
EVIL = '<script>document.title="run"</script>"><img src=x onerror=alert(1)>'
EVIL_TOPIC = "</script><script>document.title='run'</script>"
FORMULA = '=HYPERLINK("http://evil.example")'
#: Somebody with an open case, and somebody who was contacted live.
COMPLAINER, CONTACTED = "c0000003", "c0000005"
SETTINGS = f"""
name: console-world
currency: EUR
channels: [web, store, social, phone, mobile_app, email, chat, advertising, mail]
clock: {{start: "{clock.isoformat(END)}"}}
attributes: {{segment: [gold, silver], age: number}}
"""
POLICY = """
zone: Europe/Berlin
unknown_zone: company
caps:
  - {scope: total, max: 2, window: 7d}
  - {scope: action, max: 1, window: 3d}
consent: {unknown: granted}
holdout: {share: 0.1}
withholding: {share: 0.1}
exploration: {epsilon: 0.1}
harm: {contact: 0.001, rising: 0.0}
"""


def build(folder: Path) -> Workspace:
    """The whole world in a new folder; some fifteen seconds of CPU."""
    played = folder.with_name(folder.name + "-market")
    policy = Holding(Withholding(Capped(0.5, 4, seed=7), 0.1, seed=7), 0.1)
    write(played, Market(CUSTOMERS, "usual", seed=7), DAYS, policy, SILENT)
    folder.mkdir(parents=True)
    (folder / "tactful.yaml").write_text(SETTINGS)
    (folder / "contact_policy.yaml").write_text(POLICY)
    actions = (played / "actions.yaml").read_text().replace("What is new this month", repr(EVIL), 1)
    (folder / "actions.yaml").write_text(actions)
    workspace = Workspace.open(folder)
    ingest_files(workspace, sorted((played / "interactions").glob("*.parquet")))
    ingest_attributes(workspace, [_profiles(played)])
    ingest_decisions(workspace, [played / "decisions.parquet"])
    History(workspace).append(_hostile(), "hostile")
    market.register(workspace, "churn")
    market.register(workspace, "propensity")
    with ThreadPoolExecutor(1) as aside:  # where playwright was begun, this thread has a loop already
        aside.submit(asyncio.run, _live(workspace)).result()
    with open_store(workspace) as store:
        sync(workspace, store)
    shutil.rmtree(played)
    return workspace


def report(workspace: Workspace) -> None:
    """Every report there is, as `tactful report all` makes them; some ten seconds of CPU."""
    for kind in jobs.JOBS:
        jobs.make(workspace, kind)


def _profiles(played: Path) -> Path:
    """What the market says of its customers, and a time zone and a segment of ours."""
    known = pq.read_table(played / "profiles.parquet")
    zones = ["Europe/Berlin" if k % 3 else "America/New_York" for k in range(len(known))]
    segments = ["gold" if k % 4 == 0 else "silver" for k in range(len(known))]
    path = played / "crm.parquet"
    pq.write_table(known.append_column("time_zone", [zones]).append_column("segment", [segments]), path)
    return path


def _hostile() -> pa.Table:
    """A visit, a purchase and a complaint of somebody whose id would like to run, on a topic that would, too."""
    at = [END - 3 * clock.DAY, END - 2 * clock.DAY, END - clock.DAY]
    return pa.table(
        {
            "interaction_id": ["evil-1", "evil-2", "evil-3"],
            "customer_id": [EVIL] * 3,
            "occurred_at": pa.array(at).cast(INSTANT),
            "channel": ["web", "web", "phone"],
            "direction": ["inbound"] * 3,
            "type": ["page_view", "purchase", "complaint"],
            "value": pa.array([None, 40.0, None], pa.float64()),
            "topic": [EVIL_TOPIC, FORMULA, EVIL_TOPIC],
            "case_id": pa.array([None, None, EVIL], pa.string()),
            "satisfaction": pa.array([None, 0.8, 0.1], pa.float64()),
        }
    )


async def _live(workspace: Workspace) -> None:
    """The last evening: visits, an open case, decisions on three channels, contacts and what came of them."""
    engine = Engine.open(workspace)
    engine.random.seed(7)  # who is contacted, and who is a ghost: what tests look for is there every time
    engine.warm()
    try:
        now = clock.isoformat(workspace.clock().now())
        told = {"occurred_at": now, "value": None}
        case = told | {"channel": "phone", "type": "complaint", "topic": "billing", "case_id": "case-1"}
        await engine.record(
            [market.interaction(f"live-{k}", _id(k), channel="web", type="page_view", **told) for k in range(30)]
            + [market.interaction("live-case", COMPLAINER, **case)]
        )
        contacted = 0
        for k in (3, 5, *range(6, 46)):
            for channel in ("email", "chat", "phone"):
                asked = DecideRequest(customer_id=_id(k), channel=channel, request_id=f"live-{k}-{channel}")
                decision = await engine.decide(asked)
                if decision["contact_id"] is None:
                    continue
                contacted += 1
                await engine.claim(decision["contact_id"])
                if contacted % 7 == 0:
                    await engine.failed(decision["contact_id"], "bounced")
                    continue
                await engine.sent(decision["contact_id"])
                outcome = {0: "clicked", 1: "accepted", 2: "rejected", 3: "opted_out"}.get(contacted % 5)
                if outcome is not None:
                    value = 25.0 if outcome == "accepted" else None
                    await engine.outcome(
                        OutcomeRequest(decision_id=decision["decision_id"], outcome=outcome, value=value)  # type: ignore[arg-type]
                    )
        assert contacted > 10, "a world in which nobody is contacted shows little"
    finally:
        engine.close()


def _id(number: int) -> str:
    return f"c{number:07d}"


def copy(template: Path, folder: Path) -> Workspace:
    """A world of a test's own; its models still lie in the template."""
    shutil.copytree(template, folder)
    return Workspace.open(folder)
