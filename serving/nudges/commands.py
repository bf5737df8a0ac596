"""The command line of nudges: the timer."""

import asyncio
import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from features.console import WorkspaceOption, command, err, out
from features.daylog import held
from features.workspace import Workspace, WorkspaceError, locate

if TYPE_CHECKING:
    from serving.engine import Engine
    from serving.nudges.webhooks import Receiver

NUDGE_HELP = """Look for customers whose actions come up by themselves, and hand contacts to the webhooks.

Triggers are in actions.yaml (`trigger:`). What passes the contact policy is reserved and put in the outbox, for
channels to fetch (GET /v1/outbox) or to be called (`webhooks` in tactful.yaml). Contacts that were not answered by the
end of their response window get the outcome `no_response`.

Example: tactful nudge --every 60s"""

app = typer.Typer()
_ORDER = ("customers", "made", "deferred", "refused", "delivered", "failed", "waiting", "lapsed", "silent")


def nudge(
    once: Annotated[bool, typer.Option("--once", help="Look once and stop (the default).")] = False,
    every: Annotated[str | None, typer.Option(help="Look again and again, e.g. 30s, 5m, 1h; until Ctrl-C.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    if once and every is not None:
        raise WorkspaceError("--once and --every exclude each other; give one of them")
    pause = None if every is None else seconds(every)
    opened = locate(workspace)
    (opened.folder / "state").mkdir(exist_ok=True)
    with held(opened.folder / "state" / "nudge.lock", f"another `tactful nudge` is at work on {opened.folder}"):
        try:
            asyncio.run(_run(opened, pause))
        except KeyboardInterrupt:
            err.print("stopped", markup=False)


app.command("nudge", help=NUDGE_HELP)(command(nudge))


def seconds(text: str) -> float:
    """Of 30s, 5m or 1h. Raises WorkspaceError."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})([smh])", text.strip())
    if match is None:
        raise WorkspaceError(f"--every {text}: write seconds, minutes or hours as 30s, 5m, 1h")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


async def _run(workspace: Workspace, pause: float | None) -> None:
    from serving.engine import Engine
    from serving.nudges import delivery

    hooks = delivery.receivers(workspace)
    engine = Engine.open(workspace)
    try:
        engine.warm()
        while True:
            told = await round_(engine, hooks)
            out.print(
                ", ".join(f"{told[kind]:,} {kind}" for kind in _ORDER if told[kind]) or "nothing due", markup=False
            )
            if pause is None:
                return
            await asyncio.sleep(pause)
            engine.refresh()
    finally:
        engine.close()


async def round_(engine: "Engine", hooks: "list[Receiver]") -> "Counter[str]":
    """What the timer does each time: silences, what was put off and what waits, everyone, what that brought about."""
    from serving import silence
    from serving.nudges import delivery

    total: Counter[str] = Counter()
    total["silent"] += silence.settle(engine.store, engine.clock.now())
    total += await delivery.deliver(engine, engine.nudger, hooks)
    total += await engine.nudger.sweep()
    total += await delivery.deliver(engine, engine.nudger, hooks)
    return total
