"""`tactful policy simulate`: what if the policy were another, from the log of the one that was played."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from features.clock import parse_instant
from features.console import WorkspaceOption, command, out, progress
from features.digits import decimals, span_decimals
from features.workspace import Workspace, WorkspaceError, locate, read_yaml
from serving.decisions.policy import Actions, ContactPolicy, Playbook, load, misfits

if TYPE_CHECKING:  # SciPy takes a second to import: only a command that runs pays it
    from training.offpolicy.intervals import Interval
    from training.offpolicy.whatif import View, WhatIf

SIMULATE_HELP = """What if the policy were another? Judges every logged decision again, and what came of it.

--policy is another contact_policy.yaml, or a folder with both files; --actions another actions.yaml. The log is what
`tactful sync` brought to history of decisions under the workspace's own files (or those in --logged). Levers, values,
costs, harm, holdout, exploration, withholding, tighter caps and pressure, and actions that are taken away can be judged
from it. What was never tried cannot, and it says so.

\b
Example: cp contact_policy.yaml other.yaml     # and edit it: email at most 2 per 7d
         tactful policy simulate --policy other.yaml

Exit code: 0 answered, 2 the log cannot say (or a file is broken)."""


@command
def simulate(
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE|DIR", help="A contact policy, or a folder with both files.")
    ] = None,
    actions: Annotated[Path | None, typer.Option("--actions", metavar="FILE", help="Another actions.yaml.")] = None,
    logged: Annotated[
        Path | None, typer.Option("--logged", metavar="DIR", help="The files that the decisions were made under.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=365, help="Days of outcome; default: the propensity horizon.")
    ] = None,
    memory: Annotated[
        int | None,
        typer.Option(min=1, max=365, help="Days for which earlier answers matter; default: as caps, or fewer."),
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Decisions from then on.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Decisions before then.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    if policy is None and actions is None:
        raise WorkspaceError("nothing to ask about; give --policy FILE, --actions FILE or both")
    before = load(opened) if logged is None else _playbook(opened, *_files(logged))
    asked = _files(policy) if policy is not None and policy.is_dir() else (None, policy)
    after = _playbook(opened, actions or asked[0] or _of(opened, logged)[0], asked[1] or _of(opened, logged)[1])
    start, end = _instant(since, "since"), _instant(until, "until")
    from training.offpolicy import whatif

    with progress() as bar:
        task = bar.add_task("judging decisions again", total=None)
        found = whatif.simulate(
            opened, before, after, days, memory, start, end, lambda number: bar.advance(task, number)
        )
    if as_json:
        out.print(orjson.dumps(found.as_dict(), option=orjson.OPT_INDENT_2).decode(), markup=False)
    else:
        for line in lines(found):
            out.print(line, markup=False)


def lines(found: "WhatIf") -> list[str]:
    """The answer for people."""
    told = [
        f"{found.decisions:,} decisions about {found.customers:,} customers, {found.span}",
        *(f"  {each}" for each in found.changes),
        f"{found.moved:.1%} of them would have been drawn from other probabilities",
        *(f"left out: {count:,} {why}" for why, count in found.left_out.items()),
    ]
    for view in found.views:
        told += ["", *_view(view)]
    return [*told, "", *_missed(found)]


def _view(view: "View") -> list[str]:
    head = f"per 1,000 {view.per}"
    if view.refused is not None:
        return [head, f"  no answer: {view.refused}"]
    widest = max(len(each.outcome) for each in view.answers)
    rows = [f"  {'':{widest}}  {'as played':>24}  {'what if':>24}  {'difference':>24}"]
    for answer in view.answers:
        cells = "  ".join(f"{_figure(each):>24}" for each in (answer.played, answer.asked, answer.change))
        rows.append(f"  {answer.outcome:{widest}}  {cells}")
    if unseen := [answer.outcome for answer in view.answers if answer.unseen]:
        rows.append(
            f"  no {' and no '.join(unseen)} in this log, which is too few to tell: between the ends is what chance may"
            " have spared these customers (inf: of what amount is not known); more customers, or longer, narrow them"
        )
    rows += [
        f"  contacts on {share.channel}: {share.played:.1f} as played, {share.asked:.1f} what if"
        for share in view.contacts
    ]
    if view.shortened is not None:
        rows.append(f"  {view.shortened}")
    told = view.overlap
    rows.append(
        f"  {told.rows:,} decisions tell as much as {told.effective:,.0f} of the other policy's own would;"
        f" heaviest weight {told.heaviest:.3g}; intervals are 95%, by customer"
    )
    return [head, *rows]


def _figure(of: "Interval") -> str:
    """All three with the same digits; an end may be infinite."""
    half = (of.high - of.low) / 2
    known = math.isfinite(half) and half > 0
    precision = half if known else abs(of.value) / 100
    digits = span_decimals(of.low, of.high, precision) if known else decimals(of.value, precision)
    value, low, high = (f"{each:z,.{digits}f}" for each in (of.value, of.low, of.high))
    return f"{value} ({low} to {high})"


def _missed(found: "WhatIf") -> list[str]:
    missed = found.found
    share = missed.without / missed.customers if missed.customers else 0.0
    told = [f"without any good action: {missed.without:,} of {missed.customers:,} customers ({share:.0%})"]
    told += [f"  {count:,} mostly: {why}" for why, count in list(missed.why.items())[:5]]
    told += [
        f"  {group.without:,} of {group.customers:,} where {group.text}: mostly {group.why}" for group in missed.groups
    ]
    return told


def _files(folder: Path) -> tuple[Path | None, Path | None]:
    """actions.yaml and contact_policy.yaml in a folder, as far as they are there."""
    found = [folder / name for name in ("actions.yaml", "contact_policy.yaml")]
    if not any(path.is_file() for path in found):
        raise WorkspaceError(f"{folder}: holds neither actions.yaml nor contact_policy.yaml")
    return (found[0] if found[0].is_file() else None, found[1] if found[1].is_file() else None)


def _of(workspace: Workspace, logged: Path | None) -> Sequence[Path | None]:
    return (workspace.actions_file, workspace.policy_file) if logged is None else _files(logged)


def _playbook(workspace: Workspace, actions_file: Path | None, policy_file: Path | None) -> Playbook:
    """Both files, checked like the workspace's own; what is not given is the workspace's."""
    actions_file, policy_file = actions_file or workspace.actions_file, policy_file or workspace.policy_file
    actions, policy = read_yaml(actions_file, Actions), read_yaml(policy_file, ContactPolicy)
    problems = [
        f"{actions_file if which == 'actions' else policy_file}: `{key}`: {what}"
        for which, key, what in misfits(actions, policy, workspace.settings.channels)
    ]
    if problems:
        raise WorkspaceError("; ".join(problems))
    return Playbook(actions, policy)


def _instant(text: str | None, name: str) -> int | None:
    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise WorkspaceError(f"--{name}: {error}") from None
