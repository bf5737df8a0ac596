"""The uplift report of any randomised campaign table."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from features.workspace import WorkspaceError
from training.reports import experiment, repeats, statistics, table, wording
from training.reports.artefact import UpliftReport
from training.reports.wording import Words

#: Names that a control goes by, surest first; a table whose arms match the same line twice has to be asked about.
_CONTROLS = (
    re.compile(r"(universal[ _-]?)?(control|ctrl|hold[ _-]?out|placebo|ghost|withheld|untreated)([ _-]?(group|arm))?"),
    re.compile(
        r"kontrolle|(kontroll?|null)[ _-]?gruppe|(groupe )?(t[ée]moin|(de )?contr[ôo]le)|"
        r"(grup(o|po) )?(di |de )?controll?o?"
    ),
    re.compile(
        r"(no|not|non|without)[ _-]+\w[\w -]*|no(e-?mail|mail|contact|offer|treatment|ads?|promo\w*)|"
        r"un(mailed|contacted|touched|exposed)|none|nothing|no|baseline|business as usual|status quo"
    ),
    re.compile(r"0|false|f|n"),
    re.compile(r"(.*[^a-z])?(control|hold[ _-]?out)([^a-z].*)?"),
)
#: A plain difference corrects for nothing.
_UNLIKE = (
    "Beware: the groups are unlike, so this may be due to whom they hold and not to what was done; "
    "`tactful uplift fit` compares like with like."
)


def report(
    path: Path, treatment: str, outcomes: Sequence[str], control: str | None = None,
    shares: Mapping[str, float] | None = None, smallest_lift: float = experiment.SMALLEST_LIFT,
) -> UpliftReport:  # fmt: skip
    """Every arm against control on every outcome; the first outcome is the one the headline speaks of.

    `shares` are the planned sizes of the arms in any unit, equal by default. Raises WorkspaceError.
    """
    from training.uplift.prepare import differing  # LightGBM and scikit-learn take seconds to import; it needs this

    data = table.read(path, treatment, outcomes)
    arms = list(data.counts)
    chosen = control_of(path, data.treatment, arms, control)
    assigned = experiment.assignment(
        data.treatment, chosen, data.counts, planned(path, arms, shares), data.outcomes[0].missing, control is None
    )
    found = [
        experiment.outcome(
            Words(column.column, "rate" if column.binary else "amount"), chosen, column.samples, smallest_lift
        )
        for column in data.outcomes
    ]
    names = [column.column for column in data.outcomes]
    unlike = differing(path, data.treatment, names[0], chosen, names[1:])
    headline = wording.headline(found, assigned.alarm)
    return UpliftReport(
        title=f"Uplift: {wording.listed(names)} by {data.treatment}",
        source=path.name,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        population=f"{sum(data.counts.values()):,} customers in {len(arms)} groups, from {path.name}.",
        headline=f"{headline} {_UNLIKE}" if unlike else headline,
        alarm=assigned.alarm,
        assignment=assigned,
        outcomes=found,
        notes=[
            *([unlike] if unlike else []),
            *_equal(data, assigned.alarm and shares is None),
            *_notes(data, chosen, control is None),
        ],
        method=[
            f"Every {'different ' if data.repeated else ''}row of the table counts as one customer.",
            *experiment.METHOD,
        ],
    )


def control_of(path: Path, column: str, arms: Sequence[str], asked: str | None) -> str:
    """The control arm: the one asked for, else the one whose name says so."""
    if asked is not None:
        for same in (str, str.casefold):
            if matches := [arm for arm in arms if same(arm) == same(asked.strip())]:
                return matches[0]
        raise WorkspaceError(f"{path}: no row of {column!r} has the control value {asked!r}; {_values(arms)}")
    for pattern in _CONTROLS:
        matches = [arm for arm in arms if pattern.fullmatch(arm.casefold())]
        if len(matches) == 1:
            return matches[0]
        if matches:
            break
    raise WorkspaceError(f"{path}: which value of {column!r} is the control? Say it with --control; {_values(arms)}")


def planned(path: Path, arms: Sequence[str], shares: Mapping[str, float] | None) -> dict[str, float]:
    """The planned share of every arm, equal by default."""
    if shares is None:
        return dict.fromkeys(arms, 1.0)
    if unknown := [name for name in shares if name not in arms]:
        raise WorkspaceError(f"{path}: --expected-shares names {unknown[0]!r}, which is no group; {_values(arms)}")
    if absent := [name for name in arms if name not in shares]:
        raise WorkspaceError(f"{path}: --expected-shares says nothing of {absent[0]!r}; {_values(arms)}")
    return dict(shares)


def parse_shares(text: str) -> dict[str, float]:
    """`control=0.1,mail=0.9` as a mapping; shares may be in any unit, so 1 and 9 mean the same."""
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, size = part.rpartition("=")
        try:
            share = float(size)
        except ValueError:
            share = float("nan")
        if not name.strip() or not 0 < share < float("inf"):
            raise WorkspaceError(
                f"--expected-shares: {part.strip()!r} is not NAME=SHARE with a share above 0; "
                "write it as --expected-shares 'control=0.1,mail=0.9'"
            )
        shares[name.strip()] = share
    return shares


def _values(arms: Sequence[str]) -> str:
    return "the values are " + ", ".join(repr(arm) for arm in sorted(arms))


def _equal(data: table.Table, alarmed: bool) -> list[str]:
    """What was taken for the plan where none was told, and how to tell one."""
    shares = ",".join(f"{arm}={count / sum(data.counts.values()):.2g}" for arm, count in data.counts.items())
    said = f"Groups of equal size were expected; if others were planned, say which: --expected-shares '{shares}'."
    return [said] if alarmed else []


def _notes(data: table.Table, control: str, guessed: bool) -> list[str]:
    """What a careful reader must know about the rows: who was left out, what was guessed."""
    notes = [repeats.said(data.repeated, data.rows)] if data.repeated else []
    if guessed:
        notes.append(f"{control} was taken for the control because of its name; --control says otherwise.")
    if data.unassigned:
        notes.append(
            f"{data.unassigned:,} of {data.rows:,} rows have no value in {data.treatment} and were left out: "
            "nobody can say which group they were in."
        )
    return notes + [_missing(data, column, sum(column.missing.values())) for column in data.outcomes if _any(column)]


def _any(column: table.Measured) -> bool:
    return any(column.missing.values())


def _missing(data: table.Table, column: table.Measured, absent: int) -> str:
    said = f"{absent:,} customers have no value in {column.column} and were left out of its figures"
    arms = list(data.counts)
    p = statistics.same_share([column.missing[arm] for arm in arms], [data.counts[arm] for arm in arms])
    if p >= statistics.RATIO_ALARM:
        return f"{said}; the share is alike in every group."
    parts = [f"{arm} {wording.percent(column.missing[arm] / data.counts[arm])}" for arm in arms]
    return f"Beware: {said}, and not alike in every group ({wording.listed(parts)}), so those that are left may differ."
