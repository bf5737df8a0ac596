"""Written journeys in sentences."""

from collections.abc import Mapping, Sequence

from features.journeys.sentences import beside
from training.reports.conformance.artefact import Checked, Deviation, Kind, StageLine
from training.reports.wording import percent

FORGOTTEN = (
    "What the last report had found could not be read, so what earlier versions of these journeys came to is not known "
    "any more."
)
#: With fewer finished passages a share says little.
FEW = 20

SAID: dict[Kind, str] = {
    "skipped": "left out {}",
    "backwards": "went back to {}",
    "repeated": "came to {} a second time",
    "out_of_order": "came to {} only after a later stage",
    "late": "came to {} later than it should",
}


def deviation(found: Deviation) -> str:
    return SAID[found.kind].format(found.stage)


def sentence(
    name: str, goal: str, counts: Mapping[str, int], stages: Sequence[StageLine], deviations: Sequence[Deviation]
) -> str:
    """One journey: how many reach its goal, how many as written, what goes otherwise, and where the others stop."""
    finished, reached = counts["finished"], counts["reached"]
    if finished < FEW:
        return f"Too few to tell how {name} goes: {finished} finished passages, at least {FEW} are needed."
    told = f"{percent(reached / finished)} of {finished:,} finished passages of {name} reached {goal}"
    if reached:
        told += beside(counts["open"], counts["passages"], "under way")
        told += f", {percent(counts['as_written'] / reached)} of them as written"
    if deviations:
        first = deviations[0]
        told += f"; most often they {deviation(first)} ({percent(first.passages / finished)} of all)"
    lost = max(stages[:-1], key=lambda stage: stage.stopped)
    if lost.stopped:
        told += f"; of those that gave up, {percent(lost.stopped / (finished - reached))} did at {lost.name}"
    return told + "."


def headline(journeys: Sequence[Checked]) -> str:
    """The journey of the customers' stages first, else the first written."""
    if not journeys:
        return "No journey is written down yet, so there is nothing to compare with what customers do."
    return next((one for one in journeys if one.customer_stage), journeys[0]).sentence
