"""From a campaign table to a sample: arms numbered, columns encoded, those that know too much left out, overlap cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from features.workspace import WorkspaceError
from training.evaluate import Interval
from training.reports import campaign, repeats, statistics, table
from training.uplift import collider, customers, enough, hindsight, otherwise, part, propensity
from training.uplift.encode import Column, Encoder, column
from training.uplift.sample import Sample, folds

FOLDS = 5
#: So many rows tell groups apart that are unlike enough to matter, in seconds.
COMPARED = 100_000
#: Outcomes beyond this overflow when squared.
LARGEST = 1e100
Propensity = Literal["auto", "shares", "estimate"]


@dataclass(frozen=True)
class Prepared:
    """A sample and where it came from. `place` are 0-based data lines; `left_out` says why by column; `taught` bool[n]
    are the customers that teach and judge learners, all of them but in long tables (part.py).

    `unlike` names the columns that tell the groups apart, where they are unlike; `otherwise` is each arm's effect
    should these have been recorded after the assignment, empty where the groups are unlike without them, too. Where
    they were left out as recorded after it, though nobody can tell: its effect should they have been known before.
    `too_few` says by arm why customers are too few to tell its effect.
    """

    source: str
    treatment: str
    outcome: str
    arms: Sequence[str]
    sample: Sample
    fold: np.ndarray
    place: np.ndarray
    encoder: Encoder
    left_out: dict[str, str]
    randomised: bool
    assignment_p: float
    trimmed: int
    notes: list[str]
    unlike: list[str]
    otherwise: dict[str, Interval]
    taught: np.ndarray
    too_few: dict[str, str]

    @property
    def part(self) -> Sample:
        """Those that teach."""
        return self.sample if self.taught.all() else self.sample.rows(self.taught)


def prepare(
    path: Path,
    treatment: str,
    outcome: str,
    control: str | None = None,
    inputs: Sequence[str] = (),
    ignored: Sequence[str] = (),
    chances: Propensity = "auto",
    seed: int = 0,
    most: int | None = None,
) -> Prepared:
    """Reads and encodes; `inputs` names the columns to use, else all that are fit for it. Raises WorkspaceError.

    At most `most` rows teach, 0: all; by default as many as `part.wanted` says.
    """
    read = table.customers(path, treatment, outcome)
    found, apart = _compared(path, read, control, inputs, ignored, chances, seed), list[str]()
    while (lonely := _apart_from_all(found)) is not None:
        apart.append(lonely)
        found = _compared(path, read, control, inputs, ignored, chances, seed, apart)
    rows, arms, arm, value, fold, notes = found.rows, found.arms, found.arm, found.value, found.fold, found.notes
    assigned, customer = found.assigned, found.customer
    encoder, encoded = Encoder(found.columns), np.column_stack(list(found.numbers.values()))
    overlap = assigned.overlapping
    if not overlap.all():
        notes.append(
            f"{np.sum(~overlap):,} customers were all but sure to be in one group, so nobody compares with them: they "
            "were left out, and the figures hold for the others."
        )
    whose = customers.among(customer, overlap)
    if not enough.of_arms(arm[overlap], whose, len(arms)):
        raise WorkspaceError(
            f"{path}: the groups of {rows.treatment!r} hardly overlap: too few customers could have been in any of them"
            f"{_because(found.unlike)}"
        )
    chance = assigned.propensity[overlap]
    sample = Sample(encoded[overlap], arm[overlap], value[overlap], chance, np.zeros_like(chance), rows.binary, whose)
    drawn = part.drawn(sample.arm, sample.outcome, rows.binary, whose, most, seed)
    if drawn.said:
        _check_part(path, sample.rows(drawn.taught), len(arms))
    notes += [drawn.said] if drawn.said else []
    too_few = enough.too_few(sample, arms, assigned.randomised)
    beyond = {name: effect for name, effect in found.otherwise.items() if name not in too_few}
    return Prepared(
        path.name, rows.treatment, rows.outcome, arms, sample, fold[overlap], rows.place[found.kept][overlap], encoder,
        found.left_out, assigned.randomised, assigned.p, int(np.sum(~overlap)), notes, found.unlike, beyond,
        drawn.taught, too_few,
    )  # fmt: skip


def differing(
    path: Path, treatment: str, outcome: str, control: str | None = None, ignored: Sequence[str] = ()
) -> str | None:
    """Which columns tell the groups apart, as `prepare` would note it; None where none do or nothing can tell.

    Of a long table `COMPARED` rows are, drawn by chance.
    """
    rows = table.customers(path, treatment, outcome, COMPARED)
    try:
        return _compared(path, rows, control, (), ignored, "auto", 0).differs
    except WorkspaceError:  # too few customers, or no column but those left out
        return None


@dataclass(frozen=True)
class _Compared:
    """Customers of groups that are large enough (`kept` among the rows), what is known of them as numbers by column,
    and whether that tells the groups apart: `differs` says so."""

    rows: table.Customers
    kept: np.ndarray
    arms: Sequence[str]
    arm: np.ndarray
    value: np.ndarray
    columns: Sequence[Column]
    numbers: Mapping[str, np.ndarray]
    left_out: dict[str, str]
    customer: np.ndarray | None
    fold: np.ndarray
    assigned: propensity.Assignment
    unlike: list[str]
    otherwise: dict[str, Interval]
    differs: str | None
    notes: list[str]


def _compared(
    path: Path,
    rows: table.Customers,
    control: str | None,
    inputs: Sequence[str],
    ignored: Sequence[str],
    chances: Propensity,
    seed: int,
    apart: Sequence[str] = (),
) -> _Compared:
    """Without the groups `apart`, which the others do not overlap with."""
    rows, notes = _once(rows)
    shared = customers.repeated(rows.columns)
    everyone = customers.numbered(rows.columns[next(iter(shared))]) if shared else None
    sizes = enough.sizes(rows.arm, everyone)
    first = campaign.control_of(path, rows.treatment, list(sizes), control)
    notes += _counted(rows)
    large = [label for label, size in sizes.items() if size.enough]
    if first not in large or len(large) < 2:
        found = ", ".join(f"{label!r} {size}" for label, size in sizes.items())
        as_told = f", as {next(iter(shared))!r} numbers them: take it out of the file if it does not" if shared else ""
        raise WorkspaceError(
            f"{path}: effects by customer need control and one other group of at least {enough.needed(everyone)} each; "
            f"{rows.treatment!r} has {found}{as_told}"
        )
    if small := [label for label in sizes if label not in large]:
        notes.append(f"{', '.join(small)}: fewer than {enough.needed(everyone)}, left out.")
    if apart:
        notes.append(f"{', '.join(apart)}: too few customers of other groups could have been in it, left out.")
    arms = [first, *(label for label in large if label != first and label not in apart)]
    kept = np.isin(rows.arm, arms)
    arm = np.array([arms.index(label) for label in rows.arm[kept]])
    value, frame = rows.value[kept], rows.columns[kept].reset_index(drop=True)
    _check_outcome(path, rows, value)
    columns, left_out = _columns(path, frame, inputs, ignored)
    numbers = {one.name: np.column_stack(one.transform(frame[one.name])) for one in columns}
    gates = {}
    if not inputs:
        for one in columns:
            told = numbers[one.name], one.blank(frame[one.name]), arm, value, one.kind == "label"
            if why := hindsight.reason(*told):
                left_out[one.name] = why
            elif (there := hindsight.gate(*told)) is not None:
                gates[one.name] = there
        columns = [one for one in columns if one.name not in left_out]
    if not columns:
        why = "; ".join(f"{name}: {reason}" for name, reason in left_out.items()) or "it has no other column"
        raise WorkspaceError(
            f"{path}: no column says anything about customers ({why}), so their effects cannot differ; "
            "`tactful report uplift` tells the effect on all"
        )
    notes += shared.values()
    customer = customers.among(everyone, kept)
    fold = folds(arm, FOLDS, seed, customer)
    numbers = {one.name: numbers[one.name] for one in columns}
    asked = _Asked(arm, fold, customer, chances)
    assigned, unlike, beyond = asked.of(numbers), [], {}
    steps, doubtful = _steps(list(gates), numbers, asked, assigned.p) if gates else ([], [])
    if steps:
        left_out |= dict.fromkeys(steps, hindsight.WHEREVER)
        columns = [one for one in columns if one.name not in steps]
        numbers = {one.name: numbers[one.name] for one in columns}
        assigned = asked.of(numbers)
    if assigned.p < propensity.ALARM and chances != "estimate":
        unlike = collider.unlike(numbers, arm)
        others = {name: values for name, values in numbers.items() if name not in unlike}
        if unlike and (collider.alike(others, arm, fold, customer) or set(numbers) <= set(gates)):
            later = {} if inputs or not others else collider.recorded_later(numbers, arm, unlike)
            left_out |= later
            unlike = [name for name in unlike if name not in later]
            columns = [one for one in columns if one.name not in later]
            numbers = {one.name: numbers[one.name] for one in columns}
            if later:
                assigned = asked.of(numbers)
            beyond = otherwise.as_they_are(arm, value, customer, arms)
    if assigned.p < propensity.ALARM and chances != "estimate":
        differs = _unlike(unlike, assigned.randomised)
        notes.append(differs)
    else:
        differs, unlike = None, doubtful
        beyond = otherwise.among_alike([gates[name] for name in doubtful], arm, value, customer, arms)
    return _Compared(
        rows, kept, arms, arm, value, columns, numbers, left_out, customer, fold, assigned, unlike, beyond, differs,
        notes,
    )  # fmt: skip


def _apart_from_all(found: _Compared) -> str | None:
    """The group that fewest could have been in, where for lack of overlap some group would be too small and there are
    others; None where all may stay."""
    possible, arms = found.assigned.possible, len(found.arms)
    left = np.bincount(found.arm[possible.all(1)], minlength=arms)
    if arms < 3 or left.min() >= enough.SMALLEST_ARM:
        return None
    return found.arms[1 + int(possible[:, 1:].sum(0).argmin())]


@dataclass(frozen=True)
class _Asked:
    """Which arm each row was in, its fold, whose it is (None: each is a customer), and what is said of the chances."""

    arm: np.ndarray
    fold: np.ndarray
    customer: np.ndarray | None
    chances: Propensity

    def of(self, numbers: Mapping[str, np.ndarray]) -> propensity.Assignment:
        """How probable the arms were as far as these columns tell."""
        encoded = np.column_stack(list(numbers.values()))
        tested = propensity.assignment(encoded, self.arm, self.fold, self.chances == "estimate", self.customer)
        return propensity.alike(self.arm, tested.p) if self.chances == "shares" else tested


def _steps(
    gates: Sequence[str], numbers: Mapping[str, np.ndarray], asked: _Asked, p: float
) -> tuple[list[str], list[str]]:
    """Which gates (hindsight.py) are taken for steps on the way to the outcome, and so are no inputs; and of which of
    these nobody can tell, so that both answers are given.

    All are steps where chance chose. Where other columns tell the groups apart, customers were chosen by a gate if they
    are alike beyond it.
    """
    if p >= propensity.ALARM or asked.chances == "shares":
        return list(gates), []
    rest = {name: values for name, values in numbers.items() if name not in gates}
    if not rest or asked.chances == "estimate":
        return [], []
    if asked.of(rest).randomised:
        return list(gates), [name for name in gates if not collider.unfit(rest, numbers[name], asked.arm)]
    return [name for name in gates if not collider.explained(rest, numbers[name], asked.arm)], []


def _because(unlike: Sequence[str]) -> str:
    if not unlike:
        return ""
    return f". They differ in {', '.join(unlike[:5])}: leave out what was recorded after the assignment (--ignore)"


def _unlike(unlike: Sequence[str], said: bool) -> str:
    """Which columns tell the groups apart; `said` that chance chose."""
    return (
        f"Beware: {'chance was said to have chosen, but ' if said else ''}the groups differ in "
        f"{', '.join(unlike[:5]) or 'how columns go together'}. What was recorded after the assignment is no ground to "
        "compare on: leave it out with `tactful uplift fit --ignore`."
    )


def _once(rows: table.Customers) -> tuple[table.Customers, list[str]]:
    """Without rows that are there more than once (repeats.py), and a note of them."""
    if not rows.telling:
        return rows, []
    again = rows.columns.assign(**{" arm": rows.arm, " value": rows.value}).duplicated().to_numpy()
    again = again & rows.columns[list(rows.telling)].notna().any(axis=1).to_numpy()
    if not again.any():
        return rows, []
    place, arm, value = rows.place[~again], rows.arm[~again], rows.value[~again]
    left = rows.columns[~again].reset_index(drop=True)
    note = repeats.said(int(again.sum()), rows.rows)
    return replace(rows, place=place, arm=arm, value=value, columns=left), [note]


def _counted(rows: table.Customers) -> list[str]:
    notes = []
    if rows.unassigned:
        notes.append(f"{rows.unassigned:,} of {rows.rows:,} rows have no value in {rows.treatment} and were left out.")
    if absent := sum(rows.missing.values()):
        said = f"{absent:,} customers have no value in {rows.outcome} and were left out"
        p = statistics.same_share(list(rows.missing.values()), [rows.counts[arm] for arm in rows.missing])
        if p < statistics.RATIO_ALARM:
            parts = [f"{arm} {absent / rows.counts[arm]:.1%}" for arm, absent in rows.missing.items()]
            said = f"Beware: {said}, and not alike in every group ({', '.join(parts)}): those that are left may differ"
        notes.append(f"{said}.")
    return notes


def _check_outcome(path: Path, rows: table.Customers, value: np.ndarray) -> None:
    if rows.binary and min(value.sum(), len(value) - value.sum()) < enough.FEWEST_RESPONSES:
        least = enough.FEWEST_RESPONSES
        raise WorkspaceError(
            f"{path}: {rows.outcome!r} is {'1' if value.mean() > 0.5 else '0'} for all but "
            f"{int(min(value.sum(), len(value) - value.sum()))} customers; at least {least} are needed"
        )
    if np.abs(value).max() > LARGEST:
        raise WorkspaceError(
            f"{path}: {rows.outcome!r} reaches {np.abs(value).max():g}, which is no amount of anything"
        )
    if value.min() == value.max():
        raise WorkspaceError(f"{path}: {rows.outcome!r} is {value[0]:g} for every customer; there is nothing to learn")


def _check_part(path: Path, taught: Sample, arms: int) -> None:
    responded = min((taught.outcome != 0).sum(), (taught.outcome == 0).sum())
    rare = taught.binary and responded < enough.FEWEST_RESPONSES
    if rare or not enough.of_arms(taught.arm, taught.customer, arms):
        least = min(enough.sizes(taught.arm, taught.customer).values(), key=lambda size: size.customers or size.rows)
        raise WorkspaceError(
            f"{path}: so few rows drawn leave {least}{' customers' * (least.customers is None)} in a group and "
            f"{responded} responses in all; learning needs {enough.needed(taught.customer)} and "
            f"{enough.FEWEST_RESPONSES}: raise --rows, or take all with --rows 0"
        )


def _columns(
    path: Path, frame: pd.DataFrame, inputs: Sequence[str], ignored: Sequence[str]
) -> tuple[list[Column], dict[str, str]]:
    """Columns that can be encoded, and why others cannot."""
    for name in (*inputs, *ignored):
        if name not in frame.columns:
            raise WorkspaceError(f"{path}: no column {name!r} to use; the columns are: {', '.join(frame.columns)}")
    found: list[Column] = []
    left_out: dict[str, str] = {}
    named = set(customers.naming(frame))
    for name in dict.fromkeys(inputs) or frame.columns:
        told = "was to be ignored" if name in ignored else column(frame[name])
        told = customers.NO_INPUT if name in named and isinstance(told, Column) else told
        if isinstance(told, Column):
            found.append(told)
        else:
            left_out[str(name)] = told
    return found, left_out
