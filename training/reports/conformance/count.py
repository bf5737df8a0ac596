"""From passages to figures: how many go as written, how others leave the way, where they stop, how long it takes."""

import numpy as np

from features import clock
from features.journeys_declared.follow import Followed
from features.journeys_declared.passages import AFTER, AGAIN, BACK, GIVEN_UP, LATE, OPEN, REACHED, Passages
from training.reports.conformance import wording
from training.reports.conformance.artefact import Checked, Deviation, Kind, Month, StageLine

MARKS: dict[Kind, int] = {"backwards": BACK, "repeated": AGAIN, "out_of_order": AFTER, "late": LATE}


def checked(found: Followed) -> Checked:
    """One journey in figures."""
    passages, journey = found.passages, found.journey
    finished, reached = passages.ended != OPEN, passages.ended == REACHED
    skipped = left_out(found)
    written = as_written(found)
    counts = {
        "passages": len(passages.ended),
        "open": int((passages.ended == OPEN).sum()),
        "finished": int(finished.sum()),
        "reached": int(reached.sum()),
        "as_written": int(written.sum()),
    }
    stages = _stages(found)
    deviations = _deviations(found, skipped, finished)
    return Checked(
        name=journey.name,
        version=journey.version,
        fingerprint=journey.fingerprint,
        text=journey.text,
        customer_stage=journey.customer_stage,
        goal=journey.goal,
        pause=journey.pause,
        customers=len(np.unique(passages.customer)),
        stages=stages,
        deviations=deviations,
        months=_months(passages, written),
        sentence=wording.sentence(journey.name, journey.goal, counts, stages, deviations),
        **counts,
    )


def left_out(found: Followed) -> np.ndarray:
    """bool[n, k]: the stage was passed over, never entered, and is not optional."""
    entered = found.passages.entered >= 0
    further = np.flip(np.maximum.accumulate(np.flip(entered, 1), 1), 1)  # this stage or a later one was entered
    required = np.array([not found.journey.stages[name].optional for name in found.journey.way], bool)
    return further & ~entered & required


def as_written(found: Followed) -> np.ndarray:
    """bool[n]: reached the goal without any deviation."""
    passages = found.passages
    return (passages.ended == REACHED) & ~passages.marks.any(1) & ~left_out(found).any(1)


def _deviations(found: Followed, skipped: np.ndarray, finished: np.ndarray) -> list[Deviation]:
    told = []
    for i, name in enumerate(found.journey.way):
        told.append(Deviation(kind="skipped", stage=name, passages=int((skipped[:, i] & finished).sum())))
        for kind, bit in MARKS.items():
            passages = int(((found.passages.marks[:, i] & bit > 0) & finished).sum())
            told.append(Deviation(kind=kind, stage=name, passages=passages))
    return sorted((one for one in told if one.passages), key=lambda one: -one.passages)


def _stages(found: Followed) -> list[StageLine]:
    passages, lines = found.passages, []
    entered = passages.entered >= 0
    top = entered.shape[1] - 1 - np.argmax(np.flip(entered, 1), 1) if len(entered) else np.zeros(0, np.int64)
    finished = passages.ended != OPEN
    for i, name in enumerate(found.journey.way):
        stage, took = found.journey.stages[name], _seconds(passages, i, finished)
        lines.append(
            StageLine(
                name=name,
                optional=stage.optional,
                within=stage.within,
                came=int((finished & (top >= i)).sum()),
                entered=int((finished & entered[:, i]).sum()),
                stopped=int(((passages.ended == GIVEN_UP) & (top == i)).sum()),
                under_way=int((~finished & (top == i)).sum()),
                typical_seconds=float(np.median(took)) if len(took) else None,
                slow_seconds=float(np.quantile(took, 0.9)) if len(took) else None,
                satisfaction=float(found.satisfaction[i] / found.rated[i]) if found.rated[i] else None,
                rated=int(found.rated[i]),
            )
        )
    return lines


def _seconds(passages: Passages, stage: int, finished: np.ndarray) -> np.ndarray:
    """How long each finished passage took from first entering a stage to entering one that comes later."""
    began = passages.entered[:, stage]
    later = passages.entered[:, stage + 1 :]
    after = np.where(later > began[:, None], later, np.iinfo(np.int64).max).min(1, initial=np.iinfo(np.int64).max)
    took = finished & (began >= 0) & (after < np.iinfo(np.int64).max)
    return np.asarray((after[took] - began[took]) / clock.SECOND)


def _months(passages: Passages, written: np.ndarray) -> list[Month]:
    began = passages.begin.astype("datetime64[us]").astype("datetime64[M]")
    months, which = np.unique(began, return_inverse=True)

    def by_month(mark: np.ndarray) -> list[int]:
        return [int(n) for n in np.bincount(which, mark.astype(float), len(months))]

    ended = passages.ended
    columns = by_month(ended != OPEN), by_month(ended == OPEN), by_month(ended == REACHED), by_month(written)
    return [
        Month(month=str(month), finished=finished, open=under_way, reached=reached, as_written=fine)
        for month, finished, under_way, reached, fine in zip(months, *columns, strict=True)
    ]
