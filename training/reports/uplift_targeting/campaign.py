"""From any campaign table: each customer sorted by the effect that a model of other customers expects."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from features.workspace import WorkspaceError
from training.reports import table
from training.reports.artefact import UpliftReport
from training.reports.uplift_targeting import measure, traits, words
from training.reports.uplift_targeting.artefact import Ranking, Targeting
from training.reports.uplift_targeting.measure import Contacts, Expected
from training.reports.uplift_targeting.traits import Described
from training.reports.wording import Words
from training.uplift.fit import Fitted, fit
from training.uplift.prepare import Prepared
from training.uplift.prepare import prepare as prepared
from training.uplift.sample import Sample

BEST = "the best group for each"
SEVERAL = (
    "Beware: customers have several rows. But for whom contacts moved, every row counts as a customer of its own, so "
    "intervals are too narrow: give one row a customer, or ask `tactful uplift fit`."
)


def added(
    found: UpliftReport, path: Path, treatment: str, outcomes: Sequence[str], control: str | None
) -> UpliftReport:
    """A table's report with whom its contacts moved, by the first outcome; the others are no grounds to sort by."""
    read: list[Prepared] = []

    def prepare() -> Prepared:
        read.append(prepared(path, treatment, outcomes[0], control, ignored=_others(path, outcomes)))
        return read[-1]

    told = targeting(prepare)
    told_before = set(found.notes)
    beware = [note for note in told.notes if note.startswith("Beware: ") and note not in told_before]
    notes = [*found.notes, *beware, *(SEVERAL for one in read if one.sample.customer is not None)]
    return found.model_copy(update={"targeting": told, "notes": notes})


def _others(path: Path, outcomes: Sequence[str]) -> list[str]:
    """The columns of all outcomes but the first, as the table spells them."""
    wanted = {name.strip().casefold() for name in outcomes[1:]}
    return [str(name) for name in table.frame(path).columns if str(name).strip().casefold() in wanted]


def targeting(prepare: Callable[[], Prepared], tell: Callable[[str], None] = lambda _: None) -> Targeting:
    """Fits and tells; says why where the table does not allow it (no column to sort by, too few customers)."""
    try:
        prepared = prepare()
        if not set(prepared.arms[1:]) - set(prepared.too_few):
            why = "; ".join(f"{arm}: {reason}" for arm, reason in prepared.too_few.items())
            raise WorkspaceError(f"{prepared.source}: too few to tell ({why})")
    except WorkspaceError as error:
        return words.unknown(str(error).partition(": ")[2] or str(error))
    return of(prepared, fit(prepared, tell=tell))


def of(prepared: Prepared, fitted: Fitted) -> Targeting:
    """From a fit. Judged are the later customers of a random order, each by a model of those before."""
    sample, arms = fitted.crossed.sample, [one.arm for one in fitted.report.told]
    places = np.array([list(prepared.arms).index(arm) for arm in arms])
    learned = [fitted.model.learners[arm] for arm in arms]
    found = [fitted.in_turn[place] for place in places.tolist()]
    judged = found[0][0]
    there = sample.rows(judged)
    predicted = np.column_stack([effects[name] for (_, effects), name in zip(found, learned, strict=True)])
    scores = np.column_stack([there.effect_score(place) for place in places.tolist()])
    described = _described(prepared, there.inputs)
    said = Words(prepared.outcome, "rate" if sample.binary else "amount")
    rankings = [
        _ranking(said, arm, predicted[:, k], scores[:, k], there, places[k], described) for k, arm in enumerate(arms)
    ]
    if len(arms) > 1:
        best, rows = predicted.argmax(axis=1), np.arange(len(there))
        rankings.insert(
            0,
            _ranking(said, BEST, predicted[rows, best], scores[rows, best], there, places[best], described),
        )
    learners = ", ".join(f"{arm}: {name}" for arm, name in zip(arms, learned, strict=True))
    return words.told(
        said,
        rankings,
        model=f"effects learned from this table ({learners})",
        judged=f"{_count(there)}, by models that had not seen them",
        method=words.FROM_TABLE,
        notes=[
            *_left_out(prepared),
            *(one.sentence for one in fitted.report.arms if one.too_few is not None),
            *prepared.notes,
        ],
    )


def _count(there: Sample) -> str:
    if there.customer is None:
        return f"{len(there):,} customers"
    return f"{len(there):,} rows of {len(np.unique(there.customer)):,} customers"


def _left_out(prepared: Prepared) -> Iterator[str]:
    """Columns that customers were not sorted by, and why; other outcomes need no word."""
    for name, why in prepared.left_out.items():
        if why != "was to be ignored":
            yield f"Customers are not sorted by {name}: it {why}."


def _ranking(
    said: Words, name: str, predicted: np.ndarray, score: np.ndarray, there: Sample, place: int | np.ndarray,
    described: Described,
) -> Ranking:  # fmt: skip
    """`place`: of the arm that is compared with control, one for all customers or int[n]."""
    whose = np.arange(len(score)) if there.customer is None else there.customer
    everyone = Expected(predicted, np.zeros(len(score)), whose)
    chance = np.column_stack([there.propensity[:, 0], there.propensity[np.arange(len(there)), place]])
    contacts = Contacts(everyone, score, np.ones(len(score)), there.arm == place, there.arm == 0, chance)
    points, over_random = measure.curve(contacts)
    found = measure.groups(contacts, everyone)
    if contacts.ranked:
        largest, kind = max(found, key=lambda group: group.share), everyone.kind
        found = [
            group
            if group is largest
            else group.model_copy(update={"traits": traits.of(described, kind == measure.KINDS.index(group.kind))})
            for group in found
        ]
    return words.ranking(said, name, None, contacts, measure.tenths(contacts), points, over_random, found, len(score))


def _described(prepared: Prepared, inputs: np.ndarray) -> Described:
    """The table's columns as the model read them: a label is the share of customers who have it."""
    names = prepared.encoder.inputs
    return Described(inputs, names, names, [None] * len(names))
