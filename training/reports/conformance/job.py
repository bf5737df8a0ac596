"""The job: every journey of journeys.yaml followed through history."""

from collections.abc import Mapping
from typing import Any

from features.journeys_declared import file
from features.journeys_declared.follow import follow_all
from features.workspace import Workspace, WorkspaceError
from training.reports import keep
from training.reports.conformance import wording
from training.reports.conformance.artefact import Checked, Conformance, Earlier
from training.reports.conformance.count import checked

#: How many earlier versions of a journey are remembered.
REMEMBERED = 20


def report(workspace: Workspace) -> keep.Report:
    """Raises WorkspaceError where journeys are written down and history is empty."""
    return keep.Report(conformance(workspace))


def conformance(workspace: Workspace) -> Conformance:
    """The artefact; see `report`."""
    journeys = file.read(workspace.folder, workspace.settings).journeys
    followed, known_until = follow_all(workspace, journeys) if journeys else ([], None)
    if journeys and known_until is None:
        raise WorkspaceError(
            f"{workspace.history}: there are no interactions to report on; `tactful ingest FILE` first"
        )
    before = keep.read(workspace, "conformance") or {}
    known = {one["name"]: (one, before["created_at"]) for one in before.get("journeys", ())}
    found = [_beside(checked(one), *known.get(one.journey.name, (None, ""))) for one in followed]
    return Conformance(
        headline=wording.headline(found),
        created_at=keep.now(),
        known_until=keep.until(known_until),
        source=f"{file.FILE} and the interactions in history",
        journeys=found,
    )


def _beside(now: Checked, last: Mapping[str, Any] | None, created_at: str) -> Checked:
    """With what earlier versions came to; `last` is how the journey was last looked at."""
    if last is None:
        return now
    earlier = [Earlier.model_validate(one) for one in last["earlier"]]
    unversioned = last["version"] == now.version and last["fingerprint"] != now.fingerprint
    if (last["version"], last["fingerprint"]) != (now.version, now.fingerprint):
        shown = {name: last[name] for name in Earlier.model_fields if name != "created_at"}
        earlier = [Earlier(created_at=created_at, **shown), *earlier]
    return now.model_copy(update={"earlier": earlier[:REMEMBERED], "unversioned": unversioned})
