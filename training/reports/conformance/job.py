"""The job: every journey of journeys.yaml followed through history."""

from collections.abc import Mapping, Sequence
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
    known = _known(workspace)
    found = [_beside(checked(one), (known or {}).get(one.journey.name, ())) for one in followed]
    return Conformance(
        headline=wording.headline(found),
        created_at=keep.now(),
        known_until=keep.until(known_until),
        source=f"{file.FILE} and the interactions in history",
        journeys=found,
        notes=[] if known is not None else [wording.FORGOTTEN],
    )


def _known(workspace: Workspace) -> dict[str, list[Earlier]] | None:
    """By journey, how it was last looked at and then its earlier versions; None where what is kept cannot be read."""
    try:
        last = keep.read(workspace, "conformance")
        return {} if last is None else {one["name"]: _seen(one, last["created_at"]) for one in last["journeys"]}
    except (WorkspaceError, KeyError, TypeError, ValueError):  # damaged, or of another shape
        return None


def _seen(last: Mapping[str, Any], created_at: str) -> list[Earlier]:
    shown = {name: last[name] for name in Earlier.model_fields if name != "created_at"}
    return [Earlier(created_at=created_at, **shown), *(Earlier.model_validate(one) for one in last["earlier"])]


def _beside(now: Checked, known: Sequence[Earlier]) -> Checked:
    """With what earlier versions came to; the first of `known` is how the journey was last looked at."""
    if not known:
        return now
    last, *earlier = known
    unversioned = last.version == now.version and last.fingerprint != now.fingerprint
    if (last.version, last.fingerprint) != (now.version, now.fingerprint):
        earlier = [last, *earlier]
    return now.model_copy(update={"earlier": earlier[:REMEMBERED], "unversioned": unversioned})
