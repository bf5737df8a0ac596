"""The command line of the marketer's files: policy check, policy schema."""

import json
from typing import Annotated, Any, Literal

import typer

from features import catalogue as catalogues
from features import clock
from features.console import WorkspaceOption, command, out
from features.workspace import Workspace, WorkspaceError, locate
from serving.decisions.policy import load
from serving.decisions.policy.check import Finding
from serving.decisions.policy.check import check as contradictions
from serving.decisions.policy.schema import FILES
from serving.decisions.policy.schema import schema as json_schema

CHECK_HELP = """Check actions.yaml and contact_policy.yaml: each by itself, and for contradictions.

It finds what no customer can ever get, and what never matters: one line each, with file, key and what to do. Notes say
what may not be expected, and are often meant so.

Exit code: 0 clean, 1 contradictions, 2 a file is broken.

Example: tactful policy check"""

SCHEMA_HELP = """Print the JSON Schema of actions.yaml or contact_policy.yaml, for editors.

`tactful init` writes both next to the files, whose first line points editors at them.

Example: tactful policy schema actions > actions.schema.json"""

app = typer.Typer(help="The marketer's files: actions.yaml and contact_policy.yaml.", no_args_is_help=True)


@app.command("check", help=CHECK_HELP)
@command
def check(
    at: Annotated[str | None, typer.Option(help="An ISO date or instant; default: the workspace's now.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    workspace: WorkspaceOption = None,
) -> None:
    opened = locate(workspace)
    book = load(opened)
    names = catalogues.of(opened).names
    found = contradictions(book, opened.settings, names, opened.clock().now() if at is None else _instant(at))
    wrong = [finding for finding in found if not finding.note]
    if as_json:
        out.print(json.dumps([_plain(opened, finding) for finding in found], indent=2), markup=False)
    else:
        for finding in found:
            told = _plain(opened, finding)
            note = "note: " if finding.note else ""
            out.print(f"{told['file']}: `{finding.key}`: {note}{finding.text}", markup=False)
        actions, caps = len(book.actions.actions), len(book.policy.caps)
        contradicted = "no contradictions" if not wrong else f"{len(wrong)} to look at"
        out.print(f"policy {book.version}: {actions} actions, {caps} caps, {contradicted}", markup=False)
    if wrong:
        raise typer.Exit(1)


@app.command("schema", help=SCHEMA_HELP)
@command
def schema(
    which: Annotated[Literal["actions", "policy"], typer.Argument(help="actions, or policy for contact_policy.yaml.")],
) -> None:
    out.print(json.dumps(json_schema(which), indent=2), markup=False)


def write_schemas(workspace: Workspace) -> None:
    """The schemas next to the files, each whole; the first line of a file points editors at its own."""
    for which, name in FILES.items():
        text = json.dumps(json_schema(which), indent=2) + "\n"
        try:
            (workspace.folder / name).write_text(text, encoding="utf-8")
        except OSError as error:
            raise WorkspaceError(f"{workspace.folder / name}: cannot be written: {error.strerror}") from None


def _plain(workspace: Workspace, finding: Finding) -> dict[str, Any]:
    file = workspace.actions_file if finding.file == "actions" else workspace.policy_file
    return {"file": str(file), "key": finding.key, "text": finding.text, "note": finding.note}


def _instant(text: str) -> int:
    try:
        return clock.parse_instant(text)
    except ValueError as error:
        raise WorkspaceError(f"--at: {error}") from None
