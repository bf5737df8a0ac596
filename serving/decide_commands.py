"""`tactful decide`: one decision from the running service, or those of a whole audience into a file."""

import logging
import os
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from features import clock
from features.console import WorkspaceOption, command, err, new_file, out, progress
from features.workspace import Workspace, WorkspaceError, locate
from serving import shown

HELP = """Ask the running service for one decision and print why, or decide about an audience in batch.

They are real decisions: an outbound action reserves a contact; with --dry-run nothing is reserved or logged. A batch
needs no running service, and may run beside one; run the same --job again after a fault, and every customer gets their
first answer.

Example: tactful decide C1042 --channel email
Example: tactful decide --customers audience.csv --channel email --out contacts.parquet"""


@command
def decide(
    customer: Annotated[str | None, typer.Argument(help="The customer's id.")] = None,
    channel: Annotated[str | None, typer.Option(help="A channel of the workspace; left out: any.")] = None,
    inbound: Annotated[bool, typer.Option("--inbound", help="The customer is here; caps do not bind.")] = False,
    url: Annotated[str | None, typer.Option(help="The service; default: where `tactful serve` last ran.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as it came.")] = False,
    customers: Annotated[
        Path | None, typer.Option(help="Decide about all of these: Parquet or CSV with a column customer_id.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="With --customers: Parquet, or CSV by its name.")] = None,
    job: Annotated[
        str | None, typer.Option(help="With --customers: what to call this run; default: a new name.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only ask: reserve and log nothing.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    if customers is not None:
        if customer is not None or inbound or url is not None or as_json:
            raise WorkspaceError("--customers decides in batch, outbound and without the service: leave out CUSTOMER, "
                                 "--inbound, --url and --json")  # fmt: skip
        _batch(locate(workspace), customers, to, channel, job, dry_run)
        return
    if customer is None:
        raise WorkspaceError("name a CUSTOMER, or a file of them with --customers FILE --out FILE")
    if to is not None or job is not None:
        raise WorkspaceError("--out and --job go with --customers FILE")
    from serving.client import ask

    body: dict[str, Any] = {"customer_id": customer, "direction": "inbound" if inbound else "outbound"}
    if channel is not None:
        body["channel"] = channel
    if dry_run:
        body["dry_run"] = True
    answer = ask(locate(workspace), "/v1/decide", body, url)
    if as_json:
        out.print_json(data=answer)
    else:
        show(answer)


def _batch(
    opened: Workspace, customers: Path, to: Path | None, channel: str | None, job: str | None, dry_run: bool
) -> None:
    if to is None:
        raise WorkspaceError("--customers needs --out FILE to write the decisions to")
    new_file("--out", to)
    if to.exists() and customers.exists() and to.samefile(customers):
        raise WorkspaceError(f"--out {to}: is the audience itself; name another file")
    if channel is not None and channel not in opened.settings.channels:
        known = ", ".join(opened.settings.channels)
        raise WorkspaceError(f"--channel: {channel!r} is none of this workspace's channels ({known})")
    if job is not None and not 1 <= len(job) <= 64:
        raise WorkspaceError("--job: give it a name of 1 to 64 characters")
    from serving.batch_decide import Runner, audience, report
    from serving.batch_decide.runner import BLOCK
    from serving.engine import Engine

    name = job or f"job-{secrets.token_hex(4)}"
    logging.getLogger("tactful.champions").addHandler(logging.NullHandler())  # readiness tells it, once
    engine = Engine.open(opened)
    try:
        engine.warm()
        if not (ready := engine.readiness())["ready"]:
            raise WorkspaceError("; ".join(ready["missing"]))
        for note in ready["notes"]:
            err.print(note, markup=False)
        runner = Runner(engine, name, channel, dry_run=dry_run, threads=os.cpu_count() or 1)
        try:
            with progress() as bar:
                task = bar.add_task("deciding", total=None)
                pieces = audience(customers, BLOCK)
                report.write(runner.run(pieces, lambda tally: bar.update(task, completed=tally.customers)), to)
        except WorkspaceError as error:  # what was decided stays decided
            again = "" if dry_run else f"; what was decided is kept, go on with --job {name}"
            raise WorkspaceError(f"{error}{again}") from None
    finally:
        engine.close()
    tally = runner.tally
    silent = tally.actions["silence"]
    again = f", {tally.repeated:,} answered before" if tally.repeated else ""
    if tally.unread:
        again += f", {tally.unread:,} that cannot be read (their line in the file says why)"
    kept = "" if dry_run else f"; run it again with --job {name}"
    out.print(
        f"{tally.customers:,} customers, {tally.contacts:,} contacts, {silent:,} left alone{again} in {to}{kept}",
        markup=False,
    )


def show(answer: dict[str, Any]) -> None:
    """A decision for people: what, why, and what became of every candidate."""
    headline = answer["action"] or "silence"
    on = f" on {answer['action_channel']}" if answer["action"] else ""
    when = answer["at"].partition(".")[0].removesuffix("Z")
    out.print(f"[bold]{escape(headline)}[/bold]{escape(on)} for {escape(answer['customer_id'])} at {when}Z")
    out.print(f"  {answer['reasons'][0]}", markup=False)
    if answer["contact_id"]:
        until = answer["expires_at"].partition(".")[0].removesuffix("Z")
        out.print(f"  contact {answer['contact_id']}, to be claimed before {until}Z", markup=False)
    if answer["churn"] is not None:
        out.print(f"  {shown.churn(answer)}; {answer['arm']}", markup=False)
    for fate in answer["candidates"]:
        _show_fate(fate)
    out.print(f"  decision {answer['decision_id']}, policy {answer['versions']['policy']}", markup=False)


def _show_fate(fate: dict[str, Any]) -> None:
    trips = fate.get("suppressed_by") or []
    verdict = {"chosen": "chosen", "guard": "refused by the guard"}.get(fate["stage"], fate["reason"])
    style = "green" if fate["stage"] == "chosen" else "default"
    out.print(f"\n  [{style}]{escape(fate['action'])} on {escape(fate['channel'])}[/{style}]: {escape(verdict)}")
    if factors := fate.get("factors"):
        terms = _LEARNED if factors["learned"] else _PRIOR
        worth = " x ".join(f"{label} {factors[key]:.3g}" for label, key in (*terms, *_FACTORS))
        cost = f"cost {factors['cost']:.3g} - harm {factors['harm']:.3g}"
        out.print(f"    {worth} - {cost} = {factors['expected_value']:+.3f}", markup=False)
        out.print(f"    drawn with probability {fate['probability']:.3f}", markup=False)
    for trip in trips:
        out.print(f"    {trip['rule']}: {trip['text']}; {_until(trip['passes_at'])}", markup=False)


#: U as it came about, and what it is multiplied by.
_LEARNED = (("U", "u"),)
_PRIOR = (("P", "p"), ("share", "share"))
_FACTORS = (("C", "c"), ("V", "v"), ("L", "lever"))


def _until(at: str | None) -> str:
    """The moment in whole seconds, rounded up: by then the rule has passed."""
    if at is None:
        return "it does not pass by itself"
    moment = clock.parse_instant(at)
    return f"passes at {clock.isoformat(-(-moment // clock.SECOND) * clock.SECOND)}"
