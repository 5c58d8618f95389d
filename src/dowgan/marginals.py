"""Monotone maps of each channel to normal scores and back, by the channel's own quantiles."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr, ndtri

KNOTS = 65  # most knots of a quantile table
TAIL = 0.1  # share of the knots whose mean slope continues a tail
HEAVY = 0.5  # of their spread, below which most values lie so close that the others are far out
NORMAL_EDGE = 0.159  # share of a normal distribution more than one spread below its mean
FARTHEST = 100.0  # normal score
STEEPEST = 2.0  # scores rise no faster beyond a limit that many values reach: a full humidity, a lamp that is off


def line_through(
    values: np.ndarray,
    x: Float[np.ndarray, " K"],
    y: Float[np.ndarray, " K"],
    slopes: tuple[float, float] = (0.0, np.inf),
) -> np.ndarray:
    """Interpolate linearly and continue both ends with the mean slope of the outer knots.

    Args:
        values: of any shape.
        x, y: knots.
        slopes: least and greatest slope of the ends, in units of the mean slope of all knots.
    """
    reach = max(1, round(TAIL * len(x)))
    least, most = np.array(slopes) * (y[-1] - y[0]) / (x[-1] - x[0])
    low = np.clip((y[reach] - y[0]) / (x[reach] - x[0]), least, most)
    high = np.clip((y[-1] - y[-1 - reach]) / (x[-1] - x[-1 - reach]), least, most)
    out = np.interp(values, x, y)
    for beyond, end, slope in ((values < x[0], 0, low), (values > x[-1], -1, high)):
        out[beyond] = y[end] + (values[beyond] - x[end]) * slope
    return out


@dataclass(frozen=True)
class Marginals:
    """A monotone map of each channel to normal scores and back.

    Attributes:
        scores: [K] normal scores of the knots.
        quantiles: [K D] the channel's value at each, strictly increasing.
    """

    scores: Float[np.ndarray, " K"]
    quantiles: Float[np.ndarray, "K D"]

    def to_normal(self, rest: Float[np.ndarray, "... D"]) -> Float[np.ndarray, "... D"]:
        return self._each(rest, forward=True)

    def seen(self, rest: Float[np.ndarray, "... D"]) -> Float[np.ndarray, "... D"]:
        """Normal scores to condition on: those of a channel that never moved before would take all others along."""
        return np.clip(self.to_normal(rest), -FARTHEST, FARTHEST)

    def from_normal(self, normal: Float[np.ndarray, "... D"]) -> Float[np.ndarray, "... D"]:
        return self._each(normal, forward=False)

    def log_slopes(self, rest: Float[np.ndarray, "... D"]) -> Float[np.ndarray, "... D"]:
        """Return the logarithm of how fast scores rise at each value, that of the outer knots beyond them."""
        out = np.empty_like(rest)
        for channel in range(rest.shape[-1]):
            quantiles = self.quantiles[:, channel]
            cell = np.clip(np.searchsorted(quantiles, rest[..., channel]) - 1, 0, len(quantiles) - 2)
            out[..., channel] = np.log(np.diff(self.scores) / np.diff(quantiles))[cell]
        return out

    def _each(self, x: Float[np.ndarray, "... D"], forward: bool) -> Float[np.ndarray, "... D"]:
        out = np.empty_like(x)
        for channel in range(x.shape[-1]):
            quantiles = self.quantiles[:, channel]
            knots = (quantiles, self.scores) if forward else (self.scores, quantiles)
            slopes = (0.0, STEEPEST) if forward else (1 / STEEPEST, np.inf)
            out[..., channel] = line_through(x[..., channel], *knots, slopes)
        return out


def fit_marginals(values: Float[np.ndarray, "N D"], weight: float = 1.0) -> Marginals:
    """Fit the quantile tables.

    Args:
        values: rows under each other, NaN where missing.
        weight: 1 takes the quantiles as they are, 0 a normal distribution of the same mean and spread;
            between them small samples are drawn towards normal.
    """
    counts = np.sum(~np.isnan(values), axis=0)
    knots = int(np.clip(counts.max() // 8, 5, KNOTS))
    edge = ndtri(0.5 / max(counts.max(), 10))
    scores = np.linspace(edge, -edge, knots)  # even in normal scores, so that tails have knots too
    levels = ndtr(scores)
    quantiles = np.empty((knots, values.shape[1]))
    for channel in range(values.shape[1]):
        known = values[~np.isnan(values[:, channel]), channel]
        if len(known) == 0:
            known = np.zeros(1)
        centre, spread = _normal_of(known)
        spread += 1e-9 + 1e-6 * abs(centre)  # a hair that a large constant does not swallow
        table = weight * np.quantile(known, levels) + (1 - weight) * (centre + spread * scores)
        quantiles[:, channel] = table + 1e-6 * spread * scores  # ties stay strictly increasing
    return Marginals(scores, quantiles)


def _normal_of(known: Float[np.ndarray, " N"]) -> tuple[float, float]:
    """Mean and spread of the normal distribution that values are drawn towards: of most of them, where a few, such as
    those of a start-up, lie far out."""
    low, middle, high = np.quantile(known, [NORMAL_EDGE, 0.5, 1 - NORMAL_EDGE])
    if 0 < (high - low) / 2 < HEAVY * known.std():
        return float(middle), float(high - low) / 2
    return float(known.mean()), float(known.std())
