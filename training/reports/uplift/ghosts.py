"""Contacts made against ghosts of the same action: in all, by action, channel, treatment, segment and month.

A decision counts from the moment it was made: what the customer did in the `days` after it, whether the contact was
made or withheld, and whatever came later (other contacts too, alike for both). Decisions are compared, each once; a
customer may have several, which the errors allow for (clustered.py).
"""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.stats

from features import clock
from features.clock import DAY
from training.reports import always_valid, experiment, statistics
from training.reports.effects import Breakdown, Cell, Dimension, Found, GhostCheck, Ghosts, Measure
from training.reports.statistics import Sample
from training.reports.uplift import returns, words
from training.reports.uplift.clustered import Compared, Design
from training.reports.uplift.drawn import Drawn, Outcomes, costs
from training.reports.uplift.log import Log
from training.reports.uplift.segments import Segment, segments
from training.reports.wording import Words

#: A cell is planned to run for half a year at the pace of its first four weeks: counts alone, fixed after those.
PACE_DAYS, PLANNED_DAYS = 28, 182
#: A page is no warehouse: of more cells in a dimension, the largest are shown.
MOST_CELLS = 40

METHOD = [
    "By action, channel, segment and month, contacts made are compared with ghosts: contacts of the same kind that "
    "were drawn and, with a logged probability, not made. A contact made counts 1, a ghost e / (1 - e), where e is the "
    "logged probability of being made once drawn; so the effect is that for each contact made. Decisions are counted "
    "one by one; errors are clustered by customer (Liang and Zeger 1986).",
    "Goals, money and opt-outs in the days after a decision count alike for contacts and ghosts, whatever caused them.",
]


def report(log: Log, days: int, smallest_lift: float) -> Ghosts | None:
    """None where no contact was ever withheld by chance."""
    every = Drawn.of(log)
    if not len(every):
        return None
    done = every.at + days * DAY <= log.known_until
    drawn = every.rows(done)
    outcomes = Outcomes.of(log, drawn, days)
    look = _Look(log, every, done, drawn, outcomes, days, smallest_lift)
    total = look.breakdown("action", "All contacts", "Contacts", np.full(len(every), "Contacts", object)).cells
    known = segments(log, every)
    breakdowns = [
        look.breakdown("action", "By action", "Action", every.action),
        look.breakdown("channel", "By channel", "Channel", every.channel),
        look.breakdown("treatment", "By action and channel", "Action and channel", _joined(every)),
        *(look.segment(one) for one in known),
        look.breakdown("period", "By month", "Month", _months(every.at), "Contacts in {}"),
    ]
    checked = check(every)
    return Ghosts(
        days=days,
        contacts=int(drawn.made.sum()),
        ghosts=int((~drawn.made).sum()),
        waiting=int((~done).sum()),
        check=checked,
        total=total[0],
        breakdowns=breakdowns,
        headline=words.headline(total[0], breakdowns[2], days) if len(drawn) else _too_early(every, days),
        notes=_notes(look, breakdowns),
    )


def check(drawn: Drawn) -> GhostCheck:
    """Ghosts drawn against ghosts expected: a sum of independent draws, each with its own logged probability."""
    ghosts, chances = int((~drawn.made).sum()), 1 - drawn.chance
    expected, variance = float(chances.sum()), float((chances * (1 - chances)).sum())
    if len(drawn) < 1000 and np.ptp(chances) < 1e-9:
        p = float(scipy.stats.binomtest(ghosts, len(drawn), float(chances[0])).pvalue)
    else:
        p = float(2 * scipy.stats.norm.sf(abs(ghosts - expected) / max(variance, 1e-12) ** 0.5))
    found = GhostCheck(
        drawn=len(drawn), ghosts=ghosts, expected=expected, p=p, alarm=p < statistics.RATIO_ALARM, sentence=""
    )
    return found.model_copy(update={"sentence": words.check(found)})


@dataclass(frozen=True)
class _Look:
    """Everything that cells are cut from; `every` are all drawn contacts, `drawn` those whose days are over."""

    log: Log
    every: Drawn
    done: np.ndarray
    drawn: Drawn
    outcomes: Outcomes
    days: int
    smallest_lift: float

    @property
    def measures(self) -> list[tuple[Measure, Words]]:
        goal = " or ".join(self.log.settings.goal)
        return [
            ("goal", Words(f"{goal} within {self.days} days", "rate")),
            ("money", Words(f"money from {goal} within {self.days} days", "amount", self.log.settings.currency)),
            ("opt_out", Words(f"opt-outs within {self.days} days", "rate")),
        ]

    def segment(self, one: Segment) -> Breakdown:
        """Cells in the order of the segment's bands."""
        found = self.breakdown("segment", one.title, one.label, one.of, one.whose)
        place = {name: k for k, name in enumerate(one.order)}
        return found.model_copy(update={"cells": sorted(found.cells, key=lambda c: place.get(c.name, len(place)))})

    def breakdown(self, dimension: Dimension, title: str, label: str, of: np.ndarray, whose: str = "{}") -> Breakdown:
        """`of` object[all drawn]: the name of each one's cell; `whose` is what the contacts of a cell are called."""
        names, place, sizes = np.unique(of.astype(str), return_inverse=True, return_counts=True)
        shown = np.argsort(-sizes, kind="stable")[:MOST_CELLS]
        shown = np.sort(shown) if dimension == "period" else shown
        rank = np.full(len(names), -1)
        rank[shown] = np.arange(len(shown))
        cell = rank[place]
        mine = cell[self.done] >= 0
        drawn = self.drawn.rows(mine)
        design = Design.of(cell[self.done][mine], drawn.person, drawn.made, drawn.chance, len(shown))
        plans = [self._pace(cell == k, dimension) for k in range(len(shown))]
        found = [self._measure(measure, spoken, design, mine, plans, shown) for measure, spoken in self.measures]
        cells = [
            self._cell(dimension, str(names[shown[k]]), [by[k] for by in found], design, drawn, k)
            for k in range(len(shown))
        ]
        cells = [one.model_copy(update={"weekly": pace or None}) for one, (_, pace) in zip(cells, plans, strict=True)]
        cells = [each.model_copy(update=_said(each, whose)) for each in cells]
        return Breakdown(dimension=dimension, title=title, label=label, cells=cells,
                         sentence=words.breakdown(cells))  # fmt: skip

    def _cell(self, dimension: Dimension, name: str, found: list[Found], design: Design, drawn: Drawn, k: int) -> Cell:
        ours = design.cell == k
        contacts, money = int(drawn.made[ours].sum()), found[1]
        action, _, channel = name.partition(_JOINT)
        spoken = {"action": words.spoken, "channel": words.spoken, "period": words.month}.get(dimension, str)(name)
        if dimension == "treatment":
            spoken = words.treatment(action, channel)
        back = None
        if money.effect is not None:
            spent = float(drawn.cost[ours][drawn.made[ours]].sum())
            settings = self.log.settings
            margin = settings.fatigue.margin
            back = returns.of(money.effect, money.verdict, contacts, contacts, spent, margin, settings.currency)
        return Cell(
            name=spoken,
            action=action if dimension in ("action", "treatment") and spoken != "Contacts" else None,
            channel=(channel or None) if dimension == "treatment" else name if dimension == "channel" else None,
            contacts=contacts,
            ghosts=int(ours.sum()) - contacts,
            customers=int(design.customers()[k]),
            found=found,
            returns=back,
            sentence="",
        )

    def _measure(
        self, measure: Measure, spoken: Words, design: Design, mine: np.ndarray, plans: Sequence[tuple[int, float]],
        shown: np.ndarray,
    ) -> list[Found]:  # fmt: skip
        """One measure of every cell, verdicts after Holm's correction over the cells."""
        before = self.outcomes.before.get(measure)
        compared = design.compare(self.outcomes.after[measure][mine], None if before is None else before[mine])
        binary, made = spoken.kind == "rate", []
        for k in range(len(shown)):
            reason, one = _too_few(compared[k], binary), compared[k]
            effect = None
            if one is not None and reason is None:
                progress = (one.control.n + one.treated.n) / max(plans[k][0], 1)
                effect = replace(one.effect, always=always_valid.beside(one.effect, progress))
            made.append((one, reason, effect))
        judged = [k for k, (_, _, effect) in enumerate(made) if effect is not None]
        raw = [effect.always.p for _, _, effect in made if effect is not None and effect.always is not None]
        adjusted = dict(zip(judged, statistics.holm(raw), strict=True))
        found = []
        for k, (one, reason, effect) in enumerate(made):
            control, treated = (one.control, one.treated) if one else (Sample(0, 0.0, 0.0), Sample(0, 0.0, 0.0))
            found.append(
                Found(
                    measure=measure,
                    name=spoken.name,
                    kind=spoken.kind,
                    unit=spoken.unit,
                    better="less" if measure == "opt_out" else "more",
                    control=control,
                    treated=treated,
                    effect=effect,
                    p_adjusted=adjusted.get(k),
                    verdict=experiment.verdict(effect, adjusted.get(k)),
                    reason=reason,
                    explained=one.explained if one else None,
                    weeks=self._weeks(one, *plans[k], len(judged)) if one and effect else None,
                    sentence="",
                )
            )
        return found

    def _weeks(self, one: Compared, plan: int, weekly: float, cells: int) -> float | None:
        """Until an effect of the size worth finding would be shown."""
        if not one.control.clear:
            return None
        target, have = one.control.mean * self.smallest_lift, one.control.n + one.treated.n
        level = always_valid.LEVEL / max(cells, 1)
        return always_valid.weeks(one.error, target, have, weekly, max(plan, 1), statistics.POWER, level)

    def _pace(self, mine: np.ndarray, dimension: Dimension) -> tuple[int, float]:
        """(contacts planned, contacts drawn a week lately)."""
        at = self.every.at[mine]
        since, now = int(at.min()), self.log.known_until
        if dimension == "period":
            over = max(now - since, DAY)
            year, month = (int(part) for part in clock.isoformat(since)[:7].split("-"))
            length = calendar.monthrange(year, month)[1] * DAY
            return round(len(at) * max(1.0, length / over)), 0.0
        lately = float((at >= now - PACE_DAYS * DAY).sum()) / (PACE_DAYS / 7)
        first = min(PACE_DAYS * DAY, max(now - since, DAY))
        return round(float((at < since + first).sum()) * PLANNED_DAYS * DAY / first), lately


def _too_few(one: Compared | None, binary: bool) -> str | None:
    if one is None:
        return "there are no contacts and ghosts to compare"
    return statistics.too_few(one.control, one.treated, binary)


def _said(cell: Cell, whose: str) -> dict[str, object]:
    name = whose.format(cell.name)
    found = [one.model_copy(update={"sentence": words.found(name, one)}) for one in cell.found]
    return {"found": found, "sentence": words.cell(found)}


#: Between action and channel of a treatment's key.
_JOINT = "\x1f"


def _joined(drawn: Drawn) -> np.ndarray:
    pairs = zip(drawn.action, drawn.channel, strict=True)
    return np.array([f"{action}{_JOINT}{channel or ''}" for action, channel in pairs], object)


def _months(at: np.ndarray) -> np.ndarray:
    return at.astype("datetime64[us]").astype("datetime64[M]").astype(str).astype(object)


def _too_early(every: Drawn, days: int) -> str:
    first = clock.isoformat(int(every.at.min()) + days * DAY)[:10]
    return f"Too early to tell: the first {days} days after a contact end on {first}."


def _notes(look: _Look, breakdowns: Sequence[Breakdown]) -> list[str]:
    notes = []
    if waiting := int((~look.done).sum()):
        notes.append(f"{waiting:,} contacts and ghosts are less than {look.days} days old and are not counted yet.")
    full = [one.title for one in breakdowns if len(one.cells) == MOST_CELLS]
    notes += [f"{title}: the {MOST_CELLS} largest are shown." for title in full]
    priced = costs(look.log)
    unknown = sorted({pair for pair in zip(look.drawn.action, look.drawn.channel, strict=True) if pair not in priced})
    if unknown:
        named = ", ".join(f"{action} on {channel}" for action, channel in unknown[:5])
        notes.append(f"actions.yaml says no cost for {named}{' ...' if len(unknown) > 5 else ''}: counted as free.")
    return notes
