"""Marginal distributions: does each channel take its values as often as in the real data?

Two distances between the empirical distribution functions F (real) and G (generated) of a channel, over all
windows and steps, NaN left out:

    Kolmogorov-Smirnov   sup_x |F(x) - G(x)|                   0 same .. 1 apart
    Wasserstein-1        integral |F(x) - G(x)| dx / spread    0 same, in real standard deviations

(Kolmogorov 1933, Smirnov 1948; Vallender 1974).

The Kolmogorov-Smirnov distance sees a wrong shape or a pile-up, the Wasserstein distance how far values are
off.
"""

import numpy as np
from jaxtyping import Float

from dowgan.metrics.metric import METRICS, Metric, Score

Array = np.ndarray


def moments(rows: Float[Array, "K C"]) -> tuple[Float[Array, "C"], Float[Array, "C"]]:
    """Mean and standard deviation of each channel without NaN; 1 for constant or empty one, to divide by."""
    known = ~np.isnan(rows)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, rows, 0.0).sum(0) / count
    spread = np.sqrt((np.where(known, rows - mean, 0.0) ** 2).sum(0) / count)
    return mean, np.where(spread > 1e-12 * np.abs(mean), spread, 1.0)


def _columns(real: Float[Array, "..."], fake: Float[Array, "..."]) -> list[tuple[Array, Array]]:
    first, second = (x.reshape(-1, x.shape[-1]).T for x in (real, fake))
    return [(a[~np.isnan(a)], b[~np.isnan(b)]) for a, b in zip(first, second, strict=True)]


def kolmogorov_smirnov(real: Float[Array, "*n C"], fake: Float[Array, "*m C"]) -> Float[Array, "C"]:
    """Greatest difference of the distribution functions of each channel; NaN where one side has no values."""
    return np.array([np.abs(_apart(a, b)[0]).max() if len(a) and len(b) else np.nan for a, b in _columns(real, fake)])


def _apart(first: Float[Array, "n"], second: Float[Array, "m"]) -> tuple[Float[Array, "nm"], Float[Array, "nm"]]:
    """F - G just after each value of either, and these values in order."""
    values = np.sort(np.concatenate([first, second]))
    below = [np.searchsorted(np.sort(x), values, side="right") / len(x) for x in (first, second)]
    return below[0] - below[1], values


def _area(first: Float[Array, "n"], second: Float[Array, "m"]) -> float:
    off, values = _apart(first, second)
    return float(np.abs(off[:-1]) @ np.diff(values))


def wasserstein(real: Float[Array, "*n C"], fake: Float[Array, "*m C"]) -> Float[Array, "C"]:
    """Wasserstein-1 distance of each channel in real standard deviations; NaN where a side has no values."""
    _, scale = moments(real.reshape(-1, real.shape[-1]))
    found = [_area(a, b) if len(a) and len(b) else np.nan for a, b in _columns(real, fake)]
    return np.array(found) / scale


def spread_ratio(real: Float[Array, "*n C"], fake: Float[Array, "*m C"]) -> Float[Array, "C"]:
    """Generated over real standard deviation of each channel: 1 is best; 1 also where both are constant.

    NaN where one side has no values; infinite where only the real channel is constant.
    """
    found = []
    for first, second in _columns(real, fake):
        wide, narrow = (float(np.std(x)) if len(x) else np.nan for x in (second, first))
        found.append(wide / narrow if narrow > 0 or np.isnan(narrow) else (1.0 if wide == 0 else np.inf))
    return np.array(found)


def _measure_spread(real: Array, fake: Array, seed: int) -> Score:
    ratio = spread_ratio(real, fake)
    return mean_score(np.abs(np.where(np.isinf(ratio), np.nan, ratio) - 1))  # of a constant there is no share


def _measure_ks(real: Array, fake: Array, seed: int) -> Score:
    return mean_score(kolmogorov_smirnov(real, fake))


def _measure_wasserstein(real: Array, fake: Array, seed: int) -> Score:
    return mean_score(wasserstein(real, fake))


def mean_score(channels: Float[Array, "C"]) -> Score:
    """The mean over the channels that have a value, and each channel's own."""
    known = channels[~np.isnan(channels)]
    return Score(float(known.mean()) if len(known) else float("nan"), tuple(map(float, channels)))


METRICS.add("ks")(
    Metric(
        "ks",
        "distribution of the values (Kolmogorov-Smirnov)",
        better="lower",
        needs="windows",
        cost="fast",
        measure=_measure_ks,
    )
)
METRICS.add("wasserstein")(
    Metric(
        "wasserstein",
        "distribution of the values (Wasserstein, in standard deviations)",
        better="lower",
        needs="windows",
        cost="fast",
        measure=_measure_wasserstein,
    )
)
METRICS.add("spread")(
    Metric(
        "spread",
        "standard deviation of the values, off by",
        better="lower",
        needs="windows",
        cost="fast",
        measure=_measure_spread,
    )
)
