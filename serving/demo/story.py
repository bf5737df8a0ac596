"""The demo's story: each step by the command or call that a user would make."""

import secrets
import time
from collections.abc import Callable, Iterator
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from features import clock
from features.console import out, progress
from features.history import History
from features.scaffold import init_workspace
from features.workspace import Workspace
from serving.demo.channel import Channel
from serving.demo.shell import service, tactful
from serving.demo.summary import summarise

#: Where the pages to hand on go, in the workspace.
PAGES = "pages"
RECENT_DAYS = 60
ASKED = 1_000


def play(folder: Path, port: int = 0) -> None:
    """Plays the whole circle in `folder`. Raises WorkspaceError where a step fails."""
    workspace = _workspace(folder)
    _title(1, "Interactions: a grocer's purchases and coupon campaigns of 2017")
    ingested = tactful(folder, "ingest", "--dataset", "complete_journey")
    _title(2, "Models: churn and propensity, tracked and registered in MLflow")
    tactful(folder, "train", "all")
    tactful(folder, "models")
    _title(3, "The service: live interactions in, decisions out")
    key = tactful(folder, "keys", "create", f"demo-{secrets.token_hex(3)}")
    with service(folder, port) as url, Channel(url, _secret(key)) as channel:
        facts = _live(workspace, channel)
    _title(4, "The circle closes: what happened live becomes history, and history reports")
    tactful(folder, "sync")
    pages = folder / PAGES
    pages.mkdir(exist_ok=True)
    tactful(folder, "report", "all", "--out", str(pages))
    summarise(workspace, folder, ingested, facts, pages)


def _workspace(folder: Path) -> Workspace:
    if (folder / "tactful.yaml").exists():
        out.print(f"Playing on in the workspace {folder}", markup=False)
        return Workspace.open(folder)
    own = resources.files("serving") / "demo"
    files = {f.name: f.read_text(encoding="utf-8") for f in own.iterdir() if f.name.endswith(".yaml")}
    out.print(f"Created the workspace {folder}", markup=False)
    return init_workspace(folder, files)


def _title(number: int, text: str) -> None:
    out.rule(f"{number}. {text}", align="left")


def _secret(lines: list[str]) -> str:
    """The key among the lines that `tactful keys create` printed: its only word of that length."""
    return max((word for line in lines for word in line.split()), key=len)


def _live(workspace: Workspace, channel: Channel) -> dict[str, str]:
    """Plays the channel system; returns what to say in the summary."""
    households = _recent_customers(workspace)
    complainer, visitors = households[0], households[1:61]
    facts = {"live": _visits_and_a_complaint(workspace, channel, complainer, visitors)}

    suppressed = channel.decide(complainer, "email")
    rule = next(trip for fate in suppressed["candidates"] for trip in fate.get("suppressed_by") or [])
    _show(f"Household {complainer} has just complained. What by e-mail?", suppressed)
    facts["suppressed"] = f"{_label(suppressed)}: {rule['rule']} ({rule['text']})"

    chosen = next((d for d in _asked(channel, visitors) if d["action"] is not None), None)
    if chosen is None:
        facts["chosen"] = "none of 60 households: silence was best for each (on a second run, caps are used up)"
    else:
        _show(f"Household {chosen['customer_id']} looked at the web shop. What by e-mail?", chosen)
        facts["chosen"] = f"{chosen['action']} for household {chosen['customer_id']}: {chosen['reasons'][0]}"
        facts["contact"] = _contact(channel, chosen)
        _show("The same household again, a moment later:", channel.decide(chosen["customer_id"], "email"))
    facts["speed"] = _thousand(channel, households)
    return facts


def _visits_and_a_complaint(workspace: Workspace, channel: Channel, complainer: str, visitors: list[str]) -> str:
    run, now = secrets.token_hex(4), clock.isoformat(workspace.clock().now())
    rows: list[dict[str, Any]] = [
        {
            "interaction_id": f"web-{run}-{i}",
            "customer_id": who,
            "occurred_at": now,
            "channel": "web",
            "type": "page_view",
        }
        for i, who in enumerate(visitors)
    ]
    complaint = {"channel": "phone", "type": "complaint", "topic": "delivery", "case_id": f"case-{run}"}
    rows.append({"interaction_id": f"phone-{run}", "customer_id": complainer, "occurred_at": now, **complaint})
    rows.append(rows[0])  # a channel that sends twice
    rows.append({**rows[0], "interaction_id": f"web-{run}-bad", "value": "ten dollars"})
    answer = channel.record(rows)
    line = "{received} received = {accepted} accepted + {duplicates} duplicates + {quarantined} quarantined".format(
        **answer
    )
    out.print(f"\n[bold]POST /v1/interactions[/bold]  {line}")
    for refused in answer["quarantine"]:
        problem = refused["errors"][0]
        out.print(f"  {refused['interaction_id']}: {problem['field']} {problem['what']}", markup=False)
    return line


def _asked(channel: Channel, households: list[str]) -> Iterator[dict[str, Any]]:
    for household in households:
        yield channel.decide(household, "email")


def _contact(channel: Channel, decision: dict[str, Any]) -> str:
    """claim -> sent -> clicked -> accepted, as a mail system would report."""
    states = ["reserved"]
    states += [channel.contact(decision["contact_id"], step)["state"] for step in ("claim", "sent")]
    for outcome, value in (("clicked", None), ("accepted", 31.5)):
        channel.outcome(decision["decision_id"], outcome, value)
        states.append(outcome)
    line = " -> ".join(states)
    out.print(f"\n[bold]POST /v1/contacts/{decision['contact_id']}/claim, /sent; /v1/outcomes[/bold]  {line}")
    return line


def _thousand(channel: Channel, households: list[str]) -> str:
    """A decision for somebody nobody has seen, then ASKED in a row over one connection."""
    cold = _timed(lambda: channel.decide(f"stranger-{secrets.token_hex(4)}", "email"))
    wanted = list(islice((h for _ in range(ASKED) for h in households), ASKED))
    with progress() as bar:
        tracked = bar.track(wanted, description=f"{ASKED:,} decisions in a row")
        took = [_timed(lambda who=household: channel.decide(who, "web", "inbound")) for household in tracked]  # type: ignore[misc]
    p50, p99 = np.percentile(took, [50, 99])
    line = f"first decision for a stranger {cold:.1f} ms; {ASKED:,} in a row: p50 {p50:.1f} ms, p99 {p99:.1f} ms"
    out.print(f"\n[bold]POST /v1/decide[/bold]  {line}")
    return line


def _timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def _recent_customers(workspace: Workspace) -> list[str]:
    """Households that bought in the last days of the log, those who bought most often first."""
    since = workspace.clock().now() - RECENT_DAYS * clock.DAY
    bought = History(workspace).interactions(["customer_id", "type"], since=since)
    bought = bought.filter(pc.equal(bought["type"], "purchase"))
    counts = bought.group_by("customer_id").aggregate([("type", "count")])
    counts = counts.sort_by([("type_count", "descending"), ("customer_id", "ascending")])
    households: list[str] = counts["customer_id"].to_pylist()
    return households


def _show(question: str, decision: dict[str, Any]) -> None:
    out.print(f"\n[bold]POST /v1/decide[/bold]  {question}")
    answer = f"{decision['action']}: {decision['reasons'][0]}" if decision["action"] else decision["reasons"][0]
    out.print(f"  {answer}", markup=False)
    for fate in decision["candidates"]:
        factors = fate.get("factors")
        worth = f" (P {factors['p']:.3f}, expected value {factors['expected_value']:+.3f})" if factors else ""
        why = fate["reason"] if fate["stage"] in fate["reason"] else f"{fate['stage']}: {fate['reason']}"
        trips = fate.get("suppressed_by") or []
        out.print(f"    {fate['action']}: {'refused by the guard' if trips else why}{worth}", markup=False)
        for trip in trips:
            when = f"passes at {trip['passes_at'][:19]}Z" if trip["passes_at"] else "does not pass by itself"
            out.print(f"      {trip['rule']}: {trip['text']}; {when}", markup=False)


def _label(decision: dict[str, Any]) -> str:
    refused = [fate["action"] for fate in decision["candidates"] if fate.get("suppressed_by")]
    return f"{', '.join(refused)} for household {decision['customer_id']}"
