"""`tactful policy try`: what a decision would be for a customer, and why; reads only."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import orjson
import typer

from features import clock
from features.console import WorkspaceOption, command, out
from features.workspace import Workspace, WorkspaceError, locate
from serving import shown
from serving.decisions.request import Request
from serving.engine import Engine, deciding
from serving.problems import Problem
from serving.store import open_store

HELP = """Explain what would be decided for a customer, now or at a later moment; changes nothing.

Shows every candidate with the first stage that refused it, every rule of the guard that tripped, the earliest moment it
would pass, and what it is worth. The service may be running; it is not asked and does not notice.

Example: tactful policy try --customer C1042 --channel email --at 2026-05-09T10:00"""


@command
def try_(
    customer: Annotated[str, typer.Option(help="The customer's id, or any identifier linked to them.")],
    at: Annotated[str | None, typer.Option(help="An ISO date or instant; default: the workspace's now.")] = None,
    channel: Annotated[str | None, typer.Option(help="A channel of the workspace; default: all of them.")] = None,
    inbound: Annotated[
        bool, typer.Option("--inbound", help="The customer is here; default: we would reach out.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=20, help="How many different actions.")] = 1,
    context: Annotated[str, typer.Option(help="Values that rules may use, as JSON.")] = "{}",
    as_json: Annotated[bool, typer.Option("--json", help="The whole answer as JSON, for programs.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    request = Request(
        customer_id=customer,
        decision_id="x-try",
        channel=channel,
        direction="inbound" if inbound else "outbound",
        context=_context(context),
        limit=limit,
        dry_run=True,
    )
    answer = explained(opened, request, None if at is None else _instant(at))
    if as_json:
        out.print(json.dumps(answer, indent=2), markup=False, soft_wrap=True)
    else:
        _show(answer)


def explained(workspace: Workspace, request: Request, at: int | None) -> dict[str, Any]:
    """The answer, from the store as it is. Raises WorkspaceError."""
    channels = workspace.settings.channels
    if request.channel is not None and request.channel not in channels:
        raise WorkspaceError(f"--channel: {request.channel!r} is no channel here; known: {', '.join(sorted(channels))}")
    store = open_store(workspace)
    try:
        engine = Engine(workspace, store)
        engine.champions.poll()
        engine.rivals.poll()
        decision = deciding.explained(engine, request, engine.read(request.customer_id), at)
        answer: dict[str, Any] = orjson.loads(orjson.dumps(shown.decision(decision.as_dict())))
    except Problem as problem:
        told = "; ".join(f"--{error.field}: {error.what}; {error.fix}" for error in problem.errors) or problem.detail
        raise WorkspaceError(told) from None
    finally:
        store.close()
    return answer


def _show(answer: Mapping[str, Any]) -> None:
    out.print(f"{answer['customer_id']} as of {answer['at']}, policy {answer['versions']['policy']}", markup=False)
    for slot in answer["slots"]:
        out.print(f"  {slot['reasons'][0]}", markup=False)
        if slot["says"]:
            out.print(f"  to the customer: {slot['says']}", markup=False)
    for line in _around(answer):
        out.print(f"  {line}", markup=False)
    for fate in answer["candidates"]:
        for line in _fate(fate):
            out.print(line, markup=False, soft_wrap=True)


def _fate(fate: Mapping[str, Any]) -> Iterable[str]:
    """One candidate in lines: what became of it, what it is worth, and every rule that tripped."""
    found = f"  {fate['action']} on {fate['channel']}: {fate['stage']}"
    if (factors := fate.get("factors")) is not None:
        u = f"U {factors['u']:.4f}" + ("" if factors["learned"] else " (prior)")
        harm = f"harm {factors['harm']:.3f}" + ("" if factors.get("harm_learned") else " (prior)")
        found += f", worth {factors['expected_value']:+.3f} (P {factors['p']:.4f}, {u}, {harm})"
    yield found
    trips = fate.get("suppressed_by", ())
    for trip in trips:
        yield f"    {trip['rule']}: {trip['text']}; {_passes(trip['passes_at'])}"
    if len(trips) > 1:
        yield f"    all of them: {_passes(fate['passes_at'])}"
    if not trips and fate["stage"] != fate["reason"]:
        yield f"    {fate['reason']}"


def _passes(at: str | None) -> str:
    return "does not pass by itself" if at is None else f"passes at {at}"


def _around(answer: Mapping[str, Any]) -> Iterable[str]:
    """What else there is to know, a line each."""
    told = {name: arm for name, arm in answer["arms"].items() if arm not in (None, "treated") and arm is not False}
    if told:
        yield "arms: " + ", ".join(name if arm is True else f"{name} {arm}" for name, arm in told.items())
    if answer["churn"] is not None:
        yield shown.churn(answer)
    if answer["deferred_to"] is not None:
        yield f"deferred to {answer['deferred_to']}"
    if (about := answer["agent"]) is not None and about["probably_about"] is not None:
        likely = about["probably_about"]
        yield f"probably here about {likely['topic'] or 'that'}: {likely['why']}"


def _context(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise WorkspaceError(f"--context: is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise WorkspaceError('--context: should be an object such as {"page": "basket"}')
    return found


def _instant(text: str) -> int:
    try:
        return clock.parse_instant(text)
    except ValueError as error:
        raise WorkspaceError(f"--at: {error}") from None
