"""What one more contact does to those contacted by chance, by channel and by the pressure that they are under.

For a channel, trials in which chance chose between a contact there (probability p) and silence (q) are compared: with
e = p / (p + q), A whether it was made and y what came of it,

    effect = sum (A - e) (y - the silent's mean) / sum (A - e) A

which is the mean effect, each trial weighed by e (1 - e): the share of it that chance decides (Robinson, Econometrica
1988; Crump, Hotz, Imbens and Mitnik, Biometrika 2009). The variance is a sandwich over customers. Opt-outs and
complaints are rare counts, whose variance grows with their rate; so their interval holds every rate b with
(b - effect)^2 <= z^2 (V + f (b - effect)), f the variance that one unit of rate adds: Wilson's interval where all are
contacted, and never empty where nothing was seen. What becomes of spending is measured in spending.py.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import nnls

from training.fatigue.effects import Effects, Z
from training.fatigue.spending import Spending
from training.fatigue.trials import SILENCE, Trials

#: Pressure just before, in shares of what is tolerable (1 is the contact policy's limit).
EDGES = (0.25, 0.5, 0.75, 1.0, 1.5)
BANDS = ("under a quarter", "a quarter to a half", "a half to three quarters", "three quarters to full", "full to half"
         " beyond", "beyond that")  # fmt: skip
LOST = "lost money"
COUNTS = ("opt-out", "complaint")
OUTCOMES = (*COUNTS, LOST)
#: What a contact sells by itself: no harm, yet needed to say how many are worth it.
GAIN = "gain"


def bands(pressure: np.ndarray) -> np.ndarray:
    """int64[n]: a position in BANDS."""
    return np.searchsorted(EDGES, pressure, side="right")


def effects(trials: Trials, name: str, channel: int, cell: np.ndarray, cells: int) -> Effects:
    """Opt-outs from a channel or complaints because of contacts there, by cell int[n] (below `cells`; -1 counts in
    none) where they are known: arrays [cells]."""
    y = (trials.opted_out[:, channel] if name == "opt-out" else trials.complained).astype(np.float64)
    chance, silent = trials.chance[:, channel].astype(np.float64), trials.silent
    rows = np.flatnonzero(
        (cell >= 0) & trials.known & (chance > 0) & (silent > 0) & ((trials.made == channel) | (trials.made == SILENCE))
    )
    y, place = y[rows], cell[rows]
    made = trials.made[rows] == channel
    rest = made - chance[rows] / (chance[rows] + silent[rows])

    def total(of: np.ndarray) -> np.ndarray:
        return np.bincount(place, of, minlength=cells).astype(np.float64)

    # the silent's own level goes: a constant would only add noise
    quiet = ~made
    y = y - _divided(total(y * quiet), total(quiet.astype(np.float64)))[place]
    divisor, weight = total(rest * made), total(rest * rest)
    contacts = total(made.astype(np.float64))
    divisor[(contacts == 0) | (divisor <= 0)] = np.nan
    value = total(rest * y) / divisor
    shown = rest * (y - np.nan_to_num(value)[place] * made)
    variance = _clustered(shown, trials.who[rows], place, cells) / divisor**2
    each = total(made * rest * rest) / divisor**2
    centre, half = value + Z * Z * each / 2, Z * np.sqrt(variance + (Z * each) ** 2 / 4)
    pressure = _divided(total(rest * rest * trials.pressure[rows]), weight)
    return Effects(value, centre - half, centre + half, variance, contacts, weight, pressure)


@dataclass(frozen=True)
class Curve:
    """One outcome's effects: `bands` [C, B], `channels` [C] over all bands; `cover` [C B, C B], their covariance, where
    bands hang together."""

    name: str
    bands: Effects
    channels: Effects
    cover: np.ndarray | None = None


def curve(trials: Trials, name: str) -> Curve:
    """Of opt-outs or complaints, by channel and band."""
    band, nobody = bands(trials.pressure), np.zeros(len(trials), np.int64)
    by_band = [effects(trials, name, c, band, len(BANDS)) for c in range(len(trials.channels))]
    overall = [effects(trials, name, c, nobody, 1).at(0) for c in range(len(trials.channels))]
    return Curve(name, stacked(by_band), stacked(overall))


def spent(found: Spending) -> tuple[Curve, Curve]:
    """Of lost money, and of what contacts sell; `found` by band."""
    return (
        Curve(LOST, found.loss, _whole(found.loss, found.cover[0]), found.cover[0]),
        Curve(GAIN, found.gain, _whole(found.gain, found.cover[1]), found.cover[1]),
    )


def _whole(cells: Effects, cover: np.ndarray) -> Effects:
    """Of each channel [C], its bands by the chance in them.

    Never one effect for all bands: a contact brings the later ones under more pressure, and what these then do worse
    would be counted as its own loss, and once more as theirs.
    """
    known = np.isfinite(cells.value) & (cells.contacts > 0)
    weight = np.where(known, cells.weight, 0.0)
    total = weight.sum(axis=1)
    share = np.divide(weight, total[:, None], out=np.zeros_like(weight), where=total[:, None] > 0)
    count, bands = share.shape
    own = np.nan_to_num(cover).reshape(count, bands, count, bands)
    value = np.where(total > 0, (share * np.nan_to_num(cells.value)).sum(axis=1), np.nan)
    variance = np.where(total > 0, np.einsum("cb,cbcd,cd->c", share, own, share), np.nan)
    half = Z * np.sqrt(np.maximum(variance, 0.0))
    pressure = (share * cells.pressure).sum(axis=1)
    return Effects(value, value - half, value + half, variance, cells.contacts.sum(axis=1), total, pressure)


def stacked(found: list[Effects]) -> Effects:
    """One more axis in front."""
    return Effects(*(np.stack(columns) for columns in zip(*(vars(one).values() for one in found), strict=True)))


#: Where the lines of a smooth curve bend.
KNOTS = (0.0, 0.5, 1.0, 2.0)
#: Of a matrix of correlations, an eigenvalue that is nothing but rounding.
SINGULAR = 1e-9


@dataclass(frozen=True)
class Smooth:
    """effect of channel c at pressure x = factor[c] x (base + slopes . segments(x)); never below 0, one way only.

    `kept`: the share of what was measured that it counts, the rest is drawn towards nothing."""

    factor: np.ndarray
    base: float
    slopes: np.ndarray
    kept: float = 1.0

    def at(self, channel: np.ndarray, pressure: np.ndarray) -> np.ndarray:
        """float64[n]."""
        return np.asarray(self.factor[channel] * (self.base + segments(pressure) @ self.slopes))


def segments(pressure: np.ndarray) -> np.ndarray:
    """float64[n, segments]: how far each stretch between knots is walked."""
    pressure = np.asarray(pressure, np.float64)
    return np.stack([np.clip(pressure, a, b) - a for a, b in pairwise(KNOTS)], axis=-1)


def smooth(found: Curve, weights: np.ndarray, falling: bool = False, drawn_back: bool = True) -> Smooth:
    """One shape for all channels that rises with pressure (or falls), and what each channel's contacts are beside it.

    Before data, a contact does in proportion to its weight [C]. The shape is the nearest to the cells by their
    covariance; cells of counts weigh by the chance in them instead, because of rare events the lucky cells show the
    least error. A channel's factor is drawn back by how far the channels differ beyond their errors (DerSimonian and
    Laird, Controlled Clinical Trials 1986), and all of it towards nothing by how far it stands out from its own error
    (James and Stein, 1961), unless not `drawn_back`.
    """
    cells, own, whole = found.bands, found.channels, np.diff(KNOTS)
    known = np.isfinite(cells.value) & (cells.contacts > 0)
    if found.cover is not None:  # where nobody bought anything, nothing varies, and nothing is told
        known &= np.diag(found.cover).reshape(known.shape) > 0
    channel, _ = np.nonzero(known)
    flat = Smooth(weights.astype(float), 0.0, np.zeros(len(whole)))
    if not len(channel):
        return flat
    walked = segments(cells.pressure[known])
    design = weights[channel, None] * np.column_stack([np.ones(len(channel)), whole - walked if falling else walked])
    if found.cover is None:
        root = np.diag(np.sqrt(cells.weight[known]))
    else:
        kept = known.ravel()
        root = _weighing(found.cover[np.ix_(kept, kept)])
    shape, _ = nnls(root @ design, root @ cells.value[known])
    foretold = design @ shape
    told = np.isfinite(own.value) & (own.contacts > 0)
    mean = np.array([_mean(foretold, cells.weight[known], channel == c) for c in range(len(weights))])
    told &= mean > 0
    if not told.any():
        return flat
    share = own.weight[told] / own.weight[told].sum()
    size, error = float(share @ own.value[told]), float(share**2 @ own.variance[told])
    kept_of_all = max(0.0, 1.0 - error / size**2) if size > 0 else 0.0
    if not drawn_back:
        kept_of_all = 1.0
    factor = weights.astype(float).copy()
    if told.sum() > 1:
        variance = own.variance[told] if found.cover is not None else _at_foretold(own, mean, told)
        factor[told] *= np.maximum(shrunk(own.value[told] / mean[told], variance / mean[told] ** 2), 0.0)
    base, slopes = float(shape[0]), shape[1:]
    if falling:
        base, slopes = base + float(slopes @ whole), -slopes
    return Smooth(factor, kept_of_all * base, kept_of_all * slopes, kept_of_all)


def _weighing(cover: np.ndarray) -> np.ndarray:
    """float64[k, k]: a root of the inverse of a covariance; of its diagonal alone where that has none, for a sandwich
    over fewer customers than cells calls some sums of cells certain."""
    spread = np.sqrt(np.diag(cover))
    values, vectors = np.linalg.eigh(cover / np.outer(spread, spread))
    if values[0] <= SINGULAR:
        return np.diag(1 / spread)
    return np.asarray((vectors / np.sqrt(values)).T / spread)


def _at_foretold(own: Effects, mean: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Variances of rates as they would be at the rates foretold: a lucky channel is not the surest one."""
    pooled = float((own.variance[told] * own.weight[told]).sum() / mean[told].sum())
    return np.asarray(pooled * mean[told] / np.maximum(own.weight[told], 1e-12))


def shrunk(value: np.ndarray, variance: np.ndarray, towards: float = 1.0) -> np.ndarray:
    """Values drawn back to one number by how much of their spread is error."""
    precision = 1.0 / np.maximum(variance, 1e-30)
    spread = float((precision * (value - towards) ** 2).sum())
    between = max(0.0, (spread - len(value)) / float(precision.sum()))
    kept = between / (between + variance)
    return np.asarray(towards + kept * (value - towards))


def _mean(value: np.ndarray, weight: np.ndarray, rows: np.ndarray) -> float:
    return float((value * weight)[rows].sum() / max(weight[rows].sum(), 1e-12))


def _clustered(shown: np.ndarray, who: np.ndarray, place: np.ndarray, cells: int) -> np.ndarray:
    """Sum over customers of the square of their rows' sum, by cell; rows are in order of customer."""
    if not len(shown):
        return np.zeros(cells)
    number = np.concatenate([[0], np.cumsum(who[1:] != who[:-1])])
    sums = np.bincount(number * cells + place, shown)
    cell = np.arange(len(sums)) % cells
    return np.bincount(cell, sums * sums, minlength=cells)


def _divided(of: np.ndarray, by: np.ndarray) -> np.ndarray:
    return np.divide(of, by, out=np.zeros(len(of)), where=by > 0)
