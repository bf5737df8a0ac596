"""From decisions and what followed to what one more contact costs, as one plain function."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.clock import isoformat
from features.workspace import WorkspaceError
from training.fatigue import levels as cap_levels
from training.fatigue.advice import Advice, Asked, advise, lived, year_priced
from training.fatigue.curve import BANDS, COUNTS, GAIN, LOST, OUTCOMES, Curve, Smooth, bands, curve, smooth, spent
from training.fatigue.differs import Differs, differs, rest
from training.fatigue.harm import Harm, Pressure, Prices
from training.fatigue.levels import Levels
from training.fatigue.spending import Spending, spending
from training.fatigue.standard import Standard
from training.fatigue.trials import SILENCE, Clock, Decided, Happened, Trials, for_later, trials

Tell = Callable[[str], None]
#: Fewer contacts whose making was left to chance than this say nothing.
LEAST = 200


@dataclass(frozen=True)
class Stated:
    """What no log says, in money: the share of spending that is kept, what an opt-out costs (None: what a year of
    contacts on the channel at the recommended number earns), what a complaint costs; the cost of a contact [C]."""

    margin: float = 0.3
    opt_out: float | None = None
    complaint: float = 5.0
    costs: np.ndarray | None = None


@dataclass(frozen=True)
class Sample:
    """Feature vectors float64[m, F] of some trials, by position; see Standard."""

    rows: np.ndarray
    values: np.ndarray
    names: Sequence[str]
    levels: Mapping[str, Sequence[str] | None]


@dataclass(frozen=True)
class Fitted:
    """Everything that was found: `curves` by outcome and GAIN as measured, `harm` and `gain` as served, the
    `advice` on how many contacts a week; `for_later`, by outcome, the share that counts for a later decision than the
    last contact's (trials.py)."""

    harm: Harm
    gain: Smooth
    curves: Mapping[str, Curve]
    levels: Levels
    costs: np.ndarray
    decisions: int
    contacts: np.ndarray
    by_chance: np.ndarray
    advice: Advice
    for_later: Mapping[str, float]

    @property
    def channels(self) -> list[str]:
        """Those with contacts that chance decided."""
        return [name for name, n in zip(self.harm.pressure.channels, self.by_chance.tolist(), strict=True) if n >= 1]


def fit(
    decided: Decided,
    happened: Happened,
    pressure: Pressure,
    clock: Clock,
    stated: Stated | None = None,
    sample: Sample | None = None,
    tell: Tell = lambda _: None,
) -> Fitted:
    """Curves of all harms by channel and pressure, and how customers differ in them where features are given.

    Raises WorkspaceError where chance decided too little.
    """
    stated = stated or Stated()
    tell("what came of decisions")
    found = trials(decided, happened, pressure.weights, clock)
    by_chance = _by_chance(found)
    tell("comparing cap levels")
    compared = cap_levels.compare(found, happened)
    _check(found, compared, happened.until)
    tell("curves of harm")
    by_band = spending(found, happened.purchases, happened.until, clock, bands(found.pressure), len(BANDS))
    curves = {name: curve(found, name) for name in COUNTS} | {one.name: one for one in spent(by_band)}
    smooths = {name: smooth(curves[name], pressure.weights) for name in OUTCOMES}
    gain = smooth(curves[GAIN], np.ones(len(pressure.weights)), falling=True)
    means = {name: _means(found, smooths[name]) for name in OUTCOMES}
    tell("who is harmed more")
    standard, apart = _differing(found, smooths, means, by_band, sample)
    costs = np.zeros(len(found.channels)) if stated.costs is None else stated.costs
    free = Prices(stated.margin, np.zeros(len(found.channels)), stated.complaint)
    harm = Harm(pressure, free, smooths, means, apart, standard)
    asked = Asked(costs, stated.opt_out)
    tell("how many contacts pay")
    present, most = lived(found, happened.contacts, happened.until)
    advice = advise(harm, gain, curves, asked, by_chance, present, most)
    harm = year_priced(harm, gain, asked, most, advice.number)
    contacts = np.bincount(found.made[found.made != SILENCE], minlength=len(found.channels))
    return Fitted(harm, gain, curves, compared, costs, len(found), contacts, by_chance, advice,
                  for_later(decided, happened, clock.soon))  # fmt: skip


def _by_chance(found: Trials) -> np.ndarray:
    """int64[C]: contacts that might as well not have been made."""
    open_ = (found.made != SILENCE) & (found.silent > 0)
    return np.bincount(found.made[open_], minlength=len(found.channels))


def _check(found: Trials, compared: Levels, until: int) -> None:
    every, known = (int(_by_chance(some).sum()) for some in (found, found.rows(found.known)))
    if known >= LEAST:
        return
    if every >= LEAST:
        ends = f"it ends {isoformat(until)[:16]}" if until else "it holds no interactions"
        raise WorkspaceError(
            f"of {every:,} contacts that chance might as well not have made, history knows of {known:,} what came of"
            f" them within `soon_days` of tactful.yaml, {LEAST} are needed: {ends}; bring in what customers did since,"
            " or wait"
        )
    also = "" if compared.levels else (
        "; nor do customers live under randomised cap levels: state `cap_levels` in contact_policy.yaml, e.g."
        " {levels: [{share: 0.1, factor: 0.5}, {share: 0.1, factor: 2}]}"
    )  # fmt: skip
    raise WorkspaceError(
        f"of {len(found):,} outbound decisions, {every:,} were contacts that chance might as well not"
        f" have made, {LEAST} are needed to tell what contacts cost: state a share of `withholding` or `exploration` in"
        f" contact_policy.yaml and wait{also}"
    )


def _means(found: Trials, one: Smooth) -> np.ndarray:
    """float64[C]: of the contacts made; where a channel had none, at everybody's pressure."""
    contacted = found.made != SILENCE
    everybody = np.array([float(found.pressure.mean())])
    means = []
    for c in range(len(found.channels)):
        mine = contacted & (found.made == c)
        at = found.pressure[mine] if mine.any() else everybody
        means.append(float(one.at(np.full(len(at), c), at).mean()))
    return np.array(means)


def _differing(
    found: Trials,
    smooths: Mapping[str, Smooth],
    means: Mapping[str, np.ndarray],
    spending: Spending,
    sample: Sample | None,
) -> tuple[Standard | None, dict[str, Differs]]:
    if sample is None:
        return None, {name: Differs(np.zeros(0), 1.0, 0.0) for name in OUTCOMES}
    standard = Standard.of(sample.values, sample.names, sample.levels)
    z, some, rows = standard.z(sample.values), found.rows(sample.rows), sample.rows
    known = some.known.astype(np.float64)
    outcomes = {
        "opt-out": (known * some.opted_out.any(axis=1), known),
        "complaint": (known * some.complained, known),
        LOST: (spending.lost[rows], spending.exposure[rows]),
    }
    left = {name: rest(some, *outcomes[name], smooths[name]) for name in OUTCOMES}
    return standard, {name: differs(some, left[name], means[name], z) for name in OUTCOMES}
