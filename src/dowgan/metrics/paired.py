"""Scores of the paired verbs, densify and extend: a guess and sample paths against the truth.

For truth y, median m and paths x_1 .. x_S, each `[T C]` or `[S T C]` in the user's units; steps with a NaN in
the truth do not count:

    R2 of a column     1 - sum (y - m)^2 / sum (y - mean y)^2        1 perfect, 0 as good as the mean
    median R2          median over the columns
    pooled R2          1 - sum over all columns and steps (y - m)^2 / sum (y - mean of all y)^2
    CRPS               mean |x_i - y| - 1 / (2 S (S - 1)) sum over i, j |x_i - x_j|     0 perfect
    coverage           share of y within the band of the paths
    PIT                place of y among the paths, uniform if they are calibrated

CRPS: Gneiting and Raftery 2007, eq. 21, in the fair form for a finite ensemble, Ferro 2014, eq. 3; one path
has its absolute error. PIT: Dawid 1984.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float

from dowgan.metrics.marginal import mean_score, moments
from dowgan.metrics.metric import METRICS, Metric, PairedMetric, Score

Array = np.ndarray
BAND = 0.9


def _nanmean(x: Float[Array, "T C"]) -> Float[Array, "C"]:
    """Mean without NaN, NaN where nothing is left; without NumPy's warning."""
    known = ~np.isnan(x)
    count = known.sum(0)
    return np.where(count > 0, np.where(known, x, 0).sum(0) / np.maximum(count, 1), np.nan)


def r2(truth: Float[Array, "T C"], median: Float[Array, "T C"]) -> Float[Array, "C"]:
    """R2 of each column; higher is better, at most 1; NaN for a constant or empty column."""
    errors = _nanmean((truth - median) ** 2)
    spread = _nanmean(np.where(np.isnan(median), np.nan, truth - _nanmean(truth)) ** 2)
    return np.where(spread > 0, 1 - errors / np.where(spread > 0, spread, 1), np.nan)


def r2_median(truth: Float[Array, "T C"], median: Float[Array, "T C"]) -> float:
    """Median of the columns' R2."""
    each = r2(truth, median)
    known = each[~np.isnan(each)]
    return float(np.median(known)) if len(known) else float("nan")


def r2_pooled(truth: Float[Array, "T C"], median: Float[Array, "T C"]) -> float:
    """R2 over all columns and steps at once, about one common mean: columns in large numbers decide."""
    return float(r2(truth.reshape(-1, 1), median.reshape(-1, 1))[0])


def mse(truth: Float[Array, "T C"], median: Float[Array, "T C"]) -> Float[Array, "C"]:
    """Mean square error of each column, in its units squared; lower is better."""
    return _nanmean((truth - median) ** 2)


def mae(truth: Float[Array, "T C"], median: Float[Array, "T C"]) -> Float[Array, "C"]:
    """Mean absolute error of each column, in its units; lower is better."""
    return _nanmean(np.abs(truth - median))


def crps(truth: Float[Array, "T C"], paths: Float[Array, "S T C"]) -> Float[Array, "C"]:
    """Continuous ranked probability score of each column, in its units; lower is better.

    The sum over pairs is taken over the sorted paths: sum_ij |x_i - x_j| = 2 sum_i (2 i - S - 1) x_(i).
    """
    S = len(paths)
    off = np.abs(paths - truth).mean(0)
    if S == 1:
        return _nanmean(off)
    weight = 2 * np.arange(1, S + 1) - S - 1
    pairs = np.tensordot(weight, np.sort(paths, 0), 1) / (S * (S - 1))
    return _nanmean(off - pairs)


def band(paths: Float[Array, "S T C"], level: float = BAND) -> tuple[Float[Array, "T C"], Float[Array, "T C"]]:
    """Lower and upper end of the central band; quantiles at i / (S + 1): right for a new path."""
    tail = (1 - level) / 2
    low, high = np.quantile(paths, [tail, 1 - tail], axis=0, method="weibull")
    return low, high


def coverage(truth: Float[Array, "T C"], paths: Float[Array, "S T C"], level: float = BAND) -> Float[Array, "C"]:
    """Share of each column's true values within the central band; best is `level` itself."""
    low, high = band(paths, level)
    inside = ((truth >= low) & (truth <= high)).astype(float)
    return _nanmean(np.where(np.isnan(truth), np.nan, inside))


def pit(truth: Float[Array, "T C"], paths: Float[Array, "S T C"]) -> Float[Array, "T C"]:
    """Place of each true value among the paths, 0 to 1; ties count half; NaN stay."""
    below, equal = (paths < truth).sum(0), (paths == truth).sum(0)
    place = (below + 0.5 * equal + 0.5) / (len(paths) + 1)
    return np.where(np.isnan(truth), np.nan, place)


def pit_shares(truth: Float[Array, "T C"], paths: Float[Array, "S T C"], count: int = 10) -> Float[Array, "count"]:
    """Share of the true values in each of so many equal parts of the paths, all near 1 / count if they are right.

    A true value that equals some paths lies evenly between those below and those above (Czado, Gneiting and Held
    2009, equation 2), so that set-points and whole numbers do not heap up in the middle.
    """
    known = ~np.isnan(truth)
    below, equal = ((paths < truth).sum(0)[known], (paths == truth).sum(0)[known])
    low, wide = below / (len(paths) + 1), (equal + 1) / (len(paths) + 1)
    edges = np.arange(count + 1) / count
    reached = np.clip((edges[:, None] - low) / wide, 0.0, 1.0).sum(1)  # expected number below each edge
    return np.diff(reached) / max(len(low), 1)


def _scaled(each: Callable[[Array, Array], Array]) -> PairedMetric:
    """A per-column error in standard deviations of the true column, so that columns can be averaged."""

    def measure(truth: Array, median: Array, paths: Array | None) -> Score:
        return mean_score(each(truth, median) / moments(truth)[1])

    return measure


def _measure_r2_median(truth: Array, median: Array, paths: Array | None) -> Score:
    return Score(r2_median(truth, median), tuple(map(float, r2(truth, median))))


def _measure_r2_pooled(truth: Array, median: Array, paths: Array | None) -> Score:
    return Score(r2_pooled(truth, median), tuple(map(float, r2(truth, median))))


def _measure_mse(truth: Array, median: Array, paths: Array | None) -> Score:
    return mean_score(mse(truth, median) / moments(truth)[1] ** 2)


def _measure_crps(truth: Array, median: Array, paths: Array | None) -> Score:
    return mean_score(crps(truth, median[None] if paths is None else paths) / moments(truth)[1])


def _measure_coverage(truth: Array, median: Array, paths: Array | None) -> Score:
    if paths is None:
        return Score(float("nan"), tuple([float("nan")] * truth.shape[1]))
    return mean_score(np.abs(coverage(truth, paths) - BAND))


def _measure_pit(truth: Array, median: Array, paths: Array | None) -> Score:
    """Greatest distance between the distribution of the PIT and the uniform one (Kolmogorov-Smirnov)."""
    if paths is None:
        return Score(float("nan"), tuple([float("nan")] * truth.shape[1]))
    return mean_score(np.array([_from_uniform(column) for column in pit(truth, paths).T]))


def _from_uniform(values: Float[Array, "T"]) -> float:
    ordered = np.sort(values[~np.isnan(values)])
    if not len(ordered):
        return float("nan")
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max()))


def _paired(name: str, title: str, better: Literal["lower", "higher"], measure: PairedMetric, best: float) -> None:
    METRICS.add(name)(Metric(name, title, better, needs="paired", cost="fast", measure=measure, floor=best))


_paired("r2_median", "R2, median over the columns", "higher", _measure_r2_median, 1.0)
_paired("r2_pooled", "R2 over all columns at once", "higher", _measure_r2_pooled, 1.0)
_paired("mse", "mean square error, in variances", "lower", _measure_mse, 0.0)
_paired("mae", "mean absolute error, in standard deviations", "lower", _scaled(mae), 0.0)
_paired("crps", "error of the whole distribution (CRPS), in standard deviations", "lower", _measure_crps, 0.0)
_paired("coverage", "coverage of the 90 % band, off by", "lower", _measure_coverage, 0.0)
_paired("pit", "place of the truth among the paths, off uniform by", "lower", _measure_pit, 0.0)
