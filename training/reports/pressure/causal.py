"""What chance tells: contacts that it withheld, and customers whose caps it drew. Learned as `train fatigue` learns it,
without differences between customers, so that it is there before there is a champion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.workspace import Workspace
from training.fatigue.curve import GAIN, LOST, Curve
from training.fatigue.effects import Effects
from training.fatigue.enough import MEASURES, sample
from training.fatigue.enough import untold as too_few
from training.fatigue.fit import Fitted, fit
from training.fatigue.level import Level as Found
from training.fatigue.log import Log, read
from training.fatigue.report import TOLD
from training.fatigue.saturation import counted, saturation
from training.fatigue.train import clock_of, stated_of
from training.reports.artefact import Assignment
from training.reports.pressure import words
from training.reports.pressure.artefact import Causal, Cell, Known, Level, Saturation, Untold
from training.reports.pressure.estimates import difference
from training.reports.statistics import RATIO_ALARM


@dataclass(frozen=True)
class Learned:
    """The log of fatigue and what it was found to say."""

    log: Log
    fitted: Fitted


def learn(workspace: Workspace) -> Learned:
    """Raises WorkspaceError in a line where the log cannot tell, and says what is missing."""
    log = read(workspace)
    found = fit(log.decided, log.happened, log.pressure, clock_of(log, workspace.settings), stated_of(workspace, log))
    return Learned(log, found)


def tells(curves: Mapping[str, Curve]) -> bool:
    """Whether chance has shown that contacts do anything, on any channel: else nothing can be said of one more."""
    return any(bool((np.nan_to_num(one.channels.low, nan=-1.0) > 0).any()) for one in curves.values())


def causal(learned: Learned, who: np.ndarray, currency: str, spread: Assignment | None = None) -> Causal:
    """`who` int64[n] (ascending): the customers of the log whose standing is told; `spread` as spread.py found it."""
    log, fitted = learned.log, learned.fitted
    table = counted(saturation(fitted, log.happened, log.ids, who, log.happened.until))
    levels = against_usual(fitted.levels.levels, currency)
    found = Causal(
        decisions=fitted.decisions,
        cells=_cells(fitted),
        levels=levels,
        uneven=fitted.levels.uneven_p < RATIO_ALARM or (spread is not None and spread.alarm),
        spread=spread,
        saturation=[
            Saturation(channel=name, recommended_a_week=number, customers=dict(table.get(name, {})))
            for name, number in _recommended(fitted).items()
        ],
        untold=untold(fitted),
        sentence="",
    )
    return found.model_copy(update={"sentence": words.causal(found)})


def _cells(fitted: Fitted) -> list[Cell]:
    """By channel, and by channel and band."""
    found = []
    for name in fitted.channels:
        c = fitted.harm.pressure.channels.index(name)
        whole = {key: one.channels.at(c) for key, one in fitted.curves.items()}
        found.append(_cell(name, "all", whole, int(fitted.contacts[c])))
        for band, told in enumerate(words.BANDS):
            own = {key: one.bands.at(c, band) for key, one in fitted.curves.items()}
            if own["opt-out"].contacts >= TOLD:
                found.append(_cell(name, told, own, int(own["opt-out"].contacts)))
    return found


def _cell(channel: str, band: str, of: dict[str, Effects], contacts: int) -> Cell:
    return Cell(
        channel=channel,
        band=band,
        contacts=contacts,
        opted_out=_known(of["opt-out"]),
        complained=_known(of["complaint"]),
        sold=_known(of[GAIN]),
        lost=_known(of[LOST]),
    )


def _known(of: Effects) -> Known | None:
    value, low, high = float(of.value), float(of.low), float(of.high)
    return Known(value=value, low=low, high=high) if np.isfinite([value, low, high]).all() else None


def against_usual(levels: Sequence[Found], currency: str) -> list[Level]:
    """Looser and tighter caps against the usual ones, which most customers live under."""
    of = sorted(levels, key=lambda one: one.factor)
    usual = next((one for one in of if one.factor == 1.0), None)
    found = []
    for one in of:
        level = Level(**{name: getattr(one, name) for name in ("factor", "customers", *MEASURES)},
                      verdict="usual" if one is usual else "too_few", sentence="")  # fmt: skip
        if usual is not None and one is not usual:
            level = level.model_copy(update=_against(usual, one))
            level = level.model_copy(update={"verdict": words.verdict(level, 2 * (len(of) - 1))})
        found.append(level.model_copy(update={"sentence": words.level(level, currency)}))
    return found


def _against(usual: Found, one: Found) -> dict[str, dict[str, str] | Known]:
    """What a level's caps changed by measure, or why it cannot be told."""
    untold, more = {}, {}
    for name in MEASURES:
        if why := too_few(usual, one, name):
            untold[name] = why
        else:
            more[f"more_{name}"] = difference(sample(one, name), sample(usual, name))
    return {**more, "untold": untold}


def _recommended(fitted: Fitted) -> dict[str, float]:
    """Contacts a week that earn most, by channel, for a customer without other contacts; of channels that the
    log tells it of."""
    advice, place = fitted.advice, fitted.harm.pressure.channels.index
    return {name: float(advice.number[place(name)]) for name in fitted.channels if advice.told[place(name)]}


def untold(fitted: Fitted) -> list[Untold]:
    """The other channels on which customers were contacted."""
    advice, found = fitted.advice, []
    for c, name in enumerate(fitted.harm.pressure.channels):
        present = float(advice.present[c])
        if not advice.told[c] and (present > 0 or fitted.contacts[c] > 0):
            why = advice.untold(c, int(fitted.by_chance[c]))
            found.append(Untold(channel=name, present_a_week=present, sentence=words.untold(name, why)))
    return found


def worth_of_one_more(learned: Learned, who: np.ndarray, pressure: np.ndarray, margin: float) -> np.ndarray:
    """float64[n, C]: money that one more contact on each channel would earn now; -inf on channels nothing is known of.

    `pressure` float64[n]: what customers `who` are under.
    """
    fitted = learned.fitted
    channels = fitted.harm.pressure.channels
    worth = np.full((len(who), len(channels)), -np.inf)
    for name in fitted.channels:
        c = channels.index(name)
        which = np.full(len(who), c)
        gain = margin * fitted.gain.at(which, pressure)
        worth[:, c] = gain - fitted.harm.money(which, pressure) - float(fitted.costs[c])
    return worth
