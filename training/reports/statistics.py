"""The statistics of reports, in one place: Welch's comparison, Holm, sample ratio, planning, balance.

Everything here is a pure function of counts, means and variances, so that a group-by in any engine can feed it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy.stats
from tea_tasting.aggr import Aggregates
from tea_tasting.metrics.mean import Mean

from serving.decisions import planning

CONFIDENCE = planning.CONFIDENCE
POWER = 0.8
#: A sample-ratio alarm stops a whole report, so it must be rare where nothing is wrong (Fabijan et al., KDD 2019).
RATIO_ALARM = 0.001
#: Below these, an interval would pretend to know what it does not.
SMALLEST_ARM = 30
FEWEST_EXPECTED = 5
#: A difference of means that is drawn more skewed than this errs to one side far more often than its interval says.
#: Cochran (Sampling Techniques, 1977, 2.15: n > 25 skewness^2) asks for a fifth; up to a quarter, intervals that hold
#: at every look alarm without cause in at most 5%, unchecked in up to 25% (measured with a twentieth held out). Of a
#: rare rate against far more customers, a quarter is 16 cases.
MOST_SKEW = 0.25
#: Beyond a tenth of a standard deviation two groups are usually called different (Austin, 2009).
IMBALANCE = 0.1
#: `raised` and `lowered` are shown by the figures, `undecided` could be chance, `too_few` is not worth a figure.
Verdict = Literal["raised", "lowered", "undecided", "too_few"]


@dataclass(frozen=True)
class Sample:
    """What a comparison needs of one group: its size, mean and sample variance (n - 1).

    `skew`: the third central moment over variance^1.5, 0 where it is not known. `effective`: the mean of so many who
    count alike would be drawn as skewed; None where all do, and these are n.
    """

    n: int
    mean: float
    variance: float
    skew: float = 0.0
    effective: float | None = None

    @classmethod
    def of(cls, values: Iterable[float]) -> "Sample":
        """From the values themselves; fewer than two have no variance (0 here)."""
        array = np.asarray(values if isinstance(values, np.ndarray) else list(values), dtype=np.float64)
        found = cls.even(array)
        if not found.varies:
            return found
        off = (array - found.mean) / math.sqrt(found.variance)
        return replace(found, skew=float((off * off * off).mean()))

    @classmethod
    def weighted(cls, values: np.ndarray, weight: np.ndarray | None) -> "Sample":
        """Some count for more than others: the weighted mean, and n times its squared error as the variance."""
        if weight is None or len(values) < 2:
            return cls.of(values)
        mean, share = float(np.average(values, weights=weight)), weight / weight.sum()
        off = values - mean
        spread = float(share @ off**2)
        skew = float(share @ off**3) / spread**1.5 if spread else 0.0
        effective = float(alike(share @ share, share**2 @ share))
        return cls(len(values), mean, _stretch(len(values)) * float(share**2 @ off**2), skew, effective)

    @classmethod
    def even(cls, array: np.ndarray) -> "Sample":
        """The same without the skew, which costs more than all the rest."""
        if not array.size:
            return cls(0, 0.0, 0.0)
        return cls(array.size, float(array.mean()), float(array.var(ddof=1)) if array.size > 1 else 0.0)

    @property
    def alike(self) -> float:
        """`effective`, n where all count alike."""
        return self.n if self.effective is None else self.effective

    @property
    def varies(self) -> bool:
        """Whether the variance is more than what rounding leaves of equal values."""
        return self.variance > 1e-20 * max(1.0, self.mean**2)

    @property
    def clear(self) -> bool:
        """Whether the mean is at least two standard errors from nothing, so that a share of it means something."""
        return self.n > 0 and abs(self.mean) > max(2 * math.sqrt(self.variance / self.n), 1e-100)


@dataclass(frozen=True)
class AlwaysValid:
    """An interval, and a p-value, that hold however often one looks (always_valid.py)."""

    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Effect:
    """Difference of means against control with Welch's interval; `relative` is lift over the control's mean.

    The relative figures are None where a mean is not clearly positive (two standard errors): a lift over nothing
    says nothing. `always`: where the comparison goes on and is looked at again and again.
    """

    difference: float
    low: float
    high: float
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    p: float
    always: AlwaysValid | None = None


@dataclass(frozen=True)
class Known:
    """What was known of a group before: mean and variance of a covariate, and its covariance with the outcome."""

    mean: float
    variance: float
    covariance: float

    @classmethod
    def of(cls, before: np.ndarray, outcome: np.ndarray) -> "Known":
        """From the values themselves, float64[n] each."""
        if len(before) < 2:
            return cls(float(before.mean()) if len(before) else 0.0, 0.0, 0.0)
        spread = np.cov(before, outcome)
        return cls(float(before.mean()), float(spread[0, 0]), float(spread[0, 1]))

    @classmethod
    def weighted(cls, before: np.ndarray, outcome: np.ndarray, weight: np.ndarray | None) -> "Known":
        """What goes with `Sample.weighted`."""
        if weight is None or len(before) < 2:
            return cls.of(before, outcome)
        share = weight / weight.sum()
        mean = float(share @ before)
        x, y = share * (before - mean), share * (outcome - float(share @ outcome))
        return cls(mean, _stretch(len(before)) * float(x @ x), _stretch(len(before)) * float(x @ y))


def alike(squares: np.ndarray, cubes: np.ndarray) -> np.ndarray:
    """Of how many who count alike a mean is drawn as skewed as with weights of these sums of squares and cubes.

    A mean of n has an outcome's skewness over sqrt(n), a weighted one that times cubes / squares^1.5.
    """
    return np.divide(squares**3, cubes**2, out=np.zeros(np.shape(squares)), where=cubes > 0)


def _stretch(n: int) -> float:
    """What the sum of squared parts of a mean's error is multiplied by to read as a variance: n, and n / (n - 1)."""
    return n * n / (n - 1)


def adjusted(control: Sample, treated: Sample, known: tuple[Known, Known]) -> tuple[Sample, Sample]:
    """Both groups as if what was known before had been alike in them (CUPED): mean and variance of the outcome less
    theta x covariate, theta being the pooled covariance over the pooled variance.

    Source: Deng, Xu, Kohavi, Walker, WSDM 2013; tea-tasting's Mean with a covariate does the same sums.
    """
    groups = [_aggregates(sample, 0.0, one) for sample, one in zip((control, treated), known, strict=True)]
    both = groups[0] + groups[1]
    if both.var("x") <= 1e-20 * max(1.0, both.mean("x") ** 2):
        return control, treated
    theta = both.cov("x", "y") / both.var("x")
    less = [
        replace(
            sample,
            mean=sample.mean - theta * (one.mean - both.mean("x")),
            variance=max(0.0, sample.variance + theta * (theta * one.variance - 2 * one.covariance)),
        )
        for sample, one in zip((control, treated), known, strict=True)
    ]
    return less[0], less[1]


def compare(control: Sample, treated: Sample, confidence: float = CONFIDENCE) -> Effect:
    """Welch's t comparison (unequal variances), the lift's interval by the delta method on logarithms.

    Raises ValueError where either group has fewer than two members or neither varies.
    Source: B. L. Welch, Biometrika 34 (1947); tea-tasting's Mean from aggregates.
    """
    if min(control.n, treated.n) < 2:
        raise ValueError("a comparison needs at least two customers in each group")
    if not (control.varies or treated.varies):
        raise ValueError("nothing varies in either group, so there is no interval")
    positive = all(one.clear and one.mean > 0 for one in (control, treated))
    # The library takes logarithms of the means. Welch's interval does not move when both groups are shifted alike.
    spread = max(math.sqrt(one.variance / one.n) for one in (control, treated))
    shift = 0.0 if positive else 1.0 + 3 * spread - min(control.mean, treated.mean)
    metric = Mean("y", confidence_level=confidence, alternative="two-sided", equal_var=False, use_t=True)
    found = metric.analyze_aggregates(_aggregates(control, shift), _aggregates(treated, shift))

    def lift(figure: float) -> float | None:
        return float(figure) if positive and math.isfinite(figure) else None

    return Effect(
        difference=float(found.effect_size),
        low=float(found.effect_size_ci_lower),
        high=float(found.effect_size_ci_upper),
        relative=lift(found.rel_effect_size),
        relative_low=lift(found.rel_effect_size_ci_lower),
        relative_high=lift(found.rel_effect_size_ci_upper),
        p=float(found.pvalue),
    )


def _aggregates(sample: Sample, shift: float, known: Known | None = None) -> Aggregates:
    mean, variance = {"y": sample.mean + shift}, {"y": sample.variance}
    if known is None:
        return Aggregates(count_=sample.n, mean_=mean, var_=variance)
    return Aggregates(
        count_=sample.n,
        mean_=mean | {"x": known.mean},
        var_=variance | {"x": known.variance},
        cov_={("x", "y"): known.covariance},
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down p-values, in the order given: the chance of even one false alarm stays within the level.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = running
    return adjusted


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> float:
    """The p-value of these counts where customers were assigned with these shares (positive, summing to 1).

    Exact binomial for two small groups, chi-square otherwise; 1.0 where nobody was assigned.
    """
    total = sum(counts)
    if total == 0:
        return 1.0
    if len(counts) == 2 and total < 1000:
        return float(scipy.stats.binomtest(int(counts[0]), int(total), shares[0]).pvalue)
    return float(scipy.stats.chisquare(counts, [share * total for share in shares]).pvalue)


def sample_ratios(counts: np.ndarray, shares: np.ndarray) -> float:
    """The same where shares changed: `counts` int[k, groups] under `shares` float[k, groups], k times, each counting.

    A time in which a group was to have fewer than FEWEST_EXPECTED says nothing.
    """
    if len(counts) == 1:
        return sample_ratio(counts[0].tolist(), shares[0].tolist())
    expected = counts.sum(axis=1, keepdims=True) * shares
    told = (expected >= FEWEST_EXPECTED).all(axis=1)
    if not told.any():
        return 1.0
    far = float(((counts - expected)[told] ** 2 / expected[told]).sum())
    return float(scipy.stats.chi2.sf(far, int(told.sum()) * (counts.shape[1] - 1)))


def same_share(hits: Sequence[int], totals: Sequence[int]) -> float:
    """The p-value of 'the same share everywhere', say of missing outcomes by arm; 1.0 where nothing differs."""
    if sum(hits) in (0, sum(totals)) or min(totals) == 0:
        return 1.0
    table = [list(hits), [total - hit for hit, total in zip(hits, totals, strict=True)]]
    return float(scipy.stats.chi2_contingency(table).pvalue)


def too_few(control: Sample, treated: Sample, binary: bool, members: str = "customers") -> str | None:
    """Why two groups (of `members`) are too small for an interval, or None where they are not.

    A rate needs at least five expected cases and non-cases a group, as for the chi-square test (Cochran, 1954). In a
    group far smaller than the other it needs more, and an amount enough customers for the few who have most of it:
    no more skew than MOST_SKEW.
    """
    smallest = min(control.alike, treated.alike)
    if round(smallest) < SMALLEST_ARM:
        return f"{smallest:,.0f} {members} in the smaller group, at least {SMALLEST_ARM} are needed"
    if not (control.varies or treated.varies):
        return f"the outcome is the same for all {members}"
    times = (skewed(control, treated) / MOST_SKEW) ** 2
    if binary:
        pooled = (control.alike * control.mean + treated.alike * treated.mean) / (control.alike + treated.alike)
        expected = smallest * min(pooled, 1 - pooled)
        enough = max(FEWEST_EXPECTED, expected * times)
        if expected < enough:
            return (
                f"the outcome is so {'rare' if pooled < 0.5 else 'common'} that {expected:.1f} cases"
                f"{'' if pooled < 0.5 else ' without it'} would be expected in the smaller group, at least "
                f"{math.ceil(enough):,} are needed"
            )
    elif times > 1:
        enough = float(f"{smallest * times:.2g}")
        return (
            f"a few {members} make up so much of it that about {enough:,.0f} {members} are needed in the smaller "
            f"group, which has {smallest:,.0f}"
        )
    return None


def skewed(control: Sample, treated: Sample) -> float:
    """How skewed the difference of the two means is drawn, were the groups drawn from one: 0 for groups of one size,
    the skewness over sqrt(n) where one is far smaller. Of both together, as a small group without a case tells none."""
    low, high = control.alike, treated.alike
    variance = (low * control.variance + high * treated.variance) / (low + high)
    if variance <= 0:
        return 0.0
    third = sum(one.alike * one.skew * one.variance**1.5 for one in (control, treated)) / (low + high)
    sizes = abs(1 / low**2 - 1 / high**2) / (1 / low + 1 / high) ** 1.5
    return abs(third) / variance**1.5 * sizes


def detectable(control: Sample, treated: Sample, power: float = POWER) -> float:
    """The smallest true difference that groups of these sizes and variances find with this power (two-sided)."""
    return planning.detectable(math.sqrt(control.variance / control.n + treated.variance / treated.n), power)


def needed(control: Sample, treated: Sample, difference: float, power: float = POWER) -> int:
    """Customers in all, split as now, that find a true `difference` with this power (two-sided)."""
    share = control.n / (control.n + treated.n)
    return planning.needed(control.variance, treated.variance, share, difference, power)


def wilson(share: float, rows: float) -> tuple[float, float]:
    """The interval of a share (or a mean between 0 and 1) of so many independent rows; never empty, also at 0 and 1.

    Source: E. B. Wilson, JASA 22 (1927), 209-212.
    """
    z = float(scipy.stats.norm.ppf((1 + CONFIDENCE) / 2))
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * math.sqrt(max(share * (1 - share), 0.0) / rows + z * z / (4 * rows**2)) / (1 + z * z / rows)
    return max(0.0, centre - half), min(1.0, centre + half)


def standardised_difference(one: Sample, other: Sample) -> float:
    """(mean - mean) in units of the groups' common standard deviation; 0 where neither varies and the means agree.

    Source: P. C. Austin, Statistics in Medicine 28 (2009), 3083-3107.
    """
    gap = one.mean - other.mean
    spread = math.sqrt((one.variance + other.variance) / 2)
    if spread == 0:
        return 0.0 if gap == 0 else math.copysign(math.inf, gap)
    return gap / spread
